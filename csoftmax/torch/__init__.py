"""PyTorch's cross-entropy on the CPU, computed by csoftmax: functions and modules, with autograd.

`cross_entropy`, `linear_cross_entropy`, `CrossEntropyLoss` and `LinearCrossEntropyLoss` have the
names, arguments and results of those in `torch.nn.functional` and `torch.nn`. The gradient is made
in the same pass as the loss, where one is wanted. docs/pytorch.md says what differs.
"""

import typing as _typing

from csoftmax._lazy import on_first_use as _on_first_use

if _typing.TYPE_CHECKING:
    from csoftmax.torch.losses import cross_entropy, linear_cross_entropy
    from csoftmax.torch.modules import CrossEntropyLoss, LinearCrossEntropyLoss

__all__ = ["CrossEntropyLoss", "LinearCrossEntropyLoss", "cross_entropy", "linear_cross_entropy"]

if not _typing.TYPE_CHECKING:  # type checkers would take any name
    __getattr__ = _on_first_use(
        __name__,
        {
            "CrossEntropyLoss": "csoftmax.torch.modules",
            "LinearCrossEntropyLoss": "csoftmax.torch.modules",
            "cross_entropy": "csoftmax.torch.losses",
            "linear_cross_entropy": "csoftmax.torch.losses",
        },
    )


def __dir__() -> list[str]:
    return __all__
