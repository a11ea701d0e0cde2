"""How many threads a call may use. No result depends on the number.

The kernels have threads of their own (src/crew.h), which a caller never waits for in vain, which
need no setting of anybody's, and which a forked child starts anew. A build with OpenMP shares its
runtime with the rest of the process: its hangs in a forked child, if anybody in the parent has used
it, so that such a child computes with one thread.
"""

from __future__ import annotations

import ctypes
import math
import os
import sys
import warnings

from csoftmax._native import checks, dispatch

#: Work, in nanoseconds of one core, that is worth another thread: waking one up costs the caller
#: some 5000, and it comes 50000 later.
WORK_PER_THREAD = 100_000.0

# What calls estimate their work by (nanoseconds of one core, v3, Zen 5): a logit of a row function
# or a loss; a multiplication or addition of a linear model; an entry of sparse X times a class.
NS_PER_LOGIT = 1.0
NS_PER_FLOP = 0.01
NS_PER_SPARSE_TERM = 0.2


def _affinity() -> int:
    """Return the number of processors that this process may run on."""
    if sys.version_info >= (3, 13):
        count = os.process_cpu_count() or 1
    elif hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    if sys.platform == "win32":
        # Python does not ask there. A bit for each processor of one group of up to 64; what may run
        # in all groups has the system's.
        own, system = ctypes.c_size_t(), ctypes.c_size_t()
        this_process = ctypes.c_void_p(-1)
        ctypes.windll.kernel32.GetProcessAffinityMask(
            this_process, ctypes.byref(own), ctypes.byref(system)
        )
        if own.value != system.value:
            count = min(count, own.value.bit_count())
    return count


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


#: More threads than this take turns on the processors, and each has scratch of up to some MB.
_most: int = min(max(8, 2 * (os.cpu_count() or 1)), dispatch.kernels.MOST_THREADS)
_limit = min(_default(), _most)
_forked = False


def _after_fork() -> None:
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _one() -> bool:
    """Return whether one thread is all that there may be."""
    return not dispatch.parallel() or (_forked and dispatch.openmp() is not None)


def default() -> int:
    """Return how many threads a call with n_threads=None and enough work uses."""
    return 1 if _one() else _limit


def waiting() -> str:
    """Return how threads wait for work, in words."""
    if dispatch.openmp() is not None:
        return "as the OpenMP runtime's do"
    spin = dispatch.kernels.LOOKOUT_NS / 1e6
    return f"look out for {spin:g} ms, then sleep" if spin else "sleep at once"


def resolve(n_threads: int | None, work: float) -> int:
    """Return the number of threads for a call.

    Parameters
    ----------
    n_threads : int or None
        As the caller was given it: None for `default`, or an upper bound. Above 8, more than
        twice the machine's processors count as that many.
    work : float
        Estimate of what there is to do, in nanoseconds of one core.

    Raises
    ------
    TypeError, ValueError
        If `n_threads` is not None or a positive integer.
    """
    most = _limit if n_threads is None else min(checks.n_threads(n_threads), _most)
    if most == 1 or work < 2 * WORK_PER_THREAD or _one():
        return 1
    return min(most, int(work / WORK_PER_THREAD))
