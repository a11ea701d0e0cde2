"""Which solver an estimator asks for, and the checkpoint that it goes on from."""

from __future__ import annotations

from dataclasses import asdict
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax.estimators import checks as fit_checks
from csoftmax.estimators.progress import reading
from csoftmax.estimators.sklearn import check_random_state
from csoftmax.estimators.training import CheckedObjective, Recorder
from csoftmax.solvers import Solution, minimise, sgd
from csoftmax.solvers.checkpoint import Keeper
from csoftmax.solvers.sgd import SGD

Array = npt.NDArray[Any]


def solve(
    estimator: Any,
    objective: CheckedObjective,
    theta: Array,
    l1: float,
    classes: Array,
    recorder: Recorder,
) -> Solution:
    """Minimise the objective from theta on, or from the checkpoint that there is."""
    options: dict[str, Any] = {"l1": l1, "tol": estimator.tol, "max_iter": estimator.max_iter}
    options["on_iteration"] = recorder
    how: str | SGD = SGD() if estimator.solver == "sgd" else estimator.solver
    if estimator.checkpoint is not None:
        own = {"C": float(estimator.C), "l1_ratio": float(estimator.l1_ratio)}
        problem = own | _named(how, estimator.random_state) | common(estimator, objective, classes)
        options["keeper"] = Keeper(estimator.checkpoint, problem, recorder.history)
    if isinstance(how, SGD):
        random = check_random_state(estimator.random_state)
        if not estimator.max_iter:  # nothing else looks at X
            fit_checks.finite_features(estimator, objective.X)
        return sgd.minimise(objective, theta, how, random=random, **options)
    with reading(objective.X, estimator.verbose):
        return minimise(objective, theta, newton=how == "newton-cg", **options)


def _named(how: str | SGD, seed: Any) -> dict[str, Any]:
    """What solver it is, and what of its options leads elsewhere."""
    if not isinstance(how, SGD):
        return {"solver": "lbfgs" if how == "auto" else how}
    # a generator's own state is in the checkpoint
    seed = int(seed) if isinstance(seed, Integral) else type(seed).__name__
    options = {"solver": "sgd", "random_state": seed, **asdict(how)}
    return {k: v.item() if isinstance(v, np.generic) else v for k, v in options.items()}


def common(estimator: Any, objective: CheckedObjective, classes: Array) -> dict[str, Any]:
    """What is the same in fits that go on; the values of the data show in the gradient."""
    weight = estimator.class_weight
    if isinstance(weight, dict):
        weight = {str(label): float(value) for label, value in weight.items()}
    return {
        "fit_intercept": bool(estimator.fit_intercept),
        "class_weight": weight,
        "standardize": bool(estimator.standardize),
        "label_smoothing": float(estimator.label_smoothing),
        "the number of rows": int(objective.n_rows),
        "the number of features": int(objective.n_features),
        "the list of classes": [repr(label) for label in classes.tolist()],
        "dtype": objective.dtype.name,
        "sparse X": bool(objective.is_sparse),
    }
