"""What SoftmaxClassifier refuses: which exception, and what its message says."""

from __future__ import annotations

import copy
import functools
import inspect
import re

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_iris

from csoftmax import SoftmaxClassifier, SoftmaxClassifierCV
from csoftmax.estimators import checks as fit_checks
from csoftmax.estimators.training import CheckedObjective

X, y = load_iris(return_X_y=True)
METHODS = ["predict", "predict_proba", "predict_log_proba", "decision_function"]


def refused(error, *message, X=X, y=y, sample_weight=None, **options):
    """All words of the message must be there, in this order."""
    with pytest.raises(error, match="(?s)" + ".*".join(map(re.escape, message))):
        SoftmaxClassifier(**options).fit(X, y, sample_weight)


OPTIONS = [
    ({"C": 0}, ["'C' parameter of SoftmaxClassifier must be", "(0.0, inf]", "Got 0 instead"]),
    ({"C": -1.0}, ["'C'", "Got -1.0"]),
    ({"C": np.nan}, ["'C'", "Got nan"]),
    ({"C": "1"}, ["'C'", "Got '1'"]),
    ({"l1_ratio": 1.5}, ["'l1_ratio'", "[0.0, 1.0]", "Got 1.5"]),
    ({"l1_ratio": None}, ["'l1_ratio'", "Got None"]),
    ({"tol": -1e-9}, ["'tol'", "Got -1e-09"]),
    ({"fit_intercept": "yes"}, ["'fit_intercept'", "Got 'yes'"]),
    ({"class_weight": "even"}, ["'class_weight'", "'balanced'", "Got 'even'"]),
    ({"solver": "saga"}, ["'solver'", "'lbfgs'", "Got 'saga'"]),
    ({"max_iter": -1}, ["'max_iter'", "Got -1"]),
    ({"max_iter": 1.5}, ["'max_iter'", "Got 1.5"]),
    ({"standardize": 2}, ["'standardize'", "Got 2"]),
    ({"label_smoothing": 1.01}, ["'label_smoothing'", "Got 1.01"]),
    ({"warm_start": None}, ["'warm_start'", "Got None"]),
    ({"random_state": "x"}, ["'random_state'", "Got 'x'"]),
    ({"verbose": -1}, ["'verbose'", "Got -1"]),
    ({"n_jobs": 1.0}, ["'n_jobs'", "Got 1.0"]),
    ({"n_jobs": 0}, ["n_jobs is 0", "wanted None, a positive number of threads, or -1"]),
    ({"callbacks": 3}, ["'callbacks'", "Got 3"]),
]


@pytest.mark.parametrize(("options", "message"), OPTIONS)
def test_options(options, message):
    refused(ValueError, *message, X=None, y=None, **options)  # before any work


HINTS = [
    ({"penalty": "l1"}, ["SoftmaxClassifier", "'penalty'", "l1_ratio=0 for 'l2', 1 for 'l1'"]),
    ({"penalty": None}, ["'penalty'", "C=numpy.inf for None"]),
    ({"multi_class": "ovr"}, ["'multi_class'", "multinomial", "OneVsRestClassifier"]),
    ({"dual": False}, ["'dual'", "primal"]),
    ({"intercept_scaling": 1}, ["'intercept_scaling'", "free of penalty"]),
    ({"Cs": 3}, ["'Cs'", "SoftmaxClassifierCV"]),
    ({"l1_ratios": (0,)}, ["'l1_ratios'", "SoftmaxClassifierCV"]),
]
HINTS_CV = [
    *[hint for hint in HINTS if set(hint[0]) <= {"penalty", "multi_class", "dual"}],
    ({"C": 1.0}, ["'C'", "wanted Cs"]),
    ({"l1_ratio": 1.0}, ["'l1_ratio'", "wanted l1_ratios"]),
    ({"solver": "saga"}, ["'solver'", "'auto'"]),
    ({"warm_start": True}, ["'warm_start'", "SoftmaxClassifier"]),
    ({"use_legacy_attributes": False}, ["'use_legacy_attributes'", "it left out"]),
]


@pytest.mark.parametrize(
    ("estimator", "options", "words"),
    [(SoftmaxClassifier, *hint) for hint in HINTS]
    + [(SoftmaxClassifierCV, *hint) for hint in HINTS_CV],
)
def test_parameters_of_logistic_regression(estimator, options, words):
    message = ".*".join(map(re.escape, words))
    with pytest.raises(TypeError, match=message):
        estimator(**options)
    with pytest.raises(TypeError, match=message):
        estimator().set_params(**options)


