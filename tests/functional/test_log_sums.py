"""logsumexp with weights and signs: errors beside SciPy's, what is infinite."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
from builds import needs_longdouble
from closeness import assert_allclose
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from quiet_scipy import logsumexp as scipys

import csoftmax
from csoftmax import reference

pytestmark = [
    pytest.mark.usefixtures("isa"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning:scipy"),
]

LENGTHS = (1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 47, 48, 100, 1000)
INF, NAN = np.inf, np.nan
WIDER = {"f": np.float64, "d": np.longdouble}


# ---- errors beside SciPy's at the same dtype -------------------------------------------------

# |ours - truth| <= |SciPy - truth| + K eps scale, for each element, with truth in a wider type.
# scale: |m| + |truth| + sum(|b| exp(a)) / |sum(b exp(a))|, the condition of the sum.
# Worst seen over all variants: 0.8.
K = 1.0
KINDS = ("positive", "signed", "masked", "cancelling", "peaky", "near 1", "for all", "for a row")


def numbers(kind, rows, n, char):
    r = np.random.default_rng(rows * 100_003 + n)
    a, b = 2 * r.standard_normal((rows, n)), r.uniform(0.1, 3, (rows, n))
    match kind:
        case "signed":
            b = r.standard_normal((rows, n))
        case "masked":  # every third row has no weight at all
            b *= r.random((rows, n)) < 0.5
            b[::3] = 0
        case "cancelling":  # what is left is a thousandth of the terms
            a[:, n // 2 :] = a[:, : n - n // 2]
            b[:, n // 2 :] = -0.999 * b[:, : n - n // 2]
        case "peaky":
            a[np.arange(rows), r.integers(0, n, rows)] += r.uniform(5, 40, rows)
        case "near 1":  # the weight at the maximum is 1, and the others add little
            a[:, 0], b[:, 0] = 10, 1
            a[:, 1:] -= 20
            a -= 10
        case "for all":
            b = b[:1]
        case "for a row":
            b = b[:, :1]
    return a.astype(char), b.astype(char)


@functools.cache
def truth_and_scipy(kind, rows, n, char):
    """Return the truth, SciPy's error and eps times the scale, along axis 1."""
    a, b = numbers(kind, rows, n, char)
    a_wide, b_wide = np.broadcast_arrays(a.astype(WIDER[char]), b.astype(WIDER[char]))
    z = np.where(b_wide == 0, -INF, a_wide)
    m = z.max(axis=1)
    with np.errstate(all="ignore"):
        terms = b_wide * np.exp(z - m[:, None])
        tie = z == m[:, None]
        rest = np.where(tie, 0, terms).sum(1) + (np.where(tie, terms, 0).sum(1) - 1)
        log = np.where(abs(rest) < 0.5, np.log1p(rest), np.log(abs(rest + 1)))
        truth = np.where(m == -INF, -INF, m + log)
        condition = abs(terms).sum(axis=1) / abs(terms.sum(axis=1))
        theirs, _ = scipys(a, 1, b, return_sign=True)
        error = np.where(theirs == truth, 0, abs(theirs - truth))
        unit = np.finfo(char).eps * (abs(m) + abs(truth) + condition)
    sign = np.where(m == -INF, 0, np.sign(terms.sum(axis=1)))
    return truth, sign, error.astype(float), unit.astype(float)


@needs_longdouble
@pytest.mark.parametrize("char", "fd")
@pytest.mark.parametrize("kind", KINDS)
def test_not_worse_than_scipy(kind, char):
    for rows, n in itertools.product((1, 17, 33), LENGTHS):
        a, b = numbers(kind, rows, n, char)
        truth, sign, error, unit = truth_and_scipy(kind, rows, n, char)
        finite = np.isfinite(truth)
        forms = (
            (a, b, 1),
            (a.T.copy(), b.T.copy(), 0),
            (np.repeat(a, 2, axis=1)[:, ::-2], np.repeat(b, 2, axis=1)[:, ::-2], 1),
            (a, np.broadcast_to(b, a.shape).copy("F"), 1),
        )
        for x, weights, axis in forms:
            result, signs = csoftmax.logsumexp(x, axis, weights, return_sign=True)
            np.testing.assert_array_equal(signs, sign)
            np.testing.assert_array_equal(result[~finite], truth[~finite])
            excess = (abs(result[finite] - truth[finite]) - error[finite]) / unit[finite]
            assert excess.max(initial=0) <= K, (rows, n, excess.max())
            plain = csoftmax.logsumexp(x, axis, weights)
            np.testing.assert_array_equal(plain, np.where(sign < 0, NAN, result))


@needs_longdouble
def test_the_logarithm_itself():
    """Of one number 0 the result is the logarithm of the weight, subnormal ones included."""
    for char in "fd":
        info = np.finfo(char)
        exponents = np.linspace(np.log2(float(info.smallest_subnormal)), info.maxexp - 0.01, 4001)
        b = np.exp2(exponents.astype(np.longdouble)).astype(char)
        b = np.concatenate([b, np.linspace(0.5, 2, 1001, dtype=char), -b])
        result, sign = csoftmax.logsumexp(np.zeros((b.size, 1), char), 1, b[:, None], False, True)
        np.testing.assert_array_equal(sign, np.sign(b))
        truth = np.log(abs(b.astype(np.longdouble)))
        assert (abs(result - truth) <= 1.5 * np.spacing(abs(truth).astype(char))).all()
        np.testing.assert_array_equal(csoftmax.logsumexp(np.zeros((1, 1)), 1, 0.0), [-INF])


