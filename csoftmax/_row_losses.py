"""Losses on logits, whichever they are: from the caller's arguments to the kernel and back."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from csoftmax import _checks, _dispatch, _threads

Array = npt.NDArray[Any]


class Options(NamedTuple):
    """What the losses share, as the caller gave it."""

    loss: str
    weight: npt.ArrayLike | None
    sample_weight: npt.ArrayLike | None
    ignore_index: int
    reduction: str
    label_smoothing: float
    delta: float = 0.0


class _Problem:
    """A loss on logits, checked and in the kernels' terms."""

    def __init__(
        self, name: str, logits: npt.ArrayLike, target: npt.ArrayLike, options: Options
    ) -> None:
        self.given = _checks.array(name, logits)
        self.dtype = _checks.result_dtype(self.given)
        compute = _checks.kernel_dtype(self.dtype)
        self.options = options
        self.logits = _checks.scores(name, self.given)
        n_rows, n_classes = self.logits.shape
        _checks.choice("reduction", options.reduction, ("mean", "sum", "none"))
        self.label_smoothing = _checks.real("label_smoothing", options.label_smoothing, 0, 1)
        self.delta = _checks.real("delta", options.delta)
        self.index, self.prob, self.n_targets = _checks.target(
            target,
            self.logits.shape,
            compute,
            one_row=self.given.ndim == 1,
            ignore_index=_checks.integer("ignore_index", options.ignore_index),
        )
        self.weight = _checks.weights("weight", options.weight, n_classes, compute, "class")
        self.sample_weight = _checks.weights(
            "sample_weight",
            options.sample_weight,
            n_rows,
            compute,
            "row",
            relative=options.reduction == "mean",
        )

    def normalizer(self) -> float:
        """What a mean divides by."""
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

    def run(self, grad: Array | None, n_threads: int) -> Any:
        """The reduced loss; and its gradient in `grad`, (N, C)."""
        mean = self.options.reduction == "mean"
        normalizer = self.normalizer() if mean else 1.0
        losses = np.zeros(len(self.logits))
        if len(losses):
            z = _checks.native(self.logits, _checks.kernel_dtype(self.dtype))
            _dispatch.kernel("row_losses", z.dtype.char)(
                _dispatch.constant("LOSSES")[self.options.loss],
                z[:, :, None],
                self.index,
                self.prob,
                self.weight,
                self.sample_weight,
                1.0 / normalizer if normalizer else np.nan,
                self.label_smoothing,
                self.delta,
                None if grad is None else grad[:, :, None],
                losses,
                n_threads,
            )
        # 0 * inf is NaN, and a loss past float16 is inf: results like others
        with np.errstate(invalid="ignore", over="ignore"):
            if self.sample_weight is not None:
                losses *= self.sample_weight
            if self.options.reduction == "none":
                rows = losses.astype(self.dtype)
                return rows if self.given.ndim == 2 else rows[0]
        total = float(losses.sum())
        if not mean:
            return total
        return total / normalizer if normalizer else np.nan

    def threads(self, n_threads: int | None) -> int:
        """How many threads to use."""
        return _threads.resolve(n_threads, self.logits.size * _threads.NS_PER_LOGIT)


def loss(
    name: str,
    logits: npt.ArrayLike,
    target: npt.ArrayLike,
    options: Options,
    n_threads: int | None,
) -> Any:
    """The loss of `logits`, which the caller knows as `name`."""
    problem = _Problem(name, logits, target, options)
    return problem.run(None, problem.threads(n_threads))


def loss_with_grad(
    name: str,
    logits: npt.ArrayLike,
    target: npt.ArrayLike,
    options: Options,
    out: Array | None,
    n_threads: int | None,
) -> tuple[Any, Array]:
    """The loss and its gradient with respect to the logits."""
    problem = _Problem(name, logits, target, options)
    threads = problem.threads(n_threads)
    given, dtype = problem.given, problem.dtype
    if out is not None:
        inputs = {
            name: given,
            "target": target,
            "weight": options.weight,
            "sample_weight": options.sample_weight,
        }
        _checks.out_array(out, given.shape, dtype, inputs, in_place=(name,))
    compute = _checks.kernel_dtype(dtype)
    direct = out is not None and dtype == compute
    grad = out if out is not None and direct else np.empty(given.shape, compute)
    loss = problem.run(_checks.scores(name, grad), threads)
    if out is None:
        return loss, _checks.native(grad, dtype)
    if not direct:
        out[...] = _checks.native(grad, dtype)
    return loss, out
