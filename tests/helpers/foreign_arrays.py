"""An array as other packages hold it: kinds of arguments, by name."""

from __future__ import annotations

import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

#: dtypes of numbers that kinds are tried in
DTYPES = ("float64", "float32", "float16", "int64", "uint8", "bool")


# ---- what has one protocol and nothing else ----------------------------------------------------


class Interface:
    """As of Numba, Cython or ctypes wrappers."""

    def __init__(self, array):
        self.array = array
        self.__array_interface__ = array.__array_interface__


class Method:
    """As of data frames and their columns."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return np.array(self.array, dtype, copy=copy)


class Dlpack:
    """As of tensors that know nothing of NumPy; `device` as DLPack numbers them."""

    def __init__(self, array, device=(1, 0)):
        self.array, self.device = array, device
        self.shape, self.dtype, self.ndim = array.shape, "of its own", array.ndim

    def __getitem__(self, key):
        raise AssertionError("read row by row")

    def __dlpack__(self, **options):
        assert self.device == (1, 0), "read"
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.device


class OldDlpack(Dlpack):
    """From before DLPack had versions."""

    def __dlpack__(self, stream=None):
        return self.array.__dlpack__()


def read_only(array):
    """DLPack since version 1.0 says that nobody may write."""
    if np.lib.NumpyVersion(np.__version__) < "2.1.0":
        pytest.skip("NumPy 2.1 began to read what says so")
    view = array[...]
    view.flags.writeable = False
    return Dlpack(view)


# ---- packages ------------------------------------------------------------------------------------


def tensor(array):
    return pytest.importorskip("torch").from_numpy(array)


def jax_array(array):
    return pytest.importorskip("jax.numpy").asarray(array)


def python_array(values):
    return array.array(values.dtype.char, values.tolist())


def ctypes_array(array):
    return np.ctypeslib.as_ctypes(np.ascontiguousarray(array))


def in_pandas(array, dtype=None):
    """A series or a frame, in NumPy's memory if its dtype is."""
    pandas = pytest.importorskip("pandas")
    if array.ndim == 1:
        return pandas.Series(array, dtype=dtype, copy=False)
    frame = pandas.DataFrame(array, copy=False, columns=names(array))
    return frame if dtype is None else frame.astype(dtype)


def nullable(array):
    name = {"f": "Float", "i": "Int", "u": "UInt"}.get(array.dtype.kind)
    return in_pandas(array, f"{name}{8 * array.itemsize}" if name else "boolean")


def in_pandas_of_arrow(array):
    pyarrow, pandas = pytest.importorskip("pyarrow"), pytest.importorskip("pandas")
    return in_pandas(array, pandas.ArrowDtype(pyarrow.from_numpy_dtype(array.dtype)))


def index(array):
    return pytest.importorskip("pandas").Index(array)


def categorical(array):
    return pytest.importorskip("pandas").Series(array).astype("category")


def in_polars(array):
    polars = pytest.importorskip("polars")
    if array.ndim == 1:
        return polars.Series(array)
    return polars.DataFrame(dict(zip(names(array), array.T, strict=True)))


def in_arrow(array):
    pyarrow = pytest.importorskip("pyarrow")
    if array.ndim == 1:
        return pyarrow.array(array)
    return pyarrow.table(list(map(pyarrow.array, np.ascontiguousarray(array.T))), names(array))


def in_chunks(array):
    pyarrow = pytest.importorskip("pyarrow")
    return pyarrow.chunked_array([pyarrow.array(part) for part in np.array_split(array, 2)])


def record_batch(array):
    return in_arrow(array).to_batches()[0]


def names(array):
    return [f"feature {k}" for k in range(array.shape[1])]


@dataclass
class Kind:
    """How to make one of an array of NumPy's.

    Attributes
    ----------
    dims : tuple of int
        How many dimensions there may be.
    dtypes : tuple of str
        Which survive as they are.
    in_place : tuple of int
        With how many dimensions NumPy sees it where it lies, if it is float32.
    """

    make: Callable[[Any], Any]
    dims: tuple[int, ...] = (0, 1, 2, 3)
    dtypes: tuple[str, ...] = DTYPES
    in_place: tuple[int, ...] = (0, 1, 2, 3)

    def holds(self, array: Any) -> bool:
        return array.ndim in self.dims and array.dtype.name in self.dtypes


OF_PYTHON = ("float64", "int64", "bool")
NO_HALF = ("float64", "float32", "int64", "uint8", "bool")
KINDS = {
    "lists": Kind(lambda a: a.tolist(), dtypes=OF_PYTHON, in_place=()),
    "objects": Kind(lambda a: a.astype(object), dtypes=OF_PYTHON, in_place=()),
    "matrix": Kind(lambda a: a.view(np.matrix), (2,)),
    "nothing masked": Kind(np.ma.masked_array),
    "memoryview": Kind(memoryview),
    "array.array": Kind(python_array, (1,), ("float64", "float32", "uint8")),
    "ctypes": Kind(ctypes_array, (1, 2, 3), NO_HALF),
    "__array_interface__": Kind(Interface),
    "__array__": Kind(Method),
    "__dlpack__": Kind(Dlpack),
    "__dlpack__ without versions": Kind(OldDlpack),
    "__dlpack__, read-only": Kind(read_only),
    "torch": Kind(tensor),
    "jax": Kind(jax_array, dtypes=("float32", "float16", "uint8", "bool")),
    "pandas": Kind(in_pandas, (1, 2)),
    "pandas, nullable": Kind(nullable, (1, 2), NO_HALF, in_place=(1,)),
    "pandas of Arrow": Kind(in_pandas_of_arrow, (1, 2), NO_HALF, in_place=(1,)),
    "pandas.Index": Kind(index, (1,), NO_HALF),
    "pandas, categories": Kind(categorical, (1,), OF_PYTHON, in_place=()),
    "polars": Kind(in_polars, (1, 2), NO_HALF, in_place=(1,)),
    "pyarrow": Kind(in_arrow, (1, 2), in_place=(1,)),
    "pyarrow, chunks": Kind(in_chunks, (1,), in_place=()),
    "pyarrow, record batch": Kind(record_batch, (2,), in_place=()),
}


def of_kinds(*dtypes, dims=(0, 1, 2, 3), but=()):
    """For each kind that has arrays of one of these dtypes, with one of these dimensions."""
    names = [
        name
        for name, kind in KINDS.items()
        if name not in but and set(dims) & set(kind.dims) and set(dtypes) <= set(kind.dtypes)
    ]
    return pytest.mark.parametrize("kind", [KINDS[name] for name in names], ids=names)


BY_KIND = of_kinds()
