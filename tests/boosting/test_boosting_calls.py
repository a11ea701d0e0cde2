"""How libraries call, what they get, and what is refused; with stand-ins for their data sets."""

from __future__ import annotations

import copy
import inspect
import pickle
import sys
import types

import numpy as np
import pytest
from boost_problem import OPTIONS, Dataset, Matrix, problem

import csoftmax
from csoftmax.boosting import softmax_metric, softmax_objective

SCORES, LABELS, WEIGHTS, _ = problem(30, 4, {})
WIDE = SCORES.astype(np.float64)


def equal(got, want):
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)


def test_neither_library_is_imported(run_python):
    run_python(
        "import sys\n"
        "sys.modules['xgboost'] = sys.modules['lightgbm'] = sys.modules['sklearn'] = None\n"
        "import csoftmax, numpy\n"
        "csoftmax.boosting.softmax_objective()([1, 0], numpy.zeros((2, 3), 'f'))\n"
    )


def test_all_forms_are_one():
    objective = softmax_objective()
    want = objective(SCORES, Matrix(LABELS, WEIGHTS))
    equal(objective(LABELS, SCORES, sample_weight=WEIGHTS), want)
    equal(objective(LABELS.astype(np.float32), SCORES, WEIGHTS), want)
    want = objective(WIDE, Dataset(LABELS, WEIGHTS))
    equal(objective(LABELS, WIDE, WEIGHTS), want)
    equal(objective(LABELS, np.asfortranarray(WIDE), WEIGHTS), want)
    flat = objective(LABELS, WIDE.ravel("F"), WEIGHTS)
    assert flat[0].shape == flat[1].shape == (120,)
    equal([a.reshape((30, 4), order="F") for a in flat], want)


def test_without_weights():
    objective = softmax_objective()
    equal(objective(SCORES, Matrix(LABELS)), objective(LABELS, SCORES))
    equal(objective(WIDE, Dataset(LABELS)), objective(LABELS, WIDE, None))
    equal(objective(SCORES, Matrix(LABELS)), objective(SCORES, Matrix(LABELS, np.ones(30))))


def test_the_hessian_is_that_of_the_library():
    factor = {}
    for name, grad_hess in {
        "xgboost": softmax_objective()(SCORES, Matrix(LABELS)),
        "lightgbm": softmax_objective()(WIDE, Dataset(LABELS)),
        "own": softmax_objective(hessian="diagonal")(WIDE, Dataset(LABELS)),
    }.items():
        factor[name] = grad_hess[1]
    np.testing.assert_allclose(factor["lightgbm"], factor["own"] * 4 / 3, rtol=1e-6)
    np.testing.assert_allclose(factor["xgboost"], factor["own"] * 2, rtol=1e-4)


@pytest.mark.parametrize(
    ("version", "residual"),
    [("2.1.4", False), ("3.4.1", False), ("3.5.0-dev", True), ("3.10.0", True), ("4.0.0", True)],
)
def test_the_hessian_is_that_of_the_version(version, residual, monkeypatch):
    monkeypatch.setitem(sys.modules, "xgboost", types.SimpleNamespace(__version__=version))
    want = softmax_objective(hessian="residual" if residual else "bound")
    equal(
        softmax_objective()(SCORES, Matrix(LABELS)),
        want(SCORES, Matrix(LABELS)),
    )
    equal(
        softmax_objective()(WIDE, Dataset(LABELS)),
        softmax_objective(hessian="friedman")(WIDE, Dataset(LABELS)),
    )


def test_what_xgboost_and_lightgbm_look_at():
    for made in (softmax_objective(), softmax_metric(name="mine")):
        parameters = inspect.signature(made).parameters
        assert len(parameters) == 3  # LightGBM: labels, predictions, weights
        assert list(parameters)[2] == "sample_weight"  # XGBoost passes it by name
    assert softmax_metric(name="mine").__name__ == "mine"


def test_metric_forms():
    metric = softmax_metric()
    name, value = metric(SCORES, Matrix(LABELS, WEIGHTS))
    assert name == "softmax_loss"
    assert isinstance(value, float)
    assert metric(LABELS, SCORES, sample_weight=WEIGHTS) == value
    name, wide, more_is_better = metric(WIDE, Dataset(LABELS, WEIGHTS))
    assert (name, more_is_better) == ("softmax_loss", False)
    assert metric(LABELS, WIDE, WEIGHTS) == (name, wide, False)
    assert metric(LABELS, WIDE.ravel("F"), WEIGHTS) == (name, wide, False)
    np.testing.assert_allclose(value, wide, rtol=1e-6)


