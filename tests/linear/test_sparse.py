"""Sparse X: the linear losses and predictions on CSR rows against the reference on the dense ones.

Numbers lie on the coarse grid of test_linear.py, on which scores are exact in float32.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from closeness import assert_allclose
from hypothesis import given
from hypothesis import strategies as st
from once import once

from csoftmax import (
    linear_predict,
    linear_predict_proba,
    reference,
    softmax_loss,
    svm_loss,
)

sparse = pytest.importorskip("scipy.sparse", reason="sparse rows need SciPy")

pytestmark = pytest.mark.usefixtures("isa")

FLOATS = ["float32", "float64"]
LOSSES = {softmax_loss: once(reference.softmax_loss), svm_loss: once(reference.svm_loss)}
PREDICTIONS = {
    linear_predict: once(reference.linear_predict),
    linear_predict_proba: once(reference.linear_predict_proba),
}
EPS = {"float32": 3e-6, "float64": 3e-14}
LADDER_C = [1, 2, 3, 4, 5, 7, 8, 9, 10, 15, 16, 17, 31, 33, 52, 130, 161, 333]
SHAPES = [(1, 1), (1, 40), (2, 7), (65, 1), (63, 300), (300, 17), (130, 64)]


def entries(rng, N, D, dtype="float64", index="int32", form="csr_array", density=0.2):
    """A matrix with empty rows and columns and, where it is drawn, a 0 as an entry."""
    dense = rng.integers(0, 4 if dtype == "uint8" else 2 if dtype == "bool" else 8, (N, D))
    dense = dense - (0 if dtype in ("uint8", "bool") else 4)
    there = rng.random((N, D)) < density
    there[rng.random(N) < 0.2] = False
    there[:, rng.random(D) < 0.2] = False
    row, column = np.nonzero(there)
    indptr = np.concatenate([[0], np.cumsum(there.sum(axis=1))]).astype(index)
    values = dense[row, column].astype(dtype)
    X = getattr(sparse, form)((N, D))
    X.data, X.indices, X.indptr = values, column.astype(index), indptr
    return X


def model(rng, D, C, dtype):
    p = int(np.ceil(np.log2(4 * np.sqrt(D))))
    return np.ldexp(rng.integers(-8, 9, (D, C)), -p).astype(dtype)


def options_of(rng, N, D, C, dtype, names):
    n = int(rng.integers(1, 2 * N + 1))
    every = {
        "bias": lambda: np.ldexp(rng.integers(-8, 9, C), -2).astype(dtype),
        "sample_weight": lambda: rng.integers(1, 5, N) / 2,
        "label_smoothing": lambda: 0.125,
        "rows": lambda: rng.integers(-N, N, n),
        "shift": lambda: rng.integers(-2, 5, D) / 2,
        "scale": lambda: np.ldexp(1.0, rng.integers(-1, 2, D)) * rng.choice([-1, 1], D),
    }
    return {name: every[name]() for name in names if name in every}


def dense_of(X):
    """X.toarray() in float64, for dtypes that SciPy does not add up, too."""
    if X.format != "csr":
        return X.toarray().astype(float)
    dense, n = np.zeros(X.shape), np.diff(X.indptr)
    entries = slice(0, int(n.sum()))
    np.add.at(dense, (np.repeat(np.arange(len(n)), n), X.indices[entries]), X.data[entries])
    return dense


def check(W, X, y, reg=0.0, n_threads=None, predictions=True, **options):
    """All four functions against the reference; inputs stay as they are."""
    dense, C = dense_of(X), W.shape[1]
    inputs = (W, X.data, X.indices, X.indptr) if X.format == "csr" else (W,)
    before = [a.copy() for a in inputs]
    eps = EPS[W.dtype.name]
    F = np.abs((dense - options.get("shift", 0)) * options.get("scale", 1)).max(initial=0)
    F += np.abs(np.asarray(options.get("shift", 0)) * options.get("scale", 1)).max()
    for ours, truth in LOSSES.items():
        delta = {"delta": 1.0 + 2.0**-12} if ours is svm_loss else {}
        got = ours(W, X, y, reg, n_threads=n_threads, **options, **delta)
        want = truth(W, dense, y, reg, **options, **delta)
        bounds = [abs(want[0]) + 1, 4 * C * F + np.abs(reg * W).max(), 4 * C]
        assert len(got) == len(want)
        for a, b, bound in zip(got, want, bounds, strict=False):
            assert_allclose(a, b, rtol=0, atol=eps * bound)
        for grad in got[1:]:
            assert grad.dtype == W.dtype
    for ours, truth in PREDICTIONS.items() if predictions else ():
        some = {k: v for k, v in options.items() if k in ("bias", "rows", "shift", "scale")}
        got = ours(W, X, n_threads=n_threads, **some)
        assert_allclose(got, truth(W, dense, **some), rtol=10 * eps, atol=0)
    for a, b in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(a, b)


# ---- shapes, dtypes, formats --------------------------------------------------------------------


@pytest.mark.parametrize("w", FLOATS)
@pytest.mark.parametrize("C", LADDER_C)
def test_every_number_of_classes(C, w):
    rng = np.random.default_rng(C)
    for (N, D), bias in zip(SHAPES, itertools.cycle([True, False]), strict=False):
        X = entries(rng, N, D, w)
        extra = options_of(rng, N, D, C, w, ["bias"] if bias else [])
        check(model(rng, D, C, w), X, rng.integers(0, C, N), 0.25, **extra)


@pytest.mark.parametrize("index", ["int32", "int64"])
@pytest.mark.parametrize("x", ["float32", "float64", "uint8", "bool", "int16", "float16", ">f8"])
@pytest.mark.parametrize("w", FLOATS)
def test_dtypes(w, x, index):
    rng = np.random.default_rng(1)
    for form in ("csr_array", "csr_matrix"):
        check(model(rng, 30, 5, w), entries(rng, 70, 30, x, index, form), rng.integers(0, 5, 70))


@pytest.mark.parametrize("index", ["int16", "uint32", ">i4", ">i8"])
def test_other_indices_are_copied(index):
    rng = np.random.default_rng(2)
    X = entries(rng, 70, 30)
    X.indices = X.indices.astype(index)
    check(model(rng, 30, 5, "float32"), X, rng.integers(0, 5, 70))


@pytest.mark.parametrize("form", ["csc", "coo", "lil", "dok", "dia", "bsr"])
def test_other_formats_are_converted(form):
    rng = np.random.default_rng(3)
    for name in ("csr_array", "csr_matrix"):
        X = entries(rng, 40, 12, form=name).asformat(form)
        check(model(rng, 12, 5, "float64"), X, rng.integers(0, 5, 40), 0.5)


def test_rows_with_many_entries():
    """More than are taken at once, and so many that W goes in parts."""
    rng = np.random.default_rng(4)
    for w, C in itertools.product(FLOATS, (3, 20)):
        X = entries(rng, 100, 9000, w, density=0.3)
        extra = options_of(rng, 100, 9000, C, w, ["rows", "bias"])
        check(model(rng, 9000, C, w), X, rng.integers(0, C, 100), n_threads=2, **extra)


def test_rounds():
    """More rows than scores are kept of: a MiB, in blocks of 64 rows, of 64 bytes at least."""
    rng = np.random.default_rng(5)
    for w, (C, N) in itertools.product(FLOATS, [(2, 17_000), (100, 5000)]):
        X, W = entries(rng, N, 6, w), model(rng, 6, C, w)
        check(W, X, rng.integers(0, C, N), n_threads=2, bias=np.ones(C))


# ---- what a CSR matrix may be -------------------------------------------------------------------


@pytest.mark.parametrize("w", FLOATS)
def test_unsorted_and_repeated_entries(w):
    rng = np.random.default_rng(6)
    X = entries(rng, 90, 40, w)
    twice = sparse.csr_array(X)
    begin, end = X.indptr[:-1], X.indptr[1:]
    order = np.concatenate(
        [rng.permutation(np.repeat(np.arange(a, b), 2)) for a, b in zip(begin, end, strict=True)]
    )
    twice.data, twice.indices, twice.indptr = X.data[order], X.indices[order], 2 * X.indptr
    for rows in (None, rng.integers(0, 90, 30)):
        options = {} if rows is None else {"rows": rows}
        check(model(rng, 40, 6, w), twice, rng.integers(0, 6, 90), n_threads=2, **options)


def test_nothing_at_all():
    rng = np.random.default_rng(7)
    for index in ("int32", "int64"):
        X = entries(rng, 20, 9, index=index, density=0)
        check(model(rng, 9, 4, "float32"), X, rng.integers(0, 4, 20), 0.5, bias=np.ones(4))
        check(model(rng, 9, 4, "float32"), X, rng.integers(0, 4, 20), shift=np.ones(9))
    for predict in PREDICTIONS:
        assert len(predict(np.ones((9, 4)), sparse.csr_array((0, 9)))) == 0


def test_more_entries_than_rows_have():
    """As SciPy leaves them that has dropped some: those behind the last row are not looked at."""
    rng = np.random.default_rng(8)
    X = entries(rng, 30, 8)
    X.data = np.append(X.data, [np.nan, 1])
    X.indices = np.append(X.indices, np.array([99, -1], X.indices.dtype))
    W, y = model(rng, 8, 3, "float64"), rng.integers(0, 3, 30)
    want = softmax_loss(W, dense_of(X), y)
    assert_allclose(softmax_loss(W, X, y)[1], want[1], rtol=0, atol=1e-14)


def test_read_only_arrays():
    rng = np.random.default_rng(9)
    X = entries(rng, 30, 8)
    for part in (X.data, X.indices, X.indptr):
        part.flags.writeable = False
    check(model(rng, 8, 3, "float64"), X, rng.integers(0, 3, 30), bias=np.ones(3))


def test_strided_parts():
    rng = np.random.default_rng(10)
    X = entries(rng, 30, 8)
    X.data, X.indices = np.repeat(X.data, 2)[::2], np.repeat(X.indices, 3)[::3]
    check(model(rng, 8, 3, "float64"), X, rng.integers(0, 3, 30))


# ---- options ------------------------------------------------------------------------------------

OPTIONS = ["bias", "sample_weight", "label_smoothing", "rows", "shift", "scale", "soft"]


@pytest.mark.parametrize("w", FLOATS)
def test_all_combinations_of_options(w):
    rng = np.random.default_rng(11)
    xs = itertools.cycle(["float32", "uint8", "float64"])
    for chosen in itertools.product([False, True], repeat=len(OPTIONS)):
        names = [name for name, on in zip(OPTIONS, chosen, strict=True) if on]
        y = rng.integers(0, 6, 37) if "soft" not in names else rng.dirichlet(np.ones(6), 37)
        y = y.astype(w) if "soft" in names else y
        try:
            check(
                model(rng, 19, 6, w),
                entries(rng, 37, 19, next(xs)),
                y,
                0.25,
                **options_of(rng, 37, 19, 6, w, names),
            )
        except AssertionError as error:
            error.add_note(str(names))
            raise


@pytest.mark.parametrize("C", [2, 9, 20])
@pytest.mark.parametrize("w", FLOATS)
def test_layouts_of_w_and_out(w, C):
    rng = np.random.default_rng(12)
    X, y, W = entries(rng, 50, 11), rng.integers(0, C, 50), model(rng, 11, C, w)
    want = softmax_loss(W, X, y, 0.5)
    wide = np.zeros((22, 3 * C), w)
    layouts = [
        np.asfortranarray,
        lambda a: a[::-1, ::-1].copy()[::-1, ::-1],
        lambda a: a[::-1].copy()[::-1],
        lambda a: place(wide[::2, ::3], a),
        lambda a: place(wide[::2, C : 2 * C], a),
    ]
    for move in layouts:
        for got in (
            softmax_loss(move(W), X, y, 0.5),
            softmax_loss(W, X, y, 0.5, out=move(np.full_like(W, np.nan))),
        ):
            assert got[0] == want[0]
            np.testing.assert_array_equal(got[1], want[1])
        np.testing.assert_array_equal(linear_predict(move(W), X), linear_predict(W, X))
    assert (wide.reshape(11, 2, 3 * C)[:, 1] == 0).all()  # nothing between the rows was written


def place(at, a):
    at[...] = a
    return at


@pytest.mark.parametrize("order", ["C", "F"])
def test_out_of_predictions(order):
    rng = np.random.default_rng(13)
    X, W = entries(rng, 50, 11), model(rng, 11, 4, "float32")
    proba = np.full((50, 4), np.nan, np.float32, order=order)
    assert linear_predict_proba(W, X, out=proba) is proba
    np.testing.assert_array_equal(proba, linear_predict_proba(W, X))
    labels = np.zeros(100, np.int64)[::2]
    assert linear_predict(W, X, out=labels) is labels
    np.testing.assert_array_equal(labels, linear_predict(W, X))


# ---- numbers ------------------------------------------------------------------------------------


def test_nan_and_infinities():
    """As in the dense product, but for zeros that are not there: 0 * inf is no NaN then."""
    W = np.array([[1.0, -1.0], [np.inf, 0.0], [np.nan, 2.0]])
    X = sparse.csr_array(np.array([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 3.0]]))
    proba = linear_predict_proba(W, X)
    np.testing.assert_array_equal(np.isnan(proba).any(axis=1), [False, True, True])
    np.testing.assert_array_equal(linear_predict(W, X), [0, 0, 0])
    for bad in (np.nan, np.inf):
        X = sparse.csr_array(np.array([[1.0, bad, 0], [0, 1.0, 0]]))
        W = np.ones((3, 9))
        loss, dW = softmax_loss(W, X, [0, 1])
        assert np.isnan(loss)
        np.testing.assert_array_equal(np.isnan(dW).all(axis=1), [True, True, False])
        np.testing.assert_array_equal(np.isnan(dW).any(axis=1), [True, True, False])
        assert np.isfinite(softmax_loss(W, X, [0, 1], rows=[1])[0])


@pytest.mark.parametrize("C", [2, 20])
def test_float32_is_no_further_from_the_truth_than_scipy(C):
    rng = np.random.default_rng(14)
    X = sparse.random_array((3000, 500), density=0.1, format="csr", rng=rng).astype(np.float32)
    X = sparse.csr_array(sparse.hstack([X, np.ones((3000, 1), np.float32)], format="csr"))
    W = rng.normal(size=(501, C)).astype(np.float32)
    y = rng.integers(0, C, 3000)
    _, truth = reference.softmax_loss(W, X.toarray(), y)
    Z = X @ W
    e = np.exp(Z - Z.max(axis=1, keepdims=True))
    P = e / e.sum(axis=1, keepdims=True)
    P[np.arange(3000), y] -= 1
    theirs = np.abs(X.T @ P / np.float32(3000) - truth)
    ours = np.abs(softmax_loss(W, X, y)[1] - truth)
    # (0.94 to 1.05 times theirs, over many seeds; the last feature is one number, and chance)
    assert np.sqrt(np.mean(ours[:-1] ** 2)) <= 1.1 * np.sqrt(np.mean(theirs[:-1] ** 2))
    scale = (np.abs(X).T @ (P + 1)) / 3000
    assert ((ours - theirs) / scale).max() <= 8 * np.finfo(np.float32).eps


@pytest.mark.parametrize("w", FLOATS)
def test_bits_do_not_depend_on_the_number_of_threads(w):
    rng = np.random.default_rng(15)
    for N, D, C in [(5000, 3000, 20), (20_000, 50, 3), (700, 20_000, 9)]:
        X = sparse.random_array((N, D), density=min(1, 60 / D), format="csr", rng=rng).astype(w)
        W, y = rng.normal(size=(D, C)).astype(w), rng.integers(0, C, N)
        shift = rng.normal(size=D)
        for call in (
            lambda **k: softmax_loss(W, X, y, 0.1, bias=W[0], **k),  # noqa: B023
            lambda **k: svm_loss(W, X, y, shift=shift, **k),  # noqa: B023
            lambda **k: (linear_predict_proba(W, X, rows=np.arange(N)[::-1], **k),),  # noqa: B023
        ):
            want = call(n_threads=1)
            for n_threads in (2, 3, 5, None, 1):
                for a, b in zip(call(n_threads=n_threads), want, strict=True):
                    assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 200), st.integers(1, 70), st.integers(1, 25)),
    density=st.sampled_from([0.0, 0.02, 0.3, 1.0]),
    x=st.sampled_from([*FLOATS, "uint8", "bool", "int32"]),
    index=st.sampled_from(["int32", "int64"]),
    w=st.sampled_from(FLOATS),
    on=st.sets(st.sampled_from(OPTIONS)),
    n_threads=st.sampled_from([None, 1, 2, 3]),
)
def test_sparse_is_dense(seed, shape, density, x, index, w, on, n_threads):
    rng = np.random.default_rng(seed)
    N, D, C = shape
    X, W = entries(rng, N, D, x, index, density=density), model(rng, D, C, w)
    y = rng.dirichlet(np.ones(C), N).astype(w) if "soft" in on else rng.integers(0, C, N)
    check(W, X, y, 0.25, n_threads, **options_of(rng, N, D, C, w, sorted(on)))
