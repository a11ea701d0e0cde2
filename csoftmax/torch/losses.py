"""The losses as functions: what they take, and what they refuse."""

from __future__ import annotations

from collections.abc import Sequence

from csoftmax._types import Reduction
from csoftmax.torch import layer, logits
from csoftmax.torch.library import Tensor, legacy_get_string, torch

_NARROW = (torch.float16, torch.bfloat16)  # computed in float32
_FLOATS = (torch.float32, torch.float64, *_NARROW)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """`torch.nn.functional.cross_entropy` of tensors on the CPU, in one pass over them.

        L_i = sum_c u_ic (logsumexp(z_i) - z_ic),        u_ic = weight_c ((1 - eps) t_ic + eps / C)

    with z the input, eps the label smoothing, and t_i the target probabilities, or the one-hot
    vector of the target index y_i, whose weight is then that of the class y_i.

    Parameters
    ----------
    input : (N, C), (N, C, d1, ...) or (C,) Tensor
        Logits of float32 or float64, of any strides; float16 and bfloat16 are computed in float32.
    target : (N,) or (N, d1, ...) Tensor, or of the input's shape; () or (C,) for one row
        Class indices of an integer type, or probabilities of a floating one.
    weight : (C,) Tensor, optional
        Weights of the classes, finite.
    size_average, reduce : bool, optional
        Deprecated by PyTorch: they choose the reduction, with its warning.
    ignore_index : int, optional
        Rows with this target index count nothing.
    reduction : {"mean", "sum", "none"}, optional
        As in PyTorch: the mean of class indices is weighted by their classes' weights.
    label_smoothing : float, optional
        eps, from 0 to 1.

    Returns
    -------
    Tensor
        The loss, of the input's dtype; under `torch.autocast` float32 at least, as PyTorch's.

    Raises
    ------
    TypeError, ValueError
        For tensors that are not on the CPU or not dense, dtypes that are no floats, shapes that do
        not fit, indices that are no class (their place is named), weights that are not finite,
        options out of range; and for a target or weight that requires a gradient: there is none.
    RuntimeError
        In a transform of `torch.func` (grad, vmap, jvp, ...) or in forward mode, and for a second
        derivative.

    See Also
    --------
    CrossEntropyLoss : The same as a module.
    linear_cross_entropy : With the layer before it, without storing the logits.
    csoftmax.cross_entropy_with_grad : The same of arrays.

    Notes
    -----
    The gradient is made in the forward pass, if the input requires one, and scaled in place by the
    backward pass, which gives it away unless the graph is retained. There is no second derivative.
    `torch.get_num_threads()` is the most threads, and csoftmax's own default; no bit depends on
    their number. NaN and infinities are as in PyTorch. In `torch.compile` it is one operator.

    Examples
    --------
    >>> import torch
    >>> from csoftmax.torch import cross_entropy
    >>> logits = torch.zeros(2, 4, requires_grad=True)
    >>> loss = cross_entropy(logits, torch.tensor([3, 0]))
    >>> loss.backward()
    >>> logits.grad
    tensor([[ 0.1250,  0.1250,  0.1250, -0.3750],
            [-0.3750,  0.1250,  0.1250,  0.1250]])
    """
    if size_average is not None or reduce is not None:
        reduction = legacy_get_string(size_average, reduce)
    _check((("input", input), ("target", target), ("weight", weight)), 1)
    _check_target(target, input.shape)
    options = target, weight, ignore_index, reduction, label_smoothing
    if input.dtype not in _NARROW:
        return logits.cross_entropy(input, *options)
    loss = logits.cross_entropy(input.float(), *options, in_place=True)
    return loss if torch.is_autocast_enabled("cpu") else loss.to(input.dtype)


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: Reduction = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: None = None,
) -> Tensor:
    """`torch.nn.functional.linear_cross_entropy` on the CPU, which never has the logits at once.

        loss = cross_entropy(input @ linear_weight.T + linear_bias, target, ...)

    Parameters
    ----------
    input : (N, D) or (D,) Tensor
        Rows of features.
    linear_weight : (C, D) Tensor
        As that of `torch.nn.Linear`; or (C, d1, ..., D), a linear layer for each place of d1, ...
    target : (N,) or (N, d1, ...) Tensor, or (N, C, d1, ...); () or (C,) for one row
        Class indices, or probabilities.
    linear_bias : (C,) or (C, d1, ...) Tensor, optional
        Added to the logits.
    weight, reduction, label_smoothing
        As for `cross_entropy`.
    ignore_index : int, optional
        Rows with this target index count nothing; None: -100. Not with probabilities.
    options : None
        How PyTorch would cut the rows. Here they always come in blocks.

    Returns
    -------
    Tensor
        The loss, as that of `cross_entropy`.

    Raises
    ------
    TypeError, ValueError
        As `cross_entropy`; for dtypes that differ (outside of `torch.autocast`), and for options.
    RuntimeError
        As `cross_entropy`.

    See Also
    --------
    LinearCrossEntropyLoss : The same as a module, with its layer.
    cross_entropy : Of given logits.
    csoftmax.reference.linear_cross_entropy : The definition.

    Notes
    -----
    Scores of up to 256 rows are held at a time, 48 MiB at most where that is more than 32 rows.
    The gradients of the input, of linear_weight and of linear_bias, those that are required, are
    made from them in the forward pass; with reduction "none" in the backward pass, from scores that
    are computed again. Autocasting leaves it in float32. Everything else is as for `cross_entropy`.

    Examples
    --------
    >>> import torch
    >>> from csoftmax.torch import linear_cross_entropy
    >>> head = torch.nn.Linear(8, 1000, bias=False)
    >>> loss = linear_cross_entropy(torch.zeros(5, 8), head.weight, torch.arange(5))
    >>> round(loss.item(), 3)  # log(1000)
    6.908
    """
    tensors = (("input", input), ("linear_weight", linear_weight), ("linear_bias", linear_bias))
    _check((*tensors, ("target", target), ("weight", weight)), len(tensors))
    if options is not None:
        raise ValueError(
            f"options is {options!r}: wanted None, for rows always come in blocks here"
        )
    _check_layer(input.shape, linear_weight.shape, linear_bias)
    shape = input.shape[:-1] + linear_weight.shape[:-1]
    _check_target(target, shape)
    if ignore_index is not None and target.shape == shape:
        raise ValueError(
            f"ignore_index is {ignore_index}, but target is probabilities: "
            "wanted class indices with it"
        )
    dtype, autocast = input.dtype, torch.is_autocast_enabled("cpu")
    for name, tensor in tensors[1:]:
        if tensor is not None and tensor.dtype != dtype and not autocast:
            raise TypeError(f"{name} has dtype {tensor.dtype}: wanted that of input, {dtype}")
    wide = torch.float64 if dtype == torch.float64 and not autocast else torch.float32
    loss = layer.cross_entropy(
        *(None if tensor is None else tensor.to(wide) for _, tensor in tensors),
        target,
        weight,
        -100 if ignore_index is None else ignore_index,
        reduction,
        label_smoothing,
    )
    return loss if autocast else loss.to(dtype)


