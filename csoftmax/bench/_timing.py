"""Each result checked, then timed: contestants take turns, and medians are kept.

A turn is a contestant with a number of threads and, for csoftmax, an instruction set. All turns of
a job take place in one process, on the same data and in the same minutes, so that a neighbour on
the machine slows all of them alike; and so do the two kernels that measure the machine's limits.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from csoftmax._native import dispatch, threads
from csoftmax.bench._case import Case
from csoftmax.bench._jobs import Job
from csoftmax.bench._peers import ALL_PROCESSORS, Run, optional

#: Turns of each contestant; of calls that take longer than SLOW fewer, every fourth at least.
ROUNDS, SLOW = 9, 0.1
#: Shortest time of one sample: quick calls are repeated for so long.
SAMPLE = 10e-3
#: A call that is not timed comes before each sample, but for slow calls that take less memory than
#: this. It wakes up threads (2 ms for OpenBLAS's) and touches memory: a virtual machine may give
#: free memory back to its host within a second, and SciPy's softmax of 2048 x 50257 then takes
#: 1.5 s instead of 0.17.
MUCH_MEMORY = 8e6
#: A rest between turns is made of such pauses, in seconds, and of at most so many.
PAUSE, PAUSES = 4e-3, 50

READ, COMPUTE = "bytes", "flops"  # the turns of the limits
READ_BYTES, READ_FLOPS = 1 << 28, 2e9  # larger jobs are extrapolated from these
NOT_WORTH = 1e6  # bytes: below, a call's overhead is the limit
BLOCK_BYTES = 1 << 24

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class WrongResult(ValueError):
    """A contestant computed something else than the reference."""


class Turn(NamedTuple):
    """Who computes, and how."""

    name: str  # "csoftmax", a peer, or READ or COMPUTE
    threads: int
    isa: str  # "" for the peers


class Peaks(NamedTuple):
    """What the machine reads and computes at most, per second."""

    isa: str
    threads: int
    bytes: float
    flops: float  # float32
    double_flops: float


@dataclass
class Result:
    """Times of one job, in seconds, and memory of each contestant, in bytes."""

    job: Job
    times: dict[Turn, list[float]]
    memory: dict[str, int | None]

    def seconds(self, name: str, threads: int, isa: str = "") -> float | None:
        """Return the median, or None for who took no part."""
        times = self.times.get(Turn(name, threads, isa))
        return statistics.median(times) if times else None

    def spread(self, name: str, threads: int, isa: str = "") -> float:
        """Return half the distance between the quartiles, as a fraction of the median."""
        low, middle, high = np.percentile(self.times[Turn(name, threads, isa)], [25, 50, 75])
        return float((high - low) / 2 / middle)

    def limit(self, threads: int, isa: str) -> tuple[float, str] | None:
        """Return the least time that is possible, and of what; None for the smallest work."""
        found = [(self.seconds(name, threads, isa) or 0.0, name) for name in (READ, COMPUTE)]
        return max(found) if max(found)[0] else None


def measure(job: Job, isas: Sequence[str], threads: Sequence[int], rounds: int = ROUNDS) -> Result:
    """Check all contestants of a job and time them.

    Parameters
    ----------
    job : Job
    isas : sequence of str
        Variants of csoftmax, and of the kernels that measure the limits.
    threads : sequence of int
        Numbers of threads. Memory is measured with the first.
    rounds : int, optional
        Turns of each.

    Raises
    ------
    WrongResult
        If a contestant's result is not that of the reference.
    """
    case = job.make(job.shape, job.dtype)
    turns = {}
    for n in threads:
        for name, run in case.runs.items():
            if name in ALL_PROCESSORS and n != _processors():
                continue
            for isa in isas if name == "csoftmax" else [""]:
                turns[Turn(name, n, isa)] = run
    pools = _pools()
    first = _check(job, case, turns, pools)
    memory: dict[str, int | None] = {}
    for turn, run in turns.items():
        if turn.name not in memory:
            with _in_force(turn, pools):
                memory[turn.name] = extra_memory(run)
    factors = dict.fromkeys(turns, 1.0)
    for n in threads:
        for name, run, factor in _limits(case, job.dtype):
            for isa in isas:
                turns[Turn(name, n, isa)], factors[Turn(name, n, isa)] = run, factor
    hungry = {name for name, size in memory.items() if size and size > MUCH_MEMORY}
    times = _times(turns, pools, rounds, first, hungry)
    return Result(job, {t: [s * factors[t] for s in times[t]] for t in turns}, memory)


def peaks(isa: str, threads: int) -> Peaks:
    """Measure what this machine reads and computes at most, as medians."""
    turns = {}
    for name, dtype in ((READ, "float32"), (COMPUTE, "float32"), (COMPUTE, "float64")):
        kernel = _read(READ_BYTES, dtype) if name == READ else _compute(READ_FLOPS, dtype)
        turns[Turn(name + dtype, threads, isa)] = kernel
    read, single, double = map(
        statistics.median, _times(turns, _pools(), ROUNDS, {}, set()).values()
    )
    return Peaks(isa, threads, READ_BYTES / read, READ_FLOPS / single, READ_FLOPS / double)


def _processors() -> int:
    return threads._affinity()


def busy(seconds: float = 0.3) -> float | None:
    """Return how many processors others keep busy at the moment; None if unknown."""
    try:
        before, own = _busy_ticks(), time.process_time()
        time.sleep(seconds)
        ticks, own = _busy_ticks() - before, time.process_time() - own
    except OSError:  # not Linux
        return None
    return max(0.0, (ticks / os.sysconf("SC_CLK_TCK") - own) / seconds)


def _busy_ticks() -> int:
    """All processors' time that was not idle: the machine's own processes and its host's others."""
    fields = [int(text) for text in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4]  # idle, and waiting for a disk


