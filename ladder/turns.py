"""Compare builds of the kernels: calls in turns, in one process, and the ratio of neighbours.

    python turns.py before/_kernels_v4.abi3.so after/_kernels_v4.abi3.so ...

Run from a folder without csoftmax, on builds of one instruction set. A ratio above 1 says that a
build is faster than the first one: the median over all turns, and of the shortest times.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
from pathlib import Path
from types import ModuleType

import numpy as np

SHAPES = (  # rows, features, classes, dtype, rows of a mini-batch
    (8192, 512, 1000, "f4", None),
    (8192, 512, 1000, "f8", None),
    (4096, 100, 100, "f4", None),
    (12000, 784, 10, "f4", None),
    (6000, 3073, 10, "f4", None),
    (4000, 3073, 10, "f8", None),
    (20000, 3073, 10, "f4", 200),
    (40000, 54, 7, "f4", None),
)


def load(path: Path) -> ModuleType:
    """A build, beside others of the same name."""
    spec = importlib.util.spec_from_file_location(f"csoftmax.{path.name.split('.')[0]}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Print a line for each shape and number of threads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("builds", type=Path, nargs="+")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=2.0, help="for each build and line")
    options = parser.parse_args()
    builds, rng = [load(path) for path in options.builds], np.random.default_rng(0)
    for n, d, c, dtype, batch in SHAPES:
        X = rng.standard_normal((n, d), dtype)
        W = rng.standard_normal((d, c), dtype)
        W *= 0.01
        y, dW, used = rng.integers(0, c, n), np.empty_like(W), batch or n
        for n_threads in options.threads:
            times: list[list[float]] = [[] for _ in builds]
            losses = np.empty(len(builds))
            end = time.perf_counter() + options.seconds * len(builds)
            while time.perf_counter() < end:
                rows = rng.integers(0, n, batch) if batch else None
                for k in rng.permutation(len(builds)):
                    loss = builds[k].LOSSES["cross_entropy"]
                    start = time.perf_counter()
                    losses[k] = builds[k].linear_loss_grad(
                        *(loss, W, X, rows, None, None, None, y, None, None),
                        *(0.0, 1.0, 0.0, float(used), dW, None, n_threads),
                    )
                    times[k].append(time.perf_counter() - start)
                assert np.ptp(losses) <= 1e-4 * losses[0], losses
            first = times[0]
            ratios = [
                f"{statistics.median(a / b for a, b in zip(first, other, strict=True)):.3f} "
                f"({min(first) / min(other):.3f})"
                for other in times[1:]
            ]
            label = f"{n}x{d}x{c} {dtype}" + (f", rows= of {batch}" if batch else "")
            print(f"{label}, threads {n_threads}: {statistics.median(first) * 1e3:.3f} ms", *ratios)


if __name__ == "__main__":
    main()
