"""What an estimator must know of a source of blocks before it is fitted: one read of all rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from csoftmax.estimators import checks as fit_checks
from csoftmax.estimators.scaling import Moments
from csoftmax.estimators.training import Seen
from csoftmax.solvers import SGD
from csoftmax.sources import Part, Selected, Surveyed, source_of


def rows(estimator: Any, X: Any, y: Any, sample_weight: Any, seen: Seen) -> tuple[Any, Any, Any]:
    """X as a fit takes it, with y and the weights that were given or come with a source's blocks.

    Where X is a source, its moments are added to `seen`, if the estimator wants them.
    """
    source = source_of(X, y, sample_weight)
    solver = getattr(estimator, "solver", None)
    if solver == "sgd" or isinstance(solver, SGD):
        fit_checks.in_memory(estimator, X)
        source = None  # a memory map is one
    if source is None:
        return fit_checks.features(estimator, X, reset=True), y, sample_weight

    n_threads = fit_checks.threads(estimator.n_jobs)

    def look(part: Part) -> None:
        if estimator.standardize:
            weight = part.sample_weight
            weight = None if weight is None else np.asarray(weight, np.float64)
            seen.moments = seen.moments or Moments(part.X.shape[1])
            seen.moments.add(part.X, weight, n_threads)

    surveyed = Surveyed(source, y, sample_weight, look)
    estimator.n_features_in_ = surveyed.shape[1]
    fit_checks.remember_names(estimator, surveyed.feature_names)
    return surveyed, surveyed.y, surveyed.sample_weight


def like(X: Any) -> Any:
    """What scikit-learn's splitters and checks may take for X: they count its rows."""
    return np.empty((X.shape[0], 0)) if isinstance(X, Surveyed) else X


def some(X: Any, rows: Any) -> tuple[Any, Any]:
    """X[rows], and the rows: of a source in its order, and read again with each use."""
    if not isinstance(X, Surveyed):
        return X[rows], rows
    rows = np.sort(np.arange(X.shape[0])[rows])
    return Selected(X, rows), rows
