"""The estimator of a problem."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from csoftmax.tabular.problems import Problem

GIB = float(2**30)


def fit(
    problem: Problem,
    *,
    C: float = 1.0,
    folds: int | None = None,
    l1_ratio: float = 0.0,
    class_weight: str | None = None,
    max_iter: int = 1000,
    seed: int = 0,
    most_bytes: float = 2 * GIB,
    callback: Callable[[Any], None] | None = None,
) -> Any:
    """Fit to the rows of the training.

    Parameters
    ----------
    problem : Problem
    C : float
        Inverse strength of the penalty.
    folds : int, optional
        Choose C by cross-validation in so many folds instead, which `seed` draws.
    l1_ratio, class_weight, max_iter
        As of the estimators.
    seed : int
    most_bytes : float
        Features up to so many bytes are in memory, others are read anew for each pass.
    callback : callable, optional
        Called after each iteration.

    Returns
    -------
    SoftmaxClassifier or SoftmaxClassifierCV
    """
    from csoftmax.estimators import SoftmaxClassifier, SoftmaxClassifierCV

    # Numbers of the classes in their order: labels of text would take 4 bytes a letter and row.
    X, y = problem.fit_input(most_bytes)
    common: dict[str, Any] = {
        "class_weight": class_weight,
        "max_iter": max_iter,
        "standardize": problem.standardize,
    }
    if folds is None:
        model = SoftmaxClassifier(C, l1_ratio=l1_ratio, callbacks=callback, **common).fit(X, y)
        model.classes_ = problem.classes
        return model.set_params(callbacks=None)  # a function, which no file holds
    from csoftmax.tabular.sklearn import StratifiedKFold

    cv = StratifiedKFold(folds, shuffle=True, random_state=seed)
    search = SoftmaxClassifierCV(cv=cv, l1_ratios=(l1_ratio,), **common).fit(X, y)
    search.classes_ = problem.classes
    return search.set_params(cv=folds)  # a splitter, neither
