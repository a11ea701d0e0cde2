"""Losses on logits: the functions of torch.nn.functional, and sample weights.

Every option folds into a matrix of targets u, (N, C):

    index target        u[i, c] = (1 - eps) weight[y_i] [c = y_i] + eps/C weight[c]
    probability target  u[i, c] = ((1 - eps) t[i, c] + eps/C) weight[c]

where eps is the label smoothing. Row i counts for v[i] in a mean: weight[y_i] with an index target,
1 with probabilities. An ignored row has u = v = 0.

Logits (N, C, d1, ...) have a row of C logits at each place of (N, d1, ...).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from csoftmax._types import NotReduced, Reduced, Reduction
from csoftmax.reference._common import Array, float64, labels
from csoftmax.reference._rows import log_softmax, softmax

# (logits, u, formed) -> loss of each row, its gradient by the logits of that row
RowLoss = Callable[[Array, Array, NDArray[np.bool_]], tuple[Array, Array]]


@overload
def cross_entropy(
    logits: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduced = "mean",
    label_smoothing: float = 0.0,
) -> float: ...
@overload
def cross_entropy(
    logits: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: NotReduced,
    label_smoothing: float = 0.0,
) -> Array: ...
@overload
def cross_entropy(
    logits: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
) -> Any: ...
def cross_entropy(
    logits: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """Cross-entropy of softmax(logits) against `target`; see `cross_entropy_with_grad`.

    Parameters
    ----------
    logits, target, weight, sample_weight, ignore_index, reduction, label_smoothing
        As for `cross_entropy_with_grad`.

    Returns
    -------
    loss
        As of `cross_entropy_with_grad`.

    See Also
    --------
    csoftmax.cross_entropy : The compiled one.
    cross_entropy_with_grad : With its gradient; the formulas.

    Examples
    --------
    >>> print(cross_entropy([[0.0, 0.0]], [1]) == np.log(2.0))
    True
    """
    return cross_entropy_with_grad(
        logits,
        target,
        weight,
        sample_weight=sample_weight,
        ignore_index=ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )[0]


@overload
def cross_entropy_with_grad(
    logits: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduced = "mean",
    label_smoothing: float = 0.0,
) -> tuple[float, Array]: ...
@overload
def cross_entropy_with_grad(
    logits: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: NotReduced,
    label_smoothing: float = 0.0,
) -> tuple[Array, Array]: ...
@overload
def cross_entropy_with_grad(
    logits: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
) -> tuple[Any, Array]: ...
def cross_entropy_with_grad(
    logits: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
) -> tuple[Any, Array]:
    """Cross-entropy and its gradient by the logits.

        L_i = sum_c u[i, c] (lse(z_i) - z[i, c])        dL_i/dz = softmax(z_i) sum_c u[i, c] - u[i]

        none: s_i L_i       sum: sum_i s_i L_i       mean: sum_i s_i L_i / sum_i s_i v_i

    with s the sample weights, u the targets with every option folded in and v what a row counts
    for (the formulas stand at the top of this file). An index target without smoothing forms only
    the term of its label, so that -inf in another class is harmless. NaN and +inf leave a row no
    softmax: loss and gradient are NaN. An ignored row adds 0 and has gradient 0, unless it has no
    softmax: then its gradient is NaN. With all rows ignored the mean is NaN. All as PyTorch.

    Parameters
    ----------
    logits : (N, C, d1, ...) or (C,) array_like
    target : (N, d1, ...) or () indices, or probabilities of the logits' shape
    weight : (C,) array_like, optional
        Class weights.
    sample_weight : (N,) or (N, d1, ...) array_like, optional
    ignore_index : int
        Rows with this label do not count. ValueError if it is >= 0 beside probabilities.
    reduction : {"mean", "sum", "none"}
    label_smoothing : float

    Returns
    -------
    loss : float, or (N, d1, ...) float64 ndarray with reduction="none"
    dlogits : float64 ndarray of the logits' shape
        With reduction="none" the gradient of each row's own loss.

    See Also
    --------
    csoftmax.cross_entropy_with_grad : The compiled one.
    softmax_loss : Of a linear model.

    Examples
    --------
    >>> loss, grad = cross_entropy_with_grad([[0.0, 0.0]], [1])
    >>> grad
    array([[ 0.5, -0.5]])
    """
    u, v, formed = targets(logits, target, weight, ignore_index, label_smoothing)
    return reduce(cross_entropy_rows, logits, u, v, formed, sample_weight, reduction)


def as_rows(a: ArrayLike) -> Array:
    """Return (N, C, d1, ...) or (C,) as (rows, C)."""
    z = np.atleast_2d(float64(a))
    rows: Array = np.moveaxis(z, 1, -1).reshape(-1, z.shape[1])
    return rows


def as_logits(rows: Array, shape: tuple[int, ...]) -> Array:
    """Return (rows, C) in the shape that they had before `as_rows`."""
    if len(shape) > 1:
        rows = np.moveaxis(rows.reshape(shape[0], *shape[2:], shape[1]), -1, 1)
    return rows.reshape(shape)


def targets(
    logits: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None,
    ignore_index: int | None,
    label_smoothing: float,
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Return u, v and which terms of u are formed at all."""
    n_classes = as_rows(logits).shape[1]
    w = np.ones(n_classes) if weight is None else float64(weight)
    eps = label_smoothing
    if np.ndim(target) == np.ndim(logits):
        if ignore_index is not None and ignore_index >= 0:
            raise ValueError(f"ignore_index is {ignore_index}, but target has probabilities")
        u = ((1 - eps) * as_rows(target) + eps / n_classes) * w
        return u, np.ones(len(u)), np.ones(u.shape, bool)
    y = np.asarray(target).reshape(-1)
    counts = np.ones(len(y), bool) if ignore_index is None else y != ignore_index
    y = labels(np.where(counts, y, 0), n_classes)
    Y = np.eye(n_classes, dtype=bool)[y] & counts[:, None]
    u = (1 - eps) * w * Y + eps / n_classes * np.outer(counts, w)
    formed = Y if eps == 0 else np.broadcast_to(counts[:, None], Y.shape)
    return u, np.where(counts, w[y], 0.0), formed


