"""Rows of logits: the functions of scipy.special, and the Jacobian."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike

from csoftmax.reference._common import Array, Axis, float64


def softmax(x: ArrayLike, axis: Axis = None) -> Array:
    """Return exp(x - m) / sum(exp(x - m)), m the maximum: values that sum to 1 along `axis`.

    As in SciPy a NaN or +inf anywhere, or -inf everywhere, makes the whole row NaN, and a maximum
    of nothing is a ValueError.

    Parameters
    ----------
    x : array_like
        Logits, of any shape.
    axis : int, tuple of int or None
        Axis or axes that sum to 1; None: the whole array.

    Returns
    -------
    float64 ndarray or scalar
        Of x's shape.

    See Also
    --------
    csoftmax.softmax : The compiled one.
    softmax_jacobian : Its derivative.

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

    Parameters
    ----------
    x : array_like
        Logits, of any shape.
    axis : int, tuple of int or None
        Axis or axes that sum to 1; None: the whole array.

    Returns
    -------
    float64 ndarray or scalar
        Of x's shape.

    See Also
    --------
    csoftmax.log_softmax : The compiled one.
    logsumexp : What it takes off.

    Examples
    --------
    >>> log_softmax([1000.0, 0.0])
    array([    0., -1000.])
    """
    x = float64(x)
    m = _finite_or_0(np.max(x, axis=axis, keepdims=True))
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(x - m - _log_sum(x, m, axis))[()]


@overload
def logsumexp(
    a: ArrayLike,
    axis: Axis = None,
    b: ArrayLike | None = None,
    keepdims: bool = False,
    *,
    return_sign: Literal[True],
) -> tuple[Array, Array]: ...
@overload
def logsumexp(
    a: ArrayLike,
    axis: Axis = None,
    b: ArrayLike | None = None,
    keepdims: bool = False,
    return_sign: Literal[False] = False,
) -> Array: ...
def logsumexp(
    a: ArrayLike,
    axis: Axis = None,
    b: ArrayLike | None = None,
    keepdims: bool = False,
    return_sign: bool = False,
) -> Any:
    """Return log(sum(b exp(a))) = m + log(sum(b exp(a - m))), m the maximum where b is not 0.

    Of nothing it is log(0) = -inf. With `return_sign` it is log|sum|, and the sum's sign is
    returned, too; without it is NaN where the sum is negative. As in SciPy what has weight 0 adds
    nothing to a finite result, and b exp(a) to an infinite one: NaN, if a is inf or NaN.

    Parameters
    ----------
    a : array_like
        Exponents, of any shape.
    axis : int, tuple of int or None
        Axis or axes to sum over; None: the whole array.
    b : array_like, optional
        Weights, of a shape that broadcasts with a's.
    keepdims : bool
        Whether the axes that are summed stay, with length 1.
    return_sign : bool
        Whether the sign of the sum is returned, too.

    Returns
    -------
    lse : float64 ndarray or scalar
    sign : float64 ndarray or scalar
        With `return_sign`: -1, 0 or 1.

    See Also
    --------
    csoftmax.logsumexp : The compiled one.
    log_softmax : X less this.

    Examples
    --------
    >>> print(logsumexp([1000.0, 1000.0]))
    1000.6931471805599
    >>> print(*logsumexp([1000.0, 1000.0], b=[1.0, -2.0], return_sign=True))
    1000.0 -1.0
    """
    a, b = np.broadcast_arrays(float64(a), 1.0 if b is None else float64(b))
    a, b = np.atleast_1d(a), np.atleast_1d(b)
    m, total, lse = _weighted_log_sum(a, b, axis)
    sign = np.sign(total)
    beyond = _infinite_part(a, b, axis)
    replaced = ~np.isfinite(lse) & ((beyond != 0) | (m == -np.inf))
    with np.errstate(divide="ignore"):
        lse = np.where(replaced, np.log(np.abs(beyond)), lse)
    sign = np.where(replaced, np.sign(beyond), sign)
    if not a.size:
        sign = np.sign(lse)  # SciPy's
    if not return_sign:
        lse = np.where((sign < 0) & (a.size > 0), np.nan, lse)
    kept = [x if keepdims else np.squeeze(x, axis=axis) for x in (lse, sign)]
    return (kept[0][()], kept[1][()]) if return_sign else kept[0][()]


def _weighted_log_sum(a: Array, b: Array, axis: Axis) -> tuple[Array, Array, Array]:
    """Return m, the sum of b exp(a - m), and m + log|sum|."""
    z = np.where(b == 0, -np.inf, a)
    m = np.max(z, axis=axis, keepdims=True, initial=-np.inf)
    shift, is_max = _finite_or_0(m), z == m
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        ties = np.sum(np.where(is_max, b, 0.0), axis=axis, keepdims=True)
        others = np.where(is_max, 0.0, b * np.exp(z - shift))
        others = np.sum(others, axis=axis, keepdims=True)
        total = ties + others
        near_1 = np.abs(total - 1.0) < 0.5
        log = np.where(near_1, np.log1p(ties - 1.0 + others), np.log(np.abs(total)))
        return m, total, m + log


def _infinite_part(a: Array, b: Array, axis: Axis) -> Array:
    """Return the sum of those b exp(a) that are inf or NaN, where finite a do not overflow."""
    e = np.where(np.isfinite(a), 1.0, np.where(a == -np.inf, 0.0, a))
    with np.errstate(invalid="ignore"):
        terms = np.where(np.isfinite(b), np.sign(b), b) * e
        return np.sum(np.where(np.isfinite(terms), 0.0, terms), axis=axis, keepdims=True)


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

    Parameters
    ----------
    z : (C,) array_like
        One row of logits.

    Returns
    -------
    (C, C) float64 ndarray

    See Also
    --------
    softmax : What it derives.
    softmax_backward : Its product with a gradient.

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

    Parameters
    ----------
    grad_output : array_like
        g, the gradient of a loss by the softmax.
    output : array_like
        p, the softmax, of the same shape.
    axis : int, tuple of int or None
        As it was for the softmax.

    Returns
    -------
    float64 ndarray or scalar
        The gradient by the logits.

    See Also
    --------
    csoftmax.softmax_backward : The compiled one.
    softmax_jacobian : The matrix.

    Examples
    --------
    >>> softmax_backward([1.0, 0.0], [0.5, 0.5])
    array([ 0.25, -0.25])
    """
    g, p = float64(grad_output), float64(output)
    return np.asarray(p * (g - np.sum(g * p, axis=axis, keepdims=True)))[()]
