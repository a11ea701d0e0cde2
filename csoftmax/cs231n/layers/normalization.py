"""Batch and layer normalization.

Both centre and scale, one the columns of a batch, the other its rows:

    x̂ = (x - mean(x)) r         r = 1 / sqrt(var(x) + eps)         out = gamma x̂ + beta

With g = dout gamma, and means along the same axis,

    dx = r (g - mean(g) - x̂ mean(g x̂))        dgamma = sum_i dout_i x̂_i     dbeta = sum_i dout_i
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from csoftmax._native import checks

__all__ = [
    "batchnorm_backward",
    "batchnorm_backward_alt",
    "batchnorm_forward",
    "layernorm_backward",
    "layernorm_forward",
]

_Array = NDArray[Any]
_Cache = tuple[_Array, _Array, _Array]


def batchnorm_forward(
    x: ArrayLike, gamma: ArrayLike, beta: ArrayLike, bn_param: dict[str, Any]
) -> tuple[_Array, _Cache | None]:
    """Batch normalization: the columns of x, centred and scaled.

        running = momentum running + (1 - momentum) that of the batch       of means and variances

    Parameters
    ----------
    x : (N, D) array
    gamma, beta : (D,) arrays
    bn_param : dict
        "mode": "train", by the batch's own means and variances, or "test", by the running ones;
        "eps": 1e-5 if there is none; "momentum": 0.9 if there is none; "running_mean" and
        "running_var", (D,): zeros if there are none, changed by training.

    Returns
    -------
    out : (N, D) ndarray
    cache : tuple
        For `batchnorm_backward`; None in mode "test".

    Raises
    ------
    TypeError, ValueError
        For shapes that do not fit, another mode, and options out of range.

    See Also
    --------
    batchnorm_backward : Its gradients.
    layernorm_forward : Over rows in place of columns.

    References
    ----------
    .. [1] S. Ioffe, C. Szegedy, "Batch Normalization: Accelerating Deep Network Training by
       Reducing Internal Covariate Shift", ICML 2015, algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[0.0, 10.0], [2.0, 30.0]])
    >>> out, cache = batchnorm_forward(x, np.ones(2), np.zeros(2), {"mode": "train"})
    >>> print(out.round(3))
    [[-1. -1.]
     [ 1.  1.]]
    """
    x, gamma, beta = _checked(x, gamma, beta)
    mode = checks.choice("mode", bn_param["mode"], ("train", "test"))
    eps = checks.real("eps", bn_param.get("eps", 1e-5), 0)
    momentum = checks.real("momentum", bn_param.get("momentum", 0.9), 0, 1)
    zeros = np.zeros(x.shape[1], x.dtype)
    running = [bn_param.get(name, zeros) for name in ("running_mean", "running_var")]
    if mode == "train":
        out, cache, mean, var = _forward(x, gamma, beta, eps, axis=0)
        running = [
            momentum * old + (1 - momentum) * new[0]
            for old, new in zip(running, (mean, var), strict=True)
        ]
    else:
        out, cache = (x - running[0]) * (gamma / np.sqrt(running[1] + eps)) + beta, None
    bn_param["running_mean"], bn_param["running_var"] = running
    return out, cache


def batchnorm_backward(dout: ArrayLike, cache: _Cache | None) -> tuple[_Array, _Array, _Array]:
    """The gradients of batch normalization in training: the module's text has the formula.

    Parameters
    ----------
    dout : (N, D) array
    cache : tuple
        That of `batchnorm_forward` in mode "train".

    Returns
    -------
    dx : (N, D) ndarray
    dgamma, dbeta : (D,) ndarrays

    Raises
    ------
    ValueError
        After mode "test".

    See Also
    --------
    batchnorm_forward : What it goes back through.

    Examples
    --------
    >>> import numpy as np
    >>> x, one = np.array([[0.0], [2.0]]), np.ones(1)
    >>> _, cache = batchnorm_forward(x, one, one, {"mode": "train"})
    >>> dx, dgamma, dbeta = batchnorm_backward(np.array([[1.0], [4.0]]), cache)
    >>> print(dgamma.round(3), dbeta)
    [3.] [5.]
    """
    if cache is None:
        raise ValueError("cache is None: wanted that of batchnorm_forward in mode 'train'")
    return _backward(dout, cache, axis=0)


#: The course asks for a longer way first; this is the short one already.
batchnorm_backward_alt = batchnorm_backward


def layernorm_forward(
    x: ArrayLike, gamma: ArrayLike, beta: ArrayLike, ln_param: dict[str, Any]
) -> tuple[_Array, _Cache]:
    """Layer normalization: the rows of x, centred and scaled, in training as in tests.

    Parameters
    ----------
    x : (N, D) array
    gamma, beta : (D,) arrays
    ln_param : dict
        "eps": 1e-5 if there is none.

    Returns
    -------
    out : (N, D) ndarray
    cache : tuple
        For `layernorm_backward`.

    Raises
    ------
    TypeError, ValueError
        For shapes that do not fit, and eps out of range.

    See Also
    --------
    layernorm_backward : Its gradients.
    batchnorm_forward : Over columns in place of rows.

    References
    ----------
    .. [1] J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer Normalization", 2016, equation (3).

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[0.0, 2.0], [10.0, 30.0]])
    >>> print(layernorm_forward(x, np.ones(2), np.zeros(2), {})[0].round(3))
    [[-1.  1.]
     [-1.  1.]]
    """
    x, gamma, beta = _checked(x, gamma, beta)
    eps = checks.real("eps", ln_param.get("eps", 1e-5), 0)
    return _forward(x, gamma, beta, eps, axis=1)[:2]


def layernorm_backward(dout: ArrayLike, cache: _Cache) -> tuple[_Array, _Array, _Array]:
    """The gradients of layer normalization: the module's text has the formula.

    Parameters
    ----------
    dout : (N, D) array
    cache : tuple
        That of `layernorm_forward`.

    Returns
    -------
    dx : (N, D) ndarray
    dgamma, dbeta : (D,) ndarrays

    See Also
    --------
    layernorm_forward : What it goes back through.

    Examples
    --------
    >>> import numpy as np
    >>> _, cache = layernorm_forward([[0.0, 2.0]], np.ones(2), np.zeros(2), {})
    >>> dx, dgamma, dbeta = layernorm_backward(np.array([[1.0, 4.0]]), cache)
    >>> print(dgamma.round(3), dbeta)
    [-1.  4.] [1. 4.]
    """
    return _backward(dout, cache, axis=1)


def _forward(
    x: _Array, gamma: _Array, beta: _Array, eps: float, axis: int
) -> tuple[_Array, _Cache, _Array, _Array]:
    """Output, cache, means and variances along an axis."""
    mean = x.mean(axis=axis, keepdims=True)
    centred = x - mean
    var = np.mean(centred * centred, axis=axis, keepdims=True)
    r = 1 / np.sqrt(var + eps)
    centred *= r
    return gamma * centred + beta, (centred, r, gamma), mean, var


def _backward(dout: ArrayLike, cache: _Cache, axis: int) -> tuple[_Array, _Array, _Array]:
    normal, r, gamma = cache
    dout = np.asarray(dout)
    product = dout * normal
    dgamma, dbeta = product.sum(axis=0), dout.sum(axis=0)
    product *= gamma
    g = dout * gamma
    along = product.mean(axis=axis, keepdims=True)
    return r * (g - g.mean(axis=axis, keepdims=True) - normal * along), dgamma, dbeta


def _checked(x: ArrayLike, gamma: ArrayLike, beta: ArrayLike) -> tuple[_Array, _Array, _Array]:
    x, gamma, beta = (
        checks.array(name, value) for name, value in (("x", x), ("gamma", gamma), ("beta", beta))
    )
    if x.ndim != 2 or not x.size:
        raise ValueError(f"x has shape {x.shape}: wanted (N, D), at least one row and column")
    for name, value in (("gamma", gamma), ("beta", beta)):
        if value.shape != x.shape[1:]:
            raise ValueError(f"{name} has shape {value.shape}: wanted {x.shape[1:]}")
    return checks.native(x, checks.result_dtype(x.dtype)), gamma, beta
