"""What holds numbers, but not all of them in this process's memory: files, graphs to compute, GPUs.

NumPy reads most of these whole, in silence, into an array that nobody asked for. They are known by
what their classes have (a data frame may have a column of any name), so that nothing is imported.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np

# What shows how an array is cut into pieces, in a file or a graph: h5py, Zarr, Dask, xarray and
# blosc2; PyTables; netCDF4; TensorStore.
_PIECES = ("chunks", "chunkshape", "chunking", "chunk_layout")

# How to get at all of something lazy, as its own users write it: Dask and xarray; lazy frames of
# Polars and Spark; data sets of Arrow and Lance, and Arrow's readers of batches.
_LOADERS = ("compute", "collect", "to_table", "read_all")


def present(name: str, value: Any) -> None:
    """Refuse an argument whose elements are not all there: masked, or yet to read or compute."""
    if isinstance(value, np.ndarray):
        if isinstance(value, np.ma.MaskedArray):
            raise TypeError(
                f"{name} is a masked array: wanted a plain array (fill it, or leave the rows out)"
            )
        return
    if _on_gpu(value):
        raise TypeError(
            f"{name} is a {type_name(value)} in a GPU's memory: wanted an array in the CPU's "
            f"({name}.get() or {name}.cpu() copies it, as its package has it)"
        )
    loader = _loader(value)
    if loader:
        raise TypeError(
            f"{name} is a {type_name(value)}{_size(value)}, not in memory: "
            f"wanted an array in memory ({name}{loader} loads it whole)"
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
    """Whether an array says that it is on a GPU, as those of CuPy, Numba, PyTorch and JAX do."""
    if not hasattr(type(value), "__cuda_array_interface__"):
        return False
    try:
        return value.__cuda_array_interface__ is not None
    except (AttributeError, RuntimeError):  # not there; or PyTorch's, which NumPy's error tells of
        return False


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