@pytest.mark.parametrize("b", [2.0, np.float32(0.3)])
def test_a_long_row_of_small_shares(b):
    """One term stands out; each other share is lost when added to it, together they are not."""
    a = np.full(1_000_000, -21.7, np.float32)
    a[0] = 0
    for weights in (np.full(a.shape, b, "f"), np.full(1, b, "f")):
        expected = np.log(float(b) * (1 + 999_999 * np.exp(-21.7)))
        assert abs(csoftmax.logsumexp(a, b=weights) - expected) <= 2e-7


# ---- what is infinite, NaN or 0 --------------------------------------------------------------


def cancels_on_top(a, b, axis):
    """Where the weights at the maximum cancel: there SciPy sums exp(a) itself."""
    a, b = np.broadcast_arrays(np.float64(a), np.float64(b))
    z = np.where(b == 0, -INF, a)
    ties = z == z.max(axis=axis, keepdims=True)
    return (np.where(ties, b, 0).sum(axis=axis) == 0) & (z.max(axis=axis) > -INF)


VALUES = (NAN, INF, -INF, 0.25)
WEIGHTS = (0.0, -0.0, 1.0, -2.0, NAN, INF, -INF)


def special_rows(n, char):
    """Yield rows with one or two special pairs at the first, middle and last place."""
    pairs = list(itertools.product(VALUES, WEIGHTS))
    a, b = np.linspace(-1, 1, n), np.linspace(0.5, 1.5, n)
    for first, second in zip(pairs, pairs[5:] + pairs[:5], strict=True):
        for place in (0, n // 2, n - 1):
            for special in ((first,), (first, second)):
                for weights in (b, 0 * b, np.where(np.arange(n) % 2, b, 0)):
                    row, weight = a.copy(), weights.copy()
                    for k, pair in enumerate(special):
                        row[(place + k) % n], weight[(place + k) % n] = pair
                    yield row.astype(char), weight.astype(char)


@pytest.mark.parametrize("n", [1, 2, 8, 17, 33, 49, 100])
@pytest.mark.parametrize("char", "fd")
def test_nan_and_infinities_are_as_in_scipy(n, char):
    a, b = (np.array(rows) for rows in zip(*special_rows(n, char), strict=True))
    tolerance = 30 * np.finfo(char).eps
    for return_sign in (True, False):
        expected = scipys(a, 1, b, return_sign=return_sign)
        for x, weights, axis in ((a, b, 1), (a.T.copy(), b.T.copy(), 0)):
            result = csoftmax.logsumexp(x, axis, weights, return_sign=return_sign)
            assert_allclose(result, expected, tolerance, tolerance)
    for weight in WEIGHTS:  # one for all
        expected = scipys(a, 1, char_of(weight, char), return_sign=True)
        result = csoftmax.logsumexp(a, 1, char_of(weight, char), return_sign=True)
        assert_allclose(result, expected, tolerance, tolerance)


def char_of(number, char):
    return np.array(number, char)


@pytest.mark.parametrize(
    ("a", "b", "log", "sign"),
    [
        ([1, 1], [1, -1], -INF, 0),
        ([1, 1, 0], [1, -1, 2], np.log(2), 1),
        ([7, 3, 2], [0, 0, 0], -INF, 0),
        ([7, INF, NAN], [1, 0, 0], 7, 1),
        ([7, INF, 2], [0, 0, 0], NAN, NAN),  # 0 * inf
        ([INF, 3], [-1, 5], INF, -1),
        ([INF, INF], [1, -1], NAN, NAN),
        ([-INF, 3], [INF, 1], NAN, NAN),  # inf * 0
        ([-INF, -INF], [1, -5], -INF, 0),
        ([3], [-INF], INF, -1),
    ],
)
def test_what_it_comes_to(a, b, log, sign):
    for dtype, repeats in itertools.product(("f2", "f4", "f8"), (1, 3, 40)):
        x, weights = np.array(a * repeats, dtype), np.array(b * repeats, dtype)
        finite = np.log(repeats) if np.isfinite(log) else 0
        result, s = csoftmax.logsumexp(x, b=weights, return_sign=True)
        assert_allclose(result, log + finite, 4 * np.finfo(dtype).eps)
        np.testing.assert_equal(float(s), sign)
        assert s.dtype == result.dtype == dtype
        plain = csoftmax.logsumexp(x, b=weights)
        np.testing.assert_equal(float(plain), float(NAN if sign == -1 else result))


@pytest.mark.parametrize("far", [-20_000.0, -1000.0, 1000.0, 20_000.0])
@pytest.mark.parametrize("char", "fd")
def test_no_finite_number_overflows_or_vanishes(far, char):
    """Where the largest terms cancel, SciPy sums exp(a), which is inf or 0 here."""
    for n in (3, 60):
        a, b = np.full(n, far - 1, char), np.zeros(n, char)
        a[[0, n - 2]], b[[0, n - 2, n - 1]] = far, (1, -1, -4)
        result, sign = csoftmax.logsumexp(a, b=b, return_sign=True)
        assert sign == -1
        assert_allclose(result, far - 1 + np.log(4), 2 * np.finfo(char).eps)
        b[-1] = 0
        assert csoftmax.logsumexp(a, b=b, return_sign=True) == (-INF, 0)
        a[1] = 2 * far if far > 0 else far / 2  # without a weight, far above the others
        assert csoftmax.logsumexp(a, b=np.where(b > 0, b, 0)) == far


@pytest.mark.parametrize("char", ["f", pytest.param("d", marks=needs_longdouble)])
def test_the_largest_and_smallest_weights(char):
    info = np.finfo(char)
    for n in (5, 100):
        for b in (info.max, -info.max, info.smallest_subnormal, -info.tiny):
            expected = np.log(n) + np.log(abs(np.longdouble(b))) - 3
            a = np.full((20, n), -3, char)
            result, sign = csoftmax.logsumexp(a, 1, np.full((20, n), b, char), return_sign=True)
            assert_allclose(result, float(expected), 2 * info.eps)
            np.testing.assert_array_equal(sign, np.sign(b))
        b = np.full(n, info.max)  # the sum is inf - inf on its way
        b[1::2] *= -1
        b[0] /= 2
        result, sign = csoftmax.logsumexp(np.zeros(n, char), b=b.astype(char), return_sign=True)
        truth = b.astype(np.longdouble).sum()
        assert_allclose(result, float(np.log(abs(truth))), 2 * info.eps)
        assert sign == np.sign(truth)


@st.composite
def sums(draw):
    """Return a, b and an axis: any shapes that broadcast, steps, orders, few numbers but any."""
    dtype = draw(st.sampled_from(["f2", "f4", "f8"]))
    shapes = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=4))
    stretch = 40 if draw(st.booleans()) else 1  # long enough for whole vectors
    r = np.random.default_rng(draw(st.integers(0, 2**32)))
    arrays = []
    for shape, pool in zip(shapes.input_shapes, (VALUES, WEIGHTS), strict=True):
        plain = r.standard_normal(4)
        rare = draw(st.lists(st.sampled_from(pool), max_size=3))
        if shape and shape[-1] > 1:
            shape = (*shape[:-1], shape[-1] * stretch)
        chosen = r.choice(plain, [2 * n for n in shape])
        for value in rare:
            chosen[r.random(chosen.shape) < draw(st.sampled_from([0.02, 0.3]))] = value
        view = np.asarray(chosen, dtype)[
            (slice(None, None, draw(st.sampled_from([1, 2, -1]))),) * len(shape)
        ]
        view = view[tuple(slice(n) for n in shape)]
        arrays.append(np.array(view, order="F") if draw(st.booleans()) else view)
    ndim = len(np.broadcast_shapes(*(x.shape for x in arrays)))
    axis = draw(st.none() | st.sets(st.integers(-ndim, ndim - 1)).map(tuple)) if ndim else None
    if axis is not None and len({k % ndim for k in axis}) < len(axis):
        axis = axis[:1]
    return (*arrays, axis)


