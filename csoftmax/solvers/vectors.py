"""Arithmetic of parameter arrays, in their dtype: by threads, where they are long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax._native import dispatch, threads

Array = npt.NDArray[Any]

#: elements from which L-BFGS remembers, and computes with, float32: such vectors exceed the caches,
#: where their bytes are what costs, and steps need not be exact
LARGE = 1 << 17
NS_PER_BYTE = 0.05  #: of one core, from memory


def _threads(vectors: Sequence[Array], n_threads: int | None) -> int:
    return threads.resolve(n_threads, NS_PER_BYTE * len(vectors) * vectors[0].nbytes)


def _contiguous(arrays: list[Array]) -> list[Array]:
    return [np.ascontiguousarray(array) for array in arrays]


def products(a: list[Array], b: list[Array], n_threads: int | None) -> npt.NDArray[np.float64]:
    """(len(a), len(b)): sums of the products of elements, in one sweep."""
    a, b = _contiguous(a), _contiguous(b)
    out = np.empty((len(a), len(b)))
    dispatch.kernels.products(a, b, out, _threads([*a, *b], n_threads))
    return out


def weighted_sum(
    arrays: list[Array], factors: npt.ArrayLike, n_threads: int | None, out: Array | None = None
) -> Array:
    """sum_k factors[k] arrays[k], in one sweep; of them only the first may be `out`, contiguous."""
    arrays = _contiguous(arrays)
    if out is None:
        out = np.empty(arrays[0].shape, arrays[0].dtype)
    assert out.flags.c_contiguous
    factors = np.asarray(factors, np.float64)
    dispatch.kernels.weighted_sum(arrays, factors, out, _threads(arrays, n_threads))
    return out


def dot(a: Array, b: Array, n_threads: int | None) -> float:
    """Sum of the products of elements."""
    return float(products([a], [b], n_threads)[0, 0])


def without_mean(step: Array) -> Array:
    """The step without its mean over classes, as curvature.py explains."""
    n_classes = step.shape[1]
    if n_classes > 1:  # a product: NumPy's mean over a short axis takes five times as long
        step -= step @ np.full((n_classes, 1), 1 / n_classes, step.dtype)
    return step


def kept_dtype(size: int, dtype: npt.DTypeLike) -> npt.DTypeLike:
    """The dtype of steps that L-BFGS remembers, of so many parameters in a dtype."""
    return np.float32 if size >= LARGE else dtype


def as_kept(a: Array, dtype: npt.DTypeLike) -> Array:
    """A step, as L-BFGS remembers it of parameters in this dtype."""
    return a.astype(kept_dtype(a.size, dtype), copy=False)


def largest(values: Array) -> float:
    """The largest |element|, without an array of them."""
    return float(max(values.max(), -values.min()))


def real(x: float | Array, like: Array) -> Any:
    """A number, or more, of an array's dtype, which keeps that of a product."""
    return like.dtype.type(x)
