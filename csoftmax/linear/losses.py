"""Losses of linear models, with their gradient in one pass over X."""

from __future__ import annotations

from typing import Any, overload

import numpy as np
import numpy.typing as npt

from csoftmax._native import checks, dispatch
from csoftmax._native.linear_data import LinearData
from csoftmax._types import Float
from csoftmax.over_blocks import loss_and_gradient, of_blocks
from csoftmax.sources import Features

Array = npt.NDArray[Any]


@overload
def softmax_loss(
    W: npt.NDArray[Float],
    X: Features,
    y: npt.ArrayLike | None,
    reg: float = 0.0,
    *,
    bias: None = None,
    sample_weight: npt.ArrayLike | None = None,
    label_smoothing: float = 0.0,
    rows: npt.ArrayLike | None = None,
    shift: npt.ArrayLike | None = None,
    scale: npt.ArrayLike | None = None,
    out: Array | None = None,
    n_threads: int | None = None,
) -> tuple[float, npt.NDArray[Float]]: ...
@overload
def softmax_loss(
    W: npt.NDArray[Float],
    X: Features,
    y: npt.ArrayLike | None,
    reg: float = 0.0,
    *,
    bias: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None = None,
    label_smoothing: float = 0.0,
    rows: npt.ArrayLike | None = None,
    shift: npt.ArrayLike | None = None,
    scale: npt.ArrayLike | None = None,
    out: Array | None = None,
    n_threads: int | None = None,
) -> tuple[float, npt.NDArray[Float], npt.NDArray[Float]]: ...
@overload
def softmax_loss(
    W: npt.ArrayLike,
    X: Features,
    y: npt.ArrayLike | None,
    reg: float = 0.0,
    *,
    bias: None = None,
    sample_weight: npt.ArrayLike | None = None,
    label_smoothing: float = 0.0,
    rows: npt.ArrayLike | None = None,
    shift: npt.ArrayLike | None = None,
    scale: npt.ArrayLike | None = None,
    out: Array | None = None,
    n_threads: int | None = None,
) -> tuple[float, Array]: ...
@overload
def softmax_loss(
    W: npt.ArrayLike,
    X: Features,
    y: npt.ArrayLike | None,
    reg: float = 0.0,
    *,
    bias: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None = None,
    label_smoothing: float = 0.0,
    rows: npt.ArrayLike | None = None,
    shift: npt.ArrayLike | None = None,
    scale: npt.ArrayLike | None = None,
    out: Array | None = None,
    n_threads: int | None = None,
) -> tuple[float, Array, Array]: ...
@of_blocks(loss_and_gradient)
def softmax_loss(
    W: npt.ArrayLike,
    X: Features,
    y: npt.ArrayLike | None,
    reg: float = 0.0,
    *,
    bias: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    label_smoothing: float = 0.0,
    rows: npt.ArrayLike | None = None,
    shift: npt.ArrayLike | None = None,
    scale: npt.ArrayLike | None = None,
    out: Array | None = None,
    n_threads: int | None = None,
) -> Any:
    """Cross-entropy of softmax(X W), with reg/2 * sum(W**2), and its gradient in one pass over X.

    (The regulariser is the 1/2 form: for CS231n's notebooks with reg * sum(W**2) pass 2 * reg.)

        loss = mean_i(lse(z_i) - z_i[y_i]) + reg/2 sum(W**2)        dW = X' (P - Y) / N + reg W
        Z = X W + bias        P = softmax(Z) by rows        dbias = sum_i(P - Y) / N

    Parameters
    ----------
    W : (D, C) array_like of float32 or float64
        Coefficients. All arithmetic is in this dtype.
    X : (N, D) array_like
        Features. float32, float64 and uint8 (bool, too) of any layout are read where they lie,
        read-only and memory-mapped arrays included: rows of W's dtype and of uint8 in place, all
        others by blocks of rows through scratch. Other dtypes, other byte orders and unaligned
        arrays are copied to W's dtype first. Tensors of PyTorch, arrays of JAX, data frames and
        all else that NumPy sees without a copy count as the arrays that it sees.
        SciPy CSR matrices and arrays, too, with values of these dtypes and int32 or int64 indices,
        which are read where they lie. Other sparse formats are converted (`X.tocsr()`), and rows
        whose indices are not sorted are sorted in a copy, at each call.
        What is not in memory is read block by block, and sums over blocks are float64: memory maps
        of more than 64 MiB, HDF5, Zarr, tables of Parquet, Arrow and Polars, functions that return
        an iterator of blocks X, (X, y) or (X, y, sample_weight) (see `csoftmax.sources`).
    y : (N,) or (N, C) array_like, str or None
        Class indices of any integer type (or floats that are whole), or probabilities (copied
        if not of W's dtype). A column's name where X is a table; None where y comes with blocks.
    reg : float, optional
        Factor of the regulariser, at least 0. The bias is not regularised.
    bias : (C,) array_like, optional
        Added to the scores; its gradient is then returned, too.
    sample_weight : (N,) array_like, optional
        Weights of the rows, finite and not negative: the mean becomes the weighted mean.
    label_smoothing : float, optional
        eps, from 0 to 1: targets are (1 - eps) Y + eps / C.
    rows : (n,) array_like of int, optional
        Use X[rows], y[rows] and sample_weight[rows], without copying them.
    shift, scale : (D,) array_like, optional
        Use the features (X - shift) * scale, without making them: X - shift is rounded as NumPy
        rounds it, or exact for uint8, and W is scaled in place of X. Sparse X stays sparse: the
        shift goes into the bias and dW, in float64; where features are small beside their shift,
        their rounding shows.
    out : (D, C) ndarray, optional
        Where to put dW: of W's dtype, and no part of W or X.
    n_threads : int, optional
        At most that many threads; None: all that the process may use, fewer for small work.

    Returns
    -------
    loss : float
        Summed in float64.
    dW : (D, C) ndarray
        Gradient; `out`, if given.
    dbias : (C,) ndarray
        Gradient with respect to the bias, only if `bias` is given.

    Raises
    ------
    TypeError
        For arrays that are sparse (but X), complex or of objects that are no numbers, masked
        elements, W of another dtype, rows or sparse indices that are no integers, `out` of another
        dtype; for what is not in memory, but as X, and what can be read once only, or is in a
        GPU's: nothing is loaded whole in silence.
    ValueError
        For missing elements, shapes that do not fit, no rows, a label that is no class (its row is
        named), sparse indices that are no feature or row bounds that are none (of the rows in use),
        weights that are negative, not finite or all 0, options out of range, an `out` that is
        read-only or lies in memory of an input, whatever kind of object that is.

    See Also
    --------
    svm_loss : The same of the hinge loss.
    linear_predict_proba : The probabilities of the same model.
    SoftmaxClassifier : Finds the W that minimises it.
    csoftmax.reference.softmax_loss_naive : The definition, in two loops.

    Notes
    -----
    NaN and infinities in W, X or bias propagate as in NumPy's matrix product and SciPy's softmax:
    a row with a NaN score makes the loss NaN. The result has the same bits for any number of
    threads, and from run to run on one instruction set. float32 sums run over at most a block of
    rows in registers and over the blocks of a slot, at most 1/64 of the rows, in memory; errors are
    no larger than those of NumPy's float32 matrix products. Memory: W (twice with `shift` or
    `scale`) and dW transposed, up to 64 partial gradients (16 MiB, or 8 of them), and some blocks
    of rows for each thread.

    From 2048 classes and 16 MiB of W on, all threads work on the same block of up to 256 rows, and
    W and dW are used where they lie. Memory: the block's scores (at most 52 MiB, or those of 16
    rows), and a copy of W, or of dW, where its rows are not contiguous.

    For sparse X, zeros that are not stored take no part, as in SciPy's product: they do not turn
    an infinity of W into NaN. Repeated entries of a row add up. A row of dW is summed in the order
    of X's rows, as in SciPy. Memory: scores of 1 MiB, or of 128 rows; a copy of W, or of dW, where
    its rows have less than 16 bytes or are not contiguous, and of W with `shift` or `scale`.

    References
    ----------
    .. [1] Stanford CS231n, "Linear classification: Softmax classifier",
       https://cs231n.github.io/linear-classify/#softmax

    Examples
    --------
    >>> import numpy as np
    >>> from csoftmax import softmax_loss
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> loss, dW = softmax_loss(np.zeros((2, 2)), X, [0, 1])
    >>> round(loss, 6)  # log(2)
    0.693147
    >>> dW
    array([[-0.25,  0.25],
           [ 0.25, -0.25]])
    """
    data = LinearData(W, X, rows, bias, shift, scale, y=y, sample_weight=sample_weight)
    return _loss("cross_entropy", data, reg, label_smoothing, 0.0, out, n_threads)


