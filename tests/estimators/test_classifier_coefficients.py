"""What others read of a fitted model: the name of its penalty, and sparse coefficients."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.linear_model import LogisticRegression

from csoftmax import SoftmaxClassifier, SoftmaxClassifierCV

METHODS = ["predict", "predict_proba", "predict_log_proba", "decision_function"]


@pytest.fixture(params=[2, 3], scope="module")
def data(request):
    return make_classification(
        200, 12, n_informative=4, n_redundant=0, n_classes=request.param, random_state=0
    )


# ---- penalty -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "l2"),
        ({"l1_ratio": 0}, "l2"),
        ({"l1_ratio": 1}, "l1"),
        ({"l1_ratio": 1.0}, "l1"),
        ({"l1_ratio": 0.5}, "elasticnet"),
        ({"C": np.inf}, None),
        ({"C": np.inf, "l1_ratio": 1.0}, None),
    ],
)
def test_penalty(options, name):
    model = SoftmaxClassifier(**options)
    assert model.penalty == name
    assert "penalty" not in model.get_params()
    assert "penalty" not in repr(model)
    assert clone(model).penalty == name
    with pytest.raises(AttributeError):
        model.penalty = "l1"
    with pytest.raises(AttributeError):
        _ = SoftmaxClassifierCV(l1_ratios=[options.get("l1_ratio", 0.0)]).penalty  # not yet fitted


@pytest.mark.parametrize(("ratio", "name"), [(0.0, "l2"), (0.5, "elasticnet"), (1.0, "l1")])
def test_penalty_of_the_best(data, ratio, name):
    model = SoftmaxClassifierCV([0.1], l1_ratios=[ratio], cv=2).fit(*data)
    assert model.penalty == name
    assert "penalty" not in model.get_params()


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("prefit", [False, True])
def test_features_selected_by_coefficients(data, l1_ratio, prefit):
    X, y = data
    exact = {"C": 0.05, "l1_ratio": l1_ratio, "tol": 1e-7, "max_iter": 20000}
    models = [SoftmaxClassifier(**exact), LogisticRegression(solver="saga", **exact)]
    chosen = [SelectFromModel(model, prefit=prefit) for model in models]
    for each in chosen:
        if prefit:
            each.estimator.fit(X, y)
        each.fit(X, y)
    np.testing.assert_array_equal(*[each.get_support() for each in chosen])
    np.testing.assert_allclose(*[each.threshold_ for each in chosen], rtol=1e-3)
    if l1_ratio == 1:
        assert chosen[0].threshold_ == 1e-5
        assert (chosen[0].get_support() == chosen[0].estimator_.coef_.any(axis=0)).all()


def test_features_selected_by_the_best_of_cross_validation(data):
    X, y = data
    model = SoftmaxClassifierCV([0.05], l1_ratios=[1.0], cv=2, tol=1e-6).fit(X, y)
    chosen = SelectFromModel(model, prefit=True).fit(X, y)
    assert chosen.threshold_ == 1e-5
    assert (chosen.get_support() == model.coef_.any(axis=0)).all()


def test_features_eliminated_one_by_one(data):
    X, y = data
    ranks = [
        RFE(model, n_features_to_select=3).fit(X, y).ranking_
        for model in (SoftmaxClassifier(tol=1e-6), LogisticRegression(tol=1e-6))
    ]
    np.testing.assert_array_equal(*ranks)


# ---- sparsify and densify ----------------------------------------------------------------------


@pytest.fixture(params=[np.float64, np.float32])
def model(request, data):
    X, y = data
    return SoftmaxClassifier(C=0.05, l1_ratio=1.0, random_state=0).fit(X.astype(request.param), y)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array, sp.csc_matrix])
def test_predictions_with_sparse_coefficients(data, model, form):
    X, y = data
    X = form(X.astype(model.coef_.dtype))
    coef = model.coef_
    expected = {method: getattr(model, method)(X) for method in METHODS}
    score = model.score(X, y)
    assert model.sparsify() is model
    assert sp.issparse(model.coef_)
    assert model.coef_.format == "csr"
    assert model.coef_.nnz < coef.size
    copy = pickle.loads(pickle.dumps(model))
    for method, want in expected.items():
        for each in (model, copy):
            found = getattr(each, method)(X)
            assert found.dtype == want.dtype
            np.testing.assert_array_equal(found, want)
        out = np.empty_like(want)
        assert getattr(model, method)(X, out=out) is out
        np.testing.assert_array_equal(out, want)
    assert model.score(X, y) == score
    assert sp.issparse(model.coef_)  # still
    assert model.densify() is model
    assert type(model.coef_) is np.ndarray
    np.testing.assert_array_equal(model.coef_, coef)


def test_fit_goes_on_from_sparse_coefficients(data, model):
    X, y = data
    X = X.astype(model.coef_.dtype)
    dense = pickle.loads(pickle.dumps(model))
    model.sparsify()
    for each in (model, dense):
        each.partial_fit(X, y)
    np.testing.assert_array_equal(model.coef_, dense.coef_)
    model.sparsify()
    for each in (model, dense):
        each.set_params(warm_start=True).fit(X, y)
        assert type(each.coef_) is np.ndarray
    np.testing.assert_array_equal(model.coef_, dense.coef_)


def test_sparse_coefficients_of_cross_validation(data):
    X, y = data
    model = SoftmaxClassifierCV([0.05], l1_ratios=[1.0], cv=2).fit(X, y)
    expected = {method: getattr(model, method)(X) for method in METHODS}
    score = model.score(X, y)
    model.sparsify()
    for method, want in expected.items():
        np.testing.assert_array_equal(getattr(model, method)(X), want)
    assert model.score(X, y) == score


@pytest.mark.parametrize("method", ["sparsify", "densify"])
@pytest.mark.parametrize("model", [SoftmaxClassifier(), SoftmaxClassifierCV()])
def test_only_what_is_fitted_has_coefficients(model, method):
    with pytest.raises(NotFittedError):
        getattr(model, method)()
