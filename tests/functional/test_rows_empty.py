"""Row functions of arrays without elements, and of scalars that keep their axis."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special

import csoftmax

pytestmark = pytest.mark.usefixtures("isa")

EMPTY = [
    (shape, axis)
    for shape in ((0,), (0, 3), (3, 0), (0, 0), (2, 0, 3))
    for axis in (None, 0, -1, (), *(((0, 1),) if len(shape) > 1 else ()))
]


def axis_lengths(shape, axis):
    axes = range(len(shape)) if axis is None else np.atleast_1d(np.array(axis, int))
    return [shape[k] for k in axes]


@pytest.mark.parametrize("function", ["softmax", "log_softmax", "softmax_backward"])
@pytest.mark.parametrize(("shape", "axis"), EMPTY)
@pytest.mark.parametrize("dtype", ["f2", "f4", "i8"])
def test_empty(function, shape, axis, dtype):
    x = np.empty(shape, dtype)
    inputs = (x, x) if function == "softmax_backward" else (x,)
    if 0 in axis_lengths(shape, axis):
        name = "grad_output" if len(inputs) > 1 else "x"
        with pytest.raises(ValueError, match=rf"{name} has shape \(.*\): wanted at least one elem"):
            getattr(csoftmax, function)(*inputs, axis=axis)
        if len(inputs) == 1:
            with pytest.raises(ValueError, match="zero-size"):
                getattr(scipy.special, function)(x, axis=axis)
        return
    result = getattr(csoftmax, function)(*inputs, axis=axis)
    assert result.shape == shape
    assert result.dtype == (np.float64 if dtype == "i8" else dtype)
    if dtype != "i8":
        out = np.empty(shape, dtype)
        assert getattr(csoftmax, function)(*inputs, axis=axis, out=out) is out


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize(("shape", "axis"), EMPTY)
def test_logsumexp_of_nothing_is_minus_infinity(shape, axis, keepdims):
    """As SciPy for one axis; SciPy has an IndexError or another shape for several or for none."""
    x = np.empty(shape, "f4")
    result = csoftmax.logsumexp(x, axis, keepdims=keepdims)
    assert result.dtype == np.float32
    assert result.shape == np.sum(x, axis, keepdims=keepdims).shape
    assert (result == -np.inf).all()
    if isinstance(axis, int):
        expected = scipy.special.logsumexp(x, axis, keepdims=keepdims)
        assert (type(result), result.shape) == (type(expected), expected.shape)


def test_logsumexp_keepdims_of_a_scalar():
    """SciPy counts a scalar as one axis, and keeps it."""
    for axis in (None, 0, -1):
        expected = scipy.special.logsumexp(5.0, axis, keepdims=True)
        result = csoftmax.logsumexp(5.0, axis, keepdims=True)
        assert (type(result), result.shape) == (type(expected), expected.shape)
