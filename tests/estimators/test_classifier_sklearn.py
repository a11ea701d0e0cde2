"""SoftmaxClassifier and scikit-learn's tools: its estimator checks, and what is built on them."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError, SkipTestWarning
from sklearn.feature_selection import SelectFromModel
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks, estimator_html_repr

import csoftmax
from csoftmax import SoftmaxClassifier, SoftmaxClassifierCV

X, y = load_iris(return_X_y=True)

VARIANTS = [
    {},
    {"solver": "lbfgs"},
    {"solver": "newton-cg"},
    {"l1_ratio": 0.5},
    {"standardize": True},
    {"C": np.inf},
    {"label_smoothing": 0.1},
    {"warm_start": True},
]

#: Weights against repeated rows, to 1e-7: with l1 that is beyond the last digits of L-BFGS (and of
#: LogisticRegression's saga), and without penalty the check's data, which are separable, have no
#: minimum. test_classifier.py compares weights with repeated rows where there is one.
NO_EQUIVALENCE = [{"l1_ratio": 0.5}, {"C": np.inf}]


def checks():
    """All checks of scikit-learn for each variant; those that never run here are named."""
    for options in VARIANTS:
        estimator = SoftmaxClassifier(**options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SkipTestWarning)
            found = list(estimator_checks.estimator_checks_generator(estimator))
        for instance, check in found:
            name = check.func.__name__
            if name == "check_array_api_input":  # below: it wants a setting of its own
                continue
            if name.startswith("check_sample_weight_equivalence") and options in NO_EQUIVALENCE:
                continue
            words = "-".join(f"{k}={v}" for k, v in options.items()) or "default"
            yield pytest.param(instance, check, id=f"{words}-{name}")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_estimator_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", ["SoftmaxClassifier", "SoftmaxClassifierCV"])
def test_array_api_check(run_python, estimator):
    code = f"""if True:
        from csoftmax import {estimator}
        from sklearn.utils.estimator_checks import estimator_checks_generator
        found = [
            (estimator, check)
            for estimator, check in estimator_checks_generator({estimator}())
            if "array_api" in check.func.__name__
        ]
        for estimator, check in found:
            check(estimator)
        print(len(found))
    """
    assert int(run_python(code, SCIPY_ARRAY_API="1").stdout) > 0


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:The least populated class:UserWarning")
@pytest.mark.parametrize("estimator", [SoftmaxClassifier, SoftmaxClassifierCV])
@pytest.mark.parametrize(
    "check",
    [
        "check_class_weight_balanced_linear_classifier",
        "check_dataframe_column_names_consistency",
        "check_inplace_ensure_writeable",
        "check_param_validation",
    ],
)
def test_checks_that_scikit_learn_has_for_its_own(check, estimator):
    getattr(estimator_checks, check)(estimator.__name__, estimator())


def test_clone_and_params():
    model = SoftmaxClassifier(2.0, l1_ratio=0.25, callbacks=[print])
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert copy.set_params(C=3.0).C == 3.0
    assert is_classifier(copy)
    assert repr(SoftmaxClassifier(C=3.0)) == "SoftmaxClassifier(C=3.0)"


def test_html():
    assert "SoftmaxClassifier" in estimator_html_repr(SoftmaxClassifier().fit(X, y))


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(protocol):
    model = SoftmaxClassifier(standardize=True, random_state=0).fit(X, y)
    model.partial_fit(X, y)
    copy = pickle.loads(pickle.dumps(model, protocol))
    np.testing.assert_array_equal(copy.predict_proba(X), model.predict_proba(X))
    model.partial_fit(X, y)
    copy.partial_fit(X, y)  # with the same memory of what it has seen
    np.testing.assert_array_equal(copy.coef_, model.coef_)


def test_pipeline_and_search():
    pipeline = make_pipeline(StandardScaler(), SoftmaxClassifier())
    found = GridSearchCV(pipeline, {"softmaxclassifier__C": [1e-3, 1.0]}, cv=3).fit(X, y)
    assert found.best_params_ == {"softmaxclassifier__C": 1.0}
    assert found.score(X, y) > 0.95


def test_set_output_of_a_pipeline():
    pandas = pytest.importorskip("pandas")
    pipeline = make_pipeline(StandardScaler(), SoftmaxClassifier()).set_output(transform="pandas")
    pipeline.fit(pandas.DataFrame(X, columns=list("abcd")), y)
    assert pipeline[-1].feature_names_in_.tolist() == list("abcd")


def test_cross_validation():
    assert cross_val_score(SoftmaxClassifier(), X, y, cv=5).mean() > 0.95
    proba = cross_val_predict(SoftmaxClassifier(), X, y, cv=5, method="predict_log_proba")
    assert (proba.argmax(1) == y).mean() > 0.95


def test_meta_estimators():
    assert OneVsRestClassifier(SoftmaxClassifier()).fit(X, y).score(X, y) > 0.9
    assert CalibratedClassifierCV(SoftmaxClassifier(), cv=3).fit(X, y).score(X, y) > 0.9
    assert SelectFromModel(SoftmaxClassifier()).fit(X, y).transform(X).shape[1] < 4


def test_parallel_search_gives_the_same():
    digits, label = load_digits(return_X_y=True)
    scores = [
        cross_val_score(SoftmaxClassifier(0.01), digits[:500], label[:500], cv=2, n_jobs=n_jobs)
        for n_jobs in (1, 2)
    ]
    np.testing.assert_array_equal(*scores)


def test_metadata_routing():
    from sklearn import config_context
    from sklearn.utils.metadata_routing import get_routing_for_object

    weight = np.where(y == 0, 1.0, 0.1)
    with config_context(enable_metadata_routing=True):
        model = SoftmaxClassifier().set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        requests = get_routing_for_object(model)
        assert not requests.predict.requests  # `out` is nothing to route
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, model).fit(X, y, sample_weight=weight)
        cross_val_score(model, X, y, params={"sample_weight": weight}, cv=3)
    direct = SoftmaxClassifier().fit(StandardScaler().fit_transform(X), y, weight)
    np.testing.assert_array_equal(pipeline[-1].coef_, direct.coef_)


def test_feature_names():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcd"))
    model = SoftmaxClassifier().fit(frame, pandas.Series(y))
    assert model.feature_names_in_.tolist() == list("abcd")
    np.testing.assert_array_equal(model.predict(frame), SoftmaxClassifier().fit(X, y).predict(X))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[list("bacd")])
    with pytest.warns(UserWarning, match="feature names"):
        model.predict(X)


def test_not_fitted():
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        with pytest.raises(NotFittedError):
            getattr(SoftmaxClassifier(), method)(X)


def test_not_fitted_by_a_fit_that_failed():
    model = SoftmaxClassifier()
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.full_like(X, np.nan), y)
    with pytest.raises(NotFittedError):
        model.predict(X)


def test_convergence_warning():
    with pytest.warns(ConvergenceWarning, match=r"max_iter=2 .*tol=0\.0001.*standardize") as seen:
        model = SoftmaxClassifier(max_iter=2).fit(X, y)
    assert seen[0].filename == __file__
    assert model.stop_reason_ == "max_iter"
    assert model.n_iter_.tolist() == [2]


def test_import_without_scikit_learn(run_python):
    code = """if True:
        import sys
        sys.modules["sklearn"] = None
        import csoftmax
        assert "SoftmaxClassifier" in dir(csoftmax)
        csoftmax.softmax([1.0, 2.0])
        try:
            csoftmax.SoftmaxClassifier
        except ImportError as error:
            print(error)
    """
    out = run_python(code).stdout
    assert "pip install 'scikit-learn>=1.6'" in out


def test_import_is_on_demand(run_python):
    code = """if True:
        import sys, csoftmax
        assert not {"sklearn", "scipy"} & set(sys.modules)
        assert csoftmax.SoftmaxClassifier.__name__ == "SoftmaxClassifier"
        assert "sklearn" in sys.modules
    """
    run_python(code)


def test_module_has_nothing_else():
    assert "SoftmaxClassifier" in csoftmax.__all__
    assert "SoftmaxClassifier" in dir(csoftmax)
    with pytest.raises(AttributeError, match="no attribute 'Softmax'"):
        _ = csoftmax.Softmax