@overload
def svm_loss(
    W: npt.NDArray[Float],
    X: Features,
    y: npt.ArrayLike | None,
    reg: float = 0.0,
    *,
    delta: float = 1.0,
    bias: None = None,
    sample_weight: npt.ArrayLike | None = None,
    label_smoothing: float = 0.0,
    rows: npt.ArrayLike | None = None,
    shift: npt.ArrayLike | None = None,
    scale: npt.ArrayLike | None = None,
    out: Array | None = None,
    n_threads: int | None = None,
) -> tuple[float, npt.NDArray[Float]]: ...
@overload
def svm_loss(
    W: npt.NDArray[Float],
    X: Features,
    y: npt.ArrayLike | None,
    reg: float = 0.0,
    *,
    delta: float = 1.0,
    bias: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None = None,
    label_smoothing: float = 0.0,
    rows: npt.ArrayLike | None = None,
    shift: npt.ArrayLike | None = None,
    scale: npt.ArrayLike | None = None,
    out: Array | None = None,
    n_threads: int | None = None,
) -> tuple[float, npt.NDArray[Float], npt.NDArray[Float]]: ...
@overload
def svm_loss(
    W: npt.ArrayLike,
    X: Features,
    y: npt.ArrayLike | None,
    reg: float = 0.0,
    *,
    delta: float = 1.0,
    bias: None = None,
    sample_weight: npt.ArrayLike | None = None,
    label_smoothing: float = 0.0,
    rows: npt.ArrayLike | None = None,
    shift: npt.ArrayLike | None = None,
    scale: npt.ArrayLike | None = None,
    out: Array | None = None,
    n_threads: int | None = None,
) -> tuple[float, Array]: ...
@overload
def svm_loss(
    W: npt.ArrayLike,
    X: Features,
    y: npt.ArrayLike | None,
    reg: float = 0.0,
    *,
    delta: float = 1.0,
    bias: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None = None,
    label_smoothing: float = 0.0,
    rows: npt.ArrayLike | None = None,
    shift: npt.ArrayLike | None = None,
    scale: npt.ArrayLike | None = None,
    out: Array | None = None,
    n_threads: int | None = None,
) -> tuple[float, Array, Array]: ...
@of_blocks(loss_and_gradient)
def svm_loss(
    W: npt.ArrayLike,
    X: Features,
    y: npt.ArrayLike | None,
    reg: float = 0.0,
    *,
    delta: float = 1.0,
    bias: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    label_smoothing: float = 0.0,
    rows: npt.ArrayLike | None = None,
    shift: npt.ArrayLike | None = None,
    scale: npt.ArrayLike | None = None,
    out: Array | None = None,
    n_threads: int | None = None,
) -> Any:
    """Multiclass hinge loss of X W, with reg/2 * sum(W**2), and its gradient in one pass over X.

    (The regulariser is the 1/2 form: for CS231n's notebooks with reg * sum(W**2) pass 2 * reg.)

        loss = mean_i(sum_{c != y_i} max(0, z_ic - z_i[y_i] + delta)) + reg/2 sum(W**2)
        dW = X' H / N + reg W

    with Z = X W + bias and H[i, c] = [z_ic - z_i[y_i] + delta > 0] for c != y_i, minus their number
    at c = y_i (Weston-Watkins).

    Parameters
    ----------
    W, X, y, reg, bias, sample_weight, label_smoothing, rows, shift, scale, out, n_threads
        As for `softmax_loss`. Probabilities and smoothing give the expected loss of a target drawn
        from them, at a cost of C**2 for each row.
    delta : float, optional
        The margin.

    Returns
    -------
    loss, dW, dbias
        As `softmax_loss`.

    Raises
    ------
    TypeError, ValueError
        As `softmax_loss`.

    See Also
    --------
    softmax_loss : The same of the cross-entropy; all arguments explained.
    multiclass_hinge : Of given scores.
    csoftmax.cs231n.classifiers.LinearSVM : Trains by it.

    Notes
    -----
    As for `softmax_loss`; a NaN margin makes the loss and its own gradient NaN.

    References
    ----------
    .. [1] J. Weston, C. Watkins, "Support vector machines for multi-class pattern recognition",
       ESANN 1999, equation (2).

    Examples
    --------
    >>> import numpy as np
    >>> from csoftmax import svm_loss
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> loss, dW = svm_loss(np.zeros((2, 2)), X, [0, 1])
    >>> loss
    1.0
    >>> dW
    array([[-0.5,  0.5],
           [ 0.5, -0.5]])
    """
    data = LinearData(W, X, rows, bias, shift, scale, y=y, sample_weight=sample_weight)
    return _loss("hinge", data, reg, label_smoothing, delta, out, n_threads)


