"""The same model as scikit-learn's own; what pickles and `vars` show of a fitted one."""

from __future__ import annotations

import copy
import pickle
import pickletools
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the estimators need scikit-learn")
from fitted_models import IRIS, SPECIES, classes, made, names_of_all, same
from sklearn.base import clone
from sklearn.exceptions import InconsistentVersionWarning, NotFittedError
from sklearn.linear_model import LogisticRegression

import csoftmax
from csoftmax import SoftmaxClassifier, SoftmaxClassifierCV
from csoftmax.prediction.linear import dense

ALL = [name for name in names_of_all() if name != "names"]


@pytest.mark.parametrize("name", ALL)
def test_the_same_model(name):
    model = made(name)
    theirs = model.to_sklearn()
    assert type(theirs) is LogisticRegression
    assert same(theirs.coef_, dense(model.coef_))
    for attribute in ("intercept_", "classes_", "n_features_in_"):
        assert same(getattr(theirs, attribute), getattr(model, attribute))
    X = IRIS.astype(model.coef_.dtype)
    rtol, atol = (1e-12, 1e-14) if X.dtype == np.float64 else (1e-5, 1e-6)
    np.testing.assert_array_equal(theirs.predict(X), model.predict(X))
    for method in ("predict_proba", "decision_function"):
        np.testing.assert_allclose(
            getattr(theirs, method)(X), getattr(model, method)(X), rtol=rtol, atol=atol
        )
    with np.errstate(divide="ignore"):  # of probabilities that are 0
        logs = theirs.predict_log_proba(X)
    np.testing.assert_allclose(np.exp(logs), model.predict_proba(X), rtol=rtol, atol=atol)
    assert theirs.score(IRIS, model.predict(IRIS)) == 1
    theirs.coef_ *= 0
    assert abs(model.coef_).max() > 0 or name == "no iterations"  # a copy


@pytest.mark.parametrize("kind", ["<U9", "object", "float32", "uint8"])
@pytest.mark.parametrize("C", [0.1, 1e4])
def test_two_classes_are_one_row_and_a_sigmoid(kind, C):
    """And not the softmax of (-z, z), which is that of twice the score."""
    rows = SPECIES > 0
    model = SoftmaxClassifier(C=C).fit(IRIS[rows], classes(kind)[SPECIES[rows]])
    theirs = model.to_sklearn()
    assert theirs.coef_.shape == (1, 4)
    z = IRIS @ model.coef_[0] + model.intercept_[0]
    np.testing.assert_allclose(theirs.predict_proba(IRIS)[:, 1], 1 / (1 + np.exp(-z)), rtol=1e-9)
    np.testing.assert_allclose(
        theirs.predict_proba(IRIS), model.predict_proba(IRIS), rtol=1e-9, atol=1e-15
    )  # theirs has 1 - p
    fitted = LogisticRegression(C=C, tol=1e-9, max_iter=10_000).fit(IRIS[rows], SPECIES[rows])
    ours = SoftmaxClassifier(C=C, tol=1e-9).fit(IRIS[rows], SPECIES[rows]).to_sklearn()
    np.testing.assert_allclose(ours.predict_proba(IRIS), fitted.predict_proba(IRIS), atol=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        {"C": 0.5},
        {"C": 0.5, "fit_intercept": False, "class_weight": {0: 2.0}},
        {"C": 0.5, "l1_ratio": 1},
        {"C": 0.5, "l1_ratio": 0.5, "class_weight": "balanced"},
        {"C": np.inf},
    ],
)
def test_fitted_again_it_has_the_same_minimum(options):
    X = (IRIS - IRIS.mean(axis=0)) / IRIS.std(axis=0)
    y = np.where(np.arange(150) % 9, SPECIES, 1)  # nothing that can be separated
    model = SoftmaxClassifier(tol=1e-8, max_iter=20_000, random_state=0, **options).fit(X, y)
    theirs = model.to_sklearn()
    assert theirs.n_iter_ == model.n_iter_
    again = clone(theirs).set_params(tol=1e-7).fit(X, y)
    np.testing.assert_allclose(again.coef_, model.coef_, atol=2e-3)
    assert clone(theirs).get_params() == theirs.get_params()


