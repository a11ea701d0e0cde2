"""Rows of a memory-mapped file: as they are mapped where memory has room, else read ahead."""

from __future__ import annotations

import io
import mmap
import os
from collections.abc import Generator, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from csoftmax.sources import memory
from csoftmax.sources.ahead import ahead
from csoftmax.sources.protocol import Array, Block, rows_at_once
from csoftmax.sources.steady import Files, as_block, block_dtype, real_dtype

# Of rows that lie apart in the file, the gaps are read too, up to their own length.
_WIDEST = 2


class _Rows(NamedTuple):
    """Where rows lie in a file: their elements together."""

    path: str
    offset: int
    stride: int


def root_of(X: Array) -> np.memmap[Any, Any] | None:
    """The memmap that X is a view of, all of what was mapped; None for an array in memory."""
    found = X
    while isinstance(found.base, np.ndarray):
        found = found.base
    base: Any = found.base  # NumPy's stub knows of arrays alone
    return found if isinstance(found, np.memmap) and isinstance(base, mmap.mmap) else None


class Mapped:
    """An `np.memmap`, or a part of one.

    A mapped page that a file has lost ends the process, so the file's length is looked at before
    each block. Reading it into two buffers, by a thread, takes 0.7 of the time of its pages' faults
    where they do not fit in memory.

    Parameters
    ----------
    X : memmap
    cuts : vector of int64, optional
        Where the blocks begin, and the number of rows.
    """

    def __init__(self, X: Array, cuts: npt.NDArray[np.int64] | None = None) -> None:
        root = root_of(X)
        assert root is not None
        mapping: Any = root.base
        path = getattr(root, "filename", None)
        self.name = f"X (the file {path})" if path else "X (a mapped file)"
        if X.ndim != 2:
            raise ValueError(f"{self.name} has shape {X.shape}: wanted (N, D), rows by features")
        self.shape: tuple[int | None, int | None] = X.shape
        self.dtype: np.dtype[Any] | None = block_dtype(real_dtype(self.name, X.dtype))
        self.feature_names: list[str] | None = None
        self._X, self._block_dtype = X, self.dtype
        if cuts is None:
            widest = max(self.dtype, X.dtype, key=lambda dtype: dtype.itemsize)
            cuts = np.append(np.arange(0, len(X), rows_at_once(X.shape[1], widest)), len(X))
        self._cuts = cuts
        self._map: mmap.mmap = mapping
        self._end = root.offset - root.offset % mmap.ALLOCATIONGRANULARITY + len(mapping)
        self._check_size()
        self._rows: _Rows | None = None
        self._files = Files([])
        # A file that is no longer there under its name, or not mapped for others to see, has no
        # other way than the mapping.
        if path and root.mode != "c" and _has_size(path, mapping.size()):
            # What is mapped for writing may be written by this process, which then knows.
            self._files = Files([path] if root.mode == "r" else [])
            self._rows = _rows(X, root, str(path))

    def blocks(self) -> Iterator[Block]:
        """All rows, cut in the same places every time."""
        self._files.check()
        if self._reads():
            return ahead(self._read())
        return self._slices()

    def take(self, rows: npt.NDArray[np.int64]) -> Array:
        """X[rows], in memory; nothing between these rows is read where memory is short."""
        self._files.check()
        if not self._reads():
            self._check_size()
            return as_block(np.asarray(self._X[rows]), self._block_dtype)
        assert self._rows is not None
        path, offset, stride = self._rows
        result = np.empty((len(rows), self._X.shape[1]), self._X.dtype)
        with open(path, "rb", buffering=0) as file:
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
            for at in np.argsort(rows, kind="stable"):
                _fill(file, _bytes(result[at]), offset + int(rows[at]) * stride, path)
        return as_block(result, self._block_dtype)

    def _reads(self) -> bool:
        """Whether to read the file, not its mapping."""
        return self._rows is not None and not memory.fits(len(self._X) * self._rows.stride)

    def _check_size(self) -> None:
        if self._map.size() < self._end:
            raise ValueError(
                f"{self.name} has {self._map.size()} bytes, where it had {self._end} when it was "
                "mapped: wanted the same rows in every pass"
            )

    def _slices(self) -> Iterator[Block]:
        plain = np.asarray(self._X)
        for start, stop in pairwise(self._cuts):
            self._check_size()
            yield Block(as_block(plain[start:stop], self._block_dtype))

    def _read(self) -> Generator[Block, None, None]:
        assert self._rows is not None
        path, offset, stride = self._rows
        dtype, width = self._X.dtype, self._X.shape[1]
        most = int(np.diff(self._cuts).max(initial=0))
        buffers = [np.empty(most * stride, np.uint8) for _ in range(min(2, len(self._cuts) - 1))]
        with open(path, "rb", buffering=0) as file:
            for index, (start, stop) in enumerate(pairwise(self._cuts.tolist())):
                buffer = buffers[index % 2]
                n_bytes = max(0, (stop - start - 1) * stride + width * dtype.itemsize)
                at = offset + start * stride
                _fill(file, buffer[:n_bytes].data, at, path)
                # What is not kept until the next pass is dropped at once: that the system has to
                # look for pages to drop took 1.25 times as long (limit of 400 MB, Zen 4). Buffers
                # of 4 to 32 MB, or advice of sequential reading, were no faster.
                if hasattr(os, "posix_fadvise"):
                    os.posix_fadvise(file.fileno(), at, n_bytes, os.POSIX_FADV_DONTNEED)
                X: Array = np.ndarray(
                    (stop - start, width), dtype, buffer, 0, (stride, dtype.itemsize)
                )
                yield Block(as_block(X, self._block_dtype))


def _rows(X: Array, root: np.memmap[Any, Any], path: str) -> _Rows | None:
    """Where X's rows lie in the file, if each lies in one piece."""
    own = X.shape[1] * X.itemsize
    stride = X.strides[0] if len(X) > 1 else own
    together = X.shape[1] == 1 or X.strides[1] == X.itemsize
    if not together or not own <= stride <= _WIDEST * own:
        return None
    distance = X.__array_interface__["data"][0] - root.__array_interface__["data"][0]
    return _Rows(path, int(root.offset) + distance, stride)


def _has_size(path: str | os.PathLike[str], size: int) -> bool:
    try:
        return os.stat(path).st_size == size
    except OSError:
        return False


def _bytes(row: Array) -> memoryview:
    return row.view(np.uint8).data


def _fill(file: io.FileIO, buffer: memoryview, at: int, path: str) -> None:
    """Read as much as the buffer holds."""
    file.seek(at)
    while buffer:
        n_bytes = file.readinto(buffer)
        if not n_bytes:
            size = os.fstat(file.fileno()).st_size
            raise ValueError(
                f"the file {path} ends at byte {size}, within the rows of X: "
                "wanted the same rows in every pass"
            )
        buffer = buffer[n_bytes:]
