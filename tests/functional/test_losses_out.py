"""Losses on logits: what they refuse as out, which is then as it was."""

from __future__ import annotations

import re

import numpy as np
import pytest
from loss_problem import LOSSES, C, N, assert_refused, problem

import csoftmax

pytestmark = pytest.mark.usefixtures("isa")


def unaligned():
    return np.full(N * C * 8 + 1, 0, np.uint8)[1:].view(np.float64).reshape(N, C)


def read_only():
    out = np.full((N, C), 7.0)
    out.setflags(write=False)
    return out


OUTS = {
    "list": (lambda: [[0.0] * C] * N, TypeError, "out is a list: wanted a numpy.ndarray"),
    "masked": (
        lambda: np.ma.masked_array(np.zeros((N, C))),
        TypeError,
        "out is a MaskedArray: wanted a numpy.ndarray",
    ),
    "scalar": (lambda: np.float64(0), TypeError, "out is a float64: wanted a numpy.ndarray"),
    "transposed": (lambda: np.zeros((C, N)), ValueError, "out has shape (4, 3): wanted (3, 4)"),
    "flat": (lambda: np.zeros(N * C), ValueError, "out has shape (12,): wanted (3, 4)"),
    "too many rows": (lambda: np.zeros((4, 4)), ValueError, "out has shape (4, 4): wanted (3, 4)"),
    "float32": (
        lambda: np.zeros((N, C), np.float32),
        TypeError,
        "out has dtype {f4}: wanted {f8} (float64)",
    ),
    "float16": (
        lambda: np.zeros((N, C), np.float16),
        TypeError,
        "out has dtype {f2}: wanted {f8} (",
    ),
    "integers": (
        lambda: np.zeros((N, C), np.int64),
        TypeError,
        "out has dtype {i8}: wanted {f8} (",
    ),
    "swapped bytes": (
        lambda: np.zeros((N, C), np.dtype("f8").newbyteorder("S")),
        TypeError,
        "out has dtype {swapped}: wanted {f8} (float64)",
    ),
    "read-only": (
        read_only,
        ValueError,
        "out is read-only: wanted an array that can be written to",
    ),
    "unaligned": (
        unaligned,
        ValueError,
        "out is unaligned or repeats memory: wanted an ordinary array",
    ),
    "one row repeated": (
        lambda: np.lib.stride_tricks.as_strided(np.zeros(C), (N, C), (0, 8)),
        ValueError,
        "out is unaligned or repeats memory: wanted an ordinary array",
    ),
    "one number repeated": (
        lambda: np.lib.stride_tricks.as_strided(np.zeros(N), (N, C), (8, 0)),
        ValueError,
        "out is unaligned or repeats memory: wanted an ordinary array",
    ),
}
DTYPES = {c: np.dtype(c).str for c in ("f2", "f4", "f8", "i8")} | {
    "swapped": np.dtype("f8").newbyteorder("S").str
}


@pytest.mark.parametrize("case", OUTS)
@pytest.mark.parametrize("name", LOSSES)
def test_outs(name, case):
    make, error, message = OUTS[case]
    for key, spelled in DTYPES.items():
        message = message.replace("{" + key + "}", spelled)
    assert_refused(name, problem() | {"out": make()}, error, message)


def test_out_of_float32_logits():
    z = np.zeros((N, C), np.float32)
    message = f"^out has dtype {DTYPES['f8']}: wanted {DTYPES['f4']}" + re.escape(" (float32)")
    with pytest.raises(TypeError, match=message):
        csoftmax.cross_entropy_with_grad(z, [0, 1, 2], out=np.zeros((N, C)))
    with pytest.raises(ValueError, match=r"^out has shape \(1, 4\): wanted \(4,\)$"):
        csoftmax.cross_entropy_with_grad(z[0], 1, out=np.zeros((1, 4), np.float32))


def aliases(memory):
    """(argument, its value, out): each pair shares a part of the memory."""
    out = memory[: N * C].reshape(N, C)
    return {
        "logits, a row on": ("z", memory[C:][: N * C].reshape(N, C), out),
        "logits, an element on": ("z", memory[1:][: N * C].reshape(N, C), out),
        "logits, upside down": ("z", out[::-1], out),
        "logits, one row of them": ("z", np.broadcast_to(out[1], (N, C)), out),
        "probabilities": ("target", out, out),
        "probabilities, a row on": ("target", memory[C:][: N * C].reshape(N, C), out),
        "labels": ("target", memory.view(np.int64)[:N], out),
        "labels apart": ("target", out[:, 1].view(np.int64), out),
        "small labels": ("target", memory.view(np.int8)[:N], out),
        "weight": ("weight", out[1], out),
        "weight apart": ("weight", memory[1:][::2][:C], out),
        "sample_weight": ("sample_weight", memory[2:][:N], out),
        "sample_weight, a column": ("sample_weight", out[:, 0], out),
    }


@pytest.mark.parametrize("case", aliases(np.zeros(40)))
@pytest.mark.parametrize("name", LOSSES)
def test_out_in_the_memory_of_an_input(name, case):
    memory = np.zeros(40)
    argument, value, out = aliases(memory)[case]
    seen = {"z": "logits" if name == "cross_entropy" else "scores"}.get(argument, argument)
    wanted = f"{seen} itself or an array apart" if argument == "z" else "an array of its own"
    arguments = problem() | {argument: value}
    z, target = arguments.pop("z"), arguments.pop("target")
    with pytest.raises(ValueError, match=f"^out overlaps {seen} in memory: wanted {wanted}$"):
        getattr(csoftmax, f"{name}_with_grad")(z, target, **arguments, out=out)
    assert (memory == 0).all()


@pytest.mark.parametrize("name", LOSSES)
def test_a_transposed_view_of_the_logits(name):
    z = np.arange(9.0).reshape(3, 3)
    with pytest.raises(ValueError, match=r"^out overlaps \w+ in memory: wanted \w+ itself or an "):
        getattr(csoftmax, f"{name}_with_grad")(z, [0, 1, 2], out=z.T)
    np.testing.assert_array_equal(z, np.arange(9.0).reshape(3, 3))
