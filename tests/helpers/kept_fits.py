"""Fits of small problems that keep checkpoints, and that can be stopped at any iteration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris

from csoftmax.solvers import SGD, Objective, Solution, minimise, sgd
from csoftmax.solvers.checkpoint import Keeper

IRIS, SPECIES = load_iris(return_X_y=True)
PROBLEM = {"C": 1.0}


class Killed(Exception):
    """In place of a signal, between two iterations."""


def objective(X: Any = IRIS, y: Any = SPECIES, dtype: Any = np.float64, **options: Any) -> Any:
    return Objective(X, y, int(np.max(y)) + 1, dtype, **{"l2": 1e-3} | options)


def fit(problem: Any, path: Path | None, *, until: int = 0, **options: Any) -> tuple[Any, Any]:
    """The solution and the history of a fit, which ends before the checkpoint of `until`."""
    lines: dict[str, list[float]] = {"loss": [], "gradient": [], "passes": []}
    keeper = None if path is None else Keeper(path, PROBLEM, lines)

    def note(theta: Any, line: Any) -> bool:
        for name, values in lines.items():
            values.append(float(getattr(line, name)))
        if line.iteration == until:
            raise Killed
        return False

    how: Callable[..., Solution] = minimise
    if options.pop("descent", False):
        options = {"options": SGD(), "random": np.random.RandomState(0), **options}
        how = sgd.minimise
    start = np.zeros(problem.shape, problem.dtype)
    return how(problem, start, on_iteration=note, keeper=keeper, **options), lines


def stopped(make: Callable[[], Any], path: Path, until: int, **options: Any) -> None:
    with pytest.raises(Killed):
        fit(make(), path, until=until, **options)


def same(a: tuple[Any, Any], b: tuple[Any, Any]) -> bool:
    (solution, lines), (other, others) = a, b
    bits = solution.theta.tobytes() == other.theta.tobytes() and solution[1:] == other[1:]
    return bits and solution.theta.dtype == other.theta.dtype and lines == others
