"""SoftmaxClassifier beyond LogisticRegression: kinds of X, predictions, the course of a fit."""

from __future__ import annotations

import re
import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning

from csoftmax import SoftmaxClassifier
from csoftmax.estimators import checks as fit_checks
from csoftmax.estimators import training

X, y = load_iris(return_X_y=True)
DIGITS, LABELS = load_digits(return_X_y=True)
METHODS = ["predict", "predict_proba", "predict_log_proba", "decision_function"]


# ---- kinds of X ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, bool])
@pytest.mark.parametrize("standardize", [False, True])
def test_narrow_features_are_float32_without_a_copy(dtype, standardize):
    narrow = DIGITS.astype(dtype)
    model = SoftmaxClassifier(C=1e-4, standardize=standardize).fit(narrow, LABELS)
    same = clone(model).fit(narrow.astype(np.float32), LABELS)
    assert model.coef_.dtype == np.float32
    np.testing.assert_allclose(model.coef_, same.coef_, atol=2e-4)
    for method in METHODS:
        a, b = (getattr(model, method)(each) for each in (narrow, narrow.astype(np.float32)))
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.float16, ">f8", ">f4", np.uint16])
def test_other_types_are_float64(dtype):
    model = SoftmaxClassifier(C=1e-4).fit(DIGITS.astype(dtype), LABELS)
    assert model.coef_.dtype == np.float64
    np.testing.assert_array_equal(model.coef_, SoftmaxClassifier(C=1e-4).fit(DIGITS, LABELS).coef_)


@pytest.mark.parametrize("make", [sp.csr_matrix, sp.csr_array, sp.csc_array, sp.coo_matrix])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8, bool, np.int64])
def test_sparse(make, dtype):
    dense = DIGITS[:300].astype(dtype)
    given = make(dense)
    model = SoftmaxClassifier(C=1e-3).fit(given, LABELS[:300])
    same = SoftmaxClassifier(C=1e-3).fit(dense, LABELS[:300])
    assert model.coef_.dtype == same.coef_.dtype
    np.testing.assert_allclose(model.coef_, same.coef_, atol=1e-3)
    for method in METHODS:
        a, b = getattr(model, method)(given), getattr(model, method)(dense)
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_sparse_with_long_indices():
    given = sp.csr_array(DIGITS)
    long = given.copy()
    long.indices, long.indptr = given.indices.astype(np.int64), given.indptr.astype(np.int64)
    models = [SoftmaxClassifier(C=1e-4).fit(each, LABELS) for each in (given, long)]
    np.testing.assert_array_equal(*(model.coef_ for model in models))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8])
def test_layouts(dtype, tmp_path):
    data = DIGITS.astype(dtype)
    expected = SoftmaxClassifier(C=1e-4).fit(data, LABELS)
    file = np.memmap(tmp_path / "X", dtype, "w+", shape=data.shape)
    file[...] = data
    strided = np.repeat(np.repeat(data, 2, axis=0), 2, axis=1)[::2, ::2]
    read_only = data.copy()
    read_only.flags.writeable = False
    for given in (np.asfortranarray(data), file, strided, read_only):
        model = SoftmaxClassifier(C=1e-4).fit(given, LABELS)
        np.testing.assert_array_equal(model.coef_, expected.coef_)
        np.testing.assert_array_equal(model.predict(given), expected.predict(data))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8, bool])
