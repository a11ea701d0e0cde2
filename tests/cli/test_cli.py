"""The command line: what it prints, writes, refuses and returns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from csoftmax.cli import COMMANDS, main

pytest.importorskip("matplotlib", reason="the worksheet needs matplotlib (csoftmax[cli])")
pytest.importorskip("tqdm", reason="the worksheet needs tqdm (csoftmax[cli])")

RunPython = Callable[..., "subprocess.CompletedProcess[str]"]
NO_PICTURES = {"pictures": "no pictures", "report": "no report"}  # which take seconds
QUICK = ["--iterations", "30", "--learning-rates", "0.002", "0.008", "--regs", "0.1"]


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def error(capsys: pytest.CaptureFixture[str]) -> str:
    """Return what stderr says, which must be one line and no traceback."""
    text = capsys.readouterr().err
    assert text.count("\n") == 1, text
    assert "Traceback" not in text
    return text


def test_worksheet_on_digits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn (csoftmax[sklearn])")
    out = tmp_path / "new" / "folder"
    assert main(["worksheet", *QUICK, "--out", str(out)]) == 0
    printed = capsys.readouterr()
    text = (out / "worksheet.txt").read_text(encoding="utf-8")
    assert printed.out == f"{text}\nreport: {out / 'report.html'}\n"
    assert printed.err == ""  # the bar shows on a terminal only
    assert files(out) == {
        "report.html",
        "worksheet.txt",
        "worksheet.json",
        "mean.png",
        "softmax-surface.png",
        *(
            f"{what}-{name}.png"
            for what in ("accuracy", "loss", "search", "weights")
            for name in ("softmax", "svm")
        ),
    }
    document = json.loads((out / "worksheet.json").read_text(encoding="utf-8"))
    assert set(document) == {
        "csoftmax",
        "machine",
        "data",
        "settings",
        "initial_loss",
        "gradient_check",
        "timings",
        "search",
        "test",
    }
    assert document["settings"]["learning_rates"] == [0.002, 0.008]
    assert [search["classifier"] for search in document["search"]] == ["softmax", "svm"]
    assert all(search["best_val_accuracy"] > 0.7 for search in document["search"])
    assert all(test["accuracy"] > 0.7 for test in document["test"])
    assert {check["reg"] for check in document["gradient_check"]} == {0.0, 0.1}


def test_worksheet_on_images_with_one_classifier(
    images: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = ["worksheet", "--data", str(images), "--classifier", "svm", "--seed", "3"]
    arguments += ["--iterations", "50", "--batch-size", "20", "--quiet", "--out", str(tmp_path)]
    monkeypatch.setattr("csoftmax.cli.results._show", lambda path: False)
    for module in ("evaluation.drawings", "worksheet.page"):  # the report's, which take seconds
        monkeypatch.setattr(f"csoftmax.{module}.displays", lambda: None)
    assert main([*arguments, "--open"]) == 0
    report = tmp_path / "report.html"
    assert capsys.readouterr() == ("", f"report: {report} (there is no display to show it)\n")
    assert "weights-svm.png" in files(tmp_path)
    assert "weights-softmax.png" not in files(tmp_path)
    document = json.loads((tmp_path / "worksheet.json").read_text(encoding="utf-8"))
    assert document["data"]["image_shape"] == [4, 5, 3]
    assert document["data"]["class_names"] == ["red", "green", "blue"]
    assert document["data"]["dtype"] == "uint8"
    settings = document["settings"]
    assert (settings["seed"], settings["iterations"], settings["batch_size"]) == (3, 50, 20)
    assert document["test"][0]["accuracy"] > 0.8
    monkeypatch.setattr("csoftmax.cli.commands.worksheet._missing", lambda: NO_PICTURES)
    again = tmp_path / "again"
    assert main([*arguments[:-1], str(again)]) == 0
    repeated = json.loads((again / "worksheet.json").read_text(encoding="utf-8"))
    for one, other in zip(
        document["search"][0]["trials"], repeated["search"][0]["trials"], strict=True
    ):
        assert one | {"seconds": 0} == other | {"seconds": 0}


def test_missing_data_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing, out = tmp_path / "nowhere", tmp_path / "out"
    assert main(["worksheet", "--data", str(missing), "--out", str(out)]) == 2
    message = error(capsys)
    assert message.startswith("csoftmax worksheet: error: ")
    assert str(missing) in message
    assert not out.exists()


def test_out_that_is_a_file(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine")
    assert main(["worksheet", "--data", str(images), "--out", str(taken)]) == 2
    assert f"--out is {str(taken)!r}, which is a file: wanted a folder" in error(capsys)
    assert taken.read_text() == "mine"


def test_sparse_data_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sklearn", reason="svmlight files need scikit-learn (csoftmax[sklearn])")
    path = tmp_path / "rows.svm"
    path.write_text("".join(f"{i % 2} 1:{i} 4:2\n" for i in range(40)))
    assert main(["worksheet", "--data", str(path), "--out", str(tmp_path / "out")]) == 2
    assert "holds sparse rows (csr, 40 x 4): the worksheet wants dense rows" in error(capsys)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--iterations", "0"], "argument --iterations: '0': wanted a whole number from 1"),
        (["--batch-size", "x"], "argument --batch-size: 'x': wanted a whole number from 1"),
        (["--seed", "-1"], "argument --seed: '-1': wanted a whole number from 0"),
        (["--seed", str(2**32)], f"argument --seed: '{2**32}': wanted a whole number from 0"),
        (["--learning-rates", "0"], "'0': wanted a finite number above 0"),
        (["--learning-rates", "1", "nan"], "'nan': wanted a finite number above 0"),
        (["--regs", "inf"], "'inf': wanted a finite number of at least 0"),
        (["--regs", "none"], "'none': wanted a finite number of at least 0"),
        (["--classifier", "tree"], "argument --classifier: invalid choice: 'tree'"),
    ],
)
def test_bad_arguments(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["worksheet", *arguments])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["nonsense"]])
def test_a_command_is_wanted(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "COMMAND" in capsys.readouterr().err


@pytest.mark.parametrize("command", [None, *(command.name for command in COMMANDS)])
def test_help(command: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"] if command is None else [command, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    names = [c.name for c in COMMANDS] if command is None else [f"csoftmax {command}"]
    assert all(name in text for name in names)


def test_help_names_the_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["worksheet", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    for default in ("digits", "both", "worksheet-out", "1500", "200"):
        assert f"(default: {default})" in text


def test_info(capsys: pytest.CaptureFixture[str]) -> None:
    import csoftmax

    assert main(["info"]) == 0
    assert csoftmax.__version__ in capsys.readouterr().out


WITHOUT = """
import sys
for name in sys.argv[1].split():
    sys.modules[name] = None
