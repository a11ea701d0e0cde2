"""The command as a process: its streams, and how it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from table_files import birds, write_csv

from csoftmax.cli import main

BUFFERED = os.environ | {"PYTHONUNBUFFERED": ""}  # "": as without it


def test_python_m(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "csoftmax", "info"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_output_that_cannot_be_written(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "csoftmax", "info"],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            env=BUFFERED,
        )
    assert done.returncode == 2
    assert done.stderr == "csoftmax info: error: [Errno 28] No space left on device\n"


def test_reader_that_leaves_early(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "csoftmax", "info"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=BUFFERED,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    complaint = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=120) == 2
    assert complaint == ""


def test_output_has_the_bytes_of_a_file(model: Path, tmp_path: Path) -> None:
    table = birds(20)
    path = write_csv(tmp_path / "t.csv", table | {"note": ["Küken,\nzwei"] * 20})
    arguments = ["predict", str(model), str(path), "--keep", "note", "--quiet"]
    assert main([*arguments, "--out", str(tmp_path / "p.csv")]) == 0
    command = [sys.executable, "-P", "-m", "csoftmax", *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (tmp_path / "p.csv").read_bytes()
