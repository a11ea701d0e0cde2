"""Rows of logits: the functions of scipy.special, and the Jacobian."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from csoftmax.reference._common import Array, Axis, float64


def softmax(x: ArrayLike, axis: Axis = None) -> Array:
    """Return exp(x - m) / sum(exp(x - m)), m the maximum: values that sum to 1 along `axis`.

    As in SciPy a NaN or +inf anywhere, or -inf everywhere, makes the whole row NaN, and a maximum
    of nothing is a ValueError.

    Examples
    --------
    >>> softmax([0.0, 0.0, 0.0, 0.0])
    array([0.25, 0.25, 0.25, 0.25])
    """
    x = float64(x)
    with np.errstate(invalid="ignore", over="ignore"):
        e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return np.asarray(e / np.sum(e, axis=axis, keepdims=True))[()]


def log_softmax(x: ArrayLike, axis: Axis = None) -> Array:
    """Return x - logsumexp(x): log(softmax(x)) without its underflow.

    As in SciPy the row [+inf, 0] gives [NaN, -inf].

    Examples
    --------
    >>> log_softmax([1000.0, 0.0])
    array([    0., -1000.])
    """
    x = float64(x)
    m = _finite_or_0(np.max(x, axis=axis, keepdims=True))
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(x - m - _log_sum(x, m, axis))[()]


def logsumexp(a: ArrayLike, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return log(sum(exp(a))) = m + log(sum(exp(a - m))), m the maximum; of nothing log(0) = -inf.

    Examples
    --------
    >>> print(logsumexp([1000.0, 1000.0]))
    1000.6931471805599
    """
    a = np.atleast_1d(float64(a))
    m = _finite_or_0(np.max(a, axis=axis, keepdims=True, initial=-np.inf))
    lse = m + _log_sum(a, m, axis)
    return (lse if keepdims else np.squeeze(lse, axis=axis))[()]


def _finite_or_0(m: Array) -> Array:
    return np.where(np.isfinite(m), m, 0.0)


def _log_sum(x: Array, m: Array, axis: Axis) -> Array:
    """Return log(sum(exp(x - m))): one maximum is the 1 of log1p, so tiny others still count."""
    is_max = x == m
    with np.errstate(over="ignore", divide="ignore"):
        others = np.where(is_max, 0.0, np.exp(x - m))
        n_more = np.sum(is_max, axis=axis, keepdims=True) - 1.0
        return np.asarray(np.log1p(np.sum(others, axis=axis, keepdims=True) + n_more))


def softmax_jacobian(z: ArrayLike) -> Array:
    """Return diag(p) - p p', (C, C): entry [c, k] is dp_c/dz_k at p = softmax(z) of one row z.

    Examples
    --------
    >>> softmax_jacobian([0.0, 0.0])
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """
    p = softmax(z)
    return np.diag(p) - np.outer(p, p)


def softmax_backward(grad_output: ArrayLike, output: ArrayLike, axis: Axis = -1) -> Array:
    """Return p (g - sum(g p)), the Jacobian of softmax times g, at the softmax's `output` p.

    Examples
    --------
    >>> softmax_backward([1.0, 0.0], [0.5, 0.5])
    array([ 0.25, -0.25])
    """
    g, p = float64(grad_output), float64(output)
    return np.asarray(p * (g - np.sum(g * p, axis=axis, keepdims=True)))[()]