@pytest.mark.parametrize("standardize", [False, True])
def test_no_copy(order, dtype, standardize, monkeypatch):
    monkeypatch.setattr("csoftmax.prediction.checks.BLOCK_BYTES", 1 << 20)
    rng = np.random.default_rng(0)
    data = np.array(rng.integers(0, 2, (60_000, 200)), dtype, order=order)
    labels = rng.integers(0, 3, len(data))
    model = SoftmaxClassifier(C=1e-3, standardize=standardize, tol=1.0)
    model.fit(data[:1000], labels[:1000])  # so that all is imported
    tracemalloc.start()
    try:
        model.fit(data, labels)
        for method in METHODS:
            getattr(model, method)(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # labels, their indices, one array of predictions and a few blocks: X has 12e6 bytes or more
    assert peak < 8e6


# ---- predictions --------------------------------------------------------------------------------


@pytest.fixture(params=["two", "three"])
def fitted(request):
    keep = y < (2 if request.param == "two" else 3)
    return SoftmaxClassifier(np.inf if request.param == "two" else 1.0).fit(X[keep], y[keep])


@pytest.mark.parametrize("method", METHODS)
def test_out(fitted, method):
    predict = getattr(fitted, method)
    expected = predict(X)
    for order in "CF":
        out = np.empty(expected.shape, expected.dtype, order=order)
        assert predict(X, out=out) is out
        np.testing.assert_array_equal(out, expected)
    with pytest.raises(ValueError, match="out has shape"):
        predict(X, out=np.empty((7, 7)))
    with pytest.raises(TypeError, match="out has dtype"):
        predict(X, out=np.empty(expected.shape, np.int8))


def test_out_of_string_labels():
    model = SoftmaxClassifier().fit(X, np.array(["a", "b", "c"])[y])
    out = np.empty(len(X), model.classes_.dtype)
    assert model.predict(X, out=out) is out
    np.testing.assert_array_equal(out, model.predict(X))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
def test_blocks(fitted, method, form, monkeypatch):
    expected = getattr(fitted, method)(form(X))
    monkeypatch.setattr(fit_checks, "BLOCK_BYTES", 0)
    monkeypatch.setattr(fit_checks, "MIN_ROWS", 7)
    np.testing.assert_allclose(getattr(fitted, method)(form(X)), expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
def test_moments_in_blocks(form, monkeypatch):
    whole = SoftmaxClassifier(standardize=True, tol=1e-8).fit(form(X), y)
    monkeypatch.setattr(fit_checks, "BLOCK_BYTES", 0)
    monkeypatch.setattr(fit_checks, "MIN_ROWS", 7)
    parts = SoftmaxClassifier(standardize=True, tol=1e-8).fit(form(X), y)
    np.testing.assert_allclose(whole.coef_, parts.coef_, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_no_rows(fitted, method):
    with pytest.raises(ValueError, match="0 sample"):
        getattr(fitted, method)(X[:0])


def test_logarithms_are_from_the_scores(fitted):
    far = 1e4 * X
    log_proba = fitted.predict_log_proba(far)
    assert np.isfinite(log_proba).all()
    assert log_proba.min() < -1000  # probabilities that are 0 in float64
    np.testing.assert_allclose(np.exp(log_proba), fitted.predict_proba(far), atol=1e-9)
    np.testing.assert_allclose(
        fitted.predict_log_proba(X), np.log(fitted.predict_proba(X)), atol=1e-9
    )


# ---- warm start ---------------------------------------------------------------------------------


def test_warm_start_goes_on():
    model = SoftmaxClassifier(warm_start=True, tol=1e-6).fit(X, y)
    first = model.n_iter_[0]
    model.fit(X, y)
    assert model.n_iter_[0] <= 2 < first
    assert SoftmaxClassifier(tol=1e-6).fit(X, y).fit(X, y).n_iter_[0] == first


@pytest.mark.parametrize(
    ("before", "after"),
    [([0, 1, 2], [0, 1]), ([0, 1], [0, 1, 2]), ([0, 1, 2], [1, 2]), ([0, 1], [1, 2])],
)
@pytest.mark.parametrize("standardize", [False, True])
def test_warm_start_with_other_classes(before, after, standardize):
    a, b = np.isin(y, before), np.isin(y, after)
    names = np.array(["a", "b", "c"])[y]
    options = {"tol": 1e-6, "standardize": standardize}
    model = SoftmaxClassifier(warm_start=True, **options).fit(X[a], names[a])
    model.fit(X[b], names[b])
    cold = SoftmaxClassifier(**options).fit(X[b], names[b])
    assert model.classes_.tolist() == cold.classes_.tolist()
    np.testing.assert_allclose(model.coef_, cold.coef_, atol=1e-3)


def test_classes_that_stay_keep_their_coefficients():
    seen = []
    model = SoftmaxClassifier(np.inf, warm_start=True, tol=1e-2).fit(X, y)
    before = model.coef_.copy()
    model.set_params(callbacks=lambda progress: seen.append(progress.coef) or True, C=1e-9)
    four = np.r_[y, 3]
    from csoftmax.estimators import training

    coef, intercept = training.carry_over(
        before, model.intercept_, model.classes_, np.unique(four), one_row=False
    )
    np.testing.assert_array_equal(coef[:3], before)
    np.testing.assert_array_equal(coef[3], 0)
    np.testing.assert_array_equal(intercept, np.r_[model.intercept_, 0])


def test_warm_start_refuses_other_features():
    model = SoftmaxClassifier(warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match=r"3 features.*warm_start.*4"):
        model.fit(X[:, :3], y)


# ---- partial fit --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8])
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("standardize", [False, True])
def test_partial_fit_learns(dtype, form, standardize):
    data = (DIGITS if dtype == np.uint8 else DIGITS / 16).astype(dtype)
    model = SoftmaxClassifier(random_state=0, standardize=standardize)
    for _ in range(10):
        for start in range(0, len(data), 600):
            rows = slice(start, start + 600)
            model.partial_fit(form(data[rows]), LABELS[rows], classes=np.arange(10))
    assert model.score(form(data), LABELS) > 0.9
    assert model.coef_.dtype == fit_checks.arithmetic(data)


def test_partial_fit_with_classes_to_come():
    model = SoftmaxClassifier(random_state=0)
    for label in ("a", "c"):
        model.partial_fit(X[:10], [label] * 10, classes=["c", "a", "b"])
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert model.coef_.shape == (3, 4)


def test_partial_fit_two_classes_and_probabilities():
    model = SoftmaxClassifier(random_state=0)
    target = np.eye(2)[(y > 0).astype(int)]
    for _ in range(200):
        model.partial_fit(X, target)
    assert model.coef_.shape == (1, 4)
    assert model.score(X, y > 0) > 0.95
    named = SoftmaxClassifier().partial_fit(X, target, classes=["no", "yes"])
    assert named.classes_.tolist() == ["no", "yes"]


def test_partial_fit_goes_on_after_fit():
    model = SoftmaxClassifier(random_state=0).fit(X, y)
    before = model.coef_.copy()
    model.partial_fit(X, y)
    assert 0 < np.abs(model.coef_ - before).max() < 0.5
    assert model.score(X, y) > 0.95
    assert model.classes_.tolist() == [0, 1, 2]


def test_partial_fit_forgets_what_it_refused():
    options = {"standardize": True, "random_state": 0}
    models = [SoftmaxClassifier(**options).partial_fit(X, y, [0, 1, 2]) for _ in range(2)]
    with pytest.raises(ValueError, match="NaN"):
        models[0].partial_fit(np.full_like(X, np.nan), y)
    for model in models:
        model.partial_fit(X, y)
    np.testing.assert_array_equal(*(model.coef_ for model in models))


def test_partial_fit_weights():
    keep = (y > 0).astype(float)
    models = []
    for labels in (y, np.where(keep > 0, y, 2)):  # of rows without weight no label matters
        models.append(SoftmaxClassifier(random_state=0).partial_fit(X, labels, [0, 1, 2], keep))
    np.testing.assert_array_equal(*(model.coef_ for model in models))
    assert models[0].score(X, y, keep) >= 0.5


# ---- the course of a fit ------------------------------------------------------------------------


def test_history():
    model = SoftmaxClassifier().fit(X, y)
    assert list(model.history_) == ["loss", "gradient", "passes", "seconds", "bytes"]
    assert {len(values) for values in model.history_.values()} == {model.n_iter_[0]}
    assert model.n_iter_.shape == (1,)
    assert model.n_iter_.dtype == np.int32
    for name, falls in (("loss", True), ("passes", False), ("seconds", False), ("bytes", False)):
        steps = np.diff(model.history_[name])
        assert (steps <= 0).all() if falls else (steps >= 0).all(), name
    assert model.stop_reason_ == "gradient"
    assert model.history_["gradient"][-1] <= 1e-4


def test_loss_of_the_history_is_the_objective():
    model = SoftmaxClassifier(0.1, tol=1e-8).fit(X, y)
    loss = -model.predict_log_proba(X)[np.arange(len(y)), y].sum()
    loss += 0.5 / 0.1 * (model.coef_**2).sum()
    assert model.history_["loss"][-1] == pytest.approx(loss / len(y), rel=1e-9)


def test_verbose(capsys):
    model = SoftmaxClassifier(verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_iter_[0]
    n = r"[\d.e+-]+"
    line = rf"iteration +1  loss {n}  gradient {n}  passes {n}  {n} MB/s  {n} s"
    assert re.fullmatch(line, lines[0])
    SoftmaxClassifier(verbose=0).fit(X, y)
    assert capsys.readouterr().out == ""


def test_callbacks():
    seen = []

    def stop(progress):
        return progress.iteration == 3

    def note(progress):
        seen.append((progress.loss, progress.coef, progress.intercept))

    model = SoftmaxClassifier(callbacks=[stop, note]).fit(X, y)
    assert model.stop_reason_ == "callback"
    assert len(seen) == 3  # all are called, also where one stops
    assert [loss for loss, _, _ in seen] == model.history_["loss"]
    np.testing.assert_array_equal(seen[-1][1], model.coef_)
    np.testing.assert_array_equal(seen[-1][2], model.intercept_)
    assert not np.array_equal(seen[0][1], seen[1][1])
    only = SoftmaxClassifier(callbacks=stop).fit(X, y)
    np.testing.assert_array_equal(only.coef_, model.coef_)


def test_interrupt_keeps_the_last_iterate():
    seen = []

    def interrupt(progress):
        seen.append(progress.coef)
        if progress.iteration == 4:
            raise KeyboardInterrupt

    model = SoftmaxClassifier(callbacks=interrupt, warm_start=True)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.stop_reason_ == "interrupted"
    assert model.n_iter_.tolist() == [4]
    np.testing.assert_array_equal(model.coef_, seen[-1])
    model.set_params(callbacks=None).fit(X, y)
    np.testing.assert_allclose(model.coef_, SoftmaxClassifier().fit(X, y).coef_, atol=0.05)


def test_interrupt_before_there_is_one_changes_nothing(monkeypatch):
    def interrupt(self, theta):
        raise KeyboardInterrupt

    model = SoftmaxClassifier().fit(X, y)
    before = model.coef_
    monkeypatch.setattr(training.CheckedObjective, "loss_grad", interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.coef_ is before


@pytest.mark.parametrize("n_jobs", [1, 2, 3, -1, -2, -1000])
def test_threads_change_no_bit(n_jobs):
    options = {"C": 1e-4, "standardize": True}
    expected = SoftmaxClassifier(**options).fit(DIGITS, LABELS)
    model = SoftmaxClassifier(n_jobs=n_jobs, **options).fit(DIGITS, LABELS)
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    np.testing.assert_array_equal(model.predict_proba(DIGITS), expected.predict_proba(DIGITS))


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("keep", [2, 3])
@pytest.mark.parametrize(
    "options", [{}, {"solver": "newton-cg"}, {"l1_ratio": 0.5}, {"solver": "sgd"}]
)
def test_no_iterations(options, keep, form):
    """The model is that from which a fit would start; the data are looked at all the same."""
    X, y = load_iris(return_X_y=True)
    X, y = form(X[y < keep]), y[y < keep]
    model = SoftmaxClassifier(**options, max_iter=0, random_state=0)
    with pytest.warns(ConvergenceWarning, match="after max_iter=0 iterations"):
        model.fit(X, y)
    assert not model.coef_.any()
    assert not model.intercept_.any()
    assert (model.n_iter_.tolist(), model.stop_reason_) == ([0], "max_iter")
    assert model.history_["loss"] == []
    np.testing.assert_allclose(model.predict_proba(X), 1 / keep)
    model.set_params(warm_start=True, max_iter=1000).fit(X, y)
    coef = model.coef_
    with pytest.warns(ConvergenceWarning, match="max_iter=0"):
        model.set_params(max_iter=0, tol=0).fit(X, y)
    np.testing.assert_allclose(model.coef_, coef, atol=1e-10)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(X * np.nan, y)