# ---- checks ------------------------------------------------------------------------------------


def _check(job: Job, case: Case, turns: dict[Turn, Run], pools: Any) -> dict[Turn, float]:
    """Compare each result with the truth; return the seconds of these first calls."""
    truth, seconds = case.truth(), {}
    for turn, run in turns.items():
        with _in_force(turn, pools):
            started = time.perf_counter()
            result = run()
            seconds[turn] = time.perf_counter() - started
        found = difference(result, truth)
        if not found <= case.tolerance:
            who = f"{turn.name} {turn.isa}".strip()
            raise WrongResult(f"{job}: {who} differs from the reference by {found:.1e}")
    return seconds


def difference(result: Any, truth: Any) -> float:
    """Return the largest difference relative to the truth's largest element.

    Of labels it is the share that differ. NaN where there is a NaN, inf for another shape.
    """
    if isinstance(truth, tuple):
        if not isinstance(result, tuple) or len(result) != len(truth):
            return np.inf
        return float(np.max([difference(a, b) for a, b in zip(result, truth, strict=True)]))
    a, b = np.atleast_1d(result), np.atleast_1d(truth)
    if a.shape != b.shape:
        return np.inf
    if b.dtype.kind == "i":
        return float(np.mean(a != b))
    # by blocks: a float64 copy of the largest results takes most of a gigabyte
    step = max(1, BLOCK_BYTES // (8 * max(1, b[0].size)))
    blocks = range(0, len(b), step)
    most = np.max([np.abs(a[i : i + step] - b[i : i + step]).max() for i in blocks])
    return float(most / np.max([np.abs(b[i : i + step]).max() for i in blocks]))


# ---- turns -------------------------------------------------------------------------------------


def _times(
    turns: Mapping[Turn, Run],
    pools: Any,
    rounds: int,
    first: Mapping[Turn, float],
    hungry: Set[str],
) -> dict[Turn, list[float]]:
    """Let all take their turns: seconds of each call.

    `first` are those of calls already made, `hungry` the contestants that take much memory.
    """
    times: dict[Turn, list[float]] = {turn: [] for turn in turns}
    latest = {turn: first.get(turn, 0.0) for turn in turns}
    for i in range(rounds):
        for turn, run in turns.items():
            if i % min(4, 1 + int(latest[turn] / SLOW)):
                continue
            with _in_force(turn, pools):
                if latest[turn] < SLOW or turn.name in hungry:
                    latest[turn] = _seconds(run, 1)
                latest[turn] = _seconds(run, max(1, int(SAMPLE / latest[turn])))
            times[turn].append(latest[turn])
    return times


def _seconds(run: Run, number: int) -> float:
    started = time.perf_counter()
    for _ in range(number):
        run()
    return (time.perf_counter() - started) / number


def _pools() -> Any:
    """Return what sets the threads of NumPy's and SciPy's BLAS; None without threadpoolctl."""
    threadpoolctl = optional("threadpoolctl")
    return threadpoolctl and threadpoolctl.ThreadpoolController()


@contextlib.contextmanager
def _in_force(turn: Turn, pools: Any) -> Iterator[None]:
    """Have the turn's instruction set and number of threads in force."""
    torch = optional("torch")
    before = dispatch.selected(), threads._limit, torch and torch.get_num_threads()
    with pools.limit(limits=turn.threads) if pools else contextlib.nullcontext():
        if turn.isa:
            dispatch.select(turn.isa)
        threads._limit = turn.threads
        if torch:
            torch.set_num_threads(turn.threads)
        try:
            _rest()
            yield
        finally:
            dispatch.select(before[0])
            threads._limit = before[1]
            if torch:
                torch.set_num_threads(before[2])


def _rest() -> None:
    """Wait until the threads of the last contestant have gone to sleep.

    When their work is done they spin for a while, and would take the cores from the next one: 10 to
    15 ms libgomp's, 60 ms OpenBLAS's (Zen 5).
    """
    for _ in range(PAUSES):
        used = time.process_time()
        time.sleep(PAUSE)
        if time.process_time() - used < PAUSE / 4:
            break


# ---- limits ------------------------------------------------------------------------------------


def _limits(case: Case, dtype: str) -> Iterator[tuple[str, Run, float]]:
    """Give the kernels of the limits, and by what to multiply their times.

    As many bytes are read as the job moves, from an array as large, so that it is in the caches
    where the job's arrays are.
    """
    if case.moved < NOT_WORTH:
        return
    size = min(max(case.moved, case.footprint), READ_BYTES)
    yield READ, _read(size, dtype), case.moved / size
    if case.flops:
        flops = min(case.flops, READ_FLOPS)
        yield COMPUTE, _compute(flops, dtype), case.flops / flops


def _read(size: int, dtype: str) -> Run:
    real = np.dtype("float64" if dtype == "float64" else "float32")
    x = np.ones(size // real.itemsize, real)
    return lambda: dispatch.kernels.read_sum(x, threads.default())


def _compute(flops: float, dtype: str) -> Run:
    itemsize = 8 if dtype == "float64" else 4
    return lambda: dispatch.kernels.multiply_add(itemsize, flops, threads.default())


# ---- memory ------------------------------------------------------------------------------------


def extra_memory(run: Run) -> int | None:
    """Return by how many bytes the resident memory grows at most during a call; None if unknown.

    C's allocations count as well as NumPy's. What the allocator kept of earlier calls is handed
    back first; the pages of the inputs must be there already.
    """
    if (before := memory_before()) is None:
        return None
    run()
    return max(0, most_memory() - before)


def memory_before() -> int | None:
    """Hand free memory back and start the high-water mark anew; return what is resident."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
        CLEAR.write_text("5")
    except (OSError, AttributeError, TypeError):  # not Linux, or not glibc; Windows
        return None
    return _status("VmRSS")


def most_memory() -> int:
    """Return the high-water mark of the resident memory."""
    return _status("VmHWM")


def _status(field: str) -> int:
    for line in STATUS.read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise OSError(f"{STATUS} has no {field}")
