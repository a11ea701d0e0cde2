"""csoftmax beside others: calls after a rest, between those of other libraries, on busy cores.

    python benchmarks/neighbours.py [--before FOLDER] [--scenes TEXT] [--jobs TEXT]

Each contestant is a process of its own, since the OpenMP runtimes read their settings when they are
loaded: csoftmax as it is installed, alone or with one thread; NumPy; and, with --before, the build
in FOLDER (as made by `pip install --target`) as it is, with two settings of its runtime, and with
one thread. They take turns in an order drawn anew for each round, and sleep between their turns.
What is between two calls is timed with the call that follows it, since waiting threads slow both.
A whole run, with --before, takes 14 minutes and goes into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

JOBS = (
    "batch of 200x3073x10",
    "500x3073x10",
    "softmax 20000x10",
    "softmax 200000x10",
    "20000x3073x10",
)


class Scene(NamedTuple):
    """What goes on beside the calls."""

    title: str
    between: str = ""  #: what the process does before each call
    busy: int = 0  #: other processes that compute all the time
    twin: bool = False  #: whether a second process of the contestant makes the same calls


SCENES = (
    Scene("a: alone, calls in a row"),
    Scene("b: alone, each call after a rest of 20 ms", "rest"),
    Scene("c: a NumPy product of 400x400 before each call", "product 400"),
    Scene("c: a NumPy product of 2000x2000 before each call", "product 2000"),
    Scene("d: a PyTorch product of 400x400 before each call", "torch"),
    Scene("d: predictions of scikit-learn's gradient boosting before each call", "sklearn"),
    Scene("e: one busy process, calls in a row", busy=1),
    Scene("e: one busy process, each call after a rest of 20 ms", "rest", busy=1),
    Scene("f: two busy processes, calls in a row", busy=2),
    Scene("f: two busy processes, each call after a rest of 20 ms", "rest", busy=2),
    Scene("g: two processes that make the same calls", twin=True),
)
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
ROUNDS = 5
SECONDS = 0.25  #: of calls in a turn

# ---- what a contestant does --------------------------------------------------------------------


def job(name: str, contestant: str) -> Callable[[], Any]:
    """One call, whose result has been checked."""
    from csoftmax import reference, softmax, softmax_loss
    from csoftmax.bench import _peers

    rng = np.random.default_rng(0)
    n, *rest = (int(number) for number in name.split()[-1].split("x"))
    if name.startswith("softmax"):
        x = rng.standard_normal((n, rest[0]), np.float32)
        out = np.empty_like(x)
        truth = reference.softmax(x[:500], axis=1)
        if contestant == "NumPy":

            def plain() -> Any:
                np.subtract(x, x.max(axis=1, keepdims=True), out=out)
                _peers.numpy_shares(out)
                return out

            run: Callable[[], Any] = plain
        else:
            run = lambda: softmax(x, axis=1, out=out)  # noqa: E731
        np.testing.assert_allclose(run()[:500], truth, rtol=1e-4, atol=1e-6)
        return run
    d, c = rest
    X = rng.standard_normal((n, d), np.float32)
    W = 0.01 * rng.standard_normal((d, c), np.float32)
    y = rng.integers(0, c, n)
    loss, dW = reference.softmax_loss_vectorized(W, X[:2000], y[:2000], 0.0)
    if contestant == "NumPy":
        run = lambda: _peers.numpy_softmax(W, X, y)  # noqa: E731
        found = _peers.numpy_softmax(W, X[:2000], y[:2000])
    else:
        grad = np.empty_like(W)
        run = lambda: softmax_loss(W, X, y, out=grad)  # noqa: E731
        found = softmax_loss(W, X[:2000], y[:2000])
    np.testing.assert_allclose(found[0], loss, rtol=1e-4)
    np.testing.assert_allclose(found[1], dW, rtol=1e-2, atol=1e-4)
    return run


def between(what: str) -> Callable[[], Any]:
    """What a scene wants before each call; it is timed, unless it is a rest."""
    kind, _, size = what.partition(" ")
    rng = np.random.default_rng(1)
    if kind == "product":
        a = rng.standard_normal((int(size), int(size)), np.float32)
        return lambda: a @ a
    if kind == "torch":
        import torch

        t = torch.from_numpy(rng.standard_normal((400, 400), np.float32))
        return lambda: torch.relu(t @ t)
    if kind == "sklearn":
        from sklearn.ensemble import HistGradientBoostingClassifier

        X = rng.standard_normal((2000, 20))
        model = HistGradientBoostingClassifier(max_iter=5).fit(X, X[:, 0] > 0)
        return lambda: model.predict_proba(X)
    return lambda: None


def serve(contestant: str) -> None:
    """Make calls as asked for on the standard input: a line is [job, between, seconds]."""
    made: dict[str, Callable[[], Any]] = {}
    for line in sys.stdin:
        name, what, seconds = json.loads(line)
        if name not in made:
            made = {name: job(name, contestant)}
        call, before = made[name], made.setdefault(f"before {what}", between(what))
        times, end = [], time.perf_counter() + seconds
        while time.perf_counter() < end or len(times) < 3:
            if what == "rest":
                time.sleep(0.02)
            start = time.perf_counter()
            before()
            call()
            times.append(time.perf_counter() - start)
        print(json.dumps(times), flush=True)


# ---- who takes part ----------------------------------------------------------------------------


class Contestant:
    """A process that makes calls when it is told to."""

    def __init__(self, name: str, folder: Path | None, **environment: str) -> None:
        for variable in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
            environment.setdefault(variable, os.environ.get(variable, ""))
        clean = {**os.environ, **environment}
        clean = {key: value for key, value in clean.items() if value}
        # On some machines set for old builds of OpenBLAS: they slow a current NumPy.
        for variable in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
            clean.pop(variable, None)
        if folder:
            clean["PYTHONPATH"] = str(folder)
        self.process = subprocess.Popen(
            [sys.executable, "-P", __file__, "--serve", name],
            env=clean,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def begin(self, job: str, between: str, seconds: float) -> None:
        """Ask for calls."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps([job, between, seconds]) + "\n")
        self.process.stdin.flush()

    def times(self) -> list[float]:
        """Seconds of the calls asked for."""
        assert self.process.stdout
        found: list[float] = json.loads(self.process.stdout.readline())
        return found


