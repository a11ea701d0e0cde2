"""The only place that raises about input.

Each message names the argument, what was seen and what was wanted. Every function returns its
argument in the form that the kernels take, without a copy where it has that form already. Nothing
here changes an argument.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax import _dispatch
from csoftmax._csr import Csr

Array = npt.NDArray[Any]

#: dtype.kind of what is a number here: bool, signed, unsigned, floating point
_REAL_KINDS = "biuf"
_KERNEL_CHARS = "fd"
_FLOAT64 = np.dtype(np.float64)
_INT32 = np.dtype(np.int32)
_INT64, _UINT64 = np.dtype(np.int64), np.dtype(np.uint64)
_MAX_CLASSES = 2**31 - 1  # a float kernel compares classes as 32-bit integers


def n_threads(value: int) -> int:
    """A positive number of threads."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"n_threads is {value!r}: wanted a positive integer or None")
    if value <= 0:
        raise ValueError(f"n_threads is {value}: wanted a positive integer or None")
    return int(value)


# ---- numbers -----------------------------------------------------------------------------------


def real(name: str, value: float, low: float = -math.inf, high: float = math.inf) -> float:
    """A finite real number within [low, high]."""
    if type(value) is not float and (
        isinstance(value, (bool, np.bool_))
        or not isinstance(value, (int, float, np.integer, np.floating))
    ):
        raise TypeError(f"{name} is {value!r}: wanted a real number")
    number = float(value)
    if not (math.isfinite(number) and low <= number <= high):
        if low == -math.inf:
            wanted = "a finite number"
        elif high == math.inf:
            wanted = f"a finite number of at least {low:g}"
        else:
            wanted = f"a number from {low:g} to {high:g}"
        raise ValueError(f"{name} is {number:g}: wanted {wanted}")
    return number


def choice(name: str, value: str, wanted: Sequence[str]) -> str:
    """One of a few strings."""
    if value not in wanted:
        raise ValueError(f"{name} is {value!r}: wanted one of {', '.join(map(repr, wanted))}")
    return value


def integer(name: str, value: int, low: int = -(2**63)) -> int:
    """An integer of 64 bits, of at least `low`."""
    if type(value) is not int and (
        isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer))
    ):
        raise TypeError(f"{name} is {value!r}: wanted an integer")
    if value < low:
        raise ValueError(f"{name} is {value}: wanted at least {low}")
    if value >= 2**63:
        raise ValueError(f"{name} is {value}: wanted an integer of 64 bits")
    return int(value)


# ---- arrays ------------------------------------------------------------------------------------


def array(name: str, value: npt.ArrayLike) -> Array:
    """An array of real numbers of any dtype up to float64, as it is."""
    result = value if type(value) is np.ndarray else _as_array(name, value)
    dtype = result.dtype
    if dtype.kind not in _REAL_KINDS or dtype.itemsize > 8:
        raise TypeError(
            f"{name} has dtype {dtype}: wanted real numbers "
            "(bool, an integer type, float16, float32 or float64)"
        )
    return result


def _as_array(name: str, value: npt.ArrayLike) -> Array:
    """What is not an array already, or is of a class of its own."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{name} is a masked array: wanted a plain array (fill it, or leave the rows out)"
        )
    if not isinstance(value, np.ndarray) and hasattr(value, "tocsr"):
        raise TypeError(f"{name} is a sparse {type(value).__name__}: wanted a dense array")
    try:
        return np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise ValueError(f"{name} is no array of numbers: {error}") from error


@functools.cache
def result_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of a function of `dtype`: integers and bool count as float64."""
    if dtype.kind != "f":
        return _FLOAT64
    return dtype if dtype.isnative else dtype.newbyteorder("=")


@functools.cache
def exp_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of numpy.exp, which SciPy's softmax has: narrow integers give narrow floats."""
    if dtype.kind in "iu" and dtype.itemsize < 4:
        return np.dtype(np.float16 if dtype.itemsize == 1 else np.float32)
    return result_dtype(dtype)


