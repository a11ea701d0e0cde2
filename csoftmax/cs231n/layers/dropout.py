"""Dropout."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from csoftmax._native import checks

__all__ = ["dropout_backward", "dropout_forward"]

_Array = NDArray[Any]


def dropout_forward(
    x: ArrayLike, dropout_param: dict[str, Any]
) -> tuple[_Array, tuple[dict[str, Any], _Array | None]]:
    """Inverted dropout: in training each entry is kept with probability p, and divided by it.

        mask = (u < p) / p      out = x mask        with u uniform from 0 to 1

    Parameters
    ----------
    x : array of any shape
    dropout_param : dict
        "p": the probability to keep an entry, as in the course since 2018 (before, that to drop
        one). "mode": "train", or "test", where nothing happens. "seed", if there: numpy.random
        is seeded with it, so that each call draws the same.

    Returns
    -------
    out : ndarray of x's shape
        Its dtype is x's.
    cache : tuple
        For `dropout_backward`: dropout_param and the mask.

    Raises
    ------
    TypeError, ValueError
        For another mode, and p that is no probability above 0.

    See Also
    --------
    dropout_backward : Its gradient.

    Notes
    -----
    The numbers are drawn from NumPy's global generator, as in the course.

    Examples
    --------
    >>> import numpy as np
    >>> out, cache = dropout_forward(np.ones(8), {"mode": "train", "p": 0.5, "seed": 0})
    >>> print(out)
    [0. 0. 0. 0. 2. 0. 2. 0.]
    """
    x = checks.array("x", x)
    mode = checks.choice("mode", dropout_param["mode"], ("train", "test"))
    keep = keep_ratio("p", dropout_param["p"])
    if mode == "test":
        return x, (dropout_param, None)
    if "seed" in dropout_param:
        np.random.seed(dropout_param["seed"])  # noqa: NPY002 - the course's draws
    mask = (np.random.rand(*x.shape) < keep) / keep  # noqa: NPY002
    dtype = checks.result_dtype(x.dtype)
    mask = mask.astype(dtype, copy=False)
    return (x * mask).astype(dtype, copy=False), (dropout_param, mask)


def dropout_backward(dout: _Array, cache: tuple[dict[str, Any], _Array | None]) -> _Array:
    """The gradient of dropout: dout mask in training, else dout.

    Parameters
    ----------
    dout : array of x's shape
    cache : tuple
        That of `dropout_forward`.

    Returns
    -------
    ndarray of x's shape

    See Also
    --------
    dropout_forward : What it goes back through.

    Examples
    --------
    >>> import numpy as np
    >>> _, cache = dropout_forward(np.ones(4), {"mode": "test", "p": 0.5})
    >>> print(dropout_backward(np.arange(4.0), cache))
    [0. 1. 2. 3.]
    """
    mask = cache[1]
    return dout if mask is None else dout * mask


def keep_ratio(name: str, value: float) -> float:
    """A probability to keep an entry, above 0."""
    keep = checks.real(name, value, 0, 1)
    if not keep:
        raise ValueError(f"{name} is 0: wanted the probability to keep an entry, above 0")
    return keep
