"""`out` over inputs that are no ndarrays but lie in its memory: seen for every argument."""

from __future__ import annotations

import numpy as np
import pytest
from foreign_arrays import Dlpack, Interface, Method, OldDlpack, in_arrow, in_pandas, tensor

import csoftmax
from csoftmax.solvers.passes import hvp

# ---- what NumPy can see as an array without a copy ----------------------------------------------


class Once(Method):
    """As of what makes another array each time."""

    def __array__(self, dtype=None, copy=None):
        array, self.array = self.array, None
        assert array is not None, "converted twice"
        return array


def column(array):
    """Columns of pandas share the memory of a vector; frames, that of a matrix, turned twice."""
    return in_pandas(array)


def nullable_column(array):
    """So do nullable ones."""
    arrays = pytest.importorskip("pandas").arrays
    if array.ndim > 1:
        return in_pandas(array)
    cls = arrays.FloatingArray if array.dtype.kind == "f" else arrays.IntegerArray
    return cls(array, np.zeros(array.shape, bool))


def arrow_column(array):
    return in_arrow(array) if array.ndim == 1 else Dlpack(array)


KINDS = pytest.mark.parametrize(
    "wrap",
    [
        *(memoryview, np.ma.masked_array, Interface, Method, Once, Dlpack, OldDlpack),
        *(tensor, column, nullable_column, arrow_column),
    ],
)


class Sparse:
    """A matrix in CSR format that is not SciPy's, with parts of any kind."""

    format = "csr"

    def __init__(self, shape, **parts):
        self.shape = shape
        self.__dict__.update(parts)

    def tocsr(self):
        return self


# ---- functions ----------------------------------------------------------------------------------

rng = np.random.default_rng(5)
N = D = C = 3
TABLE, VECTOR = rng.random((3, 3)), rng.random(3)
LABELS = np.array([0, 1, 1])
LOGITS = {"target": LABELS, "weight": VECTOR, "sample_weight": VECTOR}
MODEL = {
    "W": TABLE,
    "X": rng.random((N, D)),
    "rows": np.array([2, 0, 1]),
    "bias": VECTOR,
    "shift": VECTOR,
    "scale": VECTOR,
}
ROWS = {"y": LABELS, "sample_weight": VECTOR}

FUNCTIONS = {
    "softmax": (csoftmax.softmax, {"x": TABLE}),
    "log_softmax": (csoftmax.log_softmax, {"x": TABLE}),
    "softmax_backward": (
        csoftmax.softmax_backward,
        {"grad_output": TABLE, "output": rng.random((3, 3))},
    ),
    "cross_entropy": (csoftmax.cross_entropy_with_grad, {"logits": TABLE, **LOGITS}),
    "hinge": (csoftmax.multiclass_hinge_with_grad, {"scores": TABLE, **LOGITS}),
    "probabilities": (csoftmax.cross_entropy_with_grad, {"logits": TABLE, "target": TABLE.T}),
    "softmax_loss": (csoftmax.softmax_loss, MODEL | ROWS),
    "svm_loss": (csoftmax.svm_loss, MODEL | ROWS),
    "soft_targets": (csoftmax.softmax_loss, MODEL | {"y": TABLE.T}),
    "linear_predict": (csoftmax.linear_predict, MODEL),
    "linear_predict_proba": (csoftmax.linear_predict_proba, MODEL),
    "hvp": (hvp, MODEL | {"V": TABLE.T, "vbias": VECTOR, "sample_weight": VECTOR}),
}
IN_PLACE = {"x", "grad_output", "output", "logits", "scores"}
CASES = [(function, name) for function, (_, given) in FUNCTIONS.items() for name in given]
EVERY = pytest.mark.parametrize(("function", "name"), CASES)


def result(function, arguments, out=None):
    """What may be put into `out`, alone."""
    found = FUNCTIONS[function][0](**arguments, out=out)
    if not isinstance(found, tuple):
        return found
    of_hvp = function == "hvp"
    return found[0 if of_hvp else 1]


def in_memory(value, out, at):
    """Copies of both, of 8 bytes an element, in one memory: `out` begins at the element `at`."""
    memory = np.zeros(value.size + out.size + at)
    copy = memory.view(value.dtype)[: value.size].reshape(value.shape)
    copy[...] = value
    return memory, copy, memory.view(out.dtype)[at : at + out.size].reshape(out.shape)


@KINDS
@EVERY
def test_out_over_part_of_an_input(function, name, wrap):
    arguments = dict(FUNCTIONS[function][1])
    memory, value, out = in_memory(arguments[name], result(function, arguments), at=1)
    before = memory.copy()
    arguments[name] = wrap(value)
    with pytest.raises(ValueError, match=f"^out overlaps {name} in memory"):
        result(function, arguments, out)
    np.testing.assert_array_equal(memory.view(np.int64), before.view(np.int64))


@KINDS
@EVERY
def test_out_beside_an_input(function, name, wrap):
    arguments = dict(FUNCTIONS[function][1])
    expected = result(function, arguments)
    _, value, out = in_memory(arguments[name], expected, at=arguments[name].size)
    arguments[name] = wrap(value)
    assert result(function, arguments, out) is out
    np.testing.assert_array_equal(out, expected)


@KINDS
@pytest.mark.parametrize(("function", "name"), [case for case in CASES if case[1] in IN_PLACE])
def test_out_that_is_the_input(function, name, wrap):
    arguments = dict(FUNCTIONS[function][1])
    expected = result(function, arguments)
    out = arguments[name].copy()
    assert result(function, arguments | {name: wrap(out)}, out) is out
    np.testing.assert_array_equal(out, expected)


@EVERY
def test_out_over_what_is_copied_to_be_an_array(function, name):
    class Copies(Method):
        def __array__(self, dtype=None, copy=None):
            return self.array.copy()

    arguments = dict(FUNCTIONS[function][1])
    expected = result(function, arguments)
    _, value, out = in_memory(arguments[name], expected, at=1)
    result(function, arguments | {name: Copies(value)}, out)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("rows", [1, 3])
def test_strides_that_nobody_takes(rows):
    memory = rng.random((rows, 6))
    x = memory[:, :4]
    out = np.lib.stride_tricks.as_strided(x, x.shape, (x.strides[0] if rows > 1 else 8, 8))
    expected = csoftmax.softmax(x, axis=1)
    np.testing.assert_array_equal(csoftmax.softmax(x, axis=1, out=out), expected)


# ---- sparse X -----------------------------------------------------------------------------------

PARTS = {
    "data": np.array([1.0, 2.0, 3.0, 4.0]),
    "indices": np.array([0, 2, 1, 2]),
    "indptr": np.array([0, 1, 3, 4]),
}
SPARSE = [function for function, (_, given) in FUNCTIONS.items() if "X" in given]


@KINDS
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("function", SPARSE)
def test_out_over_a_part_of_sparse_x(function, part, wrap):
    arguments = FUNCTIONS[function][1] | {"X": Sparse((N, D), **PARTS)}
    expected = result(function, arguments)
    for at in (1, PARTS[part].size):
        memory, value, out = in_memory(PARTS[part], expected, at)
        before = memory.copy()
        arguments["X"] = Sparse((N, D), **PARTS | {part: wrap(value)})
        if at > 1:
            np.testing.assert_array_equal(result(function, arguments, out), expected)
            continue
        with pytest.raises(ValueError, match=f"^out overlaps X.{part} in memory"):
            result(function, arguments, out)
        np.testing.assert_array_equal(memory.view(np.int64), before.view(np.int64))
