"""linear_top_k: order as in the reference, and the probabilities of linear_predict_proba."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from once import once

from csoftmax import linear_predict, linear_predict_proba, linear_top_k, reference

pytestmark = pytest.mark.usefixtures("isa")

FLOATS = ["float32", "float64"]
dtypes = pytest.mark.parametrize("dtype", FLOATS)
true_top_k = once(reference.linear_top_k)


def draw(seed, N, D, C, dtype="float32", x=None):
    """Small whole numbers: scores are exact, and many are equal."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0 if x == "uint8" else -2, 3, (N, D)).astype(x or dtype)
    return rng.integers(-2, 3, (D, C)).astype(dtype), X


def check(W, X, k, **options):
    """Against the reference, and bit for bit against the other predictions."""
    labels, best = linear_top_k(W, X, k, **options)
    proba = linear_predict_proba(W, X, **options)
    assert labels.dtype == np.int64
    assert best.dtype == W.dtype
    assert labels.shape == best.shape == (len(proba), k)
    dense = X.toarray() if hasattr(X, "toarray") else X
    options.pop("n_threads", None)
    np.testing.assert_array_equal(labels, true_top_k(W, dense, k, **options)[0])
    assert best.tobytes() == np.take_along_axis(proba, labels, axis=1).tobytes()
    np.testing.assert_array_equal(labels[:, 0], linear_predict(W, X, **options))


@dtypes
@pytest.mark.parametrize("C", [1, 2, 3, 7, 16, 17, 20, 21, 33, 100, 1000])
def test_shapes(C, dtype):
    for N, D in [(1, 1), (15, 17), (16, 40), (35, 16), (700, 8)]:
        W, X = draw(C + N, N, D, C, dtype)
        for k in {1, 2, 5, C - 1, C} & set(range(1, C + 1)):
            check(W, X, k)


@dtypes
@pytest.mark.parametrize("x", [*FLOATS, "uint8", "int16"])
def test_options(x, dtype):
    W, X = draw(1, 90, 20, 9, dtype, x)
    ramp = np.arange(20.0)
    for options in (
        {"bias": np.arange(9) % 3},
        {"rows": [3, -1, 3, *range(40)]},
        {"shift": ramp % 2, "scale": 2 ** (ramp % 2)},
        {"bias": np.ones(9), "rows": np.arange(89, 0, -3), "shift": ramp, "n_threads": 2},
    ):
        check(W, X, 4, **options)
        check(np.asfortranarray(W), X[:, ::-1], 9, **options)
        check(W[::-1, ::-1], np.asfortranarray(X), np.int32(1), **options)


@dtypes
@pytest.mark.parametrize("C", [3, 8, 21, 300])
def test_sparse_rows(C, dtype):
    sparse = pytest.importorskip("scipy.sparse", reason="sparse rows need SciPy")
    W, X = draw(2, 130, 30, C, dtype)
    X[np.random.default_rng(2).random(X.shape) < 0.7] = 0
    X[7] = 0
    for k in (1, 3, C):
        check(W, sparse.csr_array(X), k)
        check(W, sparse.csr_array(X), k, bias=np.arange(C) % 2, rows=[7, 7, 0], n_threads=2)


@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 70), st.integers(1, 20), st.integers(1, 60)),
    share=st.floats(0, 1),
    dtype=st.sampled_from(FLOATS),
    n_threads=st.sampled_from([None, 1, 2]),
)
def test_anything(seed, shape, share, dtype, n_threads):
    C = shape[2]
    check(*draw(seed, *shape, dtype), 1 + int(share * (C - 1)), n_threads=n_threads)


@dtypes
@pytest.mark.parametrize("order", [1, -1])
def test_scores_in_order(order, dtype):
    """The most and the fewest that come in after the first k."""
    W = np.arange(500.0, dtype=dtype)[None, ::order]
    for k in (1, 10, 499, 500):
        labels, _ = linear_top_k(W, np.ones((20, 1), dtype), k)
        np.testing.assert_array_equal(labels, [np.argsort(-W[0])[:k]] * 20)


