"""What the linear losses refuse: which exception, and what its message says."""

from __future__ import annotations

import re

import numpy as np
import pytest

from csoftmax import linear_predict, linear_predict_proba, softmax_loss, svm_loss

pytestmark = pytest.mark.usefixtures("isa")

N, D, C = 4, 3, 2
W = np.linspace(-1.0, 1.0, D * C).reshape(D, C)
X = np.linspace(-2.0, 2.0, N * D).reshape(N, D)
y = np.array([0, 1, 1, 0])
BOTH = pytest.mark.parametrize("loss", [softmax_loss, svm_loss])


def refused(error, *message, loss=softmax_loss, **changed):
    """Call with some arguments changed; all words of the message must be there, in this order."""
    arguments = {"W": W, "X": X, "y": y, **changed}
    before = {k: np.array(v, copy=True) for k, v in arguments.items() if isinstance(v, np.ndarray)}
    if loss in (linear_predict, linear_predict_proba) and "y" not in changed:
        del arguments["y"]
    with pytest.raises(error, match=".*".join(map(re.escape, message))):
        loss(**arguments)
    for name, value in before.items():
        np.testing.assert_array_equal(arguments.get(name, value), value)  # `out`, too


# ---- shapes -------------------------------------------------------------------------------------

SHAPES = [
    ({"W": np.ones(3)}, ["W has shape (3,)", "wanted (D, C)"]),
    ({"W": np.float64(1)}, ["W has shape ()", "wanted (D, C)"]),
    ({"W": np.ones((3, 2, 1))}, ["W has shape (3, 2, 1)", "wanted (D, C)"]),
    ({"W": np.ones((3, 0))}, ["W has shape (3, 0)", "at least one feature and one class"]),
    ({"W": np.ones((0, 2)), "X": np.ones((4, 0))}, ["W has shape (0, 2)", "one feature and one"]),
    ({"X": np.ones(3)}, ["X has shape (3,)", "wanted (N, 3)"]),
    ({"X": np.ones((4, 3, 1))}, ["X has shape (4, 3, 1)", "wanted (N, 3)"]),
    ({"X": np.ones((4, 5))}, ["W has 3 rows, but X has 5 columns", "wanted W of shape (5, C)"]),
    ({"X": [[1.0, 2.0, 3.0], [4.0]]}, ["X is no array of numbers"]),
    ({"bias": np.ones(3)}, ["bias has shape (3,)", "wanted (2,)", "class"]),
    ({"bias": 1.0}, ["bias has shape ()", "wanted (2,)"]),
    ({"bias": np.ones((1, 2))}, ["bias has shape (1, 2)", "wanted (2,)"]),
    ({"shift": np.ones(2)}, ["shift has shape (2,)", "wanted (3,)", "feature"]),
    ({"shift": 2}, ["shift has shape ()", "wanted (3,)"]),
    ({"shift": 2.0}, ["shift has shape ()", "wanted (3,)"]),
    ({"scale": np.ones((3, 1))}, ["scale has shape (3, 1)", "wanted (3,)", "feature"]),
    ({"scale": np.float64(0.5)}, ["scale has shape ()", "wanted (3,)"]),
]
ROW_SHAPES = [
    ({"y": np.zeros(3, int)}, ["y has shape (3,)", "(4,) class indices", "(4, 2) probabilities"]),
    ({"y": np.ones((4, 3))}, ["y has shape (4, 3)", "(4,) class indices", "(4, 2) probabilities"]),
    ({"y": np.ones((3, 2))}, ["y has shape (3, 2)", "(4, 2) probabilities"]),
    ({"y": np.ones((4, 1))}, ["y has shape (4, 1)", "(4,) class indices"]),
    ({"y": 0}, ["y has shape ()", "(4,) class indices"]),
    ({"y": np.zeros((4, 2, 1))}, ["y has shape (4, 2, 1)", "(4, 2) probabilities"]),
    ({"y": [0, 1], "rows": [0, 1]}, ["y has shape (2,)", "(4,) class indices"]),
    ({"sample_weight": np.ones(2)}, ["sample_weight has shape (2,)", "wanted (4,)", "row of X"]),
    ({"sample_weight": 1.0}, ["sample_weight has shape ()", "wanted (4,)"]),
    ({"X": np.ones((0, 3)), "y": np.zeros(0, int)}, ["X has no rows", "at least one"]),
    ({"rows": []}, ["rows is empty", "at least one"]),
    ({"rows": np.zeros(0, int)}, ["rows is empty", "at least one"]),
]


@pytest.mark.parametrize("loss", [softmax_loss, svm_loss, linear_predict, linear_predict_proba])
@pytest.mark.parametrize(("changed", "message"), SHAPES)
def test_shapes(changed, message, loss):
    refused(ValueError, *message, loss=loss, **changed)


