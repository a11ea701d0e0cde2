"""Where a fit starts: at zero, or at the model that there is."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax._native import checks
from csoftmax.estimators.scaling import Scaling
from csoftmax.estimators.training import CheckedObjective, carry_over
from csoftmax.prediction.linear import dense

Array = npt.NDArray[Any]


def start(
    estimator: Any, objective: CheckedObjective, classes: Array, scaling: Scaling, *, warm: bool
) -> Array:
    """The solver's first parameters: zeros, or with `warm` the model that there is."""
    if not warm or not hasattr(estimator, "coef_"):
        return np.zeros(objective.shape, objective.dtype)
    coef = dense(estimator.coef_)
    if coef.shape[1] != objective.n_features:
        raise ValueError(
            f"X has {objective.n_features} features, but warm_start has coefficients for "
            f"{coef.shape[1]}: wanted as many, or warm_start=False"
        )
    old = checks.as_array("intercept_", estimator.intercept_), estimator.classes_
    coef, intercept = carry_over(coef, *old, classes, objective.one_row)
    return scaling.theta(coef, intercept, estimator.fit_intercept).astype(objective.dtype)
