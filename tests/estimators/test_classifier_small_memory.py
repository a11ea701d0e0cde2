"""Rows of three times the memory that the process may use: the model that they give in memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sklearn")

SCRIPT = Path(__file__).parents[2] / "benchmarks/small_memory.py"
# 150 MB are Python's, NumPy's, SciPy's and scikit-learn's.
SMALL = ["--memory", "240e6", "--width", "1024", "--block", "4e6", "--tol", "0.1"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs control groups")
def test_three_times_the_memory(tmp_path):
    done = subprocess.run(
        [sys.executable, "-P", SCRIPT, *SMALL, "--folder", tmp_path],
        capture_output=True,
        text=True,
    )
    if done.returncode == 3:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    title, _, _, _, small, large = done.stdout.splitlines()
    assert title == "703125 x 1024 uint8, 720 MB; same bits: True"
    limit, most, passes, reads = (float(cell) for cell in small.split("|")[2:6])
    assert most < limit == 240
    assert passes >= 2
    assert reads == passes + 1
    assert not list(tmp_path.iterdir())
    assert large.startswith("| in memory |")
