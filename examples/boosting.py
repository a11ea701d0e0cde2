"""Train XGBoost and LightGBM by csoftmax's objectives: the same trees, and losses they lack.

    python examples/boosting.py

On scikit-learn's digits, a few seconds. Runs with what is there of the two libraries. First the
softmax of their own objectives; then annotators who guess at times, whose votes are probabilities:
the most frequent vote as a label, as the libraries' own objectives want it, and all votes.
"""

from __future__ import annotations

import importlib.util

import numpy as np
from sklearn.datasets import load_digits

from csoftmax import cross_entropy, softmax
from csoftmax.boosting import softmax_metric, softmax_objective

X, y = load_digits(return_X_y=True)
rng = np.random.default_rng(0)
order = rng.permutation(len(y))
X, y = X[order].astype(np.float32), y[order]
train, test = slice(1000), slice(1000, None)

# Three annotators, who guess three times in ten.
votes = np.zeros((len(y), 10), np.float32)
for _ in range(3):
    said = np.where(rng.random(len(y)) < 0.3, rng.integers(0, 10, len(y)), y)
    votes[np.arange(len(y)), said] += 1 / 3


def report(name: str, scores: np.ndarray) -> None:
    """Print how well the scores of the rows that were left out tell label and votes."""
    accuracy = np.mean(scores.argmax(axis=1) == y[test])
    log_loss = cross_entropy(scores, votes[test])
    print(f"  {name:28s} accuracy {accuracy:.3f}, log loss of the votes {log_loss:.3f}")


def by_xgboost() -> None:
    """Name the objective, too: the model then predicts probabilities."""
    import xgboost

    parameters = {"objective": "multi:softprob", "num_class": 10, "base_score": [0.0] * 10}
    rounds, left_out = 40, xgboost.DMatrix(X[test])
    data = xgboost.DMatrix(X[train], label=y[train])
    own = xgboost.train(parameters, data, rounds)
    model = xgboost.train(parameters, data, rounds, obj=softmax_objective())
    far = np.abs(model.predict(left_out) - own.predict(left_out)).max()
    print(f"XGBoost: probabilities differ from those of its own objective by {far:.0e}")
    likeliest = xgboost.DMatrix(X[train], label=votes[train].argmax(axis=1))
    for name, labels, objective in (
        ("most frequent vote", likeliest, softmax_objective()),
        ("all votes", likeliest, softmax_objective(soft_labels=votes[train])),
        ("focal loss", likeliest, softmax_objective(gamma=1.0)),
        ("label smoothing", likeliest, softmax_objective(label_smoothing=0.2)),
    ):
        model = xgboost.train(parameters, labels, rounds, obj=objective)
        report(name, model.predict(left_out, output_margin=True))


def by_lightgbm() -> None:
    """Predictions of a custom objective are scores: softmax makes probabilities of them."""
    import lightgbm

    parameters = {"num_class": 10, "num_leaves": 15, "verbosity": -1, "boost_from_average": False}
    data = lightgbm.Dataset(X[train], label=y[train], free_raw_data=False)
    own = lightgbm.train({**parameters, "objective": "multiclass"}, data, 40)
    model = lightgbm.train({**parameters, "objective": softmax_objective()}, data, 40)
    shares = softmax(model.predict(X[test], raw_score=True), axis=1)
    far = np.abs(shares - own.predict(X[test])).max()
    print(f"LightGBM: probabilities differ from those of its own objective by {far:.0e}")
    seen: dict = {}
    model = lightgbm.train(
        {**parameters, "objective": softmax_objective(soft_labels=votes[train]), "metric": "None"},
        data,
        200,
        valid_sets=[data.create_valid(X[test], label=y[test])],
        feval=softmax_metric(soft_labels=votes[test]),
        callbacks=[lightgbm.early_stopping(5, verbose=False), lightgbm.record_evaluation(seen)],
    )
    report(f"all votes, {model.best_iteration} rounds", model.predict(X[test], raw_score=True))


if __name__ == "__main__":
    for name, run in (("xgboost", by_xgboost), ("lightgbm", by_lightgbm)):
        if importlib.util.find_spec(name):
            run()
        else:
            print(f"{name} is not installed")