def test_the_signature_stays_and_a_subclass_has_what_parameters_it_likes():
    assert list(inspect.signature(SoftmaxClassifier).parameters) == [
        name for name in inspect.signature(SoftmaxClassifier.__init__).parameters if name != "self"
    ]
    with pytest.raises(TypeError, match="unexpected keyword argument 'anything'"):
        SoftmaxClassifier(anything=1)
    with pytest.raises(ValueError, match="Invalid parameter 'anything'"):
        SoftmaxClassifier().set_params(anything=1)

    class Own(SoftmaxClassifier):
        def __init__(self, dual=True, C=1.0):
            super().__init__(C)
            self.dual = dual

    assert Own(dual=False).set_params(dual=3).get_params() == {"C": 1.0, "dual": 3}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"solver": "liblinear"}, ["'solver'", "Got 'liblinear'", "take 'auto'"]),
        ({"solver": "newton-cholesky"}, ["Got 'newton-cholesky'", "'newton-cg'"]),
        ({"solver": "sag"}, ["Got 'sag'", "'sgd'"]),
        ({"solver": "saga"}, ["Got 'saga'", "any l1_ratio"]),
        ({"C": "l1"}, ["'C'", "Got 'l1'", "first argument", "1 for 'l1'"]),
        ({"C": None}, ["'C'", "Got None", "C=numpy.inf for None"]),
    ],
)
def test_values_of_logistic_regression(options, words):
    refused(ValueError, *words, X=None, y=None, **options)


def test_callbacks_that_cannot_be_called():
    refused(TypeError, "callbacks has 3: wanted callables", callbacks=[print, 3])


@functools.cache
def fitted(keep=3):
    return SoftmaxClassifier().fit(X[y < keep], y[y < keep])


def spoiled(value, row=71, column=2, dtype=np.float64):
    data = X.astype(dtype)
    data[row, column] = value
    return data


@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, sp.csr_array, sp.csc_matrix])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("keep", [2, 3])
@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.nan, "Input X contains NaN."),
        (np.inf, "Input X contains infinity"),
        (-np.inf, "Input X contains infinity or a value too large for dtype"),
    ],
)
def test_not_finite(value, words, keep, standardize, dtype, form):
    data = form(spoiled(value, dtype=dtype)[y < keep])
    labels = y[y < keep]
    where = "row 71, column 2"
    refused(ValueError, words, where, X=data, y=labels, standardize=standardize)
    zero = np.ones(len(labels))
    zero[71] = 0
    refused(ValueError, words, where, X=data, y=labels, sample_weight=zero)
    model = fitted(keep)
    for method in METHODS:
        with pytest.raises(ValueError, match=f"(?s){words}.*{where}"):
            getattr(model, method)(data)
    model = copy.deepcopy(model)
    with pytest.raises(ValueError, match=f"(?s){words}.*{where}"):
        model.partial_fit(data, labels)
    model.set_params(warm_start=True)
    with pytest.raises(ValueError, match=f"(?s){words}.*{where}"):
        model.fit(data, labels)


@pytest.mark.parametrize("method", METHODS)
def test_not_finite_in_a_later_block(method, monkeypatch):
    model = fitted()
    monkeypatch.setattr(fit_checks, "BLOCK_BYTES", 0)
    monkeypatch.setattr(fit_checks, "MIN_ROWS", 7)
    for form in (np.asarray, sp.csr_array):
        with pytest.raises(ValueError, match="row 71, column 2"):
            getattr(model, method)(form(spoiled(np.inf)))


def test_not_finite_is_found_by_the_first_pass(monkeypatch):
    calls = []
    looks = []
    loss_grad, look = CheckedObjective.loss_grad, fit_checks.finite_features
    monkeypatch.setattr(
        CheckedObjective, "loss_grad", lambda self, t: calls.append(1) or loss_grad(self, t)
    )
    monkeypatch.setattr(fit_checks, "finite_features", lambda *args: looks.append(1) or look(*args))
    SoftmaxClassifier().fit(X, y)
    assert not looks
    calls.clear()
    refused(ValueError, "NaN", X=spoiled(np.nan))
    assert len(calls) == len(looks) == 1


def test_too_large_for_the_arithmetic():
    # huge features are scaled, where the rows that are looked at are so
    large, labels = np.tile(X, (32, 1)).astype(np.float32), np.tile(y, 32)
    seen = np.linspace(0, len(large) - 1, 1024).astype(int)
    large[np.setdiff1d(np.arange(len(large)), seen)] = 1e38
    words = ["not finite at the start, though X is", "float32", "standardize"]
    refused(ValueError, *words, X=large, y=labels)


