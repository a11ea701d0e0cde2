"""What comes from PyTorch: its only import."""

from __future__ import annotations

try:
    import torch
    from torch import Tensor
    from torch.autograd import forward_ad
    from torch.nn import CrossEntropyLoss, LinearCrossEntropyLoss  # the second came with 2.13
    from torch.nn._reduction import legacy_get_string
except ImportError as error:
    raise ImportError(
        "csoftmax.torch needs PyTorch 2.13 or later: pip install 'torch>=2.13'"
    ) from error

__all__ = [
    "CrossEntropyLoss",
    "LinearCrossEntropyLoss",
    "Tensor",
    "forward_ad",
    "legacy_get_string",
    "torch",
]
