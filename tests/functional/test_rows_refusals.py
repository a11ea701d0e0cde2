"""Row functions: what they refuse, in which words, and that inputs stay as they were."""

from __future__ import annotations

import re

import numpy as np
import pytest
import scipy.sparse

import csoftmax

pytestmark = pytest.mark.usefixtures("isa")

# Each function by its first argument's name; the second input of softmax_backward is valid.
NAMES = {
    "softmax": "x",
    "log_softmax": "x",
    "logsumexp": "a",
    "softmax_backward": "grad_output",
}
WITH_OUT = ("softmax", "log_softmax", "softmax_backward")
REAL = "wanted real numbers (bool, an integer type, float16, float32 or float64)"


def refused(error, message, function, *args, **kwargs):
    """The call raises just this message, and changes no input."""
    arrays = [a for a in (*args, *kwargs.values()) if isinstance(a, np.ndarray)]
    before = [a.tobytes() for a in arrays]
    with pytest.raises(error) as caught:
        getattr(csoftmax, function)(*args, **kwargs)
    assert type(caught.value) is error
    assert str(caught.value) == message
    assert [a.tobytes() for a in arrays] == before


def inputs(function, x):
    return (x, x) if function == "softmax_backward" else (x,)


@pytest.fixture(params=NAMES)
def function(request):
    return request.param


@pytest.fixture(params=WITH_OUT)
def with_out(request):
    return request.param


# ---- inputs ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        np.zeros(3, "c8"),
        np.zeros(3, "c16"),
        [1j, 2],
        np.array(["1", "2"]),
        "12",
        b"12",
        np.array(["2020-01-01"], "M8[D]"),
        np.array([3], "m8[s]"),
        None,
        np.zeros(2, [("x", "f4")]),
        {"x": 1},
    ],
    ids=lambda value: str(np.asarray(value).dtype),
)
def test_what_is_no_real_number(function, value):
    message = f"{NAMES[function]} has dtype {np.asarray(value).dtype}: {REAL}"
    refused(TypeError, message, function, *inputs(function, value))


def test_objects(function):
    name = NAMES[function]
    message = f"{name} has dtype object: {REAL}; {name}[1] is None"
    refused(TypeError, message, function, *inputs(function, np.array([1.0, None])))


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="longdouble is float64 here")
def test_longdouble(function):
    value = np.zeros(3, np.longdouble)
    message = f"{NAMES[function]} has dtype {value.dtype}: {REAL}"
    refused(TypeError, message, function, *inputs(function, value))


def test_masked_arrays(function):
    message = (
        f"{NAMES[function]} is a masked array with 1 of 3 elements masked: "
        "wanted none (fill them, or leave the rows out)"
    )
    value = np.ma.masked_array(np.zeros(3), [False, True, False])
    refused(TypeError, message, function, *inputs(function, value))


@pytest.mark.parametrize(
    "form", ["csr_matrix", "csc_array", "coo_matrix", "dok_array", "dia_array"]
)
def test_sparse_arrays(function, form):
    value = getattr(scipy.sparse, form)(np.eye(3))
    message = f"{NAMES[function]} is a sparse {form}: wanted a dense array"
    refused(TypeError, message, function, *inputs(function, value))


def test_ragged_lists(function):
    with pytest.raises(ValueError, match=f"^{NAMES[function]} is no array of numbers: .*inhomogen"):
        getattr(csoftmax, function)(*inputs(function, [[1, 2], [3]]))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros((2, 3), "c8"), f"output has dtype complex64: {REAL}"),
        (np.ma.masked_all((2, 3)), "output is a masked array with 6 of 6 elements masked: "
         "wanted none (fill them, or leave the rows out)"),
        (scipy.sparse.csr_matrix((2, 3)), "output is a sparse csr_matrix: wanted a dense array"),
    ],
)  # fmt: skip
def test_the_second_input_of_softmax_backward(value, message):
    refused(TypeError, message, "softmax_backward", np.zeros((2, 3)), value)


