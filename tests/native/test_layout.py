"""Row functions on arrays of any shape, layout and dtype: what SciPy gives, and `out=`."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
import scipy.special

import csoftmax
from csoftmax import reference

pytestmark = pytest.mark.usefixtures("isa")

SAME_SHAPE = ("softmax", "log_softmax")
FUNCTIONS = (*SAME_SHAPE, "logsumexp")
FLOATS = ("f2", "f4", "f8")
INTEGERS = ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")
# Lengths on both sides of a vector (4 to 16 numbers) and of two; the long ones take other paths.
SHAPES = ((), (1,), (5,), (33,), (7, 4), (2, 35), (40, 17), (3, 9, 5), (3, 34, 16), (2, 3, 4, 5))
FEW_SHAPES = ((), (5,), (2, 35), (40, 17), (3, 34, 16))
# A few units in the last place of the results; these logits give none near 0 but for log_softmax.
TOLERANCE = {"f2": 2e-3, "f4": 2e-6, "f8": 4e-15}


def logits(shape, dtype="f8"):
    """Return numbers that every dtype holds."""
    r = np.random.default_rng(11)
    return np.asarray(r.integers(-40, 41, shape) / 8, dtype)


def axis_choices(ndim):
    """Return None, each axis, all tuples, and some from the end and in disorder."""
    tuples = [t for k in range(ndim + 1) for t in itertools.combinations(range(ndim), k) if k != 1]
    return [None, *range(ndim), *tuples, *[-1, -ndim, (ndim - 1,), (-1, 0)][: 2 * ndim]]


# ---- ways to lay out the same numbers --------------------------------------------------------


def every_second(x):
    base = np.full([2 * n + 1 for n in x.shape], np.nan, x.dtype)
    view = base[(*(slice(1, None, 2) for _ in x.shape), ...)]
    view[...] = x
    return view


def backwards(x):
    flip = (*(slice(None, None, -1) for _ in x.shape), ...)
    return x[flip].copy()[flip]


def window(x):
    """Return a piece of a larger C array, whose rows lie apart."""
    base = np.full([n + 3 for n in x.shape], np.nan, x.dtype)
    view = base[(*(slice(1, n + 1) for n in x.shape), ...)]
    view[...] = x
    return view


def rotated(x):
    """Return an array whose last axis is the slowest in memory."""
    return np.moveaxis(np.moveaxis(x, -1, 0).copy(), 0, -1) if x.ndim else x.copy()


def swapped(x):
    """Return an array of more than two axes, neither C nor Fortran nor any rotation of them."""
    return x.swapaxes(0, -2).copy().swapaxes(0, -2) if x.ndim > 1 else x.copy()


def unaligned(x):
    buffer = np.zeros(x.nbytes + 1, np.uint8)
    view = np.ndarray(x.shape, x.dtype, buffer, 1)
    view[...] = x
    return view


def field(x):
    """Return a field of packed records: strides that are no multiple of the item."""
    records = np.zeros(x.shape, [("tag", "u1"), ("x", x.dtype)])
    records["x"] = x
    return records["x"] if x.ndim else np.asarray(x)


WRITABLE = {
    "C": np.copy,
    "F": lambda x: x.copy("F"),
    "every_second": every_second,
    "backwards": backwards,
    "window": window,
    "rotated": rotated,
    "swapped": swapped,
}
LAYOUTS = {
    **WRITABLE,
    "unaligned": unaligned,
    "field": field,
    "big_endian": lambda x: x.astype(x.dtype.newbyteorder(">")),
    "little_endian": lambda x: x.astype(x.dtype.newbyteorder("<")),
}


def frozen(x):
    x.flags.writeable = False
    return x


def scipy_result(function, x, **kwargs):
    """Return what SciPy gives; for float16 its float32 result, rounded."""
    wide = x.astype(np.float32) if x.dtype == np.float16 else x
    with np.errstate(all="ignore"):
        result = getattr(scipy.special, function)(wide, **kwargs)
    return result.astype(x.dtype.newbyteorder("=")) if x.dtype.kind == "f" else result


@functools.cache
def expected_of(function, shape, dtype, **kwargs):
    """Return what SciPy gives for the logits in C order, once for all layouts and variants."""
    return scipy_result(function, logits(shape, dtype), **kwargs)


def close(result, expected, tolerance, context):
    """As assert_allclose, with one tolerance, relative and absolute; in a tenth of the time."""
    with np.errstate(invalid="ignore"):
        if not (abs(result - expected) <= tolerance * (1 + abs(expected))).all():
            np.testing.assert_allclose(result, expected, tolerance, tolerance, err_msg=str(context))


def check(result, expected, dtype, context):
    assert type(result) is type(expected), context
    assert result.dtype == expected.dtype, context
    assert result.dtype.isnative, context
    assert result.shape == expected.shape, context
    close(result, expected, TOLERANCE[dtype], context)


# ---- shapes, axes and layouts ----------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("function", SAME_SHAPE)
def test_each_layout_and_axis(function, layout, dtype):
    for shape in SHAPES:
        x = frozen(LAYOUTS[layout](logits(shape, dtype)))
        for axis in axis_choices(x.ndim):
            result = getattr(csoftmax, function)(x, axis=axis)
            check(result, expected_of(function, shape, dtype, axis=axis), dtype, (shape, axis))
            assert result.flags.writeable or not result.ndim


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_logsumexp_of_each_layout_and_axis(layout, dtype):
    for shape in SHAPES[1:]:
        x = frozen(LAYOUTS[layout](logits(shape, dtype)))
        for axis, keepdims in itertools.product(axis_choices(x.ndim), (False, True)):
            result = csoftmax.logsumexp(x, axis, keepdims=keepdims)
            expected = expected_of("logsumexp", shape, dtype, axis=axis, keepdims=keepdims)
            check(result, expected, dtype, (shape, axis, keepdims))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_softmax_backward_of_each_layout_and_axis(layout, dtype):
    for shape in SHAPES:
        g = frozen(LAYOUTS[layout](logits(shape, dtype)))
        for axis in axis_choices(g.ndim):
            p = reference.softmax(logits(shape)[..., ::-1] if g.ndim else 1.0, axis)
            for second in (layout, "C"):
                output = frozen(LAYOUTS[second](np.asarray(p).astype(dtype)))
                result = csoftmax.softmax_backward(g, output, axis=axis)
                expected = reference.softmax_backward(g, output, axis)
                expected = np.asarray(expected).astype(dtype)[()]
                context = (shape, axis, second)
                assert type(result) is type(expected), context
                assert (result.shape, result.dtype) == (shape, np.dtype(dtype)), context
                close(result, expected, 8 * np.finfo(dtype).eps, context)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_zero_strides(function, dtype):
    column, row, number = logits((5, 1, 7), dtype), logits((1, 40, 1), dtype), logits((), dtype)
    for source in (column, row, number):
        x = np.broadcast_to(source, (5, 40, 7))
        for axis in axis_choices(3):
            result = getattr(csoftmax, function)(x, axis=axis)
            check(result, scipy_result(function, x, axis=axis), dtype, (source.shape, axis))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_memory_mapped(function, tmp_path):
    x = logits((40, 17), "f4")
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    for axis in axis_choices(2):
        result = getattr(csoftmax, function)(mapped, axis=axis)
        check(result, scipy_result(function, mapped, axis=axis), "f4", axis)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_strided_slices_too_long_for_scratch(function):
    x = logits((2, 32771), "f4")
    for layout in ("every_second", "F", "backwards", "rotated"):
        strided = LAYOUTS[layout](x)
        result = getattr(csoftmax, function)(strided, axis=1)
        check(result, scipy_result(function, x, axis=1), "f4", layout)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_default_axis_is_all_of_it(function):
    x = logits((3, 9, 5))
    result = getattr(csoftmax, function)(x)
    np.testing.assert_array_equal(result, getattr(csoftmax, function)(x, axis=None))
    np.testing.assert_array_equal(result, getattr(csoftmax, function)(x, axis=(0, 1, 2)))


def test_default_axis_of_softmax_backward_is_the_last():
    g, p = logits((3, 9)), reference.softmax(logits((3, 9)), -1)
    result = csoftmax.softmax_backward(g, p)
    np.testing.assert_array_equal(result, csoftmax.softmax_backward(g, p, axis=1))


@pytest.mark.parametrize("axis", [np.int64(1), np.uint8(1), np.array(1), (np.int8(-1),)])
def test_axis_may_be_any_integer(axis):
    x = logits((3, 9))
    np.testing.assert_array_equal(csoftmax.softmax(x, axis), csoftmax.softmax(x, 1))


# ---- dtypes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("order", "<>")
def test_integers(function, dtype, order):
    """SciPy's numbers for the same input in float64, in the dtype of its result for integers.

    On integers SciPy itself computes x - max(x) in their dtype: where that wraps around (unsigned
    ones; 127 - -128) it is wrong.
    """
    info = np.iinfo(dtype)
    x = np.array([[0, 1, 2, 3, 5], [0, 0, 0, info.max, info.min]], order + dtype)
    for axis in axis_choices(2):
        expected = scipy_result(function, x.astype(np.float64), axis=axis)
        result_type = scipy_result(function, x[:1], axis=1).dtype.str[1:]
        expected = expected.astype(result_type)
        check(getattr(csoftmax, function)(x, axis=axis), expected, result_type, axis)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_bool_is_0_and_1(function):
    x = np.array([[True, False, True], [False, False, False]])
    for axis in axis_choices(2):
        expected = scipy_result(function, x.astype(np.int64), axis=axis)
        check(getattr(csoftmax, function)(x, axis=axis), expected, "f8", axis)
    np.testing.assert_array_equal(
        csoftmax.softmax(x[:, ::-1], axis=1), csoftmax.softmax(x.astype(int)[:, ::-1], axis=1)
    )


@pytest.mark.parametrize(("g", "p"), list(itertools.product([*FLOATS, "i4", "?", ">f4"], repeat=2)))
def test_softmax_backward_of_two_dtypes(g, p):
    grad, output = logits((4, 5)).astype(g), reference.softmax(logits((4, 5)), 1).astype(p)
    result = csoftmax.softmax_backward(grad, output)
    as_float = [np.dtype(t) if np.dtype(t).kind == "f" else np.dtype("f8") for t in (g, p)]
    assert result.dtype == np.result_type(*as_float).newbyteorder("=")
    expected = reference.softmax_backward(grad, output)
    np.testing.assert_allclose(result, expected, rtol=0, atol=16 * np.finfo(result.dtype).eps)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    "x",
    [3, -2.5, np.float32(1.5), np.float16(2), np.int32(4), np.array(2.0), [0.5], [1, 2, 3],
     [[1.0, 2.0], [3.0, 4.0]], ((1, 2), (3, 4.5)), [np.float32(1), np.float32(2)], range(4)],
    ids=repr,
)  # fmt: skip
def test_scalars_and_sequences(function, x):
    for axis in (None, 0, -1):
        result = getattr(csoftmax, function)(x, axis=axis)
        expected = getattr(scipy.special, function)(np.asarray(x), axis=axis)
        check(result, expected, "f2" if expected.dtype == np.float16 else "f4", axis)


def test_scalars_have_no_more_than_one_axis():
    for axis in (1, -2):
        with pytest.raises(np.exceptions.AxisError, match=f"axis {axis} is out of bounds"):
            csoftmax.softmax(3.0, axis)


def test_softmax_backward_of_scalars():
    result = csoftmax.softmax_backward(2.0, np.float32(1))
    assert (result, type(result)) == (0, np.float64)


# ---- out= ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("layout", WRITABLE)
@pytest.mark.parametrize("function", SAME_SHAPE)
def test_out_of_each_layout(function, layout, dtype):
    for shape, out_layout in itertools.product(FEW_SHAPES, WRITABLE):
        x = frozen(WRITABLE[layout](logits(shape, dtype)))
        for axis in axis_choices(x.ndim)[:: 1 if x.ndim < 3 else 3]:
            out = WRITABLE[out_layout](np.full(shape, np.nan, dtype))
            surroundings = out.base
            assert getattr(csoftmax, function)(x, axis=axis, out=out) is out
            expected = expected_of(function, shape, dtype, axis=axis)
            close(out, expected, 2 * TOLERANCE[dtype], (shape, axis, out_layout))
            if out_layout in ("every_second", "window") and out.ndim:
                assert np.isnan(surroundings).sum() == surroundings.size - out.size
    np.testing.assert_array_equal(x, logits(FEW_SHAPES[-1], dtype))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("layout", WRITABLE)
@pytest.mark.parametrize("function", SAME_SHAPE)
def test_in_place(function, layout, dtype):
    for shape in SHAPES:
        for axis in axis_choices(len(shape)):
            x = WRITABLE[layout](logits(shape, dtype))
            assert getattr(csoftmax, function)(x, axis=axis, out=x) is x
            expected = expected_of(function, shape, dtype, axis=axis)
            close(x, expected, 2 * TOLERANCE[dtype], (shape, axis))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("layout", WRITABLE)
def test_softmax_backward_in_place_of_either_input(layout, dtype):
    for shape in FEW_SHAPES:
        for axis in axis_choices(len(shape))[:: 1 if len(shape) < 3 else 3]:
            g = WRITABLE[layout](logits(shape, dtype))
            p = WRITABLE[layout](np.asarray(reference.softmax(g, axis)).astype(dtype))
            expected = csoftmax.softmax_backward(g, p, axis)
            for name, other in itertools.product(("fresh", "g", "p"), ("C", layout)):
                arrays = {"g": g.copy(), "p": p.copy()} if other == "C" else {}
                arrays = arrays or {"g": WRITABLE[layout](g), "p": WRITABLE[layout](p)}
                out = arrays.get(name, np.empty_like(g))
                result = csoftmax.softmax_backward(arrays["g"], arrays["p"], axis, out=out)
                assert result is out
                close(out, expected, 8 * np.finfo(dtype).eps, (shape, axis, name, other))
                for kept, before in (("g", g), ("p", p)):
                    if kept != name:
                        np.testing.assert_array_equal(arrays[kept], before)


def test_softmax_backward_of_one_array_in_place():
    p = reference.softmax(logits((4, 37)), 1)
    expected = csoftmax.softmax_backward(p, p)
    assert csoftmax.softmax_backward(p, p, out=p) is p
    np.testing.assert_array_equal(p, expected)


@pytest.mark.parametrize(
    ("dtype", "result"), [("i4", "f8"), ("u2", "f4"), ("u1", "f2"), ("?", "f8")]
)
def test_out_for_integers(dtype, result):
    x = logits((4, 5)).astype(dtype)
    out = np.empty((4, 5), result)
    assert csoftmax.softmax(x, 1, out=out) is out
    np.testing.assert_array_equal(out, csoftmax.softmax(x, 1))


def test_out_may_interleave_with_x():
    """They share a block of memory, but no number."""
    base = np.repeat(logits((6, 35)), 2, axis=1)
    x, out = base[:, ::2], base[:, 1::2]
    expected = csoftmax.softmax(x.copy(), 1)
    csoftmax.softmax(x, 1, out=out)
    np.testing.assert_allclose(out, expected, rtol=4e-15)
    np.testing.assert_array_equal(x, logits((6, 35)))


def test_a_mapped_file_as_out(tmp_path):
    x = logits((40, 17), "f4")
    out = np.lib.format.open_memmap(tmp_path / "out.npy", "w+", x.dtype, x.shape)
    assert csoftmax.softmax(x, 1, out=out) is out
    out.flush()
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), csoftmax.softmax(x, 1))


def test_fresh_results_share_nothing():
    x = np.zeros((1, 1))
    for function in SAME_SHAPE:
        assert not np.shares_memory(getattr(csoftmax, function)(x), x)
