"""The worksheet's page: all of it, and what there is of a sheet that was stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from csoftmax import worksheet
from csoftmax.datasets import Dataset

pytest.importorskip("jinja2", reason="the HTML report needs Jinja2")

from csoftmax.report import Picture, Section, render
from csoftmax.worksheet import contents
from csoftmax.worksheet.page import page

CLASSIFIERS = list(worksheet.CLASSIFIERS.values())


def dataset(kind: str, names: tuple[str, ...] = ("left", "<i>middle</i>", "right")) -> Dataset:
    """Classes that a linear model separates."""
    rng = np.random.default_rng(3)
    shape = {"grey": (4, 5), "colour": (4, 5, 3), "deep": (4, 5, 2), "rows": (7,)}[kind]
    y = rng.permutation(np.arange(240) % 3)
    X = rng.normal(100, 12, (240, *shape)).reshape(240, -1)
    X[np.arange(240), y] += 80
    X = X if kind == "rows" else X.clip(0, 255).astype(np.uint8)
    return Dataset(kind, X, y, None, None, names, None if kind == "rows" else shape)


@pytest.fixture
def no_drawings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which take seconds."""
    for module in ("evaluation.drawings", "worksheet.page"):
        monkeypatch.setattr(f"csoftmax.{module}.displays", lambda: None)


def begun(
    kind: str,
    classifiers: list[worksheet.Classifier] = CLASSIFIERS,
    **options: object,
) -> worksheet.Sheet:
    data = worksheet.prepare(dataset(kind, **options))
    default = worksheet.default_settings(data)
    grid = {"learning_rates": default.learning_rates[1:], "regs": default.regs[1:]}
    settings = replace(default, iterations=60, batch_size=30, **grid)
    return worksheet.Sheet(data, settings, classifiers)


def done(kind: str, *classifiers: object, **options: object) -> worksheet.Sheet:
    sheet = begun(kind, *classifiers, **options)
    data, settings, classifiers = sheet.data, sheet.settings, sheet.classifiers
    sheet.initial = [worksheet.initial_loss(data, c) for c in classifiers]
    sheet.gradients = [worksheet.gradient_check(data, c, settings.regs[1]) for c in classifiers]
    sheet.timings = [
        (worksheet.Timing(c.name, "two loops", "float64", 0.1, 1.0, 0.0),) for c in classifiers
    ]
    sheet.searches = [worksheet.search(data, c, settings) for c in classifiers]
    sheet.scores = [worksheet.score(data, found) for found in sheet.searches]
    return sheet


def pictures(section: object) -> list[Picture]:
    found = []
    for part in getattr(section, "sections", None) or getattr(section, "parts", ()):
        found += [part] if isinstance(part, Picture) else pictures(part)
        found += list(getattr(part, "pictures", ()))
    return found


@pytest.mark.parametrize("kind", ["grey", "rows"])
def test_a_whole_sheet(kind: str) -> None:
    pytest.importorskip("matplotlib", reason="draws")
    both = kind == "grey"  # drawings take seconds
    sheet = done(kind, CLASSIFIERS if both else CLASSIFIERS[:1])
    made = page(sheet)
    html = render(made)
    titles = [section.title for section in made.sections]
    assert titles[0] == "The best model on the test rows"
    models = ["Softmax: the best model", *["Linear SVM: the best model"] * both]
    assert titles[-1 - len(models) :] == [*models, "What was run"]
    assert "stopped" not in html
    assert "<i>" not in html
    for found, score in zip(sheet.searches, sheet.scores, strict=True):
        assert f"<strong>{found.best.val_accuracy:.3f}</strong>" in html
        assert f"{score.accuracy:.4f}; of all such rows" in html
    alts = " ".join(picture.alt for picture in pictures(made)).lower()
    words = ["heat map", "the loss over", "training accuracy", "weights of"]
    assert all(word in alts for word in [*words, "confusion matrix", "calibration curve"])
    assert len(html) < 2 * 10**6


