"""Row functions of logits, as in `scipy.special`.

Each call is one pass over the logits, which stores nothing of their size but its result.
"""

from __future__ import annotations

from typing import Any, TypeVar, overload

import numpy as np
import numpy.typing as npt

from csoftmax._native import checks, dispatch, threads
from csoftmax._native.layout import Layout, layout
from csoftmax._types import Axis, Float

Array = npt.NDArray[Any]
Out = TypeVar("Out", bound=Array)


@overload
def softmax(
    x: npt.ArrayLike, axis: Axis = None, *, out: Out, n_threads: int | None = None
) -> Out: ...
@overload
def softmax(
    x: npt.NDArray[Float], axis: Axis = None, *, out: None = None, n_threads: int | None = None
) -> npt.NDArray[Float]: ...
@overload
def softmax(
    x: npt.ArrayLike, axis: Axis = None, *, out: None = None, n_threads: int | None = None
) -> Any: ...
def softmax(
    x: npt.ArrayLike,
    axis: Axis = None,
    *,
    out: Array | None = None,
    n_threads: int | None = None,
) -> Any:
    """Softmax of `x` along `axis`, as `scipy.special.softmax`.

        softmax(x)[i] = exp(x[i] - m) / sum_j exp(x[j] - m),        m = max(x)

    Parameters
    ----------
    x : array_like
        Logits: real numbers of any shape, strides and byte order.
    axis : int, tuple of int or None, optional
        Axis or axes that sum to 1; None (the default, as in SciPy): the whole array.
    out : ndarray, optional
        Where to put the result: an array of its shape and dtype, `x` itself included.
    n_threads : int, optional
        At most that many threads; None: all that the process may use. The result is the same.

    Returns
    -------
    ndarray or scalar
        Of x's shape (a scalar for a scalar); `out`, if given. Its dtype is that of x if floating,
        else that of numpy.exp(x), as in SciPy: float16 for integers of 8 bits, float32 for 16, else
        float64 (bool, too). float16 is computed in float32.

    Raises
    ------
    TypeError
        For complex and longdouble arrays, objects that are no numbers, masked elements, what is on
        a GPU or not in memory, or an `out` of another dtype.
    ValueError
        For missing elements, an axis that is not there or has length 0, or an `out` of another
        shape, read-only, or that shares part of the memory of `x`.

    See Also
    --------
    log_softmax : Its logarithm, with all digits.
    softmax_backward : The gradient through it.
    cross_entropy : The loss of its logits.
    scipy.special.softmax : The same in SciPy.

    Notes
    -----
    A NaN or +inf makes its whole slice NaN, and so does a slice of -inf alone; -inf beside finite
    numbers gives 0. All as SciPy. The error is at most a few units in the last place.
    Contiguous slices along the last axis are computed in place, others strip by strip; only
    slices over several axes that are not neighbours in memory, and dtypes other than float32 and
    float64, are copied first.

    References
    ----------
    .. [1] P. Blanchard, D. J. Higham, N. J. Higham, "Accurately computing the log-sum-exp and
       softmax functions", IMA J. Numer. Anal. 41 (2021), equation (1.3).

    Examples
    --------
    >>> import numpy as np
    >>> from csoftmax import softmax
    >>> softmax(np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]), axis=1).round(4)
    array([[0.09  , 0.2447, 0.6652],
           [0.3333, 0.3333, 0.3333]])
    """
    return _same_shape("softmax", checks.array("x", x), axis, out, n_threads)


@overload
def log_softmax(
    x: npt.ArrayLike, axis: Axis = None, *, out: Out, n_threads: int | None = None
) -> Out: ...
@overload
def log_softmax(
    x: npt.NDArray[Float], axis: Axis = None, *, out: None = None, n_threads: int | None = None
) -> npt.NDArray[Float]: ...
@overload
def log_softmax(
    x: npt.ArrayLike, axis: Axis = None, *, out: None = None, n_threads: int | None = None
) -> Any: ...
def log_softmax(
    x: npt.ArrayLike,
    axis: Axis = None,
    *,
    out: Array | None = None,
    n_threads: int | None = None,
) -> Any:
    """Logarithm of the softmax of `x` along `axis`, as `scipy.special.log_softmax`.

        log_softmax(x)[i] = (x[i] - m) - log(sum_j exp(x[j] - m)),        m = max(x)

    Parameters
    ----------
    x, axis, out, n_threads
        As for `softmax`.

    Returns
    -------
    ndarray
        As for `softmax`.

    Raises
    ------
    TypeError, ValueError
        As for `softmax`.

    See Also
    --------
    softmax : The probabilities themselves.
    logsumexp : What it takes off.
    cross_entropy : Its mean at the labels, negated.
    scipy.special.log_softmax : The same in SciPy.

    Notes
    -----
    Never by way of the softmax: where one logit stands out, the logarithm of its share keeps all
    its digits (-4.2e-18 for [0, -40], where SciPy gives 0). A NaN makes its whole slice NaN, as
    does a slice of -inf alone. Beside +inf every number gives -inf, and +inf itself gives NaN. As
    SciPy.

    References
    ----------
    .. [1] P. Blanchard, D. J. Higham, N. J. Higham, "Accurately computing the log-sum-exp and
       softmax functions", IMA J. Numer. Anal. 41 (2021).

    Examples
    --------
    >>> import numpy as np
    >>> from csoftmax import log_softmax
    >>> log_softmax(np.array([0.0, -40.0]))
    array([-4.24835426e-18, -4.00000000e+01])
    """
    return _same_shape("log_softmax", checks.array("x", x), axis, out, n_threads)


