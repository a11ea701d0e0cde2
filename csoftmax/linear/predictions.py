"""Predictions of linear models: the likeliest class, the k likeliest, all probabilities."""

from __future__ import annotations

from typing import Any, overload

import numpy as np
import numpy.typing as npt

from csoftmax._native import checks, dispatch
from csoftmax._native.linear_data import LinearData
from csoftmax._types import Float
from csoftmax.over_blocks import of_blocks, pairs, predictions
from csoftmax.sources import Features

Array = npt.NDArray[Any]


@of_blocks(predictions)
def linear_predict(
    W: npt.ArrayLike,
    X: Features,
    *,
    bias: npt.ArrayLike | None = None,
    rows: npt.ArrayLike | None = None,
    shift: npt.ArrayLike | None = None,
    scale: npt.ArrayLike | None = None,
    out: npt.NDArray[np.int64] | None = None,
    n_threads: int | None = None,
) -> npt.NDArray[np.int64]:
    """Class of the largest score of each row, in one pass over X and without storing the scores.

        label_i = argmax_c z_ic,        Z = ((X - shift) * scale) W + bias

    Parameters
    ----------
    W, X, bias, rows, shift, scale, n_threads
        As for `softmax_loss`.
    out : (N,) ndarray of int64, optional
        Where to put the labels.

    Returns
    -------
    (N,) ndarray of int64
        The first of equal scores wins, and a NaN counts as the largest, as in numpy.argmax.

    Raises
    ------
    TypeError, ValueError
        As `softmax_loss`.

    See Also
    --------
    linear_predict_proba : All probabilities.
    linear_top_k : The k likeliest classes.
    softmax_loss : The loss of the same model.

    Notes
    -----
    Same result for any number of threads. Rounding differs from NumPy's X @ W, so that scores which
    are equal but for it may go either way.

    References
    ----------
    .. [1] C. M. Bishop, "Pattern Recognition and Machine Learning", Springer, 2006,
       equation (4.9).

    Examples
    --------
    >>> import numpy as np
    >>> from csoftmax import linear_predict
    >>> linear_predict(np.eye(3), [[0.1, 0.7, 0.2], [5.0, 1.0, 5.0]])
    array([1, 0])
    """
    data = LinearData(W, X, rows, bias, shift, scale)
    labels = data.output(out, (data.n_rows,), np.dtype(np.int64))
    direct = labels if labels.flags.c_contiguous else np.empty(data.n_rows, np.int64)
    _predict(data, direct, None, None, n_threads)
    if direct is not labels:
        labels[...] = direct
    return labels


@overload
def linear_predict_proba(
    W: npt.NDArray[Float],
    X: Features,
    *,
    bias: npt.ArrayLike | None = None,
    rows: npt.ArrayLike | None = None,
    shift: npt.ArrayLike | None = None,
    scale: npt.ArrayLike | None = None,
    out: Array | None = None,
    n_threads: int | None = None,
) -> npt.NDArray[Float]: ...
@overload
def linear_predict_proba(
    W: npt.ArrayLike,
    X: Features,
    *,
    bias: npt.ArrayLike | None = None,
    rows: npt.ArrayLike | None = None,
    shift: npt.ArrayLike | None = None,
    scale: npt.ArrayLike | None = None,
    out: Array | None = None,
    n_threads: int | None = None,
) -> Array: ...
@of_blocks(predictions)
def linear_predict_proba(
    W: npt.ArrayLike,
    X: Features,
    *,
    bias: npt.ArrayLike | None = None,
    rows: npt.ArrayLike | None = None,
    shift: npt.ArrayLike | None = None,
    scale: npt.ArrayLike | None = None,
    out: Array | None = None,
    n_threads: int | None = None,
) -> Array:
    """Probabilities of the classes for each row, in one pass over X and without storing the scores.

        P = softmax(Z) by rows,        Z = ((X - shift) * scale) W + bias

    Parameters
    ----------
    W, X, bias, rows, shift, scale, n_threads
        As for `softmax_loss`.
    out : (N, C) ndarray of W's dtype, optional
        Where to put the probabilities; of any layout, and no part of an input.

    Returns
    -------
    (N, C) ndarray of W's dtype
        Each row sums to 1 but for rounding; `out`, if given.

    Raises
    ------
    TypeError, ValueError
        As `softmax_loss`.

    See Also
    --------
    linear_predict : The likeliest class alone.
    linear_top_k : The k likeliest classes.
    softmax : Of given logits.

    Notes
    -----
    Same bits for any number of threads. NaN and infinities as in `softmax`: a row with a NaN score,
    or whose largest score is infinite, is NaN. Memory beyond the result: some blocks of rows.

    References
    ----------
    .. [1] C. M. Bishop, "Pattern Recognition and Machine Learning", Springer, 2006,
       equations (4.104) and (4.105).

    Examples
    --------
    >>> import numpy as np
    >>> from csoftmax import linear_predict_proba
    >>> linear_predict_proba([[0.0, np.log(3.0)]], [[1.0], [0.0]])
    array([[0.25, 0.75],
           [0.5 , 0.5 ]])
    """
    data = LinearData(W, X, rows, bias, shift, scale)
    proba = data.output(out, (data.n_rows, data.W.shape[1]))
    _predict(data, None, None, proba, n_threads)
    return proba