@pytest.mark.parametrize(("kind", "shown"), [("grey", 2), ("colour", 2), ("deep", 0), ("rows", 0)])
def test_images(kind: str, shown: int, no_drawings: None, tmp_path: Path) -> None:
    sheet = done(kind)
    path = tmp_path / "report.html"
    worksheet.write_html(sheet, path)
    html = path.read_text(encoding="utf-8")
    assert html.count('alt="The mean of the') == bool(shown)
    assert html.count("The weights of each class as an image") == shown
    assert ('alt="Image of row' in html) == bool(shown)
    assert html.count("The features with the largest weights") == 2 - shown


def test_accuracies_over_the_steps() -> None:
    sheet = done("grey")
    for found in sheet.searches:
        for trial in found.trials:
            assert list(trial.scores) == list(trial.train_scores) == list(range(3, 61, 3))
            assert trial.scores[60] == trial.val_accuracy
            # there are fewer training rows than the sample has at most
            assert trial.train_scores[60] == trial.train_accuracy


@pytest.mark.parametrize("n_steps", range(6))
def test_a_sheet_that_was_stopped(n_steps: int, no_drawings: None) -> None:
    whole, sheet = done("rows"), begun("rows")
    for name in ("initial", "gradients", "timings", "searches", "scores")[:n_steps]:
        setattr(sheet, name, getattr(whole, name))
    titles = [section.title for section in page(sheet).sections]
    assert len(titles) == (3, 4, 5, 6, 7, 10)[n_steps]
    after = ("the preparation of the data", *contents.STEPS.values())[n_steps]
    html, quick = render(page(sheet)), page(sheet, at_once=True)
    assert (f"It was stopped after {after}" in html) == ("It was stopped" in html) == (n_steps < 5)
    assert f"It was stopped after {after}" in render(quick)
    wanted = [title for title in titles if not title.endswith(": the best model")]
    assert [section.title for section in quick.sections] == wanted
    if n_steps == 5:
        sheet.scores = sheet.scores[:1]
        assert [s.title for s in page(sheet).sections][-2:] == [
            "Softmax: the best model",
            "What was run",
        ]


def test_models_that_have_diverged() -> None:
    pytest.importorskip("matplotlib", reason="draws")
    sheet = begun("rows")
    settings = replace(sheet.settings, learning_rates=(1e30,), regs=(1.0,))
    sheet.searches = [worksheet.search(sheet.data, c, settings) for c in CLASSIFIERS]
    assert all(found.best.diverged for found in sheet.searches)
    sheet.scores = [worksheet.score(sheet.data, found) for found in sheet.searches]
    html = render(page(sheet))
    assert "Log-loss" not in html
    assert "The classes" in html


def test_without_matplotlib(run_python, tmp_path: Path) -> None:
    run_python(
        "import sys\n"
        "sys.modules['matplotlib'] = None\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from csoftmax import worksheet\n"
        "from csoftmax.datasets import Dataset\n"
        "y = np.arange(90) % 3\n"
        "X = np.eye(3)[y] + np.random.default_rng(0).normal(size=(90, 3))\n"
        "data = worksheet.prepare(Dataset('rows', X, y, None, None, tuple('abc'), None))\n"
        "settings = worksheet.Settings((0.1,), (0.1,), 20, 10)\n"
        "classifiers = list(worksheet.CLASSIFIERS.values())\n"
        "sheet = worksheet.Sheet(data, settings, classifiers)\n"
        "sheet.searches = [worksheet.search(data, c, settings) for c in classifiers]\n"
        "sheet.scores = [worksheet.score(data, found) for found in sheet.searches]\n"
        "worksheet.write_html(sheet, Path('report.html'))"
    )
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "pip install matplotlib" in html
    assert "<img" not in html
    assert "The most frequent mistakes" in html


def test_names_that_are_twice_there_and_classes_that_are_not_trained(
    no_drawings: None,
) -> None:
    sheet = done("rows", names=("same", "same", "right"))
    html = render(page(sheet))
    assert "0: same" in html
    assert "1: same" in html
    sheet = done("rows", names=("left", "middle", "right", "never"))
    sheet.data.y_test[0] = 3
    html = render(page(sheet))
    assert "infinite: the right class of some row has probability 0" in html
    assert isinstance(page(sheet).sections[0], Section)
