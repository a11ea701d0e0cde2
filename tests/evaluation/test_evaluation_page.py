"""The page of an evaluation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("jinja2", reason="the HTML report needs Jinja2")

from csoftmax.evaluation import Measures, Weights, page
from csoftmax.report import Gallery, Picture, Section, Table, render


def parts(section: Any) -> list[Any]:
    """All parts of a section or page, those of sections within it too."""
    found = []
    for part in getattr(section, "sections", None) or section.parts:
        found += [part, *parts(part)] if isinstance(part, Section) else [part]
    return found


@pytest.fixture
def measures() -> Measures:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 300)
    P = rng.dirichlet([1, 1, 1], 300) * 0.5 + 0.5 * np.eye(3)[y]
    P[:40] = P[:40, ::-1]
    found = Measures(["<b>ant</b>", "bee", "cow"])
    found.add(np.array(["<b>ant</b>", "bee", "cow"])[y], P)
    return found


def test_sections_and_facts(measures):
    evaluation = measures.evaluation()
    made = page(evaluation, title="Of insects", facts={"Data": "meadow"})
    titles = [section.title for section in made.sections]
    assert titles == [
        "The result",
        "The classes",
        "How sure it is",
        "Examples",
        "What was run",
    ]
    html = render(made)
    right = round(300 * evaluation.accuracy)
    assert f"{right} of 300 rows are right" in html
    assert f"{evaluation.accuracy:.4f}" in html
    assert f"{evaluation.log_loss:.4f}" in html
    assert "<dt>Data</dt><dd>meadow</dd>" in html
    assert "<b>" not in html
    assert "&lt;b&gt;ant&lt;/b&gt;" in html


def test_drawings_have_words(measures):
    pytest.importorskip("matplotlib", reason="draws")
    made = page(measures.evaluation(), title="t", facts={})
    pictures = [part for part in parts(made) if isinstance(part, Picture)]
    assert [picture.alt.partition(":")[0] for picture in pictures] == [
        "Confusion matrix",
        "Calibration curve",
    ]
    assert all(picture.dark for picture in pictures)
    assert "300 rows" in pictures[0].alt


def test_without_matplotlib_it_has_its_tables_and_says_so(measures, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "csoftmax.plot", None)
    import csoftmax

    monkeypatch.delattr(csoftmax, "plot", raising=False)
    made = page(
        measures.evaluation(),
        title="t",
        facts={},
        weights=Weights(np.eye(3)),
        history={"loss": [2.0, 1.0]},
    )
    assert not any(isinstance(part, Picture) for part in parts(made))
    captions = [part.caption for part in parts(made) if isinstance(part, Table)]
    assert "The most frequent mistakes" in captions
    assert "The features with the largest weights, the largest first" in captions
    assert "pip install matplotlib" in render(made)


def test_examples_as_images_as_words_and_by_number(measures, monkeypatch):
    monkeypatch.setattr("csoftmax.evaluation.drawings.displays", lambda: None)
    evaluation = measures.evaluation()
    shown: list[int] = []

    def pixels(row: int) -> Any:
        shown.append(row)
        return np.full((4, 4), row)

    made = page(evaluation, title="t", facts={}, examples=pixels)
    galleries = [part for part in parts(made) if isinstance(part, Gallery)]
    assert len(galleries) == 4
    assert all(len(gallery.pictures) == 8 for gallery in galleries)
    assert shown[:8] == [each.row for each in evaluation.certain_wrong]
    first, each = galleries[0].pictures[0], evaluation.certain_wrong[0]
    assert first.caption == f"{each.label}, taken for {each.predicted}: {each.probability:.3f}"
    assert first.alt.startswith(f"Image of row {each.row}: ")

    made = page(evaluation, title="t", facts={}, examples=lambda row: np.full((4, 4), 16, np.uint8))
    dim = next(part for part in parts(made) if isinstance(part, Gallery)).pictures[0]
    assert dim.source == Picture.from_pixels(np.full((4, 4), 255, np.uint8), alt="white").source
    bright = page(
        evaluation, title="t", facts={}, examples=lambda row: np.full((4, 4), 200, np.uint8)
    )
    seen = next(part for part in parts(bright) if isinstance(part, Gallery)).pictures[0]
    assert seen.source == Picture.from_pixels(np.full((4, 4), 200, np.uint8), alt="grey").source

    for show, words in (
        (lambda row: f"the words of {row}", f"the words of {each.row}"),
        (None, str(each.row)),
        (lambda row: np.zeros((4, 4, 2)), str(each.row)),  # nothing that can be drawn
    ):
        made = page(evaluation, title="t", facts={}, examples=show)
        table = next(p for p in parts(made) if isinstance(p, Table) and p.header[0] == "row")
        assert list(table.rows[0][:2]) == [words, str(each.label)]
        assert len(table.header) == len(table.rows[0]) == 5


def test_few_examples_are_shown_once():
    measures = Measures(["ant", "bee"])
    measures.add(["ant"] * 12, [[p, 1 - p] for p in np.linspace(0.9, 0.3, 12)])
    (examples,) = (
        section
        for section in page(measures.evaluation(), title="t", facts={}).sections
        if section.title == "Examples"
    )
    assert [part.title for part in examples.parts] == [
        "Wrong, the most certain first",
        "Right, the most certain first",
    ]
    measures.add(["ant"] * 12, [[p, 1 - p] for p in np.linspace(0.9, 0.6, 12)])
    made = page(measures.evaluation(), title="t", facts={})
    titles = [part.title for part in made.sections[-2].parts]
    assert titles[1:] == ["Right, and certain", "Right, and least certain"]


def test_rows_without_probabilities():
    measures = Measures([0, 1])
    measures.add_predicted([0, 1, 1], [0, 1, 0])
    made = page(measures.evaluation(), title="t", facts={})
    assert [section.title for section in made.sections] == [
        "The result",
        "The classes",
        "What was run",
    ]


def test_an_infinite_loss_is_said(measures, monkeypatch):
    monkeypatch.setattr("csoftmax.evaluation.drawings.displays", lambda: None)
    measures.add(["bee"], [[1.0, 0.0, 0.0]])
    html = render(page(measures.evaluation(), title="t", facts={}))
    assert "infinite: the right class of some row has probability 0" in html


def test_weights_of_words_of_images_and_of_two_classes(measures):
    evaluation = measures.evaluation()
    coef = np.array([[3.0, -1.0, 0.0, 2.0], [0.0, 0.0, 1.0, 0.0], [-2.0, -1.0, -3.0, 0.0]])
    words = Weights(coef, feature_names=["honey", "milk", "leg", "hill"])
    made = page(evaluation, title="t", facts={}, weights=words)
    (table,) = (p for p in parts(made) if isinstance(p, Table) and p.header[1] == "for it")
    assert list(table.rows) == [
        ("<b>ant</b>", "honey, hill", "milk"),
        ("bee", "leg", ""),
        ("cow", "", "leg, honey, milk"),
    ]
    images = Weights(coef, image_shape=(2, 2))
    made = page(evaluation, title="t", facts={}, weights=images)
    (gallery,) = (part for part in parts(made) if isinstance(part, Gallery))
    assert [each.caption for each in gallery.pictures] == ["<b>ant</b>", "bee", "cow"]
    assert "from -3 (dark) to 3 (bright)" in render(made)
    colours = Weights(np.hstack([coef, coef, coef]), image_shape=(2, 2, 3))
    assert "from -3 (dark) to 3 (bright)" in render(
        page(evaluation, title="t", facts={}, weights=colours)
    )
    deep = Weights(np.hstack([coef, coef]), image_shape=(2, 2, 2))
    assert "feature 7" in render(page(evaluation, title="t", facts={}, weights=deep))
    two = Measures(["no", "yes"])
    two.add(["no", "yes"], [[0.9, 0.1], [0.2, 0.8]])
    made = page(two.evaluation(), title="t", facts={}, weights=Weights(coef[:1]))
    (table,) = (p for p in parts(made) if isinstance(p, Table) and p.header[1] == "for it")
    assert list(table.rows) == [("yes", "feature 0, feature 3", "feature 1")]


def test_the_fit_and_the_choice_of_C():
    pytest.importorskip("sklearn", reason="the estimators need scikit-learn")
    pytest.importorskip("matplotlib", reason="draws")
    from sklearn.datasets import load_iris
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from csoftmax import SoftmaxClassifierCV

    X, y = load_iris(return_X_y=True)
    model = make_pipeline(StandardScaler(), SoftmaxClassifierCV(Cs=[0.1, 1.0], cv=3)).fit(X, y)
    measures = Measures(model.classes_)
    measures.add(y, model.predict_proba(X))
    history = model[-1].history_ if hasattr(model[-1], "history_") else {"loss": [2.0, 1.0]}
    made = page(
        measures.evaluation(),
        title="Iris",
        facts={},
        weights=Weights(model[-1].coef_, feature_names=load_iris().feature_names),
        history=history,
        search=model,
    )
    (fit,) = (section for section in made.sections if section.title == "The fit")
    table, *pictures = fit.parts
    assert [row[0] for row in table.rows] == ["0.1", "1"]
    assert [getattr(row[-1], "mark", "") for row in table.rows].count("chosen") == 1
    assert [picture.alt.partition(":")[0] for picture in pictures] == [
        "Scores of the search",
        "Course of the fit",
    ]
    assert len(render(made)) < 2**20


def test_many_classes_are_cut():
    n_classes = 120
    measures = Measures(np.arange(n_classes))
    P = np.full((2 * n_classes, n_classes), 0.5 / (n_classes - 1))
    y = np.arange(2 * n_classes) % n_classes
    P[np.arange(len(y)), np.where(y == 7, 8, y)] = 0.5
    measures.add(y, P)
    made = page(measures.evaluation(), title="t", facts={})
    table = next(p for p in parts(made) if isinstance(p, Table))
    assert len(table.rows) == 50
    assert {"7", "8"} <= {row[0] for row in table.rows}
    assert "The 50 of 120 classes with the lowest F1." in render(made)
