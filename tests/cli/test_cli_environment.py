"""A wrong environment: one line from the command line, an exception in Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

WRONG = [
    ("CSOFTMAX_NUM_THREADS", "many"),
    ("CSOFTMAX_NUM_THREADS", "0"),
    ("CSOFTMAX_NUM_THREADS", "1.5"),
    ("CSOFTMAX_ISA", "avx2"),
]
SCRIPT = Path(sys.executable).with_name("csoftmax")
PROGRAMS = {
    "-m": [sys.executable, "-P", "-m", "csoftmax"],
    "-m with options": [sys.executable, "-X", "utf8", "-Im", "csoftmax"],
    "-mcsoftmax": [sys.executable, "-P", "-mcsoftmax"],
    "script": [str(SCRIPT)],
}


def in_environment(
    program: list[str], folder: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        program, cwd=folder, env=os.environ | variables, capture_output=True, text=True, timeout=120
    )


ARGUMENTS = [[], ["info"], ["bench", "--isa", "v3"], ["worksheet", "--help"]]


@pytest.mark.parametrize("arguments", ARGUMENTS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_wrong_environment_is_one_line(
    program: str, arguments: list[str], tmp_path: Path
) -> None:
    if program == "script" and not SCRIPT.exists():
        pytest.skip("the script is not installed beside this Python")
    # a process each: one has all values; each program and each command has both variables
    turn = 3 * ((list(PROGRAMS).index(program) + ARGUMENTS.index(arguments)) % 2)
    every = (program, arguments) == ("-m", ["info"])
    for variable, value in WRONG if every else [WRONG[turn]]:
        done = in_environment([*PROGRAMS[program], *arguments], tmp_path, **{variable: value})
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1, done.stderr
        assert done.stderr.startswith("csoftmax: error: ")
        assert variable in done.stderr
        assert repr(value) in done.stderr


@pytest.mark.parametrize(
    ("variable", "value", "error"),
    [("CSOFTMAX_NUM_THREADS", "many", "ValueError"), ("CSOFTMAX_ISA", "avx2", "ImportError")],
)
def test_a_wrong_environment_is_an_exception_in_python(
    variable: str, value: str, error: str, tmp_path: Path
) -> None:
    # Also where the program is run with -m, or has the name of ours among its arguments.
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "__init__.py").write_text("import csoftmax")
    (tmp_path / "other" / "__main__.py").write_text("")
    (tmp_path / "script.py").write_text("import csoftmax")
    for program in (
        ["-c", "import csoftmax"],
        ["-c", "import csoftmax", "-m", "csoftmax"],
        ["-m", "other"],
        ["-m", "other", "-m", "csoftmax"],
        ["script.py", "csoftmax"],
    ):
        done = in_environment([sys.executable, *program], tmp_path, **{variable: value})
        assert done.returncode == 1
        assert "Traceback" in done.stderr
        assert done.stderr.splitlines()[-1].startswith(f"{error}: ")
        assert variable in done.stderr.splitlines()[-1]
