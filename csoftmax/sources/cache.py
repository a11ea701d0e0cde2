"""What takes long to decode is kept on disk as it is handed out, and read from there afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from csoftmax._atomic import patient
from csoftmax._native.checks import is_sparse
from csoftmax.sources.mapped import Mapped
from csoftmax.sources.protocol import Array, Block, Source
from csoftmax.sources.steady import Files


class Cached(NamedTuple):
    """An X, and where to keep its rows once they are decoded."""

    X: Any
    folder: Path


def cached(X: Any, folder: str | os.PathLike[str]) -> Cached:
    """X, whose rows are kept in a folder once they are decoded.

    The first pass over X writes them, in the dtype of the blocks, as a .npy file; all passes after
    it, of later fits and other processes too, read that file instead. It pays where decoding takes
    longer than reading: Parquet, Zarr, whatever is compressed, and functions that compute.

    Parameters
    ----------
    X : object
        What the estimators take and read by blocks.
    folder : path
        Of the caches, one for each X. They are never deleted here.

    Returns
    -------
    Cached
        To be given to the estimators in place of X.

    Raises
    ------
    NotADirectoryError
        Where `folder` is a file.

    See Also
    --------
    source_of : What is read by blocks.
    csoftmax.SoftmaxClassifier : Takes it as X.

    Notes
    -----
    A cache is known by X's name, shape, dtype and columns, and by the size and time of its files,
    where they are known (.h5, Parquet): what changes in them makes a new cache. Of all others, the
    first block shows whether it is that of the cache, which is refused if it is not: where later
    rows of a function, a lazy frame or a Zarr array change, name another folder. A cache takes its
    place when it is complete: a pass that ends early leaves none.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from csoftmax.sources import cached, source_of
    >>> def decoded():
    ...     print("decoding")
    ...     yield np.ones((2, 3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     source = source_of(cached(decoded, folder))
    ...     sums = [[float(block.X.sum()) for block in source.blocks()] for _ in range(2)]
    decoding
    >>> sums
    [[6.0], [6.0]]
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"folder is {folder}, which is a file: wanted a folder")
    return Cached(X, folder)


class Kept:
    """A source whose blocks come from a file from the second pass on.

    Parameters
    ----------
    source : Source
    folder : Path
        Of all caches; this source's is a folder in it.
    files : Files
        That the source is read from.
    columns : list of str or None
        Those of y and of the weights.
    """

    def __init__(
        self, source: Source, folder: Path, files: Files, columns: list[str | None]
    ) -> None:
        self.name, self.shape, self.dtype = source.name, source.shape, source.dtype
        self.feature_names = source.feature_names
        self._source = source
        key = {
            "name": source.name,
            "shape": source.shape,
            "dtype": source.dtype and source.dtype.str,
            "feature_names": source.feature_names,
            "columns": columns,
            "files": {path: state and state[:2] for path, state in files.states.items()},
        }
        self._key = json.dumps(key, indent=1)
        self._folder = folder / hashlib.sha256(self._key.encode()).hexdigest()[:16]
        self._stored: _Stored | None = None

    def blocks(self) -> Iterator[Block]:
        """All rows, cut in the same places every time."""
        if self._stored is None and self._folder.exists():
            stored = _Stored(self._folder)
            self._compare(stored)
            self._see(stored)
        return self._write() if self._stored is None else self._stored.blocks()

    def _see(self, stored: _Stored) -> None:
        self._stored, self.shape, self.dtype = stored, stored.mapped.shape, stored.mapped.dtype

    def _compare(self, stored: _Stored) -> None:
        """Raise ValueError unless the first block is that of the cache."""
        found, kept = (next(iter(s.blocks()), None) for s in (self._source, stored))
        same = found is not None and kept is not None and all(map(_same, found, kept))
        if not same:
            raise ValueError(
                f"the cache {self._folder} has other rows in its first block than {self.name}: "
                "delete it, or name another folder"
            )

    def _write(self) -> Iterator[Block]:
        """The source's blocks, written as they go by."""
        parent = self._folder.parent
        parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix="writing-", dir=parent))
        try:
            writing = _Writing(temporary)
            try:
                for block in self._source.blocks():
                    self.shape, self.dtype = self._source.shape, self._source.dtype
                    writing.add(self.name, block)
                    yield block
                if not writing.end(self._key):
                    return
            finally:
                writing.file.close()
            try:
                patient(temporary.rename, self._folder)
            except OSError:  # another process was faster
                if not self._folder.exists():
                    raise
            self._see(_Stored(self._folder))
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


class _Writing:
    """Files that grow by blocks: X.npy, and at the end what there is beside it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.file = open(folder / "X.npy", "wb")  # noqa: SIM115 - closed by who made this
        self._none: Array | None = None  # rows of X
        self._sizes: list[int] = []
        self._beside: dict[str, list[Array]] = {"y": [], "sample_weight": []}

    def add(self, name: str, block: Block) -> None:
        """Write a block."""
        X = block.X
        if is_sparse(X):
            raise TypeError(f"{name} has sparse blocks, which no cache can hold: wanted dense ones")
        try:
            if self._none is None:
                self._none = X[:0].copy()
                self._header(self._none, 0)
            self.file.write(np.ascontiguousarray(X).view(np.uint8).data)
        except OSError as error:  # a full disk says nothing of where
            raise OSError(error.errno, error.strerror, str(self._folder)) from error
        self._sizes.append(len(X))
        for key, parts in self._beside.items():
            if (part := getattr(block, key)) is not None:
                parts.append(part)

    def end(self, key: str) -> bool:
        """Write all else, if there is a row."""
        if self._none is None:
            return False
        cuts = np.cumsum([0, *self._sizes])
        self._header(self._none, int(cuts[-1]))
        self.file.close()
        for name, parts in self._beside.items():
            if parts:
                np.save(self._folder / f"{name}.npy", np.concatenate(parts), allow_pickle=False)
        np.save(self._folder / "cuts.npy", cuts)
        (self._folder / "key.json").write_text(key)
        return True

    def _header(self, X: Array, n_rows: int) -> None:
        """A header at the file's begin, where NumPy leaves room for any number of rows."""
        self.file.seek(0)
        header = {"descr": X.dtype.str, "fortran_order": False, "shape": (n_rows, X.shape[1])}
        np.lib.format.write_array_header_1_0(self.file, header)


class _Stored:
    """A cache that is complete."""

    def __init__(self, folder: Path) -> None:
        try:
            cuts, X = np.load(folder / "cuts.npy"), np.load(folder / "X.npy", mmap_mode="r")
            self.mapped = Mapped(X, cuts)
            self._y, self._weight = (
                np.load(path) if (path := folder / f"{name}.npy").exists() else None
                for name in ("y", "sample_weight")
            )
        except (OSError, ValueError, EOFError) as error:
            raise ValueError(f"the cache {folder} is damaged, delete it: {error}") from error
        self._cuts = cuts

    def blocks(self) -> Iterator[Block]:
        for block, start in zip(self.mapped.blocks(), self._cuts, strict=False):
            rows = slice(start, start + len(block.X))
            y, weight = (None if a is None else a[rows] for a in (self._y, self._weight))
            yield Block(block.X, y, weight)


def _same(found: Array | None, kept: Array | None) -> bool:
    """Whether two arrays are the same, NaN included."""
    if found is None or kept is None:
        return found is kept
    of_strings = found.dtype.kind == kept.dtype.kind == "U"  # which may be longer in other blocks
    same_kind = of_strings or found.dtype == kept.dtype
    return (
        same_kind and found.shape == kept.shape and bool(((found == kept) | (found != found)).all())
    )