from csoftmax.cli import main
sys.exit(main(["worksheet", *sys.argv[2:]]))
"""


@pytest.mark.parametrize(
    ("missing", "kind"),
    [
        ("matplotlib", "npz"),
        ("matplotlib jinja2", "idx"),
        ("matplotlib tqdm sklearn scipy jinja2", "npy"),
    ],
)
def test_a_sheet_without_optional_packages(
    missing: str, kind: str, images: Path, tmp_path: Path, run_python: RunPython
) -> None:
    data = images if kind == "npz" else tmp_path / kind
    with np.load(images) as arrays:
        X, y = arrays["X"][..., 0], arrays["y"].astype(np.uint8)
    if kind == "npy":
        data.mkdir()
        np.save(data / "X.npy", X)
        np.save(data / "y.npy", y)
    elif kind == "idx":
        data.mkdir()
        for part in ("train", "t10k"):
            for what, array in (("images-idx3", X), ("labels-idx1", y)):
                sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
                content = bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()
                (data / f"{part}-{what}-ubyte").write_bytes(content)
    arguments = ["--data", data, "--classifier", "softmax", *QUICK, "--out", "out"]
    done = run_python(WITHOUT, missing, *arguments)
    assert done.stderr == ""
    text = (tmp_path / "out" / "worksheet.txt").read_text(encoding="utf-8")
    json.loads((tmp_path / "out" / "worksheet.json").read_text(encoding="utf-8"))
    assert "The pictures need matplotlib, which is not installed: pip install" in text
    page = set() if "jinja2" in missing else {"report.html"}
    where = f"\nreport: {Path('out') / 'report.html'}\n" if page else ""
    assert done.stdout == text + where
    assert ("The HTML report needs Jinja2, which is not installed: pip" in text) != bool(page)
    assert files(tmp_path / "out") == {"worksheet.txt", "worksheet.json", *page}
    assert "8. Numbers: out" in text


@pytest.mark.parametrize(
    ("value", "dtype", "shape"),
    [(0, np.uint8, (4, 4)), (7.5, np.float32, (6,)), (-3, np.int64, (6,))],
)
def test_constant_features_are_one_line(
    value: float,
    dtype: type,
    shape: tuple[int, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "flat.npz"
    np.savez(path, X=np.full((60, *shape), value, dtype), y=np.arange(60) % 2)
    out = tmp_path / "out"
    assert main(["worksheet", "--data", str(path), *QUICK, "--out", str(out)]) == 2
    n_features = np.prod(shape)
    assert f"flat: all {n_features} features are constant over the " in error(capsys)
    assert not out.exists()


def test_features_that_seldom_vary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("csoftmax.cli.commands.worksheet._missing", lambda: NO_PICTURES)
    # Among the few rows of the gradient check, none may differ.
    X = np.zeros((5000, 3), np.float32)
    X[7] = 1
    path = tmp_path / "rare.npz"
    np.savez(path, X=X, y=np.arange(5000) % 2)
    arguments = ["--data", str(path), "--classifier", "softmax", *QUICK, "--out", str(tmp_path)]
    assert main(["worksheet", *arguments]) == 0


def test_help_needs_numpy_alone(run_python: RunPython) -> None:
    done = run_python(
        "import sys\n"
        "for name in ('matplotlib', 'tqdm', 'sklearn', 'scipy'): sys.modules[name] = None\n"
        "from csoftmax.cli import main\n"
        "sys.exit(main(['info']))"
    )
    assert done.stdout


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
@pytest.mark.parametrize("quiet", [False, True])
def test_progress_bar_shows_on_a_terminal(quiet: bool, images: Path, tmp_path: Path) -> None:
    import termios

    terminal, stderr = os.openpty()
    termios.tcsetwinsize(stderr, (24, 80))
    arguments = ["--data", str(images), "--out", "out", *QUICK]
    done = subprocess.run(
        [
            sys.executable,
            "-P",
            "-c",
            WITHOUT,
            "matplotlib jinja2",
            *arguments,
            *["--quiet"] * quiet,
        ],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        timeout=120,
    )
    os.write(stderr, b".")  # so that reading finds something also where there was no bar
    shown = os.read(terminal, 65536).decode()
    os.close(stderr)
    os.close(terminal)
    assert done.returncode == 0, shown
    assert ("search:   0%" in shown) != quiet
    assert "search:" not in done.stdout
    assert bool(done.stdout) != quiet


def test_the_published_grid(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["worksheet", "--data", str(images), "--grid", "published"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 2
    assert "published grid is that of CIFAR-10, and the data are tiny" in error(capsys)
