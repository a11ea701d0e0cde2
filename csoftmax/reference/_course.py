"""The course's derivation of the linear losses and their gradients, in three stages.

Stage one is two loops, stage two one loop over the rows, stage three matrices only. All of them are

    loss = 1/N sum_i L_i + reg/2 sum(W**2)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from csoftmax.reference._common import Array, float64, labels, step
from csoftmax.reference._rows import log_softmax, softmax


def softmax_loss_naive(W: ArrayLike, X: ArrayLike, y: ArrayLike, reg: float) -> tuple[float, Array]:
    """Softmax loss and gradient, stage one: a loop over rows and a loop over classes.

        L_i = log(sum_c exp(z_c)) - z_y         dL_i/dW[:, c] = (p_c - [c = y_i]) x_i

    The regulariser is reg/2 sum(W**2), which adds reg W to the gradient.

    Parameters
    ----------
    W : (D, C) array_like
        Weights, one column for each class.
    X : (N, D) array_like
        Rows of features.
    y : (N,) array_like of int
        Labels in 0..C-1.
    reg : float
        Strength of the regulariser.

    Returns
    -------
    loss : float
    dW : (D, C) float64 ndarray

    Raises
    ------
    ValueError
        For X without rows, and labels that are no class.

    See Also
    --------
    softmax_loss_half_vectorized : The second stage.
    softmax_loss_vectorized : The third.
    csoftmax.softmax_loss : The compiled one: one pass over X.

    Examples
    --------
    >>> import numpy as np
    >>> loss, dW = softmax_loss_naive(np.zeros((3, 10)), np.ones((4, 3)), [0, 1, 2, 3], 0.0)
    >>> print(round(loss, 4), dW.shape)
    2.3026 (3, 10)
    """
    W, X, y = _linear_input(W, X, y)
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(len(X)):
        z = X[i] @ W
        log_p = log_softmax(z)
        loss -= log_p[y[i]]
        for c in range(W.shape[1]):
            dW[:, c] += (np.exp(log_p[c]) - (c == y[i])) * X[i]
    return loss / len(X) + reg / 2 * np.sum(W**2), dW / len(X) + reg * W


def softmax_loss_half_vectorized(
    W: ArrayLike, X: ArrayLike, y: ArrayLike, reg: float
) -> tuple[float, Array]:
    """Softmax loss and gradient, stage two: a loop over rows; the classes of a row are a vector.

        dL_i/dW = x_i (p_i - y_i)'              y_i the one-hot row of the label

    Parameters
    ----------
    W, X, y, reg
        As for `softmax_loss_naive`.

    Returns
    -------
    loss, dW
        As of `softmax_loss_naive`.

    Raises
    ------
    ValueError
        For X without rows, and labels that are no class.

    See Also
    --------
    softmax_loss_naive : The stage before.
    softmax_loss_vectorized : The next stage.

    Examples
    --------
    >>> import numpy as np
    >>> W, X, y = np.eye(3, 2), np.ones((4, 3)), [0, 1, 0, 1]
    >>> loss, dW = softmax_loss_half_vectorized(W, X, y, 0.1)
    >>> bool(np.allclose(dW, softmax_loss_naive(W, X, y, 0.1)[1]))
    True
    """
    W, X, y = _linear_input(W, X, y)
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(len(X)):
        z = X[i] @ W
        loss -= log_softmax(z)[y[i]]
        dz = softmax(z)
        dz[y[i]] -= 1
        dW += np.outer(X[i], dz)
    return loss / len(X) + reg / 2 * np.sum(W**2), dW / len(X) + reg * W


def softmax_loss_vectorized(
    W: ArrayLike, X: ArrayLike, y: ArrayLike, reg: float
) -> tuple[float, Array]:
    """Softmax loss and gradient, stage three: matrices only.

        dW = X' (P - Y) / N + reg W             P = softmax(X W) by rows, Y one-hot

    Parameters
    ----------
    W, X, y, reg
        As for `softmax_loss_naive`.

    Returns
    -------
    loss, dW
        As of `softmax_loss_naive`.

    Raises
    ------
    ValueError
        For X without rows, and labels that are no class.

    See Also
    --------
    softmax_loss_half_vectorized : The stage before.
    csoftmax.softmax_loss : The compiled one: one pass over X.

    Examples
    --------
    >>> import numpy as np
    >>> W, X, y = np.eye(3, 2), np.ones((4, 3)), [0, 1, 0, 1]
    >>> loss, dW = softmax_loss_vectorized(W, X, y, 0.1)
    >>> bool(np.allclose(dW, softmax_loss_naive(W, X, y, 0.1)[1]))
    True
    """
    W, X, y = _linear_input(W, X, y)
    Z = X @ W
    Y = np.eye(W.shape[1])[y]
    loss = -np.mean(log_softmax(Z, axis=1)[np.arange(len(X)), y])
    dW = X.T @ (softmax(Z, axis=1) - Y) / len(X)
    return float(loss + reg / 2 * np.sum(W**2)), dW + reg * W


def svm_loss_naive(W: ArrayLike, X: ArrayLike, y: ArrayLike, reg: float) -> tuple[float, Array]:
    """Multiclass hinge loss and gradient, stage one: a loop over rows and a loop over classes.

        L_i = sum_{c != y_i} max(0, z_c - z_y + 1)

    Each positive margin adds x_i to column c of dW and takes it from column y_i.

    Parameters
    ----------
    W, X, y, reg
        As for `softmax_loss_naive`.

    Returns
    -------
    loss, dW
        As of `softmax_loss_naive`.

    Raises
    ------
    ValueError
        For X without rows, and labels that are no class.

    See Also
    --------
    svm_loss_half_vectorized : The second stage.
    svm_loss_vectorized : The third.
    csoftmax.svm_loss : The compiled one: one pass over X.

    Examples
    --------
    >>> import numpy as np
    >>> loss, dW = svm_loss_naive(np.zeros((3, 10)), np.ones((4, 3)), [0, 1, 2, 3], 0.0)
    >>> print(loss, dW.shape)
    9.0 (3, 10)
    """
    W, X, y = _linear_input(W, X, y)
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(len(X)):
        z = X[i] @ W
        for c in range(W.shape[1]):
            margin = z[c] - z[y[i]] + 1
            if c == y[i] or margin <= 0:  # NaN passes on
                continue
            loss += margin
            dW[:, c] += step(margin) * X[i]
            dW[:, y[i]] -= step(margin) * X[i]
    return loss / len(X) + reg / 2 * np.sum(W**2), dW / len(X) + reg * W


def svm_loss_half_vectorized(
    W: ArrayLike, X: ArrayLike, y: ArrayLike, reg: float
) -> tuple[float, Array]:
    """Multiclass hinge loss and gradient, stage two: the classes of a row are a vector.

        dL_i/dW = x_i h_i'       h_c = [margin_c > 0] for c != y_i, h_y = -sum of the others

    Parameters
    ----------
    W, X, y, reg
        As for `softmax_loss_naive`.

    Returns
    -------
    loss, dW
        As of `softmax_loss_naive`.

    Raises
    ------
    ValueError
        For X without rows, and labels that are no class.

    See Also
    --------
    svm_loss_naive : The stage before.
    svm_loss_vectorized : The next stage.

    Examples
    --------
    >>> import numpy as np
    >>> W, X, y = np.eye(3, 2), np.ones((4, 3)), [0, 1, 0, 1]
    >>> loss, dW = svm_loss_half_vectorized(W, X, y, 0.1)
    >>> bool(np.allclose(dW, svm_loss_naive(W, X, y, 0.1)[1]))
    True
    """
    W, X, y = _linear_input(W, X, y)
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(len(X)):
        z = X[i] @ W
        margin = z - z[y[i]] + 1
        margin[y[i]] = 0
        loss += np.sum(np.maximum(0, margin))
        h = step(margin)
        h[y[i]] = -np.sum(h)
        dW += np.outer(X[i], h)
    return float(loss / len(X) + reg / 2 * np.sum(W**2)), dW / len(X) + reg * W


def svm_loss_vectorized(
    W: ArrayLike, X: ArrayLike, y: ArrayLike, reg: float
) -> tuple[float, Array]:
    """Multiclass hinge loss and gradient, stage three: matrices only.

        dW = X' H / N + reg W                   H the rows h_i of `svm_loss_half_vectorized`

    Parameters
    ----------
    W, X, y, reg
        As for `softmax_loss_naive`.

    Returns
    -------
    loss, dW
        As of `softmax_loss_naive`.

    Raises
    ------
    ValueError
        For X without rows, and labels that are no class.

    See Also
    --------
    svm_loss_half_vectorized : The stage before.
    csoftmax.svm_loss : The compiled one: one pass over X.

    Examples
    --------
    >>> import numpy as np
    >>> W, X, y = np.eye(3, 2), np.ones((4, 3)), [0, 1, 0, 1]
    >>> loss, dW = svm_loss_vectorized(W, X, y, 0.1)
    >>> bool(np.allclose(dW, svm_loss_naive(W, X, y, 0.1)[1]))
    True
    """
    W, X, y = _linear_input(W, X, y)
    Z, i = X @ W, np.arange(len(X))
    margin = Z - Z[i, y][:, None] + 1
    margin[i, y] = 0
    loss = np.sum(np.maximum(0, margin)) / len(X)
    H = step(margin)
    H[i, y] = -np.sum(H, axis=1)
    return float(loss + reg / 2 * np.sum(W**2)), X.T @ H / len(X) + reg * W


def _linear_input(W: ArrayLike, X: ArrayLike, y: ArrayLike) -> tuple[Array, Array, NDArray[Any]]:
    W, X, y = float64(W), float64(X), np.asarray(y)
    if len(X) == 0:
        raise ValueError("X has no rows: their mean loss is not defined")
    return W, X, labels(y, W.shape[1])
