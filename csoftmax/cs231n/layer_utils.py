"""Layers that often go together, under the course's names."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from csoftmax.cs231n.layers.affine import affine_backward, affine_forward, relu_backward

__all__ = ["affine_relu_backward", "affine_relu_forward"]

_Array = NDArray[Any]
_Cache = tuple[tuple[_Array, _Array, _Array], _Array]


def affine_relu_forward(x: ArrayLike, w: ArrayLike, b: ArrayLike) -> tuple[_Array, _Cache]:
    """An affine layer and a rectifier, in place: max(x w + b, 0).

    Parameters
    ----------
    x, w, b
        As for `layers.affine_forward`.

    Returns
    -------
    out : (N, M) ndarray
    cache : tuple
        For `affine_relu_backward`: that of the affine layer, and `out`, which is positive where
        the rectifier's input is.

    See Also
    --------
    affine_relu_backward : Its gradients.
    csoftmax.cs231n.layers.affine_forward : The first half.

    Examples
    --------
    >>> import numpy as np
    >>> out, cache = affine_relu_forward([[1.0, 2.0]], np.eye(2), [0.0, -3.0])
    >>> print(out)
    [[1. 0.]]
    """
    out, cache = affine_forward(x, w, b)
    np.maximum(out, 0, out=out)
    return out, (cache, out)


def affine_relu_backward(dout: ArrayLike, cache: _Cache) -> tuple[_Array, _Array, _Array]:
    """The gradients of an affine layer and a rectifier.

    Parameters
    ----------
    dout : (N, M) array
    cache : tuple
        That of `affine_relu_forward`.

    Returns
    -------
    dx, dw, db
        As `layers.affine_backward`.

    See Also
    --------
    affine_relu_forward : What it goes back through.

    Examples
    --------
    >>> import numpy as np
    >>> out, cache = affine_relu_forward([[1.0, 2.0]], np.eye(2), [0.0, -3.0])
    >>> dx, dw, db = affine_relu_backward(np.ones((1, 2)), cache)
    >>> print(dx, db)
    [[1. 0.]] [1. 0.]
    """
    of_affine, out = cache
    return affine_backward(relu_backward(dout, out), of_affine)
