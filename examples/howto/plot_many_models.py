"""
Many models at once
===================

The course's way to choose is to train a model for each learning rate and each penalty, by
stochastic gradient descent. :func:`csoftmax.search.train_many` trains all of them in the time of a
few: they take each step together, on the same mini-batch, and each ends with the bits that it would
have alone. Ctrl-C at any time gives what there is by then.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from csoftmax.plot import SearchDisplay
from csoftmax.search import train_many

X, y = load_digits(return_X_y=True)
X = X.astype(np.float32)
order = np.random.default_rng(0).permutation(len(y))
train, val, test = order[:1200], order[1200:1500], order[1500:]
shift = X[train].mean(axis=0)

# %%
# 100 models of each kind
# -----------------------
#
# Ten learning rates by ten penalties, softmax and linear SVM. Then the same by *successive
# halving*: the better third of the models goes on, again and again, so that most are dropped early.

found = {}
for loss in ("softmax", "hinge"):
    for halving in (None, 3):
        models = train_many(
            X[train],
            y[train],
            learning_rates=np.geomspace(1e-5, 1e-2, 10),
            regs=np.geomspace(1e-3, 10, 10),
            loss=loss,
            X_val=X[val],
            y_val=y[val],
            n_steps=600,
            fit_bias=True,
            shift=shift,
            halving=halving,
            progress=True,
        )
        found[loss, halving] = models
        best = models.best
        steps = sum(model.n_steps for model in models)
        accuracy = (best.predict(X[test]) == y[test]).mean()
        print(f"{models}\n  {steps} steps in all; the best on rows never seen: {accuracy:.3f}")

# %%
# All of them
# -----------
#
# The accuracy on the validation rows by learning rate and penalty:

fig, ax = plt.subplots(figsize=(8, 6), layout="constrained")
SearchDisplay.from_results(found["softmax", None], ax=ax)
plt.show()

# %%
# On the way
# ----------
#
# ``model.scores`` has each model's accuracy over its steps. With halving most models are dropped
# after a few:

fig, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
for model in found["softmax", 3]:
    style = {"color": "0.75"} if model.status == "dropped" else {"linewidth": 3, "zorder": 3}
    ax.plot(*zip(*model.scores.items(), strict=True), ".-", **style)
ax.set(xscale="log", xlabel="steps", ylabel="validation accuracy")
plt.show()

# %%
# How long it takes, and how to have the very models of the course's ``Softmax``:
# :doc:`/many-models`. Without learning rates, :class:`csoftmax.SoftmaxClassifierCV` goes to the
# minimum for each penalty: :ref:`sphx_glr_howto_plot_choosing_c.py`.
