"""A page of an evaluation: tables, pictures, examples, and what was run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax.evaluation.drawings import drawn, left_out
from csoftmax.evaluation.facts import summary
from csoftmax.evaluation.results import Evaluation, Example
from csoftmax.report import (
    Cell,
    Facts,
    Gallery,
    Page,
    Part,
    Picture,
    Section,
    Table,
    Text,
    is_picture,
)

Show = Callable[[int], Any]

MOST_CLASSES = 50  # rows of the table of classes: the others are the best ones
MISTAKES = 10
TOP = 8  # features of a class by name
MOST_IMAGES = 40
#: classes whose confusion a picture shows
MOST_CONFUSED = 100


@dataclass(frozen=True)
class Weights:
    """What a linear model has learned of each class, for a page.

    Attributes
    ----------
    coef : (C, D) or, of two classes, (1, D) array_like
        As `coef_`.
    image_shape : tuple of int, optional
        Of rows that are images: (height, width), or with 1 or 3 channels after them. Rows of other
        shapes are shown as features.
    feature_names : sequence of str, optional

    See Also
    --------
    page : Shows them.
    csoftmax.plot.WeightsDisplay : Draws them.
    """

    coef: npt.ArrayLike = field(repr=False)
    image_shape: Sequence[int] | None = None
    feature_names: Sequence[str] | None = field(default=None, repr=False)


def page(
    evaluation: Evaluation,
    *,
    title: str,
    facts: Mapping[str, str],
    weights: Weights | None = None,
    history: Any = None,
    search: Any = None,
    examples: Show | None = None,
) -> Page:
    """Make a page of an evaluation.

    Parameters
    ----------
    evaluation : Evaluation
    title : str
        Such as "Evaluation of model.safetensors on test.csv".
    facts : mapping of str to str
        What was run, on what rows. `csoftmax.report.facts()` tells the machine.
    weights : Weights, optional
        Of a linear model.
    history : optional
        How the model was fitted: what `csoftmax.plot.LossDisplay.from_history` takes, such as
        `history_` of a SoftmaxClassifier.
    search : optional
        How C was chosen: a fitted SoftmaxClassifierCV, or a pipeline that ends with one.
    examples : callable, optional
        Returns what to show of a row, by its number: pixels (as `report.Picture.from_pixels` takes
        them) or words. Rows that are neither have their number.

    Returns
    -------
    csoftmax.report.Page

    See Also
    --------
    sections : Its sections alone.
    csoftmax.report.write : Makes a file of it.

    Notes
    -----
    The drawings need matplotlib. Without it the page has its tables, and says so.

    Examples
    --------
    >>> from csoftmax.evaluation import Measures, page
    >>> measures = Measures(["no", "yes"])
    >>> measures.add(["no", "yes"], [[0.9, 0.1], [0.2, 0.8]])
    >>> made = page(measures.evaluation(), title="Two rows", facts={"Data": "none"})
    >>> [section.title for section in made.sections][0]
    'The result'
    """
    found = [Section("The result", [*summary(evaluation), *left_out()])]
    found += sections(evaluation, weights=weights, examples=examples)
    fit: list[Part] = []
    if search is not None:
        model = search.steps[-1][1] if hasattr(search, "steps") else search
        fit += [_settings(model), *drawn(lambda p: _search(p, model), "Scores of the search")]
    if history is not None:
        fit += drawn(lambda p: p.LossDisplay.from_history(history), "Course of the fit")
    if fit:
        found.append(Section("The fit", fit))
    found.append(Section("What was run", [Facts(dict(facts))]))
    return Page(title, found, subtitle=_in_short(evaluation))


def sections(
    evaluation: Evaluation, *, weights: Weights | None = None, examples: Show | None = None
) -> list[Section]:
    """Return the sections that tell of the model: its classes, how sure it is, what it learned.

    Parameters
    ----------
    evaluation, weights, examples
        As for `page`.

    Returns
    -------
    list of csoftmax.report.Section

    See Also
    --------
    page : A page of them.
    summary : Its first part.

    Examples
    --------
    >>> from csoftmax.evaluation import Measures, sections
    >>> measures = Measures(["no", "yes"])
    >>> measures.add(["no", "yes"], [[0.9, 0.1], [0.2, 0.8]])
    >>> [section.title for section in sections(measures.evaluation())][0]
    'The classes'
    """
    found = [Section("The classes", _classes(evaluation))]
    if evaluation.bins is not None:
        found.append(Section("How sure it is", _calibration(evaluation)))
        found.append(Section("Examples", _examples(evaluation, examples)))
    if weights is not None:
        found.append(Section("What it has learned", _weights(weights, evaluation.classes)))
    return found


def _in_short(evaluation: Evaluation) -> str:
    right = round(evaluation.accuracy * evaluation.n_rows)
    return f"{right} of {evaluation.n_rows} rows are right: {100 * evaluation.accuracy:.1f} %."


def _classes(evaluation: Evaluation) -> list[Part]:
    """Each class's measures, and which are taken for which."""
    of = sorted(range(len(evaluation.classes)), key=lambda k: evaluation.per_class[k].f1)
    shown = sorted(of[:MOST_CLASSES])
    parts: list[Part] = []
    if len(shown) < len(of):
        parts.append(Text(f"The {len(shown)} of {len(of)} classes with the lowest F1."))
    rows = [
        (
            str(each.label),
            f"{each.precision:.3f}",
            f"{each.recall:.3f}",
            f"{each.f1:.3f}",
            str(each.support),
            str(each.predicted),
        )
        for each in (evaluation.per_class[k] for k in shown)
    ]
    parts.append(
        Table(
            "Each class: the share of the rows taken for it that is right (precision), the share "
            "of its rows that is found (recall), and their harmonic mean (F1)",
            ("class", "precision", "recall", "F1", "rows", "taken for it"),
            rows,
        )
    )
    counts = evaluation.confusion
    if counts is not None and len(counts) <= MOST_CONFUSED:
        names = [str(label) for label in evaluation.classes]
        parts += drawn(lambda p: p.ConfusionDisplay(counts, names).plot(), "Confusion matrix")
    mistakes = evaluation.mistakes(MISTAKES)
    if mistakes:
        parts.append(
            Table(
                "The most frequent mistakes",
                ("class", "taken for", "rows"),
                [(str(one), str(other), str(n)) for one, other, n in mistakes],
            )
        )
    return parts


