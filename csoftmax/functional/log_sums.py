"""Logarithms of sums of exponentials, with weights and signs, as in `scipy.special`."""

from __future__ import annotations

import math
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from csoftmax._native import checks, dispatch, threads
from csoftmax._native.layout import layout
from csoftmax._types import Axis, Float

Array = npt.NDArray[Any]


@overload
def logsumexp(
    a: npt.NDArray[Float],
    axis: None = None,
    b: npt.NDArray[Float] | None = None,
    keepdims: Literal[False] = False,
    return_sign: Literal[False] = False,
    *,
    n_threads: int | None = None,
) -> Float: ...
@overload
def logsumexp(
    a: npt.NDArray[Float],
    axis: int | tuple[int, ...],
    b: npt.NDArray[Float] | None = None,
    keepdims: bool = False,
    return_sign: Literal[False] = False,
    *,
    n_threads: int | None = None,
) -> npt.NDArray[Float]: ...
@overload
def logsumexp(
    a: npt.NDArray[Float],
    axis: None = None,
    b: npt.NDArray[Float] | None = None,
    *,
    keepdims: Literal[True],
    return_sign: Literal[False] = False,
    n_threads: int | None = None,
) -> npt.NDArray[Float]: ...
@overload
def logsumexp(
    a: npt.NDArray[Float],
    axis: None = None,
    b: npt.NDArray[Float] | None = None,
    keepdims: Literal[False] = False,
    *,
    return_sign: Literal[True],
    n_threads: int | None = None,
) -> tuple[Float, Float]: ...
@overload
def logsumexp(
    a: npt.NDArray[Float],
    axis: int | tuple[int, ...],
    b: npt.NDArray[Float] | None = None,
    keepdims: bool = False,
    *,
    return_sign: Literal[True],
    n_threads: int | None = None,
) -> tuple[npt.NDArray[Float], npt.NDArray[Float]]: ...
@overload
def logsumexp(
    a: npt.ArrayLike,
    axis: Axis = None,
    b: npt.ArrayLike | None = None,
    keepdims: bool = False,
    *,
    return_sign: Literal[True],
    n_threads: int | None = None,
) -> tuple[Any, Any]: ...
@overload
def logsumexp(
    a: npt.ArrayLike,
    axis: Axis = None,
    b: npt.ArrayLike | None = None,
    keepdims: bool = False,
    return_sign: bool = False,
    *,
    n_threads: int | None = None,
) -> Any: ...
def logsumexp(
    a: npt.ArrayLike,
    axis: Axis = None,
    b: npt.ArrayLike | None = None,
    keepdims: bool = False,
    return_sign: bool = False,
    *,
    n_threads: int | None = None,
) -> Any:
    """Logarithm of the sum of exponentials of `a` along `axis`, as `scipy.special.logsumexp`.

        logsumexp(a) = m + log(sum_j b[j] exp(a[j] - m)),        m = max(a[j] where b[j] != 0)

    Parameters
    ----------
    a : array_like
        Real numbers of any shape, strides and byte order.
    axis : int, tuple of int or None, optional
        Axis or axes to sum over; None (the default): all.
    b : array_like, optional
        Weights, which may be 0 or negative: real numbers of any dtype, of a shape that broadcasts
        with that of `a`. None: 1.
    keepdims : bool, optional
        Keep the axes summed over, with length 1.
    return_sign : bool, optional
        Return the logarithm of the sum's absolute value, and its sign. Else the logarithm of a
        negative sum is NaN.
    n_threads : int, optional
        At most that many threads; None: all that the process may use. The result is the same.

    Returns
    -------
    result : ndarray or scalar
        Of a's dtype if floating, else float64; with `b` of the dtype that both promote to.
    sign : ndarray or scalar
        Only if `return_sign`: 1, 0 or -1, or NaN, of result's shape and dtype.

    Raises
    ------
    TypeError, ValueError
        As for `softmax`, `b` included, and for shapes that do not broadcast; but a sum over nothing
        is -inf, with sign -1 as in SciPy.

    See Also
    --------
    log_softmax : The logits less this.
    csoftmax.reference.logsumexp : The definition.
    scipy.special.logsumexp : The same in SciPy.

    Notes
    -----
    A NaN gives NaN, else +inf gives inf, and -inf alone gives -inf, as SciPy. What has weight 0
    adds nothing to a finite result, even if it is inf or NaN; to others it adds 0 * inf, which is
    NaN. A sum of 0 gives -inf, with sign 0.

    The error is a few units in the last place of m and of the result, times
    sum(abs(b) exp(a)) / abs(sum(b exp(a))) where weights cancel. No finite `a` overflows or
    vanishes, also where the largest terms cancel (where SciPy sums exp(a) itself).

    Weights are read where they lie, in the same pass, also where they are broadcast. Copied before
    are weights of another dtype than that of the result, in their own shape, and those that no
    cube of strides can show: see `softmax`.

    References
    ----------
    .. [1] P. Blanchard, D. J. Higham, N. J. Higham, "Accurately computing the log-sum-exp and
       softmax functions", IMA J. Numer. Anal. 41 (2021).

    Examples
    --------
    >>> import numpy as np
    >>> from csoftmax import logsumexp
    >>> float(logsumexp([1000.0, 1000.0]) - 1000.0)  # log(2), but for the digits that 1000 takes
    0.693147180559...
    >>> log_sum, sign = logsumexp([1.0, 2.0], b=[1.0, -1.0], return_sign=True)  # exp(1) - exp(2)
    >>> print(log_sum.round(6), sign)
    1.541325 -1.0
    """
    array = checks.array("a", a)
    weights = None if b is None else checks.array("b", b)
    dtype, shape = checks.result_dtype(array.dtype), array.shape
    if weights is not None:
        dtype, shape = _promoted((a, array), (b, weights)), _broadcast(array, weights)
    axes = checks.axes(axis, len(shape))
    size = array.size if weights is None else math.prod(shape)
    n_threads = threads.resolve(n_threads, size * threads.NS_PER_LOGIT)
    if size == 0:
        result = np.full([shape[k] for k in range(len(shape)) if k not in axes], -np.inf, dtype)
        sign = np.sign(result) if return_sign else None  # SciPy has -1 here, not 0
    elif weights is None:
        result, sign = _plain(array, axes, dtype, return_sign, n_threads)
    else:
        result, sign = _weighted(array, weights, shape, axes, dtype, return_sign, n_threads)
    if sign is None:
        return _shaped(result, dtype, axes, len(shape), keepdims)
    return tuple(_shaped(x, dtype, axes, len(shape), keepdims) for x in (result, sign))


