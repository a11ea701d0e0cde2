"""The multiclass hinge loss of a linear classifier under the course's names."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from csoftmax import reference
from csoftmax._types import Float
from csoftmax.cs231n._penalty import half_form
from csoftmax.linear import svm_loss

__all__ = ["svm_loss_naive", "svm_loss_vectorized"]


def svm_loss_naive(
    W: ArrayLike, X: ArrayLike, y: ArrayLike, reg: float
) -> tuple[float, NDArray[np.float64]]:
    """Multiclass hinge loss and gradient from the two loops of `csoftmax.reference`.

    Parameters
    ----------
    W, X, y, reg
        As for `svm_loss_vectorized`.

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
    svm_loss_vectorized : The compiled one.
    csoftmax.reference.svm_loss_naive : The loops.

    Examples
    --------
    >>> import numpy as np
    >>> loss, dW = svm_loss_naive(np.zeros((3, 10)), np.ones((4, 3)), [0, 1, 2, 3], 0.0)
    >>> print(loss, dW.shape)
    9.0 (3, 10)
    """
    return reference.svm_loss_naive(W, X, y, half_form(reg))


def svm_loss_vectorized(
    W: NDArray[Float], X: ArrayLike, y: ArrayLike, reg: float
) -> tuple[float, NDArray[Float]]:
    """Multiclass hinge loss and gradient, margin 1, from the compiled `csoftmax.svm_loss`.

        loss = 1/N sum_i sum_{c != y_i} max(0, z_i[c] - z_i[y_i] + 1) + reg/2 sum(W**2)

    Parameters
    ----------
    W, X, y, reg
        As for `softmax_loss_vectorized` of the module `softmax`; so is the other penalty.

    Returns
    -------
    loss : float
    dW : (D, C), W's dtype

    Raises
    ------
    TypeError, ValueError
        As `csoftmax.svm_loss`.

    See Also
    --------
    svm_loss_naive : In two loops.
    csoftmax.svm_loss : With all options.

    Examples
    --------
    >>> import numpy as np
    >>> loss, dW = svm_loss_vectorized(np.zeros((3, 10)), np.ones((4, 3)), [0, 1, 2, 3], 0.0)
    >>> print(loss, dW.shape)
    9.0 (3, 10)
    """
    loss, dW = svm_loss(W, X, y, half_form(reg))[:2]
    return loss, dW
