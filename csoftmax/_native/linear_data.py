"""Models and rows of X, whichever pass it is: from the caller's arguments to the kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax._native import checks, threads
from csoftmax._native.csr import Csr

Array = npt.NDArray[Any]


class LinearData:
    """Model and features, checked and in the kernels' terms.

    `others` are further arrays of a call, which `inputs` then has converted, too.
    """

    def __init__(
        self,
        W: npt.ArrayLike,
        X: Any,
        rows: npt.ArrayLike | None,
        bias: npt.ArrayLike | None,
        shift: npt.ArrayLike | None,
        scale: npt.ArrayLike | None,
        **others: npt.ArrayLike | None,
    ) -> None:
        sparse = checks.is_sparse(X)
        parts = checks.parts("X", X) if sparse else {"X": X}
        given = {"W": W, "rows": rows, "bias": bias, "shift": shift, "scale": scale}
        #: the arrays of the call, from which all that the kernels read is made
        self.inputs = inputs = checks.arrays({**given, **parts, **others})
        self.W = checks.coefficients(inputs["W"])
        self.X: Array | Csr
        if sparse:
            self.X = checks.sparse_features(parts, X.shape, self.W)
        else:
            self.X = checks.features(inputs["X"], self.W)
        #: rows of X, and those in use
        self.n_source_rows = self.X.shape[0]
        self.rows = checks.row_indices(inputs["rows"], self.n_source_rows)
        self.n_rows = self.n_source_rows if self.rows is None else len(self.rows)
        if isinstance(self.X, Csr):
            self.X = checks.sparse_entries(self.X, self.rows)
        self.bias = inputs["bias"]
        if bias is not None:
            n_classes, dtype = self.W.shape[1], self.W.dtype
            self.bias = checks.vector("bias", self.bias, n_classes, dtype, "class")
        self.shift = self.scale = None
        if shift is not None or scale is not None:
            # The kernels take both or neither: x - 0 and x * 1 change no bit.
            n_features = self.W.shape[0]
            shift = np.zeros(n_features) if shift is None else inputs["shift"]
            scale = np.ones(n_features) if scale is None else inputs["scale"]
            self.shift = checks.affine("shift", shift, self.X, self.W)
            self.scale = checks.affine("scale", scale, self.X, self.W)

    def output(
        self, out: Array | None, shape: tuple[int, ...], dtype: np.dtype[Any] | None = None
    ) -> Array:
        """A result's array, of W's dtype if not said: `out`, if given, which overlaps no input."""
        dtype = dtype or self.W.dtype
        if out is None:
            return np.empty(shape, dtype)
        return checks.out_array(out, shape, dtype, self.inputs)

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