def _loss(
    loss: str,
    data: LinearData,
    reg: float,
    label_smoothing: float,
    delta: float,
    out: Array | None,
    n_threads: int | None,
) -> Any:
    W, dtype = data.W, data.W.dtype
    if data.n_rows == 0:
        raise ValueError("X has no rows (or rows is empty): wanted at least one")
    y, sample_weight = data.inputs["y"], data.inputs["sample_weight"]
    index, prob = checks.row_targets(y, (data.n_source_rows, W.shape[1]), dtype, data.rows)
    weights = checks.weights(
        "sample_weight", sample_weight, data.n_source_rows, dtype, "row of X", relative=True
    )
    normalizer = float(data.n_rows)
    if weights is not None:
        normalizer = checks.total_weight(weights, data.rows)
    reg = checks.real("reg", reg, 0)
    label_smoothing = checks.real("label_smoothing", label_smoothing, 0, 1)
    delta = checks.real("delta", delta)
    dW = data.output(out, W.shape)
    dbias = None if data.bias is None else np.empty(W.shape[1], dtype)
    kernels = dispatch.kernels
    value = kernels.linear_loss_grad(
        kernels.LOSSES[loss],
        *data.arguments(),
        index,
        prob,
        weights,
        label_smoothing,
        delta,
        reg,
        normalizer,
        dW,
        dbias,
        data.threads(n_threads, passes=2),
    )
    return (value, dW) if dbias is None else (value, dW, dbias)