def kernel_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype that a kernel computes in: float16 goes through float32."""
    return dtype if dtype.char in _KERNEL_CHARS else np.dtype(np.float32)


def native(value: Array, dtype: np.dtype[Any]) -> Array:
    """`value` in another dtype, a native one, aligned: itself, or a copy."""
    if value.dtype == dtype and value.flags.aligned:
        return value
    with np.errstate(over="ignore", invalid="ignore"):  # past float32 is inf, as in the kernels
        return value.astype(dtype)


def axes(axis: int | tuple[int, ...] | None, ndim: int) -> tuple[int, ...]:
    """`axis` as SciPy reads it, sorted and counted from the front; a scalar has axis 0, too."""
    if axis is None:
        return tuple(range(ndim))
    if type(axis) is int and -ndim <= axis < ndim:
        return (axis % ndim,)
    found = []
    for one in axis if isinstance(axis, tuple) else (axis,):
        if isinstance(one, (bool, np.bool_)):
            raise TypeError(f"axis is {axis!r}: wanted None, an integer or a tuple of integers")
        try:
            index = operator.index(one)
        except TypeError:
            raise TypeError(
                f"axis is {axis!r}: wanted None, an integer or a tuple of integers"
            ) from None
        if not -max(ndim, 1) <= index < max(ndim, 1):
            raise np.exceptions.AxisError(index, ndim)
        found.append(index % max(ndim, 1))
    if len(set(found)) < len(found):
        raise ValueError(f"axis is {axis!r}: wanted each axis once")
    return tuple(sorted(found)) if ndim else ()


def overlaps(a: Array, b: Array) -> bool:
    """Whether two arrays share memory; if that is too hard to tell, whether their bounds do."""
    if not np.may_share_memory(a, b):
        return False
    try:
        return np.shares_memory(a, b, max_work=10_000)  # type: ignore[arg-type]  # NumPy's stub
    except np.exceptions.TooHardError:
        return True


def same_memory(a: Array, b: Array) -> bool:
    """Whether two arrays are one: the same elements at the same addresses."""
    return (
        a.__array_interface__["data"][0] == b.__array_interface__["data"][0]
        and a.shape == b.shape
        and a.strides == b.strides
        and a.dtype == b.dtype
    )


def _repeats(a: Array) -> bool:
    """Whether an array might have an element in the memory of another one of its own."""
    end = a.itemsize
    for stride, length in sorted(
        (abs(stride), n) for stride, n in zip(a.strides, a.shape, strict=True) if n > 1
    ):
        if stride < end:
            return True
        end += stride * (length - 1)
    return False


def out_array(
    out: Array,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    inputs: Mapping[str, npt.ArrayLike | None],
    *,
    in_place: Sequence[str] = (),
) -> Array:
    """An array for the result: of this shape and dtype, writable, apart from all inputs.

    It may be the very memory of the inputs that `in_place` names.
    """
    if type(out) is not np.ndarray and (
        not isinstance(out, np.ndarray) or isinstance(out, np.ma.MaskedArray)
    ):
        raise TypeError(f"out is a {type(out).__name__}: wanted a numpy.ndarray")
    if out.shape != shape:
        raise ValueError(f"out has shape {out.shape}: wanted {shape}")
    if out.dtype != dtype:
        raise TypeError(f"out has dtype {out.dtype.str}: wanted {dtype.str} ({dtype})")
    flags = out.flags
    if not flags.writeable:
        raise ValueError("out is read-only: wanted an array that can be written to")
    if not flags.aligned or not (flags.forc or not out.size or not _repeats(out)):
        raise ValueError("out is unaligned or repeats memory: wanted an ordinary array")
    for name, other in inputs.items():
        if not isinstance(other, np.ndarray) or (other is out and name in in_place):
            continue
        if not overlaps(out, other):
            continue
        if name not in in_place:
            raise ValueError(f"out overlaps {name} in memory: wanted an array of its own")
        if not same_memory(out, other):
            raise ValueError(
                f"out overlaps {name} in memory: wanted {name} itself or an array apart"
            )
    return out


def vector(name: str, value: npt.ArrayLike, length: int, dtype: np.dtype[Any], of: str) -> Array:
    """A contiguous copy or view of `length` numbers in `dtype`; `of` says what there is one for."""
    result = array(name, value)
    if result.shape != (length,):
        raise ValueError(f"{name} has shape {result.shape}: wanted ({length},), one for each {of}")
    return np.ascontiguousarray(native(result, dtype))


def weights(
    name: str,
    value: npt.ArrayLike | None,
    length: int,
    dtype: np.dtype[Any],
    of: str,
    *,
    relative: bool = False,
) -> Array | None:
    """Finite numbers, not negative.

    Where only their ratios count (`relative`), they are scaled by a power of 2, so that no sum of
    them leaves the range of `dtype`.
    """
    if value is None:
        return None
    given = vector(name, value, length, result_dtype(array(name, value).dtype), of)
    if not length:
        return native(given, dtype)
    highest, most = float(given.max()), float(np.finfo(np.float64 if relative else dtype).max)
    if not (given.min() >= 0 and highest <= most):
        at = int((~((given >= 0) & (given <= most))).argmax())
        raise ValueError(
            f"{name}[{at}] is {given[at]}: wanted finite numbers, none negative or above {most:.3g}"
        )
    if relative and not 1e-9 < highest < 1e9:
        given = np.ldexp(given.astype(np.float64), -math.frexp(highest)[1])
    return native(given, dtype)


# ---- targets -----------------------------------------------------------------------------------


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
    row, ignored = _dispatch.kernels.bad_label(
        index, rows, n_classes, may_ignore, ignore_index if may_ignore else 0
    )
    if row >= 0:
        raise ValueError(
            f"{name}[{row}] is {index[row]}: wanted class indices from 0 to {n_classes - 1}"
        )
    return (len(index) if rows is None else len(rows)) - int(ignored)


def scores(name: str, value: Array) -> Array:
    """(N, C) scores with at least one class; one row of them may come as (C,)."""
    if value.ndim not in (1, 2) or not 1 <= value.shape[-1] <= _MAX_CLASSES:
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


# ---- linear models -----------------------------------------------------------------------------


def coefficients(value: npt.ArrayLike) -> Array:
    """W (D, C) in float32 or float64, with at least one feature and one class."""
    W = array("W", value)
    if W.ndim != 2:
        raise ValueError(f"W has shape {W.shape}: wanted (D, C), features by classes")
    if W.dtype.char not in _KERNEL_CHARS:
        raise TypeError(f"W has dtype {W.dtype}: wanted float32 or float64, the arithmetic's dtype")
    if 0 in W.shape or W.shape[1] > _MAX_CLASSES:
        raise ValueError(f"W has shape {W.shape}: wanted at least one feature and one class")
    return native(W, result_dtype(W.dtype))


def features(value: Any, W: Array) -> Array:
    """X (N, D): float32, float64 and uint8 as they are, bool as uint8, others in W's dtype."""
    X = array("X", value)
    _features_shape(X.shape, W)
    if X.dtype.kind == "b":
        X = X.view(np.uint8)
    dtype, flags = X.dtype, X.flags
    in_place = dtype.char in "fdB" and dtype.isnative and flags.aligned
    # of contiguous arrays, only strides of axes of length 1, which nobody takes, may be odd
    if in_place and (flags.forc or all(s % dtype.itemsize == 0 for s in X.strides)):
        return X
    return X.astype(W.dtype)


