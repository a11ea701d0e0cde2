"""Fixtures that all tests share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

# Tests fill every core by themselves, and threads of OpenBLAS wait for work in a loop, 60 ms after
# each product. (What is said of BLAS's threads has tests that set their number: solvers/test_blas.)
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import hypothesis
import pytest

from csoftmax._native import dispatch

# No deadlines: the machine may be busy. In CI the examples do not change from run to run.
hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, database=None)
hypothesis.settings.register_profile(  # sanitizers and emulators are slow
    "few", deadline=None, derandomize=True, database=None, max_examples=10
)
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default")
)


@pytest.fixture(scope="module", params=dispatch.available())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction-set variant that this machine can run, in turn."""
    before = dispatch.selected()
    dispatch.select(request.param)
    yield request.param
    dispatch.select(before)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what the debug and sanitizer builds are to run."""
    for item in items:
        if "isa" in getattr(item, "fixturenames", ()):
            item.add_marker("kernels")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with the real data sets (CIFAR-10, MNIST), where there is one."""
    folder = os.environ.get("CSOFTMAX_DATA")
    if not folder:
        pytest.skip("CSOFTMAX_DATA does not name a folder with the data sets")
    return Path(folder)


@pytest.fixture
def a_checkpoint_each_iteration(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of one every 30 seconds; not waiting for the disk."""
    monkeypatch.setattr("csoftmax.solvers.checkpoint.SECONDS", 0)
    monkeypatch.setattr("csoftmax.solvers.checkpoint.SHARE", 0)
    monkeypatch.setattr("os.fsync", lambda file: None)


@pytest.fixture
def run_python(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run code, or a script, in a fresh interpreter, from an empty folder, with more environment.

    `check=False` where it is to fail; `under` are words of the command line before Python's own.
    """

    def run(
        code: str | Path,
        *arguments: object,
        check: bool = True,
        under: tuple[str, ...] = (),
        **environment: str,
    ) -> subprocess.CompletedProcess[str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("CSOFTMAX_")}
        clean.pop("OMP_NUM_THREADS", None)
        program = [code] if isinstance(code, Path) else ["-c", code]
        done = subprocess.run(
            [*under, sys.executable, "-P", *program, *map(str, arguments)],
            env=clean | environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    return run
