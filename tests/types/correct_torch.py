"""Uses of csoftmax.torch without a mistake."""

import torch

from csoftmax.torch import CrossEntropyLoss, cross_entropy, linear_cross_entropy

Z = torch.zeros(4, 3, requires_grad=True)
Y = torch.tensor([0, 1, 2, 0])
HEAD = torch.nn.Linear(3, 3)


def losses() -> None:
    cross_entropy(Z, Y, reduction="sum", label_smoothing=0.1).backward()
    cross_entropy(Z, Y, reduction="none").sum().backward()
    linear_cross_entropy(Z, HEAD.weight, Y, linear_bias=HEAD.bias).backward()
    CrossEntropyLoss(label_smoothing=0.1)(Z, Y).backward()