def _features_shape(shape: tuple[int, ...], W: Array) -> None:
    if len(shape) != 2:
        raise ValueError(f"X has shape {shape}: wanted (N, {W.shape[0]}), rows by features")
    if shape[1] != W.shape[0]:
        raise ValueError(
            f"W has {W.shape[0]} rows, but X has {shape[1]} columns: "
            f"wanted W of shape ({shape[1]}, C)"
        )


def is_sparse(value: Any) -> bool:
    """Whether this is a matrix or array of scipy.sparse, which is not imported for that."""
    return not isinstance(value, np.ndarray) and hasattr(value, "tocsr")


def sparse_features(value: Any, W: Array) -> Csr:
    """X (N, D) as CSR: values as in `features`, indices of 32 or 64 bits.

    `sparse_entries` is to follow, when it is known which rows are in use.
    """
    _features_shape(value.shape, W)
    X = value if getattr(value, "format", None) == "csr" else value.tocsr()
    parts = {name: array(f"X.{name}", getattr(X, name)) for name in ("data", "indices", "indptr")}
    for name, part in parts.items():
        if part.ndim != 1:
            raise ValueError(f"X.{name} has shape {part.shape}: wanted a vector")
    data, indices, indptr = parts.values()
    for name, part in parts.items():
        if name != "data" and part.dtype.kind not in "iu":
            raise TypeError(f"X.{name} has dtype {part.dtype}: wanted integers")
    n_rows = int(value.shape[0])
    if len(indptr) != n_rows + 1:
        raise ValueError(
            f"X.indptr has {len(indptr)} elements: wanted {n_rows + 1}, one more than rows of X"
        )
    if len(data) != len(indices):
        raise ValueError(
            f"X.data has {len(data)} elements, but X.indices has {len(indices)}: "
            "wanted one of each for each entry"
        )
    if data.dtype.kind == "b":
        data = data.view(np.uint8)
    plain = data.dtype.char in "fdB" and data.dtype.isnative
    narrow = indices.dtype == indptr.dtype == _INT32
    index_dtype = _INT32 if narrow else _INT64
    return Csr(
        np.ascontiguousarray(native(data, data.dtype if plain else W.dtype)),
        np.ascontiguousarray(native(indices, index_dtype)),
        np.ascontiguousarray(native(indptr, index_dtype)),
        (n_rows, W.shape[0]),
    )


