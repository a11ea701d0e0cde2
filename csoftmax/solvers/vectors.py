"""Arithmetic of parameter arrays, in their dtype."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: elements from which L-BFGS remembers, and computes with, float32: such vectors exceed the caches,
#: where their bytes are what costs, and steps need not be exact
LARGE = 1 << 17


def without_mean(step: Array) -> Array:
    """The step without its mean over classes, as curvature.py explains."""
    if step.shape[1] > 1:
        step -= step.mean(axis=1, keepdims=True)
    return step


def as_kept(a: Array, dtype: npt.DTypeLike) -> Array:
    """A step, as L-BFGS remembers it of parameters in this dtype."""
    return a.astype(_kept(a, dtype), copy=False)


def _kept(a: Array, dtype: npt.DTypeLike) -> npt.DTypeLike:
    return np.float32 if a.size >= LARGE else dtype


def difference(a: Array, b: Array) -> Array:
    """A - b, as L-BFGS remembers it."""
    out: Array = np.empty(a.shape, _kept(a, a.dtype))
    np.subtract(a, b, out=out, casting="same_kind")
    return out


def dot(a: Array, b: Array) -> float:
    """Sum of the products of elements."""
    return float(np.vdot(a, b))


def largest(values: Array) -> float:
    """The largest |element|, without an array of them."""
    return float(max(values.max(), -values.min()))


def real(x: float | Array, like: Array) -> Any:
    """A number, or more, of an array's dtype, which keeps that of a product."""
    return like.dtype.type(x)
