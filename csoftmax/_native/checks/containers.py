"""What has not all its numbers in this process's memory: files, graphs to compute, GPUs, gaps.

NumPy reads most of these whole, in silence, into an array that nobody asked for, with NaN or
anything where an element is missing. They are known by what their classes have (a data frame may
have a column of any name), so that nothing is imported.
"""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any

import numpy as np

# What shows how an array is cut into pieces, in a file or a graph: h5py, Zarr, Dask, xarray and
# blosc2; PyTables; netCDF4; TensorStore.
_PIECES = ("chunks", "chunkshape", "chunking", "chunk_layout")

# How to get at all of something lazy, as its own users write it: Dask and xarray; lazy frames of
# Polars and Spark; data sets of Arrow and Lance, and Arrow's readers of batches.
_LOADERS = ("compute", "collect", "to_table", "read_all")

# What can be none of this: Python's own.
_PYTHON = (list, tuple, bool, int, float, str)

# DLPack's numbers for memory that the CPU reads: its own, pinned for CUDA and ROCm, and managed.
_HOST = (1, 3, 11, 13)


def present(name: str, value: Any) -> None:
    """Refuse an argument whose elements are not all there: masked, missing, or yet to read."""
    if isinstance(value, np.ndarray):
        if isinstance(value, np.ma.MaskedArray) and (n_masked := np.count_nonzero(value.mask)):
            raise TypeError(
                f"{name} is a masked array with {n_masked} of {value.size} elements masked: "
                "wanted none (fill them, or leave the rows out)"
            )
        return
    if type(value) in _PYTHON:  # looking for all that follows takes longer than small calls
        return
    if _on_gpu(value):
        raise TypeError(
            f"{name} is a {type_name(value)} in the memory of a GPU or another device: wanted an "
            f"array in the CPU's ({name}.get() or {name}.cpu() copies it, as its package has it)"
        )
    loader = _loader(value)
    if loader:
        raise TypeError(
            f"{name} is a {type_name(value)}{_size(value)}, not in memory: "
            f"wanted an array in memory ({name}{loader} loads it whole)"
        )
    for what, column in _columns(name, value):
        if n_missing := _n_missing(column):
            raise ValueError(
                f"{what} has {n_missing} missing value{'s' if n_missing > 1 else ''}: "
                "wanted none (fill them, or leave the rows out)"
            )


def type_name(value: Any) -> str:
    """The name of a value's class, with its package's."""
    cls = type(value)
    package = cls.__module__.partition(".")[0]
    return cls.__qualname__ if package == "builtins" else f"{package}.{cls.__qualname__}"


def _loader(value: Any) -> str:
    """What loads a lazy container whole, such as "[:]"; empty for all others."""
    cls = type(value)
    if _is_loaded_xarray(value):
        return ""
    for method in _LOADERS:
        if callable(getattr(cls, method, None)):
            return f".{method}()"
    if in_pieces(value):
        return "[:]" if value.shape else "[()]"
    return ""


def in_pieces(value: Any) -> bool:
    """Whether this is an array that reads or computes what is asked for by [a:b]."""
    pieces = any(hasattr(type(value), name) for name in _PIECES)
    parts = ("shape", "dtype", "__getitem__")
    return pieces and all(hasattr(value, p) for p in parts) and not _is_loaded_xarray(value)


def _is_loaded_xarray(value: Any) -> bool:
    """Whether this is an array of xarray, which has all of Dask's methods, that holds NumPy's."""
    cls = type(value)
    if not (hasattr(cls, "chunks") and hasattr(cls, "compute")):
        return False
    # `_in_memory` knows of files, too, where an array has no chunks; xarray has no public word.
    return value.chunks is None and getattr(value, "_in_memory", True)


def _on_gpu(value: Any) -> bool:
    """Whether an array says that it is elsewhere, as those of CuPy, Numba, PyTorch and JAX do."""
    cls = type(value)
    if hasattr(cls, "to_cupy"):  # of cuDF, whose frames say nothing else
        return True
    try:
        if getattr(value, "__cuda_array_interface__", None) is not None:
            return True
        return hasattr(cls, "__dlpack_device__") and value.__dlpack_device__()[0] not in _HOST
    except (AttributeError, BufferError, RuntimeError, TypeError, ValueError):
        return False  # NumPy's error tells of PyTorch's and JAX's that are nowhere yet


def _columns(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """What may have missing values that are no NaN, and what to call it in errors."""
    cls = type(value)
    if not hasattr(cls, "columns"):
        yield name, value
    elif hasattr(cls, "isna"):  # pandas
        for k, dtype in enumerate(value.dtypes):
            if not isinstance(dtype, np.dtype):
                yield f"column {value.columns[k]!r} of {name}", value.iloc[:, k]
    elif hasattr(cls, "get_columns"):  # Polars
        for column in value.get_columns():
            yield f"column {column.name!r} of {name}", column
    elif hasattr(cls, "num_columns"):  # Arrow
        for column_name, column in zip(value.schema.names, value.columns, strict=True):
            yield f"column {column_name!r} of {name}", column


def _n_missing(column: Any) -> int:
    """How many elements are missing; a NaN is there."""
    cls = type(column)
    if hasattr(cls, "isna"):
        return 0 if isinstance(column.dtype, np.dtype) else int(column.isna().sum())
    count = column.null_count if hasattr(cls, "null_count") else 0
    return int(count() if callable(count) else count)


def _size(value: Any) -> str:
    """Shape and bytes, as far as they are known without work: " of shape (5, 4) and 160 bytes"."""
    known = []
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and all(isinstance(n, Real) for n in shape):  # Dask has others
        known.append(f"shape {shape}")
    try:
        n_bytes = getattr(value, "nbytes", None)
    except NotImplementedError:  # Dask's data frames
        n_bytes = None
    if isinstance(n_bytes, Integral):
        known.append(f"{n_bytes} bytes")
    return f" of {' and '.join(known)}" if known else ""
