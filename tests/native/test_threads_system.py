"""Threads and the system: forks, threads that it refuses, signals, what a processor is set to."""

from __future__ import annotations

import importlib.util
import signal
import sys

import pytest
from builds import needs_fork, needs_threads, own_threads

pytestmark = pytest.mark.threads


# --- forks --------------------------------------------------------------------------------------

WORK = """
import os, signal, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: threads and fork
import numpy as np
import csoftmax
from csoftmax._native import dispatch, threads
rng = np.random.default_rng(0)
z = rng.normal(size=(4000, 100))  # a millisecond or two: enough for eight threads
X, W, y = rng.normal(size=(5000, 64)), rng.normal(size=(64, 10)), rng.integers(10, size=5000)

def work(n_threads=2):
    p = csoftmax.softmax(z, axis=1, n_threads=n_threads)
    loss, dW = csoftmax.softmax_loss(W, X, y, n_threads=n_threads)
    return p.tobytes() + dW.tobytes()

def number():
    return threads.resolve(2, 1e9)

def running():
    return len(os.listdir("/proc/self/task")) if os.path.exists("/proc/self/task") else 2

in_child = 1 if dispatch.openmp() else 2
"""
CHILDREN = """
def child(depth):
    signal.alarm(20)  # it would hang, not fail
    same = work() == before and number() == threads.default() == in_child
    same = same and running() >= in_child
    if depth:
        same = same and fork(depth - 1)
    return same

def fork(depth):
    if pid := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os._exit(not child(depth))

assert fork(1)
assert number() == 2 and work() == before
"""
FORK = f"{WORK}\nbefore = work()\n{CHILDREN}"
# The parent's threads were never used by csoftmax, but by somebody else with gcc's OpenMP.
FORK_UNUSED = f"{WORK}\nbefore = work(1)\n{CHILDREN}"
FORK_AFTER_SKLEARN = f"""{WORK}
from sklearn.ensemble import HistGradientBoostingClassifier
HistGradientBoostingClassifier(max_iter=2).fit(X, y)
before = work(1)
{CHILDREN}"""
FORK_AFTER_TORCH = f"""{WORK}
import torch
torch.set_num_threads(2)
(torch.ones(500, 500) @ torch.ones(500, 500)).exp().sum()
before = work(1)
{CHILDREN}
class Data(torch.utils.data.Dataset):
    def __len__(self):
        return 6

    def __getitem__(self, i):
        signal.alarm(20)
        return int(work() == before)

loader = torch.utils.data.DataLoader(Data(), num_workers=2, multiprocessing_context="fork")
assert sum(int(same) for same in loader) == 6
"""
FORK_POOL = f"""{WORK}
import multiprocessing
before = work()

def child(_):
    signal.alarm(20)
    return work() == before and number() == in_child

with multiprocessing.get_context("fork").Pool(2) as pool:
    assert all(pool.map(child, range(4)))
assert work() == before
"""
# Other threads of the parent are in the middle of calls.
FORK_AMID_CALLS = f"""{WORK}
import threading
before, end = work(), False

def calls():
    while not end:
        work()

others = [threading.Thread(target=calls) for _ in range(3)]
for other in others:
    other.start()
try:
    for _ in range(20):
        if pid := os.fork():
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        else:
            signal.alarm(20)
            os._exit(work() != before)
finally:
    end = True
"""


@needs_threads
@needs_fork
@pytest.mark.parametrize(
    ("code", "package"),
    [
        (FORK, None),
        (FORK_UNUSED, None),
        (FORK_POOL, None),
        (FORK_AFTER_SKLEARN, "sklearn"),
        (FORK_AFTER_TORCH, "torch"),
        pytest.param(FORK_AMID_CALLS, None, marks=own_threads),
    ],
)
def test_fork(run_python, code, package):
    if package and not importlib.util.find_spec(package):
        pytest.skip(f"needs {package}")
    run_python(code, CSOFTMAX_NUM_THREADS="2")


# --- threads that the system refuses --------------------------------------------------------------


@own_threads
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc, and limits of memory")
def test_a_thread_that_cannot_start_is_not_missed(run_python):
    run_python(
        f"""{WORK}
import resource
wanted = work(1)
out, dW = np.empty_like(z), np.empty_like(W)
csoftmax.softmax(z, axis=1, out=out, n_threads=1)  # scratch is there
alone = running()
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + (600 << 10)  # less than a helper's stack
resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
csoftmax.softmax(z, axis=1, out=out, n_threads=8)
csoftmax.softmax_loss(W, X, y, out=dW, n_threads=8)
refused = running()
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert out.tobytes() + dW.tobytes() == wanted
assert refused == alone
assert work() == wanted and running() > alone  # and is tried again
"""
    )


@own_threads
@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="needs signals")
def test_signals_go_to_the_programs_own_threads(run_python):
    run_python(
        f"""{WORK}
work()
hits = []
signal.signal(signal.SIGUSR1, lambda *_: hits.append(1))
for _ in range(50):
    os.kill(os.getpid(), signal.SIGUSR1)
assert hits
masks = [
    int(line.split()[1], 16)
    for task in os.listdir("/proc/self/task")
    for line in open(f"/proc/self/task/{{task}}/status")
    if line.startswith("SigBlk") and int(task) != os.getpid()
] if os.path.exists("/proc/self/task") else []
assert not masks or any(mask >> (signal.SIGUSR1 - 1) & 1 for mask in masks)
"""
    )


def test_subnormals_live_on(run_python):
    run_python(
        f"""{WORK}
import threading
work()

def check():
    for tiny in (np.float32(1e-45), np.float64(5e-324)):
        assert tiny * tiny.dtype.type(1) > 0 and np.finfo(tiny.dtype).tiny / 2 > 0
    alive.append(float.fromhex("0x1p-1074") * float("1"))

alive = []
check()
thread = threading.Thread(target=check)
thread.start()
thread.join()
assert alive == [5e-324, 5e-324]
"""
    )
