"""Fit rows that lie with the workers of a Dask cluster, one of which is killed in mid-fit.

    python examples/dask_cluster.py [ROWS]

The cluster is two processes of this machine, made for the occasion. Give Client the address of a
scheduler in place of it, and nothing else changes. The workers make the rows themselves: what they
read from files (dask.array.from_zarr, dask.dataframe.read_parquet) never comes here either.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

import dask.array as da
import numpy as np
from distributed import Client, LocalCluster

from csoftmax.dask import SoftmaxClassifier

N_FEATURES, N_CLASSES = 100, 5


def rows(n_rows: int) -> tuple[Any, Any]:
    """Random rows, and labels that depend on them, in ten chunks."""
    random = da.random.default_rng(0)
    step = max(1, n_rows // 10)
    X = random.standard_normal((n_rows, N_FEATURES), chunks=(step, N_FEATURES), dtype=np.float32)
    noise = random.gumbel(size=(n_rows, N_CLASSES), chunks=(step, N_CLASSES))
    return X, (2 * X[:, :N_CLASSES] + noise).argmax(axis=1)


def main() -> None:
    """Fit twice, with and without an accident."""
    X, y = rows(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
    processes = LocalCluster(2, threads_per_worker=1, dashboard_address=":0")
    with processes as cluster, Client(cluster) as client:
        start = time.perf_counter()
        model = SoftmaxClassifier(verbose=1).fit(X, y)
        passes, seconds = model.history_["passes"][-1], time.perf_counter() - start
        print(f"{X.shape[0]} rows: {passes:g} passes, {seconds:.1f} s")

        victim, *_ = client.run(os.getpid).values()

        def accident(progress: Any) -> None:
            if progress.iteration == 1:
                os.kill(victim, signal.SIGKILL)
                print("a worker is dead")

        again = SoftmaxClassifier(verbose=1, callbacks=accident).fit(X, y)
        print(f"same coefficients to the last bit: {np.array_equal(model.coef_, again.coef_)}")

        predicted = model.predict(X)  # an array of Dask: nothing is computed yet
        print(f"rows of each class: {da.bincount(predicted, minlength=N_CLASSES).compute()}")
        print(f"accuracy: {model.score(X, y):.3f}")


if __name__ == "__main__":
    main()
