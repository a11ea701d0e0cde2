"""Softmax objectives of boosted trees: a call, and whole trainings; into docs/boosting.md.

    python benchmarks/boosting.py [--rows 100000] [--rounds 10] [--write]

Contestants: csoftmax; the same in NumPy, as those write it who know NumPy; the loops over rows of
XGBoost's own example of a custom objective (for fewer rows, and scaled); and, in trainings, the
libraries' own objectives. Gradients and Hessians are held against csoftmax.reference before they
are timed, and the models' predictions against those of the libraries' own objectives. Contestants
take turns, and the least of each counts, in seconds of processors: on a machine that does other
things, a library's threads wait for each other for longer than an objective takes. csoftmax has one
thread in calls, as NumPy. Threads that spin would count, too: run it with OMP_WAIT_POLICY=passive.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import xgboost

import csoftmax
from csoftmax import bench, reference
from csoftmax.bench import _peers
from csoftmax.boosting import softmax_objective

PAGE = Path(__file__).parents[1] / "docs/boosting.md"
N_LOOPED = 1000  # rows that the loops get
SHAPES = ((200_000, 10), (500_000, 5), (20_000, 100), (2000, 10))
Objective = Callable[[Any, Any], tuple[Any, Any]]


class Data:
    """What both libraries' data sets offer to an objective."""

    def __init__(self, labels: Any) -> None:
        self.labels = labels.astype(np.float32)

    def get_label(self) -> Any:
        """Return a copy, as XGBoost does."""
        return self.labels.copy()

    def get_weight(self) -> Any:
        """Return nothing, as XGBoost does."""
        return np.empty(0, np.float32)


class Matrix(Data):
    """Of XGBoost."""

    def num_row(self) -> int:
        """Return the number of rows."""
        return len(self.labels)


class Dataset(Data):
    """Of LightGBM."""


def numpy_objective(predictions: Any, data: Any) -> tuple[Any, Any]:
    """What a user of NumPy writes, with the maximum taken out."""
    n_classes = predictions.shape[1]
    from_xgboost = hasattr(data, "num_row")
    return _peers.numpy_grad_hess(
        predictions,
        data.get_label().astype(np.int64),
        factor=2 if from_xgboost else n_classes / (n_classes - 1),
        least=1e-16 if from_xgboost else 0.0,
    )


def looped_objective(predictions: Any, data: Any) -> tuple[Any, Any]:
    """The steps of demo/guide-python/custom_softmax.py of XGBoost, row by row."""
    labels = data.get_label()
    grad, hess = np.zeros(predictions.shape), np.zeros(predictions.shape)
    for r in range(len(predictions)):
        e = np.exp(predictions[r])
        p = e / np.sum(e)
        for c in range(predictions.shape[1]):
            share = float(p[c])
            grad[r, c] = share - 1.0 if c == int(labels[r]) else share
            hess[r, c] = max(2.0 * share * (1.0 - share), 1e-6)
    return grad, hess


def check(objective: Objective, scores: Any, data: Any, curvature: float) -> None:
    """Compare with the reference; raise if it computes something else."""
    grad, hess = objective(scores, data)
    _, want_grad, want_hess = reference.softmax_grad_hess(
        scores, data.labels.astype(int), curvature=curvature
    )
    for got, want in ((grad, want_grad), (hess, want_hess)):
        if not np.allclose(got, want, rtol=1e-4, atol=1e-5):
            raise bench.WrongResult(f"{objective} computes something else")


def fastest(calls: list[Callable[[], Any]], rounds: int = 25) -> list[float]:
    """Processor seconds of each call; they take turns."""
    seconds = [float("inf")] * len(calls)
    for _ in range(rounds):
        for k, call in enumerate(calls):
            call()
            start = time.process_time()
            call()
            seconds[k] = min(seconds[k], time.process_time() - start)
    return seconds


