"""Features as the solver sees them, (X - shift) * scale, and its parameters there and back.

Features are seen as they lie there, which is fastest, but for two kinds. Those that are far from 0
beside their spread (years, timestamps) are centred: their sums would cancel, in float32 to nothing.
It is free, as the intercept takes up the shift; without an intercept they stay. Those that are
huge or tiny are brought to about unit size, so that tol means for them what it does for others. The
penalties remain on the coefficients of the raw X.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from csoftmax._native import checks
from csoftmax.estimators import checks as fit_checks
from csoftmax.solvers import passes

Array = npt.NDArray[Any]

FAR = 30.0  #: standard deviations from 0 of a mean (of a constant: from 0) that is shifted to 0
HUGE, TINY = 1e4, 1e-3  #: sizes beyond which features are scaled
SAMPLE = 1024  #: rows that are looked at, at most
LARGEST = 2.0**100  #: scale: its square times a penalty is in the range of float64


class Scaling(NamedTuple):
    """How the solver sees the features.

    Attributes
    ----------
    shift, scale : (D,) array or None
        As for `softmax_loss`.
    unit, spread : (D,) array or None
        As for `Objective`.
    """

    shift: Array | None = None
    scale: Array | None = None
    unit: Array | None = None
    spread: Array | None = None

    def of(self, X: Any) -> Scaling:
        """The same with the shift as the kernels round it: float32 beside dense X but float64."""
        if self.shift is None or checks.is_sparse(X) or X.dtype == np.float64:
            return self
        return self._replace(shift=self.shift.astype(np.float32).astype(np.float64))

    def theta(self, coef: Array, intercept: Array, fit_intercept: bool) -> Array:
        """The solver's parameters, of coefficients (K, D) and an intercept (K,) for the raw X."""
        W = np.asarray(coef.T, np.float64)
        bias = np.asarray(intercept, np.float64)
        if self.shift is not None:
            bias = bias + _weighted_sum(self.shift, W)
        if self.scale is not None:
            W = W / self.scale[:, None]
        return np.vstack([W, bias]) if fit_intercept else np.array(W)

    def raw(self, theta: Array, fit_intercept: bool) -> tuple[Array, Array]:
        """Coefficients (K, D) and intercept (K,) for the raw X, in theta's dtype."""
        W = np.asarray(theta[:-1] if fit_intercept else theta, np.float64)
        bias = np.asarray(theta[-1] if fit_intercept else np.zeros(W.shape[1]), np.float64)
        if self.scale is not None:
            W = W * self.scale[:, None]
        coef = np.array(W.T, theta.dtype, order="C")
        if self.shift is not None:  # of the coefficients as they are rounded
            bias = bias - _weighted_sum(self.shift, coef.T)
        return coef, bias.astype(theta.dtype)


def _weighted_sum(shift: Array, W: Array) -> Array:
    """Shift @ W in float64, with the same bits for any number of BLAS's threads."""
    terms: Array = shift[:, None] * W
    return terms.sum(axis=0, dtype=np.float64)  # type: ignore[no-any-return]


def automatic(X: Any, weights: Array | None, fit_intercept: bool) -> Scaling:
    """How features are seen that are not to be standardised: as the top of this file says."""
    mean, spread, largest = _look(X, weights)
    with np.errstate(over="ignore", invalid="ignore"):
        # what the rounding of the sums leaves of a constant
        varies = spread > (1e-7 if checks.is_sparse(X) else 1e-14) * np.abs(mean)
        spread = np.where(varies, spread, 0)
        far = np.isfinite(mean) & (np.abs(mean) > FAR * np.where(varies, spread, 1))
        shift = np.where(far & fit_intercept, mean, 0)
        # without an intercept, too, it is the spread that is to count
        far &= varies
        size = np.where(far, spread, np.hypot(mean - shift, spread))
        odd = (size > HUGE) | (np.where(far, spread, largest) < TINY)
        odd &= (size > 0) & np.isfinite(size)
        # powers of 2 change no digit
        scale = np.clip(2.0 ** -np.round(np.log2(np.where(odd, size, 1))), 1 / LARGEST, LARGEST)
        spread = np.where(np.isfinite(spread), spread * scale, 1)
    unit = scale if odd.any() else None
    return Scaling(shift if shift.any() else None, unit, unit, spread)


