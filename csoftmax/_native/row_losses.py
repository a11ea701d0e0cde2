"""Losses on logits, whichever they are: from the caller's arguments to the kernel and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax._native import checks, dispatch, threads
from csoftmax._native.checks.targets import MAX_CLASSES
from csoftmax._native.layout import Rows

Array = npt.NDArray[Any]

_INT64 = np.dtype(np.int64)
_PLAIN = np.dtype(np.float32), np.dtype(np.float64)


class Problem:
    """A loss on logits, checked and in the kernels' terms; `name` is the logits' for the caller."""

    def __init__(
        self,
        loss: str,
        name: str,
        logits: npt.ArrayLike,
        target: npt.ArrayLike,
        weight: npt.ArrayLike | None,
        sample_weight: npt.ArrayLike | None,
        ignore_index: int,
        reduction: str,
        label_smoothing: float,
        delta: float = 0.0,
    ) -> None:
        self.kind, self.name = loss, name
        self.given = checks.array(name, logits)
        more = checks.arrays({"target": target, "weight": weight, "sample_weight": sample_weight})
        target, weight, sample_weight = more.values()
        self.dtype = checks.result_dtype(self.given.dtype)
        self.compute = checks.kernel_dtype(self.dtype)
        self.logits = checks.scores(name, self.given, target)  # (N, C, d1, ...)
        self.rows = Rows(self.logits)
        self.reduction = checks.choice("reduction", reduction, ("mean", "sum", "none"))
        self.label_smoothing = checks.real("label_smoothing", label_smoothing, 0, 1)
        self.delta = checks.real("delta", delta)
        self.index, self.prob, self.n_targets = checks.target(
            target,
            name,
            self.given,
            self.rows,
            self.compute,
            ignore_index=checks.integer("ignore_index", ignore_index),
        )
        n_classes = self.logits.shape[1]
        self.weight = checks.weights(
            "weight", weight, n_classes, self.compute, "class", signed=True
        )
        self.sample_weight = checks.row_weights(
            sample_weight, self.rows, self.compute, relative=reduction == "mean"
        )
        #: what the gradient must not overlap, but for the logits
        self.inputs = {name: self.given, **more}

    def loss(self, n_threads: int | None) -> Any:
        """The reduced loss."""
        return self._run(None, self._threads(n_threads))

    def loss_with_grad(self, out: Array | None, n_threads: int | None) -> tuple[Any, Array]:
        """The reduced loss and its gradient with respect to the logits."""
        threads = self._threads(n_threads)
        shape, dtype = self.given.shape, self.dtype
        if out is not None:
            checks.out_array(out, shape, dtype, self.inputs, in_place=(self.name,))
        if out is not None and dtype == self.compute:
            return self._run(out if out.ndim > 1 else out[None], threads), out
        grad = np.empty_like(self.logits, self.compute, subok=False)  # the axes in their order
        loss = self._run(grad, threads)
        result = checks.native(grad.reshape(shape) if len(shape) == 1 else grad, dtype)
        if out is None:
            return loss, result
        out[...] = result
        return loss, out

    def _threads(self, n_threads: int | None) -> int:
        return threads.resolve(n_threads, self.logits.size * threads.NS_PER_LOGIT)

    def _run(self, grad: Array | None, n_threads: int) -> Any:
        """The reduced loss; and its gradient in `grad`, (N, C, d1, ...)."""
        normalizer = self.normalizer()
        losses = np.zeros(math.prod(self.rows.shape))
        if len(losses):
            kernels, logits = dispatch.kernels, checks.native(self.logits, self.compute)
            kernels.row_losses(
                kernels.LOSSES[self.kind],
                logits,
                self.index,
                self.prob,
                self.weight,
                self.sample_weight,
                1.0 / normalizer if normalizer else np.nan,
                self.label_smoothing,
                self.delta,
                grad,
                losses,
                self.rows.layout(logits, self.prob, grad),
                n_threads,
            )
        return self.reduced(losses, normalizer)

    def reduced(self, losses: Array, normalizer: float) -> Any:
        """What the caller asked for, of one loss for each row."""
        if self.sample_weight is not None:
            # 0 * inf is NaN, and past float64 is inf: results like others
            with np.errstate(invalid="ignore", over="ignore"):
                losses *= self.sample_weight
        if self.reduction == "none":
            rows = self.rows.shaped(checks.native(losses, self.dtype))
            return rows if self.given.ndim > 1 else rows[0]
        total: float = dispatch.kernels.total(losses)
        return total / normalizer if normalizer else np.nan

    def normalizer(self) -> float:
        """What the reduction divides by."""
        if self.reduction != "mean":
            return 1.0
        if self.index is None or self.weight is None:
            if self.sample_weight is None:
                return float(self.n_targets)
            if self.index is None:
                return float(self.sample_weight.sum(dtype=np.float64))
        aimed = self.index >= 0
        of_rows = aimed.astype(np.float64)
        if self.weight is not None:
            of_rows[aimed] = self.weight[self.index[aimed]]
        if self.sample_weight is not None:
            of_rows *= self.sample_weight
        return float(of_rows.sum())


# Logits, target, and in the order in which `Problem` takes them the options.
Given = tuple[Any, Any, Any, Any, Any, Any, Any, Any]


def loss(kind: str, name: str, given: Given, n_threads: int | None) -> Any:
    """The reduced loss of this kind; `name` is the logits' for the caller."""
    if normalizer := _plain_normalizer(*given):
        return _plain(kind, given, normalizer, None, n_threads)
    return Problem(kind, name, *given).loss(n_threads)