@BOTH
@pytest.mark.parametrize(("changed", "message"), ROW_SHAPES)
def test_shapes_by_row(changed, message, loss):
    refused(ValueError, *message, loss=loss, **changed)


# ---- dtypes -------------------------------------------------------------------------------------

ARRAYS = {
    "W": W,
    "X": X,
    "y": y,
    "bias": np.ones(C),
    "sample_weight": np.ones(N),
    "shift": np.ones(D),
    "scale": np.ones(D),
    "rows": np.arange(N),
}


@BOTH
@pytest.mark.parametrize("name", ARRAYS)
def test_what_is_no_array_of_real_numbers(name, loss):
    value = ARRAYS[name]
    for dtype in (complex, np.complex64, str, bytes, "datetime64[s]", "timedelta64[s]"):
        other = value.astype(int).astype(dtype)
        seen = f"{name} has dtype {other.dtype}"
        refused(TypeError, seen, "wanted real numbers", loss=loss, **{name: other})
    refused(
        TypeError,
        f"{name} is a masked array",
        "wanted none",
        loss=loss,
        **{name: np.ma.masked_array(value, mask=True)},
    )


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="long double is double here")
@BOTH
@pytest.mark.parametrize("name", ARRAYS)
def test_long_double(name, loss):
    other = ARRAYS[name].astype(np.longdouble)
    refused(TypeError, f"{name} has dtype {other.dtype}", "float64", loss=loss, **{name: other})


@pytest.mark.parametrize("name", ["W", "X", "bias", "shift", "scale", "rows"])
def test_labels_need_real_numbers(name):
    masked = np.ma.masked_array(ARRAYS[name], mask=True)
    refused(TypeError, f"{name} is a masked array", loss=linear_predict, **{name: masked})
    imaginary = ARRAYS[name] * 1j
    refused(TypeError, f"{name} has dtype complex", loss=linear_predict, **{name: imaginary})


@pytest.mark.parametrize("dtype", ["int64", "float16", "uint8", "bool"])
@pytest.mark.parametrize("loss", [softmax_loss, svm_loss, linear_predict, linear_predict_proba])
def test_dtype_of_w(dtype, loss):
    other = np.ones((D, C), dtype)
    refused(TypeError, f"W has dtype {dtype}", "wanted float32 or float64", loss=loss, W=other)


# ---- rows ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [softmax_loss, svm_loss, linear_predict, linear_predict_proba])
def test_rows(loss):
    for rows, at in [([0, 4], 1), ([-5], 0), ([0, -1, 99, 98], 2), ([2**63], 0), ([-(2**63)], 0)]:
        seen = f"rows[{at}] is {rows[at]}:"
        refused(ValueError, seen, "indices of the 4 rows of X", loss=loss, rows=np.array(rows))
    for rows in ([0.0, 1.0], [True, False, True, True], [[0, 1]], 2, [[]]):
        refused(
            TypeError,
            "rows has dtype",
            "and shape",
            "wanted a vector of integers",
            loss=loss,
            rows=rows,
        )
    refused(TypeError, "numpy.flatnonzero(mask)", loss=loss, rows=y == 1)


def test_rows_of_no_rows():
    refused(ValueError, "rows[0] is 0:", "the 0 rows of X", X=np.ones((0, D)), y=[], rows=[0])


# ---- labels -------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("labels", "seen"),
    [
        ([0, -1, 1, 7], "y[1] is -1"),
        ([0, 1, 2, -1], "y[2] is 2"),
        ([5, 1, 1, 0], "y[0] is 5"),
        ([0, 0, 0, -100], "y[3] is -100"),
        ([0, 1, 2**32, 0], f"y[2] is {2**32}"),
        ([0, 1, 2**62, 0], f"y[2] is {2**62}"),
        (np.array([0, 0, 200, 0], np.uint8), "y[2] is 200"),
        (np.array([0, 0, -3, 0], np.int8), "y[2] is -3"),
        ([0.0, 1.0, 2.0, 1.0], "y[2] is 2"),
        (np.array([0, 0, 2, 0], ">i4"), "y[2] is 2"),
    ],
)
def test_labels_out_of_range(labels, seen, loss):
    refused(ValueError, f"{seen}:", "wanted class indices from 0 to 1", loss=loss, y=labels)


def test_uint64_labels():
    refused(
        ValueError,
        f"y[2] is {2**63 + 1}:",
        "wanted class indices",
        y=np.array([0, 1, 2**63 + 1, 0], np.uint64),
    )


