"""How many threads a call may use.

Every parallel region is told its number of threads (`num_threads`): nothing here or in the kernels
changes a setting of the OpenMP runtime, which other packages in the process may share. No result
depends on the number.

The runtimes' waiting threads spin, which is fastest on idle cores and slow on busy ones: beside two
busy processes, 200 x 3072 uint8 x 10 took 36 ms with two threads, 3 ms with one, and 1 ms with two
and OMP_WAIT_POLICY=passive (2 cores, libgomp). That setting is the user's, too.

libgomp hangs in a forked child of a process that has used its pool of threads. One thread needs no
pool, so that such a child computes with one thread.
"""

from __future__ import annotations

import math
import os
import sys
import warnings

from csoftmax._native import checks, dispatch

#: Work, in nanoseconds of one core, that is worth another thread. Waking one up costs 5000, but
#: where others use the cores, waiting for one costs milliseconds (libgomp spins first).
WORK_PER_THREAD = 100_000.0

# What calls estimate their work by (nanoseconds of one core, v3, Zen 5): a logit of a row function
# or a loss; a multiplication or addition of a linear model; an entry of sparse X times a class.
NS_PER_LOGIT = 1.0
NS_PER_FLOP = 0.01
NS_PER_SPARSE_TERM = 0.2


def _affinity() -> int:
    """Return the number of processors that this process may run on."""
    if sys.version_info >= (3, 13):
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quota(root: str = "/sys/fs/cgroup", own: str = "/proc/self/cgroup") -> float:
    """Return the processors' worth of time that this process's control groups grant it."""
    quota = math.inf
    for line in _read(own).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        # Every group around the own one counts. A container sees its own as the root, though the
        # path may be that outside.
        parts = [part for part in path.split("/") if part]
        for depth in range(len(parts) + 1):
            quota = min(quota, _folder_quota(os.path.join(root, controllers, *parts[:depth])))
    return quota


def _folder_quota(folder: str) -> float:
    """Return the quota of one control group, version 2 or version 1."""
    fields = _read(f"{folder}/cpu.max").split()
    if not fields:
        fields = [_read(f"{folder}/cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
    if fields[0] in ("", "max", "-1"):
        return math.inf
    return int(fields[0]) / int(fields[1])


def _read(path: str) -> str:
    """Return the text of a file, or nothing where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _positive(text: str) -> int:
    """Return the positive integer that `text` spells, else 0."""
    return int(text) if text.isascii() and text.strip().isdigit() else 0


def _default() -> int:
    """Return the number of threads that the environment asks for, else that of the cores."""
    text = os.environ.get("CSOFTMAX_NUM_THREADS", "")
    if text:
        if not (number := _positive(text)):
            raise ValueError(f"CSOFTMAX_NUM_THREADS is {text!r}: wanted a positive integer")
        return number
    text = os.environ.get("OMP_NUM_THREADS", "")
    if text:
        # One number per level of nesting; the first is the outermost.
        if number := _positive(text.split(",")[0]):
            return number
        # Other programs' variable: what they live with must not stop this import.
        warnings.warn(
            f"OMP_NUM_THREADS is {text!r}, no positive integer: csoftmax ignores it",
            RuntimeWarning,
            stacklevel=2,
        )
    cores = _affinity()
    return max(1, math.ceil(min(_quota(), cores)))


_limit = _default()
_pool_used = False
_forked = False


def _after_fork() -> None:
    global _forked
    _forked = _forked or _pool_used


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def default() -> int:
    """Return how many threads a call with n_threads=None and enough work uses."""
    return 1 if _forked or dispatch.openmp() is None else _limit


def resolve(n_threads: int | None, work: float) -> int:
    """Return the number of threads for a call.

    Parameters
    ----------
    n_threads : int or None
        As the caller was given it: None for `default`, or an upper bound.
    work : float
        Estimate of what there is to do, in nanoseconds of one core.

    Raises
    ------
    TypeError, ValueError
        If `n_threads` is not None or a positive integer.
    """
    global _pool_used
    most = _limit if n_threads is None else checks.n_threads(n_threads)
    if most == 1 or work < 2 * WORK_PER_THREAD or _forked or dispatch.openmp() is None:
        return 1
    _pool_used = True
    return min(most, int(work / WORK_PER_THREAD))
