"""The multiclass hinge loss on scores, with every option of the losses on logits."""

from __future__ import annotations

from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from csoftmax._types import NotReduced, Reduced, Reduction
from csoftmax.reference._common import Array, step
from csoftmax.reference._losses import RowLoss, reduce, targets


@overload
def multiclass_hinge(
    scores: ArrayLike,
    target: ArrayLike,
    delta: float = 1.0,
    *,
    weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduced = "mean",
    label_smoothing: float = 0.0,
) -> float: ...
@overload
def multiclass_hinge(
    scores: ArrayLike,
    target: ArrayLike,
    delta: float = 1.0,
    *,
    weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: NotReduced,
    label_smoothing: float = 0.0,
) -> Array: ...
@overload
def multiclass_hinge(
    scores: ArrayLike,
    target: ArrayLike,
    delta: float = 1.0,
    *,
    weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
) -> Any: ...
def multiclass_hinge(
    scores: ArrayLike,
    target: ArrayLike,
    delta: float = 1.0,
    *,
    weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """Multiclass hinge loss of Weston and Watkins; see `multiclass_hinge_with_grad`.

    Parameters
    ----------
    scores, target, delta, weight, sample_weight, ignore_index, reduction, label_smoothing
        As for `multiclass_hinge_with_grad`.

    Returns
    -------
    loss
        As of `multiclass_hinge_with_grad`.

    See Also
    --------
    csoftmax.multiclass_hinge : The compiled one.
    multiclass_hinge_with_grad : With its gradient; the formulas.

    Examples
    --------
    >>> print(multiclass_hinge([[0.0, 0.0, -2.0]], [1]))
    1.0
    """
    return multiclass_hinge_with_grad(
        scores,
        target,
        delta,
        weight=weight,
        sample_weight=sample_weight,
        ignore_index=ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )[0]


@overload
def multiclass_hinge_with_grad(
    scores: ArrayLike,
    target: ArrayLike,
    delta: float = 1.0,
    *,
    weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduced = "mean",
    label_smoothing: float = 0.0,
) -> tuple[float, Array]: ...
@overload
def multiclass_hinge_with_grad(
    scores: ArrayLike,
    target: ArrayLike,
    delta: float = 1.0,
    *,
    weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: NotReduced,
    label_smoothing: float = 0.0,
) -> tuple[Array, Array]: ...
@overload
def multiclass_hinge_with_grad(
    scores: ArrayLike,
    target: ArrayLike,
    delta: float = 1.0,
    *,
    weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
) -> tuple[Any, Array]: ...
def multiclass_hinge_with_grad(
    scores: ArrayLike,
    target: ArrayLike,
    delta: float = 1.0,
    *,
    weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
) -> tuple[Any, Array]:
    """Multiclass hinge loss and its gradient by the scores.

        L_i = sum_k u[i, k] sum_{c != k} max(0, z[i, c] - z[i, k] + delta)

    over the classes k with u[i, k] != 0. For an index target that is Weston and Watkins' loss, C
    times PyTorch's `multi_margin_loss`. Each positive margin adds u[i, k] to the gradient of class
    c and takes it from that of k; a NaN margin makes both, and the loss, NaN.

    Parameters
    ----------
    scores : (N, C, d1, ...) or (C,) array_like
    target, weight, sample_weight, ignore_index, reduction, label_smoothing
        As for `cross_entropy_with_grad`.
    delta : float
        The margin that is wanted.

    Returns
    -------
    loss, dscores
        As of `cross_entropy_with_grad`.

    See Also
    --------
    csoftmax.multiclass_hinge_with_grad : The compiled one.
    svm_loss : Of a linear model.

    Examples
    --------
    >>> loss, grad = multiclass_hinge_with_grad([[0.0, 0.0, -2.0]], [1])
    >>> grad
    array([[ 1., -1.,  0.]])
    """
    u, v, formed = targets(scores, target, weight, ignore_index, label_smoothing)
    return reduce(hinge_rows(delta), scores, u, v, formed, sample_weight, reduction)


def hinge_rows(delta: float) -> RowLoss:
    def rows(z: Array, u: Array, formed: NDArray[np.bool_]) -> tuple[Array, Array]:
        loss, grad = np.zeros(len(z)), np.zeros_like(z)
        for k in range(z.shape[1]):
            u_k = u[:, [k]]
            with np.errstate(invalid="ignore"):
                margin = np.where(u_k != 0, z - z[:, [k]] + delta, 0.0)
            margin[:, k] = 0
            h = step(margin)
            h[:, k] = -np.sum(h, axis=1)
            loss += np.sum(u_k * np.maximum(0, margin), axis=1)
            grad += u_k * h
        return loss, grad

    return rows