def _look(X: Any, weights: Array | None) -> tuple[Array, Array, Array]:
    """Mean, standard deviation and largest size of the features, in rows that have weight."""
    n_rows, width = X.shape
    sparse = checks.is_sparse(X)
    if sparse:
        width = X.nnz // max(1, n_rows)
    n = min(max(fit_checks.BLOCK_BYTES // (8 * max(1, width)), fit_checks.MIN_ROWS), SAMPLE)
    rows = np.arange(n_rows) if weights is None else np.flatnonzero(weights)
    if n < len(rows):
        rows = rows[np.linspace(0, len(rows) - 1, n).astype(np.int64)]
    some = X[rows].astype(np.float64)
    if sparse:
        mean, squares = _sparse_moments(some, np.ones(len(rows)), float(len(rows)))
        return mean, np.sqrt(squares / len(rows)), abs(some).max(axis=0).toarray().ravel()
    with np.errstate(over="ignore", invalid="ignore"):
        return some.mean(axis=0), some.std(axis=0), np.maximum(some.max(axis=0), -some.min(axis=0))


class Moments:
    """Mean and variance of the features over all rows added.

    What is added is merged by Chan, Golub and LeVeque's update, in float64.
    """

    def __init__(self, n_features: int) -> None:
        self.n_rows, self.weight = 0, 0.0
        self.mean, self.squares = np.zeros(n_features), np.zeros(n_features)

    def add(self, X: Any, sample_weight: Array | None, n_threads: int | None = None) -> Moments:
        """Count these rows, too."""
        if checks.is_sparse(X):
            self._add_sparse(X, sample_weight)
        else:
            self._merge(*passes.moments(X, sample_weight, n_threads))
        self.n_rows += X.shape[0]
        return self

    def _add_sparse(self, X: Any, sample_weight: Array | None) -> None:
        """In blocks, whose squares are of bounded memory."""
        for rows in fit_checks.row_blocks(X):
            block = X[rows]
            weights = np.ones(block.shape[0]) if sample_weight is None else sample_weight[rows]
            total = float(weights.sum())
            self._merge(total, *_sparse_moments(block, weights, total))

    def merge(self, other: Moments) -> Moments:
        """Count the rows of another, too."""
        if other.weight > 0:
            self._merge(other.weight, other.mean, other.squares)
        self.n_rows += other.n_rows
        return self

    def _merge(self, weight: float, mean: Array, squares: Array) -> None:
        if not weight > 0:
            return
        with np.errstate(over="ignore", invalid="ignore"):  # NaN and inf are found by the loss
            share = weight / (self.weight + weight)
            difference = mean - self.mean
            self.squares += squares + difference**2 * (self.weight * share)
            self.mean += difference * share
            self.weight += weight

    def scaling(self, shift: bool) -> Scaling:
        """To mean 0 (if `shift`) and standard deviation 1; constant features keep their scale."""
        with np.errstate(over="ignore", invalid="ignore"):
            variance = self.squares / self.weight
            # what the rounding of the sums leaves of a constant: scikit-learn's bound
            eps = self.n_rows * np.finfo(np.float64).eps
            varies = np.isfinite(variance) & (variance > eps * variance + (eps * self.mean) ** 2)
        scale = np.ones_like(variance)
        scale[varies] = 1 / np.sqrt(variance[varies])
        return Scaling(self.mean.copy() if shift else None, scale)


def _sparse_moments(block: Any, weights: Array, total: float) -> tuple[Array, Array]:
    """Mean of a block's columns, and the sum of squares around it."""
    with np.errstate(over="ignore", invalid="ignore"):
        block = block.astype(np.float64)
        mean = block.T @ weights / total
        squares = block.power(2).T @ weights - mean**2 * total
        return mean, np.maximum(squares, 0)
