"""Functions of logits: the row functions of `scipy.special`, the losses of `torch.nn.functional`.

Each call is one pass over the logits, which stores nothing of their size but its result.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax import _checks, _dispatch, _threads
from csoftmax._layout import Layout, layout
from csoftmax._row_losses import Problem

Array = npt.NDArray[Any]

# Nanoseconds of one core for each logit, for the choice of the number of threads (v3, Zen 5).

# ---- row functions -----------------------------------------------------------------------------


def softmax(
    x: npt.ArrayLike,
    axis: int | tuple[int, ...] | None = None,
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
        For complex, longdouble, object or masked arrays, or an `out` of another dtype.
    ValueError
        For an axis that is not there or has length 0, or an `out` of another shape, read-only, or
        that shares part of the memory of `x`.

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
    return _same_shape("softmax", _checks.array("x", x), axis, out, n_threads)


def log_softmax(
    x: npt.ArrayLike,
    axis: int | tuple[int, ...] | None = None,
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

    Notes
    -----
    Never by way of the softmax: where one logit stands out, the logarithm of its share keeps all
    its digits (-4.2e-18 for [0, -40], where SciPy gives 0). A NaN makes its whole slice NaN, as
    does a slice of -inf alone. Beside +inf every number gives -inf, and +inf itself gives NaN. As
    SciPy.

    Examples
    --------
    >>> import numpy as np
    >>> from csoftmax import log_softmax
    >>> log_softmax(np.array([0.0, -40.0]))
    array([-4.24835426e-18, -4.00000000e+01])
    """
    return _same_shape("log_softmax", _checks.array("x", x), axis, out, n_threads)


def logsumexp(
    a: npt.ArrayLike,
    axis: int | tuple[int, ...] | None = None,
    keepdims: bool = False,
    *,
    n_threads: int | None = None,
) -> Any:
    """Logarithm of the sum of exponentials of `a` along `axis`, as `scipy.special.logsumexp`.

        logsumexp(a) = m + log1p(sum of exp(a[j] - m) over all j but one with a[j] = m = max(a))

    Parameters
    ----------
    a : array_like
        Real numbers of any shape, strides and byte order.
    axis : int, tuple of int or None, optional
        Axis or axes to sum over; None (the default): all.
    keepdims : bool, optional
        Keep the axes summed over, with length 1.
    n_threads : int, optional
        At most that many threads; None: all that the process may use. The result is the same.

    Returns
    -------
    ndarray or scalar
        Of a's dtype if floating, else float64.

    Raises
    ------
    TypeError, ValueError
        As for `softmax`; but a sum over nothing is -inf.

    Notes
    -----
    A NaN gives NaN, else +inf gives inf, and -inf alone gives -inf, as SciPy.
    (SciPy's weights `b` and `return_sign` are not here.)

    Examples
    --------
    >>> import numpy as np
    >>> from csoftmax import logsumexp
    >>> float(logsumexp([1000.0, 1000.0]) - 1000.0)  # log(2), but for the digits that 1000 takes
    0.693147180559...
    """
    array = _checks.array("a", a)
    dtype = _checks.result_dtype(array.dtype)
    axes = _checks.axes(axis, array.ndim)
    threads = _threads.resolve(n_threads, array.size * _threads.NS_PER_LOGIT)
    seen = layout(array, axes)
    if array.size == 0:
        result = np.full(seen.sums_shape, -np.inf, dtype)
    else:
        compute = _checks.kernel_dtype(dtype)
        result = seen.empty_sums(compute)
        _run("logsumexp", seen.fitting(array, compute), None, result, seen, threads)
        if dtype != compute:
            result = _checks.native(result, dtype)
    if keepdims:
        result = np.expand_dims(result, axes) if array.ndim else result[None]  # as SciPy
    return result if result.ndim else result[()]


