"""
Threads beside other threads
============================

csoftmax uses the processors that its process may use, and fewer where there is little to do. This
page shows who decides the number, and what to do where several layers of a program want them all:
the processes of joblib, NumPy's BLAS, servers that fork.
"""

import os
import subprocess
import sys
import timeit
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
from joblib import Parallel, delayed, parallel_config
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

import csoftmax
from csoftmax import SoftmaxClassifier, softmax_loss


def n_threads():
    """The most threads that a call uses in this process, if it is not told."""
    return csoftmax.show_config("dicts")["n_threads"]


# %%
# How many
# --------
#
# ``CSOFTMAX_NUM_THREADS`` decides, else ``OMP_NUM_THREADS``, else the processors that the process
# may use, by its affinity and by the quota of a container. They are looked at when csoftmax is
# imported.

print("this process:", n_threads())
PROGRAM = "import csoftmax; print(csoftmax.show_config('dicts')['n_threads'])"
plain = {name: value for name, value in os.environ.items() if not name.endswith("NUM_THREADS")}
for variables in ({"OMP_NUM_THREADS": "3"}, {"OMP_NUM_THREADS": "3", "CSOFTMAX_NUM_THREADS": "1"}):
    command = [sys.executable, "-P", "-c", PROGRAM]
    done = subprocess.run(
        command, env=plain | variables, stdout=subprocess.PIPE, text=True, check=True
    )
    print(f"{variables}: {done.stdout.strip()}")

# %%
# A call may be told, too: ``n_threads=`` of functions, ``n_jobs=`` of estimators. Both are upper
# bounds. The result has the same bits for any number, so that there is nothing to decide but speed.
#
# What a thread brings
# --------------------
#
# A small call stays on one thread, since to wake another would take longer than the call. A large
# one is shared out. Helpers for which the system has no processor free are not waited for, so that
# a thread too many does no harm. Measured when this page was made, beside whatever else ran:

rng = np.random.default_rng(0)
counts = range(1, min(n_threads(), 7) + 2)
fig, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
for rows in (200, 2_000, 20_000, 100_000):
    X, W = rng.standard_normal((rows, 64), np.float32), rng.standard_normal((64, 10), np.float32)
    y = rng.integers(0, 10, rows)
    seconds = []
    for n in counts:
        call = partial(softmax_loss, W, X, y, n_threads=n)
        seconds.append(min(timeit.repeat(call, number=max(1, 200_000 // rows), repeat=7)))
    ax.plot(counts, seconds[0] / np.array(seconds), "o-", label=f"{rows:,} rows")
ax.set(xlabel="n_threads, at most", ylabel="times as fast as one", xticks=counts, ylim=0)
ax.legend()
plt.show()

# %%
# joblib and scikit-learn's n_jobs
# --------------------------------
#
# ``n_jobs`` of a search starts processes. joblib tells each of them its share of the processors, by
# ``OMP_NUM_THREADS``, and csoftmax keeps to it: no product of processes and threads comes about.

processes = 2
print("in each of two processes:", Parallel(processes)(delayed(n_threads)() for _ in range(2)))

# %%
# On one machine, though, one fit after the other with all threads is as good, and needs no copies
# of the data. ``n_jobs`` of the search pays where fits are small. Threads in place of processes
# share the data; then give each fit one thread:

X, y = load_digits(return_X_y=True)
search = GridSearchCV(
    SoftmaxClassifier(standardize=True, tol=1e-3, n_jobs=1),
    {"C": [0.001, 0.01, 0.1]},
    n_jobs=processes,
)

with parallel_config("threading"):
    search.fit(X, y)
print(search.best_params_, round(search.best_score_, 3))

# %%
# Beside NumPy and PyTorch
# ------------------------
#
# The threads are csoftmax's own. They look out for work for 0.1 ms after a call and then sleep, so
# that BLAS finds the processors free, and no call of csoftmax waits for threads of BLAS. Those of
# OpenMP (scikit-learn's, PyTorch's) may spin for longer after their own calls:
# ``OMP_WAIT_POLICY=passive`` lets all of them sleep. :doc:`/benchmarks` has times of such mixtures.
#
# Forks
# -----
#
# A child made by fork (gunicorn, multiprocessing on Linux, PyTorch's DataLoader) starts threads of
# its own when it first needs them, whatever its parent has used. A server with a process for each
# processor sets ``CSOFTMAX_NUM_THREADS=1``.
#
# How the threads work: :doc:`/numerics`.
