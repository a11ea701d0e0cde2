"""The cross-entropy of a linear layer: in autograd's graph, and as operators for torch.compile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from csoftmax._native.layer import Layer
from csoftmax.torch import graph
from csoftmax.torch.library import Tensor, torch

_NOTHING = (False, False, False)


def cross_entropy(*arguments: Any) -> Tensor:
    """The loss of float32 or float64 tensors; for the arguments see `_computed`."""
    in_graph = torch.is_grad_enabled()
    wanted = [in_graph and t is not None and t.requires_grad for t in arguments[:3]]
    if graph.is_traced(arguments[0]):
        return _operator(*arguments, _NOTHING if arguments[6] == "none" else wanted)[0]
    graph.refuse_transforms(*arguments[:5])
    if any(wanted):
        return _LinearCrossEntropy.apply(*arguments)
    return _computed(*arguments, wanted=_NOTHING)[0]


def _computed(
    input: Tensor,
    linear_weight: Tensor,
    linear_bias: Tensor | None,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
    *,
    wanted: Sequence[bool],
    grad_output: Tensor | None = None,
) -> tuple[Tensor, list[Tensor | None]]:
    """The loss, and those of the first three tensors' gradients that are wanted."""
    X, W, bias, y, w = map(graph.array, (input, linear_weight, linear_bias, target, weight))
    layer = Layer(X, W, bias, y, w, ignore_index, reduction, label_smoothing)
    loss, grads = layer.loss_with_grads(wanted, graph.n_threads(), graph.array(grad_output))
    return graph.as_tensor(loss, X), [g if g is None else torch.from_numpy(g) for g in grads]


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> Tensor:
        if arguments[6] == "none":
            _save_inputs(ctx, arguments)
            return _computed(*arguments, wanted=_NOTHING)[0]
        ctx.later = False
        loss, ctx.grads = _computed(*arguments, wanted=ctx.needs_input_grad[:3])
        return loss

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        graph.refuse_create_graph()
        if ctx.later:
            return _later(ctx, grad_output)
        grads, final = graph.kept(ctx, grad_output)
        return *(graph.scaled(grad, grad_output, final) for grad in grads), *[None] * 5


@torch.library.custom_op("csoftmax::linear_cross_entropy", mutates_args=())
def _operator(
    input: Tensor,
    linear_weight: Tensor,
    linear_bias: Tensor | None,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
    wanted: Sequence[bool],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    arguments = input, linear_weight, linear_bias, target, weight
    options = ignore_index, reduction, label_smoothing
    loss, grads = _computed(*arguments, *options, wanted=wanted)
    return loss, *_present(grads, input)


@torch.library.custom_op("csoftmax::linear_cross_entropy_backward", mutates_args=())
def _grads_operator(
    grad_output: Tensor,
    input: Tensor,
    linear_weight: Tensor,
    linear_bias: Tensor | None,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    label_smoothing: float,
    wanted: Sequence[bool],
) -> tuple[Tensor, Tensor, Tensor]:
    arguments = input, linear_weight, linear_bias, target, weight
    options = ignore_index, "sum", label_smoothing
    grads = _computed(*arguments, *options, wanted=wanted, grad_output=grad_output)[1]
    return _present(grads, input)


def _present(grads: Sequence[Tensor | None], like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """An operator's results are tensors: empty ones where there is none."""
    first, second, third = (like.new_empty(0) if grad is None else grad for grad in grads)
    return first, second, third


def _like(tensors: Sequence[Any], wanted: Sequence[bool]) -> tuple[Tensor, Tensor, Tensor]:
    """The shapes of the gradients."""
    shapes = (t.shape if want else (0,) for t, want in zip(tensors, wanted, strict=True))
    first, second, third = (tensors[0].new_empty(shape) for shape in shapes)
    return first, second, third


@_operator.register_fake
def _(input: Tensor, linear_weight: Tensor, *others: Any) -> tuple[Tensor, ...]:
    linear_bias, reduction, wanted = others[0], others[4], others[6]
    rows = input.shape[:-1] + linear_weight.shape[1:-1]
    loss = input.new_empty(rows if reduction == "none" else ())
    return loss, *_like((input, linear_weight, linear_bias), wanted)


@_grads_operator.register_fake
def _(grad_output: Tensor, *others: Any) -> tuple[Tensor, Tensor, Tensor]:
    return _like(others[:3], others[-1])


def _save_inputs(ctx: Any, arguments: Sequence[Any]) -> None:
    """For gradients that are made in the backward pass."""
    ctx.later = True
    ctx.save_for_backward(*arguments[:5])
    ctx.options = arguments[5], arguments[7]


def _later(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
    wanted = ctx.needs_input_grad[:3]
    grads = _grads_operator(grad_output, *ctx.saved_tensors, *ctx.options, wanted)
    return *_where(wanted, grads), *[None] * (len(ctx.needs_input_grad) - 3)


def _where(wanted: Sequence[bool], grads: Sequence[Tensor]) -> list[Tensor | None]:
    return [grad if want else None for grad, want in zip(grads, wanted, strict=True)]


def _setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    if inputs[6] == "none":
        ctx.mark_non_differentiable(*output[1:])
        _save_inputs(ctx, inputs)
    else:
        ctx.later = False
        graph.save_grads(ctx, inputs, output)


def _backward(ctx: Any, grad_output: Tensor, *_: Tensor | None) -> tuple[Tensor | None, ...]:
    graph.refuse_create_graph()
    if ctx.later:
        return _later(ctx, grad_output)
    grads = _where(ctx.needs_input_grad[:3], ctx.saved_tensors)
    return *(graph.scaled(grad, grad_output) for grad in grads), *[None] * 6


_operator.register_autograd(_backward, setup_context=_setup)
