"""Measure what a pass costs on a Dask cluster of this machine, and put it into docs/dask.md.

    python benchmarks/dask_pass.py [--rows 400000] [--write]

Three tables: what passes over nearly no rows cost by their number of tasks (the cluster's own
time), what large coefficients add, and passes and whole fits over --rows rows of 784 features,
in float32 and 10 classes, with 1, 2 and 4 worker processes beside the estimator in memory.
"""

from __future__ import annotations

import argparse
import importlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import scipy.optimize
from distributed import Client, LocalCluster, get_task_stream, wait

import csoftmax
from csoftmax import bench
from csoftmax.dask import SoftmaxClassifier, chunks, rows, workers

PAGE = Path(__file__).parents[1] / "docs/dask.md"
D, C = 784, 10
#: Dask has workers give free memory back at once, and what is large is new to each pass
KEEP = {"MALLOC_TRIM_THRESHOLD_": str(1 << 30), "MALLOC_MMAP_THRESHOLD_": str(1 << 30)}


@contextmanager
def cluster(n_workers: int, **environment: str) -> Iterator[Client]:
    """Processes with a thread each."""
    key = "distributed.nanny.pre-spawn-environ"
    with (
        dask.config.set({key: {**dask.config.get(key), **environment}}),
        LocalCluster(n_workers, threads_per_worker=1, dashboard_address=":0") as processes,
        Client(processes) as client,
    ):
        yield client


def objective(n_groups: int, rows_each: int, n_features: int, n_classes: int) -> rows.RowsObjective:
    """The loss of random rows, made by the workers; a group for each chunk."""
    n_rows = n_groups * rows_each
    random = da.random.default_rng(0)
    shape, step = (n_rows, n_features), (rows_each, n_features)
    X = random.standard_normal(shape, chunks=step, dtype=np.float32)
    y = random.integers(0, n_classes, n_rows, chunks=rows_each)
    with workers.workers() as where:
        model = SoftmaxClassifier()
        return model._problem(X, y, None, workers=where, classes=np.arange(n_classes))[0]


def fastest(call: Callable[[], Any], times: int = 15) -> float:
    """Seconds of a call, the first left out: others on the machine slow down the median most."""
    call()
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def watched(client: Client, call: Callable[[], Any], times: int = 7) -> tuple[float, float]:
    """As `fastest`, and the seconds that the tasks of the busiest worker were computed in."""
    call()
    found = []
    for _ in range(times):
        with get_task_stream(client) as stream:
            start = time.perf_counter()
            call()
            seconds = time.perf_counter() - start
        busy: dict[str, float] = {}
        for task in stream.data:
            spent = [s["stop"] - s["start"] for s in task["startstops"] if s["action"] == "compute"]
            busy[task["worker"]] = busy.get(task["worker"], 0.0) + sum(spent)
        found.append((seconds, max(busy.values())))
    return min(found)


def overhead() -> str:
    """A pass over nearly no rows: milliseconds by tasks, and the line through them."""
    tasks, table = [1, 5, 20, 80], ["| tasks | ms a pass |", "|---:|---:|"]
    seconds = []
    with cluster(2):
        for n in tasks:
            loss = objective(n, 20, 20, C)
            theta = np.zeros(loss.shape, np.float32)
            seconds.append(fastest(partial(loss.loss_grad, theta)))
            table.append(f"| {n} | {1e3 * seconds[-1]:.1f} |")
    slope, start = 1e3 * np.polyfit(tasks, seconds, 1)
    return "\n".join([*table, f"\nA line through them: {start:.1f} ms + {slope:.2f} ms a task."])


def large(n_groups: int = 16) -> str:
    """Passes over nearly no rows with large coefficients: what they cost on their way."""
    sizes, times = (10, 250, 2500), []
    for environment in ({}, KEEP):
        with cluster(2, **environment):
            for n_classes in sizes:
                loss = objective(n_groups, 20, 1000, n_classes)
                theta = np.zeros(loss.shape, np.float32)
                times.append(1e3 * fastest(partial(loss.loss_grad, theta), 7))
    table = ["| coefficients, MB | ms a pass | ms, malloc keeps memory |", "|---:|---:|---:|"]
    for n_classes, usual, kept in zip(sizes, times[:3], times[3:], strict=True):
        table.append(f"| {4e-3 * n_classes:g} | {usual:.0f} | {kept:.0f} |")
    return "\n".join(
        [*table, f"\n{n_groups} tasks. The last column is with {' and '.join(KEEP)} at 1 GiB."]
    )


