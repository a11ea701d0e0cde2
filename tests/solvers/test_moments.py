"""Means of the features and squares about them, against two passes over X."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from builds import needs_longdouble

from csoftmax.estimators.scaling import Moments
from csoftmax.solvers import passes
from csoftmax.solvers.passes import moments

pytestmark = pytest.mark.usefixtures("isa")

EPS = np.finfo(np.float64).eps
ROWS = [1, 2, 3, 7, 255, 256, 257, 1000, 2047, 2048, 5001]
WIDTHS = [*range(1, 71), 512, 513, 784, 1025, 3073, 9001]
DTYPES = [np.float32, np.float64, np.uint8]


@pytest.fixture
def many_threads(monkeypatch):
    """Few rows, too, are shared out."""
    monkeypatch.setattr(passes, "NS_PER_MOMENT", 1e9)


def data(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    if dtype == np.uint8:
        return rng.integers(0, 256, shape, np.uint8)
    return (rng.normal(size=shape) * 3 + rng.normal(size=shape[1])).astype(dtype)


def weights_of(n, seed=0):
    """Some of them 0, the first one too."""
    rng = np.random.default_rng(seed)
    weights = rng.gamma(0.3, size=n) * rng.integers(0, 3, n)
    weights[0], weights[-1] = 0 if n > 1 else 1, 1
    return weights


def two_passes(X, weights, dtype=np.float64):
    """The definition."""
    X = np.asarray(X).astype(dtype)
    weights = np.ones(len(X), dtype) if weights is None else weights.astype(dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = weights @ X / weights.sum()
        return weights.sum(), mean, weights @ np.square(X - mean)


def exactly(X, weights):
    """The same with what the mean is rounded by, which one heavy row makes felt."""
    X = np.asarray(X).astype(np.longdouble)
    weight, mean, squares = two_passes(X, weights, np.longdouble)
    rest = (np.ones(len(X)) if weights is None else weights) @ (X - mean) / weight
    return weight, mean + rest, squares - weight * rest**2


def assert_right(X, weights, n_threads=1):
    """No worse than two passes in float64, to a factor of 2 and some roundings."""
    found = moments(X, weights, n_threads)
    exact, rough = exactly(X, weights), two_passes(X, weights)
    np.testing.assert_allclose(found[0], float(exact[0]), rtol=1e-13)
    spread = np.sqrt(exact[2] / exact[0])
    of_mean, of_squares = EPS * (2 * abs(exact[1]) + 16 * spread), 32 * EPS * exact[2]
    assert np.all(abs(found[1] - exact[1]) <= 2 * abs(rough[1] - exact[1]) + of_mean)
    assert np.all(abs(found[2] - exact[2]) <= 2 * abs(rough[2] - exact[2]) + of_squares)
    return found


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_rows", ROWS)
def test_rows(n_rows, dtype):
    X = data((n_rows, 13), dtype)
    assert_right(X, None)
    assert_right(X, weights_of(n_rows))


@pytest.mark.parametrize("dtype", DTYPES)
def test_widths(dtype):
    for width in WIDTHS:
        X = data((131, width), dtype, width)
        assert_right(X, None)
        assert_right(X, weights_of(131, width))


@pytest.mark.parametrize("shape", [(0, 3), (0, 9001), (5, 0), (0, 0)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_empty(shape, dtype):
    weight, mean, squares = moments(np.empty(shape, dtype), None)
    assert weight == shape[0]
    np.testing.assert_array_equal(mean, np.zeros(shape[1]))
    np.testing.assert_array_equal(squares, np.zeros(shape[1]))


# ---- layouts and dtypes --------------------------------------------------------------------------

LAYOUTS = {
    "Fortran": np.asfortranarray,
    "rows reversed": lambda X: np.ascontiguousarray(X[::-1])[::-1],
    "features reversed": lambda X: np.ascontiguousarray(X[:, ::-1])[:, ::-1],
    "every other row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "every other feature": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "part of Fortran": lambda X: np.asfortranarray(np.tile(X, (2, 2)))[: len(X), : X.shape[1]],
    "Fortran, every third row": lambda X: np.asfortranarray(np.repeat(X, 3, axis=0))[::3],
    "unaligned": lambda X: np.frombuffer(b" " + X.tobytes(), X.dtype, offset=1).reshape(X.shape),
    "read-only": lambda X: np.frombuffer(X.tobytes(), X.dtype).reshape(X.shape),
    "big-endian": lambda X: X.astype(X.dtype.newbyteorder(">")),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_layouts(layout, dtype, weighted):
    for shape in [(1, 5), (601, 1), (601, 70), (1300, 9)]:
        X = data(shape, dtype)
        weights = weights_of(shape[0]) if weighted else None
        seen = LAYOUTS[layout](X)
        np.testing.assert_array_equal(seen, X)
        for found, want in zip(assert_right(seen, weights), moments(X, weights), strict=True):
            np.testing.assert_allclose(found, want, rtol=1e-12, atol=1e-13)


def test_repeated_rows_and_features():
    X = data((1, 40), np.float32)
    _, mean, squares = moments(np.broadcast_to(X, (3000, 40)), None)
    np.testing.assert_array_equal(mean, X[0])
    np.testing.assert_array_equal(squares, 0)
    assert_right(np.broadcast_to(data((3000, 1), np.float64), (3000, 40)), None)


@needs_longdouble
@pytest.mark.parametrize("dtype", [np.bool_, np.float16, np.int8, np.uint16, np.int64])
def test_other_dtypes(dtype):
    X = data((300, 11), np.uint8).astype(dtype)
    assert_right(X, None)
    assert_right(X, weights_of(300))


# ---- accuracy ------------------------------------------------------------------------------------


def far(n):
    """Features that are hard on sums, and weights."""
    rng = np.random.default_rng(n)
    unit = rng.normal(size=(n, 6))
    outlier = np.zeros((n, 6))
    outlier[0] = 1e5
    jump = np.where(np.arange(n) < n // 3, -1e5, 1e5)[:, None]
    yield "years", (2000 + unit).astype(np.float32), None
    for name, X in {
        "offset": 1e5 + unit,
        "larger offset": -1e9 + unit,
        "first row apart": 1e5 + unit - outlier,
        "sorted": 1e5 + np.sort(unit, axis=0),
        "line": np.linspace(0, 1e5, n)[:, None] + unit,
        "jump": jump + 1e-5 * unit,
        "scales": unit * [1e-300, 1e-150, 1e-30, 1e30, 1e140, 1],
    }.items():
        yield name, X, None
        yield name, X, weights_of(n)
        yield name, X, np.where(np.arange(n) < n // 2, 1e-9, 1)
        yield name, X, np.where(np.arange(n) < n // 2, 1, 1e-9)
        yield name, X, 1.5 ** np.minimum(np.arange(n), 200.0)
        yield name, X, np.where(np.arange(n) == n - 1, 1e12, 1)


@needs_longdouble
@pytest.mark.parametrize("n_rows", [2, 3, 100, 600, 5000])
def test_offsets(n_rows):
    for name, X, weights in far(n_rows):
        print(name, weights)  # seen where it fails
        assert_right(X, weights)
        assert_right(np.asfortranarray(X), weights)


def test_constant_features_have_no_squares():
    for value in (0.1, np.float32(0.1), -1e300, 7e-310, np.uint8(255)):
        X = np.full((3000, 5), value)
        for weights in (None, weights_of(3000)):
            _, mean, squares = moments(X, weights)
            np.testing.assert_array_equal(mean, X[0])
            np.testing.assert_array_equal(squares, 0)


@pytest.mark.parametrize("low", [0, 254])
@pytest.mark.parametrize("width", [5, 9001])
def test_bytes_are_counted_exactly(low, width):
    X = np.random.default_rng(0).integers(low, 256, (3001, width), np.uint8)
    X[:, 0] = 255
    _, mean, squares = moments(X, None)
    for d in (0, 1, 4, width - 1):
        x = [int(number) for number in X[:, d]]
        exact = Fraction(sum(x), len(x))
        square = sum(number * number for number in x) - exact * sum(x)
        assert abs(Fraction(float(mean[d])) - exact) <= EPS * exact
        assert abs(Fraction(float(squares[d])) - square) <= 16 * EPS * square


# ---- threads -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(5, 3), (2500, 7), (700, 9001), (40000, 30)])
def test_bits_do_not_depend_on_threads(shape, dtype, many_threads):
    X = data(shape, dtype)
    for weights in (None, weights_of(shape[0])):
        first = moments(X, weights, 1)
        for n_threads in (1, 2, 3, 8, None):
            for found, want in zip(moments(X, weights, n_threads), first, strict=True):
                np.testing.assert_array_equal(found, want)


# ---- weights, NaN and infinity -------------------------------------------------------------------


def test_rows_without_weight_do_not_count():
    X = data((600, 5), np.float64)
    weights = np.where(np.arange(600) % 3 == 1, 2.0, 0.0)
    weight, mean, squares = moments(X, weights)
    of_others = moments(X[1::3], None)
    assert weight == 400
    np.testing.assert_allclose(mean, of_others[1], rtol=1e-14)
    np.testing.assert_allclose(squares, 2 * of_others[2], rtol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_weight_at_all(dtype):
    weight, mean, squares = moments(data((3000, 5), dtype), np.zeros(3000))
    assert weight == 0
    np.testing.assert_array_equal(mean, np.zeros(5))
    np.testing.assert_array_equal(squares, np.zeros(5))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("at", [0, 1, 2, 100, 299])
def test_nan_and_infinity(dtype, order, at):
    X = np.array(data((300, 20), dtype), order=order)
    X[at, 1], X[at, 3], X[at, 19] = np.nan, np.inf, -np.inf
    X[at // 2 : at + 2, 5] = [np.inf, -np.inf, np.nan][at % 3]
    X[0, 7], X[at - 1, 7] = np.inf, -np.inf
    for weights in (None, np.arange(300.0) + 1, (np.arange(300) != at) * 1.0):
        _, mean, squares = moments(X, weights)
        _, mean_there, squares_there = two_passes(X, weights)
        close = {"rtol": 1e-12, "atol": 1e-12}
        np.testing.assert_allclose(mean, mean_there, **close)
        np.testing.assert_allclose(squares, squares_there, **close)


def test_squares_may_be_too_large():
    X = data((3000, 6), np.float64)
    X[:, 2] *= 1e170
    X[1000, 4] = -1e200
    _, mean, squares = moments(X, None)
    np.testing.assert_allclose(mean, X.mean(axis=0), rtol=1e-12)
    np.testing.assert_array_equal(np.isinf(squares), [0, 0, 1, 0, 1, 0])
    squares = moments(X, (np.arange(3000) != 1000) * 1.0)[2]
    np.testing.assert_array_equal(np.isinf(squares), [0, 0, 1, 0, 0, 0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [0, 5000, 9999])
def test_nan_and_infinity_in_many_rows(dtype, value, at):
    X = data((10000, 20), dtype)
    X[at, 3] = value
    _, mean, squares = moments(X, None)
    others = np.arange(20) != 3
    assert_right(X[:, others], None)
    assert not np.isfinite(mean[3])
    assert np.isnan(squares[3])
    assert np.isfinite(mean[others]).all()
    assert np.isfinite(squares[others]).all()


# ---- what estimators keep of it ------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_rows_may_come_in_blocks(dtype, weighted):
    X = data((4000, 30), dtype)
    weights = weights_of(4000) if weighted else None
    at_once, blocks, sparse = Moments(30), Moments(30), Moments(30)
    at_once.add(X, weights)
    for begin, end in [(0, 1), (1, 1), (1, 300), (300, 3000), (3000, 4000)]:
        blocks.add(X[begin:end], None if weights is None else weights[begin:end])
    sparse.add(sp.csr_array(X.astype(np.float64)), weights)
    for other in (blocks, sparse):
        assert other.n_rows == at_once.n_rows == 4000
        np.testing.assert_allclose(other.weight, at_once.weight, rtol=1e-13)
        np.testing.assert_allclose(other.mean, at_once.mean, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(other.squares, at_once.squares, rtol=1e-11)


def test_blocks_without_weight_are_only_counted():
    X = data((100, 4), np.float64)
    one = Moments(4).add(X, None)
    mean, squares = one.mean.copy(), one.squares.copy()
    one.add(np.full((5, 4), np.nan), np.zeros(5))
    assert (one.n_rows, one.weight) == (105, 100)
    np.testing.assert_array_equal(one.mean, mean)
    np.testing.assert_array_equal(one.squares, squares)
    nothing = Moments(4).add(X, np.zeros(100))
    assert (nothing.n_rows, nothing.weight) == (100, 0)