@pytest.mark.parametrize(
    ("g", "p"), [((2, 3), (3, 2)), ((2, 3), (3,)), ((2, 3), (1, 3)), ((), (1,)), ((0, 3), (0, 2))]
)
def test_inputs_of_two_shapes(g, p):
    message = f"grad_output has shape {g}, but output has shape {p}: wanted the same"
    refused(ValueError, message, "softmax_backward", np.zeros(g), np.zeros(p))


# ---- axis ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "axis", "bad"),
    [((2, 3), 2, 2), ((2, 3), -3, -3), ((2, 3), (0, 5), 5), ((3,), 1, 1), ((0,), 1, 1),
     ((), 1, 1), ((), -2, -2), ((2,) * 4, (3, 4), 4)],
)  # fmt: skip
def test_axis_out_of_range(function, shape, axis, bad):
    message = f"axis {bad} is out of bounds for array of dimension {len(shape)}"
    refused(
        np.exceptions.AxisError, message, function, *inputs(function, np.ones(shape)), axis=axis
    )


@pytest.mark.parametrize("axis", [(0, 0), (0, -2), (-1, 1), (1, 0, 1)])
def test_repeated_axis(function, axis):
    message = f"axis is {axis}: wanted each axis once"
    refused(ValueError, message, function, *inputs(function, np.ones((2, 3))), axis=axis)


@pytest.mark.parametrize(
    "axis", [1.0, True, False, (True,), [0], [0, 1], (0, 1.0), "0", (None,), np.True_, 1j, {0}]
)
def test_axis_that_is_no_integer(function, axis):
    message = f"axis is {axis!r}: wanted None, an integer or a tuple of integers"
    refused(TypeError, message, function, *inputs(function, np.ones((2, 3))), axis=axis)


@pytest.mark.parametrize(
    ("shape", "axis"),
    [((0,), 0), ((0,), None), ((3, 0), 1), ((3, 0), (0, 1)), ((0, 3), 0), ((2, 0, 3), -2)],
)
def test_an_axis_of_no_length(with_out, shape, axis):
    message = f"{NAMES[with_out]} has shape {shape}: wanted at least one element along axis {axis}"
    refused(ValueError, message, with_out, *inputs(with_out, np.ones(shape)), axis=axis)
    out = np.ones(shape)
    refused(ValueError, message, with_out, *inputs(with_out, out), axis=axis, out=np.ones(shape))


# ---- out -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3, 2), (2, 3, 1), (3,), (), (2, 4), (0, 3)])
def test_out_of_another_shape(with_out, shape):
    message = f"out has shape {shape}: wanted (2, 3)"
    refused(ValueError, message, with_out, *inputs(with_out, np.ones((2, 3))), out=np.zeros(shape))


@pytest.mark.parametrize(
    ("x", "out", "seen", "wanted"),
    [
        ("f4", "f8", "<f8", "<f4 (float32)"),
        ("f8", "f4", "<f4", "<f8 (float64)"),
        ("f2", "f4", "<f4", "<f2 (float16)"),
        ("i4", "i4", "<i4", "<f8 (float64)"),
        ("i4", "f4", "<f4", "<f8 (float64)"),
        ("?", "?", "|b1", "<f8 (float64)"),
        ("f8", ">f8", ">f8", "<f8 (float64)"),
        (">f4", ">f4", ">f4", "<f4 (float32)"),
        ("f8", "c16", "<c16", "<f8 (float64)"),
        ("f8", "O", "|O", "<f8 (float64)"),
    ],
)
def test_out_of_another_dtype(with_out, x, out, seen, wanted):
    if np.dtype("<f4") != np.dtype("f4"):
        pytest.skip("the words are those of little-endian machines")
    x, out = np.ones((2, 3), x), np.zeros((2, 3), out)
    message = f"out has dtype {seen}: wanted {wanted}"
    refused(TypeError, message, with_out, *inputs(with_out, x), out=out)


