"""Row functions: their errors beside SciPy's, NaN and infinities, threads, memory."""

from __future__ import annotations

import functools
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.special
from closeness import assert_allclose

import csoftmax
from csoftmax import reference
from csoftmax._native import dispatch, threads

pytestmark = pytest.mark.usefixtures("isa")

FUNCTIONS = ("softmax", "log_softmax", "logsumexp")
LENGTHS = (1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 100, 1000)
ROWS = (1, 2, 15, 16, 17, 33)
SIZES = [(rows, n) for rows in ROWS for n in LENGTHS if rows * n <= 17_000] + [(1, 32003)]
INF, NAN = np.inf, np.nan


# ---- errors beside SciPy's at the same dtype -------------------------------------------------

# |ours - truth| <= |SciPy - truth| + K eps scale, for each element, with truth in float64 for
# float32 and longdouble for float64. scale: |truth| for softmax and log_softmax, which sum without
# cancellation; |m| + |truth| for logsumexp, with m the maximum, which may cancel log(sum).
# Worst seen over all variants and the logits below, with sums in compensated chunks of 16: softmax
# 5.9 (float) and 5.1 (double), log_softmax 1.3 and 1.2, logsumexp 0.9 and 0.6. Chunks of 128 give
# softmax 8.1 and 9.7, and without compensation 25 in peaky rows of 32003.
K = {
    ("softmax", "f"): 7.0,
    ("softmax", "d"): 7.0,
    ("log_softmax", "f"): 1.7,
    ("log_softmax", "d"): 1.7,
    ("logsumexp", "f"): 1.2,
    ("logsumexp", "d"): 1.0,
}
KINDS = ("normal", "peaky", "wide", "huge", "ties", "far")
WIDER = {"f": np.float64, "d": np.longdouble}
LOW = {"f": -104.0, "d": -746.0}  # exp is subnormal, then 0, towards it


def logits(kind, rows, n, char):
    r = np.random.default_rng(rows * 100_003 + n)
    z = 2 * r.standard_normal((rows, n))
    match kind:
        case "peaky":  # a row's maximum stands out by up to 40, anywhere in the row
            z[np.arange(rows), r.integers(0, n, rows)] += r.uniform(5, 40, rows)
        case "wide":
            z = r.uniform(LOW[char], 0, (rows, n)) + r.uniform(-3, 3, (rows, 1))
        case "huge":
            z = r.choice([-1e30, 1e30, 1e30 * (1 - 1e-6), 0.0, 3.0], (rows, n))
        case "ties":
            z = r.integers(0, 3, (rows, n)).astype(np.float64)
        case "far":
            z += 1000
    return z.astype(char)


@functools.cache
def truth_and_scipy(kind, rows, n, char):
    """Return the truth, SciPy's error and eps times the scale of each function, along axis 1."""
    z = logits(kind, rows, n, char)
    wide = z.astype(WIDER[char])
    m = wide.max(axis=1, keepdims=True)
    e = np.exp(wide - m)
    is_max = wide == m
    others = np.where(is_max, 0, e).sum(axis=1, keepdims=True)
    log_sum = np.log1p(others + (is_max.sum(axis=1, keepdims=True) - 1))
    truths = {
        "softmax": e / e.sum(axis=1, keepdims=True),
        "log_softmax": (wide - m) - log_sum,
        "logsumexp": m + log_sum,
    }
    result = {}
    for function, truth in truths.items():
        kwargs = {"keepdims": True} if function == "logsumexp" else {}
        with np.errstate(all="ignore"):
            error = abs(getattr(scipy.special, function)(z, axis=1, **kwargs) - truth)
        scale = abs(truth) + (abs(m) if function == "logsumexp" else 0)
        # beside a subnormal number even its last digit is larger than eps
        unit = np.finfo(char).eps * scale + float(np.finfo(char).smallest_subnormal)
        result[function] = truth, error.astype(float), unit.astype(float)
    return result


def call(function, z, axis):
    kwargs = {"keepdims": True} if function == "logsumexp" else {}
    return getattr(csoftmax, function)(z, axis=axis, **kwargs)


def excess(function, kind, rows, n, char):
    """Return the worst (|ours - truth| - |SciPy - truth|) / (eps scale), for three layouts."""
    z = logits(kind, rows, n, char)
    truth, error, unit = truth_and_scipy(kind, rows, n, char)[function]
    results = (
        call(function, z, 1),
        call(function, np.ascontiguousarray(z.T), 0).T,
        call(function, np.repeat(z, 2, axis=1)[:, ::-2], 1)[:, ::-1],
    )
    return max(float(((abs(ours - truth) - error) / unit).max()) for ours in results)


@pytest.mark.parametrize("char", "fd")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_not_worse_than_scipy(function, kind, char):
    if char == "d" and np.finfo(np.longdouble).nmant < 63:
        pytest.skip("longdouble is no wider than float64 here")
    for rows, n in SIZES:
        assert excess(function, kind, rows, n, char) <= K[function, char], (rows, n)