def test_metric_of_probabilities():
    shares = csoftmax.softmax(WIDE, axis=1)
    value = softmax_metric()(WIDE, Dataset(LABELS, WEIGHTS))[1]
    same = softmax_metric(probabilities=True)(shares, Dataset(LABELS, WEIGHTS))[1]
    np.testing.assert_allclose(same, value, rtol=1e-13)
    shares[0] = np.eye(4)[0]
    value = softmax_metric(probabilities=True)(shares[:1], Dataset([1]))[1]
    np.testing.assert_allclose(value, -np.log(1e-16), rtol=1e-12)
    shares[0, 0] = np.nan
    assert np.isnan(softmax_metric(probabilities=True)(shares, Dataset(LABELS))[1])


def test_soft_labels_of_a_matrix():
    """XGBoost's labels may be (N, C); LightGBM's may not, and soft_labels is for both."""
    soft = np.random.default_rng(0).dirichlet(np.ones(4), 30).astype(np.float32)
    want = softmax_objective(soft_labels=soft)(SCORES, Matrix(LABELS))
    equal(softmax_objective()(SCORES, Matrix(soft)), want)
    equal(softmax_objective(soft_labels=soft.astype(float))(SCORES, Matrix(LABELS)), want)
    hard = softmax_objective(soft_labels=np.eye(4)[LABELS])(SCORES, Matrix(LABELS))
    for a, b in zip(hard, softmax_objective()(SCORES, Matrix(LABELS)), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-7)
    flat = softmax_objective(soft_labels=soft)(None, WIDE.ravel("F"))
    equal([a.reshape((4, 30)).T for a in flat], softmax_objective(soft_labels=soft)(None, WIDE))


def test_class_weights_of_a_dictionary():
    want = softmax_objective(class_weight=[1, 2, 1, 0.5])(SCORES, Matrix(LABELS))
    equal(softmax_objective(class_weight={1: 2, 3: 0.5})(SCORES, Matrix(LABELS)), want)


def test_weights_multiply():
    whole = softmax_objective(hessian="diagonal")(WIDE, Dataset(LABELS, WEIGHTS))
    plain = softmax_objective(hessian="diagonal")(WIDE, Dataset(LABELS))
    by_class = softmax_objective(hessian="diagonal", class_weight=[2, 2, 2, 2])(
        WIDE, Dataset(LABELS)
    )
    for a, b, c in zip(whole, plain, by_class, strict=True):
        np.testing.assert_allclose(a, b * WEIGHTS[:, None], rtol=1e-6)
        np.testing.assert_allclose(c, 2 * b, rtol=1e-6)


@pytest.mark.parametrize("name", OPTIONS)
def test_copies_compute_the_same(name):
    """Searches clone, LightGBM copies its parameters, processes pickle."""
    scores, labels, weights, options = problem(30, 4, OPTIONS[name])
    for made in (softmax_objective(**options), softmax_metric(**options, name="n")):
        want = made(scores, Matrix(labels, weights))
        for other in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
            equal(other(scores, Matrix(labels, weights)), want)


def test_they_show_their_options():
    assert repr(softmax_objective()) == "softmax_objective()"
    made = softmax_objective(gamma=2, class_weight={1: 2}, hessian="bound", n_threads=1)
    want = "class_weight={1: 2.0}, gamma=2.0, n_threads=1"
    assert repr(made) == f"softmax_objective({want}, hessian='bound')"
    made = softmax_metric(soft_labels=np.ones((2, 3)), temperature=0.5)
    assert repr(made) == "softmax_metric(soft_labels=<(2, 3)>, temperature=0.5)"


REFUSED_OPTIONS = {
    "smoothing": ({"label_smoothing": 1.5}, ValueError, "label_smoothing is 1.5: wanted"),
    "gamma": ({"gamma": -1}, ValueError, "gamma is -1: wanted a finite number of at least 0"),
    "gamma None": ({"gamma": None}, TypeError, "gamma is None: wanted a real number"),
    "temperature": ({"temperature": 0}, ValueError, "temperature is 0: wanted a positive number"),
    "temperature nan": ({"temperature": np.nan}, ValueError, "temperature is nan: wanted"),
    "threads": ({"n_threads": 0}, ValueError, "n_threads is 0: wanted a positive integer"),
    "balanced": ({"class_weight": "balanced"}, TypeError, "class_weight is 'balanced': wanted num"),
    "class weights": (
        {"class_weight": [[1, 2]]},
        ValueError,
        "class_weight has shape (1, 2): want",
    ),
    "negative": ({"class_weight": [1, -2]}, ValueError, "class_weight[1] is -2"),
    "negative in dict": ({"class_weight": {1: -2}}, ValueError, "class_weight[1] is -2"),
    "class": ({"class_weight": {"a": 2}}, TypeError, "a class of class_weight is 'a': wanted"),
    "soft": ({"soft_labels": [1, 2]}, ValueError, "soft_labels has shape (2,): wanted (N, C)"),
    "soft negative": ({"soft_labels": [[1, -2.0]]}, ValueError, "soft_labels are from -2.0 to 1.0"),
    "soft nan": ({"soft_labels": [[1, np.nan]]}, ValueError, "soft_labels are from nan to nan"),
}


