"""LightGBM: the trees of its own objective, its interfaces, and what it has no objective for."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import csoftmax
from csoftmax.boosting import softmax_metric, softmax_objective

lightgbm = pytest.importorskip("lightgbm", reason="needs LightGBM (pip install lightgbm)")

N, D, C = 600, 8, 5
R = np.random.default_rng(0)
X = R.standard_normal((N, D))
Y = (X[:, :C] + R.gumbel(size=(N, C))).argmax(axis=1)
W = R.integers(1, 9, N) / 4
PARAMETERS = {
    "num_class": C,
    "num_leaves": 8,
    "num_threads": 2,
    "deterministic": True,
    "force_row_wise": True,
    "boost_from_average": False,
    "verbosity": -1,
}
OWN = {**PARAMETERS, "objective": "multiclass"}


def ours(**options):
    return {**PARAMETERS, "objective": softmax_objective(**options)}


def data(weight=None, label=Y, **more):
    return lightgbm.Dataset(X, label, weight=weight, free_raw_data=False, **more)


def same_trees(a, b, rtol=1e-6):
    """The same splits at the same places; gains, weights and values to their rounding."""
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            same_trees(a[key], b[key], rtol)
    elif isinstance(a, list):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same_trees(x, y, rtol)
    elif isinstance(a, float) or isinstance(b, float):
        assert a == pytest.approx(b, rel=rtol, abs=1e-6)
    else:
        assert a == b


def trees(model):
    return model.dump_model()["tree_info"]


@pytest.mark.parametrize("weight", [None, W])
def test_the_same_trees(weight):
    own = lightgbm.train(OWN, data(weight), 10)
    model = lightgbm.train(ours(), data(weight), 10)
    same_trees(trees(model), trees(own))
    scores = model.predict(X, raw_score=True)
    np.testing.assert_allclose(scores, own.predict(X, raw_score=True), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(csoftmax.softmax(scores, axis=1), own.predict(X), rtol=1e-6)


@pytest.mark.parametrize("weight", [None, W])
def test_the_same_predictions_from_the_average(weight):
    """What LightGBM starts from by itself, and adds to its first trees."""
    own = lightgbm.train({**OWN, "boost_from_average": True}, data(weight), 10)
    counts = np.bincount(Y, weight)
    start = np.log(counts / counts.sum())
    model = lightgbm.train(ours(), data(weight, init_score=np.tile(start, (N, 1))), 10)
    scores = start + model.predict(X, raw_score=True)
    np.testing.assert_allclose(scores, own.predict(X, raw_score=True), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("weight", [None, W])
def test_the_classifier(weight):
    parameters = {k: v for k, v in PARAMETERS.items() if k not in ("num_class", "num_threads")}
    parameters |= {"n_estimators": 8, "n_jobs": 2}
    own = lightgbm.LGBMClassifier(**parameters).fit(X, Y, sample_weight=weight)
    model = lightgbm.LGBMClassifier(**parameters, objective=softmax_objective())
    model.fit(X, Y, sample_weight=weight)
    same_trees(trees(model.booster_), trees(own.booster_))
    scores = model.predict(X, raw_score=True)
    np.testing.assert_allclose(csoftmax.softmax(scores, axis=1), own.predict_proba(X), rtol=1e-6)


def history(parameters, weight, metric, rounds=6, **dataset):
    train, seen = data(weight, **dataset), {}
    lightgbm.train(
        {**parameters, "metric": "None" if callable(parameters["objective"]) else "multi_logloss"},
        train,
        rounds,
        valid_sets=[train],
        valid_names=["train"],
        feval=metric,
        callbacks=[lightgbm.record_evaluation(seen)],
    )
    return seen["train"]


@pytest.mark.parametrize("weight", [None, W])
def test_the_metric_is_multi_logloss(weight):
    own = history(OWN, weight, softmax_metric(probabilities=True))
    np.testing.assert_allclose(own["softmax_loss"], own["multi_logloss"], rtol=1e-7)
    found = history(ours(), weight, softmax_metric())["softmax_loss"]
    np.testing.assert_allclose(found, own["multi_logloss"], rtol=1e-6)


def test_the_metric_of_the_classifier():
    model = lightgbm.LGBMClassifier(
        n_estimators=60, learning_rate=0.7, objective=softmax_objective(), metric="None", verbose=-1
    )
    model.fit(
        X[:400],
        Y[:400],
        eval_X=X[400:],
        eval_y=Y[400:],
        eval_metric=softmax_metric(name="ours"),
        callbacks=[lightgbm.early_stopping(3, verbose=False)],
    )
    losses = model.evals_result_["valid_0"]["ours"]
    assert model.best_iteration_ == int(np.argmin(losses)) + 1 < 60


def test_class_weights_are_row_weights():
    classes = np.array([1, 2, 0.5, 1, 3])
    own = lightgbm.train(OWN, data(classes[Y]), 6)
    model = lightgbm.train(ours(class_weight=classes), data(), 6)
    same_trees(trees(model), trees(own))
    model = lightgbm.train(ours(class_weight=dict(enumerate(classes))), data(), 6)
    same_trees(trees(model), trees(own))


def test_soft_labels():
    own = lightgbm.train(OWN, data(), 6)
    model = lightgbm.train(ours(soft_labels=np.eye(C)[Y]), data(label=np.zeros(N)), 6)
    same_trees(trees(model), trees(own))
    soft = R.dirichlet(np.ones(C), N)
    losses = history(ours(soft_labels=soft), W, softmax_metric(soft_labels=soft), 10)
    assert (np.diff(losses["softmax_loss"]) < 0).all()


@pytest.mark.parametrize(
    "options",
    [
        {"label_smoothing": 0.1},
        {"gamma": 2.0},
        {"temperature": 2.0},
        {"gamma": 0.5, "label_smoothing": 0.1, "class_weight": {0: 2.0}},
        {"hessian": "bound"},
        {"hessian": "residual"},
    ],
)
def test_the_loss_falls(options):
    of_loss = {k: v for k, v in options.items() if k != "hessian"}
    losses = history(ours(**options), W, softmax_metric(**of_loss), 20)["softmax_loss"]
    assert (np.diff(losses) < 0).all()
    assert losses[-1] < 0.8 * losses[0]


def test_predictions_of_its_buffer_are_not_changed():
    """LightGBM hands over its own, and evaluates it after the objective has seen it."""
    objective, seen = softmax_objective(), []

    def spy(predictions, dataset):
        before = predictions.copy()
        grad, hess = objective(predictions, dataset)
        np.testing.assert_array_equal(predictions, before)
        for a in (grad, hess):
            assert a.dtype == np.float32
            assert a.flags.f_contiguous
            assert a.ravel("F").base is not None  # no copy on its way
        seen.append(predictions.flags.f_contiguous)
        return grad, hess

    lightgbm.train({**PARAMETERS, "objective": spy}, data(), 2)
    assert seen == [True, True]


def test_cross_validation_and_searches():
    from sklearn.model_selection import GridSearchCV

    found = lightgbm.cv(
        {**ours(), "metric": "None"}, data(), 4, nfold=3, feval=softmax_metric(), seed=0
    )
    assert (np.diff(found["valid softmax_loss-mean"]) < 0).all()
    search = GridSearchCV(
        lightgbm.LGBMClassifier(n_estimators=3, n_jobs=1, verbose=-1),
        {"learning_rate": [0.1, 0.3], "objective": [softmax_objective()]},
        scoring=lambda model, X, y: np.mean(model.predict(X, raw_score=True).argmax(axis=1) == y),
        cv=2,
    )
    assert search.fit(X, Y).best_score_ > 0.3
    again = pickle.loads(pickle.dumps(search.best_estimator_)).fit(X, Y)
    np.testing.assert_array_equal(
        *(m.predict(X, raw_score=True) for m in (again, search.best_estimator_))
    )


def test_two_classes_want_two_scores():
    with pytest.raises(ValueError, match=r"predictions have shape \(600,\): wanted \(N, C\)"):
        lightgbm.train({**ours(), "num_class": 1}, data(label=Y % 2), 2)
    own = lightgbm.train({**OWN, "num_class": 2}, data(label=Y % 2), 4)
    model = lightgbm.train({**ours(), "num_class": 2}, data(label=Y % 2), 4)
    same_trees(trees(model), trees(own))
    pytest.importorskip("sklearn")
    options = {k: v for k, v in PARAMETERS.items() if k not in ("num_class", "num_threads")}
    classifier = lightgbm.LGBMClassifier(
        objective=softmax_objective(), num_class=2, metric="None", n_estimators=4, **options
    )
    same_trees(trees(classifier.fit(X, Y % 2).booster_), trees(own))
