"""Linear losses: a loss on the logits Z = F W + bias of the features F."""

from __future__ import annotations

from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from csoftmax.reference._common import Array, float64
from csoftmax.reference._hinge import hinge_rows
from csoftmax.reference._losses import (
    RowLoss,
    cross_entropy_rows,
    cross_entropy_with_grad,
    reduce,
    targets,
)
from csoftmax.reference._rows import softmax


@overload
def softmax_loss(
    W: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    reg: float = 0.0,
    *,
    bias: None = None,
    sample_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    rows: ArrayLike | None = None,
    shift: ArrayLike | None = None,
    scale: ArrayLike | None = None,
) -> tuple[float, Array]: ...
@overload
def softmax_loss(
    W: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    reg: float = 0.0,
    *,
    bias: ArrayLike,
    sample_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    rows: ArrayLike | None = None,
    shift: ArrayLike | None = None,
    scale: ArrayLike | None = None,
) -> tuple[float, Array, Array]: ...
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


    Parameters
    ----------
    W : (D, C) array_like
    X : (N, D) array_like
    y : (N,) indices or (N, C) probabilities
    reg : float
    bias : (C,) array_like, optional
    sample_weight : (N,) array_like, optional
        Weights of all rows of X.
    label_smoothing : float
    rows : array_like of int, optional
        The rows of X that count; None: all.
    shift, scale : (D,) array_like, optional

    Returns
    -------
    loss : float
    dW : (D, C) float64 ndarray
    dbias : (C,) float64 ndarray
        Where there is a bias.

    Raises
    ------
    ValueError
        Where no rows are left.

    See Also
    --------
    csoftmax.softmax_loss : The compiled one.
    softmax_loss_naive : Its derivation, first stage.
    softmax_hvp : Its second derivative.

    Examples
    --------
    >>> loss, dW, dbias = softmax_loss([[0.0, 0.0]], [[1.0]], [1], bias=[0.0, 0.0])
    >>> print(dW, dbias)
    [[ 0.5 -0.5]] [ 0.5 -0.5]
    """
    F, y, s = selected(X, y, sample_weight, rows, shift, scale)
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

    Parameters
    ----------
    W, X, reg, bias, sample_weight, rows, shift, scale
        As for `softmax_loss`.
    V : (D, C) array_like
        The direction, of the weights.
    vbias : (C,) array_like, optional
        The direction, of the bias.

    Returns
    -------
    HV : (D, C) float64 ndarray
    Hvbias : (C,) float64 ndarray

    Raises
    ------
    ValueError
        Where no rows are left.

    See Also
    --------
    softmax_loss : What it derives twice.
    csoftmax.solvers.Objective : The compiled one, bound to data.

    Examples
    --------
    >>> HV, Hvbias = softmax_hvp([[0.0, 0.0]], [[2.0]], [[1.0, 0.0]])
    >>> print(HV, Hvbias)
    [[ 1. -1.]] [ 0.5 -0.5]
    """
    F, _, s = selected(X, np.zeros(len(np.asarray(X))), sample_weight, rows, shift, scale)
    if len(F) == 0:
        raise ValueError("X has no rows: their mean loss is not defined")
    s = np.ones(len(F)) if s is None else s
    P = softmax(F @ float64(W) + (0.0 if bias is None else float64(bias)), axis=1)
    T = F @ float64(V) + (0.0 if vbias is None else float64(vbias))
    H = s[:, None] * P * (T - np.sum(P * T, axis=1, keepdims=True)) / np.sum(s)
    return F.T @ H + reg * float64(V), np.sum(H, axis=0)


@overload
def svm_loss(
    W: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    reg: float = 0.0,
    *,
    delta: float = 1.0,
    bias: None = None,
    sample_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    rows: ArrayLike | None = None,
    shift: ArrayLike | None = None,
    scale: ArrayLike | None = None,
) -> tuple[float, Array]: ...
@overload
def svm_loss(
    W: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    reg: float = 0.0,
    *,
    delta: float = 1.0,
    bias: ArrayLike,
    sample_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    rows: ArrayLike | None = None,
    shift: ArrayLike | None = None,
    scale: ArrayLike | None = None,
) -> tuple[float, Array, Array]: ...
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

    Parameters
    ----------
    W, X, y, reg, bias, sample_weight, label_smoothing, rows, shift, scale
        As for `softmax_loss`.
    delta : float
        The margin that is wanted.

    Returns
    -------
    loss, dW, dbias
        As of `softmax_loss`.

    Raises
    ------
    ValueError
        Where no rows are left.

    See Also
    --------
    csoftmax.svm_loss : The compiled one.
    svm_loss_naive : Its derivation, first stage.

    Examples
    --------
    >>> loss, dW = svm_loss([[0.0, 0.0]], [[1.0]], [1])
    >>> print(loss, dW)
    1.0 [[ 1. -1.]]
    """
    F, y, s = selected(X, y, sample_weight, rows, shift, scale)
    return _linear_loss(hinge_rows(delta), W, F, y, reg, bias, s, label_smoothing)


def linear_cross_entropy(
    X: ArrayLike, W: ArrayLike, target: ArrayLike, bias: ArrayLike | None = None, **options: Any
) -> tuple[Any, Array, Array, Array]:
    """Cross-entropy of a linear layer, with its gradients by the rows, the layer and the bias.

        Z = X W' + bias         loss = cross_entropy(Z, target, **options)
        dX = dZ W               dW = dZ' X              dbias = sum of the rows of dZ

    Parameters
    ----------
    X : (N, D) array_like
    W : (C, D) array_like
        As PyTorch has it.
    target : (N,) indices or (N, C) probabilities
    bias : (C,) array_like, optional
    **options
        Those of `cross_entropy_with_grad`.

    Returns
    -------
    loss
        As of `cross_entropy_with_grad`.
    dX, dW, dbias : float64 ndarrays
        Of the shapes of X, W and the bias.

    See Also
    --------
    csoftmax.torch.linear_cross_entropy : The compiled one.
    cross_entropy_with_grad : Of given logits.

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


def selected(
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
