"""XGBoost: the trees of its own objective, its interfaces, and what it has no objective for."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

import csoftmax
from csoftmax.boosting import softmax_metric, softmax_objective

xgboost = pytest.importorskip("xgboost", reason="needs XGBoost (pip install xgboost-cpu)")

N, D, C = 600, 8, 5
R = np.random.default_rng(0)
X = R.standard_normal((N, D)).astype(np.float32)
Y = (X[:, :C] + R.gumbel(size=(N, C))).argmax(axis=1)
W = R.integers(1, 9, N).astype(np.float32) / 4
LEVEL = [0.0] * C  # a base score for each class; by default XGBoost's own objective looks at labels
PARAMETERS = {"num_class": C, "max_depth": 4, "seed": 1, "nthread": 2, "base_score": LEVEL}
OWN = {**PARAMETERS, "objective": "multi:softprob"}


def data(weight=None, label=Y):
    return xgboost.DMatrix(X, label=label, weight=weight)


def trees(model):
    """Splits and leaves of all trees, without XGBoost's order of equal things."""
    return [json.loads(text) for text in model.get_dump(dump_format="json", with_stats=True)]


def same_trees(a, b, rtol=1e-4):
    """The same splits at the same places; gains, covers and leaves to their rounding."""
    if isinstance(a, list):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same_trees(x, y, rtol)
        return
    assert a.keys() == b.keys()
    for key, value in a.items():
        if key == "children":
            same_trees(value, b[key], rtol)
        elif key in ("gain", "cover", "leaf", "split_condition"):
            assert value == pytest.approx(b[key], rel=rtol, abs=1e-5), key
        else:
            assert value == b[key], key


@pytest.mark.parametrize("weight", [None, W])
@pytest.mark.parametrize("method", ["hist", "exact", "approx"])
def test_the_same_trees(weight, method):
    train = data(weight)
    parameters = {"tree_method": method}
    own = xgboost.train({**OWN, **parameters}, train, 8)
    ours = xgboost.train({**OWN, **parameters}, train, 8, obj=softmax_objective())
    same_trees(trees(ours), trees(own))
    np.testing.assert_allclose(ours.predict(train), own.predict(train), rtol=1e-4, atol=1e-6)


def test_the_same_trees_from_the_same_base_scores():
    """By default, XGBoost estimates them from the labels for its own objective alone."""
    train = data(W)
    parameters = {k: v for k, v in OWN.items() if k != "base_score"}
    own = xgboost.train(parameters, train, 5)
    learner = json.loads(own.save_config())["learner"]
    base = json.loads(learner["learner_model_param"]["base_score"])
    ours = xgboost.train({**parameters, "base_score": base}, train, 5, obj=softmax_objective())
    same_trees(trees(ours), trees(own))
    np.testing.assert_allclose(ours.predict(train), own.predict(train), rtol=1e-4, atol=1e-6)


def test_without_the_name_of_an_objective_predictions_are_scores():
    train = data()
    ours = xgboost.train(PARAMETERS, train, 5, obj=softmax_objective())
    own = xgboost.train(OWN, train, 5)
    shares = csoftmax.softmax(ours.predict(train, output_margin=True), axis=1)
    np.testing.assert_allclose(shares, own.predict(train), rtol=1e-4)


@pytest.mark.parametrize("weight", [None, W])
def test_the_classifier(weight):
    parameters = {"n_estimators": 6, "max_depth": 4, "base_score": LEVEL, "n_jobs": 2}
    own = xgboost.XGBClassifier(**parameters).fit(X, Y, sample_weight=weight)
    ours = xgboost.XGBClassifier(**parameters, objective=softmax_objective())
    ours.fit(X, Y, sample_weight=weight)
    same_trees(trees(ours.get_booster()), trees(own.get_booster()))
    np.testing.assert_allclose(ours.predict_proba(X), own.predict_proba(X), rtol=1e-4)
    np.testing.assert_array_equal(ours.predict(X), own.predict(X))


@pytest.mark.parametrize("weight", [None, W])
def test_the_metric_is_mlogloss(weight):
    train, seen = data(weight), {}
    xgboost.train(
        {**OWN, "eval_metric": "mlogloss"},
        train,
        5,
        obj=softmax_objective(),
        custom_metric=softmax_metric(),
        evals=[(train, "train")],
        evals_result=seen,
        verbose_eval=False,
    )
    ours, own = seen["train"]["softmax_loss"], seen["train"]["mlogloss"]
    np.testing.assert_allclose(ours, own, rtol=1e-5)
    assert ours[-1] < ours[0]


def test_the_metric_of_its_own_objective_sees_probabilities():
    train, seen = data(W), {}
    xgboost.train(
        {**OWN, "eval_metric": "mlogloss"},
        train,
        5,
        custom_metric=softmax_metric(probabilities=True),
        evals=[(train, "train")],
        evals_result=seen,
        verbose_eval=False,
    )
    np.testing.assert_allclose(seen["train"]["softmax_loss"], seen["train"]["mlogloss"], rtol=1e-5)


