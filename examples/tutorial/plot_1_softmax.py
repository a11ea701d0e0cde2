r"""
1. Softmax, and how to compute it
=================================

A classifier gives a row one score for each class, any numbers at all. Softmax makes probabilities
of them, positive numbers that add up to 1:

.. math::  p_c = \frac{e^{s_c}}{\sum_k e^{s_k}}

The larger the score, the larger the probability. Only differences count: a score that is one
higher than another makes its class *e* times as probable as the other.
"""

import matplotlib.pyplot as plt
import numpy as np

from csoftmax import cross_entropy, log_softmax, logsumexp, reference, softmax
from csoftmax.cs231n.gradient_check import eval_numerical_gradient_array

s = np.array([1.0, 2.0, 0.0])
print("probabilities:", softmax(s).round(3), "  their sum:", softmax(s).sum())
print("all ten higher:", softmax(s + 10).round(3))
print("p_1 / p_0, and e:", softmax(s)[1] / softmax(s)[0], np.e)

# %%
# :func:`csoftmax.softmax` is compiled. Beside it, ``csoftmax.reference`` has each formula of these
# pages as a line of NumPy in float64, and the two agree:

print(np.abs(softmax(s) - reference.softmax(s)).max())

# %%
# The largest score first
# -----------------------
#
# Computed as it is written, the formula fails where scores are large: in float32,
# :math:`e^{89}` is infinite, and infinity divided by infinity is no number. Where all scores are
# far below 0, each exponential is 0, and so is their sum.
#
# But a constant that is added to all scores changes nothing, since it divides out. So let *m* be
# the largest score, and subtract it:
#
# .. math::  p_c = \frac{e^{s_c - m}}{\sum_k e^{s_k - m}}, \qquad m = \max_k s_k
#
# Now no exponent is above 0, and nothing overflows. One exponent is 0, so that the sum is at
# least 1, and nothing is divided by 0.


def as_written(s):
    """Softmax by the formula."""
    e = np.exp(s)
    return e / e.sum()


shifts = np.arange(-130, 131, dtype=np.float32)
scores = np.float32([1, 2, 0])
truth = reference.softmax(scores)
errors = {}
for name, function in (("as written", as_written), ("the largest score first", softmax)):
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        found = np.array([function(scores + shift) for shift in shifts])
    errors[name] = np.abs(found / truth - 1).max(axis=1)

fig, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
for (name, error), style in zip(errors.items(), ("C1", "C0"), strict=True):
    ax.plot(shifts, np.maximum(error, 1e-8), style, label=name, linewidth=2)
broken = ~np.isfinite(errors["as written"])
for side in (shifts < 0, shifts > 0):
    ax.axvspan(*shifts[broken & side][[0, -1]], color="C1", alpha=0.15)
    ax.text(shifts[broken & side].mean(), 3e-3, "not a\nnumber", ha="center", color="C1")
ax.set(yscale="log", xlabel="added to the scores 1, 2, 0", ylabel="relative error, float32")
ax.legend(loc="upper center")
plt.show()

# %%
# At the left, before the exponentials become 0, they lose their digits. That is worse than what
# happens at the right, for no infinity tells of it.
#
# The logarithm of the sum
# ------------------------
#
# Learning is about the logarithm of a probability. It needs no softmax first:
#
# .. math::
#
#    \log p_c = s_c - \operatorname{lse}(s), \qquad
#    \operatorname{lse}(s) = \log \sum_k e^{s_k} = m + \log \sum_k e^{s_k - m}
#
# Once more the largest score is taken out, so that it is safe for all scores:

far = np.array([1000.0, 1001.0, 999.0])
print("lse:", logsumexp(far))
print("log p:", log_softmax(far).round(4))

# %%
# It also keeps digits that the probability does not have. In this row the first class is all but
# sure. Its probability rounds to 1, whose logarithm is 0; the loss, formed from the scores, is
# still right to the last digit:

sure = np.array([0.0, -40.0])
print("log(p):", np.log(softmax(sure)[0]))
print("cross_entropy:", cross_entropy(sure, 0))
print("log(1 + exp(-40)):", np.log1p(np.exp(-40)))

# %%
# The derivative
# --------------
#
# How do the probabilities change with the scores? By the quotient rule, with
# :math:`[c = k]` for 1 if the two are equal and 0 if not,
#
# .. math::
#
#    \frac{\partial p_c}{\partial s_k}
#    = \frac{[c = k]\, e^{s_c} \sum_j e^{s_j} - e^{s_c} e^{s_k}}{(\sum_j e^{s_j})^2}
#    = p_c \, ([c = k] - p_k)
#
# As a matrix, :math:`J = \operatorname{diag}(p) - p\,p^\top`. It is symmetric, and its rows add up
# to 0: a constant added to all scores changes no probability. Checked by differences, row by
# row:

J = reference.softmax_jacobian(s)
differences = [eval_numerical_gradient_array(softmax, s, row) for row in np.eye(3)]
print(J.round(4))
print("from differences:", np.abs(J - differences).max())
print("sums of the rows:", J.sum(axis=1).round(15))

# %%
# The next page, :ref:`sphx_glr_tutorial_plot_2_loss.py`, makes a loss of the probabilities. In its
# gradient most of this matrix cancels.
