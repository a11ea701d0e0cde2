"""Sparse X: every index is range-checked before a kernel follows it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax._native import dispatch
from csoftmax._native.checks.arrays import Array, array, native
from csoftmax._native.checks.linear import features_shape
from csoftmax._native.csr import Csr

_INT32, _INT64 = np.dtype(np.int32), np.dtype(np.int64)


def is_sparse(value: Any) -> bool:
    """Whether this is a matrix or array of scipy.sparse, which is not imported for that."""
    # looked for in the class: a data frame may have a column of this name
    return not isinstance(value, np.ndarray) and hasattr(type(value), "tocsr")


def parts(name: str, value: Any) -> dict[str, Array]:
    """The arrays that a matrix lies in, each converted once: itself, or its parts as CSR."""
    if not is_sparse(value):
        return {name: array(name, value)}
    csr = value if getattr(value, "format", None) == "csr" else value.tocsr()
    names = {f"{name}.{field}": field for field in Csr._fields[:3]}
    return {part: array(part, getattr(csr, field)) for part, field in names.items()}


def sparse_features(parts: dict[str, Array], shape: tuple[int, ...], W: Array) -> Csr:
    """X (N, D) as CSR: values as in `features`, indices of 32 or 64 bits.

    `sparse_entries` is to follow, when it is known which rows are in use.
    """
    features_shape(shape, W)
    for name, part in parts.items():
        if part.ndim != 1:
            raise ValueError(f"{name} has shape {part.shape}: wanted a vector")
    data, indices, indptr = parts.values()
    for name, part in parts.items():
        if part is not data and part.dtype.kind not in "iu":
            raise TypeError(f"{name} has dtype {part.dtype}: wanted integers")
    n_rows = int(shape[0])
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
    row, entry, is_sorted = dispatch.kernels.bad_entry(X.indptr, X.indices, rows, n_features)
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


def dense(X: Array | Csr) -> Array:
    """X, if it is not sparse: for passes that have no kernel for CSR."""
    if isinstance(X, Csr):
        raise TypeError("X is sparse, for which there is no such pass: wanted a dense array")
    return X
