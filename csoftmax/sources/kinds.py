"""Which kind of source an X is."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import GeneratorType
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from csoftmax._native.checks import is_sparse
from csoftmax._native.checks.containers import in_pieces, type_name
from csoftmax.sources.cache import Cached, Kept
from csoftmax.sources.callables import Called
from csoftmax.sources.mapped import Mapped, root_of
from csoftmax.sources.protocol import BLOCK_BYTES, Array, Source
from csoftmax.sources.sliced import Sliced
from csoftmax.sources.steady import Files
from csoftmax.sources.tables import Arrow, Polars, parquet

# What classes have whose elements lie in memory, the CPU's or a GPU's.
_IN_MEMORY = ("__array__", "__array_interface__", "__cuda_array_interface__", "__dlpack__")


class _Sparse(Protocol):
    """As SciPy's matrices and arrays."""

    def tocsr(self) -> Any: ...


class _Sliced(Protocol):
    """As data sets of h5py and Zarr."""

    @property
    def shape(self) -> Any: ...
    @property
    def dtype(self) -> Any: ...
    def __getitem__(self, index: Any, /) -> Any: ...


class _ArrowTable(Protocol):
    def to_batches(self) -> Any: ...


class _PolarsTable(Protocol):
    def collect_schema(self) -> Any: ...


#: What X may be for type checkers: rows in memory, and what `source_of` reads block by block.
Features: TypeAlias = (
    npt.ArrayLike
    | os.PathLike[str]
    | Callable[[], Iterable[Any]]
    | _Sparse
    | _Sliced
    | _ArrowTable
    | _PolarsTable
    | Source
    | Cached
)

#: What y and weights may be: arrays, the names of columns of X, or nothing.
Values: TypeAlias = npt.ArrayLike | None

_AGAIN = "rows are read in many passes: wanted a function that returns a new one for each"


def source_of(X: Any, y: Any = None, sample_weight: Any = None) -> Source | None:
    """X as a source of blocks; None for an array, sparse matrix or data frame in memory.

    Parameters
    ----------
    X : object
        A large `np.memmap` (of more than a block); what has `shape`, `dtype` and `[a:b]`, as data
        sets of h5py and Zarr have; a Parquet file or folder, or a .npy file, by its path; a
        pyarrow Table or Dataset, a Polars DataFrame or LazyFrame (those in memory if they are large
        or a column is named); a function that returns an iterator of blocks; any of them `cached`.
    y, sample_weight : object
        Strings are names of columns of a table, which come with the blocks, and are no features;
        all else is not looked at.

    Returns
    -------
    Source or None

    Raises
    ------
    TypeError
        For what can be read once only (generators, files, Arrow's readers), a column's name where
        X has no columns, elements that are no real numbers.
    ValueError
        For more or less than two dimensions, a name that is no column, a path to something else.
    ImportError
        For Parquet without pyarrow.

    See Also
    --------
    cached : Keeps what takes long to decode.
    Surveyed : A source whose rows are known.

    Examples
    --------
    >>> import numpy as np
    >>> from csoftmax.sources import source_of
    >>> def make_blocks():
    ...     for k in range(3):
    ...         yield np.full((2, 4), k, np.float32), np.array([0, 1])
    >>> source = source_of(make_blocks)
    >>> [float(block.X.sum()) for block in source.blocks()]
    [0.0, 8.0, 16.0]
    >>> source.shape
    (6, 4)
    >>> source_of(np.ones((2, 4))) is None
    True
    """
    if callable(getattr(type(X), "blocks", None)) and hasattr(X, "feature_names"):
        given: Source = X
        return given
    y_name, weight_name = (v if isinstance(v, str) else None for v in (y, sample_weight))
    if isinstance(X, Cached):
        source = _source(X.X, y_name, weight_name, least=0)
        if source is None:
            raise TypeError(f"X is a {type_name(X.X)}, in memory, and cached: wanted it as it is")
        if isinstance(source, Mapped):  # as fast as its cache
            return source
        files = getattr(source, "files", Files([]))
        return Kept(source, X.folder, files, [y_name, weight_name])
    return _source(X, y_name, weight_name, least=BLOCK_BYTES)


def _source(X: Any, y: str | None, sample_weight: str | None, least: int) -> Source | None:
    """X as a source, what is in memory or mapped only if it has more than so many bytes."""
    table = _table(X, y, sample_weight, least)
    if table is not None:
        return table
    for name, column in (("y", y), ("sample_weight", sample_weight)):
        if column is None:
            continue
        hint = ""
        if hasattr(type(X), "columns"):
            hint = f" (X[{column!r}], and X.drop(columns={column!r}) as X)"
        raise TypeError(
            f"{name} is {column!r}, a column's name, but X is a {type_name(X)}: wanted an array"
            f"{hint}, or as X a table of Arrow or Polars, or the path of Parquet"
        )
    return _rows(X, least)


def _table(X: Any, y: str | None, sample_weight: str | None, least: int) -> Source | None:
    """X as a table; None for a small one in memory with features alone: as good as an array."""
    cls = type(X)
    if isinstance(X, (str, os.PathLike)):
        path = Path(X)
        return None if path.suffix == ".npy" else parquet(path, y, sample_weight)
    is_polars = hasattr(cls, "collect_schema")
    is_arrow = hasattr(cls, "schema") and hasattr(cls, "to_batches")
    if not is_polars and not is_arrow:
        if not (hasattr(cls, "schema") and hasattr(cls, "to_struct_array")):
            return None
        X = sys.modules["pyarrow"].Table.from_batches([X])  # a RecordBatch
    if y is None and sample_weight is None and 8 * _n_cells(X) <= least:
        return None
    return Polars(X, y, sample_weight) if is_polars else Arrow(X, y, sample_weight)


def _n_cells(X: Any) -> float:
    """Rows times columns of a table in memory; infinity for one that is not."""
    for rows, columns in (("num_rows", "num_columns"), ("height", "width")):
        if hasattr(X, rows):
            return float(getattr(X, rows) * getattr(X, columns))
    return math.inf


def _rows(X: Any, least: int) -> Source | None:
    """X as a source that has no names of columns."""
    cls = type(X)
    if isinstance(X, np.ndarray):
        large = isinstance(X, np.memmap) and X.nbytes > least
        return Mapped(X) if large and root_of(X) is not None else None
    if isinstance(X, (str, os.PathLike)):
        return Mapped(_npy(Path(X)))
    if in_pieces(X):
        return Sliced(X)
    if is_sparse(X) or any(hasattr(cls, name) for name in _IN_MEMORY):
        return None
    if all(hasattr(X, name) for name in ("shape", "dtype", "__getitem__")):
        return Sliced(X)
    if hasattr(cls, "__next__"):
        called = f" of {X.__qualname__}" if isinstance(X, GeneratorType) else ""
        raise TypeError(f"X is a {type_name(X)}{called}, which can be read once: {_AGAIN}")
    if callable(X):
        return Called(X)
    if hasattr(cls, "__iter__") and not hasattr(cls, "__getitem__"):
        raise TypeError(
            f"X is a {type_name(X)}: wanted an array, or a function that returns an iterator of "
            "blocks of rows anew for each pass (if X has them: lambda: iter(X))"
        )
    return None


def _npy(path: Path) -> Array:
    try:
        found: Array = np.load(path, mmap_mode="r")
    except (ValueError, EOFError) as error:
        raise ValueError(f"X is the file {path}, which cannot be mapped: {error}") from error
    return found
