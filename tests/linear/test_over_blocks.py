"""Linear losses, products and predictions over blocks: what they are over all rows at once."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.sparse

from csoftmax import linear_predict, linear_predict_proba, linear_top_k, softmax_loss, svm_loss
from csoftmax.solvers.passes import hvp
from csoftmax.sources import memory

pytestmark = pytest.mark.usefixtures("isa")

CUTS = ([0, 1000], [0, 1, 1, 400, 993, 1000], [0, 0, 500, 1000, 1000])


def problem(dtype=np.float32, x_dtype=None):
    r = np.random.default_rng(3)
    X = r.integers(0, 256, (1000, 19)).astype(x_dtype or dtype)
    W = (r.standard_normal((19, 7)) / 200).astype(dtype)
    b = r.standard_normal(7).astype(dtype)
    return W, X, r.integers(0, 7, 1000), b


def blocks_of(cuts, *arrays):
    def blocks():
        for a, b in itertools.pairwise(cuts):
            found = tuple(array[a:b] for array in arrays)
            yield found if len(found) > 1 else found[0]

    return blocks


def close(got, want, dtype):
    scale = np.abs(want).max()
    np.testing.assert_allclose(got, want, rtol=0, atol=20 * np.finfo(dtype).eps * scale)


@pytest.mark.parametrize("cuts", CUTS)
@pytest.mark.parametrize("loss", [softmax_loss, svm_loss])
@pytest.mark.parametrize("x_dtype", [np.float32, np.float64, np.uint8, np.int16])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_loss_and_gradient(dtype, x_dtype, loss, cuts):
    W, X, y, b = problem(dtype, x_dtype)
    weight = np.random.default_rng(0).random(1000)
    weight[400:993] = 0  # a block without weight
    shift, scale = X.mean(axis=0, dtype=np.float64), 1 / X.std(axis=0, dtype=np.float64)
    for more in ({}, {"sample_weight": weight, "bias": b}, {"shift": shift, "scale": scale}):
        narrow = X.astype(np.float32) if x_dtype == np.int16 else X  # as the blocks are
        want = loss(W, narrow, y, 0.3, **more)
        out = np.empty_like(W)
        got = loss(W, blocks_of(cuts, X), y, 0.3, **more, out=out)
        assert got[1] is out
        assert isinstance(got[0], float)
        assert got[0] == pytest.approx(want[0], rel=1e-6 if dtype == np.float32 else 1e-13)
        for a, b_ in zip(got[1:], want[1:], strict=True):
            assert a.dtype == dtype
            close(a, b_, dtype)


def test_target_and_weights_with_the_blocks():
    W, X, y, b = problem()
    weight = np.random.default_rng(0).random(1000)
    soft = np.eye(7)[y]
    want = softmax_loss(W, X, y, 0.1, bias=b, sample_weight=weight)
    for target in (y, soft):
        source = blocks_of(CUTS[1], X, target, weight)
        got = softmax_loss(W, source, None, 0.1, bias=b)
        assert got[0] == pytest.approx(want[0], rel=1e-6)
        close(got[1], want[1], np.float32)
        close(got[2], want[2], np.float32)


def test_sparse_blocks():
    W, X, y, b = problem()
    X[X < 200] = 0
    rows = scipy.sparse.csr_array(X)
    want = softmax_loss(W, rows, y, bias=b)
    got = softmax_loss(W, blocks_of(CUTS[1], rows), y, bias=b)
    assert got[0] == pytest.approx(want[0], rel=1e-6)
    close(got[1], want[1], np.float32)
    np.testing.assert_array_equal(
        linear_predict(W, blocks_of(CUTS[1], rows)), linear_predict(W, rows)
    )


def test_hessian_product():
    W, X, _, b = problem(np.float64)
    V = np.random.default_rng(1).standard_normal(W.shape)
    weight = np.random.default_rng(0).random(1000)
    for more in ({}, {"bias": b, "vbias": -b, "sample_weight": weight}):
        want = hvp(W, X, V, 0.2, **more)
        got = hvp(W, blocks_of(CUTS[1], X), V, 0.2, **more)
        close(got[0], want[0], np.float64)
        assert (got[1] is None) == (want[1] is None)
        if got[1] is not None:
            close(got[1], want[1], np.float64)


@pytest.mark.parametrize("cuts", CUTS)
@pytest.mark.parametrize("predict", [linear_predict, linear_predict_proba])
def test_predictions(predict, cuts):
    W, X, _, b = problem()
    want = predict(W, X, bias=b)
    got = predict(W, blocks_of(cuts, X), bias=b)
    np.testing.assert_array_equal(got, want)  # a row does not see the others
    out = np.empty_like(want)
    assert predict(W, X=blocks_of(cuts, X), bias=b, out=out) is out
    np.testing.assert_array_equal(out, want)


@pytest.mark.parametrize("cuts", CUTS)
def test_the_likeliest(cuts):
    W, X, _, b = problem()
    want = linear_top_k(W, X, 3, bias=b)
    got = linear_top_k(W, blocks_of(cuts, X), 3, bias=b)
    for a, b_ in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b_)


def test_same_bits_for_any_number_of_threads():
    W, X, y, _ = problem()
    source = blocks_of(CUTS[1], X)
    first = softmax_loss(W, source, y, n_threads=1)
    for n_threads in (2, 3, None):
        again = softmax_loss(W, source, y, n_threads=n_threads)
        assert again[0] == first[0]
        np.testing.assert_array_equal(again[1], first[1])


def test_nan_and_infinity_go_through():
    W, X, y, _ = problem()
    for value in (np.nan, np.inf):
        bad = X.copy()
        bad[500, 3] = value
        loss, dW = softmax_loss(W, blocks_of(CUTS[1], bad), y)
        assert np.isnan(loss)
        np.testing.assert_array_equal(np.isnan(dW), np.isnan(softmax_loss(W, bad, y)[1]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.update(y=a["y"][:10]), r"y has shape \(10,\): wanted one row for each of X"),
        (lambda a: a.update(y=np.zeros(1001, int)), "y has 1001 rows, but X .* has 1000"),
        (lambda a: a.update(y=a["y"] + 1), r"block \d of X .*: wanted class"),
        (lambda a: a.update(sample_weight=np.zeros(1000)), "sample_weight is 0 for all rows"),
        (
            lambda a: a.update(sample_weight=-np.ones(1000)),
            r"block 0 .*weight\[0\] is -1",
        ),
        (lambda a: a.update(reg=-1.0), "reg is -1: wanted"),
        (
            lambda a: a.update(X=blocks_of([0, 0], a["rows"]), y=a["y"][:0]),
            "are none: wanted at least one row",
        ),
        (lambda a: a.update(out=np.empty((3, 3), np.float32)), r"out has shape \(3, 3\)"),
        (lambda a: a.update(out=a["W"]), "out"),
        (
            lambda a: a.update(X=blocks_of(CUTS[1], a["rows"], a["y"])),
            "y is given, and comes with the blocks, too",
        ),
    ],
)
def test_refusals(change, message):
    W, X, y, _ = problem()
    arguments = {"W": W, "X": blocks_of(CUTS[1], X), "y": y, "rows": X}
    change(arguments)
    del arguments["rows"]
    with pytest.raises(ValueError, match=message):
        softmax_loss(**arguments)


def test_rows_want_a_source_that_takes():
    W, X, y, _ = problem()
    with pytest.raises(TypeError, match=r"rows is given, but X .* is read block by block alone"):
        softmax_loss(W, blocks_of(CUTS[1], X), y, rows=[1, 2])


def test_rows_of_a_sliced_source():
    class Rows:
        def __init__(self, X):
            self.X, self.shape, self.dtype = X, X.shape, X.dtype

        def __getitem__(self, key):
            return self.X[key]

    W, X, y, _ = problem()
    rows = [5, -1, 999, 5, -1000]
    for found, wanted in (
        (softmax_loss(W, Rows(X), y, rows=rows), softmax_loss(W, X, y, rows=rows)),
        (linear_predict(W, Rows(X), rows=rows), linear_predict(W, X, rows=rows)),
    ):
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(one, other)


def test_out_of_predictions_is_checked():
    W, X, _, _ = problem()
    source = blocks_of(CUTS[1], X)
    for n_rows in (999, 1001):
        with pytest.raises(ValueError, match=f"the result has {n_rows} rows, but X"):
            linear_predict(W, source, out=np.empty(n_rows, np.int64))
    with pytest.raises(ValueError, match=r"out has shape .* and dtype int32"):
        linear_predict(W, source, out=np.empty(1000, np.int32))


@pytest.mark.parametrize("fits", [True, False])
def test_rows_of_a_file(tmp_path, monkeypatch, fits):
    W, X, y, b = problem()
    weight = np.random.default_rng(0).random(1000)
    path = tmp_path / "X.npy"
    np.save(path, X)
    monkeypatch.setattr(memory, "fits", lambda n_bytes: fits)
    rows = [5, -1, 999, 5, -1000]
    want = softmax_loss(W, X, y, 0.1, bias=b, sample_weight=weight, rows=rows)
    got = softmax_loss(W, path, y, 0.1, bias=b, sample_weight=weight, rows=rows)
    for a, b_ in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b_)
    np.testing.assert_array_equal(linear_predict(W, path, rows=rows), linear_predict(W, X[rows]))
    for wrong in (1000, -1001):
        with pytest.raises(ValueError, match=rf"rows\[1\] is {wrong}: wanted indices"):
            linear_predict(W, path, rows=[0, wrong])
    with pytest.raises(ValueError, match=r"y has shape \(999,\): wanted one row for each of 1000"):
        softmax_loss(W, path, y[:-1], rows=[0])