def calls() -> str:
    """Milliseconds of one call, by library and shape."""
    table = [
        "| predictions | csoftmax | NumPy | as in XGBoost's example | NumPy / csoftmax |",
        "|---|---:|---:|---:|---:|",
    ]
    for n_rows, n_classes in SHAPES:
        rng = np.random.default_rng(0)
        labels = rng.integers(0, n_classes, n_rows)
        scores = (2 * rng.standard_normal((n_rows, n_classes))).astype(np.float32)
        wide = np.asfortranarray(scores.astype(np.float64))
        for name, z, data, curvature in (
            ("XGBoost, float32", scores, Matrix(labels), 2.0),
            ("LightGBM, float64", wide, Dataset(labels), n_classes / (n_classes - 1)),
        ):
            contestants = (softmax_objective(n_threads=1), numpy_objective)
            for objective in contestants:
                check(objective, z, data, curvature)
            times = fastest([lambda f=f, z=z, data=data: f(z, data) for f in contestants])
            looped = "-"
            if isinstance(data, Matrix):
                few, some = z[:N_LOOPED], Matrix(labels[:N_LOOPED])
                check(looped_objective, few, some, curvature)
                (seconds,) = fastest([lambda f=few, s=some: looped_objective(f, s)], 2)
                looped = f"{1e3 * seconds * n_rows / len(few):.0f}"
            cells = [f"{1e3 * t:.3g}" for t in times]
            table.append(
                f"| {name} {n_rows} x {n_classes} | {' | '.join(cells)} | {looped} | "
                f"{times[1] / times[0]:.1f} |"
            )
    return "\n".join(table)


def rows(n_rows: int, n_classes: int) -> tuple[Any, Any]:
    """Twenty features of which some tell the class."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((n_rows, 20)).astype(np.float32)
    scores = X @ rng.standard_normal((20, n_classes)) + X[:, :1] * X[:, 1:2]
    return X, (scores + 2 * rng.gumbel(size=scores.shape)).argmax(axis=1)


def trainings(n_rows: int, n_rounds: int, n_classes: int = 10) -> str:
    """Processor seconds of whole trainings with each objective, whose models must agree."""
    X, y = rows(n_rows, n_classes)
    matrix = xgboost.QuantileDMatrix(X, y)
    dataset = lightgbm.Dataset(X, y, free_raw_data=False, params={"verbosity": -1}).construct()
    level = [0.0] * n_classes
    own = {"objective": "multi:softprob", "num_class": n_classes, "base_score": level}
    other = {"num_class": n_classes, "boost_from_average": False, "verbosity": -1}

    def by_xgboost(objective: Objective | None) -> Any:
        return xgboost.train(own, matrix, n_rounds, obj=objective).predict(matrix)

    def by_lightgbm(objective: Any) -> Any:
        model = lightgbm.train({**other, "objective": objective}, dataset, n_rounds)
        return csoftmax.softmax(model.predict(X[:5000], raw_score=True), axis=1)

    table = [
        "| training | own objective | csoftmax | NumPy | csoftmax / own | NumPy / own |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, train, objectives in (
        ("XGBoost", by_xgboost, (None, softmax_objective(), numpy_objective)),
        ("LightGBM", by_lightgbm, ("multiclass", softmax_objective(), numpy_objective)),
    ):
        truth, seconds = train(objectives[0]), [[], [], []]
        for objective in objectives[1:]:
            far = np.abs(train(objective) - truth).max(axis=1)
            if np.mean(far > 1e-3) > 0.02:  # a split that is a tie may go either way
                raise bench.WrongResult(f"{name} with {objective} predicts something else")
        for _ in range(5):
            for k, objective in enumerate(objectives):
                start = time.process_time()
                train(objective)
                seconds[k].append(time.process_time() - start)
        times = [min(s) for s in seconds]
        cells = " | ".join(f"{t:.2f}" for t in times)
        table.append(
            f"| {name} | {cells} | {times[1] / times[0]:.2f} | {times[2] / times[0]:.2f} |"
        )
    text = (
        f"Seconds of processors, {n_rounds} rounds of {n_classes} trees, {n_rows} rows of 20 "
        "features, predictions included:"
    )
    return "\n".join([text, "", *table])


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000, help="of the trainings")
    parser.add_argument("--rounds", type=int, default=10, help="of the trainings")
    parser.add_argument("--write", action="store_true", help="into docs/boosting.md")
    options = parser.parse_args()
    text = "\n\n".join(
        [
            bench.machine("xgboost-cpu", "lightgbm") + ".",
            "Milliseconds of a processor, one call:",
            calls(),
            trainings(options.rows, options.rounds),
        ]
    )
    print(text)
    if options.write:
        bench.put(PAGE, "boosting", text)


if __name__ == "__main__":
    main()