@given(case=sums(), keepdims=st.booleans())
def test_any_weights_are_as_defined_and_as_in_scipy(case, keepdims):
    a, b, axis = case
    result, sign = csoftmax.logsumexp(a, axis, b, keepdims, True)
    defined, its_sign = reference.logsumexp(a, axis, b, keepdims, True)
    assert result.dtype == sign.dtype == a.dtype
    assert np.shape(result) == np.shape(sign) == np.shape(defined)
    sizes, _ = reference.logsumexp(a, axis, abs(b), keepdims, True)
    with np.errstate(all="ignore"):
        condition = np.nan_to_num(np.exp(sizes - defined), nan=1, posinf=INF)
    clear = condition < 100
    tolerance = 20 * np.finfo(a.dtype).eps * np.where(clear, condition, 1)
    with np.errstate(invalid="ignore"):
        close = abs(result - defined) <= tolerance * (1 + abs(defined))
    assert (close | (result == defined) | np.isnan(result) & np.isnan(defined) | ~clear).all()
    assert ((sign == its_sign) | np.isnan(sign) & np.isnan(its_sign) | ~clear).all()
    if a.size and b.size:  # SciPy has an IndexError for some of no size
        wide = a.astype("f8"), b.astype("f8")
        theirs, their_sign = scipys(wide[0], axis, wide[1], keepdims=keepdims, return_sign=True)
        assert np.shape(theirs) == np.shape(result)
        as_is = np.isnan(theirs) & cancels_on_top(*wide, axis).reshape(np.shape(theirs))
        assert_allclose(np.where(as_is, defined, theirs)[clear], defined[clear], 1e-9, 1e-9)
        np.testing.assert_array_equal(np.where(as_is, its_sign, their_sign)[clear], its_sign[clear])
