"""The cross-entropy of logits, as in `torch.nn.functional`.

Each call is one pass over the logits, which stores nothing of their size but the gradient.
"""

from __future__ import annotations

from typing import Any, overload

import numpy.typing as npt

from csoftmax._native import row_losses
from csoftmax._types import Float, NotReduced, Reduced, Reduction

Array = npt.NDArray[Any]


@overload
def cross_entropy(
    logits: npt.ArrayLike,
    target: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
    *,
    sample_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduced = "mean",
    label_smoothing: float = 0.0,
    n_threads: int | None = None,
) -> float: ...
@overload
def cross_entropy(
    logits: npt.NDArray[Float],
    target: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
    *,
    sample_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: NotReduced,
    label_smoothing: float = 0.0,
    n_threads: int | None = None,
) -> npt.NDArray[Float]: ...
@overload
def cross_entropy(
    logits: npt.ArrayLike,
    target: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
    *,
    sample_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
    n_threads: int | None = None,
) -> Any: ...
def cross_entropy(
    logits: npt.ArrayLike,
    target: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
    *,
    sample_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
    n_threads: int | None = None,
) -> Any:
    """Cross-entropy of softmax(logits), as `torch.nn.functional.cross_entropy`.

        L_i = sum_c u_ic (logsumexp(z_i) - z_ic),        u_ic = weight_c ((1 - eps) t_ic + eps / C)

    with z the logits, eps the label smoothing, and t_i the target probabilities, or the one-hot
    vector of the target index y_i, whose weight is then that of the class y_i.

    Parameters
    ----------
    logits : (N, C), (N, C, d1, ...) or (C,) array_like
        Scores of N rows; with more axes, of a row at each place of (N, d1, ...); or of one row. In
        any layout of memory, none of which is transposed by a copy. float32 and float64 are
        computed as such, float16 in float32, integers in float64.
    target : (N,) or (N, d1, ...) array_like, or of the logits' shape; scalar or (C,) for one row
        Class indices of any integer type (or floats that are whole), or probabilities.
    weight : (C,) array_like, optional
        Weights of the classes, finite. (Negative ones, too, as in PyTorch: the loss then has no
        least value.)
    sample_weight : (N,) or (N, d1, ...) array_like, optional
        Weights of the rows, finite and not negative; (N,) counts for all places of d1, ...
    ignore_index : int, optional
        Rows with this target index count nothing.
    reduction : {"mean", "sum", "none"}, optional
        "none": sample_weight_i * L_i for each row i (of each place). "sum": their sum. "mean":
        their sum divided by sum_i sample_weight_i v_i, with v_i = weight[y_i] for indices (0 where
        ignored) and 1 for probabilities.
    label_smoothing : float, optional
        eps, from 0 to 1.
    n_threads : int, optional
        At most that many threads; None: all that the process may use. The result is the same.

    Returns
    -------
    float or (N, d1, ...) ndarray
        The loss; with reduction "none" an array of the logits' dtype (a scalar for one row).

    Raises
    ------
    TypeError
        For arrays that are sparse, complex or of objects that are no numbers, masked elements, what
        is on a GPU or not in memory.
    ValueError
        For missing elements, shapes that do not fit (a swap of logits and target is named as such),
        a target index that is no class (its place is named), weights that are not finite, row
        weights that are negative, and options out of range.

    See Also
    --------
    cross_entropy_with_grad : With its gradient, in the same pass.
    softmax_loss : Of a linear model, without storing the logits.
    csoftmax.torch.cross_entropy : For PyTorch, with autograd.
    csoftmax.reference.cross_entropy : The definition.

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
    >>> images = np.zeros((2, 10, 32, 32))  # a class for each pixel
    >>> losses = cross_entropy(images, np.ones((2, 32, 32), int), reduction="none")
    >>> losses.shape
    (2, 32, 32)
    """
    options = weight, sample_weight, ignore_index, reduction, label_smoothing, 0.0
    return row_losses.loss("cross_entropy", "logits", (logits, target, *options), n_threads)


@overload
def cross_entropy_with_grad(
    logits: npt.NDArray[Float],
    target: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
    *,
    sample_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduced = "mean",
    label_smoothing: float = 0.0,
    out: Array | None = None,
    n_threads: int | None = None,
) -> tuple[float, npt.NDArray[Float]]: ...
@overload
def cross_entropy_with_grad(
    logits: npt.ArrayLike,
    target: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
    *,
    sample_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduced = "mean",
    label_smoothing: float = 0.0,
    out: Array | None = None,
    n_threads: int | None = None,
) -> tuple[float, Array]: ...
@overload
def cross_entropy_with_grad(
    logits: npt.NDArray[Float],
    target: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
    *,
    sample_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: NotReduced,
    label_smoothing: float = 0.0,
    out: Array | None = None,
    n_threads: int | None = None,
) -> tuple[npt.NDArray[Float], npt.NDArray[Float]]: ...
@overload
def cross_entropy_with_grad(
    logits: npt.ArrayLike,
    target: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
    *,
    sample_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
    out: Array | None = None,
    n_threads: int | None = None,
) -> tuple[Any, Array]: ...
def cross_entropy_with_grad(
    logits: npt.ArrayLike,
    target: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
    *,
    sample_weight: npt.ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
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
    loss : float or (N, d1, ...) ndarray
        As `cross_entropy`.
    dlogits : ndarray
        Gradient, of the shape of the logits and their dtype (float64 for integers); its axes lie in
        memory in the order of the logits'.

    Raises
    ------
    TypeError, ValueError
        As `cross_entropy`; and for an `out` of another shape or dtype, read-only, or in the memory
        of another input.

    See Also
    --------
    cross_entropy : The loss alone, and all options explained.
    softmax_loss : Of a linear model, without storing the logits.
    csoftmax.boosting.softmax_objective : Gradient and Hessian for boosted trees.

    Notes
    -----
    The gradient of an ignored row is 0; NaN if its logits hold a NaN or +inf or are all -inf, as
    in PyTorch.

    References
    ----------
    As for `cross_entropy`.

    Examples
    --------
    >>> import numpy as np
    >>> from csoftmax import cross_entropy_with_grad
    >>> z = np.zeros((1, 4))
    >>> loss, dz = cross_entropy_with_grad(z, [2], out=z)
    >>> z
    array([[ 0.25,  0.25, -0.75,  0.25]])
    """
    options = weight, sample_weight, ignore_index, reduction, label_smoothing, 0.0
    return row_losses.loss_with_grad(
        "cross_entropy", "logits", (logits, target, *options), out, n_threads
    )
