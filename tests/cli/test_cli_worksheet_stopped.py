"""A worksheet that is stopped leaves what was done, and another one as it was."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from csoftmax import worksheet
from csoftmax.cli import main

pytest.importorskip("matplotlib", reason="the worksheet needs matplotlib (csoftmax[cli])")

NO_PICTURES = {"pictures": "no pictures", "report": "no report"}  # which take seconds
QUICK = ["--iterations", "30", "--learning-rates", "0.002", "0.008", "--regs", "0.1"]


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_interruption(
    images: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("jinja2", reason="the report needs Jinja2")
    search, searched = worksheet.search, []

    def stop(data: worksheet.Data, classifier: worksheet.Classifier, *more: object, **options):
        if searched:
            raise KeyboardInterrupt
        searched.append(classifier.name)
        return search(data, classifier, *more, **options)

    monkeypatch.setattr("csoftmax.worksheet.search", stop)
    monkeypatch.setattr("csoftmax.worksheet._steps._best_time", lambda job: (1.0, job()))
    for drawing in ("page._surface", "page._curves", "page._model"):  # what takes time
        monkeypatch.delattr(f"csoftmax.worksheet.{drawing}")
    arguments = ["worksheet", "--data", str(images), *QUICK, "--out", str(tmp_path), "--quiet"]
    assert main(arguments) == 130
    said = capsys.readouterr().err.splitlines()
    files = {kind: tmp_path / f"worksheet-unfinished.{kind}" for kind in ("txt", "json", "html")}
    assert said[0] == f"What was done is in {files['txt']}, .json and .html."
    assert said[-1] == "csoftmax worksheet: interrupted"
    text, numbers, page = (path.read_text(encoding="utf-8") for path in files.values())
    assert "5. Loops, matrices, compiled" in text
    assert "6. Search" not in text
    assert text.endswith("Interrupted: what follows in a whole worksheet is missing.\n")
    document = json.loads(numbers)
    assert document["interrupted"]
    assert len(document["timings"]) == 10
    assert [found["classifier"] for found in document["search"]] == searched == ["softmax"]
    assert "It was stopped after the search of Softmax: what follows is missing." in page
    assert "Search over learning rate and regularisation" in page
    assert "The best model" not in page


BEFORE = ["nothing", "an empty folder", "another sheet"]
# What may stop a sheet, from its first step to the writing of its last file.
STOPS = {
    "csoftmax.worksheet.initial_loss": KeyboardInterrupt(),
    "csoftmax.worksheet.search": ValueError("stopped"),
    "csoftmax.plot.worksheet.softmax_surface": KeyboardInterrupt(),
    "matplotlib.figure.Figure.savefig": OSError("disk full"),
    "csoftmax.worksheet.report.document": KeyboardInterrupt(),
    "csoftmax.worksheet.report.files": MemoryError(),
}


@pytest.mark.parametrize(
    ("where", "before"),
    list(zip(STOPS, 2 * BEFORE, strict=True)),
)
def test_a_sheet_that_is_stopped_leaves_what_was_done(
    where: str, before: str, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    if before != "nothing":
        out.mkdir()
    if before == "another sheet":
        (out / "worksheet.txt").write_text("another")
        (out / "mean.png").write_text("another")

    def stop(*arguments: object, **options: object) -> None:
        if where.endswith("savefig"):
            Path(str(arguments[1])).write_bytes(b"half")
        raise STOPS[where]

    monkeypatch.setattr("csoftmax.worksheet._steps._best_time", lambda job: (1.0, job()))
    if where.endswith((".search", ".document", ".files")):
        monkeypatch.setattr("csoftmax.cli.commands.worksheet._missing", lambda: NO_PICTURES)
    monkeypatch.setattr(where, stop)
    arguments = ["--data", str(images), "--classifier", "svm", *QUICK, "--quiet", "--out", str(out)]
    arguments.insert(0, "worksheet")
    if isinstance(STOPS[where], MemoryError):
        with pytest.raises(MemoryError):
            main(arguments)
    else:
        assert main(arguments) in (2, 130)
    done = {"worksheet-unfinished.txt", "worksheet-unfinished.json"}
    if where.endswith(("initial_loss", "softmax_surface", "savefig")):  # with the report
        done |= {"worksheet-unfinished.html"} if find_spec("jinja2") else set()
    if where.endswith("document"):  # of which there is none
        done.remove("worksheet-unfinished.json")
    text = (out / "worksheet-unfinished.txt").read_text(encoding="utf-8")
    assert text.startswith("csoftmax ")
    assert "Interrupted: " in text.splitlines()[-1]
    if before == "another sheet":  # is as it was
        assert files(out) == {"worksheet.txt", "mean.png"} | done
        assert (out / "mean.png").read_text() == (out / "worksheet.txt").read_text() == "another"
    else:
        assert files(out) == done
    if where.endswith("search"):
        monkeypatch.undo()
        monkeypatch.setattr("csoftmax.cli.commands.worksheet._missing", lambda: NO_PICTURES)
        assert main(arguments) == 0
        assert not files(out) & done  # there is a whole one in their place


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs signals")
def test_a_sheet_that_is_killed_leaves_what_was_done(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-P", "-m", "csoftmax", "worksheet", "--data", str(images)]
    process = subprocess.Popen(
        [*command, "--out", str(out), "--iterations", "1000000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("5. "):
            break
    process.kill()
    process.communicate()
    text = (out / "worksheet-unfinished.txt").read_text(encoding="utf-8")
    assert "4. The gradient check" in text
    json.loads((out / "worksheet-unfinished.json").read_text(encoding="utf-8"))
    if find_spec("jinja2"):
        page = (out / "worksheet-unfinished.html").read_text(encoding="utf-8")
        assert "It was stopped after the timings: what follows is missing." in page


def test_a_sheet_as_json(
    images: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("csoftmax.cli.commands.worksheet._missing", lambda: NO_PICTURES)
    arguments = ["--data", str(images), "--classifier", "svm", *QUICK, "--json"]
    assert main(["worksheet", *arguments, "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert json.loads(text) == json.loads((tmp_path / "worksheet.json").read_text())
