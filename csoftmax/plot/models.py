"""What pictures take from models: coefficients by class and feature, and labels as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from csoftmax.prediction.linear import dense

Array = NDArray[Any]


class Linear(NamedTuple):
    """A fitted linear model."""

    weights: Array  #: a row for each class; of two classes one, that of the second, or both
    classes: list[Any]
    feature_names: list[str] | None


def last_step(estimator: Any) -> tuple[Any, Any]:
    """The model of a pipeline, and the steps before it; or the model itself, and None."""
    if not hasattr(estimator, "steps"):
        return estimator, None
    return estimator.steps[-1][1], estimator[:-1]


def linear(estimator: Any) -> Linear:
    """The coefficients of a fitted model: of an estimator, a pipeline's last step, or the course.

    Raises
    ------
    TypeError, ValueError
        For what is no linear model, and for one that is not fitted.
    """
    model, before = last_step(estimator)
    name = type(model).__name__
    if hasattr(model, "W"):
        if model.W is None:
            raise ValueError(f"this {name} is not trained: its W is None")
        weights = np.asarray(model.W).T
        return Linear(weights, list(range(len(weights))), None)
    if not hasattr(model, "coef_"):
        if hasattr(model, "fit"):
            raise ValueError(f"this {name} has no coef_: wanted a linear model that is fitted")
        raise TypeError(f"estimator is {name}: wanted a linear model, with coef_ or W")
    weights = np.atleast_2d(dense(model.coef_))
    classes = np.asarray(getattr(model, "classes_", range(len(weights)))).tolist()
    return Linear(weights, classes, _feature_names(model, before, weights.shape[1]))


def _feature_names(model: Any, before: Any, n_features: int) -> list[str] | None:
    """The names that the steps before a model give, or the model has seen."""
    if before is not None:
        try:
            names = [str(name) for name in before.get_feature_names_out()]
        except (AttributeError, ValueError):  # some step does not name what it makes
            names = []
        if len(names) == n_features:
            return names
    seen = getattr(model, "feature_names_in_", None)
    return None if seen is None else [str(name) for name in seen]


def names_of(argument: str, names: Sequence[Any] | None, wanted: int, what: str) -> list[str]:
    """As many names as there are classes or features; numbers, where none are given."""
    if names is None:
        return [f"{what} {k}" for k in range(wanted)]
    found = [str(name) for name in names]
    if len(found) != wanted:
        raise ValueError(f"{argument} has {len(found)} names: wanted {wanted}, one for each {what}")
    return found


def labels(name: str, y: ArrayLike) -> Array:
    """Labels as a vector."""
    found = np.asarray(y)
    if found.ndim != 1 or not len(found):
        raise ValueError(f"{name} has shape {found.shape}: wanted (N,) labels, at least one")
    return found


def same_kind(one: Array, other: Array) -> bool:
    """Whether both are texts, or neither is."""
    return (one.dtype.kind in "OUS") == (other.dtype.kind in "OUS")


def numbered(name: str, y: Array, classes: Array) -> NDArray[np.intp]:
    """The place of each label among the classes, which are sorted."""
    if not same_kind(y, classes):
        raise ValueError(
            f"{name} has labels such as {y[0]!r}, but classes are such as {classes[0]!r}"
        )
    places = np.searchsorted(classes, y).clip(max=len(classes) - 1)
    unknown = np.flatnonzero(classes[places] != y)
    if unknown.size:
        raise ValueError(
            f"{name}[{unknown[0]}] is {y[unknown[0]]!r}, which is none of the {len(classes)} "
            "classes"
        )
    return places


def probabilities(estimator: Any, X: Any) -> tuple[Array, Array]:
    """The probabilities of the classes for each row, and the classes."""
    if not hasattr(estimator, "predict_proba"):
        raise TypeError(
            f"estimator is {type(estimator).__name__}: wanted a classifier with predict_proba"
        )
    found = np.asarray(estimator.predict_proba(X))
    return found, np.asarray(getattr(estimator, "classes_", range(found.shape[1])))
