"""What both losses are made of: tensors as arrays, and gradients that wait in autograd's graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from csoftmax._native import threads
from csoftmax.torch.library import Tensor, forward_ad, torch

_PLAIN = (Tensor, torch.nn.Parameter)
_LARGE = 3e38  # of float32
_is_batched = torch._C._functorch.is_legacy_batchedtensor
_graph_is_kept = torch._C._autograd._get_current_graph_task_keep_graph
_is_recorded = torch._C._is_tracing
_n_modes = torch._C._len_torch_dispatch_stack
_transform = torch._C._functorch.peek_interpreter_stack


def array(tensor: Tensor | None) -> Any:
    """The memory of a tensor; of bfloat16, which NumPy does not have, a copy."""
    if tensor is None:
        return None
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy(force=True)


def as_tensor(loss: Any, like: np.ndarray[Any, Any]) -> Tensor:
    """A loss, or one for each row, of the dtype of the logits."""
    if isinstance(loss, float) and not abs(loss) < _LARGE:  # NumPy would warn
        return torch.from_numpy(np.array(loss)).to(torch.from_numpy(like).dtype)
    return torch.from_numpy(np.array(loss, like.dtype, order="C"))


def n_threads() -> int:
    """As many as PyTorch may use, and no more than csoftmax would."""
    return min(int(torch.get_num_threads()), threads.default())


def is_traced(tensor: Tensor) -> bool:
    """Whether this call is written down: by torch.compile, torch.jit.trace, a mode of dispatch.

    What is computed of the tensors' memory, beside the dispatcher, would be a constant there.
    """
    return (
        torch.compiler.is_compiling()
        or type(tensor) not in _PLAIN
        or _n_modes() > 0
        or _is_recorded()
    )


def refuse_transforms(*tensors: Tensor | None) -> None:
    """The tensors that torch.func's transforms hand over have no memory that could be read.

    Those of forward mode have, and a tangent beside it, which would be lost in silence.
    """
    if _transform() is not None or (
        forward_ad._current_level >= 0
        and any(t is not None and forward_ad.unpack_dual(t).tangent is not None for t in tensors)
    ):
        raise RuntimeError(
            "a loss of csoftmax.torch is called in a transform of torch.func (grad, vmap, jvp, "
            "...) or in forward mode: wanted backward() or torch.autograd.grad "
            "(torch.nn.functional's function of this name takes part in them)"
        )


def kept(ctx: Any, by: Tensor) -> tuple[Sequence[Tensor | None], bool]:
    """The gradients that wait, and whether they may be changed: nobody can ask for them again.

    Where they are given away they become somebody's `.grad`, without a copy. In a batch of backward
    passes (`is_grads_batched`) all of them ask at once: `by` is the loss's gradient in each.
    """
    grads, final = ctx.grads, not (_graph_is_kept() or _is_batched(by))
    if grads is None:
        raise RuntimeError(
            "a loss of csoftmax.torch is asked for its gradient a second time: "
            "wanted backward(retain_graph=True) the first time"
        )
    if final:
        ctx.grads = None
    return grads, final


def scaled(grad: Tensor | None, by: Tensor, in_place: bool = False) -> Tensor | None:
    """A gradient times that of the loss, which is 1 more often than not."""
    if grad is None:
        return None
    if by.dim():
        by = by.unsqueeze(1)
    elif in_place and by.item() == 1:
        return grad
    return grad.mul_(by) if in_place else grad * by


def refuse_create_graph() -> None:
    """A derivative of these gradients would be 0 in silence: they are numbers, and no graph."""
    if torch.is_grad_enabled():
        raise RuntimeError(
            "a loss of csoftmax.torch has no second derivative: wanted create_graph=False"
        )


def save_grads(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    """Of an operator whose results are the loss and its gradients."""
    ctx.mark_non_differentiable(*output[1:])
    ctx.save_for_backward(*output[1:])
