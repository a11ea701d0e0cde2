"""Estimators as contents of a file, and back: the estimator again, or a model that predicts."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from csoftmax._native import checks
from csoftmax._native.csr import Csr
from csoftmax.datasets._files import brief
from csoftmax.models import layout, values
from csoftmax.models.layout import Leaf
from csoftmax.prediction import LinearModel

Array = npt.NDArray[Any]


class Contents(NamedTuple):
    """What the file of a model holds."""

    arrays: dict[str, Array]
    texts: dict[str, Any]  #: names of features, and what else JSON can say
    parameters: dict[str, Any]


class Kind(NamedTuple):
    """An estimator: where its class is, how else it may be made, and its attributes."""

    module: str
    name: str
    leaves: Mapping[str, Leaf]
    without: str = ""  #: the module of its base class, where `module` lacks a package


KINDS = {
    "SoftmaxClassifier": Kind("csoftmax.estimators.classifier", "SoftmaxClassifier", layout.SINGLE),
    "SoftmaxClassifierCV": Kind(
        "csoftmax.estimators.classifier_cv", "SoftmaxClassifierCV", layout.SEARCH
    ),
    "dask.SoftmaxClassifier": Kind(
        "csoftmax.dask.classifier",
        "SoftmaxClassifier",
        layout.SINGLE,
        without="csoftmax.estimators.classifier",
    ),
}
"""By the names in files."""

NOT_KEPT = "checkpoint"
"""A path on the machine of the fit. A file from elsewhere is not to say what a later fit writes."""


def contents(kind: Kind, model: Any) -> Contents:
    """What to write of a fitted estimator; TypeError or ValueError if it cannot be."""
    if not hasattr(model, "coef_"):
        raise ValueError("it is not fitted, and has no coef_")
    _check_parameters(model)  # set_params takes anything
    given = model.get_params(deep=False)
    parameters = {}
    for name, value in given.items():
        if name != NOT_KEPT:
            try:
                parameters[name] = values.encode(value)
            except TypeError as error:
                raise TypeError(
                    f"{name} is {error} (set_params({name}=None) leaves what is fitted)"
                ) from None
    attributes = {name: value for name, value in vars(model).items() if name not in given}
    if "_skl_callbacks" in attributes:
        raise TypeError(
            "it has scikit-learn's callbacks, and a file holds no code "
            "(set_callbacks() leaves what is fitted)"
        )
    for name, value in attributes.items():
        if hasattr(type(value), "__dlpack__"):  # those of a fit to tensors, as NumPy's
            attributes[name] = checks.as_array(name, value)
    arrays, texts = layout.flat(attributes)
    layout.attributes(kind.leaves, arrays, texts)  # as whoever loads it will
    return Contents(arrays, texts, parameters)


def estimator(kind: Kind, found: Contents) -> Any:
    """The estimator again; where its package is missing, its base class."""
    attributes = layout.attributes(kind.leaves, found.arrays, found.texts)
    from csoftmax.estimators import sklearn as theirs
    from csoftmax.solvers import SGD

    try:
        module = import_module(kind.module)
    except ImportError:
        if not kind.without:
            raise
        module = import_module(kind.without)
    cls = getattr(module, kind.name)
    given = {name: values.decode(value, SGD) for name, value in found.parameters.items()}
    known = cls().get_params(deep=False)
    if unknown := sorted(set(given) - set(known) | {NOT_KEPT} & set(given)):
        raise ValueError(f"{unknown[0]} is no parameter that a file of {kind.name} has")
    model = cls(**given)
    _check_parameters(model)
    if isinstance(coef := attributes["coef_"], Csr):
        make = {"csr_array": theirs.csr_array, "csr_matrix": theirs.csr_matrix}
        matrix = make[found.texts["coef_"]]
        attributes["coef_"] = matrix((coef.data, coef.indices, coef.indptr), shape=coef.shape)
    for name, value in attributes.items():
        setattr(model, name, value)
    return model


def _check_parameters(model: Any) -> None:
    from csoftmax.estimators import parameters

    try:
        parameters.options(model)
        _check_n_jobs(model.n_jobs)
    except ValueError as error:  # scikit-learn has a class of its own
        raise ValueError(str(error)) from None


def _check_n_jobs(n_jobs: Any) -> None:
    is_whole = isinstance(n_jobs, (int, np.integer)) and not isinstance(n_jobs, bool)
    if n_jobs is not None and not (is_whole and n_jobs):
        raise ValueError(f"n_jobs is {brief(n_jobs)}, no number of threads")


def predictor(kind: Kind, found: Contents) -> LinearModel:
    """The model for predictions, where there is no scikit-learn."""
    attributes = layout.attributes(kind.leaves, found.arrays, found.texts)
    parameters: Mapping[str, Any] = {
        name: values.decode(value, dict) for name, value in found.parameters.items()
    }
    n_jobs = parameters.get("n_jobs")
    _check_n_jobs(n_jobs)
    return LinearModel(
        attributes["coef_"],
        attributes["intercept_"],
        attributes["classes_"],
        feature_names=attributes.get("feature_names_in_"),
        n_jobs=None if n_jobs is None else int(n_jobs),
    )