@overload
def softmax_backward(
    grad_output: npt.ArrayLike,
    output: npt.ArrayLike,
    axis: Axis = -1,
    *,
    out: Out,
    n_threads: int | None = None,
) -> Out: ...
@overload
def softmax_backward(
    grad_output: npt.NDArray[Float],
    output: npt.NDArray[Float],
    axis: Axis = -1,
    *,
    out: None = None,
    n_threads: int | None = None,
) -> npt.NDArray[Float]: ...
@overload
def softmax_backward(
    grad_output: npt.ArrayLike,
    output: npt.ArrayLike,
    axis: Axis = -1,
    *,
    out: None = None,
    n_threads: int | None = None,
) -> Any: ...
def softmax_backward(
    grad_output: npt.ArrayLike,
    output: npt.ArrayLike,
    axis: Axis = -1,
    *,
    out: Array | None = None,
    n_threads: int | None = None,
) -> Any:
    """Gradient through a softmax: the transposed Jacobian of the softmax, times `grad_output`.

        dz = p * (g - sum(g * p)),        p = softmax(z) (`output`), g = dL/dp (`grad_output`)

    Parameters
    ----------
    grad_output : array_like
        Gradient of the loss with respect to the softmax, g.
    output : array_like
        The softmax, p, of the same shape.
    axis : int, tuple of int or None, optional
        As it was for the softmax.
    out : ndarray, optional
        Where to put the result; may be `grad_output` or `output` itself.
    n_threads : int, optional
        At most that many threads; None: all that the process may use. The result is the same.

    Returns
    -------
    ndarray
        Gradient with respect to the logits, dz, of the dtype that both inputs promote to.

    Raises
    ------
    TypeError, ValueError
        As for `softmax`, and for inputs of different shapes.

    See Also
    --------
    softmax : What it goes back through.
    cross_entropy_with_grad : Loss and gradient in one pass, without it.
    csoftmax.reference.softmax_jacobian : The matrix that it multiplies by.

    Notes
    -----
    NaN and infinities propagate as in the formula.

    References
    ----------
    .. [1] C. M. Bishop, "Pattern Recognition and Machine Learning", Springer, 2006,
       equation (4.106).

    Examples
    --------
    >>> from csoftmax import softmax, softmax_backward
    >>> p = softmax([1.0, 1.0], axis=-1)
    >>> softmax_backward([1.0, 0.0], p)
    array([ 0.25, -0.25])
    """
    g, p = checks.array("grad_output", grad_output), checks.array("output", output)
    if g.shape != p.shape:
        raise ValueError(
            f"grad_output has shape {g.shape}, but output has shape {p.shape}: wanted the same"
        )
    return _same_shape("softmax_backward", g, axis, out, n_threads, p)


def _same_shape(
    function: str,
    x: Array,
    axis: Axis,
    out: Array | None,
    n_threads: int | None,
    y: Array | None = None,
) -> Any:
    """A row function whose result has the shape of its input."""
    dtype = checks.exp_dtype(x.dtype) if y is None else checks.result_dtype(x.dtype)
    if y is not None and y.dtype != x.dtype:
        dtype = np.result_type(dtype, checks.result_dtype(y.dtype))
    axes = checks.axes(axis, x.ndim)
    if not x.size and any(x.shape[k] == 0 for k in axes):
        name = "x" if y is None else "grad_output"
        raise ValueError(
            f"{name} has shape {x.shape}: wanted at least one element along axis {axis}"
        )
    if out is not None:
        inputs = {"x": x} if y is None else {"grad_output": x, "output": y}
        checks.out_array(out, x.shape, dtype, inputs, in_place=tuple(inputs))
    n_threads = threads.resolve(n_threads, x.size * threads.NS_PER_LOGIT)
    compute = checks.kernel_dtype(dtype)
    seen = layout(x, axes)
    direct = out is not None and dtype == compute and seen.fits(out)
    result = out if out is not None and direct else seen.empty(compute)
    if x.size:
        second = None if y is None else seen.fitting(y, compute)
        _run(function, seen.fitting(x, compute), second, result, seen, n_threads)
    if out is not None:
        if not direct:
            out[...] = checks.native(result, dtype)
        return out
    if dtype != compute:
        result = checks.native(result, dtype)
    return result if result.ndim else result[()]


def _run(
    function: str, x: Array, y: Array | None, out: Array, seen: Layout, n_threads: int
) -> None:
    kernels = dispatch.kernels
    number = kernels.ROW_FUNCTIONS[function]
    kernels.row_function(number, x, y, out, seen.dims, seen.axes, n_threads)
