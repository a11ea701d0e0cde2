"""logsumexp with weights and signs: shapes, dtypes, layouts, threads, what is refused."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
import scipy.sparse
import scipy.special
from quiet_scipy import logsumexp as scipys

import csoftmax
from csoftmax._native import threads

pytestmark = [
    pytest.mark.usefixtures("isa"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning:scipy"),
]

INF, NAN = np.inf, np.nan


# ---- shapes, dtypes and layouts --------------------------------------------------------------


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((3, 4), (3, 4)), ((3, 4), (4,)), ((3, 4), (3, 1)), ((3, 4), ()), ((4,), (3, 4)),
        ((), (5,)), ((), ()), ((4, 1, 2, 1), (3, 1, 5)), ((2, 3, 4, 5), (3, 1, 5)),
        ((70, 3), (70, 1)), ((3, 70), (1, 70)), ((5, 1, 70), (5, 6, 1)),
    ],
)  # fmt: skip
def test_shapes_are_those_of_scipy(a, b, keepdims):
    r = np.random.default_rng(0)
    a, b = r.standard_normal(a), r.random(b)
    ndim = np.broadcast(a, b).ndim
    axes = [None, *range(-ndim, ndim), *itertools.permutations(range(ndim), 2), ()]
    for axis, order in itertools.product(axes if ndim else [None, 0, -1], "CF"):
        x, weights = np.array(a, order=order), np.array(b, order=order)
        expected = np.log(b) + a if axis == () else scipys(a, axis, b, keepdims=keepdims)
        result = csoftmax.logsumexp(x, axis, weights, keepdims)
        assert type(result) is type(expected)
        assert result.shape == expected.shape
        np.testing.assert_allclose(result, expected, 1e-13, 1e-13)
        _, sign = csoftmax.logsumexp(x, axis, weights, keepdims, return_sign=True)
        assert type(sign) is type(expected)
        np.testing.assert_array_equal(sign, np.ones(expected.shape))


@pytest.mark.parametrize(
    ("a", "b", "axis"),
    [((0,), None, None), ((0, 3), None, 0), ((3, 0), None, -1), ((0, 3), (3,), 0), ((0,), (), 0),
     ((0, 3), (1, 1), 1), ((1, 3), (0, 1), 0)],
)  # fmt: skip
def test_sums_over_nothing(a, b, axis):
    a, b = np.ones(a, "f"), None if b is None else np.ones(b, "f")
    expected = scipys(a, axis, b, return_sign=True)
    result = csoftmax.logsumexp(a, axis, b, return_sign=True)
    for ours, theirs in zip(result, expected, strict=True):
        assert (type(ours), ours.dtype, ours.shape) == (type(theirs), theirs.dtype, theirs.shape)
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("b", ["?", "i1", "u2", "i8", "f2", "f4", "f8", ">f4", 2, 2.5, True])
@pytest.mark.parametrize("a", ["?", "i1", "i2", "u8", "f2", "f4", "f8", ">f8", 1, 1.5, False])
def test_the_dtype_is_that_of_scipy(a, b):
    for of_a, of_b in (((), ()), ((2, 3), (3,))):
        x, weights = (
            np.full(shape, 1, value) if isinstance(value, str) else value
            for value, shape in ((a, of_a), (b, of_b))
        )
        expected = scipys(x, b=weights, return_sign=True)
        result = csoftmax.logsumexp(x, b=weights, return_sign=True)
        for ours, theirs in zip(result, expected, strict=True):
            assert (type(ours), ours.dtype) == (type(theirs), theirs.dtype)
            np.testing.assert_allclose(ours, theirs, 2 * np.finfo(ours.dtype).eps)


@pytest.mark.parametrize("a", [[], 3.0, [[1.0, -INF, NAN]], [INF, 1.0], [-INF], [[2, 3], [4, 5]]])
def test_signs_without_weights(a):
    for axis in (None, -1):
        for dtype in ("f2", "f4", "f8"):
            expected = scipys(np.array(a, dtype), axis, return_sign=True)
            result = csoftmax.logsumexp(np.array(a, dtype), axis, return_sign=True)
            for ours, theirs in zip(result, expected, strict=True):
                assert (type(ours), ours.dtype) == (type(theirs), theirs.dtype)
                np.testing.assert_allclose(ours, theirs, 2 * np.finfo(dtype).eps)


@pytest.mark.parametrize("char", "fd")
def test_long_rows_of_any_layout(char):
    """Longer than what is copied into scratch a row at a time."""
    r = np.random.default_rng(1)
    a, b = r.standard_normal((3, 40_000)).astype(char), r.standard_normal((3, 40_000)).astype(char)
    b += 0.1  # the sums are no accident of rounding
    expected = scipys(a.astype("f8"), 1, b.astype("f8"), return_sign=True)
    for x, weights in itertools.product(
        (a, a.copy("F")), (b, b.copy("F"), b[:, ::-1].copy()[:, ::-1])
    ):
        result = csoftmax.logsumexp(x, 1, weights, return_sign=True)
        np.testing.assert_allclose(result, expected, 3e-4 if char == "f" else 1e-11)
    for weights in (b[:1], abs(b[:, :1])):
        for x in (a, a.copy("F"), a[:, ::-1].copy()[:, ::-1]):
            expected = scipys(a.astype("f8"), 1, weights.astype("f8"), return_sign=True)
            result = csoftmax.logsumexp(x, 1, weights, return_sign=True)
            np.testing.assert_allclose(result, expected, 3e-4 if char == "f" else 1e-11)


def test_the_same_bits_for_any_number_of_threads():
    r = np.random.default_rng(8)
    a = r.standard_normal((853, 13, 37)).astype("f")
    assert a.size * threads.NS_PER_LOGIT > 4 * threads.WORK_PER_THREAD
    for b in (r.standard_normal(a.shape).astype("f"), r.random(37), r.random((13, 1)), 0.5):
        for axis in (0, 1, 2, (0, 2), (1, 2)):
            results = {
                b"".join(
                    x.tobytes() for x in csoftmax.logsumexp(a, axis, b, False, True, n_threads=k)
                )
                for k in (1, 2, 3, 4, 4)
            }
            assert len(results) == 1


# ---- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("b", "error", "message"),
    [
        (np.ones(3, "c8"), TypeError, "b has dtype complex64: wanted real numbers"),
        (1j, TypeError, "b has dtype complex128: wanted real numbers"),
        ("x", TypeError, "b has dtype <U1: wanted real numbers"),
        (np.ma.masked_all(3), TypeError, "b is a masked array with 3 of 3 elements masked: "),
        (scipy.sparse.csr_array(np.eye(3)), TypeError, "b is a sparse csr_array: wanted a dense"),
        (np.ones(2), ValueError,
         "b has shape (2,): wanted one that broadcasts with that of a, (3, 3)"),
        ([[1], [2, 3]], ValueError, "b is no array of numbers"),
    ],
)  # fmt: skip
def test_weights_that_are_refused(b, error, message):
    with pytest.raises(error, match="^" + re.escape(message)):
        csoftmax.logsumexp(np.ones((3, 3)), 1, b)


def test_axes_are_those_of_both():
    with pytest.raises(np.exceptions.AxisError, match="axis 2 is out of bounds"):
        csoftmax.logsumexp(np.ones(3), 2, np.ones((3, 3)))
    assert csoftmax.logsumexp(np.ones(3), 1, np.ones((3, 3))).shape == (3,)


def test_inputs_stay_as_they_were():
    for char, order in itertools.product("fd", "CF"):
        a = np.array([[1, NAN, INF, 3.0]] * 5, char, order=order)
        b = np.array([[1, 0, 0, -3.0]] * 5, char, order=order)
        before = a.tobytes(), b.tobytes()
        for array in (a, b):
            array.flags.writeable = False
        csoftmax.logsumexp(a, 1, b, return_sign=True)
        assert (a.tobytes(), b.tobytes()) == before
