"""A softmax model's loss bound to data: what the solvers minimise, and what they know of the data.

    f(theta) = sum_i s_i L_i / sum_i s_i + l2/2 sum((unit W)**2)   theta = W, below it the intercept

The parameters are one array `theta` (D + 1, K), or (D, K) without intercept: W is theta[:D] and the
intercept, which has no penalty, theta[D]. K is the number of classes, or 1 for two classes with one
row of coefficients: then the logits are (0, x w + b), as in scikit-learn's LogisticRegression.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax._native import checks, threads
from csoftmax.linear import linear_predict_proba, softmax_loss
from csoftmax.solvers.passes import hvp
from csoftmax.solvers.vectors import largest
from csoftmax.sources import Surveyed, bytes_of

Array = npt.NDArray[Any]

STRONGEST = 1e30  #: factor of a penalty, in the range of float32: coefficients are 0 long before
WELL = 10  #: times tol is well above it
_SOME_ROWS = 256  # made dense, or float32, at a time


class Objective:
    """Mean loss and l2 penalty over all rows of X, all of which `softmax_loss` has to accept.

    Parameters
    ----------
    X : (N, D) array or CSR, or a surveyed source of blocks
    y : (N,) class indices, or (N, C) probabilities
    n_classes : int
    dtype : float32 or float64
        Of the arithmetic and of theta; that of a float32 theta is float32 all the same.
    l2 : float
        Strength of the penalty beside the mean loss.
    fit_intercept : bool
    one_row : bool
        Whether two classes share one row of coefficients.
    sample_weight : (N,) array or None
    label_smoothing, shift, scale, n_threads
        As for `softmax_loss`.
    unit : (D,) array or None
        Penalties are on unit W: on the coefficients of the raw X, where that is `scale`. None: 1.
    spread : (D,) array or None
        Standard deviations of the features, as they are seen, about: see `far`. None: 1.

    Attributes
    ----------
    shape : (int, int)
        Of theta.
    passes : float
        Over X so far: a loss with its gradient counts 1, a prediction of all rows 1/2.
    at_hand : Objective
        Of the rows that can be drawn from: itself, or where X is a source its sample of rows.

    See Also
    --------
    minimise : Finds its minimum.
    csoftmax.softmax_loss : The same loss as a function.
    """

    def __init__(
        self,
        X: Any,
        y: Array,
        n_classes: int,
        dtype: npt.DTypeLike,
        *,
        l2: float = 0.0,
        fit_intercept: bool = True,
        one_row: bool = False,
        sample_weight: Array | None = None,
        label_smoothing: float = 0.0,
        shift: Array | None = None,
        scale: Array | None = None,
        unit: Array | None = None,
        spread: Array | None = None,
        n_threads: int | None = None,
    ) -> None:
        self.X, self.y, self.n_classes, self.dtype = X, y, n_classes, np.dtype(dtype)
        self.l2, self.fit_intercept, self.one_row = l2, fit_intercept, one_row
        self.sample_weight, self.label_smoothing = sample_weight, label_smoothing
        self.shift, self.scale, self.unit, self.spread = shift, scale, unit, spread
        self.n_threads = n_threads
        self.n_rows, self.n_features = X.shape
        self.shape = (self.n_features + fit_intercept, 1 if one_row else n_classes)
        self.passes = 0.0
        self._sample = self._of_sample() if isinstance(X, Surveyed) else None

    @property
    def at_hand(self) -> Objective:
        """Of the rows that can be drawn from."""
        return self._sample or self

    def _of_sample(self) -> Objective:
        rows, weight = self.X.sample_rows, self.sample_weight
        sample = Objective(
            self.X.sample,
            self.y[rows],
            self.n_classes,
            self.dtype,
            fit_intercept=self.fit_intercept,
            one_row=self.one_row,
            sample_weight=None if weight is None else weight[rows],
            shift=self.shift,
            scale=self.scale,
            n_threads=self.n_threads,
        )
        sample.mean_weight = self.mean_weight
        return sample

    @property
    def is_sparse(self) -> bool:
        """Whether X is CSR."""
        return checks.is_sparse(self.at_hand.X)

    @property
    def n_bytes(self) -> int:
        """Bytes of X that have been read."""
        if isinstance(self.X, Surveyed):
            return int(self.X.n_bytes)
        return int(self.passes * bytes_of(self.X))

    @property
    def n_terms(self) -> float:
        """Multiplications of a product with X."""
        entries = self.X.nnz if self.is_sparse else self.n_rows * self.n_features
        return float(entries) * self.shape[1]

    @property
    def threads(self) -> int:
        """Number of threads of a pass."""
        flops = 4.0 * self.n_rows * self.n_features * self.n_classes
        return threads.resolve(self.n_threads, flops * threads.NS_PER_FLOP)

    def strength(self, penalty: float, power: int) -> float | Array:
        """Of a penalty on |unit W|**power, the factors of |W|**power: one, or (D, 1)."""
        if self.unit is None:
            return penalty
        with np.errstate(over="ignore"):
            return np.minimum(penalty * self.unit[:, None] ** power, STRONGEST)

    def ridge(self, theta: Array, l2: float) -> tuple[float, Array]:
        """The penalty l2/2 sum((unit W)**2), and its gradient (D, K)."""
        w, strength = theta[: self.n_features], self.strength(l2, 2)
        squares = np.square(w).sum(axis=1, dtype=np.float64, keepdims=True)
        loss = 0.5 * float(np.sum(strength * squares))
        return loss, np.asarray(strength * w, theta.dtype)

    def far(self, grad: Array, tol: float) -> bool:
        """Whether a gradient that rounding ended at is well above tol, and above rounding's own.

        The loss differs by the square of the gradient, and by eps from rounding. The gradient
        counts as that of coefficients for which features have a standard deviation of at most 1,
        and the penalty a curvature of at most 1.
        """
        size = np.sqrt(np.maximum(1, self.strength(self.l2, 2)))
        if self.spread is not None:
            size = np.maximum(size, self.spread[:, None])
        grad = grad.astype(np.float64)
        grad[: self.n_features] /= size
        return bool(largest(grad) > max(WELL * tol, np.finfo(self.dtype).eps ** 0.5))

    def model(self, theta: Array) -> tuple[Array, Array | None]:
        """Return W (D, C) and bias (C,) for the kernels."""
        if self.one_row:
            theta = np.concatenate([np.zeros_like(theta), theta], axis=1)
        return theta[: self.n_features], theta[-1] if self.fit_intercept else None

    def loss_grad(self, theta: Array, rows: Array | None = None) -> tuple[float, Array]:
        """f(theta) and its gradient in one pass; or an unbiased estimate of them from some rows.

            N/n sum_{i in rows} s_i L_i / sum_i s_i + l2/2 sum(W**2)        n rows of N

        Over the parts of a permutation its mean, weighted by n, is f(theta).
        """
        self.passes += 1 if rows is None else len(rows) / self.n_rows
        share = 1.0  # of the rows' weights: softmax_loss divides by their sum
        if rows is not None and self.sample_weight is not None:
            share = float(self.sample_weight[rows].mean(dtype=np.float64)) / self.mean_weight
        W, bias = self.model(theta)
        grad = np.empty((self.shape[0], self.n_classes), theta.dtype)
        in_kernel = share == 1.0 and not self.one_row and self.unit is None
        loss = 0.0
        if share == 0.0:  # softmax_loss refuses rows without weight
            grad[...] = 0
        else:
            loss, _, *dbias = softmax_loss(
                W,
                self.X,
                self.y,
                self.l2 if in_kernel else 0.0,
                bias=bias,
                sample_weight=self.sample_weight,
                label_smoothing=self.label_smoothing,
                rows=rows,
                out=grad[: self.n_features],
                **self.view,
            )
            if dbias:
                grad[-1] = dbias[0]
        if not in_kernel:
            grad = np.ascontiguousarray(grad[:, 1:]) if self.one_row else grad
            penalty, of_w = self.ridge(theta, self.l2)
            loss = share * loss + penalty
            grad *= grad.dtype.type(share)
            grad[: self.n_features] += of_w
        return loss, grad

    def hvp(self, theta: Array, direction: Array) -> Array:
        """The Hessian of f at theta times a direction, in one pass."""
        self.passes += 1.5  # three products with X, where a loss with its gradient has two
        (W, bias), (V, vbias) = self.model(theta), self.model(direction)
        product = np.empty((self.shape[0], self.n_classes), theta.dtype)
        in_kernel = not self.one_row and self.unit is None
        _, Hvbias = hvp(
            W,
            self.X,
            V,
            self.l2 if in_kernel else 0.0,
            bias=bias,
            vbias=vbias,
            sample_weight=self.sample_weight,
            out=product[: self.n_features],
            **self.view,
        )
        if Hvbias is not None:
            product[-1] = Hvbias
        if not in_kernel:
            product = np.ascontiguousarray(product[:, 1:]) if self.one_row else product
            product[: self.n_features] += self.ridge(direction, self.l2)[1]
        return product

    @functools.cached_property
    def mean_weight(self) -> float:
        """Mean of the rows' sample weights."""
        weight = self.sample_weight
        return 1.0 if weight is None else float(weight.mean(dtype=np.float64))

    def proba(self, theta: Array, rows: Array) -> Array:
        """Probabilities of some rows: (n, K)."""
        self.passes += 0.5 * len(rows) / self.n_rows
        W, bias = self.model(theta)
        proba = linear_predict_proba(W, self.X, bias=bias, rows=rows, **self.view)
        return proba[:, 1:] if self.one_row else proba

    @property
    def view(self) -> dict[str, Any]:
        """How X is to be read."""
        return {"shift": self.shift, "scale": self.scale, "n_threads": self.n_threads}

    def features(self, rows: Array, dtype: npt.DTypeLike = np.float32) -> Array:
        """Some rows of the features, with a 1 for the intercept: dense, (n, D + 1)."""
        out = np.ones((len(rows), self.shape[0]), dtype)
        x = out[:, : self.n_features]
        seen = self.X[rows]  # a copy
        seen = seen.toarray() if self.is_sparse else seen
        if seen.dtype != np.float64:  # else features may be small beside their shift, or too large
            x[...] = seen
            seen = x
        if self.shift is not None:
            seen -= self.shift
        if self.scale is not None:
            seen *= self.scale
        if seen is not x:
            x[...] = seen
        return out

    def mean_squares(self, rows: Array, weight: Array) -> Array:
        """Weighted means of the features' squares, and of the intercept's 1: (D + 1, K).

        sum_i weight_ik ((x_ij - shift_j) scale_j)**2 / n        for n rows
        """
        out = np.zeros((self.shape[0], weight.shape[1]))
        if not self.is_sparse:
            for at in range(0, len(rows), _SOME_ROWS):
                some = slice(at, at + _SOME_ROWS)
                x = self.features(rows[some])
                out += np.square(x, out=x).T @ weight[some]
            return out / len(rows)
        X = self.X if len(rows) == self.n_rows else self.X[rows]
        total = weight.sum(axis=0)
        out[-1] = total  # the features overwrite it where there is no intercept
        # the shift's terms cancel: not in float32
        values = X.data if self.shift is None else X.data.astype(np.float64)
        X = type(X)((values, X.indices, X.indptr), X.shape)
        squared = type(X)((np.square(values), X.indices, X.indptr), X.shape)
        squares = squared.T @ weight
        if self.shift is not None:
            squares += self.shift[:, None] ** 2 * total
            squares -= 2 * self.shift[:, None] * (X.T @ weight)
        if self.scale is not None:
            squares *= self.scale[:, None] ** 2
        out[: self.n_features] = np.maximum(squares, 0)
        return out / len(rows)

    def weights(self, rows: Array) -> Array:
        """Sample weights of some rows, relative to their mean over all rows."""
        if self.sample_weight is None:
            return np.ones(len(rows))
        return np.asarray(self.sample_weight[rows] / self.mean_weight, np.float64)
