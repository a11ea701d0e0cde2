"""The benchmarks: that they compare the same results, notice wrong ones, and say what they mean."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from csoftmax import bench
from csoftmax._native import dispatch, threads
from csoftmax.bench import _linear_cases, _timing
from csoftmax.bench._timing import Turn

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks/RESULTS.md"
ISA = dispatch.selected()


@pytest.fixture
def quick(monkeypatch):
    """No rests, no long samples, small limits."""
    for name, value in {"PAUSES": 0, "SAMPLE": 1e-6, "NOT_WORTH": 0, "READ_FLOPS": 1e6}.items():
        monkeypatch.setattr(_timing, name, value)
    monkeypatch.setattr(_linear_cases, "STEPS", 3)


def job(case, goals=()):
    return bench.Job("job", (2, 3), "float64", lambda shape, dtype: case, dict(goals))


def case(**runs):
    truth = np.arange(6.0).reshape(2, 3)
    return bench.Case({"csoftmax": lambda: truth.copy(), **runs}, lambda: truth, 1e-10, 96, 24.0)


# ---- jobs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("job", bench.JOBS, ids=str)
@pytest.mark.filterwarnings("ignore")  # those of the peers are theirs
def test_every_job_measures_all_contestants(job, quick):
    small = job._replace(shape=tuple(min(size, 40) for size in job.shape))
    isas = dispatch.available()
    result = bench.measure(small, isas, [2, 1], rounds=1)
    assert set(result.memory) <= {"csoftmax", *bench.PEERS}
    assert {"numpy", "scipy"} & set(result.memory)
    for turn, seconds in result.times.items():
        assert len(seconds) == 1
        assert seconds[0] > 0, turn
    assert all(result.seconds("csoftmax", n, isa) for n in (1, 2) for isa in isas)
    least, of = result.limit(2, isas[0])
    assert (least > 0, of in ("bytes", "flops")) == (True, True)
    wanted = {name for name in job.goals if name != "MB" and not name.startswith("limit")}
    assert wanted <= set(result.memory) | set(bench.missing())
    assert str(small) in bench.table([result], bench.columns([result], 2, isas[0]))


def test_jobs_are_told_apart_and_chosen_by_text():
    names = [str(job) for job in bench.JOBS]
    assert len(set(names)) == len(names)
    assert bench.select() == list(bench.JOBS)
    assert 10 <= len(bench.select(short=True)) <= 14
    assert all("svm_loss" in str(job) for job in bench.select("svm_loss", short=True))
    with pytest.raises(ValueError, match=r"no job has 'nonsense' in its line: .*svm_loss"):
        bench.select("nonsense")


# ---- checks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["csoftmax", "numpy"])
@pytest.mark.parametrize(
    "wrong",
    [
        np.arange(6.0).reshape(2, 3) * (1 + 1e-8),
        np.full((2, 3), np.nan),
        np.arange(6.0).reshape(3, 2),
        np.arange(6.0),
        np.arange(3.0),
    ],
)
def test_a_wrong_result_ends_the_run(who, wrong, quick):
    with pytest.raises(bench.WrongResult, match=f"job 2x3 float64: {who}.* differs"):
        bench.measure(job(case(**{who: lambda: wrong})), [ISA], [1], rounds=1)


def test_difference(monkeypatch):
    difference = _timing.difference
    monkeypatch.setattr(_timing, "BLOCK_BYTES", 64)  # many blocks
    truth = np.linspace(-10, 10, 100).reshape(50, 2)
    assert difference(truth, truth) == 0
    for row in (0, 23, 49):
        other = truth.copy()
        other[row, 1] += 0.1
        assert difference(other, truth) == pytest.approx(0.01)
        other[row, 1] = np.nan
        assert np.isnan(difference(other, truth))
    assert difference(1.0, np.float64(1.25)) == pytest.approx(0.2)
    assert difference((2.0, truth), (1.0, truth)) == 1
    assert difference((1.0, truth), (1.0, truth, truth)) == np.inf
    assert difference(np.array([0, 1, 2, 3]), np.array([0, 1, 2, 4])) == 0.25
    assert np.isnan(difference((1.0, np.nan), (1.0, 2.0)))
    assert np.isnan(difference((np.nan, 2.0), (1.0, 2.0)))


# ---- turns -----------------------------------------------------------------------------------


def test_each_turn_has_its_threads_and_variant_and_leaves_none_behind(quick):
    seen = set()

    def ours():
        seen.add((dispatch.selected(), threads.default()))
        return np.arange(6.0).reshape(2, 3)

    before = dispatch.selected(), threads._limit
    isas = dispatch.available()
    bench.measure(job(case(csoftmax=ours)), isas, [1, 2], rounds=1)
    most = (1, 2) if dispatch.parallel() else (1,)
    assert seen == {(isa, n) for isa in isas for n in most}
    assert (dispatch.selected(), threads._limit) == before
    with pytest.raises(ImportError, match="wanted one of"):
        bench.measure(job(case()), ["v99"], [1], rounds=1)
    assert (dispatch.selected(), threads._limit) == before


def test_slow_calls_have_fewer_turns(quick, monkeypatch):
    monkeypatch.setattr(_timing, "SLOW", 1e-9)
    result = bench.measure(job(case()), [ISA], [1], rounds=9)
    assert {len(times) for times in result.times.values()} == {3}


def test_threads_rest_between_turns(monkeypatch):
    slept = []
    clock = iter([0.0, 0.004, 0.004, 0.008, 0.008, 0.0081])
    monkeypatch.setattr(_timing.time, "process_time", lambda: next(clock))
    monkeypatch.setattr(_timing.time, "sleep", slept.append)
    _timing._rest()
    assert len(slept) == 3  # twice a thread was busy


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_kernels_of_the_limits(isa, dtype):
    x = np.arange(1001, dtype=dtype)
    for n in (1, 2, 3):
        assert dispatch.kernels.read_sum(x, n) == x.sum()
    total = dispatch.kernels.multiply_add(x.itemsize, 1e5, 1)
    assert total % 12 == 0  # all lanes of 12 chains at 1: none was left out
    assert dispatch.kernels.multiply_add(x.itemsize, 2e5, 2) == 2 * total


def test_peaks(quick, monkeypatch):
    monkeypatch.setattr(_timing, "READ_BYTES", 1 << 20)
    found = bench.peaks(ISA, 1)
    assert (found.isa, found.threads) == (ISA, 1)
    assert 1e8 < found.bytes < 1e13
    assert 1e7 < found.double_flops < 1e13
    assert 1e7 < found.flops < 1e13


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/stat")
def test_busy_counts_what_others_do():
    busy = "import time\nend = time.time() + 20\nwhile time.time() < end: pass"
    with subprocess.Popen([sys.executable, "-c", busy]) as other:
        try:
            assert any(bench.busy() > 0.3 for _ in range(20))
        finally:
            other.kill()


def test_busy_leaves_out_what_this_process_does(monkeypatch):
    ticks = iter([1000, 1000 + os.sysconf("SC_CLK_TCK")]) if hasattr(os, "sysconf") else None
    if ticks is None:
        pytest.skip("no sysconf")
    clock = iter([0.0, 0.25])
    monkeypatch.setattr(_timing, "_busy_ticks", lambda: next(ticks))
    monkeypatch.setattr(_timing.time, "process_time", lambda: next(clock))
    monkeypatch.setattr(_timing.time, "sleep", lambda seconds: None)
    assert bench.busy(0.5) == 1.5  # a second in all, a quarter of one was ours


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
@pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="a sanitizer takes memory of its own")
def test_peak_memory_counts_what_is_freed_again():
    assert _timing.extra_memory(lambda: None) < 1e6
    for _ in range(2):
        extra = _timing.extra_memory(lambda: np.ones(5_000_000).sum())
        assert 39e6 < extra < 45e6


# ---- text ------------------------------------------------------------------------------------


def known():
    times = {
        Turn("csoftmax", 2, "v4"): [0.001, 0.002, 0.003],
        Turn("csoftmax", 1, "v4"): [0.003],
        Turn("csoftmax", 2, "v3"): [0.005],
        Turn("csoftmax", 2, "baseline"): [0.02],
        Turn("numpy", 2, ""): [0.01],
        Turn("bytes", 2, "v4"): [0.0005],
        Turn("flops", 2, "v4"): [0.001],
        Turn("flops", 2, "v3"): [0.002],
        Turn("jax", 2, ""): [0.004],
    }
    memory = {"csoftmax": 1_000_000, "numpy": None}
    goals = {"numpy": 4, "limit v4": 0.6, "limit v3": 0.5, "MB": 2, "torch": 3, "jax": 2}
    return bench.Result(job(case(), goals), times, memory)


def test_table():
    columns = bench.columns([known()], 2, "v4", spread=True)
    assert bench.table([known()], columns) == (
        "| job             | ms        | numpy | jax   | of limit   | extra MB, peer's |\n"
        "|-----------------|----------:|------:|------:|-----------:|-----------------:|\n"
        "| job 2x3 float64 | 2.00 ±25% | 5.00x | 2.00x | 0.50 flops | 1.0, ?           |"
    )


def test_results_as_json():
    assert json.loads(json.dumps(bench.as_dict(known(), 2, "v4"))) == {
        "job": "job",
        "shape": [2, 3],
        "dtype": "float64",
        "seconds": {"csoftmax": 0.002, "numpy": 0.01, "jax": 0.004},
        "spread": 0.25,
        "limit": {"seconds": 0.001, "of": "flops"},
        "extra_bytes": {"csoftmax": 1_000_000, "numpy": None},
    }


def test_results_are_judged(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import run

    assert run.reached(known(), 2, "v4") == {
        "numpy": True,
        "limit v4": False,
        "MB": True,
        "torch": None,
        "jax": True,
    }
    text = run.goal_column(2, "v4")[1](known())
    assert text == "numpy 4 met, **limit 0.6 missed**, MB 2 met, torch 3 ?, jax 2 met"
    assert run.shortfalls([known()], ["v4", "v3", "baseline"], [2, 1]) == [
        "job 2x3 float64: goal missed (limit v4)",
        "job 2x3 float64: goal missed (limit v3)",
        "job 2x3 float64: 2 threads give 1.50 times one",
        "job 2x3 float64: v3 gives 0.40 of v4",
        "job 2x3 float64: baseline gives 0.50 of NumPy",
    ]
    slow = known()
    slow.times[Turn("csoftmax", 1, "v4")] = [0.001]
    assert "job 2x3 float64: 2 threads are slower than one" in run.shortfalls(
        [slow], ["v4"], [2, 1]
    )


def test_the_script_writes_only_what_it_is_told_to(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import run

    before = RESULTS.stat().st_mtime_ns if RESULTS.exists() else None
    script = [sys.executable, "-P", str(ROOT / "benchmarks/run.py")]
    arguments = ["--jobs", "softmax out= 1x10", "--isa", ISA, "--threads", "1", "--out", "new.md"]
    done = subprocess.run(
        [*script, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "new.md").read_text(encoding="utf-8")
    assert re.search(r"^\| softmax out= 1x10 float64 +\| [\d.]+ ±\d+%", text, re.MULTILINE)
    assert "### What falls short" in text
    assert text.partition("\n## ")[2].partition("\n\n")[2].partition("\n<!--")[0] in done.stdout
    run.keep(tmp_path / "new.md", "another one", "its tables")
    both = (tmp_path / "new.md").read_text(encoding="utf-8")
    assert text.partition("\n<!--")[2] in both  # each machine has its section
    assert "\n## another one\n\nits tables\n" in both
    assert before == (RESULTS.stat().st_mtime_ns if RESULTS.exists() else None)
