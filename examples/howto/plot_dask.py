"""
On a Dask cluster, of which a worker dies
=========================================

:class:`csoftmax.dask.SoftmaxClassifier` is the estimator on Dask's arrays and data frames. The rows
stay with the machines that have them; what travels are sums of gradients. The workers of this page
are two processes of one machine, and one of them is killed in mid-fit. ::

    python plot_dask.py [ROWS]
"""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from typing import Any

import dask.array as da
import matplotlib.pyplot as plt
import numpy as np
from distributed import Client, LocalCluster

from csoftmax.dask import SoftmaxClassifier

N_FEATURES, N_CLASSES = 100, 5

# %%
# The cluster
# -----------
#
# A scheduler, here in this process, and workers, processes on any machine that know its address.
# Where there is a cluster already, ``Client("tcp://ADDRESS:8786")`` is all of this.

cluster = LocalCluster(n_workers=0, dashboard_address=":0", silence_logs=logging.CRITICAL)
command = f"dask worker {cluster.scheduler_address} --nthreads 1 --no-nanny --no-dashboard"
workers = [
    subprocess.Popen([sys.executable, "-m", *command.split()], stderr=subprocess.DEVNULL)
    for _ in range(2)
]
client = Client(cluster)
client.wait_for_workers(2)

# %%
# The rows
# --------
#
# Random rows, and labels that depend on them, in ten chunks. The workers make them themselves. What
# they read from files (``dask.array.from_zarr``, ``dask.dataframe.read_parquet``) never comes here
# either.

n_rows = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
random = da.random.default_rng(0)
chunk = max(1, n_rows // 10)
X = random.standard_normal((n_rows, N_FEATURES), chunks=(chunk, N_FEATURES), dtype=np.float32)
noise = random.gumbel(size=(n_rows, N_CLASSES), chunks=(chunk, N_CLASSES))
y = (2 * X[:, :N_CLASSES] + noise).argmax(axis=1)

# %%
# A fit
# -----

start = time.perf_counter()
model = SoftmaxClassifier().fit(X, y)
passes, seconds = model.history_["passes"][-1], time.perf_counter() - start
print(f"{X.shape[0]} rows: {passes:g} passes, {seconds:.1f} s")

# %%
# The same with an accident
# -------------------------
#
# A callback kills a worker after the first step. Its rows are loaded again elsewhere, the pass goes
# on, and since sums are added in an order that does not depend on who is ready first, the model has
# the same bits.


def accident(progress: Any) -> None:
    """Kill a worker, once."""
    if progress.iteration == 1:
        workers[0].kill()
        print("a worker is dead")


again = SoftmaxClassifier(callbacks=accident).fit(X, y)
print(f"same coefficients to the last bit: {np.array_equal(model.coef_, again.coef_)}")

fig, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
for name, fit, style in (("undisturbed", model, "o-"), ("a worker dies", again, "s--")):
    ax.plot(fit.history_["passes"], fit.history_["loss"], style, label=name)
ax.set(xlabel="passes over the rows", ylabel="loss")
ax.grid(alpha=0.3)
ax.legend()
plt.show()

# %%
# Predictions
# -----------
#
# They are arrays of Dask: nothing is computed before it is asked for. ``score`` is a number.

predicted = model.predict(X)
print(f"rows of each class: {da.bincount(predicted, minlength=N_CLASSES).compute()}")
print(f"accuracy: {model.score(X, y):.3f}")

client.close()
cluster.close()
for worker in workers:
    worker.wait()  # they end with their scheduler

# %%
# What travels, what a pass costs and how a cluster is set up: :doc:`/dask`.
