"""
XGBoost and LightGBM: losses that they lack
===========================================

:func:`csoftmax.boosting.softmax_objective` is an objective for both libraries. By itself it grows
the trees of their own softmax. It is worth its line for what these do not have: probabilities as
labels, class weights, label smoothing, the focal loss. This page takes what is there of the two.
"""

from __future__ import annotations

from importlib.util import find_spec

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from csoftmax import cross_entropy, softmax
from csoftmax.boosting import softmax_metric, softmax_objective

# %%
# Digits, and what three annotators say of them, who guess three times in ten. The most frequent
# vote is a label, which the libraries' own objectives want; all votes say more.

X, y = load_digits(return_X_y=True)
rng = np.random.default_rng(0)
order = rng.permutation(len(y))
X, y = X[order].astype(np.float32), y[order]
train, test = slice(1000), slice(1000, None)

votes = np.zeros((len(y), 10), np.float32)
for _ in range(3):
    said = np.where(rng.random(len(y)) < 0.3, rng.integers(0, 10, len(y)), y)
    votes[np.arange(len(y)), said] += 1 / 3

losses = {}


def report(name: str, scores: np.ndarray) -> None:
    """Print how well the scores of the rows that were left out tell label and votes."""
    accuracy = np.mean(scores.argmax(axis=1) == y[test])
    losses[name] = cross_entropy(scores, votes[test])
    print(f"  {name:28s} accuracy {accuracy:.3f}, log loss of the votes {losses[name]:.3f}")


# %%
# XGBoost
# -------
#
# Name the library's objective, too: the model then predicts probabilities.

if find_spec("xgboost"):
    import xgboost

    parameters = {"objective": "multi:softprob", "num_class": 10, "base_score": [0.0] * 10}
    rounds, left_out = 40, xgboost.DMatrix(X[test])
    rows = xgboost.DMatrix(X[train], label=y[train])
    own = xgboost.train(parameters, rows, rounds)
    model = xgboost.train(parameters, rows, rounds, obj=softmax_objective())
    far = np.abs(model.predict(left_out) - own.predict(left_out)).max()
    print(f"XGBoost: probabilities differ from those of its own objective by {far:.0e}")
    likeliest = xgboost.DMatrix(X[train], label=votes[train].argmax(axis=1))
    for name, objective in (
        ("most frequent vote", softmax_objective()),
        ("all votes", softmax_objective(soft_labels=votes[train])),
        ("focal loss", softmax_objective(gamma=1.0)),
        ("label smoothing", softmax_objective(label_smoothing=0.2)),
    ):
        model = xgboost.train(parameters, likeliest, rounds, obj=objective)
        report(f"XGBoost, {name}", model.predict(left_out, output_margin=True))

# %%
# LightGBM
# --------
#
# Predictions of a custom objective are scores: softmax makes probabilities of them.
# :func:`csoftmax.boosting.softmax_metric` is the loss to stop by.

if find_spec("lightgbm"):
    import lightgbm

    parameters = {"num_class": 10, "num_leaves": 15, "verbosity": -1, "boost_from_average": False}
    rows = lightgbm.Dataset(X[train], label=y[train], free_raw_data=False)
    own = lightgbm.train({**parameters, "objective": "multiclass"}, rows, 40)
    model = lightgbm.train({**parameters, "objective": softmax_objective()}, rows, 40)
    shares = softmax(model.predict(X[test], raw_score=True), axis=1)
    far = np.abs(shares - own.predict(X[test])).max()
    print(f"LightGBM: probabilities differ from those of its own objective by {far:.0e}")
    seen: dict = {}
    model = lightgbm.train(
        {**parameters, "objective": softmax_objective(soft_labels=votes[train]), "metric": "None"},
        rows,
        200,
        valid_sets=[rows.create_valid(X[test], label=y[test])],
        feval=softmax_metric(soft_labels=votes[test]),
        callbacks=[lightgbm.early_stopping(5, verbose=False), lightgbm.record_evaluation(seen)],
    )
    report("LightGBM, all votes", model.predict(X[test], raw_score=True))
    print(f"  stopped after {model.best_iteration} rounds")

# %%
# Side by side
# ------------

fig, ax = plt.subplots(figsize=(7, 0.6 + 0.5 * len(losses)), layout="constrained")
ax.bar_label(ax.barh(list(losses), list(losses.values())), fmt=" %.3f")
ax.invert_yaxis()
ax.margins(x=0.15)
ax.set_xlabel("log loss of the votes on other rows")
plt.show()

# %%
# Which trees are the same and why some are not, the choice of the Hessian, and times:
# :doc:`/boosting`.
