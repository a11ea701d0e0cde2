r"""
5. A network of two layers
==========================

A network is a linear classifier whose features are learned. Each of its gradients is derived here
and checked by differences; then it is trained on images of digits. With the folder of CIFAR-10 as
argument it is trained on that, in two minutes on two cores::

    python plot_5_two_layers.py [DATA]

DATA is what :func:`csoftmax.datasets.load` takes. :doc:`/two-layer-net` has the course's notebooks
on networks.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np

from csoftmax import cross_entropy_with_grad
from csoftmax.cs231n.classifiers.fc_net import TwoLayerNet
from csoftmax.cs231n.gradient_check import eval_numerical_gradient
from csoftmax.cs231n.solver import Solver
from csoftmax.cs231n.vis_utils import visualize_grid
from csoftmax.datasets import load
from csoftmax.plot import LossDisplay

# %%
# The network
# -----------
#
# The rows X (N, D) are multiplied by weights, negative sums become 0, and what is left is the
# input of a linear classifier:
#
# .. math::
#
#    A = X W_1 + \mathbf{1} b_1^\top, \qquad H = \max(A, 0), \qquad
#    S = H W_2 + \mathbf{1} b_2^\top
#
# The vector :math:`\mathbf 1` of N ones adds a bias to every row. The loss is that of page 2, with
# a penalty on both weights:
#
# .. math::
#
#    L = \frac1N \sum_i \big(\operatorname{lse}(s_i) - s_{i y_i}\big)
#        + \frac{\mathrm{reg}}2 \Big(\sum W_1^2 + \sum W_2^2\Big)
#
# A small random problem is enough to check the derivation. The loss is cut into steps, so that it
# can be computed from each of S, H and A on.

rng = np.random.default_rng(0)
N, D, n_hidden, C, reg = 6, 5, 8, 4, 0.1
X, y = rng.standard_normal((N, D)), rng.integers(0, C, N)
W1, b1 = rng.standard_normal((D, n_hidden)), rng.standard_normal(n_hidden)
W2, b2 = rng.standard_normal((n_hidden, C)), rng.standard_normal(C)
ones = np.ones(N)


def loss_of_scores(S: np.ndarray) -> float:
    """L from S on."""
    penalty = reg / 2 * (np.sum(W1**2) + np.sum(W2**2))
    return cross_entropy_with_grad(S, y)[0] + penalty


def loss_of_hidden(H: np.ndarray) -> float:
    """L from H on."""
    return loss_of_scores(H @ W2 + np.outer(ones, b2))


def loss_of_sums(A: np.ndarray) -> float:
    """L from A on."""
    return loss_of_hidden(np.maximum(A, 0))


def loss(_: np.ndarray) -> float:
    """L, of the parameters as they are now."""
    return loss_of_sums(X @ W1 + np.outer(ones, b1))


def check(name: str, derived: np.ndarray, f: Callable[..., float], at: np.ndarray) -> None:
    """Compare with differences of f, as one entry of `at` after the other moves."""
    differences = eval_numerical_gradient(f, at, verbose=False)
    error = np.linalg.norm(derived - differences) / np.linalg.norm(differences)
    print(f"  {name:4s} {derived.shape!s:8s} relative error {error:.0e}")
    assert error < 1e-7, name


A = X @ W1 + np.outer(ones, b1)
H = np.maximum(A, 0)
S = H @ W2 + np.outer(ones, b2)

# %%
# Backwards, step by step
# -----------------------
#
# Write dM for the derivative of L by all entries of M. The derivation goes from the loss back to
# the input.
#
# **The scores.** Prediction minus truth, as on page 2: :math:`dS = (P - Y)/N`.

_, dS = cross_entropy_with_grad(S, y)
check("dS", dS, loss_of_scores, S)

# %%
# **The second weights.** :math:`W_{2,hc}` acts on :math:`S_{ic}` alone, by :math:`H_{ih}`, in every
# row i, and the penalty adds its own:
#
# .. math::
#
#    dW_{2,hc} = \sum_i H_{ih}\, dS_{ic} + \mathrm{reg}\, W_{2,hc}, \qquad
#    dW_2 = H^\top dS + \mathrm{reg}\, W_2

dW2 = H.T @ dS + reg * W2
check("dW2", dW2, loss, W2)

# %%
# **The second bias**, by the rule of the vector of ones. A bias is the weights of one more hidden
# unit, which is 1 in every row: :math:`S = [H \;\; \mathbf 1]\, [W_2; b_2^\top]`. The rule for the
# weights gives :math:`[H \;\; \mathbf 1]^\top dS`, and the last row of that is
# :math:`\mathbf 1^\top dS`. What is added to every row collects the derivatives of all rows:
#
# .. math::  db_2 = dS^\top \mathbf 1

db2 = dS.T @ ones
check("db2", db2, loss, b2)

# %%
# **The hidden units.** :math:`H_{ih}` acts on all scores of row i, by row h of the weights:
# :math:`dH = dS\, W_2^\top`.

dH = dS @ W2.T
check("dH", dH, loss_of_hidden, H)

# %%
# **The rectifier** passes on what was positive, and nothing of what it has cut off: dA is dH where
# A > 0, else 0.

dA = np.where(A > 0, dH, 0)
check("dA", dA, loss_of_sums, A)

# %%
# **The first layer** is the second again, with X for H and dA for dS:
#
# .. math::  dW_1 = X^\top dA + \mathrm{reg}\, W_1, \qquad db_1 = dA^\top \mathbf 1

dW1 = X.T @ dA + reg * W1
db1 = dA.T @ ones
check("dW1", dW1, loss, W1)
check("db1", db1, loss, b1)

# %%
# ``TwoLayerNet`` of :doc:`the course </two-layer-net>` computes these, and no gradient by X, which
# nobody needs: that is a third of the work.

net = TwoLayerNet(D, n_hidden, C, reg=reg)
net.params = {"W1": W1, "b1": b1, "W2": W2, "b2": b2}
value, grads = net.loss(X, y)
assert np.isclose(value, loss(W1), rtol=1e-12)
for name, derived in {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}.items():
    assert np.allclose(grads[name], derived, rtol=1e-10, atol=1e-12)

# %%
# Training
# --------
#
# The mean image is subtracted and the pixels are brought to a spread near 1. Mini-batches of 200
# images, with momentum; a fifth of the images, 1000 at most, tells how well it does on others, and
# the parameters that do best there are kept.

data = load(sys.argv[1] if len(sys.argv) > 1 else "digits")
pixels, labels = data.X_train, data.y_train
n_val = min(1000, len(pixels) // 5)
order = np.random.default_rng(0).permutation(len(pixels))
train, val = np.sort(order[n_val:]), order[:n_val]
mean = pixels[train].mean(axis=0).astype(np.float32)
scale = np.float32(4 / pixels.max())


def features(images: np.ndarray) -> np.ndarray:
    """Without the mean image, and with a spread near 1."""
    return (images - mean) * scale


# Few images are seen more often.
epochs, decay = (10, 0.85) if len(train) > 10_000 else (25, 0.95)
np.random.seed(0)  # noqa: NPY002 - the course's classes draw from this generator
model = TwoLayerNet(
    pixels.shape[1], 200, int(labels.max()) + 1, weight_scale=0.01, reg=5e-3, dtype=np.float32
)
solver = Solver(
    model,
    {
        "X_train": features(pixels[train]),
        "y_train": labels[train],
        "X_val": features(pixels[val]),
        "y_val": labels[val],
    },
    update_rule="sgd_momentum",
    optim_config={"learning_rate": 0.02},
    lr_decay=decay,
    num_epochs=epochs,
    batch_size=200,
    print_every=10**9,
    verbose=False,
)
print(f"{data.name}: {len(train)} images of {data.image_shape} to learn from")
start = time.perf_counter()
solver.train()
seconds = time.perf_counter() - start
print(f"best validation accuracy: {solver.best_val_acc:.3f}, after {seconds:.1f} s")
if data.X_test is not None:
    scores = model.loss(features(data.X_test))
    print(f"test accuracy: {np.mean(scores.argmax(axis=1) == data.y_test):.3f}")

# %%
# The loss of each batch on its way, and the accuracy after each epoch:

fig, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
LossDisplay.from_estimator(solver, ax=axes)
plt.show()

# %%
# What the features look like
# ---------------------------
#
# A column of the first weights has a number for each pixel: the picture to which that hidden unit
# answers most. 64 of the 200, those with the largest weights in the second layer:

busiest = np.argsort(np.linalg.norm(model.params["W2"], axis=1))[::-1][:64]
shape = (*data.image_shape, 1)[:3]
templates = model.params["W1"][:, busiest].T.reshape(-1, *shape)
fig, ax = plt.subplots(figsize=(5, 5), layout="constrained")
ax.imshow(visualize_grid(templates, ubound=1.0).squeeze(), cmap="gray")
ax.set_axis_off()
plt.show()

# %%
# That is the end of the tutorial. :doc:`/howto/index` goes on with tasks, and
# :doc:`/two-layer-net` with the course's notebooks.