def _calibration(evaluation: Evaluation) -> list[Part]:
    bins = [each for each in evaluation.bins or () if each.rows]
    counts, predicted, observed = zip(
        *((each.rows, each.confidence, each.accuracy) for each in evaluation.bins or ()),
        strict=True,
    )
    return [
        Text(
            "Where the model says 0.8, eight of ten such rows should be right. Its predictions are "
            "grouped by the probability of the predicted class."
        ),
        *drawn(
            lambda p: p.CalibrationDisplay(counts, predicted, observed).plot(), "Calibration curve"
        ),
        Table(
            "Probability of the predicted class, and the share that is right",
            ("probability", "rows", "mean probability", "right"),
            [
                (
                    f"{each.low:.1f} to {each.high:.1f}",
                    str(each.rows),
                    f"{each.confidence:.3f}",
                    f"{each.accuracy:.3f}",
                )
                for each in bins
            ],
        ),
    ]


def _examples(evaluation: Evaluation, show: Show | None) -> list[Part]:
    kinds = {
        "Wrong": (evaluation.certain_wrong, evaluation.uncertain_wrong),
        "Right": (evaluation.certain_right, evaluation.uncertain_right),
    }
    sections = []
    for name, (certain, uncertain) in kinds.items():
        lists = {f"{name}, and certain": certain, f"{name}, and least certain": uncertain}
        if {each.row for each in certain} == {each.row for each in uncertain}:
            lists = {f"{name}, the most certain first": certain}  # all that there are
        sections += [Section(t, [_shown(t, found, show)]) for t, found in lists.items() if found]
    return list(sections)


def _shown(title: str, found: Sequence[Example], show: Show | None) -> Part:
    """Rows as images where they are such, else as a table."""
    things: list[Any] = [None if show is None else show(each.row) for each in found]
    is_text = isinstance(things[0], str)
    if not is_text and is_picture(np.shape(things[0])):
        images = [np.asarray(thing) for thing in things]
        low, high = _range(images)
        return Gallery(
            [_image(each, image, low, high) for each, image in zip(found, images, strict=True)]
        )
    header = ["row", "class", "probability"]
    rows = [
        [thing if is_text else str(each.row), str(each.label), f"{each.label_probability:.3f}"]
        for each, thing in zip(found, things, strict=True)
    ]
    if found[0].label != found[0].predicted:
        header += ["taken for", "its probability"]
        for row, each in zip(rows, found, strict=True):
            row += [str(each.predicted), f"{each.probability:.3f}"]
    return Table(f"{title}: {len(found)} row{'s' if len(found) > 1 else ''}", header, rows)