def _check(named: Sequence[tuple[str, Tensor | None]], n_free: int) -> None:
    """Refuse what is no dense tensor on the CPU; of all but the first, what wants a gradient."""
    for at, (name, tensor) in enumerate(named):
        if tensor is None and at:
            continue
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name} is a {type(tensor).__name__}: wanted a torch.Tensor")
        if not tensor.is_cpu or tensor.layout is not torch.strided or tensor.is_nested:
            kind = "nested" if tensor.is_nested else tensor.layout
            raise ValueError(
                f"{name} is a {kind} tensor on {tensor.device}: wanted a strided one on "
                "the CPU (torch.nn.functional's function of this name takes others)"
            )
        if at < n_free:
            if tensor.dtype not in _FLOATS:
                target = named[n_free][1]
                swapped = isinstance(target, Tensor) and target.dtype in _FLOATS and not at
                raise TypeError(
                    f"{name} has dtype {tensor.dtype}: wanted {', '.join(map(str, _FLOATS))}"
                    f"{' (it and target seem swapped)' if swapped else ''}"
                )
        elif tensor.requires_grad and torch.is_grad_enabled():
            raise ValueError(
                f"{name} requires a gradient, which is not computed here: wanted {name}.detach() "
                "(torch.nn.functional's function of this name computes it)"
            )


def _check_target(target: Tensor, logits: Sequence[int]) -> None:
    """Probabilities, of the logits' shape, are floats, and class indices are not."""
    floats = target.is_floating_point()
    if (not floats) if target.shape == logits else floats:
        raise TypeError(
            f"target has dtype {target.dtype} and shape {tuple(target.shape)}: wanted class "
            f"indices of an integer dtype, or floats of the logits' shape {tuple(logits)}"
        )


def _check_layer(rows: Sequence[int], layer: Sequence[int], bias: Tensor | None) -> None:
    """A linear layer has the rows' features; it has places only for rows that are several."""
    if not (len(rows) in (1, 2) and len(layer) >= 2 and (len(rows) == 2 or len(layer) == 2)):
        raise ValueError(
            f"input has shape {tuple(rows)} and linear_weight {tuple(layer)}: "
            "wanted (N, D) and (C, d1, ..., D), or (D,) and (C, D)"
        )
    if rows[-1] != layer[-1]:
        raise ValueError(
            f"input has {rows[-1]} features and linear_weight {layer[-1]}: wanted as many"
        )
    if bias is not None and bias.shape != layer[:-1]:
        raise ValueError(f"linear_bias has shape {tuple(bias.shape)}: wanted {tuple(layer[:-1])}")
