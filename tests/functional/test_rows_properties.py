"""Row functions: what holds for any numbers, shapes, strides and axes."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special
from closeness import assert_allclose
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import csoftmax
from csoftmax import reference

pytestmark = pytest.mark.usefixtures("isa")


@st.composite
def views(draw, low=None, dtypes=("f2", "f4", "f8")):
    """Return an array with steps, its axes in any order, perhaps repeated; of few numbers, but any.

    With `low` they are finite and between low and -low.
    """
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    width = 8 * dtype.itemsize
    numbers = st.floats(width=width) if low is None else st.floats(low, -low, width=width)
    pool = np.array(draw(st.lists(numbers, min_size=1, max_size=6)), dtype)
    shape = draw(hnp.array_shapes(max_dims=4, max_side=5))
    if draw(st.booleans()):  # long enough for whole vectors
        shape = (*shape[:-1], shape[-1] + 32)
    r = np.random.default_rng(draw(st.integers(0, 2**32)))
    base = pool[r.integers(0, len(pool), [2 * n for n in shape])]
    steps = draw(st.tuples(*[st.sampled_from([1, 2, -1, -2]) for _ in shape]))
    x = base[tuple(slice(None, None, step) for step in steps)][tuple(slice(n) for n in shape)]
    x = x.transpose(draw(st.permutations(range(x.ndim))))
    if draw(st.booleans()):
        x = np.broadcast_to(x[:1], x.shape)
    return x


@st.composite
def axes_of(draw, x):
    """Return an axis argument, as SciPy takes it."""
    kind = draw(st.sampled_from(["none", "int", "tuple"]))
    if kind == "none":
        return None
    if kind == "int":
        return draw(st.integers(-x.ndim, x.ndim - 1))
    chosen = draw(st.sets(st.integers(0, x.ndim - 1)))
    return tuple(
        k - x.ndim if draw(st.booleans()) else k for k in draw(st.permutations(sorted(chosen)))
    )


@st.composite
def matrices(draw):
    """Return rows of moderate logits of any length, float32 or float64, contiguous or not."""
    n = draw(st.integers(1, 80))
    rows = draw(st.integers(1, 40))
    r = np.random.default_rng(draw(st.integers(0, 2**32)))
    z = r.uniform(0.1, 20) * r.standard_normal((rows, n))
    z = z.astype(draw(st.sampled_from("fd")))
    form = draw(st.sampled_from(["C", "F", "strided"]))
    return np.repeat(z, 2, axis=1)[:, ::2] if form == "strided" else np.array(z, order=form)


def eps(x):
    return float(np.finfo(x.dtype).eps)


def close(a, b, k, unit):
    np.testing.assert_array_less(abs(np.float64(a) - np.float64(b)), k * unit + 1e-300)


@given(data=st.data(), x=views())
def test_any_numbers_are_as_in_scipy(data, x):
    axis = data.draw(axes_of(x))
    for function in ("softmax", "log_softmax", "logsumexp"):
        wide = x.astype("f4") if x.dtype == np.float16 else x
        with np.errstate(all="ignore"):
            expected = getattr(scipy.special, function)(wide, axis=axis)
            expected = np.asarray(expected).astype(x.dtype)
        result = np.asarray(getattr(csoftmax, function)(x, axis=axis))
        assert (result.shape, result.dtype) == (expected.shape, expected.dtype)
        tolerance = 8 * eps(x)
        if function == "logsumexp":  # the maximum may cancel the rest
            tolerance *= 1 + np.nanmax(abs(x), where=np.isfinite(x), initial=0) / 1e3
        with np.errstate(invalid="ignore"):
            assert_allclose(result, expected, 8 * eps(x), tolerance)


@given(data=st.data(), x=views(dtypes=("f4", "f8")))
def test_in_place_is_what_a_copy_gives(data, x):
    axis = data.draw(axes_of(x))
    for function in (csoftmax.softmax, csoftmax.log_softmax):
        out = x.copy("K")
        assert function(out, axis, out=out) is out
        with np.errstate(invalid="ignore"):
            assert_allclose(out, function(x, axis), 8 * eps(x), 8 * eps(x))


@given(data=st.data(), x=views(low=-50, dtypes=("f4", "f8")))
def test_softmax_backward_of_any_layout(data, x):
    axis = data.draw(axes_of(x))
    p = csoftmax.softmax(x[..., ::-1], axis)
    result = csoftmax.softmax_backward(x, p, axis)
    assert result.shape == x.shape
    close(result, reference.softmax_backward(x, p, axis), 50 * x.size, eps(x))


@given(z=matrices())
def test_rows_are_shares(z):
    p = csoftmax.softmax(z, 1)
    assert (p >= 0).all()
    assert (p <= 1).all()
    close(p.sum(axis=1, dtype=np.float64), 1, 4 + np.sqrt(z.shape[1]), eps(z))


@given(z=matrices(), shift=st.integers(-1000, 1000))
def test_a_shift_changes_nothing_but_the_sum(z, shift):
    z = np.round(z * 64) / 64  # so that the shift is exact, and so are the differences
    shifted = z + z.dtype.type(shift)
    np.testing.assert_array_equal(csoftmax.softmax(shifted, 1), csoftmax.softmax(z, 1))
    np.testing.assert_array_equal(csoftmax.log_softmax(shifted, 1), csoftmax.log_softmax(z, 1))
    unit = eps(z) * (abs(shift) + abs(z).max() + 10)
    close(csoftmax.logsumexp(shifted, 1), csoftmax.logsumexp(z, 1) + shift, 2, unit)


@given(z=matrices(), seed=st.integers(0, 2**32))
def test_permuted_logits_have_permuted_results(z, seed):
    r = np.random.default_rng(seed)
    rows, columns = r.permutation(z.shape[0]), r.permutation(z.shape[1])
    k = 8 + np.sqrt(z.shape[1])
    for function in (csoftmax.softmax, csoftmax.log_softmax):
        by_row = function(z, 1)
        close(function(z[rows], 1), by_row[rows], k, eps(z) * (1 + abs(by_row[rows])))
        by_column = function(z[:, columns], 1)
        close(by_column, by_row[:, columns], k, eps(z) * (1 + abs(by_column)))


@given(z=matrices())
def test_siblings_agree(z):
    p, log_p = csoftmax.softmax(z, 1), csoftmax.log_softmax(z, 1)
    lse = csoftmax.logsumexp(z, 1, keepdims=True)
    k = 8 + np.sqrt(z.shape[1])
    # an error in the logarithm is relative to it
    close(np.exp(np.float64(log_p)), p, k, eps(z) * p * (1 + abs(log_p)) + 1e-38)
    close(log_p, np.float64(z) - lse, k, eps(z) * (abs(z) + abs(lse) + abs(log_p)))
    close(csoftmax.softmax_backward(np.ones_like(p), p, 1), 0, k, eps(z))


@given(z=matrices())
def test_larger_logits_have_larger_shares(z):
    for function in (csoftmax.softmax, csoftmax.log_softmax):
        result = function(z, 1)
        ordered = np.take_along_axis(result, np.argsort(z, axis=1), axis=1)
        slack = 3 * eps(z) * abs(ordered[:, 1:])
        assert (np.diff(ordered, axis=1) >= -slack).all()
        assert (result.max(axis=1) == result[np.arange(len(z)), z.argmax(axis=1)]).all()


@given(z=matrices())
def test_bounds_of_the_sum(z):
    lse, m = csoftmax.logsumexp(z, 1), z.max(axis=1)
    assert (lse >= m).all()
    bound = m + np.log(z.shape[1])
    assert (lse <= bound + 4 * eps(z) * (abs(m) + np.log(z.shape[1]))).all()


@given(z=matrices(), repeats=st.integers(2, 5))
def test_repeated_logits_count_again(z, repeats):
    again = csoftmax.logsumexp(np.tile(z, repeats), 1)
    unit = eps(z) * (abs(z).max(axis=1) + abs(again) + 2)
    close(again, csoftmax.logsumexp(z, 1) + np.log(repeats), 8 + np.sqrt(z.shape[1]), unit)
