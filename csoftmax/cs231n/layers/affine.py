"""Affine layers and rectifiers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from csoftmax._native import checks

__all__ = ["affine_backward", "affine_forward", "relu_backward", "relu_forward"]

_Array = NDArray[Any]
_Cache = tuple[_Array, _Array, _Array]


def affine_forward(x: ArrayLike, w: ArrayLike, b: ArrayLike) -> tuple[_Array, _Cache]:
    """An affine layer.

        out = x w + b       with each x[i] as one row of D numbers

    Parameters
    ----------
    x : (N, d1, ..., dk) array
    w : (D, M) array, with D = d1 ... dk
    b : (M,) array

    Returns
    -------
    out : (N, M) ndarray
    cache : tuple
        For `affine_backward`: (x, w, b).

    Raises
    ------
    TypeError, ValueError
        For what is no array of real numbers, and shapes that do not fit.

    See Also
    --------
    affine_backward : Its gradients.
    csoftmax.cs231n.layer_utils.affine_relu_forward : With a rectifier after it.

    Examples
    --------
    >>> import numpy as np
    >>> out, cache = affine_forward(np.ones((2, 1, 3)), np.ones((3, 1)), [0.5])
    >>> print(out)
    [[3.5]
     [3.5]]
    """
    x, w, b = checks.array("x", x), checks.array("w", w), checks.array("b", b)
    rows = as_rows(x)
    if w.ndim != 2 or len(w) != rows.shape[1]:
        raise ValueError(
            f"w has shape {w.shape}: wanted ({rows.shape[1]}, M), for x has shape {x.shape}"
        )
    if b.shape != w.shape[1:]:
        raise ValueError(f"b has shape {b.shape}: wanted {w.shape[1:]}, for w has shape {w.shape}")
    out = rows @ w
    if np.can_cast(b.dtype, out.dtype, "same_kind"):
        out += b
    else:  # integers, and b is not
        out = out + b
    return out, (x, w, b)


def affine_backward(dout: ArrayLike, cache: _Cache) -> tuple[_Array, _Array, _Array]:
    """The gradients of an affine layer.

        dx = dout w'        dw = x' dout        db = 1' dout, the sum of the rows of dout

    Parameters
    ----------
    dout : (N, M) array
    cache : tuple
        That of `affine_forward`.

    Returns
    -------
    dx : (N, d1, ..., dk) ndarray
    dw : (D, M) ndarray
    db : (M,) ndarray

    See Also
    --------
    affine_forward : What it goes back through.

    Examples
    --------
    >>> import numpy as np
    >>> out, cache = affine_forward([[1.0, 2.0]], [[3.0], [4.0]], [0.0])
    >>> dx, dw, db = affine_backward(np.ones((1, 1)), cache)
    >>> print(dx, dw.ravel(), db)
    [[3. 4.]] [1. 2.] [1.]
    """
    x, w, _ = cache
    dout = np.asarray(dout)
    return (dout @ w.T).reshape(x.shape), *parameter_gradients(dout, cache)


def parameter_gradients(dout: _Array, cache: _Cache) -> tuple[_Array, _Array]:
    """Return dw and db alone: nobody wants the gradient by the data, a third of the work."""
    return as_rows(cache[0]).T @ dout, dout.sum(axis=0)


def relu_forward(x: ArrayLike) -> tuple[_Array, _Array]:
    """A rectifier: max(x, 0) of each entry.

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    out : ndarray of x's shape
        NaN stays NaN.
    cache : ndarray
        For `relu_backward`: x.

    See Also
    --------
    relu_backward : Its gradient.

    Examples
    --------
    >>> print(relu_forward([-1.0, 0.0, 2.0])[0])
    [0. 0. 2.]
    """
    x = checks.array("x", x)
    return np.maximum(x, 0), x


def relu_backward(dout: ArrayLike, cache: _Array) -> _Array:
    """The gradient of a rectifier: dout where x > 0, else 0.

    Parameters
    ----------
    dout : array of x's shape
    cache : ndarray
        That of `relu_forward`; the layer's output does as well.

    Returns
    -------
    ndarray of x's shape

    See Also
    --------
    relu_forward : What it goes back through.

    Examples
    --------
    >>> import numpy as np
    >>> print(relu_backward(np.array([5.0, 6.0]), np.array([-1.0, 1.0])))
    [0. 6.]
    """
    return np.where(cache > 0, dout, 0)  # as a product, an infinite dout would make 0 NaN


def as_rows(x: _Array) -> _Array:
    """(N, d1, ..., dk) as (N, D)."""
    if not x.ndim:
        raise ValueError("x has shape (): wanted (N, D), or (N, d1, ..., dk)")
    return x.reshape(len(x), math.prod(x.shape[1:]))