@pytest.mark.parametrize("second", [0.0, -1e-4], ids=["one maximum", "two near maxima"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_long_row_of_small_shares(function, second):
    """One logit stands out; each other share is lost when added to 1, together they are not."""
    n = 1_000_000
    z = np.full((1, n), -21.7, np.float32)
    z[0, 0], z[0, 1] = 0, second
    truth = call(function, z.astype(np.float64), 1)
    ours, theirs = call(function, z, 1), getattr(reference, function)(z, 1).astype(np.float32)
    theirs = theirs.reshape(truth.shape)
    scale = abs(truth) if function == "softmax" else np.maximum(abs(truth), 2**-10)
    error = abs(ours - truth) - abs(theirs - truth)
    assert (error / (np.finfo("f").eps * scale)).max() <= 16


def test_tails_keep_their_digits():
    """Where one logit stands out, the logarithm of its share is small and exact to its digits."""
    for gap in (20.0, 36.5, 40.0, 100.0, 700.0):
        expected = -np.log1p(np.exp(-gap))
        result = csoftmax.log_softmax(np.array([0.0, -gap]))
        assert_allclose(result, [expected, -gap + expected], rtol=5e-16)
        assert_allclose(csoftmax.logsumexp([0.0, -gap]), -expected, rtol=5e-16)
    assert csoftmax.log_softmax(np.array([0.0, -40.0]))[0] == -4.248354255291589e-18
    for gap in (17.0, 40.0, 80.0):
        expected = -np.log1p(np.exp(-gap))
        z = np.array([[0.0, -gap]], "f4").repeat(40, 0)
        assert_allclose(csoftmax.log_softmax(z, 1)[:, 0], expected, rtol=3e-7)
        assert_allclose(csoftmax.logsumexp(z, 1), -expected, rtol=3e-7)


@pytest.mark.parametrize("n", LENGTHS[1:])
@pytest.mark.parametrize("char", "fd")
def test_subnormal_shares(n, char):
    """Shares below the normal numbers are there, to half a digit, and 0 behind the last one."""
    info = np.finfo(char)
    z = np.linspace(0, LOW[char] - 3, n).astype(char)
    truth = reference.softmax(z) if char == "f" else np.exp(z.astype(np.longdouble))
    truth = truth / truth.sum()
    for ours in (csoftmax.softmax(z), csoftmax.softmax(np.stack([z] * 33, axis=1), 0)[:, 20]):
        # the quotient is rounded again, and its relative error counts as long as it is normal
        error = abs(ours - truth) - 8 * info.eps * truth
        assert (error <= 1.01 * float(info.smallest_subnormal)).all()
        assert ours[-1] == 0


@pytest.mark.parametrize("char", "fd")
@pytest.mark.parametrize("function", ["softmax", "log_softmax"])
def test_largest_numbers(function, char):
    """Differences may be infinite; nothing else is."""
    big = np.finfo(char).max
    for z in ([big, -big, 0], [big, big, -big], [-big] * 3, [big / 2, big / 4, 1]):
        z = np.array(z, char).repeat(12)
        with np.errstate(over="ignore", divide="ignore"):
            expected = getattr(scipy.special, function)(z)
        assert_allclose(getattr(csoftmax, function)(z), expected, rtol=1e-6)


@pytest.mark.parametrize("n", [n for n in LENGTHS if n < 1000])
def test_softmax_backward_is_the_jacobian(n):
    r = np.random.default_rng(n)
    z, g = r.standard_normal(n), r.standard_normal((17, n))
    jacobian = reference.softmax_jacobian(z)
    p = np.broadcast_to(csoftmax.softmax(z), g.shape)
    assert_allclose(csoftmax.softmax_backward(g, p), g @ jacobian, rtol=0, atol=2e-15)
    result = csoftmax.softmax_backward(g.T.copy(), p.T.copy(), 0)
    assert_allclose(result, jacobian @ g.T, rtol=0, atol=2e-15)
    result = csoftmax.softmax_backward(g.astype("f"), p.astype("f"))
    assert_allclose(result, g @ jacobian, rtol=0, atol=2e-6)


# ---- NaN and infinities ----------------------------------------------------------------------

LAYOUTS = {
    "rows": lambda z: z,
    "columns": lambda z: z.copy("F"),  # neighbours along the other axis: vectors across rows
    "backwards": lambda z: z[:, ::-1].copy()[:, ::-1],
    "third of a cube": lambda z: np.stack([z] * 3, axis=2)[:, :, 1],
    "float16": lambda z: z.astype("f2"),
    "big endian": lambda z: z.astype(z.dtype.newbyteorder(">")),
}
# What to put at which places of a row of n
SPECIALS = {
    "nan": (NAN,),
    "inf": (INF,),
    "-inf": (-INF,),
    "nan, inf": (NAN, INF),
    "inf, nan": (INF, NAN),
    "nan, -inf": (NAN, -INF),
    "inf, -inf": (INF, -INF),
    "inf, inf": (INF, INF),
    "-inf, -inf": (-INF, -INF),
}


def special_rows(n, char):
    """Return rows with each special at the first, middle and last place, and rows full of it."""
    rows = []
    for values in SPECIALS.values():
        for place in (0, n // 2, n - 1):
            row = np.linspace(-1, 1, n)
            for k, value in enumerate(values):
                row[(place + k) % n] = value
            rows.append(row)
        rows.append(np.resize(values, n))
        rows.append(np.linspace(-1, 1, n))  # a healthy row beside them
    return np.array(rows).astype(char)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning:scipy")
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_nan_and_infinities_are_as_in_scipy(function, layout):
    for n in LENGTHS:
        for char in "fd":
            z = special_rows(n, char)
            with np.errstate(all="ignore"):
                expected = getattr(scipy.special, function)(z, axis=1)
            x = LAYOUTS[layout](z)
            kind = "f2" if layout == "float16" else char
            tolerance = 8 * np.finfo(kind).eps
            results = [getattr(csoftmax, function)(x, axis=1)]
            results.append(getattr(csoftmax, function)(x.T, axis=0).T)
            for result in results:
                assert_allclose(result, expected, tolerance, tolerance, err_msg=f"{n} {char}")


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize("n", LENGTHS)
def test_softmax_backward_propagates_as_the_formula(n, bad):
    r = np.random.default_rng(n)
    for char in "fd":
        for place in (0, n // 2, n - 1):
            for poisoned in ("g", "p"):
                g, p = r.standard_normal((2, 19, n)).astype(char)
                {"g": g, "p": p}[poisoned][3, place] = bad
                with np.errstate(invalid="ignore"):
                    expected = p * (g - (g * p).sum(axis=1, keepdims=True))
                tolerance = 40 * np.sqrt(n) * np.finfo(char).eps
                assert_allclose(csoftmax.softmax_backward(g, p, 1), expected, tolerance, tolerance)
                assert_allclose(
                    csoftmax.softmax_backward(g.T.copy(), p.T.copy(), 0).T,
                    expected,
                    tolerance,
                    tolerance,
                )


# ---- threads ---------------------------------------------------------------------------------

CALLS = {
    "softmax": lambda x, axis, t: csoftmax.softmax(x, axis, n_threads=t),
    "log_softmax": lambda x, axis, t: csoftmax.log_softmax(x, axis, n_threads=t),
    "logsumexp": lambda x, axis, t: csoftmax.logsumexp(x, axis, n_threads=t),
    "softmax_backward": lambda x, axis, t: csoftmax.softmax_backward(x, x, axis, n_threads=t),
}


@pytest.fixture(scope="module")
def large():
    """Return an array with work for four threads."""
    x = np.random.default_rng(8).standard_normal((853, 13, 37))
    assert x.size * threads.NS_PER_LOGIT > 4 * threads.WORK_PER_THREAD
    if dispatch.parallel():
        assert threads.resolve(4, x.size * threads.NS_PER_LOGIT) == 4
    return x


@pytest.mark.parametrize("char", "fd")
@pytest.mark.parametrize("axis", [0, 1, 2, (0, 2), (1, 2)])
@pytest.mark.parametrize("function", CALLS)
def test_the_same_bits_for_any_number_of_threads_and_any_run(function, axis, char, large):
    x = large.astype(char)
    results = {CALLS[function](x, axis, t).tobytes() for t in (1, 2, 3, 4, 4)}
    assert len(results) == 1


def test_the_same_bits_from_many_python_threads(large):
    x = large.astype("f")
    jobs = [(f, axis, t) for f in CALLS for axis in (0, 2) for t in (1, 3)] * 2
    alone = {(f, axis): CALLS[f](x, axis, 1).tobytes() for f, axis, _ in jobs}
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda job: CALLS[job[0]](x, *job[1:]).tobytes(), jobs))
    assert [alone[f, axis] for f, axis, _ in jobs] == results
    np.testing.assert_array_equal(x, large.astype("f"))


def test_the_same_bits_at_any_address():
    """A row's sums do not depend on where its memory starts."""
    z = np.random.default_rng(1).standard_normal((3, 333)).astype("f")
    expected = csoftmax.softmax(z, 1)
    for offset in range(17):
        buffer = np.zeros(z.size + 16, "f")
        x = buffer[offset : offset + z.size].reshape(z.shape)
        x[...] = z
        np.testing.assert_array_equal(csoftmax.softmax(x, 1), expected)


# ---- memory ----------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
@pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="a sanitizer takes memory of its own")
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_long_row_needs_no_work_space(function, isa, run_python):
    """One row of 40 MB: the result is as large; scratch by the row would be a gigabyte and more."""
    done = run_python(
        f"""
        import numpy as np, csoftmax
        def peak():
            with open("/proc/self/status") as file:
                return int(next(l for l in file if l.startswith("VmPeak")).split()[1]) / 1024
        x = np.zeros(10_000_000, np.float32)
        csoftmax.{function}(x[:1000])
        before = peak()
        csoftmax.{function}(x, n_threads=1)
        print(peak() - before)
        """.replace("\n        ", "\n"),
        CSOFTMAX_ISA=isa,
    )
    assert float(done.stdout) < 100  # MiB