def _promoted(*values: tuple[Any, Array]) -> np.dtype[Any]:
    """The floating dtype that these promote to; Python's own numbers count by their kind.

    Each is as given, and as an array.
    """
    own = (bool, int, float)
    kinds = [given if type(given) in own else array.dtype for given, array in values]
    return checks.result_dtype(np.result_type(*kinds, 1.0))


def _broadcast(a: Array, b: Array) -> tuple[int, ...]:
    """The shape that both broadcast to."""
    if a.shape == b.shape:
        return a.shape
    try:
        return np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        raise ValueError(
            f"b has shape {b.shape}: wanted one that broadcasts with that of a, {a.shape}"
        ) from None


def _plain(
    a: Array, axes: tuple[int, ...], dtype: np.dtype[Any], return_sign: bool, n_threads: int
) -> tuple[Array, Array | None]:
    compute = checks.kernel_dtype(dtype)
    seen = layout(a, axes)
    result = seen.empty_sums(compute)
    kernels = dispatch.kernels
    number = kernels.ROW_FUNCTIONS["logsumexp"]
    fitting = seen.fitting(a, compute)
    kernels.row_function(number, fitting, None, result, seen.dims, seen.axes, n_threads)
    if not return_sign:
        return result, None
    return result, np.where(np.isnan(result), result, result != -np.inf)


def _weighted(
    a: Array,
    b: Array,
    shape: tuple[int, ...],
    axes: tuple[int, ...],
    dtype: np.dtype[Any],
    return_sign: bool,
    n_threads: int,
) -> tuple[Array, Array | None]:
    compute = checks.kernel_dtype(dtype)
    whole = next((x for x in (a, b) if x.shape == shape), np.broadcast_to(a, shape))
    seen = layout(whole, axes)
    result = seen.empty_sums(compute)
    sign = seen.empty_sums(compute) if return_sign else None
    x, weights = (seen.cube(checks.native(values, compute)) for values in (a, b))
    dispatch.kernels.weighted_logsumexp(x, weights, result, sign, n_threads)
    return result, sign


def _shaped(
    result: Array, dtype: np.dtype[Any], axes: tuple[int, ...], ndim: int, keepdims: bool
) -> Any:
    """The result as SciPy returns it."""
    result = checks.native(result, dtype)
    if keepdims:
        result = np.expand_dims(result, axes) if ndim else result[None]
    return result if result.ndim else result[()]
