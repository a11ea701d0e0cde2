"""Arrays of other packages as NumPy's: tensors, frames, series, buffers, with a copy if they must.

They are known by what their classes have, so that nothing is imported: data frames have `columns`,
those of pandas (and its series) also `isna`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_OBJECT = np.dtype(object)

# What NumPy looks for by itself, beside buffers and sequences.
_KNOWN = ("__array__", "__array_interface__", "__array_struct__")


def as_numpy(value: Any) -> Array:
    """An array of any dtype, without a copy where the value lies in memory as one."""
    cls = type(value)
    if hasattr(cls, "isna"):
        dtype = table_dtype(value) if hasattr(cls, "columns") else _own(value.dtype)
        # NumPy by itself makes objects of nullable columns, and of mixed ones.
        return np.asarray(value if dtype == _OBJECT else value.to_numpy(dtype))
    if hasattr(cls, "__dlpack__") and not any(hasattr(cls, name) for name in _KNOWN):
        return np.from_dlpack(value)
    return np.asarray(value)


def table_dtype(table: Any) -> np.dtype[Any]:
    """The dtype that holds all columns of a data frame, if they are numbers, else object."""
    if not hasattr(type(table), "isna"):  # of Polars and Arrow, which turn themselves into arrays
        return np.asarray(table[:0]).dtype
    dtypes = {_own(dtype) for dtype in table.dtypes}
    if not dtypes or any(dtype.kind not in "biuf" for dtype in dtypes):
        return _OBJECT
    return np.result_type(*dtypes)


def is_sparse_table(table: Any) -> bool:
    """Whether all columns of a data frame are sparse, as those of pandas may be."""
    if not (hasattr(type(table), "isna") and hasattr(type(table), "columns")):
        return False
    return len(table.dtypes) > 0 and all(hasattr(dtype, "fill_value") for dtype in table.dtypes)


def _own(dtype: Any) -> np.dtype[Any]:
    """NumPy's dtype for the elements of one of pandas': nullable, Arrow's, sparse; else object."""
    if isinstance(dtype, np.dtype):
        return dtype
    found = getattr(dtype, "subtype" if hasattr(dtype, "fill_value") else "numpy_dtype", None)
    return found if isinstance(found, np.dtype) else _OBJECT