@pytest.mark.parametrize("out", [[0.0, 0.0], np.float64(0), "x", np.ma.zeros(2)], ids=repr)
def test_out_that_is_no_array(with_out, out):
    message = f"out is a {type(out).__name__}: wanted a numpy.ndarray"
    refused(TypeError, message, with_out, *inputs(with_out, np.ones(2)), out=out)


def test_out_that_is_read_only(with_out):
    message = "out is read-only: wanted an array that can be written to"
    for out in (np.zeros(3), np.zeros(1)[:].repeat(3)):
        out.flags.writeable = False
        refused(ValueError, message, with_out, *inputs(with_out, np.ones(3)), out=out)
    x = np.ones(3)
    x.flags.writeable = False
    refused(ValueError, message, with_out, *inputs(with_out, x), out=x)


def test_out_that_is_unaligned_or_repeats_memory(with_out):
    message = "out is unaligned or repeats memory: wanted an ordinary array"
    unaligned = np.frombuffer(bytearray(33), np.float64, 4, 1)
    refused(ValueError, message, with_out, *inputs(with_out, np.ones(4)), out=unaligned)
    repeated = np.lib.stride_tricks.as_strided(np.zeros(4), (3, 4), (0, 8))
    refused(ValueError, message, with_out, *inputs(with_out, np.ones((3, 4))), out=repeated)


def overlapping():
    """Yield pairs x, out that share some memory and are not the same."""
    base = np.arange(40.0)
    yield base[:20], base[10:30]
    yield base[:20], base[19::-1]
    square = base[:36].reshape(6, 6)
    yield square, square.T
    yield square[:3], square[1:4]
    yield square[:, ::2], square[:, 1:4]
    yield np.broadcast_to(base[:6], (6, 6)), square
    yield base[:20].view("i8"), base[:20]


def test_out_that_overlaps_an_input(with_out):
    name = NAMES[with_out]
    message = f"out overlaps {name} in memory: wanted {name} itself or an array apart"
    for x, out in overlapping():
        refused(ValueError, message, with_out, *inputs(with_out, x), out=out)


def test_out_that_overlaps_only_the_second_input():
    base = np.ones(9)
    message = "out overlaps output in memory: wanted output itself or an array apart"
    refused(ValueError, message, "softmax_backward", np.ones(8), base[:8], out=base[1:])
    refused(ValueError, message, "softmax_backward", base[1:], base[:8], out=base[1:])


# ---- n_threads -------------------------------------------------------------------------------


@pytest.mark.parametrize("n_threads", [0, -1, -(10**30), np.int8(0)])
def test_n_threads_that_is_not_positive(function, n_threads):
    message = f"n_threads is {n_threads}: wanted a positive integer or None"
    refused(ValueError, message, function, *inputs(function, np.ones(3)), n_threads=n_threads)


@pytest.mark.parametrize("n_threads", [True, False, np.True_, 1.5, 2.0, "2", [1], (1,), 1j])
def test_n_threads_that_is_no_integer(function, n_threads):
    message = f"n_threads is {n_threads!r}: wanted a positive integer or None"
    refused(TypeError, message, function, *inputs(function, np.ones(3)), n_threads=n_threads)


@pytest.mark.parametrize("n_threads", [1, 2, np.uint8(3), 10**6, 10**30])
def test_any_positive_n_threads(function, n_threads):
    x = inputs(function, np.ones(3))
    expected = getattr(csoftmax, function)(*x)
    np.testing.assert_array_equal(getattr(csoftmax, function)(*x, n_threads=n_threads), expected)


# ---- the order of arguments ------------------------------------------------------------------


@pytest.mark.parametrize("option", ["out", "n_threads"])
def test_options_stand_by_their_names_alone(function, option):
    n_positional = {"logsumexp": 5, "softmax_backward": 3}.get(function, 2)
    args = (*inputs(function, np.ones(3)), 0, None, False, False)[:n_positional]
    getattr(csoftmax, function)(*args)
    with pytest.raises(TypeError, match=re.escape("positional argument")):
        getattr(csoftmax, function)(*args, None)
