"""The choice of C by cross-validation, of csoftmax and of scikit-learn."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from csoftmax.bench import _table
from csoftmax.bench._problems import Data, Problem
from csoftmax.bench._solvers import Watch

GOAL = 10  # how many times as fast as scikit-learn's faster solver
PATIENCE = 1.1  # that gets so many times what would meet the goal
SOLVERS = ("lbfgs", "newton-cg")


class Choice(NamedTuple):
    """What a contestant took, and what it chose."""

    seconds: float
    timed_out: bool
    C: float | None
    score: float | None  # mean log-loss of the folds, of the best C


def choose(data: Data, cap: float, **options: Any) -> dict[str, Choice]:
    """Let all choose C, csoftmax first, with equal options: all have the same stopping rule.

    That is max|gradient| <= tol, of the mean loss and its penalty.
    """
    from sklearn.linear_model import LogisticRegressionCV

    from csoftmax import SoftmaxClassifierCV

    ours: dict[str, Any] = {
        "cv": 5,
        "tol": 1e-4,
        "scoring": "neg_log_loss",
        "max_iter": 10000,
    } | options
    theirs = ours | {"l1_ratios": (0.0,), "use_legacy_attributes": False}
    models = {"csoftmax": SoftmaxClassifierCV(**ours)} | {
        solver: LogisticRegressionCV(solver=solver, **theirs) for solver in SOLVERS
    }
    found: dict[str, Choice] = {}
    for name, model in models.items():
        goal = PATIENCE * GOAL * found["csoftmax"].seconds if found else cap
        with Watch(Problem(data, 1.0, 0.0), 1.0, min(cap, goal)) as watch:
            model.fit(data.X, data.y)
        done = not watch.timed_out
        found[name] = Choice(
            watch.seconds,
            watch.timed_out,
            float(np.ravel(model.C_)[0]) if done else None,
            -float(model.scores_.mean(axis=(0, 1)).max()) if done else None,
        )
    return found


def table(found: dict[str, Choice]) -> str:
    """Return the table."""
    cells = [["contestant", "seconds", "ratio", "C", "log-loss"]]
    for name, choice in found.items():
        ratio = f"{choice.seconds / found['csoftmax'].seconds:.3g}x"
        chosen = [f"{choice.C:.3g}", f"{choice.score:.5f}"] if choice.C else ["", ""]
        bounds = ("> ", "≥ ") if choice.timed_out else ("", "")
        cells.append([name, f"{bounds[0]}{choice.seconds:.3g}", bounds[1] + ratio, *chosen])
    return _table._grid(cells)


def met(found: dict[str, Choice]) -> bool:
    """Whether csoftmax reaches its goal."""
    fastest = min(found[solver].seconds for solver in SOLVERS)
    return fastest >= GOAL * found["csoftmax"].seconds