def sparse_entries(X: Csr, rows: npt.NDArray[np.int64] | None) -> Csr:
    """X, whose rows in use lie within its entries, and these within its features; sorted."""
    n_entries, n_features = len(X.indices), X.shape[1]
    row, entry, is_sorted = _dispatch.kernels.bad_entry(X.indptr, X.indices, rows, n_features)
    if row >= 0 and entry < 0:
        raise ValueError(
            f"X.indptr[{row}] is {X.indptr[row]} and X.indptr[{row + 1}] is {X.indptr[row + 1]}: "
            f"wanted numbers that do not fall, from 0 to the {n_entries} entries of X"
        )
    if row >= 0:
        raise ValueError(
            f"X.indices[{entry}] (in row {row}) is {X.indices[entry]}: "
            f"wanted indices of the {n_features} features, from 0 to {n_features - 1}"
        )
    if is_sorted:
        return X
    if rows is not None:  # all are sorted, so that all must be right
        return sparse_entries(X, None)
    return X.sorted()


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
    out_of_range = _dispatch.kernels.bad_label
    at, _ = out_of_range(rows, None, n_rows, False, 0)
    if at >= 0:
        rows[rows < 0] += n_rows
        at, _ = out_of_range(rows, None, n_rows, False, 0)
    if at >= 0:
        raise ValueError(f"rows[{at}] is {found[at]}: wanted indices of the {n_rows} rows of X")
    return rows


def affine(name: str, value: npt.ArrayLike, X: Array | Csr, W: Array) -> Array:
    """The shift or scale (D,), in the dtype in which (X - shift) scale is computed."""
    wide = _FLOAT64 if isinstance(X, Csr) or X.dtype == _FLOAT64 else W.dtype
    return vector(name, value, W.shape[0], wide, "feature")


def dense(X: Array | Csr) -> Array:
    """X, if it is not sparse: for passes that have no kernel for CSR."""
    if isinstance(X, Csr):
        raise TypeError("X is sparse, for which there is no such pass: wanted a dense array")
    return X


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
    at, _ = _dispatch.kernels.bad_label(index, None, len(mask), False, 0)
    if at >= 0:
        raise ValueError(f"mask_of_model[{at}] is {found[at]}: wanted one of {len(mask)} masks")
    return np.ascontiguousarray(mask).view(np.uint8), index


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


def normalizers(value: npt.ArrayLike, n_models: int) -> npt.NDArray[np.float64]:
    """What the losses are divided by: positive numbers."""
    result = vector("normalizer", value, n_models, _FLOAT64, "model")
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
