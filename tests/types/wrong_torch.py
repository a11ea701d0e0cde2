"""Mistakes with csoftmax.torch."""

import torch

import csoftmax
from csoftmax.torch import cross_entropy, linear_cross_entropy

Z = torch.zeros(4, 3)
Y = torch.tensor([0, 1, 2, 0])


def losses() -> None:
    cross_entropy(Z, Y, reduction="avg")  # error
    cross_entropy(Z, Y, reductions="sum")  # error
    linear_cross_entropy(Z, Z, Y, reduction="avg")  # error
    csoftmax.torch.crossentropy(Z, Y)  # error