def softmax_backward(
    grad_output: npt.ArrayLike,
    output: npt.ArrayLike,
    axis: int | tuple[int, ...] | None = -1,
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

    Notes
    -----
    NaN and infinities propagate as in the formula.

    Examples
    --------
    >>> from csoftmax import softmax, softmax_backward
    >>> p = softmax([1.0, 1.0], axis=-1)
    >>> softmax_backward([1.0, 0.0], p)
    array([ 0.25, -0.25])
    """
    g, p = _checks.array("grad_output", grad_output), _checks.array("output", output)
    if g.shape != p.shape:
        raise ValueError(
            f"grad_output has shape {g.shape}, but output has shape {p.shape}: wanted the same"
        )
    return _same_shape("softmax_backward", g, axis, out, n_threads, p)


def _same_shape(
    function: str,
    x: Array,
    axis: int | tuple[int, ...] | None,
    out: Array | None,
    n_threads: int | None,
    y: Array | None = None,
) -> Any:
    """A row function whose result has the shape of its input."""
    dtype = _checks.exp_dtype(x.dtype) if y is None else _checks.result_dtype(x.dtype)
    if y is not None and y.dtype != x.dtype:
        dtype = np.result_type(dtype, _checks.result_dtype(y.dtype))
    axes = _checks.axes(axis, x.ndim)
    if not x.size and any(x.shape[k] == 0 for k in axes):
        name = "x" if y is None else "grad_output"
        raise ValueError(
            f"{name} has shape {x.shape}: wanted at least one element along axis {axis}"
        )
    if out is not None:
        inputs = {"x": x} if y is None else {"grad_output": x, "output": y}
        _checks.out_array(out, x.shape, dtype, inputs, in_place=tuple(inputs))
    threads = _threads.resolve(n_threads, x.size * _threads.NS_PER_LOGIT)
    compute = _checks.kernel_dtype(dtype)
    seen = layout(x, axes)
    direct = out is not None and dtype == compute and seen.fits(out)
    result = out if out is not None and direct else seen.empty(compute)
    if x.size:
        second = None if y is None else seen.fitting(y, compute)
        _run(function, seen.fitting(x, compute), second, result, seen, threads)
    if out is not None:
        if not direct:
            out[...] = _checks.native(result, dtype)
        return out
    if dtype != compute:
        result = _checks.native(result, dtype)
    return result if result.ndim else result[()]


def _run(
    function: str, x: Array, y: Array | None, out: Array, seen: Layout, n_threads: int
) -> None:
    kernels = _dispatch.kernels
    number = kernels.ROW_FUNCTIONS[function]
    kernels.row_function(number, x, y, out, seen.dims, seen.axes, n_threads)


# ---- losses on logits --------------------------------------------------------------------------


def cross_entropy(
    logits: npt.ArrayLike,
    target: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
    *,
    sample_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    n_threads: int | None = None,
) -> Any:
    """Cross-entropy of softmax(logits), as `torch.nn.functional.cross_entropy`.

        L_i = sum_c u_ic (logsumexp(z_i) - z_ic),        u_ic = weight_c ((1 - eps) t_ic + eps / C)

    with z the logits, eps the label smoothing, and t_i the target probabilities, or the one-hot
    vector of the target index y_i, whose weight is then that of the class y_i.

    Parameters
    ----------
    logits : (N, C) or (C,) array_like
        Scores of N rows, or of one. float32 and float64 are computed as such, float16 in float32,
        integers in float64.
    target : (N,) or (N, C) array_like; scalar or (C,) for one row
        Class indices of any integer type (or floats that are whole), or probabilities.
    weight : (C,) array_like, optional
        Weights of the classes, finite and not negative.
    sample_weight : (N,) array_like, optional
        Weights of the rows, finite and not negative.
    ignore_index : int, optional
        Rows with this target index count nothing.
    reduction : {"mean", "sum", "none"}, optional
        "none": sample_weight_i * L_i for each row. "sum": their sum. "mean": their sum divided by
        sum_i sample_weight_i v_i, with v_i = weight[y_i] for indices (0 where ignored) and 1 for
        probabilities.
    label_smoothing : float, optional
        eps, from 0 to 1.
    n_threads : int, optional
        At most that many threads; None: all that the process may use. The result is the same.

    Returns
    -------
    float or (N,) ndarray
        The loss; with reduction "none" an array of the logits' dtype (a scalar for one row).

    Raises
    ------
    TypeError
        For arrays that are masked, sparse, complex or of objects.
    ValueError
        For shapes that do not fit, a target index that is no class (its row is named), weights that
        are negative or not finite, and options out of range.

    Notes
    -----
    The mean over no row at all (all ignored, or N = 0) is NaN, as in PyTorch. NaN and infinities:
    a NaN or +inf in a row makes its loss NaN; a target logit of -inf makes it inf; -inf elsewhere
    is harmless, unless smoothing or probabilities weigh it, if only with 0 (0 * inf is NaN).
    Losses of rows are summed in float64.

    References
    ----------
    .. [1] PyTorch, torch.nn.CrossEntropyLoss,
       https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html

    Examples
    --------
    >>> import numpy as np
    >>> from csoftmax import cross_entropy
    >>> round(cross_entropy(np.zeros((4, 10)), [3, 1, 4, 1]), 6)  # log(10)
    2.302585
    """
    problem = Problem(
        "cross_entropy",
        "logits",
        logits,
        target,
        weight,
        sample_weight,
        ignore_index,
        reduction,
        label_smoothing,
    )
    return problem.loss(n_threads)


def cross_entropy_with_grad(
    logits: npt.ArrayLike,
    target: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
    *,
    sample_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    out: Array | None = None,
    n_threads: int | None = None,
) -> tuple[Any, Array]:
    """`cross_entropy` and its gradient with respect to the logits.

        dL_i/dz_i = softmax(z_i) sum_c u_ic - u_i

    times the factor of the row's loss in the reduction; with "none", the gradient of the sum.

    Parameters
    ----------
    logits, target, weight, sample_weight, ignore_index, reduction, label_smoothing, n_threads
        As for `cross_entropy`.
    out : ndarray, optional
        Where to put the gradient. It may be `logits` itself: the gradient then replaces the logits,
        and nothing of their size is allocated.

    Returns
    -------
    loss : float or (N,) ndarray
        As `cross_entropy`.
    dlogits : ndarray
        Gradient, of the shape of the logits and their dtype (float64 for integers).

    Raises
    ------
    TypeError, ValueError
        As `cross_entropy`; and for an `out` of another shape or dtype, read-only, or in the memory
        of another input.

    Notes
    -----
    The gradient of an ignored row is 0; NaN if its logits hold a NaN or +inf or are all -inf, as
    in PyTorch.

    Examples
    --------
    >>> import numpy as np
    >>> from csoftmax import cross_entropy_with_grad
    >>> z = np.zeros((1, 4))
    >>> loss, dz = cross_entropy_with_grad(z, [2], out=z)
    >>> z
    array([[ 0.25,  0.25, -0.75,  0.25]])
    """
    problem = Problem(
        "cross_entropy",
        "logits",
        logits,
        target,
        weight,
        sample_weight,
        ignore_index,
        reduction,
        label_smoothing,
    )
    return problem.loss_with_grad(out, n_threads)


def multiclass_hinge(
    scores: npt.ArrayLike,
    target: npt.ArrayLike,
    delta: float = 1.0,
    *,
    weight: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    n_threads: int | None = None,
) -> Any:
    """Multiclass hinge loss of Weston and Watkins: a margin of `delta` against every class.

        L_i = sum_k u_ik sum_{c != k} max(0, z_ic - z_ik + delta)

    with u as in `cross_entropy`: for a target index without smoothing, the one term k = y_i.
    (`torch.nn.functional.multi_margin_loss` is this, divided by C.)

    Parameters
    ----------
    scores : (N, C) or (C,) array_like
        Scores of N rows, or of one.
    target, weight, sample_weight, ignore_index, reduction, label_smoothing, n_threads
        As for `cross_entropy`. Probabilities and smoothing give the expected loss of a target drawn
        from them, at a cost of C**2 for each row.
    delta : float, optional
        The margin.

    Returns
    -------
    float or (N,) ndarray
        As `cross_entropy`.

    Raises
    ------
    TypeError, ValueError
        As `cross_entropy`.

    Notes
    -----
    A margin that is NaN makes the loss NaN.

    References
    ----------
    .. [1] J. Weston, C. Watkins, "Support vector machines for multi-class pattern recognition",
       ESANN 1999, equation (2).

    Examples
    --------
    >>> from csoftmax import multiclass_hinge
    >>> multiclass_hinge([[3.25, 5.0, -1.75]], [0])
    2.75
    """
    problem = Problem(
        "hinge",
        "scores",
        scores,
        target,
        weight,
        sample_weight,
        ignore_index,
        reduction,
        label_smoothing,
        delta,
    )
    return problem.loss(n_threads)


def multiclass_hinge_with_grad(
    scores: npt.ArrayLike,
    target: npt.ArrayLike,
    delta: float = 1.0,
    *,
    weight: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    out: Array | None = None,
    n_threads: int | None = None,
) -> tuple[Any, Array]:
    """`multiclass_hinge` and its gradient with respect to the scores.

        dL_i/dz_i = sum_k u_ik (h_ik - (sum_c h_ikc) e_k)
        h_ikc = [z_ic - z_ik + delta > 0] for c != k, else 0

    with e_k the k-th unit vector.

    Parameters
    ----------
    scores, target, delta, weight, sample_weight, ignore_index, reduction, label_smoothing
        As for `multiclass_hinge`.
    out : ndarray, optional
        Where to put the gradient; may be `scores` itself.
    n_threads : int, optional
        As for `multiclass_hinge`.

    Returns
    -------
    loss : float or (N,) ndarray
        As `multiclass_hinge`.
    dscores : ndarray
        Gradient, of the shape of the scores and their dtype (float64 for integers). At a margin of
        just 0, where there is none, it is that of the flat side; of a NaN margin it is NaN.

    Raises
    ------
    TypeError, ValueError
        As `cross_entropy_with_grad`.

    Examples
    --------
    >>> from csoftmax import multiclass_hinge_with_grad
    >>> multiclass_hinge_with_grad([[3.25, 5.0, -1.75]], [0])
    (2.75, array([[-1.,  1.,  0.]]))
    """
    problem = Problem(
        "hinge",
        "scores",
        scores,
        target,
        weight,
        sample_weight,
        ignore_index,
        reduction,
        label_smoothing,
        delta,
    )
    return problem.loss_with_grad(out, n_threads)
