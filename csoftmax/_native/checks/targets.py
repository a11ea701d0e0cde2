"""Scores and targets: class indices, which are always range-checked, or probabilities."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax._native import dispatch
from csoftmax._native.checks.arrays import Array, array, native, weights
from csoftmax._native.layout import Rows

MAX_CLASSES = 2**31 - 1  # a float kernel compares classes as 32-bit integers
_INT64, _UINT64 = np.dtype(np.int64), np.dtype(np.uint64)


def labels(name: str, value: Array, where: Callable[[int], object] = int) -> npt.NDArray[np.int64]:
    """Class indices as int64: integers of any type, or floats that are whole.

    `where` says how the caller knows the place of one of them.
    """
    dtype, flags = value.dtype, value.flags
    if dtype is _INT64 and flags.c_contiguous and flags.aligned:
        return value
    if dtype.kind == "f":
        whole = (value == np.floor(value)) & (np.abs(value, dtype=np.float64) < 2.0**62)
        if not whole.all():
            at = int((~whole).argmax())
            raise ValueError(
                f"{name}[{where(at)}] is {value[at]}: wanted class indices, which are whole numbers"
            )
    elif dtype == _UINT64 and value.size and value.max() > np.iinfo(np.int64).max:
        at = int((value > np.iinfo(np.int64).max).argmax())
        raise ValueError(
            f"{name}[{where(at)}] is {value[at]}: wanted class indices, which are far smaller"
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
    where: Callable[[int], object] = int,
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
            f"{name}[{where(row)}] is {index[row]}: wanted class indices from 0 to {n_classes - 1}"
        )
    return (len(index) if rows is None else len(rows)) - int(ignored)


def scores(name: str, value: Array, target: npt.ArrayLike) -> Array:
    """(N, C, d1, ...) scores with at least one class; one row of them may come as (C,)."""
    if not value.ndim or not 1 <= value.shape[min(value.ndim - 1, 1)] <= MAX_CLASSES:
        _refuse_swapped(name, value, array("target", target))
        raise ValueError(
            f"{name} has shape {value.shape}: wanted (N, C), (N, C, d1, ...), or (C,) for one row, "
            "with at least one class"
        )
    return value if value.ndim > 1 else value[None, :]


def _refuse_swapped(name: str, value: Array, target: Array) -> None:
    """Raise, if each of the two is what the other one should be."""
    shape = target.shape
    of_rows = shape[:1] + shape[2:] if len(shape) > 1 else ()
    if shape and value.shape == of_rows and (target.dtype.kind == "f" or value.dtype.kind != "f"):
        raise ValueError(
            f"{name} has shape {value.shape} and target {shape}: they seem swapped, "
            f"wanted the {name} first"
        )


def target(
    value: npt.ArrayLike,
    name: str,
    given: Array,
    rows: Rows,
    dtype: np.dtype[Any],
    *,
    ignore_index: int,
) -> tuple[npt.NDArray[np.int64] | None, Array | None, int]:
    """Class indices of the rows in order, or probabilities; and how many rows have a target.

    Indices to ignore are -1. `given` are the scores as they came, `name` is their name.
    """
    found = array("target", value)
    one_row = given.ndim == 1
    indices, probs = () if one_row else rows.shape, given.shape
    if found.shape not in (indices, probs):
        _refuse_swapped(name, given, found)
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
        prob = native(found, dtype)
        return None, prob[None] if one_row else prob, math.prod(rows.shape)
    index = labels("target", found.reshape(1) if one_row else rows.flat(found), rows.index)
    n_targets = label_range(
        "target",
        index,
        given.shape[min(given.ndim - 1, 1)],
        ignore_index=ignore_index,
        where=rows.index,
    )
    if n_targets < len(index):
        index = np.where(index == ignore_index, -1, index)
    return index, None, n_targets


def row_weights(
    value: npt.ArrayLike | None, rows: Rows, dtype: np.dtype[Any], *, relative: bool
) -> Array | None:
    """Weights of rows in order, from (N,) or (N, d1, ...): see `weights`."""
    if value is None:
        return None
    if rows.is_matrix:
        return weights("sample_weight", value, rows.shape[0], dtype, "row", relative=relative)
    found = array("sample_weight", value)
    if found.shape not in (rows.shape[:1], rows.shape):
        raise ValueError(
            f"sample_weight has shape {found.shape}: wanted {rows.shape[:1]}, one for each of N, "
            f"or {rows.shape}, one for each row"
        )
    if found.ndim > 1:
        return weights(
            "sample_weight",
            rows.flat(found),
            found.size,
            dtype,
            "row",
            relative=relative,
            where=rows.index,
        )
    of_n = weights("sample_weight", found, len(found), dtype, "row", relative=relative)
    assert of_n is not None
    return rows.flat(np.broadcast_to(of_n.reshape(-1, *[1] * len(rows.shape[1:])), rows.shape))


def row_targets(
    value: npt.ArrayLike,
    shape: tuple[int, int],
    dtype: np.dtype[Any],
    rows: npt.NDArray[np.int64] | None,
) -> tuple[npt.NDArray[np.int64] | None, Array | None]:
    """Targets of a linear model: class indices, or probabilities."""
    y = array("y", value)
    if y.shape != shape[:1] and y.shape != shape:
        raise ValueError(
            f"y has shape {y.shape}: wanted {shape[:1]} class indices or {shape} probabilities"
        )
    if y.ndim == 2:
        return None, native(y, dtype)
    index = labels("y", y)
    label_range("y", index, shape[1], rows=rows)
    return index, None
