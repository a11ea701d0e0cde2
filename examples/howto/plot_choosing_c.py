"""
Choose C
========

C says how much the data count against the penalty (:ref:`what it means
<sphx_glr_tutorial_plot_4_penalty.py>`). Nobody knows the right one beforehand; rows that the model
has not seen tell. :class:`csoftmax.SoftmaxClassifierCV` fits the models of all folds side by side,
so that they share the passes over the data.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, train_test_split

from csoftmax import SoftmaxClassifier, SoftmaxClassifierCV, cross_entropy
from csoftmax.plot import SearchDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

# %%
# By which score
# --------------
#
# *Accuracy* counts right decisions, and changes in steps of a row. *Log-loss*, the mean of minus
# the logarithm of the label's probability, also says how good the probabilities are, and has fewer
# ties. The two need not agree:

Cs = np.geomspace(1e-4, 10, 16)
folds = StratifiedKFold(5, shuffle=True, random_state=0)
searches = {
    name: SoftmaxClassifierCV(Cs, cv=folds, scoring=name, standardize=True).fit(X_train, y_train)
    for name in ("accuracy", "neg_log_loss")
}

fig, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
for ax, search in zip(axes, searches.values(), strict=True):
    SearchDisplay.from_estimator(search, ax=ax)
plt.show()

# %%
# What the two choices do to rows that took no part (450 of them, so that small differences are
# luck):

for name, search in searches.items():
    accuracy = np.mean(search.predict(X_test) == y_test)
    loss = cross_entropy(search.decision_function(X_test), y_test)
    print(f"by {name:12} C = {search.C_:.2g}: accuracy {accuracy:.3f}, log-loss {loss:.3f}")

# %%
# One standard error
# ------------------
#
# The best mean of five folds is itself a matter of luck. A common rule takes the simplest model,
# the one with the smallest C, whose score is within one standard error of the best: a model that
# cannot be told from it. ``scores_`` has the score of each fold.

search = searches["accuracy"]
scores = search.scores_[:, 0]  # of 5 folds, 16 Cs
mean = scores.mean(axis=0)
error = scores.std(axis=0, ddof=1) / np.sqrt(len(scores))
best = mean.argmax()
simplest = np.flatnonzero(mean >= mean[best] - error[best]).min()
print(f"best:     C = {Cs[best]:.2g}, {mean[best]:.4f} +- {error[best]:.4f}")
print(f"simplest: C = {Cs[simplest]:.2g}, {mean[simplest]:.4f}")

model = SoftmaxClassifier(C=Cs[simplest], standardize=True).fit(X_train, y_train)
print(f"on rows that took no part: {model.score(X_test, y_test):.3f}")

# %%
# Absolute values as well
# -----------------------
#
# ``l1_ratios`` tries mixtures of both penalties with each C. Those with a share of l1 set weights
# to 0:

mixed = SoftmaxClassifierCV(
    np.geomspace(1e-2, 100, 5),
    l1_ratios=(0, 0.5, 1),
    cv=folds,
    scoring="neg_log_loss",
    standardize=True,
    tol=1e-3,
).fit(X_train, y_train)
print(f"best: C = {mixed.C_:.2g}, l1_ratio = {mixed.l1_ratio_:g}")

fig, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
SearchDisplay.from_estimator(mixed, ax=ax)
plt.show()

# %%
# Where the best is the first or the last C of the list, the list is too short. Where the range is
# unknown, ``Cs=10`` goes from 1e-4 to 1e4. With ``standardize=True`` (or a StandardScaler before)
# the same range does for any units of the features.