def _range(images: Sequence[npt.NDArray[Any]]) -> tuple[float, float]:
    """What is black and what is white: of bytes 0 and 255, where they are used up to there.

    (scikit-learn's digits are bytes up to 16.)
    """
    low = min(float(image.min()) for image in images)
    high = max(float(image.max()) for image in images)
    is_bytes = images[0].dtype == np.uint8
    return (0.0 if is_bytes else low), (255.0 if is_bytes and high > 127 else high)


def _image(each: Example, pixels: npt.NDArray[Any], low: float, high: float) -> Picture:
    words, probability = str(each.label), f"{each.probability:.3f}"
    if each.label != each.predicted:
        words += f", taken for {each.predicted}"
    alt = f"Image of row {each.row}: {words} with probability {probability}"
    caption = f"{words}: {probability}"
    return Picture.from_pixels(pixels, alt=alt, caption=caption, low=low, high=high)


def _weights(weights: Weights, classes: Sequence[Any]) -> list[Part]:
    coef = np.asarray(weights.coef, np.float64)
    names = [str(label) for label in classes]
    if weights.image_shape is not None and is_picture(weights.image_shape):
        return _as_images(coef, _of(coef, names), weights.image_shape)
    given = weights.feature_names
    shown = names if len(coef) == 1 else names[: len(coef)]
    return [
        *drawn(lambda p: p.WeightsDisplay(coef, shown, feature_names=given).plot(), "Weights"),
        _features(coef, names, given),
    ]


def _of(coef: Any, names: list[str]) -> list[str]:
    """The class of each row: of two classes a single one is the second's."""
    return names[-1:] if len(coef) == 1 else names[: len(coef)]


def _as_images(coef: Any, names: Sequence[str], shape: Sequence[int]) -> list[Part]:
    """The weights of each class as an image, all of them on one scale."""
    coef = np.where(np.isfinite(coef), coef, 0)  # of a model that has diverged
    colour = len(shape) == 3 and shape[2] == 3
    largest = float(np.abs(coef).max())
    low, high = (float(coef.min()), float(coef.max())) if colour else (-largest, largest)
    scale = f"from {low:.3g} (dark) to {high:.3g} (bright)"
    text = f"The weights of each class as an image, {scale}."
    if len(coef) > MOST_IMAGES:
        text += f" The first {MOST_IMAGES} of {len(coef)} classes."
    images = [
        Picture.from_pixels(
            np.reshape(row, tuple(shape)),
            alt=f"The weights of {name} as an image",
            caption=name,
            low=low,
            high=high,
        )
        for name, row in zip(names[:MOST_IMAGES], coef, strict=False)
    ]
    return [Text(text), Gallery(images)]


def _features(coef: Any, names: list[str], given: Sequence[str] | None) -> Table:
    """The features that speak most for a class, and most against it."""
    features = [f"feature {k}" for k in range(coef.shape[1])] if given is None else given
    rows = []
    for name, row in zip(_of(coef, names), coef, strict=True):
        order = np.argsort(-row, kind="stable")[:TOP], np.argsort(row, kind="stable")[:TOP]
        of = [k for k in order[0] if row[k] > 0], [k for k in order[1] if row[k] < 0]
        rows.append((name, *(", ".join(str(features[k]) for k in few) for few in of)))
    return Table(
        "The features with the largest weights, the largest first",
        ("class", "for it", "against it"),
        rows[:MOST_CLASSES],
    )


def _search(plot: Any, model: Any) -> Any:
    """The scores over C; as a map, where there would be too many lines."""
    kind = "lines" if len(model.l1_ratios_) <= 8 else "map"
    return plot.SearchDisplay.from_estimator(model, kind=kind)


def _settings(model: Any) -> Table:
    """The mean score of each setting."""
    scores = np.asarray(model.scores_).mean(axis=0)
    rows = []
    for ratio, line in zip(model.l1_ratios_, scores, strict=True):
        for C, score in zip(model.Cs_, line, strict=True):
            chosen = C == model.C_ and ratio == model.l1_ratio_
            cell = Cell(f"{score:.4f}", "chosen") if chosen else f"{score:.4f}"
            rows.append((f"{C:.4g}", *([f"{ratio:g}"] if len(scores) > 1 else []), cell))
    header = ("C", *(["l1 ratio"] if len(scores) > 1 else []), "mean score")
    return Table(f"The mean score of each setting over {len(model.scores_)} folds", header, rows)