def data(n_rows: int) -> tuple[Any, Any]:
    """Rows of ten classes that overlap, features of several sizes, in chunks of 64 MB."""
    scales = np.geomspace(0.05, 1, D).astype(np.float32)
    means = np.random.default_rng(1).standard_normal((C, D)).astype(np.float32) / 8

    def make(block_info: Any = None) -> Any:
        (start, stop), _ = block_info[None]["array-location"]
        random = np.random.default_rng(start)
        X = random.standard_normal((stop - start, D), np.float32)
        X += means[np.arange(start, stop) % C]
        return X * scales

    rows = (1 << 26) // (4 * D)
    cuts = (rows,) * (n_rows // rows) + ((n_rows % rows,) if n_rows % rows else ())
    X = da.map_blocks(make, chunks=(cuts, (D,)), dtype=np.float32, meta=np.empty((0, D), "f4"))
    return X, da.arange(n_rows, chunks=(cuts,)) % C


def scaling(n_rows: int) -> str:
    """Seconds a pass, and of whole fits."""
    table = [
        "| where | ms a pass | in the tasks of one worker | passes | s a fit | before the first |",
        "|---|---:|---:|---:|---:|---:|",
    ]

    def line(where: str, model: Any, seconds: float, pass_: float, tasks: float) -> None:
        passes, solver = model.history_["passes"][-1], model.history_["seconds"][-1]
        table.append(
            f"| {where} | {1e3 * pass_:.0f} | {1e3 * tasks:.0f} | {passes:.0f} | {seconds:.2f} | "
            f"{seconds - solver:.2f} |"
        )

    X, y = data(n_rows)
    here = X.compute(), y.compute()
    W = np.zeros((D, C), np.float32)
    for n_threads in (1, 2):
        start = time.perf_counter()
        model = csoftmax.SoftmaxClassifier(n_jobs=n_threads).fit(*here)
        seconds = time.perf_counter() - start
        pass_ = fastest(partial(csoftmax.softmax_loss, W, *here, n_threads=n_threads), 5)
        line(f"in memory, {n_threads} thread{'s' * (n_threads > 1)}", model, seconds, pass_, pass_)
    lbfgs = passes_of_scipy(*here)
    del here
    for n_workers in (1, 2, 4):
        with cluster(n_workers) as client:
            on = tuple(client.persist([X, y]))
            wait(on)
            client.run(importlib.import_module, "csoftmax.estimators")
            start = time.perf_counter()
            model = SoftmaxClassifier().fit(*on)
            seconds = time.perf_counter() - start
            with workers.workers() as where:
                loss = SoftmaxClassifier()._problem(*on, None, workers=where)[0]
                theta = np.zeros(loss.shape, np.float32)
                pass_, in_tasks = watched(client, partial(loss.loss_grad, theta))
            n_groups = len(loss.X.groups)
            del loss, on
        line(f"{n_workers} worker{'s' * (n_workers > 1)}", model, seconds, pass_, in_tasks)
    return "\n".join(
        [
            *table,
            f"\n{n_rows} x {D} float32, {C} classes, {n_groups} tasks a pass, tol=1e-4. SciPy's "
            f"L-BFGS-B, to the same gradient: {lbfgs} passes.",
        ]
    )


def passes_of_scipy(X: Any, y: Any) -> int:
    """How often it asks for the loss."""

    def loss(theta: Any) -> tuple[float, Any]:
        W = theta.reshape(D + 1, C).astype(np.float32)
        value, dW, dbias = csoftmax.softmax_loss(W[:-1], X, y, 1 / len(X), bias=W[-1])
        return value, np.vstack([dW, dbias]).astype(np.float64).ravel()

    options = {"gtol": 1e-4, "ftol": 0, "maxiter": 1000}
    start = np.zeros((D + 1) * C)
    return scipy.optimize.minimize(loss, start, jac=True, method="L-BFGS-B", options=options).nfev


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=400_000, help="of the whole fits")
    parser.add_argument("--write", action="store_true", help="into docs/dask.md")
    options = parser.parse_args()
    parts = [bench.machine("dask", "distributed") + ", LocalCluster, TCP."]
    chunks.GROUP_BYTES = 1
    parts += [overhead(), large()]
    chunks.GROUP_BYTES = 64 << 20
    text = "\n\n".join([*parts, scaling(options.rows)])
    print(text)
    if options.write:
        bench.put(PAGE, "dask", text)


if __name__ == "__main__":
    main()
