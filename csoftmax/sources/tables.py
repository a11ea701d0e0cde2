"""Tables of columns: Arrow's, Parquet files and folders, and Polars' frames, eager and lazy."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from csoftmax._native.checks.containers import type_name
from csoftmax.sources import arrow
from csoftmax.sources.ahead import ahead
from csoftmax.sources.protocol import Array, Block, rows_at_once
from csoftmax.sources.steady import Files, Record, block_dtype, is_real

# Bytes of the batches that blocks are filled from; Arrow decodes some more of them ahead.
_BATCH_BYTES = 8 << 20
_OBJECT = np.dtype(object)


class Table(ABC):
    """A table's numeric columns, some of which may be the target and the weights of the rows.

    Blocks are cut by rows alone, whatever batches the table comes in.

    Parameters
    ----------
    X : object
    name : str
    columns : list of (name, dtype, type)
        As they are in the table; dtype is NumPy's, `object` for what NumPy has no numbers for; type
        is what to call it in errors.
    n_rows : int or None
    y, sample_weight : str or None
        Columns that are no features.
    files : Files
        That the table is read from, as far as known.
    """

    def __init__(
        self,
        X: Any,
        name: str,
        columns: list[tuple[str, np.dtype[Any], str]],
        n_rows: int | None,
        y: str | None,
        sample_weight: str | None,
        files: Files,
    ) -> None:
        self.name = name
        names = [column for column, _, _ in columns]
        for column in names:
            if names.count(column) > 1:
                raise ValueError(f"{name} has several columns {column!r}: wanted different names")
        for argument, beside in (("y", y), ("sample_weight", sample_weight)):
            if beside is not None and beside not in names:
                raise ValueError(
                    f"{argument} is {beside!r}, which is no column of {name}: "
                    f"wanted one of {_some(names)}"
                )
        features = [entry for entry in columns if entry[0] not in (y, sample_weight)]
        for column, dtype, kind in features:
            if not is_real(dtype):
                raise TypeError(
                    f"column {column!r} of {name} has type {kind}: wanted numbers "
                    "(bool, integers or floating point) in all columns that are features. To leave "
                    f"others out: polars.scan_parquet(path).drop({column!r}), for one"
                )
        if not features:
            raise ValueError(f"{name} has no column that is a feature: wanted at least one")
        self.feature_names: list[str] | None = [column for column, _, _ in features]
        self._features = self.feature_names
        self._block_dtype = block_dtype(*(dtype for _, dtype, _ in features))
        self.dtype: np.dtype[Any] | None = self._block_dtype
        self.shape: tuple[int | None, int | None] = (n_rows, len(features))
        self._X, self._y, self._weight = X, y, sample_weight
        self.files, self._record = files, Record(name)

    @abstractmethod
    def _batches(self, columns: list[str], n_rows: int) -> Iterable[Any]:
        """The rows in order, about so many at a time."""

    @abstractmethod
    def _column(self, batch: Any, name: str) -> tuple[Array, int]:
        """A column of a batch, and how many of its elements are null."""

    def blocks(self) -> Iterator[Block]:
        """All rows, cut in the same places every time."""
        self.files.check()
        return ahead(self._read())

    def _read(self) -> Generator[Block, None, None]:
        yield from self._record.checked(self._blocks())
        self.shape = (self._record.n_rows, len(self._features))

    def _blocks(self) -> Iterator[Block]:
        width, dtype = len(self._features), self._block_dtype
        step = rows_at_once(width, dtype)
        filling = _Filling(step, width, dtype)
        beside = [column for column in (self._y, self._weight) if column is not None]
        columns = list(dict.fromkeys([*self._features, *beside]))
        first = 0  # row of the batch
        for batch in self._reading(columns, max(1, _BATCH_BYTES // (width * dtype.itemsize))):
            found = {column: self._numbers(batch, column, first) for column in columns}
            features = [found[column] for column in self._features]
            y, weight = (None if c is None else found[c] for c in (self._y, self._weight))
            at, n_rows = 0, len(features[0])
            while at < n_rows:
                stop = min(n_rows, at + step - filling.n_rows)
                filling.add(features, y, weight, slice(at, stop))
                at = stop
                if filling.n_rows == step:
                    yield filling.block()
            first += n_rows
        if filling.n_rows:
            yield filling.block()

    def _reading(self, columns: list[str], n_rows: int) -> Iterator[Any]:
        """The batches, with errors that say of what."""
        try:
            yield from self._batches(columns, n_rows)
        except Exception as error:  # each package has its own
            raise ValueError(f"{self.name} cannot be read: {error}") from error

    def _numbers(self, batch: Any, column: str, first: int) -> Array:
        values, n_nulls = self._column(batch, column)
        if n_nulls:
            raise ValueError(
                f"column {column!r} of {self.name} has {n_nulls} nulls in rows {first} to "
                f"{first + len(values) - 1}: wanted none (fill them, or leave the rows out)"
            )
        if values.dtype == _OBJECT and all(isinstance(value, str) for value in values):
            return values.astype(str)
        return values


class _Filling:
    """A block that batches are put into, until it is full."""

    def __init__(self, n_rows: int, width: int, dtype: np.dtype[Any]) -> None:
        self._shape, self._dtype = (n_rows, width), dtype
        self._begin()

    def _begin(self) -> None:
        self._X: Array | None = None
        self._beside: tuple[list[Array], list[Array]] = ([], [])
        self.n_rows = 0

    def add(
        self, features: list[Array], y: Array | None, weight: Array | None, rows: slice
    ) -> None:
        """Put these rows below what is there."""
        if self._X is None:
            self._X = np.empty(self._shape, self._dtype)
        place = slice(self.n_rows, self.n_rows + rows.stop - rows.start)
        # Column by column is the fastest: 2400 MB/s of float32, 320 of uint8, where a transposed
        # copy of all columns, or of tiles of them, has a third to two thirds of that (Zen 4).
        for column, values in enumerate(features):
            self._X[place, column] = values[rows]
        for parts, beside in zip(self._beside, (y, weight), strict=True):
            if beside is not None:
                parts.append(beside[rows])
        self.n_rows = place.stop

    def block(self) -> Block:
        """What is there; and begin another one."""
        assert self._X is not None
        y, weight = (np.concatenate(parts) if parts else None for parts in self._beside)
        result = Block(self._X[: self.n_rows], y, weight)
        self._begin()
        return result


class Arrow(Table):
    """A pyarrow Table or Dataset, or what has their `schema` and `to_batches`."""

    def __init__(
        self,
        X: Any,
        y: str | None,
        sample_weight: str | None,
        name: str | None = None,
        n_rows: int | None = None,
    ) -> None:
        columns = [(field.name, _arrow_dtype(field.type), str(field.type)) for field in X.schema]
        is_local = getattr(getattr(X, "filesystem", None), "type_name", "") == "local"
        files = Files(X.files if is_local else [])
        rows = getattr(X, "num_rows", n_rows)
        super().__init__(X, name or _name(X), columns, rows, y, sample_weight, files)

    def _batches(self, columns: list[str], n_rows: int) -> Iterable[Any]:
        return arrow.batches(self._X, columns, n_rows)

    def _column(self, batch: Any, name: str) -> tuple[Array, int]:
        column = batch.column(name)
        if hasattr(column, "dictionary_decode"):
            column = column.dictionary_decode()
        return column.to_numpy(zero_copy_only=False), column.null_count


def parquet(path: Path, y: str | None, sample_weight: str | None) -> Arrow:
    """A Parquet file, or a folder of them; folders called `column=value` are a column."""
    found, n_rows = arrow.open_parquet(path)
    kind = "folder" if path.is_dir() else "file"
    return Arrow(found, y, sample_weight, f"X (the Parquet {kind} {path})", n_rows)


class Polars(Table):
    """A Polars DataFrame or LazyFrame."""

    def __init__(self, X: Any, y: str | None, sample_weight: str | None) -> None:
        polars = sys.modules["polars"]
        self._is_lazy = hasattr(X, "collect_batches") or not hasattr(X, "height")
        if self._is_lazy and not hasattr(X, "collect_batches"):
            raise TypeError(
                f"X is a polars.LazyFrame of Polars {polars.__version__}: wanted 1.34 or later, "
                "which has collect_batches, or a Parquet file (X.sink_parquet(path))"
            )
        columns = [
            (column, _polars_dtype(polars, kind), str(kind))
            for column, kind in X.collect_schema().items()
        ]
        rows = None if self._is_lazy else X.height
        super().__init__(X, _name(X), columns, rows, y, sample_weight, Files([]))

    def _batches(self, columns: list[str], n_rows: int) -> Iterable[Any]:
        if self._is_lazy:
            batches: Iterable[Any] = self._X.select(columns).collect_batches(
                chunk_size=n_rows, maintain_order=True
            )
            return batches
        batches = self._X.select(columns).iter_slices(n_rows)
        return batches

    def _column(self, batch: Any, name: str) -> tuple[Array, int]:
        column = batch.get_column(name)
        return column.to_numpy(), column.null_count()


def _arrow_dtype(kind: Any) -> np.dtype[Any]:
    try:
        found: np.dtype[Any] = np.dtype(kind.to_pandas_dtype())
    except (NotImplementedError, TypeError):  # nothing that NumPy has
        return _OBJECT
    return found


def _polars_dtype(polars: Any, kind: Any) -> np.dtype[Any]:
    if not kind.is_numeric() and kind != polars.Boolean:  # arrays of numbers have those's dtype
        return _OBJECT
    try:
        found: np.dtype[Any] = polars.Series([], dtype=kind).to_numpy().dtype
    except polars.exceptions.InvalidOperationError:  # integers of 128 bits
        return _OBJECT
    return found


def _name(X: Any) -> str:
    return f"X (a {type_name(X)})"


def _some(names: list[str]) -> str:
    return ", ".join(map(repr, names[:10])) + (", ..." if len(names) > 10 else "")