def test_first_bad_label_of_the_rows_in_use():
    labels = np.array([9, 1, -2, 8])
    refused(ValueError, "y[2] is -2:", y=labels, rows=[1, 2, 0])
    refused(ValueError, "y[3] is 8:", y=labels, rows=[1, -1, 2, 0])
    loss, _ = softmax_loss(W, X, labels, rows=[1, 1])  # the others do not matter
    assert loss == softmax_loss(W, X, y, rows=[1, 1])[0]


@BOTH
@pytest.mark.parametrize("bad", [0.5, 1e-300, np.nan, np.inf, -np.inf, 1e300])
def test_labels_that_are_not_whole(bad, loss):
    labels = np.array([0, 1, bad, bad])
    refused(ValueError, f"y[2] is {bad}:", "class indices", "whole numbers", loss=loss, y=labels)


# ---- numbers ------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("bad", [-1e-9, -np.inf, np.inf, np.nan])
def test_reg(bad, loss):
    refused(ValueError, f"reg is {bad:g}:", "a finite number of at least 0", loss=loss, reg=bad)


@BOTH
@pytest.mark.parametrize("name", ["reg", "label_smoothing", "delta"])
def test_numbers_that_are_none(name, loss):
    if name == "delta" and loss is softmax_loss:
        with pytest.raises(TypeError, match="delta"):
            softmax_loss(W, X, y, delta=1.0)
        return
    for bad in ("1", None, True, np.bool_(False), [0.5], np.array(0.5), 1j):
        refused(TypeError, f"{name} is {bad!r}:", "wanted a real number", loss=loss, **{name: bad})


