"""What an estimator is told when it is made: which names there are, and which values.

Names of LogisticRegression that are not here are refused with what to write instead.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Self, TypeAlias

import numpy as np

from csoftmax.estimators import checks as fit_checks
from csoftmax.estimators.sklearn import validate_parameter_constraints

Solver: TypeAlias = Literal["auto", "lbfgs", "newton-cg", "sgd"]
ClassWeight: TypeAlias = Mapping[Any, float] | Literal["balanced"] | None

NOT_HERE = {
    "penalty": "l1_ratio=0 for 'l2', 1 for 'l1', between for 'elasticnet', C=numpy.inf for None "
    "(SoftmaxClassifierCV: l1_ratios, Cs)",
    "multi_class": "it left out: the loss is the multinomial one; for one-vs-rest "
    "sklearn.multiclass.OneVsRestClassifier",
    "dual": "it left out: the problem is solved in its primal form",
    "intercept_scaling": "it left out: the intercept is free of penalty",
    "use_legacy_attributes": "it left out: attributes are those of use_legacy_attributes=False",
    "C": "Cs, as in LogisticRegressionCV, or SoftmaxClassifier",
    "l1_ratio": "l1_ratios, as in LogisticRegressionCV, or SoftmaxClassifier",
    "solver": "it left out: the models of all folds go in step, by the solver 'auto' of "
    "SoftmaxClassifier",
    "Cs": "C, or SoftmaxClassifierCV",
    "l1_ratios": "l1_ratio, or SoftmaxClassifierCV",
    "warm_start": "SoftmaxClassifier, which has it; each C here starts where the one before ended",
}
"""Parameters of LogisticRegression and LogisticRegressionCV: what to write instead."""

SOLVERS = {
    "liblinear": "'auto', which leaves the intercept free of penalty",
    "newton-cholesky": "'newton-cg', or 'auto'",
    "sag": "'auto', or 'sgd' for mini-batches",
    "saga": "'auto', which takes any l1_ratio, or 'sgd' for mini-batches",
}
"""Solvers of LogisticRegression: what to write instead."""


class Parameters:
    """An estimator whose parameters are those that its `__init__` names.

    `__new__` and not `__init__` looks for the names of LogisticRegression: the signature, which
    scikit-learn reads, stays as it is.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Refuse names of LogisticRegression that are not here."""
        refuse(cls, kwargs)
        return super().__new__(cls)

    def set_params(self, **params: Any) -> Self:
        """Set parameters, also those of estimators within (`name__parameter`).

        Parameters
        ----------
        **params : dict
            Parameters by their names.

        Returns
        -------
        object
            The estimator itself.
        """
        refuse(type(self), params)
        super().set_params(**params)  # type: ignore[misc]
        return self


def refuse(cls: type, names: Iterable[str]) -> None:
    """TypeError for the first of LogisticRegression's names that an estimator does not have."""
    known = None
    for name in names:
        if name not in NOT_HERE:
            continue
        if known is None:
            known = inspect.signature(cls.__init__).parameters  # type: ignore[misc]
        any_name = any(each.kind is each.VAR_KEYWORD for each in known.values())
        if name not in known and not any_name:
            raise TypeError(f"{cls.__name__} has no parameter {name!r}: wanted {NOT_HERE[name]}")


def options(estimator: Any) -> None:
    """Refuse parameters that `_parameter_constraints` do not allow.

    As scikit-learn's `_validate_params`, which spends half of its time to find their names.
    """
    constraints = estimator._parameter_constraints
    given = {name: getattr(estimator, name) for name in constraints}
    try:
        validate_parameter_constraints(constraints, given, type(estimator).__name__)
    except ValueError as error:
        if found := _hint(given):
            raise type(error)(f"{error} {found}") from None
        raise


def checked(estimator: Any) -> list[Any]:
    """Refuse bad options of a SoftmaxClassifier; return its callbacks as a list."""
    options(estimator)
    fit_checks.threads(estimator.n_jobs)
    if estimator.solver == "newton-cg" and estimator.l1_ratio > 0:
        raise ValueError(
            f"solver is 'newton-cg' and l1_ratio {estimator.l1_ratio:g}: "
            "wanted l1_ratio=0 with it, or another solver"
        )
    given = estimator.callbacks
    callbacks = [] if given is None else [given] if callable(given) else list(given)
    for callback in callbacks:
        if not callable(callback):
            raise TypeError(f"callbacks has {callback!r}: wanted callables")
    return callbacks


def _hint(given: Mapping[str, Any]) -> str:
    """What to write for a value that LogisticRegression has, too."""
    solver, C = given.get("solver"), given.get("C", 1.0)
    if isinstance(solver, str) and solver in SOLVERS:
        return f"For solver={solver!r} of LogisticRegression take {SOLVERS[solver]}."
    if C is None or (isinstance(C, str) and C in {"l1", "l2", "elasticnet"}):
        return f"C is the first argument here. For a penalty take {NOT_HERE['penalty']}."
    return ""


def penalty(C: float, l1_ratio: float) -> str | None:
    """The name that LogisticRegression has for a penalty."""
    if np.isinf(C):
        return None
    return "l2" if l1_ratio == 0 else "l1" if l1_ratio == 1 else "elasticnet"
