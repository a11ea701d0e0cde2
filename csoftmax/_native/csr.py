"""Sparse rows as the kernels take them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

# Of how many entries the features are looked at to cut them into parts of equal work.
_SAMPLE = 4096


class Csr(NamedTuple):
    """Rows in SciPy's CSR format: row r has the entries indptr[r] .. indptr[r + 1].

    Attributes
    ----------
    data : (n_entries,) ndarray of float32, float64 or uint8
        Values.
    indices : (n_entries,) ndarray of int32 or int64
        The entries' features.
    indptr : (n_rows + 1,) ndarray of the dtype of `indices`
        Where rows begin and end.
    shape : tuple of 2 ints
        Rows and features.
    """

    data: npt.NDArray[Any]
    indices: npt.NDArray[Any]
    indptr: npt.NDArray[Any]
    shape: tuple[int, int]

    def sorted(self) -> Csr:
        """A copy with the entries of each row in the order of their features."""
        n_entries = np.diff(self.indptr)
        begin = int(self.indptr[0])
        end = begin + int(n_entries.sum())
        data, indices = self.data[begin:end], self.indices[begin:end]
        order = np.lexsort((indices, np.repeat(np.arange(self.shape[0]), n_entries)))
        return Csr(data[order], indices[order], self.indptr - begin, self.shape)

    def parts(self, n_parts: int) -> npt.NDArray[np.int64]:
        """Where to cut the features into runs, with about as many entries each."""
        edges = np.zeros(n_parts + 1, np.int64)
        edges[n_parts] = self.shape[1]
        n_entries = len(self.indices)
        if n_parts > 1 and n_entries:
            # steps of the golden ratio: none keeps time with rows of equal length
            at = np.arange(_SAMPLE) * 0.6180339887498949 % 1 * n_entries
            seen = np.sort(self.indices[at.astype(np.int64)])
            cuts = seen[np.arange(1, n_parts) * _SAMPLE // n_parts]
            edges[1:-1] = np.clip(cuts, 0, self.shape[1])
        return edges