def cross_entropy_rows(z: Array, u: Array, formed: NDArray[np.bool_]) -> tuple[Array, Array]:
    p = softmax(z, axis=1)
    log_p = np.where(np.isnan(p), np.nan, log_softmax(z, axis=1))  # +inf leaves no softmax
    with np.errstate(invalid="ignore"):
        loss = np.sum(np.where(formed, -u * log_p, 0.0), axis=1)
    return loss, p * np.sum(u, axis=1, keepdims=True) - u


def reduce(
    row_loss: RowLoss,
    logits: ArrayLike,
    u: Array,
    v: Array,
    formed: NDArray[np.bool_],
    sample_weight: ArrayLike | None,
    reduction: Reduction,
) -> tuple[Any, Array]:
    shape = np.shape(logits)
    of_rows = (shape[0], *shape[2:]) if len(shape) > 1 else ()
    s = np.ones(of_rows)
    if sample_weight is not None:  # (N,), that is (N, 1, ...), or (N, d1, ...)
        given = float64(sample_weight)
        s = s * given.reshape(given.shape + (1,) * (s.ndim - given.ndim))
    s = s.reshape(-1)
    loss, grad = row_loss(as_rows(logits), u, formed)
    counts = np.any(formed, axis=1, keepdims=True)
    loss = s * loss
    total: Any
    if reduction == "none":
        n, total = np.float64(1), np.reshape(loss, of_rows)[()]
    else:
        n, total = np.sum(s * v) if reduction == "mean" else np.float64(1), np.sum(loss)
    with np.errstate(invalid="ignore", divide="ignore"):
        grad = np.where(counts, s[:, None] * grad / n, grad)
        return total / n, as_logits(grad, shape)
