"""Dask's arrays and data frames as lists of chunks: of X, and of what belongs to its rows.

Chunks are put together into groups, each of which is one task of a pass. Where they begin and end
depends on the chunks alone, so that sums have the same bits for any number of workers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from csoftmax._native import checks
from csoftmax._native.checks.containers import type_name
from csoftmax.dask import tasks
from csoftmax.dask.library import Delayed, array, dask
from csoftmax.dask.workers import calls
from csoftmax.estimators import checks as fit_checks

#: Bytes of a group's rows, at least: a task costs about 2 ms, in which a core reads 10 MB
GROUP_BYTES = 64 << 20
MOST_GROUPS = 1024  #: a pass costs 2 s more, then, than its arithmetic


class Features(NamedTuple):
    """X as an array with one chunk along the features, and their names, if they have some."""

    X: Any
    names: list[str] | None


def is_lazy(value: Any) -> bool:
    """Whether this is one of Dask's collections."""
    return bool(dask.is_dask_collection(value))


def features(X: Any) -> Features:
    """X as an array of numbers; a data frame as its partitions make one."""
    names = None
    if _is_frame(X) and X.ndim == 2:
        for column, dtype in X.dtypes.items():
            _numbers(f"X has column {column!r} of", dtype)
        labels = list(X.columns)
        names = labels if all(isinstance(label, str) for label in labels) else None
        X = _as_array("X", X, tasks.as_array, fit_checks.frame_dtype(X._meta))
    elif not isinstance(X, array.Array):
        raise TypeError(
            f"X is a {type_name(X)}: wanted an array or data frame of Dask, or X in memory"
        )
    _on_cpu("X", X._meta)
    _numbers("X has", X.dtype)
    if X.ndim != 2:
        raise ValueError(f"X has shape {X.shape}: wanted two dimensions, rows and features")
    return Features(X.rechunk({1: -1}) if X.numblocks[1] > 1 else X, names)


def loads(X: Any, y: Any, sample_weight: Any) -> tuple[list[Delayed], list[str] | None]:
    """For each group of chunks what loads it; and the features' names."""
    X, y, sample_weight = columns(X, y, sample_weight)
    X, names = features(X)
    X_chunks = X.to_delayed().ravel().tolist()
    of_rows = _chunks("y", y, X), _chunks("sample_weight", sample_weight, X)
    cuts = _groups(X.chunks[0], X.shape[1] * X.dtype.itemsize)
    firsts = [cut.start for cut in cuts]
    parts = [[chunks[cut] for cut in cuts] for chunks in (X_chunks, *of_rows)]
    return calls("load", tasks.load, firsts, *parts), names


def columns(X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    """X without the columns that are meant to be y and the weights, and these."""
    given = {"y": y, "sample_weight": sample_weight}
    named = {name: value for name, value in given.items() if isinstance(value, str)}
    for name, value in named.items():
        if not _is_frame(X):
            raise TypeError(
                f"{name} is {value!r}, but X is a {type_name(X)}, which has no columns: "
                f"wanted {name} as an array, or X as a data frame"
            )
        if value not in X.columns:
            raise ValueError(f"{name} is {value!r}: wanted one of the columns {list(X.columns)}")
        given[name] = X[value]
    return X.drop(columns=list(named.values())) if named else X, *given.values()


def _groups(sizes: Sequence[float], row_bytes: float) -> list[slice]:
    """Chunks that lie one after the other, about as many bytes in each group."""
    if math.isnan(sum(sizes)):  # nobody knows how many bytes
        step = math.ceil(len(sizes) / MOST_GROUPS)
        return [slice(at, at + step) for at in range(0, len(sizes), step)]
    least = max(GROUP_BYTES, sum(sizes) * row_bytes / MOST_GROUPS)
    cuts, start, n_bytes = [], 0, 0.0
    for at, size in enumerate(sizes, 1):
        n_bytes += size * row_bytes
        if n_bytes >= least or at == len(sizes):
            cuts.append(slice(start, at))
            start, n_bytes = at, 0.0
    return cuts


def _chunks(name: str, values: Any, X: Any) -> list[Any]:
    """What belongs to the rows of each chunk of X."""
    sizes = X.chunks[0]
    if values is None:
        return [None] * len(sizes)
    if not is_lazy(values):
        return _cut(name, values, sizes)
    if _is_frame(values):
        values = _as_array(name, values, np.asarray, object)
    if not isinstance(values, array.Array):
        raise TypeError(
            f"{name} is a {type_name(values)}: wanted an array or data frame of Dask, or an array "
            "in memory"
        )
    if not 1 <= values.ndim <= 2:
        raise ValueError(f"{name} has shape {values.shape}: wanted one or two dimensions")
    _on_cpu(name, values._meta)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    known = not math.isnan(values.shape[0] + X.shape[0])
    if known and values.shape[0] != X.shape[0]:
        raise ValueError(f"{name} has {values.shape[0]} rows, but X has {X.shape[0]}")
    if known:
        values = values.rechunk({0: sizes})
    elif values.numblocks[0] != len(sizes):
        raise ValueError(
            f"{name} has {values.numblocks[0]} chunks of rows, but X has {len(sizes)}, and not all "
            "sizes are known: wanted the same chunks, or what compute_chunk_sizes() makes of them"
        )
    if values.ndim == 2:
        values = values.rechunk({1: -1})
    return list(values.to_delayed().ravel())


def _cut(name: str, values: Any, sizes: Sequence[float]) -> list[Any]:
    """Values in memory, a part for each chunk of X."""
    checks.present(name, values)
    values = checks.as_array(name, values)
    if math.isnan(sum(sizes)):
        raise ValueError(
            f"{name} is in memory, but the chunks of X have unknown sizes: wanted {name} as an "
            "array of Dask with the same chunks, or X.compute_chunk_sizes()"
        )
    if values.ndim == 0 or len(values) != sum(sizes):
        raise ValueError(f"{name} has shape {values.shape}, but X has {sum(sizes)} rows")
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    ends = np.cumsum(sizes).tolist()
    return [values[end - size : end] for end, size in zip(ends, sizes, strict=True)]


def _is_frame(value: Any) -> bool:
    """Whether this is a data frame of Dask, or a column, whose import takes half a second."""
    return is_lazy(value) and hasattr(type(value), "to_dask_array")  # not of Delayed: it has all


def _as_array(name: str, frame: Any, function: Any, dtype: npt.DTypeLike) -> Any:
    """The partitions as chunks of an array."""
    _on_cpu(name, frame._meta)
    like = np.empty((0, *frame.shape[1:]), dtype)
    return frame.map_partitions(function, meta=like)


def _numbers(what: str, dtype: Any) -> None:
    if dtype.kind not in "biuf":  # Dask's and pandas' types have it, too
        raise TypeError(f"{what} dtype {dtype}: wanted numbers")


def _on_cpu(name: str, chunk: Any) -> None:
    """Refuse chunks that are neither arrays of NumPy, nor sparse, nor data frames of pandas."""
    package = type(chunk).__module__.partition(".")[0]
    if package not in ("numpy", "pandas") and not checks.is_sparse(chunk):
        raise TypeError(
            f"{name} has chunks of {type_name(chunk)}: wanted chunks of NumPy, of SciPy's "
            "sparse arrays or of pandas (map_blocks turns them into such)"
        )