DATA = [
    ({"y": None}, ["requires y to be passed, but the target y is None"]),
    ({"y": y[:-1]}, ["inconsistent numbers of samples", "[150, 149]"]),
    ({"y": np.zeros(150)}, ["needs samples of at least 2 classes", "only one class: ", "0.0"]),
    ({"y": X[:, 0]}, ["Unknown label type"]),
    ({"y": np.where(y == 0, np.nan, 1.0)}, ["Input y contains NaN"]),
    ({"y": np.eye(3, dtype=int)[y]}, ["y should be a 1d array", "(150, 3)", "not as int64"]),
    ({"y": 2 * np.eye(3)[y]}, ["y[0]", "sum 2", "wanted a row of probabilities"]),
    ({"y": np.eye(3)[y] + [0.5, -0.5, 0]}, ["y[0]", "smallest element -0.5", "none negative"]),
    ({"y": np.eye(3)[y] * np.nan}, ["y[0]", "nan"]),
    ({"y": np.eye(3)[y][:, :, None]}, ["Found array with dim 3"]),
    ({"y": np.eye(3)[y[:-1]]}, ["inconsistent numbers of samples"]),
    ({"y": np.eye(3)[y], "class_weight": "balanced"}, ["class_weight", "y is probabilities"]),
    ({"class_weight": {7: 1.0}}, ["[0, 1, 2], are not in class_weight"]),
    ({"class_weight": {0: -1.0}}, ["class_weight is {0: -1.0}", "none negative"]),
    ({"class_weight": {0: np.nan}}, ["class_weight is {0: nan}", "finite"]),
    ({"sample_weight": np.ones(3)}, ["sample_weight.shape == (3,), expected (150,)"]),
    ({"sample_weight": np.ones((150, 2))}, ["Sample weights must be 1D array or scalar"]),
    ({"sample_weight": np.r_[np.ones(149), -1]}, ["sample_weight[149] is -1", "no negative"]),
    ({"sample_weight": np.r_[np.ones(149), np.nan]}, ["sample_weight contains NaN"]),
    ({"sample_weight": np.zeros(150)}, ["eight", "zero"]),
    ({"class_weight": {0: 0, 1: 0, 2: 0}}, ["sample_weight, times class_weight, is zero"]),
    ({"C": 1e-38}, ["C is 1e-38", "weights 150", "at least 1e-30"]),
    ({"C": 1e-20, "sample_weight": np.full(150, 1e-300)}, ["C is 1e-20", "weights 1.5e-298"]),
    ({"C": 5e-324}, ["C is", "weights 150"]),
    ({"X": X[:, 0]}, ["Expected 2D array, got 1D array instead"]),
    ({"X": X[:0], "y": y[:0]}, ["0 sample(s)", "minimum of 1"]),
    ({"X": X[:, :0]}, ["0 feature(s)", "minimum of 1"]),
    ({"X": X.astype(complex)}, ["Complex data not supported"]),
    ({"X": [["a", "b"]] * 150}, ["could not convert string to float"]),
    ({"X": X[None]}, ["dim 3"]),
]


@pytest.mark.parametrize(("data", "message"), DATA)
def test_data(data, message):
    refused(ValueError, *message, **data)


def test_objects_that_are_no_numbers():
    data = X.astype(object)
    data[0, 0] = {"foo": "bar"}
    refused(TypeError, "argument must be", X=data)


@pytest.mark.parametrize("method", METHODS)
def test_features_at_prediction(method):
    model = fitted()
    for wrong in (X[:, :3], sp.csr_array(X[:, :3])):
        with pytest.raises(
            ValueError, match="X has 3 features, but SoftmaxClassifier is expecting"
        ):
            getattr(model, method)(wrong)


def test_partial_fit():
    def partial(*message, X=X, y=y, model=None, classes=(0, 1, 2), **options):
        model = model or SoftmaxClassifier(**options)
        with pytest.raises(ValueError, match=".*".join(map(re.escape, message))):
            model.partial_fit(X, y, classes=classes)

    partial("classes must be passed on the first call to partial_fit.", classes=None)
    partial("y[100] is", "2", "wanted one of the classes", classes=[0, 1])
    partial("only one class", classes=[0], y=np.zeros(150, int))
    partial("class_weight is 'balanced'", "partial_fit", class_weight="balanced")
    partial("y has 3 columns: wanted 2", y=np.eye(3)[y], classes=[0, 1])
    partial("NaN", "row 71, column 2", X=spoiled(np.nan))
    fitted = SoftmaxClassifier().partial_fit(X, y, classes=[0, 1, 2])
    partial("not the same as on last call", "wanted array([0, 1, 2])", model=fitted, classes=[0, 1])
    partial("X has 3 features", X=X[:, :3], model=fitted)
