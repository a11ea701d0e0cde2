"""Help, version, completion, JSON: what a person who has never seen it asks first."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

import csoftmax
from csoftmax.cli import COMMANDS, main


def shown(capsys, *arguments: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    assert stop.value.code == 0
    return capsys.readouterr().out


def test_version(capsys):
    assert shown(capsys, "--version") == f"csoftmax {csoftmax.__version__}\n"


def test_help_shows_examples_and_exit_status(capsys):
    text = shown(capsys, "--help")
    assert "exit status: 0 if all went well; 2 after an error" in text
    assert "csoftmax train flowers.csv --target species" in text
    for command in COMMANDS:
        text = shown(capsys, command.name, "--help")
        assert "examples:\n  csoftmax " in text
        assert "None" not in text
        assert "False" not in text
        assert "[]" not in text
        assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("command", COMMANDS, ids=[c.name for c in COMMANDS])
def test_the_examples_are_commands(command):
    from csoftmax.cli import _parser

    lines = re.findall(r"^  (?:\w+=\S+ )*csoftmax (.*)$", command.examples, re.MULTILINE)
    assert len(lines) >= 2
    for line in lines:
        words = re.split(r"\s{2,}| > ", line)[0].replace("'", "").split()
        assert _parser().parse_args(words).command == command.name


def test_info_as_json(capsys):
    assert main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == csoftmax.show_config("dicts")


def test_help_needs_numpy_alone(run_python):
    code = (
        "import sys\n"
        "names = 'pyarrow sklearn scipy pandas tabulate tqdm shtab jinja2 matplotlib h5py'\n"
        "for name in names.split(): sys.modules[name] = None\n"
        "from csoftmax.cli import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    for command in COMMANDS:
        assert run_python(code, command.name, "--help").stdout
    assert run_python(code, "info").stdout
    done = run_python(code, "--print-completion", "bash", check=False)
    assert done.returncode == 2
    assert "shtab writes the completion, which is not installed: pip install shtab" in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion(shell, capsys, tmp_path):
    pytest.importorskip("shtab", reason="the completion wants shtab")
    text = shown(capsys, "--print-completion", shell)
    words = ["train", "evaluate"] + ["--class-weight", "--target"] * (shell != "tcsh")
    for word in words:
        assert word in text
    program = shutil.which(shell)
    if program is None:
        return
    (tmp_path / "script").write_text(text)
    done = subprocess.run([program, "-n", tmp_path / "script"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_completion_in_bash(capsys, tmp_path):
    pytest.importorskip("shtab", reason="the completion wants shtab")
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    (tmp_path / "script").write_text(shown(capsys, "--print-completion", "bash"))
    (tmp_path / "birds.csv").touch()
    for words, expected in (
        (["tr"], "train"),
        (["train", "--class-weight", "b"], "balanced"),
        (["train", "--targ"], "--target"),
        (["evaluate", "bi"], "birds.csv"),
    ):
        line = " ".join(f"'{word}'" for word in ["csoftmax", *words])
        code = (
            f"source ./script; COMP_WORDS=({line}); COMP_CWORD={len(words)}\n"
            "function=$(complete -p csoftmax | sed 's/.*-F \\([^ ]*\\).*/\\1/')\n"
            f"$function csoftmax '{words[-1]}' x; echo \"${{COMPREPLY[@]}}\""
        )
        done = subprocess.run([bash, "-c", code], cwd=tmp_path, capture_output=True, text=True)
        assert expected in done.stdout.split(), done
