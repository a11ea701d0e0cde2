"""The course's linear classifiers, their losses, and (`fc_net`, `neural_net`) its networks."""

import typing as _typing

from csoftmax._lazy import on_first_use as _on_first_use
from csoftmax.cs231n.classifiers import linear_svm, softmax
from csoftmax.cs231n.classifiers.linear_classifier import LinearClassifier, LinearSVM, Softmax
from csoftmax.cs231n.classifiers.linear_svm import svm_loss_naive, svm_loss_vectorized
from csoftmax.cs231n.classifiers.softmax import softmax_loss_naive, softmax_loss_vectorized

__all__ = [
    "LinearClassifier",
    "LinearSVM",
    "Softmax",
    "linear_svm",
    "softmax",
    "softmax_loss_naive",
    "softmax_loss_vectorized",
    "svm_loss_naive",
    "svm_loss_vectorized",
]

if _typing.TYPE_CHECKING:  # else type checkers would take any name
    from csoftmax.cs231n.classifiers import fc_net as fc_net
    from csoftmax.cs231n.classifiers import neural_net as neural_net
else:
    __getattr__ = _on_first_use(
        __name__, {name: f"{__name__}.{name}" for name in ("fc_net", "neural_net")}
    )


def __dir__() -> list[str]:
    return sorted({*__all__, "fc_net", "linear_classifier", "neural_net"})
