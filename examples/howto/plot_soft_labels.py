"""
Probabilities as targets
========================

The rows of y may be distributions over the classes: the votes of annotators, or what a larger model
says. A model that learns from them says how divided the opinions will be on new rows, which a model
of the most frequent opinion cannot.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

from csoftmax import SoftmaxClassifier

X, y = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(y))
X, y = X[order] / 16, y[order]
train, test = slice(1000), slice(1000, None)


def compare(opinions: np.ndarray) -> dict[str, SoftmaxClassifier]:
    """Fit to the most frequent opinions, and to all of them; judge by those on other rows."""
    models = {
        "the most frequent": SoftmaxClassifier().fit(X[train], opinions[train].argmax(axis=1)),
        "all, as probabilities": SoftmaxClassifier().fit(X[train], opinions[train]),
    }
    for name, model in models.items():
        log_loss = -(opinions[test] * model.predict_log_proba(X[test])).sum(axis=1).mean()
        accuracy = model.score(X[test], y[test])
        print(f"  {name:22s} log loss of new opinions {log_loss:.3f}, accuracy {accuracy:.3f}")
    return models


# %%
# Votes
# -----
#
# Each digit is seen by five annotators, who guess four times in ten. A row of ``votes`` has their
# shares. The one thing to do is to hand it over as y.

rng = np.random.default_rng(1)
votes = np.zeros((len(y), 10))
for _ in range(5):
    said = np.where(rng.random(len(y)) < 0.4, rng.integers(0, 10, len(y)), y)
    votes[np.arange(len(y)), said] += 1 / 5
print(votes[:3].round(1))

print("Five annotators, who guess four times in ten:")
by_votes = compare(votes)

# %%
# The true digit has 64 % of all votes. A model that has only learned which was the most frequent
# gives it up to 1; one that has learned the votes stays near what there is. The shares that the two
# predict for rows that were left out, and the shares that these have, on average:

fig, ax = plt.subplots(figsize=(5.6, 4.4), layout="constrained")
edges = np.linspace(0, 1, 11)
for (name, model), style in zip(by_votes.items(), ("o-", "s--"), strict=True):
    predicted = model.predict_proba(X[test]).ravel()
    bins = np.digitize(predicted, edges[1:-1])
    size = np.bincount(bins, minlength=10)
    means = [
        np.bincount(bins, x, 10) / np.maximum(size, 1) for x in (predicted, votes[test].ravel())
    ]
    ax.plot(*(mean[size > 9] for mean in means), style, label=name)
ax.plot([0, 1], [0, 1], ":", color="0.35")
ax.set(xlabel="predicted share", ylabel="share of the votes")
ax.legend(title="learned from")
plt.show()

# %%
# A larger model as teacher
# -------------------------
#
# A random forest has 300 trees. The model that has learned its probabilities is 650 numbers, and
# predicts the forest's opinions of new rows better than one that has learned its decisions.

forest = RandomForestClassifier(300, max_depth=6, random_state=0).fit(X[train], y[train])
print(f"A random forest (accuracy {forest.score(X[test], y[test]):.3f}):")
_ = compare(forest.predict_proba(X))

# %%
# ``label_smoothing=`` of the classifier is the simplest case: labels mixed with the uniform
# distribution. For trees: :ref:`sphx_glr_howto_plot_boosting.py`.
