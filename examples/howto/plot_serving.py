"""
Save a model, serve it without scikit-learn
===========================================

A pickle runs whatever code is in it, and wants the classes that it was made of.
:func:`csoftmax.save_model` writes numbers and names, in the format safetensors, and
:func:`csoftmax.load_model` runs nothing. Where scikit-learn is not installed, what it returns
predicts all the same: NumPy is enough.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from csoftmax import SoftmaxClassifier, load_model, save_model
from csoftmax.models import tensors

# %%
# Fit and save
# ------------

images, digits = load_digits(return_X_y=True)
words = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
model = SoftmaxClassifier(C=0.01).fit(images[:1500], words[digits[:1500]])

folder = tempfile.TemporaryDirectory()
path = Path(folder.name, "digits.safetensors")
save_model(model, path)
print(f"{model}: {path.stat().st_size} bytes in {path.name}")
print(f"estimator: {' '.join(model.predict(images[1500:1505]))}")

# %%
# Loaded where scikit-learn is, it is the same estimator, with the same bits:

again = load_model(path)
rest = images[1500:]
print(again, (again.predict_proba(rest) == model.predict_proba(rest)).all())

# %%
# A server
# --------
#
# It is a process of its own, in which neither scikit-learn nor SciPy can be imported. It reads
# requests, rows as lines of JSON, and answers each with the two most probable labels. Rows that do
# not fit are refused, as by the estimator.

SERVER = """
import json, sys, time
start = time.perf_counter()
for name in ("sklearn", "scipy", "pandas"):
    sys.modules[name] = None  # not installed

from csoftmax import load_model

model = load_model(sys.argv[1])
print(f"server: {model!r}, ready in {time.perf_counter() - start:.2f} s", flush=True)
for line in sys.stdin:
    try:
        labels, probabilities = model.predict_top_k(json.loads(line), 2)
        answer = {"labels": labels.tolist(), "probabilities": probabilities.round(4).tolist()}
    except (TypeError, ValueError) as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
"""

rows = images[1500:1505].tolist()
too_short, not_finite = [rows[0][:63]], [[float("nan"), *rows[0][1:]]]
requests = "".join(json.dumps(request) + "\n" for request in (rows, too_short, not_finite))
done = subprocess.run(
    [sys.executable, "-P", "-c", SERVER, path],
    input=requests,
    capture_output=True,
    text=True,
    check=True,
)
ready, *lines = done.stdout.splitlines()
answer, *refusals = map(json.loads, lines)
print(ready)
print(f"server: {' '.join(best for best, _ in answer['labels'])}")
for refusal in refusals:
    print(f"refused: {refusal['error'].splitlines()[0]}")

# %%
# The answers to the five images:

fig, axes = plt.subplots(1, 5, figsize=(9, 2.4), layout="constrained")
for ax, image, labels, shares in zip(
    axes, rows, answer["labels"], answer["probabilities"], strict=True
):
    ax.imshow(np.reshape(image, (8, 8)), cmap="gray_r")
    lines = [f"{label} {share:.3f}" for label, share in zip(labels, shares, strict=True)]
    ax.set_title("\n".join(lines), fontsize="medium")
    ax.set_axis_off()
plt.show()

# %%
# What the file holds
# -------------------
#
# Arrays with the names of the attributes, which any reader of safetensors finds. The scores are
# ``X @ coef_.T + intercept_``, and the probabilities their softmax. :doc:`/saving` has the whole
# format, what is checked when a file is loaded, and the ways to ONNX and others.

arrays, _ = tensors.read(path)
for name in ("coef_", "intercept_"):
    print(name, arrays[name].dtype, arrays[name].shape)
folder.cleanup()
