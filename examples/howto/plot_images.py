"""
Classify images by their pixels, as bytes on the disk
=====================================================

Pixels are bytes, and stay bytes: a model is fitted to a file of them, which is mapped into memory
and of which no array of floats is made. By itself this page takes scikit-learn's 1797 digits of 8 x
8 pixels; with an argument another set::

    python plot_images.py [DATA]

DATA is what :func:`csoftmax.datasets.load` takes, for example the folder of MNIST or CIFAR-10.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from csoftmax import SoftmaxClassifier
from csoftmax.datasets import load
from csoftmax.plot import ConfusionDisplay, WeightsDisplay

data = load(sys.argv[1] if len(sys.argv) > 1 else "digits")
X, y, X_test, y_test = data.X_train, data.y_train, data.X_test, data.y_test
if X_test is None:  # the last fifth
    n = len(X) * 4 // 5
    X, y, X_test, y_test = X[:n], y[:n], X[n:], y[n:]
print(f"{data.name}: {X.shape[0]} images of {data.image_shape}, {X.dtype}, {X.nbytes / 1e6:.1f} MB")

# %%
# Fit to a file
# -------------
#
# Each pixel is centred and scaled as it is read (``standardize=True``). The penalty acts on the
# coefficients of the scaled pixels, so that C does not depend on their range.

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "X_train.npy")
    np.save(path, X)
    on_disk = np.load(path, mmap_mode="r")  # nothing is read yet

    start = time.perf_counter()
    model = SoftmaxClassifier(C=0.01, standardize=True, tol=1e-3).fit(on_disk, y)
    seconds = time.perf_counter() - start
    del on_disk
print(f"fit: {seconds:.2f} s, {model.history_['passes'][-1]:.0f} passes over the file")

# %%
# The model takes raw bytes: ``coef_`` and ``intercept_`` are for them.

predicted = model.predict(X_test)
print(
    f"accuracy: {model.score(X, y):.3f}, and {np.mean(predicted == y_test):.3f} on "
    f"{len(y_test)} images that it has not seen"
)

# %%
# What it has learned
# -------------------
#
# A weight for each class and pixel, times the pixel's standard deviation, as the penalty has seen
# it. (For raw bytes, pixels that are nearly always empty have the largest.) Where it is bright, ink
# speaks for the class, where it is dark, against it.

fig, axes = plt.subplots(2, 5, figsize=(9, 4), layout="constrained")
weights = model.coef_ * X.std(axis=0)
WeightsDisplay(weights, data.class_names, image_shape=data.image_shape).plot(axes)
plt.show()

# %%
# How sure it is tells where it errs
# ----------------------------------

probabilities = model.predict_proba(X_test)
sure = probabilities.max(axis=1)
for low, high in ((0.0, 0.5), (0.5, 0.9), (0.9, 0.99), (0.99, 1.01)):
    some = (sure >= low) & (sure < high)
    if some.any():
        right = np.mean(predicted[some] == y_test[some])
        print(f"  says {low:.2f} to {min(high, 1):.2f}: {some.sum():5d} images, {right:.3f} right")

# %%
# The images of which it is surest, and wrong:

wrong = np.flatnonzero(predicted != y_test)
worst = wrong[sure[wrong].argsort()[::-1][:6]]
fig, axes = plt.subplots(1, 6, figsize=(10, 2.3), layout="constrained")
for ax, i in zip(axes, worst, strict=False):
    ax.imshow(X_test[i].reshape(data.image_shape), cmap="gray_r")
    names = data.class_names[predicted[i]], data.class_names[y_test[i]]
    ax.set_title(f"{names[0]} ({sure[i]:.2f})\nis {names[1]}", fontsize="medium")
for ax in axes:
    ax.set_axis_off()
plt.show()

# %%
# And all of what is taken for what:

fig, ax = plt.subplots(figsize=(6.8, 6), layout="constrained")
ConfusionDisplay.from_predictions(y_test, predicted, class_names=data.class_names, ax=ax)
plt.show()