def test_names_and_iterations():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(IRIS, columns=list("abcd"))
    theirs = SoftmaxClassifier().fit(frame, SPECIES).to_sklearn()
    np.testing.assert_array_equal(theirs.feature_names_in_, list("abcd"))
    assert theirs.n_iter_.shape == (1,)
    assert len(theirs.predict(frame)) == 150
    search = SoftmaxClassifierCV(Cs=[0.25, 4.0], l1_ratios=[0.5], cv=2).fit(frame, SPECIES)
    theirs = search.to_sklearn()
    assert theirs.get_params()["C"] == search.C_
    assert theirs.get_params()["l1_ratio"] == 0.5
    assert not hasattr(theirs, "n_iter_")  # of folds there is no one number


def test_not_fitted():
    for model in (SoftmaxClassifier(), SoftmaxClassifierCV()):
        with pytest.raises(NotFittedError):
            model.to_sklearn()


# ---- what there is in a fitted model ------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_vars_are_parameters_and_attributes(name):
    model = made(name)
    for attribute in set(vars(model)) - set(model.get_params()):
        assert attribute.endswith("_")
        assert not attribute.startswith("_")
    before = set(vars(model))
    model.predict_proba(IRIS)
    model.predict_top_k(IRIS, 1)
    model.score(IRIS, model.predict(IRIS))
    assert set(vars(model)) == before


@pytest.mark.parametrize("name", ALL)
def test_pickles_name_no_private_class(name):
    model = made(name)
    strings = []
    found = set()
    for code, argument, _ in pickletools.genops(pickle.dumps(model, 4)):
        if code.name == "STACK_GLOBAL":
            found.add(tuple(strings[-2:]))
        elif isinstance(argument, str):
            strings.append(argument)
    ours = {
        (module, cls) for module, cls in found if module.startswith("csoftmax") and cls != "SGD"
    }
    assert ours <= {(type(model).__module__, type(model).__name__)}


# ---- versions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", [SoftmaxClassifier, SoftmaxClassifierCV])
@pytest.mark.parametrize("fitted", [True, False])
def test_pickles_of_another_version_warn(estimator, fitted, monkeypatch):
    model = estimator()
    if fitted:
        model = model.set_params(max_iter=1000).fit(IRIS, SPECIES)
    data = pickle.dumps(model)
    assert vars(pickle.loads(data)).keys() == vars(model).keys()
    with monkeypatch.context() as patch:
        patch.setattr("csoftmax.estimators.fitted.__version__", "7.8.9")
        other = pickle.dumps(model)
        with pytest.warns(InconsistentVersionWarning, match=f"version {csoftmax.__version__} of"):
            pickle.loads(data)
    words = (
        rf"unpickle estimator {estimator.__name__} from version 7\.8\.9 of csoftmax when using "
        rf"version {csoftmax.__version__}\..*csoftmax\.save_model"
    )
    with pytest.warns(InconsistentVersionWarning, match=words) as warned:
        loaded = pickle.loads(other)
    assert warned[0].message.original_sklearn_version == "7.8.9"
    assert vars(loaded).keys() == vars(model).keys()
    if fitted:
        assert same(loaded.predict_proba(IRIS), model.predict_proba(IRIS))


def test_pickles_without_a_version_warn():
    model = SoftmaxClassifier()
    with pytest.warns(InconsistentVersionWarning, match="from version unknown of csoftmax"):
        SoftmaxClassifier().__setstate__(dict(vars(model)))


def test_copies_do_not_warn():
    model = SoftmaxClassifier().fit(IRIS, SPECIES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for other in (copy.copy(model), copy.deepcopy(model)):
            assert same(other.coef_, model.coef_)
        clone(model)