def contestants(before: Path | None) -> dict[str, list[Contestant]]:
    """Two processes of each, the second one for the scenes with a twin."""
    made: dict[str, tuple[Path | None, dict[str, str]]] = {
        "csoftmax": (None, {}),
        "one thread": (None, {"CSOFTMAX_NUM_THREADS": "1"}),
        "NumPy": (None, {}),
    }
    if before:
        made["one thread"] = (before, {"CSOFTMAX_NUM_THREADS": "1"})
        made["before"] = (before, {})
        made["spin 1000"] = (before, {"GOMP_SPINCOUNT": "1000"})
        made["passive"] = (before, {"OMP_WAIT_POLICY": "passive"})
    return {
        name: [Contestant(name, folder, **environment) for _ in range(2)]
        for name, (folder, environment) in made.items()
    }


@contextmanager
def busy(number: int) -> Iterator[None]:
    """Processes that compute."""
    program = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(program) for _ in range(number)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def measure(scene: Scene, name: str, entrants: dict[str, list[Contestant]]) -> dict[str, float]:
    """Median seconds of a call."""
    for pair in entrants.values():  # make the data, check the result
        for entrant in pair[: 1 + scene.twin]:
            entrant.begin(name, scene.between, 0)
            entrant.times()
    found: dict[str, list[float]] = {key: [] for key in entrants}
    with busy(scene.busy):
        for _ in range(ROUNDS):
            for key in random.sample(list(entrants), len(entrants)):
                pair = entrants[key][: 1 + scene.twin]
                time.sleep(0.1)  # the last one's threads go to sleep
                for entrant in pair:
                    entrant.begin(name, scene.between, SECONDS)
                for entrant in pair:
                    found[key] += entrant.times()
    return {key: statistics.median(times) for key, times in found.items()}


# ---- the tables --------------------------------------------------------------------------------


def table(rows: dict[str, dict[str, float]]) -> str:
    """Milliseconds, and how csoftmax compares."""
    names = list(next(iter(rows.values())))
    lines = [f"| ms | {' | '.join(names)} | of the best | x NumPy |"]
    lines.append("|---" * (len(names) + 3) + "|")
    for name, found in rows.items():
        best = min(seconds for key, seconds in found.items() if key not in ("csoftmax", "NumPy"))
        cells = [f"{1e3 * found[key]:.2f}" for key in names]
        ours = found["csoftmax"]
        cells += [f"{ours / best:.2f}", f"{found['NumPy'] / ours:.2f}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the tables, a scene each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, metavar="FOLDER", help="another build of csoftmax")
    parser.add_argument("--scenes", default="", metavar="TEXT", help="those whose title has it")
    parser.add_argument("--jobs", default="", metavar="TEXT", help="those whose name has it")
    parser.add_argument("--serve", metavar="NAME", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve(options.serve)
    from csoftmax import bench

    text = [f"{bench.machine('scikit-learn', 'torch')}; {date.today()}.\n"]
    with ExitStack() as ends:
        entrants = contestants(options.before)
        for pair in entrants.values():
            for entrant in pair:
                ends.callback(entrant.process.kill)
        for scene in SCENES:
            if options.scenes not in scene.title:
                continue
            names = [name for name in JOBS if options.jobs in name]
            rows = {name: measure(scene, name, entrants) for name in names}
            text.append(f"### {scene.title}\n\n{table(rows)}")
            print(text[-1], flush=True)
    if options.before and not options.scenes and not options.jobs:
        bench.put(PAGE, "neighbours", "\n".join(text))


if __name__ == "__main__":
    main()
