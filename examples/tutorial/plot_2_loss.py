r"""
2. Cross-entropy and its gradient, in four stages
=================================================

Learning means to change weights so that the labels become probable. This page derives the loss
that says how probable they are and its gradient, checks it, and computes it in four ways: by two
loops, by one, by matrices, and in one pass over the data.
"""

import inspect
import random
import re
import timeit
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import csoftmax
from csoftmax import cross_entropy_with_grad, reference, softmax, softmax_loss
from csoftmax.cs231n.gradient_check import grad_check_sparse

# %%
# The loss of a row
# -----------------
#
# It is minus the logarithm of the label's probability. A label that is sure costs 0, one that has
# probability 1/10 costs :math:`\log(10) = 2.3`, and an impossible one costs infinitely much:
#
# .. math::  L = -\log p_y = \operatorname{lse}(s) - s_y
#
# By the chain rule, row *y* of the :doc:`derivative of softmax <plot_1_softmax>` comes in, and
# :math:`p_y` cancels:
#
# .. math::
#
#    \frac{\partial L}{\partial s_k}
#    = -\frac{1}{p_y} \frac{\partial p_y}{\partial s_k}
#    = -\frac{1}{p_y}\, p_y \, ([y = k] - p_k)
#    = p_k - [k = y]
#
# **The gradient by the scores is the prediction minus the truth.** Of N rows the loss is the mean:
#
# .. math::  L = \frac1N \sum_i L_i, \qquad \frac{\partial L}{\partial S} = \frac{P - Y}{N}

S = np.array([[1.0, 2.0, 0.0], [3.0, 0.0, 0.0]])
y = np.array([1, 2])
loss, dS = cross_entropy_with_grad(S, y)
P, Y = softmax(S, axis=1), np.eye(3)[y]
print("loss:", loss, "=", -np.log(P[[0, 1], y]).mean())
print(dS.round(4))
print("as (P - Y) / N:", np.allclose(dS, (P - Y) / 2))

# %%
# The linear classifier
# ---------------------
#
# A linear model has the scores :math:`S = X W`. Weight :math:`W_{dc}` acts on score
# :math:`S_{ic}` of each row by :math:`X_{id}`, so that its derivative is
# :math:`\sum_i X_{id} \, \partial L / \partial S_{ic}`. With a penalty on large weights
# (:doc:`which page 4 explains <plot_4_penalty>`), the loss and all derivatives at once are
#
# .. math::
#
#    L(W) = \frac1N \sum_i L_i + \frac{\mathrm{reg}}{2} \sum_{d,c} W_{dc}^2, \qquad
#    \frac{\partial L}{\partial W} = X^\top \frac{P - Y}{N} + \mathrm{reg} \, W
#
# The data of this page are 1797 digits, images of 8 x 8 pixels, as bytes.

images, y = load_digits(return_X_y=True)
pixels = images.astype(np.uint8)
X = images / 16
rng = np.random.default_rng(0)
W = 0.01 * rng.standard_normal((64, 10))
reg = 0.1


def show(function):
    """Print what the function does, without its docstring."""
    print(inspect.getsource(function).split('"""')[-1].strip("\n"))


# %%
# Stage one: two loops
# --------------------
#
# Row by row and class by class, :math:`\partial L_i / \partial W_{\cdot c} = (p_c - [c = y_i])\,
# x_i`. (This is the code of ``csoftmax.reference``, as it runs.)

show(reference.softmax_loss_naive)

# %%
# Stage two: one loop
# -------------------
#
# The classes of a row are a vector, and their derivatives the outer product
# :math:`x_i\,(p_i - Y_i)^\top`:

show(reference.softmax_loss_half_vectorized)

# %%
# Stage three: matrices
# ---------------------
#
# A sum over rows of such products is a matrix product, :math:`X^\top (P - Y)`:

show(reference.softmax_loss_vectorized)

# %%
# Stage four: one pass
# --------------------
#
# Stage three goes over X twice, once for the scores and once for the gradient, and in between it
# makes several arrays of N x C numbers. But loss and gradient are sums over rows. So take a block
# of rows that fits in the processor's cache, make its scores, turn them into P - Y where they lie,
# and add the block's share to both sums. X comes from memory once, and no array of N x C is made:


def softmax_loss_in_blocks(W, X, y, reg, size=128):
    """Loss and gradient, of so many rows at a time."""
    loss, dW = 0.0, np.zeros_like(W)
    for start in range(0, len(X), size):
        rows = slice(start, start + size)
        S = reference.softmax(X[rows] @ W, axis=1)  # the scores, and then P
        labels = np.arange(len(S)), y[rows]
        loss -= np.log(S[labels]).sum()
        S[labels] -= 1  # P - Y
        dW += X[rows].T @ S  # these rows are still in the cache
    return loss / len(X) + reg / 2 * np.sum(W**2), dW / len(X) + reg * W


# %%
# In Python each block costs some calls, so that blocks have to be large, and a softmax of NumPy
# still goes over its rows five times. :func:`csoftmax.softmax_loss` is this loop, compiled: blocks
# of a few rows, whose scores do not leave the cache, shared out to all processors.
#
# All of them give the same, to rounding:

stages = {
    "two loops": lambda: reference.softmax_loss_naive(W, X, y, reg),
    "one loop": lambda: reference.softmax_loss_half_vectorized(W, X, y, reg),
    "matrices": lambda: reference.softmax_loss_vectorized(W, X, y, reg),
    "blocks": lambda: softmax_loss_in_blocks(W, X, y, reg),
    "one pass": lambda: softmax_loss(W, X, y, reg),
}
first_loss, first_dW = stages["two loops"]()
for name, stage in stages.items():
    loss, dW = stage()
    print(f"{name:10} {loss:.12f}  gradient differs by {np.abs(dW - first_dW).max():.0e}")

# %%
# With such small weights each class has nearly probability 1/10, so that the loss without the
# penalty has to be close to log(10). Whoever writes a loss looks at this first:

print(softmax_loss(W, X, y)[0], np.log(10))

# %%
# The gradient check
# ------------------
#
# Is the derivation right? One entry of W is moved a little to both sides, and the loss is computed
# anew: :math:`(L(w + h) - L(w - h)) / 2h` comes close to the derivative. Six entries, drawn at
# random:

random.seed(0)
grad_check_sparse(lambda w: softmax_loss(w, X, y, reg)[0], W, softmax_loss(W, X, y, reg)[1], 6)

# %%
# The time of each stage
# ----------------------
#
# Measured when this page was made: the best of several calls; blue is compiled. Two more are
# added, with the arithmetic in float32, and on the pixels as bytes, which are an eighth of X in
# float64.

W32, scale = W.astype(np.float32), np.full(64, 1 / 16, np.float32)
X32 = X.astype(np.float32)
stages["one pass, float32"] = lambda: softmax_loss(W32, X32, y, reg)
stages["one pass, bytes"] = lambda: softmax_loss(W32, pixels, y, reg, scale=scale)
seconds = {}
for name, stage in stages.items():
    calls = max(1, int(0.02 / timeit.timeit(stage, number=1)))
    seconds[name] = min(timeit.repeat(stage, number=calls, repeat=11)) / calls

config = csoftmax.show_config("dicts")
machine = f"{config['n_threads']} threads, {config['instruction_set']}, NumPy {np.__version__}"
if (cpuinfo := Path("/proc/cpuinfo")).exists():  # Linux
    machine = ", ".join([*re.findall(r"model name\s*: (.*)", cpuinfo.read_text())[:1], machine])

fig, ax = plt.subplots(figsize=(7.5, 3.6), layout="constrained")
micro = {name: 1e6 * t / len(X) for name, t in seconds.items()}
bars = ax.barh(list(micro), list(micro.values()), color=4 * ["C1"] + 3 * ["C0"])
ratios = [micro["two loops"] / t for t in micro.values()]
times = [f"{ratio:.2g}" if ratio < 10 else f"{ratio:,.0f}" for ratio in ratios]
ax.bar_label(bars, [f" {t:.3g}  ({n}x)" for t, n in zip(micro.values(), times, strict=True)])
ax.invert_yaxis()
ax.set(xscale="log", xlabel="microseconds for a row of 64 features and 10 classes (times as fast)")
ax.margins(x=0.3)
ax.set_title(machine, fontsize="small")
plt.show()

# %%
# The loops' time is Python's: for each row and class a call of NumPy to work on 64 numbers. With
# matrices most of it is gone; what is left goes to memory, in arrays that are written and read
# again. Where X has more features or rows, the figures differ: :doc:`/benchmarks` has them.
#
# The next page, :ref:`sphx_glr_tutorial_plot_3_two_classes.py`, looks at the smallest case.
