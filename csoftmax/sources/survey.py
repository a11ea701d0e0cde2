"""A first read of all rows: what must be known of a source before a model is fitted to it.

It sees how many rows and features there are, collects what comes with the rows (labels, weights),
and keeps a sample of the rows, for all that looks at rows here and there: a page fault or a chunk
for each of them would read the whole source once more. (8192 rows of a memory-mapped file drawn
anew cost 4.3 GB of reads.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax._native import checks
from csoftmax.sources.parts import Part, parts
from csoftmax.sources.protocol import Block, Source

Array = npt.NDArray[Any]

SAMPLE_BYTES = 64 << 20  #: of the rows that stay in memory


class Surveyed:
    """A source whose rows are known.

    Attributes
    ----------
    name, shape, dtype, feature_names
        As of a `Source`; all known.
    nnz : int
        Entries of all rows, those that sparse blocks do not store left out.
    is_sparse : bool
    y, sample_weight : Any
        As given, or what came with the rows; else None.
    sample : (n, D) array or CSR
        Some rows, all alike likely to be there, in order; all rows where they fit.
    sample_rows : (n,) array of int64
        Which they are.
    n_bytes : int
        Bytes of rows that all passes have read so far.

    See Also
    --------
    source_of : Makes the source.
    Source : What it reads.
    """

    #: told after each block how many rows of the pass are done
    on_rows: Callable[[int], None] = staticmethod(lambda n_rows: None)

    shape: tuple[int, int]
    dtype: np.dtype[Any]

    def __init__(
        self,
        source: Source,
        y: Any = None,
        sample_weight: Any = None,
        each: Callable[[Part], None] = lambda part: None,
    ) -> None:
        self._source, self.name = source, source.name
        self.feature_names = source.feature_names
        self.n_bytes = self.nnz = 0
        n_rows = 0
        sample = _Sample()
        y, sample_weight = (None if isinstance(a, str) else a for a in (y, sample_weight))
        of_rows = {"y": y, "sample_weight": sample_weight}
        with_rows: dict[str, list[Array]] = {name: [] for name in of_rows if of_rows[name] is None}
        for number, part in enumerate(parts(source, y, sample_weight)):
            X = part.X
            if not number:
                self.is_sparse, self.dtype = checks.is_sparse(X), X.dtype
                self._width = X.shape[1]
            self._check(number, X)
            self.n_bytes += bytes_of(X)
            self.nnz += X.nnz if self.is_sparse else X.size
            sample.add(X, part.rows.start)
            for name, values in with_rows.items():
                if (own := getattr(part, name)) is not None:
                    values.append(np.array(own))
            each(part)
            n_rows = part.rows.stop
        if not n_rows:
            raise ValueError(f"{self.name} has no rows: wanted at least one")
        self.shape = (n_rows, self._width)
        self.sample_rows, self.sample = sample.result()
        self._with_rows = {name: np.concatenate(own) for name, own in with_rows.items() if own}
        of_rows |= self._with_rows
        self.y, self.sample_weight = of_rows["y"], of_rows["sample_weight"]

    def blocks(self) -> Iterator[Block]:
        """All rows again, without what comes with them."""
        for number, part in enumerate(parts(self._source)):
            self._check(number, part.X)
            for name, values in self._with_rows.items():
                if not np.array_equal(getattr(part, name), values[part.rows]):
                    raise ValueError(
                        f"block {number} of {self.name} has another {name} than in the first pass: "
                        "wanted the same in each pass"
                    )
            self.n_bytes += bytes_of(part.X)
            yield Block(part.X)
            self.on_rows(part.rows.stop)

    def _check(self, number: int, X: Any) -> None:
        seen = (X.dtype, X.shape[1], checks.is_sparse(X))
        wanted = (self.dtype, self._width, self.is_sparse)
        if seen != wanted:
            raise ValueError(
                f"block {number} of {self.name} has {_kind(*seen)}: wanted {_kind(*wanted)}, "
                "as block 0 has"
            )


def _kind(dtype: np.dtype[Any], width: int, is_sparse: bool) -> str:
    return f"{width} features of {dtype}{', sparse' if is_sparse else ''}"


def bytes_of(X: Any) -> int:
    """Bytes of some rows: an array, or CSR.

    Parameters
    ----------
    X : ndarray or CSR

    Returns
    -------
    int

    See Also
    --------
    Surveyed : Counts them.

    Examples
    --------
    >>> import numpy as np
    >>> from csoftmax.sources import bytes_of
    >>> bytes_of(np.ones((2, 3)))
    48
    """
    if checks.is_sparse(X):
        return int(X.data.nbytes + X.indices.nbytes + X.indptr.nbytes)
    return int(X.nbytes)


class _Sample:
    """Rows drawn from a stream whose length nobody knows, all alike likely, the same in each run.

    Each row draws a number; those with the smallest stay.
    """

    def __init__(self) -> None:
        self.random = np.random.default_rng(0)
        self.keys, self.rows = np.empty(0), np.empty(0, np.int64)
        self.kept: list[Any] = []
        self.most = 0

    def add(self, X: Any, start: int) -> None:
        """Let these rows take part."""
        if not self.most:
            self.most = max(1, SAMPLE_BYTES * X.shape[0] // max(1, bytes_of(X)))
        keys = self.random.random(X.shape[0])
        bound = self.keys.max() if len(self.keys) >= self.most else np.inf
        at = np.flatnonzero(keys < bound)
        self.keys = np.concatenate([self.keys, keys[at]])
        self.rows = np.concatenate([self.rows, at + start])
        self.kept.append(X[at])  # a copy
        if len(self.keys) > 1.25 * self.most:
            self._drop()

    def _drop(self) -> None:
        """Leave those that are too many."""
        X = stacked(self.kept)
        if len(self.keys) > self.most:
            keep = np.sort(np.argpartition(self.keys, self.most - 1)[: self.most])
            self.keys, self.rows, X = self.keys[keep], self.rows[keep], X[keep]
        self.kept = [X]

    def result(self) -> tuple[npt.NDArray[np.int64], Any]:
        """The rows' numbers, in order, and the rows."""
        self._drop()
        return self.rows, self.kept[0]


def stacked(blocks: list[Any]) -> Any:
    """One below the other: arrays, or CSR."""
    if len(blocks) == 1:
        return blocks[0]
    if not checks.is_sparse(blocks[0]):
        return np.concatenate(blocks)
    import scipy.sparse

    return scipy.sparse.vstack(blocks, format="csr")