def loss_with_grad(
    kind: str, name: str, given: Given, out: Array | None, n_threads: int | None
) -> tuple[Any, Array]:
    """The same, and its gradient with respect to the logits."""
    normalizer = _plain_normalizer(*given)
    if not normalizer:
        return Problem(kind, name, *given).loss_with_grad(out, n_threads)
    logits, target = given[:2]
    if out is None:
        grad = np.empty_like(logits)
    else:
        inputs = {name: logits, "target": target}
        grad = checks.out_array(out, logits.shape, logits.dtype, inputs, in_place=(name,))
    return _plain(kind, given, normalizer, grad, n_threads), grad


def _plain_normalizer(
    logits: Any,
    target: Any,
    weight: Any,
    sample_weight: Any,
    ignore_index: Any,
    reduction: Any,
    label_smoothing: Any,
    delta: Any,
) -> float:
    """What the reduction divides by, of a contiguous matrix and indices or probabilities as plain.

    0 where there is more to it, an error included: `Problem` sees to that. It has the same bits,
    and takes 5 microseconds more, between two passes of a network 20.
    """
    if weight is not None or sample_weight is not None:
        return 0.0
    if type(logits) is not np.ndarray or type(target) is not np.ndarray:
        return 0.0
    shape, dtype, of_target = logits.shape, logits.dtype, target.shape
    if len(shape) != 2 or not 1 <= shape[1] <= MAX_CLASSES or dtype not in _PLAIN:
        return 0.0
    if reduction not in ("mean", "sum"):
        return 0.0
    for flags in logits.flags, target.flags:
        if not (flags.c_contiguous and flags.aligned):
            return 0.0
    if type(label_smoothing) is not float or not 0 <= label_smoothing <= 1:
        return 0.0
    if type(delta) is not float or not math.isfinite(delta):
        return 0.0
    if type(ignore_index) is not int or not -(2**63) <= ignore_index < 0:
        return 0.0
    left = float(shape[0])
    if of_target == shape[:1] and target.dtype is _INT64:
        row, ignored = dispatch.kernels.bad_label(target, None, shape[1], True, ignore_index)
        left = 0.0 if row >= 0 else left - ignored
    elif of_target != shape or target.dtype != dtype:
        return 0.0
    return left if reduction == "mean" or not left else 1.0


def _plain(
    kind: str, given: Given, normalizer: float, grad: Array | None, n_threads: int | None
) -> float:
    """The loss of such a matrix, and its gradient in `grad`."""
    logits, target, *_, label_smoothing, delta = given
    kernels, of_index = dispatch.kernels, target.ndim == 1
    # Not `empty`: memory that this thread has summed before is in its core's cache, where another
    # thread's losses have to take it from (200000 x 10, two threads, Zen 4: 1.2 to 1.3x).
    losses = np.zeros(len(logits))
    kernels.row_losses(
        kernels.LOSSES[kind],
        logits,
        target if of_index else None,
        None if of_index else target,
        None,
        None,
        1.0 / normalizer,
        label_smoothing,
        delta,
        grad,
        losses,
        None,
        threads.resolve(n_threads, logits.size * threads.NS_PER_LOGIT),
    )
    total: float = kernels.total(losses)
    return total / normalizer
