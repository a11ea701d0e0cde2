"""The course's grid of 10 x 10 models: NumPy, csoftmax one by one, and all of them at once.

    python benchmarks/many.py [--steps 30] [--rounds 7] [--dtype float32] [--loss softmax]

CIFAR-10 as the course has it (49000 x 3072, the mean subtracted, a column of ones), if
CSOFTMAX_DATA names a folder with cifar-10-batches-py, else random rows of that shape; steps of 200
rows. Before anything is timed, all contestants train the same model from the same batches: csoftmax
must come to the same bits in both ways, NumPy near them. Then they take turns, round after round:
NumPy and single models with a few models of the grid, all at once with all. The table has the
shortest times, scaled to 100 models and 1500 steps. With --dtype uint8, csoftmax reads the pixels
and subtracts the mean as it goes; NumPy has float32.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from csoftmax import bench, datasets, softmax_loss, svm_loss
from csoftmax.search import train_many

RATES = np.linspace(1e-7, 5e-7, 10).tolist()
REGS = (2 * np.linspace(2.5e4, 5e4, 10)).tolist()
BATCH, CLASSES, STEPS = 200, 10, 1500
OURS = {"softmax": softmax_loss, "hinge": svm_loss}

Array = np.ndarray[Any, Any]
Batches = list[Array]


def rows() -> tuple[Array, Array]:
    """Pixels and labels of the course's 49000 training rows."""
    folder = os.environ.get("CSOFTMAX_DATA")
    if folder:
        data = datasets.load(Path(folder) / "cifar-10-batches-py")
        return data.X_train[:49000], data.y_train[:49000]
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (49000, 3072), np.uint8), rng.integers(0, CLASSES, 49000)


def numpy_model(
    loss: str, X: Array, y: Array, rate: float, reg: float, W: Array, batches: Batches
) -> Array:
    """One model, as the course's own package trains it."""
    W, rate, reg = W.copy(), np.float32(rate), np.float32(reg)
    for chosen in batches:
        some, labels, n = X[chosen], y[chosen], np.arange(len(chosen))
        scores = some @ W
        if loss == "softmax":
            scores -= scores.max(axis=1, keepdims=True)
            np.exp(scores, out=scores)
            scores /= scores.sum(axis=1, keepdims=True)
            value = -np.log(scores[n, labels]).mean()
            scores[n, labels] -= 1
        else:
            margins = np.maximum(0, scores - scores[n, labels][:, None] + 1)
            margins[n, labels] = 0
            value = margins.sum() / len(n)
            scores = (margins > 0).astype(W.dtype)
            scores[n, labels] = -scores.sum(axis=1)
        value += reg / 2 * (W * W).sum()
        scores /= len(n)
        W -= rate * (some.T @ scores + reg * W)
    return W


def our_model(
    loss: str, X: Array, y: Array, rate: float, reg: float, W: Array, batches: Batches, **view: Any
) -> Array:
    """One model, as `csoftmax.cs231n.classifiers` trains it."""
    W, dW = W.copy(), np.empty_like(W)
    for chosen in batches:
        OURS[loss](W, X, y, reg, rows=chosen, out=dW, **view)
        W -= np.multiply(dW, rate, out=dW)
    return W


def seconds(job: Callable[[], object]) -> float:
    """Return how long a job takes."""
    begin = time.perf_counter()
    job()
    return time.perf_counter() - begin


def main() -> None:
    """Check, take turns, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--dtype", choices=("float32", "float64", "uint8"), default="float32")
    parser.add_argument("--loss", choices=tuple(OURS), default="softmax")
    options = parser.parse_args()
    pixels, y = rows()
    mean = pixels.mean(axis=0, dtype=np.float64)
    view: dict[str, Any] = {"shift": mean} if options.dtype == "uint8" else {}
    dtype = np.dtype(np.float32 if view else options.dtype)
    theirs = np.ones((len(pixels), 3073), dtype)
    theirs[:, :3072] = pixels - mean
    ours = pixels if view else theirs
    W = (0.001 * np.random.RandomState(0).randn(ours.shape[1], CLASSES)).astype(dtype)
    theirs = theirs[:, :3072] if view else theirs
    random = np.random.RandomState(1)
    batches = [random.randint(0, len(y), BATCH) for _ in range(options.steps)]

    def many(rates: Any, regs: Any) -> Any:
        return train_many(
            ours,
            y,
            rates,
            regs,
            loss=options.loss,
            n_steps=options.steps,
            batch_size=BATCH,
            start=W,
            random_state=1,
            **view,
        )

    every = many(RATES, REGS)
    for k in (0, 37, 99):
        setting = every[k].learning_rate, every[k].reg, W, batches
        alone = our_model(options.loss, ours, y, *setting, **view)
        other = numpy_model(options.loss, theirs, y, *setting)
        assert np.array_equal(every[k].W, alone), "all at once and alone differ"
        assert np.abs(other - alone).max() < 1e-3 * np.abs(alone).max(), "NumPy differs"

    few = [(RATES[0], REGS[0]), (RATES[5], REGS[5])]
    contestants: dict[str, tuple[Callable[[], object], int]] = {
        f"NumPy, {theirs.dtype}": (
            lambda: [numpy_model(options.loss, theirs, y, *s, W, batches) for s in few],
            len(few),
        ),
        f"csoftmax, one by one, {ours.dtype}": (
            lambda: [our_model(options.loss, ours, y, *s, W, batches, **view) for s in few],
            len(few),
        ),
        f"csoftmax, all at once, {ours.dtype}": (lambda: many(RATES, REGS), 100),
    }
    best = dict.fromkeys(contestants, np.inf)
    for _ in range(options.rounds):
        for name, (job, n_models) in contestants.items():
            taken = seconds(job) * 100 / n_models * STEPS / options.steps
            best[name] = min(best[name], taken)
    print(f"{bench.machine()}\n{options.loss}, {options.rounds} rounds of {options.steps} steps")
    print("| 100 models, 1500 steps of 200 rows | s | times all at once |\n|---|---|---|")
    least = best[f"csoftmax, all at once, {ours.dtype}"]
    for name, value in best.items():
        print(f"| {name} | {value:.1f} | {value / least:.2f} |")


if __name__ == "__main__":
    main()
