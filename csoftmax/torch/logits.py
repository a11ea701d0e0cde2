"""The cross-entropy of logits: in autograd's graph, and as an operator for torch.compile."""

from __future__ import annotations

from typing import Any

from csoftmax._native import row_losses
from csoftmax.torch import graph
from csoftmax.torch.library import Tensor, torch


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
    in_place: bool = False,
) -> Tensor:
    """The loss of float32 or float64 logits; `in_place`: whose memory may take the gradient."""
    wanted = input.requires_grad and torch.is_grad_enabled()
    options = target, weight, ignore_index, reduction, label_smoothing
    if graph.is_traced(input):
        return _operator(input, *options, wanted)[0]
    graph.refuse_transforms(input, target, weight)
    if wanted:
        return _CrossEntropy.apply(input, options, in_place)
    return _computed(input, *options)[0]


def _computed(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
    *,
    into: Tensor | None = None,
    wanted: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """The loss, and its gradient, if wanted: in the memory of `into`, or in its own."""
    logits, n_threads = graph.array(input), graph.n_threads()
    arrays = logits, graph.array(target), graph.array(weight), None
    given = *arrays, ignore_index, reduction, label_smoothing, 0.0
    if not wanted:
        loss: Any = row_losses.loss("cross_entropy", "input", given, n_threads)
        return graph.as_tensor(loss, logits), None
    out = logits if into is input else graph.array(into)
    loss, grad = row_losses.loss_with_grad("cross_entropy", "input", given, out, n_threads)
    return graph.as_tensor(loss, logits), torch.from_numpy(grad)


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, options: tuple[Any, ...], in_place: bool) -> Tensor:
        loss, *ctx.grads = _computed(input, *options, into=input if in_place else None, wanted=True)
        return loss

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        graph.refuse_create_graph()
        (grad,), final = graph.kept(ctx, grad_output)
        return graph.scaled(grad, grad_output, final), None, None


@torch.library.custom_op("csoftmax::cross_entropy", mutates_args=())
def _operator(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
    wanted: bool,
) -> tuple[Tensor, Tensor]:
    options = target, weight, ignore_index, reduction, label_smoothing
    if not wanted:
        return _computed(input, *options)[0], input.new_empty(0)
    grad = torch.empty_like(input)  # as the fake one lies in memory
    return _computed(input, *options, into=grad, wanted=True)[0], grad


@_operator.register_fake
def _(
    input: Tensor, target: Tensor, weight: Any, ignore_index: int, reduction: str, *others: Any
) -> tuple[Tensor, Tensor]:
    rows = input.shape[:1] + input.shape[2:] if input.dim() > 1 else ()
    loss = input.new_empty(rows if reduction == "none" else ())
    return loss, torch.empty_like(input) if others[-1] else input.new_empty(0)


def _backward(ctx: Any, grad_output: Tensor, _: Tensor | None) -> tuple[Tensor | None, ...]:
    graph.refuse_create_graph()
    return graph.scaled(ctx.saved_tensors[0], grad_output), *[None] * 6


_operator.register_autograd(_backward, setup_context=graph.save_grads)
