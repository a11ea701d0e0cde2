"""What has `[a:b]`: data sets of h5py, Zarr, PyTables and netCDF4, and others that read then."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax._native.checks.containers import type_name
from csoftmax.sources.ahead import ahead
from csoftmax.sources.protocol import Array, Block, rows_at_once
from csoftmax.sources.steady import Files, Record, as_block, block_dtype, real_dtype


class Sliced:
    """An object with `shape`, `dtype` and `[a:b]`, which reads these rows.

    Blocks end where chunks end, if chunks are not larger than blocks: none is decoded twice.
    """

    def __init__(self, X: Any) -> None:
        file = getattr(getattr(X, "file", None), "filename", None)  # h5py's
        self.name = _name(X, file)
        shape = tuple(X.shape)
        if len(shape) != 2:
            raise ValueError(f"{self.name} has shape {shape}: wanted (N, D), rows by features")
        if not all(n == n for n in shape):  # Dask's are NaN where they take a computation
            raise ValueError(f"{self.name} has shape {shape}: wanted one that is known")
        self._n_rows, self._width = int(shape[0]), int(shape[1])
        self._stored = real_dtype(self.name, X.dtype)
        self.shape: tuple[int | None, int | None] = (self._n_rows, self._width)
        self._block_dtype = block_dtype(self._stored)
        self.dtype: np.dtype[Any] | None = self._block_dtype
        self.feature_names: list[str] | None = None
        self._X = X
        # What this process may write to itself changes when it likes.
        self.files = Files([file] if file and getattr(X.file, "mode", "") == "r" else [])
        self._record = Record(self.name)
        widest = max(self._stored, self._block_dtype, key=lambda dtype: dtype.itemsize)
        step = rows_at_once(self._width, widest)
        self._chunk = _chunk_rows(X)
        step -= step % self._chunk if self._chunk <= step else 0
        self._cuts = [*range(0, self._n_rows, step), self._n_rows]

    def blocks(self) -> Iterator[Block]:
        """All rows, cut in the same places every time."""
        self.files.check()
        return ahead(self._read())

    def take(self, rows: npt.NDArray[np.int64]) -> Array:
        """X[rows], in memory; each chunk that holds some of them is decoded once."""
        self.files.check()
        result = np.empty((len(rows), self._width), self._stored)
        order = np.argsort(rows, kind="stable")
        chunks = rows[order] // self._chunk
        # Of storage without chunks, a read is as long as rows that are wanted follow each other.
        ends = np.flatnonzero(np.diff(chunks) > (self._chunk == 1)) + 1
        for at in np.split(order, ends) if len(rows) else ():
            first, last = int(rows[at[0]]), int(rows[at[-1]])
            found = self._slice(f"rows {first} to {last} of {self.name}", first, last + 1)
            result[at] = found[rows[at] - first]
        return as_block(result, self._block_dtype)

    def _read(self) -> Generator[Block, None, None]:
        yield from self._record.checked(
            Block(as_block(self._slice(self._where(index), start, stop), self._block_dtype))
            for index, (start, stop) in enumerate(pairwise(self._cuts))
        )

    def _where(self, index: int) -> str:
        start, stop = self._cuts[index : index + 2]
        return f"block {index} (rows {start} to {stop - 1}) of {self.name}"

    def _slice(self, where: str, start: int, stop: int) -> Array:
        try:
            rows: Array = self._X[start:stop]
            rows = rows if isinstance(rows, np.ndarray) else np.asarray(rows)
        except Exception as error:  # each package has its own, and few say of which file
            raise ValueError(f"{where} cannot be read: {error}") from error
        if isinstance(rows, np.ma.MaskedArray):  # netCDF4's are, with or without a mask
            if np.ma.is_masked(rows):
                raise ValueError(f"{where} has masked elements: wanted numbers in all rows")
            rows = rows.data
        wanted = (stop - start, self._width)
        if rows.shape != wanted:
            raise ValueError(f"{where} has shape {rows.shape}: wanted {wanted}")
        if rows.dtype != self._stored:
            raise ValueError(f"{where} has dtype {rows.dtype}: wanted {self._stored}")
        return rows


def _name(X: Any, file: Any) -> str:
    if file:
        return f"X (the {type_name(X)} {X.name} of the file {file})"
    if hasattr(X, "store_path"):  # Zarr's
        return f"X (the {type_name(X)} {X.store_path})"
    return f"X (a {type_name(X)})"


def _chunk_rows(X: Any) -> int:
    """Rows of a piece of storage, by the name that each package has for them; 1 if not known."""
    for name in ("shards", "chunks", "chunkshape"):  # Zarr's shards are of many chunks
        pieces = getattr(X, name, None)
        if isinstance(pieces, tuple) and pieces:
            rows = pieces[0][0] if isinstance(pieces[0], tuple) and pieces[0] else pieces[0]
            if isinstance(rows, int) and rows > 0:
                return rows
    return 1
