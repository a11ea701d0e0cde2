"""The softmax loss of a linear classifier under the course's names: by loops, and compiled."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from csoftmax import reference
from csoftmax._types import Float
from csoftmax.cs231n._penalty import half_form
from csoftmax.linear import softmax_loss

__all__ = ["softmax_loss_naive", "softmax_loss_vectorized"]


def softmax_loss_naive(
    W: ArrayLike, X: ArrayLike, y: ArrayLike, reg: float
) -> tuple[float, NDArray[np.float64]]:
    """Softmax loss and gradient from the two loops of `csoftmax.reference.softmax_loss_naive`.

    Parameters
    ----------
    W, X, y, reg
        As for `softmax_loss_vectorized`.

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
    softmax_loss_vectorized : The compiled one.
    csoftmax.reference.softmax_loss_naive : The loops.

    Examples
    --------
    >>> import numpy as np
    >>> loss, dW = softmax_loss_naive(np.zeros((3, 10)), np.ones((4, 3)), [0, 1, 2, 3], 0.0)
    >>> print(round(loss, 4), dW.shape)
    2.3026 (3, 10)
    """
    return reference.softmax_loss_naive(W, X, y, half_form(reg))


def softmax_loss_vectorized(
    W: NDArray[Float], X: ArrayLike, y: ArrayLike, reg: float
) -> tuple[float, NDArray[Float]]:
    """Softmax loss and gradient from the compiled `csoftmax.softmax_loss`.

        loss = 1/N sum_i (lse(z_i) - z_i[y_i]) + reg/2 sum(W**2)     dW = X' (P - Y) / N + reg W

    With `csoftmax.cs231n.full_penalty` the penalty is reg sum(W**2), its gradient 2 reg W.

    Parameters
    ----------
    W : (D, C) float32 or float64
        Its dtype is that of the arithmetic.
    X : (N, D) float32, float64 or uint8
    y : (N,) labels in 0..C-1
    reg : float
        Strength of the penalty, at least 0.

    Returns
    -------
    loss : float
    dW : (D, C), W's dtype

    Raises
    ------
    TypeError, ValueError
        As `csoftmax.softmax_loss`, which also tells of threads, NaN and what is copied.

    See Also
    --------
    softmax_loss_naive : In two loops.
    csoftmax.softmax_loss : With all options.

    Examples
    --------
    >>> import numpy as np
    >>> loss, dW = softmax_loss_vectorized(np.zeros((3, 10)), np.ones((4, 3)), [0, 1, 2, 3], 0.0)
    >>> print(round(loss, 4), dW.shape)
    2.3026 (3, 10)
    """
    loss, dW = softmax_loss(W, X, y, half_form(reg))[:2]
    return loss, dW
