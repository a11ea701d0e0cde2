"""Fits of Dask's arrays and data frames in one process: the model of all rows in memory."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("dask")
pytest.importorskip("distributed")
import dask
import dask.array as da
import scipy.sparse

import csoftmax
from csoftmax.dask import SoftmaxClassifier, chunks

N = 1500
CUTS = (400, 0, 99, 1, 700, 300)


@pytest.fixture(autouse=True)
def small_groups(monkeypatch):
    """More than one group, and one of more than one chunk."""
    monkeypatch.setattr(chunks, "GROUP_BYTES", 30_000)


def problem(width=12, n_classes=4, dtype=np.float32, n_rows=N):
    r = np.random.default_rng(0)
    X = (r.standard_normal((n_rows, width)) * np.linspace(0.5, 3, width) + 2).astype(dtype)
    y = (X[:, :n_classes] + 3 * r.gumbel(size=(n_rows, n_classes))).argmax(axis=1)
    return X, y, r.random(n_rows)


def lazy(array, cuts=CUTS):
    cuts = cuts if len(array) == sum(cuts) else len(array) // 4
    return da.from_array(array, chunks=(cuts, *array.shape[1:]))


def unknown(array):
    """The same with sizes that nobody knows."""
    result = lazy(array)
    return result[da.ones(len(array), dtype=bool, chunks=(CUTS,))]


def same(got, want, X, tol=2e-3):
    """Two fits of one problem: both ended within tol, from other roundings on other ways."""
    np.testing.assert_allclose(
        np.asarray(got.predict_proba(X)), want.predict_proba(X), atol=tol, rtol=0
    )
    assert got.history_["loss"][-1] == pytest.approx(want.history_["loss"][-1], rel=3e-5)
    np.testing.assert_array_equal(got.classes_, want.classes_)
    for name in ("coef_", "intercept_", "n_iter_"):
        ours, theirs = getattr(got, name), getattr(want, name)
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
    assert got.n_features_in_ == want.n_features_in_
    assert got.history_.keys() == want.history_.keys()


def pair(X, y, weight=None, *, given=None, **options):
    """Our fit of `given`, and that of the rows in memory."""
    options = {"tol": 1e-5, **options}
    want = csoftmax.SoftmaxClassifier(**options).fit(X, y, weight)
    given = given or tuple(None if a is None else lazy(a) for a in (X, y, weight))
    return SoftmaxClassifier(**options).fit(*given), want


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.int16])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"standardize": True},
        {"solver": "newton-cg"},
        {"l1_ratio": 0.5, "C": 0.1},
        {"C": np.inf, "fit_intercept": False},
        {"class_weight": "balanced", "label_smoothing": 0.1},
        {"class_weight": {0: 3.0, 2: 0.5}},
    ],
    ids=str,
)
def test_the_model_of_all_rows(options, dtype):
    X, y, weight = problem(dtype=np.float64)
    X = np.clip(np.round(X), 0, 255) if np.issubdtype(dtype, np.integer) else X
    X = X.astype(dtype)
    got, want = pair(X, y, weight, **options)
    same(got, want, X)
    if "l1_ratio" not in options:  # there rounding decides how long it takes
        assert got.history_["passes"][-1] <= 1.5 * want.history_["passes"][-1] + 3


@pytest.mark.parametrize(("width", "n_classes"), [(3, 5), (60, 2), (60, 5), (600, 2), (2100, 2)])
def test_every_metric(width, n_classes, monkeypatch):
    X, y, _ = problem(max(width, n_classes), n_classes, n_rows=2 * N)
    for sample in (64 << 20, X.nbytes // 2):
        monkeypatch.setattr("csoftmax.sources.survey.SAMPLE_BYTES", sample)
        got, want = pair(X, y, C=0.01)
        same(got, want, X)
        assert got.history_["passes"][-1] <= 1.5 * want.history_["passes"][-1] + 3


def test_the_whole_sample_is_all_rows():
    X, y, weight = problem(5, 3)
    got, want = pair(X, y, weight)  # so few: the Hessian itself
    assert got.n_iter_ == want.n_iter_
    np.testing.assert_allclose(got.coef_, want.coef_, atol=1e-5)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("make", [lazy, unknown])
def test_chunks_of_any_size(make, weighted):
    X, y, weight = problem()
    weight = weight if weighted else None
    given = make(X), make(y), None if weight is None else make(weight)
    got, want = pair(X, y, weight, given=given)
    same(got, want, X)
    assert got.score(*given) == pytest.approx(want.score(X, y, weight))


def test_chunks_along_features_and_of_other_sizes_for_y():
    X, y, weight = problem()
    given = da.from_array(X, chunks=(500, 5)), da.from_array(y, chunks=77), weight
    got, want = pair(X, y, weight, given=given)
    same(got, want, X)
    again = SoftmaxClassifier(tol=1e-5).fit(da.from_array(X, chunks=(500, 12)), y[:, None], weight)
    np.testing.assert_array_equal(again.coef_, got.coef_)


@pytest.mark.parametrize("standardize", [False, True])
def test_sparse_chunks(standardize):
    X, y, weight = problem(40)
    X[X < 2] = 0
    rows = lazy(X).map_blocks(scipy.sparse.csr_array)
    given = rows, lazy(y), lazy(weight)
    got, want = pair(scipy.sparse.csr_array(X), y, weight, given=given, standardize=standardize)
    same(got, want, X)
    np.testing.assert_array_equal(got.predict(rows), want.predict(X))
    assert got.score(*given) == pytest.approx(want.score(X, y, weight))


def test_sparse_chunks_of_other_formats_and_many_features():
    X, y, _ = problem(520)
    X[X < 4] = 0
    rows = lazy(X).map_blocks(scipy.sparse.coo_matrix).persist()
    got, want = pair(scipy.sparse.csr_array(X), y, given=(rows, lazy(y)), C=0.01, tol=1e-3)
    same(got, want, X, 1e-2)


def test_probabilities_as_targets():
    X, y, _ = problem()
    soft = 0.9 * np.eye(4)[y] + 0.025
    for given in (lazy(soft), soft, da.from_array(soft, chunks=(600, 3))):
        got, want = pair(X, soft, given=(lazy(X), given))
        same(got, want, X)


def test_labels_of_any_type():
    X, y, _ = problem()
    for labels in (np.array(list("dbca"))[y], np.array(list("dbca"), object)[y], y - 2, y > 1):
        got, want = pair(X, labels)
        same(got, want, X)
        np.testing.assert_array_equal(got.predict(lazy(X)), want.predict(X))


def test_classes_that_y_lacks():
    X, y, _ = problem()
    model = SoftmaxClassifier().fit(lazy(X), lazy(y), classes=[5, 3, 2, 1, 0])
    np.testing.assert_array_equal(model.classes_, [0, 1, 2, 3, 5])
    assert model.coef_.shape == (5, 12)
    assert model.predict_proba(X)[:, 4].max() < 0.05
    with pytest.raises(ValueError, match=r"y has 3: wanted one of the classes, \[0, 1, 2\]"):
        SoftmaxClassifier().fit(lazy(X), lazy(y), classes=range(3))
    with pytest.raises(ValueError, match="classes is given, but y is probabilities"):
        SoftmaxClassifier().fit(lazy(X), lazy(np.eye(4)[y]), classes=range(4))
    with pytest.raises(TypeError, match="classes is given, but X is in memory"):
        SoftmaxClassifier().fit(X, y, classes=range(4))


def test_classes_that_some_chunks_lack():
    X, y, _ = problem()
    order = np.argsort(y, kind="stable")
    got, want = pair(X[order], y[order])
    same(got, want, X)


def test_rows_without_weight_are_looked_at():
    X, y, weight = problem()
    weight[:500] = 0  # all of the first chunk
    got, want = pair(X, y, weight)
    same(got, want, X)
    X[3, 2] = np.nan
    with pytest.raises(ValueError, match="chunk 0 of X: Input X contains NaN"):
        SoftmaxClassifier().fit(lazy(X), lazy(y), lazy(weight))


def test_weights_of_any_size():
    X, y, weight = problem()
    got, want = pair(X, y, 1e-30 * weight, C=1e30)
    same(got, want, X)


def test_warm_start_callbacks_and_what_is_told(capsys):
    X, y, _ = problem()
    told = []
    model = SoftmaxClassifier(tol=1e-6, verbose=1, callbacks=told.append).fit(lazy(X), lazy(y))
    out = capsys.readouterr().out
    assert out.count("iteration") == len(told) == model.n_iter_
    assert told[-1].coef.shape == (4, 12)
    read = model.history_["bytes"][-1] / X.nbytes
    assert model.history_["passes"][-1] < read < model.history_["passes"][-1] + 2
    model.set_params(warm_start=True, callbacks=lambda line: True, verbose=0)
    model.fit(lazy(X), lazy(y))
    assert model.n_iter_ == 1 or model.stop_reason_ == "gradient"
    stopped = SoftmaxClassifier(callbacks=lambda line: True).fit(lazy(X), lazy(y))
    assert stopped.stop_reason_ == "callback"


def test_an_interrupted_fit_keeps_the_last_iterate():
    def interrupt(line):
        if line.iteration == 2:
            raise KeyboardInterrupt

    X, y, _ = problem()
    model = SoftmaxClassifier(tol=1e-9, callbacks=interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(lazy(X), lazy(y))
    assert (model.stop_reason_, model.n_iter_) == ("interrupted", 2)


def test_an_unfinished_fit_warns():
    X, y, _ = problem()
    with pytest.warns(csoftmax.estimators.sklearn.ConvergenceWarning, match="max_iter=1") as found:
        SoftmaxClassifier(max_iter=1, tol=1e-9).fit(lazy(X), lazy(y))
    assert found[0].filename == __file__


def test_features_far_from_zero():
    X, y, _ = problem()
    X[:, 1] += 1e4
    got, want = pair(X, y)
    same(got, want, X, 1e-2)


def test_rows_in_memory_are_fitted_as_ever():
    X, y, weight = problem()
    ours = SoftmaxClassifier().fit(X, y, weight)
    theirs = csoftmax.SoftmaxClassifier().fit(X, y, weight)
    np.testing.assert_array_equal(ours.coef_, theirs.coef_)
    out = np.empty(N, ours.classes_.dtype)
    assert ours.predict(X, out=out) is out
    assert ours.score(X, y) == theirs.score(X, y)
    ours.partial_fit(X, y)


def test_the_data_stay_as_they_are():
    X, y, weight = problem()
    kept = [a.copy() for a in (X, y, weight)]
    SoftmaxClassifier(standardize=True).fit(lazy(X), lazy(y), lazy(weight))
    for now, before in zip((X, y, weight), kept, strict=True):
        np.testing.assert_array_equal(now, before)


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_same_bits_with_any_scheduler_and_number_of_threads(scheduler):
    X, y, weight = problem()
    want = SoftmaxClassifier().fit(lazy(X), lazy(y), lazy(weight))
    with dask.config.set(scheduler=scheduler):
        for n_jobs in (1, 2):
            got = SoftmaxClassifier(n_jobs=n_jobs).fit(lazy(X), lazy(y), lazy(weight))
            np.testing.assert_array_equal(got.coef_, want.coef_)
            np.testing.assert_array_equal(got.intercept_, want.intercept_)


# ---- predictions -------------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("make", [lazy, unknown])
@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "predict_log_proba", "decision_function"]
)
def test_predictions_are_lazy(method, make, n_classes):
    X, y, _ = problem(n_classes=n_classes)
    model = SoftmaxClassifier().fit(lazy(X), lazy(y))
    result = getattr(model, method)(make(X))
    assert isinstance(result, da.Array)
    want = getattr(model, method)(X)
    assert (result.dtype, result.ndim) == (want.dtype, want.ndim)
    np.testing.assert_allclose(result.compute(), want, rtol=1e-5)
    assert result.shape == want.shape or np.isnan(result.shape[0])
    in_two = getattr(model, method)(da.from_array(X, chunks=(500, 7)))
    np.testing.assert_allclose(in_two.compute(), want, rtol=1e-5)


def test_predictions_after_sparsify_and_of_integers():
    X, y, _ = problem(dtype=np.float64)
    X = np.round(X).astype(np.int32)
    model = SoftmaxClassifier(l1_ratio=1, C=0.01).fit(lazy(X), lazy(y)).sparsify()
    np.testing.assert_array_equal(model.predict(lazy(X)), model.predict(X))


def test_nothing_is_computed_for_a_prediction_that_nobody_asks_for():
    X, y, _ = problem()
    model = SoftmaxClassifier().fit(X, y)

    def fail(block):
        raise AssertionError

    nowhere = lazy(X).map_blocks(fail, dtype=X.dtype, meta=X[:0])
    assert model.predict(nowhere).shape == (N,)


# ---- data frames -------------------------------------------------------------------------------


@pytest.fixture
def frame():
    pd = pytest.importorskip("pandas")
    dd = pytest.importorskip("dask.dataframe")
    X, y, weight = problem(4)
    table = pd.DataFrame(X, columns=list("abcd"))
    table["kind"], table["weight"] = np.array(list("dbca"))[y], weight
    parts = dd.from_pandas(table, npartitions=4)
    return table, parts


def test_data_frames(frame):
    table, parts = frame
    X, y, weight = table[list("abcd")], table["kind"], table["weight"]
    want = csoftmax.SoftmaxClassifier(tol=1e-5).fit(X, y, weight)
    lazy_X = parts[list("abcd")]
    by_name = SoftmaxClassifier(tol=1e-5).fit(parts, "kind", "weight")
    apart = SoftmaxClassifier(tol=1e-5).fit(lazy_X, parts["kind"], parts["weight"])
    np.testing.assert_array_equal(by_name.coef_, apart.coef_)
    assert by_name.coef_.dtype == np.float32
    np.testing.assert_array_equal(by_name.feature_names_in_, list("abcd"))
    np.testing.assert_allclose(by_name.coef_, want.coef_, atol=1e-3)
    np.testing.assert_array_equal(by_name.classes_, want.classes_)
    found = by_name.predict(lazy_X)
    assert isinstance(found, da.Array)
    np.testing.assert_array_equal(found.compute(), by_name.predict(X))
    score = by_name.score(parts, "kind", "weight")
    assert score == pytest.approx(want.score(X, y, weight), abs=1e-3)
    with pytest.raises(ValueError, match="X has 'b' as feature 0: wanted 'a', as in fit"):
        by_name.predict(parts[list("bacd")])
    # X as an array, y as a column
    rows = lazy_X.to_dask_array()
    np.testing.assert_array_equal(
        SoftmaxClassifier(tol=1e-5).fit(rows, parts["kind"], parts["weight"]).coef_, apart.coef_
    )


def test_data_frames_with_partitions_that_are_empty(frame):
    table, parts = frame
    none_first = parts.map_partitions(lambda part: part[part.index >= 500])
    assert none_first.map_partitions(len).compute().min() == 0
    model = SoftmaxClassifier().fit(none_first, "kind", "weight")
    rows = table[table.index >= 500]
    want = csoftmax.SoftmaxClassifier().fit(rows[list("abcd")], rows["kind"], rows["weight"])
    np.testing.assert_allclose(model.coef_, want.coef_, atol=1e-2)
    found = model.predict_proba(none_first[list("abcd")]).compute()
    assert found.shape == (len(rows), 4)


def test_data_frames_with_probabilities(frame):
    _, parts = frame
    y = parts[list("cd")].map_partitions(lambda p: abs(p).div(abs(p).sum(axis=1), axis=0))
    model = SoftmaxClassifier().fit(parts[list("ab")], y.astype("float64"))
    np.testing.assert_array_equal(model.classes_, [0, 1])


def test_names_of_columns_are_held_against_the_frame(frame):
    _, parts = frame
    with pytest.raises(ValueError, match="y is 'sort': wanted one of the columns"):
        SoftmaxClassifier().fit(parts, "sort")
    with pytest.raises(TypeError, match="X has column 'kind' of dtype string: wanted numbers"):
        SoftmaxClassifier().fit(parts, "weight")
    X, _, _ = problem()
    with pytest.raises(TypeError, match=r"y is 'kind', but X is a dask\.Array, which has no col"):
        SoftmaxClassifier().fit(lazy(X), "kind")