@pytest.mark.parametrize("make", [softmax_objective, softmax_metric])
@pytest.mark.parametrize("name", REFUSED_OPTIONS)
def test_options_that_are_refused(make, name):
    options, error, message = REFUSED_OPTIONS[name]
    with pytest.raises(error) as raised:
        make(**options)
    assert str(raised.value).startswith(message)


def test_names_that_are_refused():
    with pytest.raises(ValueError, match="hessian is 'exact': wanted one of 'auto', 'diagonal'"):
        softmax_objective(hessian="exact")
    with pytest.raises(TypeError, match="name is 3: wanted a string"):
        softmax_metric(name=3)


REFUSED_CALLS = {
    "one score": ((SCORES[:, 0], Matrix(LABELS)), ValueError, "predictions have shape (30,): want"),
    "one class": ((SCORES[:, :1], Matrix(LABELS)), ValueError, "predictions have shape (30, 1): w"),
    "cube": ((SCORES[None], Matrix(LABELS)), ValueError, "predictions have shape (1, 30, 4): want"),
    "flat": ((WIDE.ravel()[:-1], Dataset(LABELS)), ValueError, "predictions have shape (119,)"),
    "dtype": ((LABELS, SCORES.astype(int)), TypeError, "predictions have dtype int64: wanted floa"),
    "no array": ((LABELS, {}), TypeError, "predictions has dtype object"),
    "label": (
        ([*LABELS[:-1], 4], SCORES),
        ValueError,
        "labels[29] is 4: wanted class indices from",
    ),
    "label -1": (
        ([-1, *LABELS[1:]], SCORES),
        ValueError,
        "labels[0] is -1: wanted class indices f",
    ),
    "half": (
        ([0.5, *LABELS[1:]], SCORES),
        ValueError,
        "labels[0] is 0.5: wanted class indices, wh",
    ),
    "nan": (([np.nan, *LABELS[1:]], SCORES), ValueError, "labels[0] is nan: wanted class indices"),
    "few": (
        (LABELS[:-1], SCORES),
        ValueError,
        "labels have shape (29,): wanted (30,) class indices",
    ),
    "no labels": ((None, SCORES), TypeError, "labels has dtype object: wanted real numbers"),
    "weights": ((LABELS, SCORES, WEIGHTS[1:]), ValueError, "weights has shape (29,): wanted (30,)"),
    "negative": ((LABELS, SCORES, -WEIGHTS), ValueError, "weights[0] is -"),
    "twice": (
        (SCORES, Matrix(LABELS), WEIGHTS),
        TypeError,
        "sample_weight beside a data set: want",
    ),
}


@pytest.mark.parametrize("make", [softmax_objective, softmax_metric])
@pytest.mark.parametrize("name", REFUSED_CALLS)
def test_calls_that_are_refused(make, name):
    arguments, error, message = REFUSED_CALLS[name]
    with pytest.raises(error) as raised:
        make()(*arguments)
    assert str(raised.value).startswith(message)


def test_options_that_do_not_fit_the_predictions():
    with pytest.raises(ValueError, match=r"soft_labels has shape \(30, 3\): wanted \(30, 4\) as"):
        softmax_objective(soft_labels=np.ones((30, 3)))(SCORES, Matrix(LABELS))
    with pytest.raises(ValueError, match=r"soft_labels has shape \(29, 4\): wanted \(30, 4\) as"):
        softmax_metric(soft_labels=np.ones((29, 4)))(SCORES, Matrix(LABELS))
    with pytest.raises(ValueError, match=r"class_weight has shape \(3,\): wanted \(4,\), one for"):
        softmax_objective(class_weight=[1, 2, 3])(SCORES, Matrix(LABELS))
    with pytest.raises(ValueError, match="class_weight has class 4: wanted classes from 0 to 3"):
        softmax_objective(class_weight={4: 2})(SCORES, Matrix(LABELS))
    with pytest.raises(ValueError, match=r"predictions are from -.*: wanted probabilities, or"):
        softmax_metric(probabilities=True)(SCORES, Matrix(LABELS))
