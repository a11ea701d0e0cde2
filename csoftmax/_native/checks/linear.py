"""Linear models: coefficients, features, rows of X and their weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax._native import dispatch
from csoftmax._native.checks.arrays import (
    FLOAT64,
    KERNEL_CHARS,
    Array,
    array,
    native,
    result_dtype,
    vector,
)
from csoftmax._native.checks.numbers import integer
from csoftmax._native.checks.targets import MAX_CLASSES
from csoftmax._native.csr import Csr


def coefficients(value: npt.ArrayLike) -> Array:
    """W (D, C) in float32 or float64, with at least one feature and one class."""
    W = array("W", value)
    shape = W.shape
    if len(shape) != 2:
        raise ValueError(f"W has shape {shape}: wanted (D, C), features by classes")
    if W.dtype.char not in KERNEL_CHARS:
        raise TypeError(f"W has dtype {W.dtype}: wanted float32 or float64, the arithmetic's dtype")
    if 0 in shape or shape[1] > MAX_CLASSES:
        raise ValueError(f"W has shape {shape}: wanted at least one feature and one class")
    return native(W, result_dtype(W.dtype))


def features(value: Any, W: Array) -> Array:
    """X (N, D): float32, float64 and uint8 as they are, bool as uint8, others in W's dtype."""
    X = array("X", value)
    features_shape(X.shape, W)
    return readable(X, W.dtype)


def readable(X: Array, dtype: np.dtype[Any]) -> Array:
    """Features as the kernels read them: as they lie, bool as uint8; or in `dtype`, copied."""
    if X.dtype.kind == "b":
        X = X.view(np.uint8)
    own, flags = X.dtype, X.flags
    in_place = own.char in "fdB" and own.isnative and flags.aligned
    # of contiguous arrays, only strides of axes of length 1, which nobody takes, may be odd
    if in_place and (flags.forc or all(s % own.itemsize == 0 for s in X.strides)):
        return X
    return X.astype(dtype)


def features_shape(shape: tuple[int, ...], W: Array) -> None:
    if len(shape) != 2:
        raise ValueError(f"X has shape {shape}: wanted (N, {W.shape[0]}), rows by features")
    if shape[1] != W.shape[0]:
        raise ValueError(
            f"W has {W.shape[0]} rows, but X has {shape[1]} columns: "
            f"wanted W of shape ({shape[1]}, C)"
        )


def row_indices(value: npt.ArrayLike | None, n_rows: int) -> npt.NDArray[np.int64] | None:
    """Indices as in X[rows], copied, so that no other thread can change them after this check."""
    if value is None:
        return None
    found = array("rows", value)
    if found.ndim != 1 or (found.dtype.kind not in "iu" and found.size):
        raise TypeError(
            f"rows has dtype {found.dtype} and shape {found.shape}: "
            "wanted a vector of integers (for a mask: numpy.flatnonzero(mask))"
        )
    rows = found.astype(np.int64)
    out_of_range = dispatch.kernels.bad_label
    at, _ = out_of_range(rows, None, n_rows, False, 0)
    if at >= 0:
        rows[rows < 0] += n_rows
        at, _ = out_of_range(rows, None, n_rows, False, 0)
    if at >= 0:
        raise ValueError(f"rows[{at}] is {found[at]}: wanted indices of the {n_rows} rows of X")
    return rows


def affine(name: str, value: npt.ArrayLike, X: Array | Csr, W: Array) -> Array:
    """The shift or scale (D,), in the dtype in which (X - shift) scale is computed."""
    wide = FLOAT64 if isinstance(X, Csr) or X.dtype == FLOAT64 else W.dtype
    return vector(name, value, W.shape[0], wide, "feature")


def direction(value: npt.ArrayLike, W: Array) -> Array:
    """V, a change of W: of its shape, in its dtype."""
    V = array("V", value)
    if V.shape != W.shape:
        raise ValueError(f"V has shape {V.shape}: wanted {W.shape}, as W")
    return native(V, W.dtype)


def columns_of_models(n_models: int, W: Array) -> int:
    """Classes of each of so many models whose coefficients lie side by side in W."""
    n_models = integer("n_models", n_models, 1)
    if W.shape[1] % n_models:
        raise ValueError(
            f"W has {W.shape[1]} columns: wanted as many for each of the {n_models} models"
        )
    n_classes: int = W.shape[1] // n_models
    return n_classes


def masks(
    value: npt.ArrayLike | None, of_model: npt.ArrayLike | None, n_rows: int, n_models: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]] | tuple[None, None]:
    """Masks over the rows (F, N), 0 or 1, and the mask of each model, copied for safety."""
    if value is None or of_model is None:
        if value is not of_model:
            names = ("mask", "mask_of_model")
            missing, given = names if value is None else names[::-1]
            raise ValueError(f"{missing} is None, but {given} is not: wanted both or neither")
        return None, None
    mask, found = array("mask", value), array("mask_of_model", of_model)
    if mask.ndim != 2 or mask.shape[1] != n_rows:
        raise ValueError(f"mask has shape {mask.shape}: wanted (F, {n_rows}), masks by rows of X")
    if mask.dtype.kind != "b" and (mask.dtype != np.uint8 or mask.max(initial=0) > 1):
        raise TypeError(f"mask has dtype {mask.dtype}: wanted bool, or uint8 that is 0 or 1")
    if found.shape != (n_models,) or found.dtype.kind not in "iu":
        raise ValueError(
            f"mask_of_model has dtype {found.dtype} and shape {found.shape}: "
            f"wanted ({n_models},) integers, the mask of each model"
        )
    index = found.astype(np.int64)
    at, _ = dispatch.kernels.bad_label(index, None, len(mask), False, 0)
    if at >= 0:
        raise ValueError(f"mask_of_model[{at}] is {found[at]}: wanted one of {len(mask)} masks")
    return np.ascontiguousarray(mask).view(np.uint8), index


def normalizers(value: npt.ArrayLike, n_models: int) -> npt.NDArray[np.float64]:
    """What the losses are divided by: positive numbers."""
    result = vector("normalizer", value, n_models, FLOAT64, "model")
    wrong = ~((result > 0) & (result < math.inf))
    if wrong.any():
        at = int(wrong.argmax())
        raise ValueError(f"normalizer[{at}] is {result[at]}: wanted positive finite numbers")
    return result


def total_weight(weights: Array, rows: npt.NDArray[np.int64] | None) -> float:
    """Sum of the weights in use, which must not be 0."""
    total = float((weights if rows is None else weights[rows]).sum(dtype=np.float64))
    if not total > 0:
        raise ValueError("sample_weight is 0 for all rows: wanted at least one positive weight")
    return total


def total_weights(
    masks: npt.NDArray[np.uint8], weights: Array | None, rows: npt.NDArray[np.int64] | None
) -> npt.NDArray[np.float64]:
    """Sum of the weights that count by each mask, which must not be 0."""
    totals = np.empty(len(masks))
    for at, mask in enumerate(masks):
        counted = mask if weights is None else weights * mask
        totals[at] = (counted if rows is None else counted[rows]).sum(dtype=np.float64)
        if not totals[at] > 0:
            raise ValueError(f"mask[{at}] leaves no row with a positive weight: wanted one")
    return totals