@BOTH
@pytest.mark.parametrize("bad", [-0.01, 1.01, np.nan, np.inf])
def test_label_smoothing(bad, loss):
    refused(
        ValueError,
        f"label_smoothing is {bad:g}:",
        "a number from 0 to 1",
        loss=loss,
        label_smoothing=bad,
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_delta(bad):
    refused(ValueError, f"delta is {bad:g}:", "wanted a finite number", loss=svm_loss, delta=bad)


@BOTH
@pytest.mark.parametrize("bad", [-1.0, -1e-300, np.nan, np.inf, -np.inf])
def test_sample_weight(bad, loss):
    refused(
        ValueError,
        f"sample_weight[2] is {bad}:",
        "finite numbers, none negative",
        loss=loss,
        sample_weight=np.array([0, 1, bad, bad]),
    )


@BOTH
def test_sample_weight_of_0(loss):
    zero = [0, 0, 0, 1]
    refused(ValueError, "sample_weight is 0 for all rows", loss=loss, sample_weight=np.zeros(N))
    refused(
        ValueError,
        "sample_weight is 0 for all rows",
        "at least one positive",
        loss=loss,
        sample_weight=zero,
        rows=[0, 1, 1],
    )


@pytest.mark.parametrize("loss", [softmax_loss, svm_loss, linear_predict, linear_predict_proba])
def test_n_threads(loss):
    for bad in (0, -1, -(2**70)):
        refused(ValueError, f"n_threads is {bad}:", "positive integer", loss=loss, n_threads=bad)
    for bad in (True, 1.5, 2.0, "2", np.bool_(True), [1]):
        refused(TypeError, f"n_threads is {bad!r}:", "positive integer", loss=loss, n_threads=bad)


# ---- out ----------------------------------------------------------------------------------------


def frozen(array):
    array.flags.writeable = False
    return array


def off_by_a_byte(shape):
    return np.zeros(8 * shape[0] * shape[1] + 1, np.uint8)[1:].view(float).reshape(shape)


OUTS = [
    ([[0.0] * C] * D, TypeError, ["out is a list", "wanted a numpy.ndarray"]),
    (np.ma.zeros((D, C)), TypeError, ["out is a MaskedArray", "wanted a numpy.ndarray"]),
    (np.zeros((C, D)), ValueError, ["out has shape (2, 3)", "wanted (3, 2)"]),
    (np.zeros(D * C), ValueError, ["out has shape (6,)", "wanted (3, 2)"]),
    (np.zeros((D, C), np.float32), TypeError, ["out has dtype <f4", "wanted <f8 (float64)"]),
    (np.zeros((D, C), ">f8"), TypeError, ["out has dtype >f8", "wanted <f8 (float64)"]),
    (np.zeros((D, C), int), TypeError, ["out has dtype <i8", "wanted <f8 (float64)"]),
    (frozen(np.zeros((D, C))), ValueError, ["out is read-only", "written to"]),
    (off_by_a_byte((D, C)), ValueError, ["out is unaligned"]),
    (
        np.lib.stride_tricks.as_strided(np.zeros(C), (D, C), (0, 8)),
        ValueError,
        ["out", "repeats memory"],
    ),
]


@BOTH
@pytest.mark.parametrize(("out", "error", "message"), OUTS)
def test_out(out, error, message, loss):
    refused(error, *message, loss=loss, out=out)


@BOTH
def test_out_of_float32(loss):
    wanted = ["out has dtype <f8", "wanted <f4 (float32)"]
    refused(TypeError, *wanted, loss=loss, W=W.astype("f"), out=np.zeros((D, C)))


@BOTH
@pytest.mark.parametrize("name", ["W", "X", "y", "bias", "sample_weight", "shift", "scale", "rows"])
def test_out_over_an_input(name, loss):
    """3 rows, 3 features, 3 classes: each argument has a place in one memory of the size of dW."""
    memory = np.arange(9.0)
    out = memory.reshape(3, 3)
    place = {"W": memory.reshape(3, 3), "X": memory.reshape(3, 3).T, "rows": memory[3:6]}
    value = place.get(name, memory[3:6])
    if name in ("y", "rows"):
        memory.view(np.int64)[:] = 1
        value = memory.view(np.int64)[3:6]
    arguments = {"W": np.ones((3, 3)), "X": np.ones((3, 3)), "y": [0, 1, 2]} | {name: value}
    refused(
        ValueError,
        f"out overlaps {name} in memory",
        "an array of its own",
        loss=loss,
        out=out,
        **arguments,
    )


@BOTH
def test_out_over_part_of_an_input(loss):
    X = np.ones((30, D))
    for out in (X[5:8, 1:], X[::7][:D, ::2], X[27:, :2][::-1]):
        refused(ValueError, "out overlaps X", loss=loss, X=X, y=np.zeros(30, int), out=out)
    prob = np.full((30, C), 0.5)
    refused(ValueError, "out overlaps y", loss=loss, X=X, y=prob, out=prob[9:12])
    # beside an input, in the same memory, is no overlap
    loss(W, X[:, :D], np.zeros(30, int), out=np.ones((D, 2 * C))[:, ::2])


def test_out_of_labels():
    def refuse(error, *message, **changed):
        refused(error, *message, loss=linear_predict, **changed)

    refuse(TypeError, "out is a list", "numpy.ndarray", out=[0] * N)
    refuse(ValueError, "out has shape (3,)", "wanted (4,)", out=np.zeros(3, int))
    refuse(ValueError, "out has shape (4,)", "wanted (1,)", out=np.zeros(4, int), rows=[0])
    refuse(TypeError, "out has dtype <i4", "<i8 (int64)", out=np.zeros(4, np.int32))
    refuse(TypeError, "out has dtype <f8", "<i8 (int64)", out=np.zeros(4))
    refuse(ValueError, "out is read-only", out=frozen(np.zeros(4, np.int64)))
    refuse(ValueError, "repeats memory", out=np.lib.stride_tricks.as_strided(y, (N,), (0,)))
    for name, array in {"X": X.copy(), "W": W.copy()}.items():
        inside = array.view(np.int64).ravel()[:N]
        refuse(ValueError, f"out overlaps {name}", out=inside, **{name: array})


def test_out_of_probabilities():
    def refuse(error, *message, **changed):
        refused(error, *message, loss=linear_predict_proba, **changed)

    refuse(TypeError, "out is a list", "numpy.ndarray", out=[[0.0] * C] * N)
    refuse(ValueError, "out has shape (4,)", f"wanted (4, {C})", out=np.zeros(4))
    refuse(TypeError, "out has dtype <f4", "<f8 (float64)", out=np.zeros((N, C), np.float32))
    refuse(ValueError, "out is read-only", out=frozen(np.zeros((N, C))))
    for name, array in {"X": np.ones((N, D)), "W": np.ones((D, C))}.items():
        inside = np.lib.stride_tricks.as_strided(array, (N, C), (8, 8))
        refuse(ValueError, "repeats memory", out=inside, **{name: array})
    X = np.ones((N, D))
    refuse(ValueError, "out overlaps X", X=X, out=X[:, :C])


# ---- what is refused does nothing ---------------------------------------------------------------


@BOTH
def test_a_refusal_leaves_out_alone(loss):
    out = np.full((D, C), 7.0)
    for changed, seen in [
        ({"y": [0, 1, 2, 0]}, "y[2] is 2"),
        ({"reg": -1}, "reg is -1"),
        ({"n_threads": 0}, "n_threads is 0"),
        ({"rows": [7]}, "rows[0] is 7"),
        ({"sample_weight": -np.ones(N)}, "sample_weight[0] is -1"),
    ]:
        refused(ValueError, seen, loss=loss, out=out, **changed)
        assert (out == 7).all()
