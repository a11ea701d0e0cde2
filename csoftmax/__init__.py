"""Softmax, its losses and its linear models on a CPU: compiled, in one pass over the data.

Rows of logits (as `scipy.special`): `softmax`, `log_softmax`, `logsumexp`, `softmax_backward`.
Losses on logits (as `torch.nn.functional`): `cross_entropy`, `multiclass_hinge`, and both with
their gradient. Losses of linear models (as the course CS231n): `softmax_loss`, `svm_loss`;
`linear_predict`, `linear_predict_proba`, `linear_top_k`. What they compute, in plain NumPy:
`csoftmax.reference`.
The estimator (as `sklearn.linear_model.LogisticRegression`): `SoftmaxClassifier`,
the options of its mini-batches, `SGD`, and as LogisticRegressionCV: `SoftmaxClassifierCV`.
`save_model` and `load_model`: fitted models in files, which predict without scikit-learn, too.

Submodules, each imported when it is first used: `cs231n` (the course's names), `datasets`
(readers of files), `dask` (the estimator on a cluster), `torch` (losses for PyTorch), `boosting`
(objectives for XGBoost and LightGBM), `search` (many models at once), `models` and `prediction`
(what is saved, and predicts without scikit-learn), `reference` (the definitions in NumPy),
`solvers`, `sources` (rows that are not in memory), `tabular` (models of tables), `evaluation` (how
good predictions are), `report` (pages), `worksheet`, `plot`, `bench`.
"""

import typing as _typing
from importlib.util import find_spec as _find_spec

from csoftmax._lazy import on_first_use as _on_first_use
from csoftmax._native.startup import one_line_for_commands as _one_line_for_commands
from csoftmax._version import __version__ as __version__

with _one_line_for_commands():
    from csoftmax._native.config import show_config
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
    from csoftmax.linear import (
        linear_predict,
        linear_predict_proba,
        linear_top_k,
        softmax_loss,
        svm_loss,
    )

if _typing.TYPE_CHECKING:
    from csoftmax import bench as bench
    from csoftmax import boosting as boosting
    from csoftmax import cli as cli
    from csoftmax import cs231n as cs231n
    from csoftmax import dask as dask
    from csoftmax import datasets as datasets
    from csoftmax import estimators as estimators
    from csoftmax import evaluation as evaluation
    from csoftmax import models as models
    from csoftmax import plot as plot
    from csoftmax import prediction as prediction
    from csoftmax import reference as reference
    from csoftmax import report as report
    from csoftmax import search as search
    from csoftmax import solvers as solvers
    from csoftmax import sources as sources
    from csoftmax import tabular as tabular
    from csoftmax import torch as torch
    from csoftmax import worksheet as worksheet
    from csoftmax.estimators import SoftmaxClassifier, SoftmaxClassifierCV
    from csoftmax.models import load_model as load_model
    from csoftmax.models import save_model as save_model
    from csoftmax.solvers import SGD

__all__ = [
    "cross_entropy",
    "cross_entropy_with_grad",
    "linear_predict",
    "linear_predict_proba",
    "linear_top_k",
    "load_model",
    "log_softmax",
    "logsumexp",
    "multiclass_hinge",
    "multiclass_hinge_with_grad",
    "save_model",
    "show_config",
    "softmax",
    "softmax_backward",
    "softmax_loss",
    "svm_loss",
]
if _find_spec("sklearn"):  # so that `from csoftmax import *` works without
    __all__ += ["SGD", "SoftmaxClassifier", "SoftmaxClassifierCV"]

#: What is imported when it is first used, and where it is.
_ON_DEMAND = {
    "SGD": "csoftmax.solvers",
    "SoftmaxClassifier": "csoftmax.estimators",
    "SoftmaxClassifierCV": "csoftmax.estimators",
    "bench": "csoftmax.bench",
    "boosting": "csoftmax.boosting",
    "cli": "csoftmax.cli",
    "cs231n": "csoftmax.cs231n",
    "dask": "csoftmax.dask",
    "datasets": "csoftmax.datasets",
    "estimators": "csoftmax.estimators",
    "evaluation": "csoftmax.evaluation",
    "load_model": "csoftmax.models",
    "models": "csoftmax.models",
    "plot": "csoftmax.plot",
    "prediction": "csoftmax.prediction",
    "reference": "csoftmax.reference",
    "report": "csoftmax.report",
    "save_model": "csoftmax.models",
    "search": "csoftmax.search",
    "solvers": "csoftmax.solvers",
    "sources": "csoftmax.sources",
    "tabular": "csoftmax.tabular",
    "torch": "csoftmax.torch",
    "worksheet": "csoftmax.worksheet",
}
if not _typing.TYPE_CHECKING:  # type checkers would take any name
    __getattr__ = _on_first_use(__name__, _ON_DEMAND)


def __dir__() -> list[str]:
    return sorted({*__all__, *_ON_DEMAND, "__version__", "functional", "linear"})
