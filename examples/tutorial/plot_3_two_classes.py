r"""
3. Two classes: logistic regression
===================================

With two classes softmax is a function of one number, the difference of the two scores: divide
numerator and denominator by :math:`e^{s_1}`.

.. math::

   p_1 = \frac{e^{s_1}}{e^{s_0} + e^{s_1}} = \frac{1}{1 + e^{-(s_1 - s_0)}} = \sigma(s_1 - s_0)

That is the logistic function :math:`\sigma`, and the model is logistic regression: softmax
regression of two classes, under its older name.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.datasets import load_breast_cancer, load_iris

from csoftmax import SoftmaxClassifier, cross_entropy, softmax, softmax_loss
from csoftmax.plot import RegionsDisplay

z = np.linspace(-6, 6, 61)
both = softmax(np.stack([np.zeros_like(z), z], axis=1), axis=1)
print("p_1 is the logistic function:", np.abs(both[:, 1] - expit(z)).max())

# %%
# The curve and the surface
# -------------------------
#
# Over the plane of both scores the probability is a surface, which is level along the lines where
# the scores differ by the same. A cut across is the curve.

s0, s1 = np.meshgrid(z, z)
surface = softmax(np.stack([s0, s1], axis=-1), axis=-1)[..., 1]

fig = plt.figure(figsize=(9, 4), layout="constrained")
space = fig.add_subplot(1, 2, 1, projection="3d")
space.plot_surface(s0, s1, surface, cmap="cividis", rcount=40, ccount=40, linewidth=0)
space.plot(-z, z, expit(2 * z), color="C1", linewidth=3, zorder=10)
space.set(xlabel="$s_0$", ylabel="$s_1$", zlabel="$p_1$")
space.view_init(elev=28, azim=-115)
space.set_box_aspect(None, zoom=0.9)  # else the labels are cut off

plane = fig.add_subplot(1, 2, 2)
plane.plot(z, expit(z), color="C1", linewidth=3, label=r"$p_1 = \sigma(s_1 - s_0)$")
plane.plot(z, np.logaddexp(0, -z), "C0", label="loss, if the label is 1")
plane.plot(z, np.logaddexp(0, z), "C0--", label="loss, if the label is 0")
plane.set(xlabel="$s_1 - s_0$", ylim=(-0.1, 4))
plane.grid(alpha=0.3)
plane.legend(loc="upper center")
plt.show()

# %%
# The losses are straight lines where the model is wrong: a mistake costs as much as the score is
# off, no more. With :math:`s = s_1 - s_0` they are :math:`\log(1 + e^{-s})` and
# :math:`\log(1 + e^{s})`, cross-entropy of the scores (0, s):

scores = np.stack([np.zeros_like(z), z], axis=1)
ones = np.ones(len(z), int)
print(np.abs(cross_entropy(scores, ones, reduction="none") - np.logaddexp(0, -z)).max())

# %%
# One column of weights, or two
# -----------------------------
#
# Softmax has a column of weights for each class; logistic regression has one, the difference.
# :class:`csoftmax.SoftmaxClassifier` has one row in ``coef_`` for two classes, as scikit-learn's
# LogisticRegression. Without a penalty the two are the same model. With one they are still, but
# for its strength: the minimum of :math:`w_0^2 + w_1^2` for a given difference
# :math:`w = w_1 - w_0` has :math:`w_1 = -w_0 = w/2`, and is :math:`w^2/2`. So two columns pay half
# of what the one pays: what C is for one column is C/2 for two.

X, y = load_breast_cancer(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
C = 0.1
one = SoftmaxClassifier(C=C, tol=1e-8).fit(X, y)

# %%
# Two columns, by SciPy's minimiser, with the intercepts as weights of a column of ones. These are
# free of penalty, and only their difference counts:

N, D = X.shape
reg = 1 / (C / 2 * N)  # the penalty of softmax_loss stands beside a mean over rows


def two_columns(theta):
    """Loss and gradient of weights (D, 2) and intercepts (2,), as one vector."""
    loss, dW, db = softmax_loss(theta[: 2 * D].reshape(D, 2), X, y, reg, bias=theta[2 * D :])
    return loss, np.concatenate([dW.ravel(), db])


found = minimize(two_columns, np.zeros(2 * D + 2), jac=True, tol=1e-12, options={"maxiter": 5000})
W = found.x[: 2 * D].reshape(D, 2)
print("one column, or the difference of two:", np.abs(W[:, 1] - W[:, 0] - one.coef_[0]).max())
print("the columns are opposite:", np.abs(W.sum(axis=1)).max())

# %%
# Regions
# -------
#
# A class wins where its score is the largest. Two scores of a linear model are equal on a straight
# line, so that regions have straight borders. How sharp they are the weights say: large ones make
# a step of the curve, small ones a long slope. Two and three classes of iris, by the measures of
# their petals:

iris = load_iris()
petals, kinds = iris.data[:, 2:], iris.target_names[iris.target]
two = kinds != "setosa"
fig, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
for ax, rows in zip(axes, (two, np.ones(len(kinds), bool)), strict=True):
    model = SoftmaxClassifier(C=10).fit(petals[rows], kinds[rows])
    RegionsDisplay.from_estimator(model, petals[rows], kinds[rows], ax=ax)
    ax.set(xlabel=iris.feature_names[2], ylabel=iris.feature_names[3])
plt.show()

# %%
# How large the weights may get is the penalty's business, and what that means the next page's:
# :ref:`sphx_glr_tutorial_plot_4_penalty.py`.
