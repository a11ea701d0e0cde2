"""SoftmaxClassifier has LogisticRegression's model: the same optimum, shapes and predictions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from csoftmax import SoftmaxClassifier, log_softmax

X, y = load_iris(return_X_y=True)
RNG = np.random.default_rng(5)

DATA = {
    "iris": (X, y),
    "digits": (load_digits().data[:600] / 16, load_digits().target[:600]),
    "wine": (StandardScaler().fit_transform(load_wine().data), load_wine().target),
}


def objective(coef, intercept, X, y, s, C, l1_ratio=0.0):
    """What both minimise, in float64."""
    Z = X.astype(np.float64) @ coef.T.astype(np.float64) + intercept
    if Z.shape[1] == 1:
        Z = np.hstack([np.zeros_like(Z), Z])
    L = -log_softmax(Z, axis=1)[np.arange(len(y)), np.unique(y, return_inverse=True)[1]]
    W = coef.astype(np.float64)
    penalty = (1 - l1_ratio) / 2 * (W**2).sum() + l1_ratio * np.abs(W).sum()
    return s @ L + (penalty / C if np.isfinite(C) else 0)


def subset(name, two):
    X, y = DATA[name]
    return (X[y < 2], y[y < 2]) if two else (X, y)


CASES = [
    (name, two, weighted, intercept, C)
    for name, two, weighted, intercept, C in itertools.product(
        DATA, [False, True], [False, True], [True, False], [1.0, 0.01]
    )
]


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize(("name", "two", "weighted", "intercept", "C"), CASES)
def test_optimum_of_logistic_regression(name, two, weighted, intercept, C, sparse):
    X, y = subset(name, two)
    s = np.random.default_rng(0).uniform(0, 2, len(y)) if weighted else np.ones(len(y))
    rival = LogisticRegression(
        C=C, fit_intercept=intercept, tol=1e-10, max_iter=10000, solver="newton-cg"
    ).fit(X, y, s if weighted else None)
    ours = SoftmaxClassifier(C, fit_intercept=intercept, tol=1e-9, max_iter=10000)
    ours.fit(sp.csr_array(X) if sparse else X, y, s if weighted else None)
    assert ours.coef_.shape == rival.coef_.shape
    assert ours.intercept_.shape == rival.intercept_.shape
    np.testing.assert_allclose(ours.coef_, rival.coef_, atol=2e-5)
    ours_at = objective(ours.coef_, ours.intercept_, X, y, s, C)
    rival_at = objective(rival.coef_, rival.intercept_, X, y, s, C)
    assert ours_at <= rival_at * (1 + 1e-9)
    np.testing.assert_array_equal(ours.predict(X), rival.predict(X))
    np.testing.assert_allclose(ours.predict_proba(X), rival.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("name", DATA)
def test_float32(name, two, sparse):
    X, y = subset(name, two)
    X = X.astype(np.float32)
    ours = SoftmaxClassifier(tol=1e-5).fit(sp.csr_array(X) if sparse else X, y)
    exact = SoftmaxClassifier(tol=1e-9).fit(X.astype(np.float64), y)
    assert ours.coef_.dtype == ours.intercept_.dtype == np.float32
    assert ours.predict_proba(X).dtype == ours.decision_function(X).dtype == np.float32
    ones = np.ones(len(y))
    at, least = (objective(m.coef_, m.intercept_, X, y, ones, 1.0) for m in (ours, exact))
    assert at <= least * (1 + 1e-5)
    np.testing.assert_array_equal(ours.predict(X), exact.predict(X))


@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
@pytest.mark.parametrize("name", DATA)
def test_l1_and_elastic_net(name, l1_ratio, two):
    X, y = subset(name, two)
    rival = LogisticRegression(
        C=0.3, l1_ratio=l1_ratio, solver="saga", tol=1e-7, max_iter=20000, random_state=0
    ).fit(X, y)
    ours = SoftmaxClassifier(0.3, l1_ratio=l1_ratio, tol=1e-7, max_iter=10000).fit(X, y)
    ones = np.ones(len(y))
    ours_at, rival_at = (
        objective(m.coef_, m.intercept_, X, y, ones, 0.3, l1_ratio) for m in (ours, rival)
    )
    assert ours_at <= rival_at * (1 + 1e-6)
    np.testing.assert_array_equal(ours.predict(X), rival.predict(X))
    assert ((ours.coef_ == 0).sum() > 0) == ((rival.coef_ == 0).sum() > 0)


@pytest.mark.parametrize("two", [False, True])
def test_no_penalty(two):
    X, y = RNG.normal(size=(300, 4)), RNG.integers(0, 2 if two else 4, 300)
    rival = LogisticRegression(C=np.inf, tol=1e-10, max_iter=5000, solver="newton-cg").fit(X, y)
    ours = SoftmaxClassifier(np.inf, tol=1e-9).fit(X, y)
    np.testing.assert_allclose(ours.coef_, rival.coef_, atol=1e-5)
    np.testing.assert_allclose(ours.intercept_, rival.intercept_, atol=1e-5)
    shares = SoftmaxClassifier(np.inf, l1_ratio=0.5, tol=1e-9).fit(X, y)
    np.testing.assert_allclose(ours.coef_, shares.coef_, atol=1e-5)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("class_weight", ["balanced", {0: 0.5, 1: 3.0}, {2: 0.1}])
def test_class_weight(class_weight, weighted):
    s = np.random.default_rng(1).uniform(0, 2, len(y)) if weighted else None
    keep = np.r_[0:60, 80:150]
    s = s[keep] if weighted else None
    options = {"C": 0.1, "class_weight": class_weight, "max_iter": 5000}
    rival = LogisticRegression(tol=1e-10, solver="newton-cg", **options).fit(X[keep], y[keep], s)
    ours = SoftmaxClassifier(tol=1e-9, **options).fit(X[keep], y[keep], s)
    np.testing.assert_allclose(ours.coef_, rival.coef_, atol=1e-5)
    if not weighted:
        rows = compute_sample_weight(class_weight, y[keep])
        same = SoftmaxClassifier(0.1, tol=1e-9).fit(X[keep], y[keep], rows)
        np.testing.assert_allclose(ours.coef_, same.coef_, rtol=1e-6, atol=1e-12)


def test_balanced_with_a_class_without_weight():
    s = np.where(y == 2, 0.0, 1.0)
    model = SoftmaxClassifier(class_weight="balanced").fit(X, y, s)
    assert np.isfinite(model.coef_).all()
    assert not (model.predict(X[y < 2]) == 2).any()


def test_weights_are_repetitions():
    times = np.random.default_rng(2).integers(0, 4, len(y))
    weighted = SoftmaxClassifier(tol=1e-9).fit(X, y, times)
    repeated = SoftmaxClassifier(tol=1e-9).fit(np.repeat(X, times, 0), np.repeat(y, times))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=2e-5)


@pytest.mark.parametrize("factor", [1e-30, 1e-3, 1e3, 1e30])
def test_scale_of_weights_is_that_of_C(factor):
    one = SoftmaxClassifier(0.1, tol=1e-9).fit(X, y)
    other = SoftmaxClassifier(0.1 / factor, tol=1e-9).fit(X, y, np.full(len(y), factor))
    np.testing.assert_allclose(one.coef_, other.coef_, atol=2e-5)


LABELS = [
    np.array(["setosa", "versicolor", "virginica"])[y],
    np.array(["setosa", "versicolor", "virginica"], object)[y],
    np.array([-7, 3, 10**12])[y],
    np.array([250, 3, 17], np.uint8)[y],
    y.astype(np.float64),
    [["a", "b", "c"][i] for i in y],
]


@pytest.mark.parametrize("labels", LABELS, ids=["str", "object", "int", "uint8", "float", "list"])
def test_labels(labels):
    model = SoftmaxClassifier().fit(X, labels)
    expected = np.unique(labels)
    np.testing.assert_array_equal(model.classes_, expected)
    assert model.classes_.dtype == expected.dtype
    assert (model.predict(X) == np.asarray(labels)).mean() > 0.95
    assert model.score(X, labels) > 0.95


def test_bool_labels():
    model = SoftmaxClassifier().fit(X, y == 1)
    assert model.classes_.tolist() == [False, True]
    assert model.predict(X).dtype == bool


def test_two_classes_have_one_row():
    model = SoftmaxClassifier().fit(X[:100], y[:100])
    assert model.coef_.shape == (1, 4)
    assert model.intercept_.shape == (1,)
    z = model.decision_function(X)
    assert z.shape == (150,)
    np.testing.assert_allclose(z, X @ model.coef_[0] + model.intercept_[0], rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X), (z > 0).astype(int))
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], 1 / (1 + np.exp(-z)), rtol=1e-12)


def test_one_feature_and_constant_features():
    one = SoftmaxClassifier(tol=1e-8).fit(X[:, 2:3], y)
    more = np.column_stack([X[:, 2], np.zeros(150), np.full(150, 3.0)])
    for standardize in (False, True):
        model = SoftmaxClassifier(tol=1e-8, standardize=standardize).fit(more, y)
        assert np.isfinite(model.coef_).all()
        np.testing.assert_allclose(model.coef_[:, 1:], 0, atol=2e-5)
        np.testing.assert_array_equal(model.predict(more), one.predict(X[:, 2:3]))


@pytest.mark.parametrize("two", [False, True])
def test_probabilities_as_targets(two):
    labels = (y > 0).astype(int) if two else y
    onehot = np.eye(2 if two else 3)[labels]
    hard = SoftmaxClassifier(tol=1e-8).fit(X, labels)
    soft = SoftmaxClassifier(tol=1e-8).fit(X, onehot)
    assert soft.classes_.tolist() == list(range(onehot.shape[1]))
    np.testing.assert_allclose(hard.coef_, soft.coef_, atol=2e-5)
    # a row of probabilities is as many weighted rows with labels
    P = np.random.default_rng(3).dirichlet(np.ones(onehot.shape[1]), len(X))
    soft = SoftmaxClassifier(tol=1e-8).fit(X, P)
    rows = np.repeat(np.arange(len(X)), P.shape[1])
    many = SoftmaxClassifier(tol=1e-8).fit(
        X[rows], np.tile(np.arange(P.shape[1]), len(X)), P.ravel()
    )
    np.testing.assert_allclose(soft.coef_, many.coef_, atol=2e-5)


@pytest.mark.parametrize("two", [False, True])
def test_label_smoothing(two):
    labels = (y > 0).astype(int) if two else y
    k = 2 if two else 3
    smooth = SoftmaxClassifier(label_smoothing=0.2, tol=1e-8).fit(X, labels)
    soft = SoftmaxClassifier(tol=1e-8).fit(X, 0.8 * np.eye(k)[labels] + 0.2 / k)
    np.testing.assert_allclose(smooth.coef_, soft.coef_, atol=2e-5)


@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("form", [np.asarray, np.float32, np.asfortranarray, sp.csr_array])
def test_standardize_is_a_standard_scaler(form, intercept, two):
    data, labels = load_wine(return_X_y=True)
    keep = labels < 2 if two else labels >= 0
    data, labels = data[keep], labels[keep]
    s = np.random.default_rng(4).uniform(0, 2, len(labels))
    scaler = StandardScaler(with_mean=intercept).fit(data, sample_weight=s)
    options = {"fit_intercept": intercept, "tol": 1e-6}
    scaled = SoftmaxClassifier(**options).fit(scaler.transform(data), labels, s)
    given = form(data)
    model = SoftmaxClassifier(standardize=True, **options).fit(given, labels, s)
    tolerance = 5e-3 if given.dtype == np.float32 else 1e-4
    np.testing.assert_allclose(model.coef_ * scaler.scale_, scaled.coef_, atol=tolerance)
    np.testing.assert_allclose(
        model.decision_function(given),
        scaled.decision_function(scaler.transform(data)),
        atol=20 * tolerance,
    )
    np.testing.assert_array_equal(model.predict(given), scaled.predict(scaler.transform(data)))


def test_standardize_far_from_zero():
    far = X + 1e6
    near = SoftmaxClassifier(standardize=True, tol=1e-7).fit(X, y)
    model = SoftmaxClassifier(standardize=True, tol=1e-7).fit(far, y)
    np.testing.assert_allclose(model.coef_, near.coef_, rtol=1e-4, atol=2e-5)
    np.testing.assert_array_equal(model.predict(far), near.predict(X))


@pytest.mark.parametrize("solver", ["auto", "lbfgs", "newton-cg", "sgd"])
def test_solvers_find_one_optimum(solver):
    data, labels = DATA["wine"]
    exact = SoftmaxClassifier(0.1, tol=1e-9).fit(data, labels)
    model = SoftmaxClassifier(0.1, solver=solver, tol=1e-4, random_state=0).fit(data, labels)
    ones = np.ones(len(labels))
    at, least = (objective(m.coef_, m.intercept_, data, labels, ones, 0.1) for m in (model, exact))
    if solver == "sgd":  # wine's features differ in scale by 1000
        assert model.stop_reason_ in ("loss", "max_iter")
        assert at <= 3 * least
    else:
        assert model.stop_reason_ == "gradient"
        assert at <= least * (1 + 1e-6)
        np.testing.assert_allclose(model.coef_, exact.coef_, atol=0.02)
