"""Linear losses: a loss on the logits Z = F W + bias of the features F."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from csoftmax.reference._common import Array, float64
from csoftmax.reference._losses import (
    RowLoss,
    cross_entropy_rows,
    cross_entropy_with_grad,
    hinge_rows,
    reduce,
    targets,
)
from csoftmax.reference._rows import softmax


def softmax_loss(
    W: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    reg: float = 0.0,
    *,
    bias: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    rows: ArrayLike | None = None,
    shift: ArrayLike | None = None,
    scale: ArrayLike | None = None,
) -> tuple[Any, ...]:
    """Cross-entropy of a linear model with its gradient, and every option of the compiled function.

        F = (X[rows] - shift) scale           Z = F W + bias
        loss = cross_entropy(Z, y[rows]) + reg/2 sum(W**2)
        dW = F' dZ + reg W                    dbias = sum of the rows of dZ

    Returns (loss, dW), and dbias third where there is a bias. The mean over rows is weighted by
    `sample_weight[rows]`. No rows are a ValueError.

    Examples
    --------
    >>> loss, dW, dbias = softmax_loss([[0.0, 0.0]], [[1.0]], [1], bias=[0.0, 0.0])
    >>> print(dW, dbias)
    [[ 0.5 -0.5]] [ 0.5 -0.5]
    """
    F, y, s = _select(X, y, sample_weight, rows, shift, scale)
    return _linear_loss(cross_entropy_rows, W, F, y, reg, bias, s, label_smoothing)


def softmax_hvp(
    W: ArrayLike,
    X: ArrayLike,
    V: ArrayLike,
    reg: float = 0.0,
    *,
    bias: ArrayLike | None = None,
    vbias: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    rows: ArrayLike | None = None,
    shift: ArrayLike | None = None,
    scale: ArrayLike | None = None,
) -> tuple[Array, Array]:
    """Hessian of `softmax_loss` at W and bias, times the direction V and vbias.

        P = softmax(F W + bias)         T = F V + vbias
        H[i, c] = s_i p_ic (t_ic - sum_k p_ik t_ik) / sum(s)
        HV = F' H + reg V               Hvbias = sum of the rows of H

    with F and s as in `softmax_loss`. The targets do not matter: the gradient of a row's scores is
    P minus something constant, as long as its target sums to 1.

    Examples
    --------
    >>> HV, Hvbias = softmax_hvp([[0.0, 0.0]], [[2.0]], [[1.0, 0.0]])
    >>> print(HV, Hvbias)
    [[ 1. -1.]] [ 0.5 -0.5]
    """
    F, _, s = _select(X, np.zeros(len(np.asarray(X))), sample_weight, rows, shift, scale)
    if len(F) == 0:
        raise ValueError("X has no rows: their mean loss is not defined")
    s = np.ones(len(F)) if s is None else s
    P = softmax(F @ float64(W) + (0.0 if bias is None else float64(bias)), axis=1)
    T = F @ float64(V) + (0.0 if vbias is None else float64(vbias))
    H = s[:, None] * P * (T - np.sum(P * T, axis=1, keepdims=True)) / np.sum(s)
    return F.T @ H + reg * float64(V), np.sum(H, axis=0)


def svm_loss(
    W: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    reg: float = 0.0,
    *,
    delta: float = 1.0,
    bias: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    rows: ArrayLike | None = None,
    shift: ArrayLike | None = None,
    scale: ArrayLike | None = None,
) -> tuple[Any, ...]:
    """Multiclass hinge loss of a linear model with its gradient; all else as in `softmax_loss`.

    Examples
    --------
    >>> loss, dW = svm_loss([[0.0, 0.0]], [[1.0]], [1])
    >>> print(loss, dW)
    1.0 [[ 1. -1.]]
    """
    F, y, s = _select(X, y, sample_weight, rows, shift, scale)
    return _linear_loss(hinge_rows(delta), W, F, y, reg, bias, s, label_smoothing)


def linear_cross_entropy(
    X: ArrayLike, W: ArrayLike, target: ArrayLike, bias: ArrayLike | None = None, **options: Any
) -> tuple[Any, Array, Array, Array]:
    """Cross-entropy of a linear layer, with its gradients by the rows, the layer and the bias.

        Z = X W' + bias         loss = cross_entropy(Z, target, **options)
        dX = dZ W               dW = dZ' X              dbias = sum of the rows of dZ

    W is (C, D), as PyTorch has it.

    Examples
    --------
    >>> loss, dX, dW, dbias = linear_cross_entropy([[1.0]], [[0.0], [2.0]], [1], [2.0, 0.0])
    >>> print(dX, dW.T, dbias)
    [[-1.]] [[ 0.5 -0.5]] [ 0.5 -0.5]
    """
    F, W = float64(X), float64(W)
    Z = F @ W.T + (0.0 if bias is None else float64(bias))
    loss, dZ = cross_entropy_with_grad(Z, target, **options)
    return loss, dZ @ W, dZ.T @ F, np.sum(dZ, axis=0)


def linear_predict(
    W: ArrayLike,
    X: ArrayLike,
    *,
    bias: ArrayLike | None = None,
    rows: ArrayLike | None = None,
    shift: ArrayLike | None = None,
    scale: ArrayLike | None = None,
) -> NDArray[np.intp]:
    """Return the argmax of F W + bias, F = (X[rows] - shift) scale.

    The first of equal maxima wins, and a NaN wins over every number.

    Examples
    --------
    >>> linear_predict([[0.0, 1.0]], [[1.0], [-1.0], [0.0]])
    array([1, 0, 0])
    """
    return np.asarray(np.argmax(_scores(W, X, bias, rows, shift, scale), axis=1))


def linear_predict_proba(
    W: ArrayLike,
    X: ArrayLike,
    *,
    bias: ArrayLike | None = None,
    rows: ArrayLike | None = None,
    shift: ArrayLike | None = None,
    scale: ArrayLike | None = None,
) -> Array:
    """Return the softmax of each row of F W + bias, F = (X[rows] - shift) scale.

    Examples
    --------
    >>> print(linear_predict_proba([[0.0, 0.0]], [[1.0]]))
    [[0.5 0.5]]
    """
    return softmax(_scores(W, X, bias, rows, shift, scale), axis=1)


def linear_top_k(
    W: ArrayLike,
    X: ArrayLike,
    k: int,
    *,
    bias: ArrayLike | None = None,
    rows: ArrayLike | None = None,
    shift: ArrayLike | None = None,
    scale: ArrayLike | None = None,
) -> tuple[NDArray[np.intp], Array]:
    """Return the k classes of the largest scores of each row, best first, and their probabilities.

    Of equal scores the lower label comes first, and a NaN wins over every number.

    Examples
    --------
    >>> labels, probabilities = linear_top_k([[0.0, 1.0, 1.0]], [[1.0], [0.0]], 2)
    >>> print(labels, probabilities[1].round(3))
    [[1 2]
     [0 1]] [0.333 0.333]
    """
    Z = _scores(W, X, bias, rows, shift, scale)
    best = np.lexsort((-Z, ~np.isnan(Z)), axis=1)[:, :k]  # stable, the last key first
    return best, np.take_along_axis(softmax(Z, axis=1), best, axis=1)


def _scores(
    W: ArrayLike,
    X: ArrayLike,
    bias: ArrayLike | None,
    rows: ArrayLike | None,
    shift: ArrayLike | None,
    scale: ArrayLike | None,
) -> Array:
    F, _, _ = _select(X, np.zeros(len(np.asarray(X))), None, rows, shift, scale)
    return F @ float64(W) + (0.0 if bias is None else float64(bias))


def _select(
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
    rows: ArrayLike | None,
    shift: ArrayLike | None,
    scale: ArrayLike | None,
) -> tuple[Array, NDArray[Any], Array | None]:
    """Return the features, targets and weights of the chosen rows."""
    X, y = np.asarray(X), np.asarray(y)
    chosen: Any = slice(None) if rows is None else np.asarray(rows, dtype=np.intp)
    F = float64(X[chosen]) - (0.0 if shift is None else float64(shift))
    F = F * (1.0 if scale is None else float64(scale))
    return F, y[chosen], None if sample_weight is None else float64(sample_weight)[chosen]


def _linear_loss(
    row_loss: RowLoss,
    W: ArrayLike,
    F: Array,
    y: NDArray[Any],
    reg: float,
    bias: ArrayLike | None,
    sample_weight: Array | None,
    label_smoothing: float,
) -> tuple[Any, ...]:
    if len(F) == 0:
        raise ValueError("X has no rows: their mean loss is not defined")
    W = float64(W)
    Z = F @ W + (0.0 if bias is None else float64(bias))
    u, v, formed = targets(Z, y, None, None, label_smoothing)
    loss, dZ = reduce(row_loss, Z, u, v, formed, sample_weight, "mean")
    loss, dW = loss + reg / 2 * np.sum(W**2), F.T @ dZ + reg * W
    return (loss, dW) if bias is None else (loss, dW, np.sum(dZ, axis=0))
