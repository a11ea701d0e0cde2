"""Softmax, its losses and its linear models on a CPU: compiled, in one pass over the data.

Rows of logits (as `scipy.special`): `softmax`, `log_softmax`, `logsumexp`, `softmax_backward`.
Losses on logits (as `torch.nn.functional`): `cross_entropy`, `multiclass_hinge`, and both with
their gradient. Losses of linear models (as the course CS231n): `softmax_loss`, `svm_loss`;
`linear_predict`, `linear_predict_proba`. What they compute, in plain NumPy: `csoftmax.reference`.
The estimator (as `sklearn.linear_model.LogisticRegression`): `SoftmaxClassifier`,
the options of its mini-batches, `SGD`, and as LogisticRegressionCV: `SoftmaxClassifierCV`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from csoftmax._config import show_config
from csoftmax.functional import (
    cross_entropy,
    cross_entropy_with_grad,
    log_softmax,
    logsumexp,
    multiclass_hinge,
    multiclass_hinge_with_grad,
    softmax,
    softmax_backward,
)
from csoftmax.linear import linear_predict, linear_predict_proba, softmax_loss, svm_loss

if TYPE_CHECKING:
    from csoftmax._sgd import SGD as SGD
    from csoftmax.classifier import SoftmaxClassifier as SoftmaxClassifier
    from csoftmax.classifier_cv import SoftmaxClassifierCV as SoftmaxClassifierCV

__version__ = "0.1.0"

__all__ = [
    "cross_entropy",
    "cross_entropy_with_grad",
    "linear_predict",
    "linear_predict_proba",
    "log_softmax",
    "logsumexp",
    "multiclass_hinge",
    "multiclass_hinge_with_grad",
    "show_config",
    "softmax",
    "softmax_backward",
    "softmax_loss",
    "svm_loss",
]

#: What needs more than NumPy, and where it is: imported when it is asked for. Not in __all__:
#: `from csoftmax import *` works without.
_ON_DEMAND = {
    "SGD": "csoftmax._sgd",
    "SoftmaxClassifier": "csoftmax.classifier",
    "SoftmaxClassifierCV": "csoftmax.classifier_cv",
}


def __getattr__(name: str) -> Any:
    if name not in _ON_DEMAND:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ON_DEMAND[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_ON_DEMAND})
