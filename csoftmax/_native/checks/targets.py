"""Scores and targets: class indices, which are always range-checked, or probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax._native import dispatch
from csoftmax._native.checks.arrays import Array, array, native

MAX_CLASSES = 2**31 - 1  # a float kernel compares classes as 32-bit integers
_INT64, _UINT64 = np.dtype(np.int64), np.dtype(np.uint64)


def labels(name: str, value: Array) -> npt.NDArray[np.int64]:
    """Class indices as int64: integers of any type, or floats that are whole."""
    dtype = value.dtype
    if dtype.kind == "f":
        whole = (value == np.floor(value)) & (np.abs(value, dtype=np.float64) < 2.0**62)
        if not whole.all():
            at = int((~whole).argmax())
            raise ValueError(
                f"{name}[{at}] is {value[at]}: wanted class indices, which are whole numbers"
            )
    elif dtype == _UINT64 and value.size and value.max() > np.iinfo(np.int64).max:
        at = int((value > np.iinfo(np.int64).max).argmax())
        raise ValueError(
            f"{name}[{at}] is {value[at]}: wanted class indices, which are far smaller"
        )
    index = native(value, _INT64)
    return index if index.flags.c_contiguous else np.ascontiguousarray(index)


def label_range(
    name: str,
    index: npt.NDArray[np.int64],
    n_classes: int,
    *,
    rows: npt.NDArray[np.int64] | None = None,
    ignore_index: int | None = None,
) -> int:
    """Number of rows that have a class; ValueError with the first label that is none.

    Labels that equal `ignore_index` are neither.
    """
    may_ignore = ignore_index is not None
    row, ignored = dispatch.kernels.bad_label(
        index, rows, n_classes, may_ignore, ignore_index if may_ignore else 0
    )
    if row >= 0:
        raise ValueError(
            f"{name}[{row}] is {index[row]}: wanted class indices from 0 to {n_classes - 1}"
        )
    return (len(index) if rows is None else len(rows)) - int(ignored)


def scores(name: str, value: Array) -> Array:
    """(N, C) scores with at least one class; one row of them may come as (C,)."""
    if value.ndim not in (1, 2) or not 1 <= value.shape[-1] <= MAX_CLASSES:
        raise ValueError(
            f"{name} has shape {value.shape}: wanted (N, C), or (C,) for one row, "
            "with at least one class"
        )
    return value if value.ndim == 2 else value[None, :]


def target(
    value: npt.ArrayLike,
    shape: tuple[int, int],
    dtype: np.dtype[Any],
    *,
    one_row: bool,
    ignore_index: int,
) -> tuple[npt.NDArray[np.int64] | None, Array | None, int]:
    """Class indices (those to ignore as -1), or probabilities; and how many rows have a target."""
    n_rows, n_classes = shape
    found = array("target", value)
    indices, probs = ((), (n_classes,)) if one_row else ((n_rows,), shape)
    if found.shape not in (indices, probs):
        raise ValueError(
            f"target has shape {found.shape}: wanted {indices} class indices "
            f"or {probs} probabilities"
        )
    if found.shape == probs:
        if ignore_index >= 0:
            raise ValueError(
                f"ignore_index is {ignore_index}, but target is probabilities: "
                "wanted class indices with it"
            )
        return None, native(found.reshape(shape), dtype), n_rows
    index = labels("target", found.reshape(1) if one_row else found)
    n_targets = label_range("target", index, n_classes, ignore_index=ignore_index)
    if n_targets < n_rows:
        index = np.where(index == ignore_index, -1, index)
    return index, None, n_targets


def row_targets(
    value: npt.ArrayLike,
    shape: tuple[int, int],
    dtype: np.dtype[Any],
    rows: npt.NDArray[np.int64] | None,
) -> tuple[npt.NDArray[np.int64] | None, Array | None]:
    """Targets of a linear model: class indices, or probabilities."""
    y = array("y", value)
    if y.shape not in (shape[:1], shape):
        raise ValueError(
            f"y has shape {y.shape}: wanted {shape[:1]} class indices or {shape} probabilities"
        )
    if y.ndim == 2:
        return None, native(y, dtype)
    index = labels("y", y)
    label_range("y", index, shape[1], rows=rows)
    return index, None