@overload
def linear_top_k(
    W: npt.NDArray[Float],
    X: Features,
    k: int,
    *,
    bias: npt.ArrayLike | None = None,
    rows: npt.ArrayLike | None = None,
    shift: npt.ArrayLike | None = None,
    scale: npt.ArrayLike | None = None,
    n_threads: int | None = None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[Float]]: ...
@overload
def linear_top_k(
    W: npt.ArrayLike,
    X: Features,
    k: int,
    *,
    bias: npt.ArrayLike | None = None,
    rows: npt.ArrayLike | None = None,
    shift: npt.ArrayLike | None = None,
    scale: npt.ArrayLike | None = None,
    n_threads: int | None = None,
) -> tuple[npt.NDArray[np.int64], Array]: ...
@of_blocks(pairs)
def linear_top_k(
    W: npt.ArrayLike,
    X: Features,
    k: int,
    *,
    bias: npt.ArrayLike | None = None,
    rows: npt.ArrayLike | None = None,
    shift: npt.ArrayLike | None = None,
    scale: npt.ArrayLike | None = None,
    n_threads: int | None = None,
) -> tuple[npt.NDArray[np.int64], Array]:
    """The k classes of the largest scores of each row, best first, and their probabilities.

        P = softmax(Z) by rows,        Z = ((X - shift) * scale) W + bias

    Parameters
    ----------
    W, X, bias, rows, shift, scale, n_threads
        As for `softmax_loss`.
    k : int
        How many classes, from 1 to C.

    Returns
    -------
    labels : (N, k) ndarray of int64
        Of equal scores the lower label comes first, and a NaN counts as the largest: the first
        column is what `linear_predict` returns.
    probabilities : (N, k) ndarray of W's dtype
        Of these classes, with the bits that `linear_predict_proba` returns.

    Raises
    ------
    TypeError, ValueError
        As `softmax_loss`, and for a k that is no integer, or none from 1 to C.

    See Also
    --------
    linear_predict : The likeliest class alone.
    linear_predict_proba : All probabilities.

    Notes
    -----
    Exact, in one pass over X, and without an array of rows by classes: memory beyond the result is
    some blocks of rows. Same bits for any number of threads.

    References
    ----------
    .. [1] C. M. Bishop, "Pattern Recognition and Machine Learning", Springer, 2006,
       equations (4.104) and (4.105).
    .. [2] M. Lapin, M. Hein, B. Schiele, "Loss functions for top-k error: analysis and insights",
       CVPR 2016: of all sets of k classes these are wrong least often, where P is true.

    Examples
    --------
    >>> import numpy as np
    >>> from csoftmax import linear_top_k
    >>> labels, probabilities = linear_top_k([np.log([1.0, 4.0, 3.0])], [[1.0], [-1.0]], k=2)
    >>> labels
    array([[1, 2],
           [0, 2]])
    >>> probabilities.round(3)
    array([[0.5  , 0.375],
           [0.632, 0.211]])
    """
    data = LinearData(W, X, rows, bias, shift, scale)
    n_classes = data.W.shape[1]
    k = checks.integer("k", k, 1)
    if k > n_classes:
        raise ValueError(f"k is {k}: wanted at most {n_classes}, the number of classes")
    labels = np.empty((data.n_rows, k), np.int64)
    best = np.empty((data.n_rows, k), data.W.dtype)
    _predict(data, labels, best, None, n_threads)
    return labels, best


def _predict(
    data: LinearData,
    labels: npt.NDArray[np.int64] | None,
    best: Array | None,
    proba: Array | None,
    n_threads: int | None,
) -> None:
    n_threads = data.threads(n_threads, passes=1)
    if data.n_rows:
        dispatch.kernels.linear_predictions(*data.arguments(), labels, best, proba, n_threads)
