"""How many threads a call gets; bits; Python's own threads."""

from __future__ import annotations

import math
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from builds import needs_threads, own_threads

import csoftmax
from csoftmax._native import dispatch, threads

pytestmark = pytest.mark.threads

PLENTY = 1e12  # ns of work
DEFAULT = "from csoftmax._native import threads; print(threads.default())"


@pytest.fixture
def eight(monkeypatch):
    """Let the default be eight threads and the most 16, whatever this machine and build have."""
    monkeypatch.setattr(threads, "_limit", 8)
    monkeypatch.setattr(threads, "_most", 16)
    monkeypatch.setattr(dispatch, "parallel", lambda: True)


@pytest.mark.usefixtures("eight")
@pytest.mark.parametrize(
    ("n_threads", "work", "wanted"),
    [
        (None, PLENTY, 8),
        (None, 0, 1),
        (None, 3.5 * threads.WORK_PER_THREAD, 3),
        (1, PLENTY, 1),
        (3, PLENTY, 3),
        (16, PLENTY, 16),
        (1_000_000, PLENTY, 16),
        (2**100, PLENTY, 16),
        (3, 2 * threads.WORK_PER_THREAD, 2),
        (3, 1, 1),
        (np.int32(5), PLENTY, 5),
    ],
)
def test_resolve(n_threads, work, wanted):
    found = threads.resolve(n_threads, work)
    assert found == wanted
    assert type(found) is int


@pytest.mark.parametrize("work", [0, PLENTY])
@pytest.mark.parametrize(
    ("n_threads", "error"),
    [(0, ValueError), (-2, ValueError), (True, TypeError), (2.0, TypeError), ("2", TypeError)],
)
def test_bad_n_threads(n_threads, work, error):
    with pytest.raises(error, match="n_threads"):
        threads.resolve(n_threads, work)


def test_a_serial_build_has_one_thread(monkeypatch):
    monkeypatch.setattr(dispatch, "parallel", lambda: False)
    assert threads.default() == 1
    assert threads.resolve(4, PLENTY) == 1
    with pytest.raises(ValueError, match="n_threads"):
        threads.resolve(0, PLENTY)


# --- the environment ----------------------------------------------------------------------------


@needs_threads
@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({"CSOFTMAX_NUM_THREADS": "3"}, 3),
        ({"OMP_NUM_THREADS": "5"}, 5),
        ({"OMP_NUM_THREADS": "4,2"}, 4),
        ({"CSOFTMAX_NUM_THREADS": "3", "OMP_NUM_THREADS": "5"}, 3),
        ({"CSOFTMAX_NUM_THREADS": "", "OMP_NUM_THREADS": "5"}, 5),
    ],
)
def test_environment(run_python, environment, wanted):
    assert int(run_python(DEFAULT, **environment).stdout) == wanted


@needs_threads
def test_the_environment_too_is_bounded(run_python):
    assert int(run_python(DEFAULT, CSOFTMAX_NUM_THREADS="1000000").stdout) == threads._most <= 1024


@own_threads
@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, "look out for 0.1 ms, then sleep"),
        ({"OMP_WAIT_POLICY": "PASSIVE"}, "sleep at once"),
        ({"OMP_WAIT_POLICY": "active"}, "look out for 10 ms, then sleep"),
    ],
)
def test_how_threads_wait(run_python, environment, wanted):
    environment = {"OMP_WAIT_POLICY": "", **environment}
    code = "import csoftmax; print(csoftmax.show_config('dicts')['waiting'])"
    assert run_python(code, **environment).stdout.strip() == wanted
    assert wanted in run_python("import csoftmax; csoftmax.show_config()", **environment).stdout


@pytest.mark.parametrize("text", ["0", "-1", "two", "2.5", "4,2"])
def test_bad_csoftmax_num_threads(run_python, text):
    done = run_python(DEFAULT, check=False, CSOFTMAX_NUM_THREADS=text)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"ValueError: CSOFTMAX_NUM_THREADS is {text!r}: wanted a positive integer"
    )


@pytest.mark.parametrize("text", ["0", "many"])
def test_bad_omp_num_threads_is_ignored_with_a_warning(run_python, text):
    done = run_python(DEFAULT, OMP_NUM_THREADS=text)
    assert int(done.stdout) == int(run_python(DEFAULT).stdout)
    assert f"RuntimeWarning: OMP_NUM_THREADS is {text!r}" in done.stderr


@needs_threads
@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no affinity")
def test_affinity(run_python):
    pin = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    if sys.platform == "win32":
        pin = "import ctypes; this = ctypes.c_void_p(-1)\n"
        pin += "ctypes.windll.kernel32.SetProcessAffinityMask(this, ctypes.c_size_t(1))\n"
    assert int(run_python(pin + DEFAULT).stdout) == 1


@pytest.mark.parametrize(
    ("groups", "files", "wanted"),
    [
        ("0::/\n", {"cpu.max": "max 100000\n"}, math.inf),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {}, math.inf),
        # The tightest of a group and the groups around it.
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"}, 3),
        ("0::/a/b\n", {"a/b/cpu.max": "100000 100000\n", "a/cpu.max": "300000 100000\n"}, 1),
        # In a container the path is that outside, and the files are at the root.
        ("0::/docker/x\n", {"cpu.max": "200000 100000\n"}, 2),
        # Version 1.
        (
            "5:memory:/\n4:cpu,cpuacct:/a\n",
            {
                "cpu,cpuacct/a/cpu.cfs_quota_us": "250000\n",
                "cpu,cpuacct/a/cpu.cfs_period_us": "100000\n",
            },
            2.5,
        ),
        (
            "4:cpu,cpuacct:/\n",
            {
                "cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
                "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            math.inf,
        ),
    ],
)
def test_quota(tmp_path, groups, files, wanted):
    own = tmp_path / "own"
    own.write_text(groups)
    for name, text in files.items():
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert threads._quota(tmp_path / "root", own) == wanted


def test_no_control_groups(tmp_path):
    assert threads._quota(tmp_path, tmp_path / "missing") == math.inf


# --- threads and bits ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def inputs():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3001, 65)).astype(np.float32)
    W = rng.normal(size=(65, 11)).astype(np.float32)
    return W, X, rng.integers(11, size=3001)


def results(inputs, n_threads=None):
    W, X, y = inputs
    outputs = [
        csoftmax.softmax(X, axis=1, n_threads=n_threads),
        csoftmax.logsumexp(X, axis=1, n_threads=n_threads),
        *csoftmax.softmax_loss(W, X, y, 0.1, n_threads=n_threads),
        *csoftmax.svm_loss(W, X, y, 0.1, n_threads=n_threads),
    ]
    return b"".join(np.asarray(output).tobytes() for output in outputs)


@pytest.fixture
def always_threads(monkeypatch):
    """Make every call use the threads it is allowed, however little there is to do."""
    monkeypatch.setattr(threads, "WORK_PER_THREAD", 1e-6)


@pytest.mark.usefixtures("isa", "always_threads")
def test_the_bits_do_not_depend_on_the_number_of_threads(inputs):
    wanted = results(inputs, 1)
    for n_threads in (2, 3, 4, 7, None):
        assert results(inputs, n_threads) == wanted


@pytest.mark.usefixtures("isa", "always_threads")
def test_many_python_threads_get_the_same_bits(inputs):
    wanted = results(inputs)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: results(inputs, 2), range(40))) == {wanted}
