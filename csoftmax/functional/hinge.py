"""The multiclass hinge of scores, with the arguments of the cross-entropy.

Each call is one pass over the scores, which stores nothing of their size but the gradient.
"""

from __future__ import annotations

from typing import Any, overload

import numpy.typing as npt

from csoftmax._native import row_losses
from csoftmax._types import Float, NotReduced, Reduced, Reduction

Array = npt.NDArray[Any]


@overload
def multiclass_hinge(
    scores: npt.ArrayLike,
    target: npt.ArrayLike,
    delta: float = 1.0,
    *,
    weight: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduced = "mean",
    label_smoothing: float = 0.0,
    n_threads: int | None = None,
) -> float: ...
@overload
def multiclass_hinge(
    scores: npt.NDArray[Float],
    target: npt.ArrayLike,
    delta: float = 1.0,
    *,
    weight: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: NotReduced,
    label_smoothing: float = 0.0,
    n_threads: int | None = None,
) -> npt.NDArray[Float]: ...
@overload
def multiclass_hinge(
    scores: npt.ArrayLike,
    target: npt.ArrayLike,
    delta: float = 1.0,
    *,
    weight: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
    n_threads: int | None = None,
) -> Any: ...
def multiclass_hinge(
    scores: npt.ArrayLike,
    target: npt.ArrayLike,
    delta: float = 1.0,
    *,
    weight: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
    n_threads: int | None = None,
) -> Any:
    """Multiclass hinge loss of Weston and Watkins: a margin of `delta` against every class.

        L_i = sum_k u_ik sum_{c != k} max(0, z_ic - z_ik + delta)

    with u as in `cross_entropy`: for a target index without smoothing, the one term k = y_i.
    (`torch.nn.functional.multi_margin_loss` is this, divided by C.)

    Parameters
    ----------
    scores : (N, C), (N, C, d1, ...) or (C,) array_like
        Scores of N rows, of a row at each place of (N, d1, ...), or of one row.
    target, weight, sample_weight, ignore_index, reduction, label_smoothing, n_threads
        As for `cross_entropy`. Probabilities and smoothing give the expected loss of a target drawn
        from them, at a cost of C**2 for each row.
    delta : float, optional
        The margin.

    Returns
    -------
    float or (N, d1, ...) ndarray
        As `cross_entropy`.

    Raises
    ------
    TypeError, ValueError
        As `cross_entropy`.

    See Also
    --------
    multiclass_hinge_with_grad : With its gradient, in the same pass.
    svm_loss : Of a linear model, without storing the scores.
    csoftmax.reference.multiclass_hinge : The definition.

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
    options = weight, sample_weight, ignore_index, reduction, label_smoothing, delta
    return row_losses.loss("hinge", "scores", (scores, target, *options), n_threads)


@overload
def multiclass_hinge_with_grad(
    scores: npt.NDArray[Float],
    target: npt.ArrayLike,
    delta: float = 1.0,
    *,
    weight: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduced = "mean",
    label_smoothing: float = 0.0,
    out: Array | None = None,
    n_threads: int | None = None,
) -> tuple[float, npt.NDArray[Float]]: ...
@overload
def multiclass_hinge_with_grad(
    scores: npt.ArrayLike,
    target: npt.ArrayLike,
    delta: float = 1.0,
    *,
    weight: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduced = "mean",
    label_smoothing: float = 0.0,
    out: Array | None = None,
    n_threads: int | None = None,
) -> tuple[float, Array]: ...
@overload
def multiclass_hinge_with_grad(
    scores: npt.NDArray[Float],
    target: npt.ArrayLike,
    delta: float = 1.0,
    *,
    weight: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: NotReduced,
    label_smoothing: float = 0.0,
    out: Array | None = None,
    n_threads: int | None = None,
) -> tuple[npt.NDArray[Float], npt.NDArray[Float]]: ...
@overload
def multiclass_hinge_with_grad(
    scores: npt.ArrayLike,
    target: npt.ArrayLike,
    delta: float = 1.0,
    *,
    weight: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
    out: Array | None = None,
    n_threads: int | None = None,
) -> tuple[Any, Array]: ...
def multiclass_hinge_with_grad(
    scores: npt.ArrayLike,
    target: npt.ArrayLike,
    delta: float = 1.0,
    *,
    weight: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
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
    loss : float or (N, d1, ...) ndarray
        As `multiclass_hinge`.
    dscores : ndarray
        Gradient, of the shape of the scores and their dtype (float64 for integers). At a margin of
        just 0, where there is none, it is that of the flat side; of a NaN margin it is NaN.

    Raises
    ------
    TypeError, ValueError
        As `cross_entropy_with_grad`.

    See Also
    --------
    multiclass_hinge : The loss alone, and all options explained.
    svm_loss : Of a linear model, without storing the scores.

    Notes
    -----
    One pass over the scores makes both. Same bits for any number of threads.

    References
    ----------
    As for `multiclass_hinge`.

    Examples
    --------
    >>> from csoftmax import multiclass_hinge_with_grad
    >>> multiclass_hinge_with_grad([[3.25, 5.0, -1.75]], [0])
    (2.75, array([[-1.,  1.,  0.]]))
    """
    options = weight, sample_weight, ignore_index, reduction, label_smoothing, delta
    return row_losses.loss_with_grad("hinge", "scores", (scores, target, *options), out, n_threads)
