"""What a linear model predicts: labels and probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from csoftmax.reference._common import Array, float64
from csoftmax.reference._linear import selected
from csoftmax.reference._rows import softmax


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

    Parameters
    ----------
    W, X, bias, rows, shift, scale
        As for `softmax_loss`.

    Returns
    -------
    (N,) ndarray of int

    See Also
    --------
    csoftmax.linear_predict : The compiled one.
    linear_predict_proba : All probabilities.

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

    Parameters
    ----------
    W, X, bias, rows, shift, scale
        As for `softmax_loss`.

    Returns
    -------
    (N, C) float64 ndarray

    See Also
    --------
    csoftmax.linear_predict_proba : The compiled one.
    linear_predict : The likeliest class.

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

    Parameters
    ----------
    W, X, bias, rows, shift, scale
        As for `softmax_loss`.
    k : int
        How many classes.

    Returns
    -------
    labels : (N, k) ndarray of int
    probabilities : (N, k) float64 ndarray

    See Also
    --------
    csoftmax.linear_top_k : The compiled one.
    linear_predict : The likeliest class.

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
    F, _, _ = selected(X, np.zeros(len(np.asarray(X))), None, rows, shift, scale)
    return F @ float64(W) + (0.0 if bias is None else float64(bias))
