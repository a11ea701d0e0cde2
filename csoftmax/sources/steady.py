"""What has to be the same in every pass over a source: its files, its blocks, their dtype."""

from __future__ import annotations

import os
import zlib
from array import array
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from csoftmax._native.checks import is_sparse, native
from csoftmax.sources.protocol import Array, Block

_UINT8 = np.dtype(np.uint8)


def block_dtype(*dtypes: np.dtype[Any]) -> np.dtype[Any]:
    """The narrowest dtype that kernels read and that holds all of these exactly.

    uint8 and bool stay bytes; float32 holds what has 16 bits or less.
    """
    if all(d.itemsize == 1 and d.kind in "bu" for d in dtypes):
        return _UINT8
    return np.result_type(*dtypes, np.float32)


def is_real(dtype: np.dtype[Any]) -> bool:
    """Whether these are real numbers up to float64, or bool."""
    return dtype.kind in "biuf" and dtype.itemsize <= 8


def real_dtype(name: str, dtype: Any) -> np.dtype[Any]:
    """A dtype of real numbers, or TypeError."""
    try:
        found: np.dtype[Any] = np.dtype(dtype)
    except TypeError:
        found = np.dtype(object)
    if not is_real(found):
        raise TypeError(
            f"{name} has dtype {dtype}: wanted real numbers "
            "(bool, an integer type, float16, float32 or float64)"
        )
    return found


def as_block(X: Array, dtype: np.dtype[Any]) -> Array:
    """Rows in a block's dtype: themselves, or a copy."""
    return native(X.view(_UINT8) if X.dtype.kind == "b" else X, dtype)


class _State(NamedTuple):
    size: int
    time: int
    inode: tuple[int, int]


def _state(path: str) -> _State | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return _State(found.st_size, found.st_mtime_ns, (found.st_dev, found.st_ino))


class Files:
    """Files that have to stay as they were found."""

    def __init__(self, paths: Iterable[str | os.PathLike[str]]) -> None:
        self.states = {path: _state(path) for path in (os.fspath(path) for path in paths)}

    def check(self) -> None:
        """Raise ValueError with the first file that is not as it was."""
        for path, before in self.states.items():
            now = _state(path)
            if now == before:
                continue
            if now is None:
                seen = "is gone"
            elif before is None or now.size == before.size:
                seen = "has been written again"
            else:
                seen = f"has {now.size} bytes, where it had {before.size}"
            raise ValueError(
                f"the file {path} {seen} since it was first looked at: "
                "wanted the same rows in every pass"
            )


class Record:
    """The blocks of the first pass, as far as it takes to know them again.

    These are their numbers of rows, and a checksum of their first and last row: what shuffles its
    rows, or draws them anew, is found out, without reading all of a block once more.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.complete = False  # whether a pass has come to its end
        self._rows = array("q")
        self._sums = array("Q")

    @property
    def n_rows(self) -> int | None:
        """Of all blocks, once a pass has come to its end."""
        return sum(self._rows) if self.complete else None

    def checked(self, blocks: Iterator[Block]) -> Iterator[Block]:
        """These blocks, each held against that of the first pass."""
        n_blocks = 0
        for block in blocks:
            self._check(n_blocks, block)
            n_blocks += 1
            yield block
        if n_blocks < len(self._rows):
            raise ValueError(
                f"{self.name} ends after {n_blocks} blocks, where an earlier pass had "
                f"{len(self._rows)}: wanted the same blocks in every pass"
            )
        self.complete = True

    def _check(self, index: int, block: Block) -> None:
        n_rows, checksum = block.X.shape[0], _checksum(block.X)
        if index == len(self._rows) and not self.complete:
            self._rows.append(n_rows)
            self._sums.append(checksum)
            return
        where = f"block {index} of {self.name}"
        if index >= len(self._rows):
            raise ValueError(
                f"there is a {where}, where an earlier pass had {index} blocks: "
                "wanted the same blocks in every pass"
            )
        if n_rows != self._rows[index]:
            raise ValueError(
                f"{where} has {n_rows} rows, where an earlier pass had {self._rows[index]}: "
                "wanted the same blocks in every pass"
            )
        if checksum != self._sums[index]:
            raise ValueError(
                f"{where} has other rows than in an earlier pass: "
                "wanted the same blocks in every pass, not shuffled or drawn anew"
            )


def _checksum(X: Any) -> int:
    """Of the first row and the last."""
    result = 0
    for rows in (X[:1], X[-1:]):
        for part in (rows.indices, rows.data) if is_sparse(rows) else (rows,):
            result = zlib.crc32(np.ascontiguousarray(part).data, result)
    return result