def test_the_metric_of_the_classifier():
    model = xgboost.XGBClassifier(
        n_estimators=60,
        learning_rate=1.0,
        objective=softmax_objective(),
        eval_metric=softmax_metric(name="ours"),
        early_stopping_rounds=3,
        n_jobs=2,
    )
    model.fit(X[:400], Y[:400], eval_set=[(X[400:], Y[400:])], verbose=False)
    losses = model.evals_result()["validation_0"]["ours"]
    assert model.best_iteration == int(np.argmin(losses)) < 59
    model.fit(
        X[:400],
        Y[:400],
        eval_set=[(X[400:], Y[400:])],
        sample_weight_eval_set=[W[400:]],
        verbose=False,
    )
    assert model.evals_result()["validation_0"]["ours"][0] != losses[0]


def test_labels_of_a_matrix_may_be_probabilities():
    hard, soft = np.eye(C, dtype=np.float32)[Y], R.dirichlet(np.ones(C), N).astype(np.float32)
    parameters = {k: v for k, v in PARAMETERS.items() if k != "num_class"}
    own = xgboost.train(OWN, data(), 5)
    ours = xgboost.train(parameters, data(label=hard), 5, obj=softmax_objective())
    same_trees(trees(ours), trees(own))
    ours = xgboost.train(parameters, data(label=soft), 5, obj=softmax_objective())
    by_option = xgboost.train(OWN, data(), 5, obj=softmax_objective(soft_labels=soft))
    assert trees(ours) == trees(by_option)
    seen = {}
    xgboost.train(
        parameters,
        data(label=soft),
        8,
        obj=softmax_objective(),
        custom_metric=softmax_metric(),
        evals=[(data(label=soft), "train")],
        evals_result=seen,
        verbose_eval=False,
    )
    assert (np.diff(seen["train"]["softmax_loss"]) < 0).all()


def test_class_weights_are_row_weights():
    """But for hist and approx, which also place their bins by the weights of a matrix."""
    classes = np.array([1, 2, 0.5, 1, 3])
    own = xgboost.train({**OWN, "tree_method": "exact"}, data(classes[Y]), 5)
    ours = xgboost.train(
        {**OWN, "tree_method": "exact"}, data(), 5, obj=softmax_objective(class_weight=classes)
    )
    same_trees(trees(ours), trees(own))


@pytest.mark.parametrize(
    "options",
    [
        {"label_smoothing": 0.1},
        {"gamma": 2.0},
        {"temperature": 2.0},
        {"gamma": 0.5, "label_smoothing": 0.1, "class_weight": {0: 2.0}},
        {"hessian": "diagonal"},
        {"hessian": "residual"},
    ],
)
def test_the_loss_falls(options):
    of_loss = {k: v for k, v in options.items() if k != "hessian"}
    train, seen = data(W), {}
    xgboost.train(
        {**OWN, "eta": 0.1},
        train,
        20,
        obj=softmax_objective(**options),
        custom_metric=softmax_metric(**of_loss),
        evals=[(train, "train")],
        evals_result=seen,
        verbose_eval=False,
    )
    losses = seen["train"]["softmax_loss"]
    assert (np.diff(losses) < 0).all()
    assert losses[-1] < 0.8 * losses[0]


def test_trees_of_vectors():
    ours = xgboost.train(
        {**OWN, "multi_strategy": "multi_output_tree"}, data(), 5, obj=softmax_objective()
    )
    own = xgboost.train({**OWN, "multi_strategy": "multi_output_tree"}, data(), 5)
    np.testing.assert_allclose(ours.predict(data()), own.predict(data()), rtol=1e-4, atol=1e-6)


def test_cross_validation_and_searches():
    from sklearn.model_selection import GridSearchCV

    found = xgboost.cv(
        OWN, data(), 3, nfold=3, obj=softmax_objective(), custom_metric=softmax_metric()
    )
    assert (np.diff(found["test-softmax_loss-mean"]) < 0).all()
    search = GridSearchCV(
        xgboost.XGBClassifier(n_estimators=3, n_jobs=1),
        {"objective": [softmax_objective(), softmax_objective(gamma=1)]},
        cv=2,
    )
    assert search.fit(X, Y).best_score_ > 0.3
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(again.fit(X, Y).predict_proba(X), search.predict_proba(X))


def test_two_classes_want_two_scores():
    two = xgboost.DMatrix(X, label=Y % 2)
    with pytest.raises(ValueError, match=r"predictions have shape \(600,\): wanted \(N, C\)"):
        xgboost.train({"base_score": 0.0}, two, 2, obj=softmax_objective())
    parameters = {"num_class": 2, "base_score": [0.0, 0.0], "objective": "multi:softprob"}
    ours = xgboost.train(parameters, two, 4, obj=softmax_objective())
    same_trees(trees(ours), trees(xgboost.train(parameters, two, 4)))
