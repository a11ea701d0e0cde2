"""csoftmax bench: its tables, its JSON, and what it says of the machine."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import pytest

from csoftmax import _cpu
from csoftmax.cli import main

RunPython = Callable[..., "subprocess.CompletedProcess[str]"]


def test_bench(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--jobs", "softmax out= 1x10", "--threads", "1"]) == 0
    text, progress = capsys.readouterr()
    assert "| softmax out= 1x10 float64 |" in text
    assert "threads: 1\n" in text
    assert "reads, GB/s" in text
    assert "\nof limit     the time that this machine needs" in text
    assert progress == ""  # it shows on a terminal only


def test_bench_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--jobs", "softmax out= 1x10", "--threads", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["threads"] == 1
    assert found["limits_per_second"]["bytes"] > 1e8
    (job,) = found["jobs"]
    assert (job["job"], job["shape"], job["dtype"]) == ("softmax out=", [1, 10], "float64")
    assert 0 < job["seconds"]["csoftmax"] < 1


def test_bench_says_that_the_machine_is_busy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from csoftmax import bench

    asked = ["bench", "--jobs", "softmax out= 1x10", "--threads", "1"]
    for others, warns in ((1.26, True), (0.1, False), (None, False)):
        monkeypatch.setattr(bench, "busy", lambda others=others: others)
        assert main(asked) == 0
        text = capsys.readouterr().out
        assert ("The machine is busy: others take 1.3 of its processors" in text) == warns


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--jobs", "nonsense"], "no job has 'nonsense' in its line: wanted part of one"),
        (["--isa", "avx2", "--jobs", "1x10"], f"--isa is 'avx2': wanted one of {_cpu.BASELINE}"),
    ],
)
def test_bench_of_nothing(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *arguments]) == 2
    text = capsys.readouterr().err
    assert text.startswith(f"csoftmax bench: error: {message}")
    assert text.count("\n") == 1


def test_bench_needs_numpy_alone(run_python: RunPython) -> None:
    done = run_python(
        "import sys\n"
        "for name in ('scipy', 'sklearn', 'torch', 'jax', 'threadpoolctl', 'tqdm'):\n"
        "    sys.modules[name] = None\n"
        "from csoftmax.cli import main\n"
        "sys.exit(main(['bench', '--jobs', 'softmax_loss 1x64', '--threads', '1']))"
    )
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("not installed"))
    assert line.endswith(": scipy, sklearn, torch, jax, threadpoolctl")
    assert "numpy" in done.stdout
