r"""
4. What the penalty means: a prior
==================================

The loss of :doc:`page 2 <plot_2_loss>` has a second term, reg/2 times the sum of the squares of
the weights. It is no trick. It says what was thought of the weights before any data were seen.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy import stats
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from csoftmax import SoftmaxClassifier, softmax_loss

# %%
# The most likely weights
# -----------------------
#
# If the model is right, the labels have the probability
#
# .. math::  p(y \mid X, W) = \prod_i p_{i, y_i} = \exp\Big(-\sum_i L_i\Big)
#
# So the weights under which the labels are most probable, the *maximum likelihood estimate*, are
# those with the smallest sum of cross-entropies. That alone may go wrong. The two kinds of iris
# that follow can be told apart without a mistake. Doubling the weights then makes every label
# more probable, and no weights are the best:

petals = np.array([1.4, 1.3, 1.5, 1.7, 1.4, 4.7, 4.5, 4.9, 4.0, 4.6])
X = np.column_stack([petals - petals.mean(), np.ones(10)])
y = np.repeat([0, 1], 5)
direction = np.array([[-1.0, 1.0], [0.0, 0.0]])
for size in (1, 2, 4, 8, 16):
    print(f"weights -{size:<2}, {size:2}: loss {softmax_loss(size * direction, X, y)[0]:.1e}")

# %%
# A prior
# -------
#
# Suppose that before we look at data we hold each weight to be drawn from a normal distribution
# with mean 0 and variance :math:`\sigma^2`. By Bayes' rule the weights then have, given the data,
# the density
#
# .. math::
#
#    p(W \mid X, y) \propto p(y \mid X, W)\, p(W), \qquad
#    -\log p(W \mid X, y) = \sum_i L_i + \frac{1}{2 \sigma^2} \sum W^2 + \text{constant}
#
# The most probable weights, the *maximum a posteriori estimate*, have the smallest sum on the
# right. Divided by N that is the loss with its penalty; times :math:`\sigma^2` it is the objective
# of the estimators, :math:`C \sum L_i + \frac12 \sum W^2`. So
#
# .. math::  \sigma^2 = \frac{1}{N\, \mathrm{reg}} = C
#
# **C is the variance of the prior.** Its root is the size that a weight is expected to have. In
# units in which a feature has standard deviation 1, C = 1 expects that a feature that is one
# standard deviation higher makes a class about *e* times as probable beside the others, or as
# improbable, and C = 0.01 a factor of 1.1. With more rows the sum of the losses grows, and the
# prior does not: of many rows the weights are what the data say. (So C means the same for a
# hundred rows and for a million; reg does not.)
#
# Checked: at any two points the objective differs by as much as minus the logarithm of likelihood
# times prior.

data = load_breast_cancer()
X = (data.data - data.data.mean(axis=0)) / data.data.std(axis=0)
y, N = data.target, len(X)
reg = 0.02
prior = stats.norm(scale=np.sqrt(1 / (N * reg)))


def minus_log_posterior(W):
    """Minus log(likelihood times prior), up to a constant."""
    return N * softmax_loss(W, X, y)[0] - prior.logpdf(W).sum()


rng = np.random.default_rng(0)
A, B = rng.normal(0, 0.3, (2, 30, 2))
print("posterior:", minus_log_posterior(A) - minus_log_posterior(B))
print("N x loss: ", N * (softmax_loss(A, X, y, reg)[0] - softmax_loss(B, X, y, reg)[0]))

# %%
# Another prior
# -------------
#
# The double exponential (Laplace) distribution with scale *b* has the density
# :math:`e^{-|w|/b} / 2b`, and in the sum above :math:`|w|/b` takes the place of
# :math:`w^2/2\sigma^2`. So ``l1_ratio=1`` is this prior, with **b = C**. It expects most weights
# to be near 0, and a few to be large:

w = np.linspace(-4, 4, 401)
fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.plot(w, stats.norm.pdf(w), linewidth=2, label="normal, C = 1: squares")
ax.plot(w, stats.laplace.pdf(w), "--", linewidth=2, label="Laplace, C = 1: absolute values")
ax.set(xlabel="weight", ylabel="density", ylim=0)
ax.legend()
plt.show()

# %%
# The weights of a real fit shrink
# --------------------------------
#
# 569 tumours, 30 measures of each, and whether they are benign. The penalty goes from next to
# nothing, at the right, to one that leaves next to nothing, at the left. Squares shrink all
# weights together. Absolute values set one after the other to 0, exactly.

X_train, X_test, y_train, y_test = train_test_split(data.data, y, test_size=0.4, random_state=0)
paths = {
    "squares (normal prior)": (0, np.geomspace(1e-4, 1e3, 29)),
    "absolute values (Laplace prior)": (1, np.geomspace(1e-2, 1e3, 21)),
}
fig, axes = plt.subplots(2, 2, figsize=(10, 6.4), layout="constrained", sharey="row", sharex="col")
for (name, (l1_ratio, Cs)), (above, below) in zip(paths.items(), axes.T, strict=True):
    model = SoftmaxClassifier(l1_ratio=l1_ratio, standardize=True, tol=1e-5, warm_start=True)
    spread = X_train.std(axis=0)
    weights, losses = [], {"train": [], "test": []}
    for C in Cs:
        model.set_params(C=C).fit(X_train, y_train)
        weights.append(model.coef_[0] * spread)  # as the penalty sees them
        for part, rows, labels in (("train", X_train, y_train), ("test", X_test, y_test)):
            p = model.predict_proba(rows)[np.arange(len(labels)), labels]
            losses[part].append(-np.log(p).mean())
    weights = np.array(weights)
    above.plot(Cs, weights, linewidth=1)
    above.set(xscale="log", yscale="symlog", title=name)
    below.plot(Cs, losses["train"], label="341 rows to learn from")
    below.plot(Cs, losses["test"], "--", label="228 others")
    best = int(np.argmin(losses["test"]))
    below.axvline(Cs[best], color="grey", linestyle=":")
    below.set(yscale="log", xlabel="C")
    loss, zeros = losses["test"][best], (weights[best] == 0).sum()
    print(f"{name}: best C {Cs[best]:.3g}, test loss {loss:.3f}, {zeros} weights are 0")
axes[0, 0].set_ylabel("weights")
axes[1, 0].set_ylabel("mean cross-entropy")
axes[1, 0].legend()
plt.show()

# %%
# To the right the loss of the rows that the model learns from goes to 0, as it does with maximum
# likelihood, while that of others rises: the weights have learned these rows by heart. In between
# lies the best C, which other rows tell: :ref:`sphx_glr_howto_plot_choosing_c.py`. At the best
# point of the right picture about half of the weights are exactly 0: so many features can be left
# out.
#
# The estimate is the highest point of p(W | X, y), no more: it does not say how wide the peak is,
# and at the peak of the Laplace prior some weights are 0 though none is likely to be exactly that.
#
# The last page, :ref:`sphx_glr_tutorial_plot_5_two_layers.py`, puts a second layer below.
