"""The losses as modules: PyTorch's own, with another `forward`."""

from __future__ import annotations

from csoftmax.torch import library
from csoftmax.torch.library import Tensor
from csoftmax.torch.losses import cross_entropy, linear_cross_entropy


class CrossEntropyLoss(library.CrossEntropyLoss):
    """`torch.nn.CrossEntropyLoss` on the CPU: the same arguments, `cross_entropy` in `forward`.

    Parameters
    ----------
    weight, size_average, ignore_index, reduce, reduction, label_smoothing
        As of `torch.nn.CrossEntropyLoss`.

    See Also
    --------
    cross_entropy : The same as a function.
    LinearCrossEntropyLoss : With the layer before it.

    Examples
    --------
    >>> import torch
    >>> from csoftmax.torch import CrossEntropyLoss
    >>> loss = CrossEntropyLoss(label_smoothing=0.1)
    >>> round(loss(torch.zeros(2, 10), torch.tensor([3, 1])).item(), 6)
    2.302585
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of logits."""
        return cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class LinearCrossEntropyLoss(library.LinearCrossEntropyLoss):
    """`torch.nn.LinearCrossEntropyLoss` on the CPU, by `linear_cross_entropy`: no stored logits.

    The arguments are the same; `linear` is its layer, so that the states of both fit each other.

    See Also
    --------
    linear_cross_entropy : The same as a function.
    CrossEntropyLoss : Of given logits.

    Examples
    --------
    >>> import torch
    >>> from csoftmax.torch import LinearCrossEntropyLoss
    >>> head = LinearCrossEntropyLoss(64, 50257, bias=True)
    >>> head(torch.randn(8, 64), torch.arange(8)).backward()
    >>> head.linear.weight.grad.shape
    torch.Size([50257, 64])
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of rows of features."""
        weight, bias = self.linear.weight, self.linear.bias
        shape = (self.num_classes, *self.out_features)
        return linear_cross_entropy(
            input,
            weight.reshape(*shape, weight.shape[-1]),
            target,
            linear_bias=None if bias is None else bias.reshape(shape),
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            options=self.options,
        )
