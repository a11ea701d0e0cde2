"""Passes over X that solvers make: Hessian-vector products, many models at once, and moments.

What the first two share with the losses of linear.py (features, options, threads, NaN and
infinities, memory) is said there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax._native import checks, dispatch, threads
from csoftmax._native.linear_data import LinearData
from csoftmax.over_blocks import hessian_product, of_blocks, stacked_losses

Array = npt.NDArray[Any]

#: of one core, for the moments of a number
NS_PER_MOMENT = 0.3


@of_blocks(hessian_product)
def hvp(
    W: npt.ArrayLike,
    X: npt.ArrayLike,
    V: npt.ArrayLike,
    reg: float = 0.0,
    *,
    bias: npt.ArrayLike | None = None,
    vbias: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    rows: npt.ArrayLike | None = None,
    shift: npt.ArrayLike | None = None,
    scale: npt.ArrayLike | None = None,
    out: Array | None = None,
    n_threads: int | None = None,
) -> tuple[Array, Array | None]:
    """Hessian of `softmax_loss` at W, times V, in one pass over X.

        H = s P (T - sum(P T))        HV = X' H / sum(s) + reg V        Hvbias = sum_i H / sum(s)
        P = softmax(X W + bias) by rows        T = X V + vbias        s = sample_weight

    It depends neither on the targets nor on label smoothing. Returns (HV, Hvbias), the latter None
    without bias; `bias` and `vbias`, its direction, come both or not at all.
    """
    others = {"V": V, "vbias": vbias, "sample_weight": sample_weight}
    data = LinearData(W, X, rows, bias, shift, scale, **others)
    if (bias is None) != (vbias is None):
        missing, given = ("bias", "vbias") if bias is None else ("vbias", "bias")
        raise ValueError(f"{missing} is None, but {given} is not: wanted both or neither")
    dtype, shape = data.W.dtype, data.W.shape
    V, vbias, sample_weight = (data.inputs[name] for name in others)
    direction = checks.direction(V, data.W)
    both, Hvbias = None, None
    if data.bias is not None and vbias is not None:
        both = np.stack([data.bias, checks.vector("vbias", vbias, shape[1], dtype, "class")])
        Hvbias = np.empty(shape[1], dtype)
    weights, normalizer = _row_weights(data, sample_weight)
    reg = checks.real("reg", reg, 0)
    HV = data.output(out, shape)
    dispatch.kernels.linear_hvp(
        *data.arguments()[:-1],
        direction,
        both,
        weights,
        reg,
        normalizer,
        HV,
        Hvbias,
        data.threads(n_threads, passes=3),
    )
    return HV, Hvbias


@of_blocks(stacked_losses)
def stack_loss_grad(
    W: npt.ArrayLike,
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    n_models: int,
    *,
    bias: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    mask: npt.ArrayLike | None = None,
    mask_of_model: npt.ArrayLike | None = None,
    normalizer: npt.ArrayLike | None = None,
    label_smoothing: float = 0.0,
    rows: npt.ArrayLike | None = None,
    shift: npt.ArrayLike | None = None,
    scale: npt.ArrayLike | None = None,
    n_threads: int | None = None,
) -> tuple[npt.NDArray[np.float64], Array, Array | None]:
    """Cross-entropies, and gradients, of models that share X and y, in one pass over X.

        losses[k] = sum_i w_i mask[mask_of_model[k], i] L_ik / normalizer[k],    w = sample_weight

    `W` (D, n_models * C) has the models side by side, and so have `bias`, dW and dbias. `mask` (F,
    N), bool or 0 and 1, says which rows of X count for which models; without it, all do.
    `normalizer` (n_models,) replaces the sums of the weights that count. There is no regulariser.
    Returns (losses, dW, dbias), the last None without bias.

    Rows that do not count are multiplied by 0: they cost as much, and a NaN in them remains NaN.
    """
    data = LinearData(W, X, rows, bias, shift, scale)
    checks.dense(data.X)
    dtype, shape = data.W.dtype, data.W.shape
    n_classes = checks.columns_of_models(n_models, data.W)
    weights, total = _row_weights(data, sample_weight, relative=normalizer is None)
    index, prob = checks.row_targets(y, (data.n_source_rows, n_classes), dtype, data.rows)
    masks, mask_of = checks.masks(mask, mask_of_model, data.n_source_rows, n_models)
    if normalizer is not None:
        totals = checks.normalizers(normalizer, n_models)
    elif masks is None:
        totals = np.full(n_models, total)
    else:
        totals = checks.total_weights(masks, weights, data.rows)[mask_of]
    label_smoothing = checks.real("label_smoothing", label_smoothing, 0, 1)
    losses, dW = np.empty(n_models), np.empty(shape, dtype)
    dbias = None if data.bias is None else np.empty(shape[1], dtype)
    dispatch.kernels.linear_stack_loss_grad(
        *data.arguments(),
        index,
        prob,
        weights,
        masks,
        mask_of,
        label_smoothing,
        totals,
        losses,
        dW,
        dbias,
        data.threads(n_threads, passes=2),
    )
    return losses, dW, dbias


def moments(
    X: Array, sample_weight: npt.NDArray[np.float64] | None, n_threads: int | None = None
) -> tuple[float, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The rows' weight, the features' means and the sums of squares about them, in one pass over X.

        mean = sum_i w_i X_i / weight        squares = sum_i w_i (X_i - mean)**2

    In float64, of dense X of any layout; float32, float64, uint8 and bool are read where they lie.
    Weights are finite, none negative; if their sum is 0, mean and squares are 0. The error is that
    of two looks at X, one for the mean and one for the squares about it, whatever the features'
    offsets. NaN remains NaN, also with weight 0; infinity makes the mean infinite or NaN, and
    squares NaN.
    """
    X = checks.readable(X, np.dtype(np.float64))
    mean, squares = np.empty(X.shape[1]), np.empty(X.shape[1])
    if sample_weight is not None:
        sample_weight = np.ascontiguousarray(sample_weight, np.float64)
        assert sample_weight.shape == X.shape[:1]
    n = threads.resolve(n_threads, X.size * NS_PER_MOMENT)
    return dispatch.kernels.moments(X, sample_weight, mean, squares, n), mean, squares


def _row_weights(
    data: LinearData, sample_weight: npt.ArrayLike | None, *, relative: bool = True
) -> tuple[Array | None, float]:
    """The weights of the rows of X, and the sum of those in use."""
    if data.n_rows == 0:
        raise ValueError("X has no rows (or rows is empty): wanted at least one")
    weights = checks.weights(
        "sample_weight",
        sample_weight,
        data.n_source_rows,
        data.W.dtype,
        "row of X",
        relative=relative,
    )
    if weights is None:
        return None, float(data.n_rows)
    return weights, checks.total_weight(weights, data.rows)
