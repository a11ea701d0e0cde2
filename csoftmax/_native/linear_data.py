"""Models and rows of X, whichever pass it is: from the caller's arguments to the kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax._native import checks, threads
from csoftmax._native.csr import Csr

Array = npt.NDArray[Any]


class LinearData:
    """Model and features, checked and in the kernels' terms."""

    def __init__(
        self,
        W: npt.ArrayLike,
        X: npt.ArrayLike,
        rows: npt.ArrayLike | None,
        bias: npt.ArrayLike | None,
        shift: npt.ArrayLike | None,
        scale: npt.ArrayLike | None,
    ) -> None:
        #: what an output must not overlap
        self.inputs = {"W": W, "X": X, "rows": rows, "bias": bias, "shift": shift, "scale": scale}
        self.W = checks.coefficients(W)
        self.X: Array | Csr
        if checks.is_sparse(X):
            self.X = checks.sparse_features(X, self.W)
            self.inputs |= {f"X.{name}": getattr(self.X, name) for name in Csr._fields[:3]}
        else:
            self.X = checks.features(X, self.W)
        #: rows of X, and those in use
        self.n_source_rows = self.X.shape[0]
        self.rows = checks.row_indices(rows, self.n_source_rows)
        self.n_rows = self.n_source_rows if self.rows is None else len(self.rows)
        if isinstance(self.X, Csr):
            self.X = checks.sparse_entries(self.X, self.rows)
        self.bias = None
        if bias is not None:
            self.bias = checks.vector("bias", bias, self.W.shape[1], self.W.dtype, "class")
        self.shift = self.scale = None
        if shift is not None or scale is not None:
            # The kernels take both or neither: x - 0 and x * 1 change no bit.
            n_features = self.W.shape[0]
            shift = np.zeros(n_features) if shift is None else shift
            scale = np.ones(n_features) if scale is None else scale
            self.shift = checks.affine("shift", shift, self.X, self.W)
            self.scale = checks.affine("scale", scale, self.X, self.W)

    def arguments(self) -> tuple[Any, ...]:
        """What all kernels of linear models start with."""
        return self.W, self.X, self.rows, self.shift, self.scale, self.bias

    def threads(self, n_threads: int | None, passes: int) -> int:
        """How many threads to use for so many products with X."""
        if isinstance(self.X, Csr):
            entries = len(self.X.indices) * self.n_rows / max(1, self.n_source_rows)
            terms = passes * (entries * self.W.shape[1] + self.W.size)
            return threads.resolve(n_threads, terms * threads.NS_PER_SPARSE_TERM)
        flops = 2.0 * passes * self.n_rows * self.W.size
        return threads.resolve(n_threads, flops * threads.NS_PER_FLOP)
