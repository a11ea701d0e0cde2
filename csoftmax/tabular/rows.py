"""Rows of a file as features, block by block, whether it is a table or holds arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from csoftmax.tabular.arrays import Part
from csoftmax.tabular.preparation import Preparation, Tally
from csoftmax.tabular.reading import Table

Array = npt.NDArray[Any]

_BLOCK_BYTES = 32 << 20  # of features
_SPARSE = 0.3  # density below which features are CSR, as in scikit-learn's ColumnTransformer


class Block(NamedTuple):
    """Some rows."""

    start: int  #: number of the first
    X: Any  #: (n, D) ndarray or CSR
    labels: Any = None  #: as they are in the file
    kept: Mapping[str, Any] = {}  #: columns that are wanted beside, of a table


class TableRows:
    """A table's rows as features, read anew for each pass.

    Parameters
    ----------
    table : Table
    preparation : Preparation
    target : str, optional
        The column of labels, if they are wanted.
    keep : sequence of str
        Columns that are wanted beside the features.
    sparse : bool
        Whether blocks may be CSR, which takes SciPy.

    Attributes
    ----------
    width : int
    tally : Tally
        Of the last pass.
    """

    def __init__(
        self,
        table: Table,
        preparation: Preparation,
        target: str | None = None,
        *,
        keep: Sequence[str] = (),
        sparse: bool = False,
    ) -> None:
        self._table, self._preparation = table, preparation
        self._target, self._keep = target, tuple(keep)
        self.name, self.image_shape = table.name, None
        self.width, self.tally = preparation.width, Tally()
        self.is_sparse = sparse and preparation.density < _SPARSE
        self.row_bytes = 16 * len(preparation.columns) if self.is_sparse else 8 * self.width

    def blocks(self) -> Iterator[Block]:
        """All rows."""
        self.tally = Tally()
        names = self._preparation.column_names
        self._preparation.check_names(dict.fromkeys(self._table.columns), self._table.name)
        beside = [*self._keep, *([] if self._target is None else [self._target])]
        wanted = list(dict.fromkeys([*names, *beside]))
        step = max(1, _BLOCK_BYTES // self.row_bytes)
        start = 0
        for batch in self._table.batches(wanted):
            for first in range(0, batch.num_rows, step):
                rows = batch.slice(first, step)
                columns = dict(zip(wanted, rows.columns, strict=True))
                labels = None if self._target is None else columns[self._target]
                kept = {name: columns[name] for name in self._keep}
                yield Block(start, self._features(columns, start), labels, kept)
                start += rows.num_rows

    def _features(self, columns: dict[str, Any], start: int) -> Any:
        how, name = self._preparation, self._table.name
        if not self.is_sparse:
            return how.features(columns, self.tally, name, start)
        from scipy.sparse import csr_array

        values, places = how.entries(columns, self.tally, name, start)
        there = places >= 0
        ends = np.concatenate([[0], np.cumsum(there.sum(axis=1))])
        return csr_array((values[there], places[there], ends), shape=(len(values), self.width))


class ArrayRows:
    """Rows of an array, which may be a memory map or in a file.

    Sparse rows may be narrower than `width`: files of svmlight say nothing of features that are 0.
    """

    def __init__(self, name: str, part: Part, width: int | None = None) -> None:
        self.name, self.part, self.image_shape = name, part, part.image_shape
        X = part.X
        self.width = int(X.shape[1]) if width is None else width
        self.tally = Tally()
        self.is_sparse = hasattr(X, "tocsr")
        n_rows = max(1, X.shape[0])
        self.row_bytes = (
            max(1, 16 * X.nnz // n_rows) if self.is_sparse else self.width * X.dtype.itemsize
        )

    def blocks(self) -> Iterator[Block]:
        """All rows."""
        X, y = self.part.X, self.part.y
        step = max(1, _BLOCK_BYTES // self.row_bytes)
        for start in range(0, X.shape[0], step):
            rows = slice(start, min(start + step, X.shape[0]))
            found = X[rows]
            if self.is_sparse and found.shape[1] < self.width:
                found.resize(found.shape[0], self.width)
            yield Block(start, found, None if y is None else y[rows])


Rows = TableRows | ArrayRows


def chosen(rows: Rows, mask: Array, most_bytes: float) -> Any:
    """The features of the rows that a mask chooses, for a fit.

    Returns
    -------
    ndarray, CSR, or function
        What the estimators take: in memory up to so many bytes; else a function that gives the
        rows block by block, anew for each pass.
    """

    def blocks() -> Iterator[Any]:
        for block in rows.blocks():
            found = mask[block.start : block.start + block.X.shape[0]]
            if found.any():
                yield block.X if found.all() else block.X[np.flatnonzero(found)]

    blocks.__qualname__ = rows.name  # for errors of the fit
    n_rows = int(mask.sum())
    if rows.row_bytes * n_rows > most_bytes:
        return blocks
    if rows.is_sparse:
        from scipy.sparse import vstack

        return vstack(list(blocks()), format="csr")
    result: Array | None = None
    start = 0
    for X in blocks():
        if result is None:
            result = np.empty((n_rows, rows.width), X.dtype)
        result[start : start + len(X)] = X
        start += len(X)
    assert start == n_rows
    return result


def masked(rows: Rows, codes: Array, mask: Array) -> Iterator[tuple[Array, Any]]:
    """Codes and features of the rows that a mask chooses, block by block."""
    for block in rows.blocks():
        here = slice(block.start, block.start + block.X.shape[0])
        found = np.flatnonzero(mask[here])
        if found.size:
            yield codes[here][found], block.X[found]


def shown(rows: Rows, places: Array) -> Callable[[int], Any]:
    """What to show of a row with one of these numbers: its pixels, or where it is in the file."""
    if isinstance(rows, ArrayRows) and rows.image_shape is not None and not rows.is_sparse:
        X, shape = rows.part.X, rows.image_shape
        # as numbers, whose range is that of the picture: the pixels of many sets end at 16
        return lambda k: np.asarray(X[places[k]], np.float64).reshape(shape)
    return lambda k: f"row {places[k] + 1} of {rows.name}"
