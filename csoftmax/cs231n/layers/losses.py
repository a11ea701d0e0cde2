"""Losses on the scores of the last layer, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from csoftmax._native import checks
from csoftmax.functional import cross_entropy_with_grad, multiclass_hinge_with_grad

__all__ = ["softmax_loss", "svm_loss"]

_Array = NDArray[Any]


def softmax_loss(x: ArrayLike, y: ArrayLike, *, out: _Array | None = None) -> tuple[float, _Array]:
    """Softmax loss of scores, and its gradient: `csoftmax.cross_entropy_with_grad`.

        loss = 1/N sum_i (lse(x_i) - x_i[y_i])          dx = (softmax(x) - Y) / N

    Parameters
    ----------
    x : (N, C) array
        Scores. float32 and float64 are computed as such.
    y : (N,) labels in 0..C-1
    out : ndarray, optional
        Where to put the gradient; `x` itself saves an array of its size.

    Returns
    -------
    loss : float
    dx : (N, C) ndarray

    Raises
    ------
    TypeError, ValueError
        For what is no array of real numbers, shapes that do not fit, and labels that are no class.

    See Also
    --------
    svm_loss : The hinge loss.
    csoftmax.cross_entropy_with_grad : With all options.
    csoftmax.softmax_loss : Of a linear model.

    Examples
    --------
    >>> import numpy as np
    >>> loss, dx = softmax_loss(np.zeros((1, 4)), [2])
    >>> print(round(loss, 4), dx)
    1.3863 [[ 0.25  0.25 -0.75  0.25]]
    """
    scores, labels = _checked(x, y)
    loss, dx = cross_entropy_with_grad(scores, labels, out=out)
    return float(loss), dx


def svm_loss(x: ArrayLike, y: ArrayLike, *, out: _Array | None = None) -> tuple[float, _Array]:
    """Multiclass hinge loss of scores with margin 1: `csoftmax.multiclass_hinge_with_grad`.

        loss = 1/N sum_i sum_{c != y_i} max(0, x_i[c] - x_i[y_i] + 1)

    Parameters, result and errors as in `softmax_loss`.

    Parameters
    ----------
    x, y, out
        As for `softmax_loss`.

    Returns
    -------
    loss, dx
        As of `softmax_loss`.

    Raises
    ------
    TypeError, ValueError
        As `softmax_loss`.

    See Also
    --------
    softmax_loss : The cross-entropy.
    csoftmax.multiclass_hinge_with_grad : With all options.
    csoftmax.svm_loss : Of a linear model.

    Examples
    --------
    >>> loss, dx = svm_loss([[3.25, 5.0, -1.75]], [0])
    >>> print(loss, dx)
    2.75 [[-1.  1.  0.]]
    """
    scores, labels = _checked(x, y)
    loss, dx = multiclass_hinge_with_grad(scores, labels, out=out)
    return float(loss), dx


def _checked(x: ArrayLike, y: ArrayLike) -> tuple[_Array, NDArray[np.int64]]:
    """Scores and labels: of what the losses take beside, the course's have nothing."""
    scores, labels = checks.array("x", x), checks.array("y", y)
    if scores.ndim != 2 or not scores.shape[1]:
        raise ValueError(f"x has shape {scores.shape}: wanted (N, C) scores, at least one class")
    if labels.shape != scores.shape[:1]:
        raise ValueError(f"y has shape {labels.shape}: wanted {scores.shape[:1]}, a label each row")
    index = checks.labels("y", labels)
    checks.label_range("y", index, scores.shape[1])
    return scores, index