@dtypes
@pytest.mark.parametrize("C", [5, 40])
@pytest.mark.parametrize("at", [0, 2, 4])
def test_nan_and_infinities(at, C, dtype):
    """NaN is the largest, then infinity; -0.0 equals 0.0."""
    bias = np.zeros(C)
    bias[1::2] = -0.0
    W, X = np.zeros((3, C), dtype), np.zeros((18, 3), dtype)
    for some in ([np.nan], [np.inf], [-np.inf], [np.inf, np.nan], [np.nan, np.nan, np.inf]):
        odd = bias.copy()
        odd[(at + np.arange(len(some))) % C] = some
        for k in (1, 3, C):
            labels, best = linear_top_k(W, X, k, bias=odd)
            proba = linear_predict_proba(W, X, bias=odd)
            want, of_want = reference.linear_top_k(W, X, k, bias=odd)
            np.testing.assert_array_equal(labels, want)
            np.testing.assert_array_equal(best, np.take_along_axis(proba, labels, axis=1))
            np.testing.assert_array_equal(np.isnan(best), np.isnan(of_want))


def test_a_row_of_x_that_is_not_finite():
    W, X = draw(3, 20, 8, 6)
    X[4, 3], X[11, 0] = np.nan, np.inf
    labels, best = linear_top_k(W, X, 2)
    with np.errstate(invalid="ignore"):
        want, _ = reference.linear_top_k(W, X, 2)
    np.testing.assert_array_equal(labels, want)
    assert set(np.flatnonzero(np.isnan(best).all(axis=1))) == {4, 11}


@dtypes
def test_bits_do_not_depend_on_the_number_of_threads(dtype):
    rng = np.random.default_rng(4)
    W, X = rng.normal(size=(60, 70)).astype(dtype), rng.normal(size=(4001, 60)).astype(dtype)
    want = linear_top_k(W, X, 5, n_threads=1)
    for n_threads in (2, 3, None):
        got = linear_top_k(W, X, 5, n_threads=n_threads)
        assert [a.tobytes() for a in got] == [a.tobytes() for a in want]


def test_no_rows():
    for options in ({"rows": []}, {}):
        X = np.ones((4 if options else 0, 3))
        labels, best = linear_top_k(np.ones((3, 5)), X, 2, **options)
        assert labels.shape == best.shape == (0, 2)


def test_nothing_of_n_times_c(isa, run_python):
    """In MiB; all scores would take 76."""
    done = run_python(
        "import numpy as np\n"
        "from csoftmax import linear_top_k\n"
        "def peak():\n"
        "    with open('/proc/self/status') as status:\n"
        "        return next(int(s.split()[1]) for s in status if s.startswith('VmHWM')) / 1024\n"
        "W, X = np.ones((8, 1000), np.float32), np.ones((20_000, 8), np.float32)\n"
        "linear_top_k(W, X[:100], 3)\n"
        "before = peak()\n"
        "linear_top_k(W, X, 3, n_threads=2)\n"
        "print(peak() - before)",
        CSOFTMAX_ISA=isa,
    )
    assert float(done.stdout) < 9


@pytest.mark.parametrize(
    ("k", "error", "message"),
    [
        (0, ValueError, "k is 0: wanted at least 1"),
        (-3, ValueError, "k is -3: wanted at least 1"),
        (4, ValueError, "k is 4: wanted at most 3, the number of classes"),
        (2.0, TypeError, "k is 2.0: wanted an integer"),
        (True, TypeError, "k is True: wanted an integer"),
        (None, TypeError, "k is None: wanted an integer"),
        ([1], TypeError, "k is [1]: wanted an integer"),
    ],
)
def test_what_k_may_be(k, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        linear_top_k(np.ones((2, 3)), np.ones((4, 2)), k)


def test_other_refusals_are_those_of_the_other_predictions():
    with pytest.raises(ValueError, match="W has 2 rows, but X has 5 columns"):
        linear_top_k(np.ones((2, 3)), np.ones((4, 5)), 1)
    with pytest.raises(ValueError, match="n_threads is 0"):
        linear_top_k(np.ones((2, 3)), np.ones((4, 2)), 1, n_threads=0)
