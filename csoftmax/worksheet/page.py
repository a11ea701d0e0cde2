"""The worksheet as a page: its numbers beside its pictures, and what the best models do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from csoftmax import evaluation, report
from csoftmax.evaluation.drawings import displays, left_out
from csoftmax.linear import linear_predict_proba
from csoftmax.report import Facts, Page, Part, Picture, Section, Text
from csoftmax.worksheet import CLASSIFIERS, Search, Sheet, contents


def write_html(sheet: Sheet, path: Path) -> None:
    """Write a sheet, or as much of it as there is, as one HTML file.

    Parameters
    ----------
    sheet : Sheet
        The results of its steps may be missing from any step on.
    path : Path
        Of the file, which is there as a whole or not at all.

    Raises
    ------
    ImportError
        Where Jinja2 is missing.
    """
    report.write(page(sheet), path)


def page(sheet: Sheet, *, at_once: bool = False) -> Page:
    """Return the page of a sheet, or of as much of it as there is.

    `at_once` leaves out what takes time: drawings, and what the best models do on the test rows.
    """
    sections = []
    if sheet.scores:
        sections.append(contents.scores(sheet))
    sections += [_with(contents.data(sheet), _mean(sheet)), contents.centring(sheet)]
    if sheet.initial:
        surface = [] if at_once else _surface()
        sections.append(_with(contents.initial_loss(sheet), surface))
    if sheet.gradients:
        sections.append(contents.gradient_check(sheet))
    if sheet.timings:
        sections.append(contents.timings(sheet))
    if sheet.searches:
        curves = [] if at_once else [p for found in sheet.searches for p in _curves(found)]
        sections.append(_with(contents.search(sheet), curves))
    for found, _ in zip([] if at_once else sheet.searches, sheet.scores, strict=False):
        title = f"{CLASSIFIERS[found.classifier].title}: the best model"
        sections.append(Section(title, _model(sheet, found)))
    stopped, without = contents.stopped(sheet), left_out()
    if at_once:
        stopped = stopped or "It was stopped after the test, before anything was drawn."
        without = [Text("This page has no drawings, which are made when all steps are done.")]
    sections.append(Section("What was run", [Facts(_facts(sheet)), *without]))
    subtitle = f"The worksheet of the course CS231n on softmax and SVM. {stopped}".rstrip()
    return Page(f"Worksheet: {sheet.data.name}", sections, subtitle=subtitle)


def _with(section: Section, more: list[Part]) -> Section:
    """A section with more parts."""
    return Section(section.title, [*section.parts, *more])


def _facts(sheet: Sheet) -> dict[str, str]:
    settings = sheet.settings
    return {
        "Data": sheet.data.name,
        "Classifiers": ", ".join(classifier.title for classifier in sheet.classifiers),
        "Learning rates": ", ".join(f"{rate:g}" for rate in settings.learning_rates),
        "reg": ", ".join(f"{reg:g}" for reg in settings.regs),
        "Steps": f"{settings.iterations} of {settings.batch_size} rows, seed {settings.seed}",
        **report.facts(),
    }


def _mean(sheet: Sheet) -> list[Part]:
    data, shape = sheet.data, sheet.data.image_shape
    if shape is None or not report.is_picture(shape):
        return []
    alt = f"The mean of the {len(data.X_train)} training images."
    low, high = min(0.0, float(data.X_train.min())), float(data.X_train.max())
    caption = "The mean training image, which is subtracted"
    pixels = np.reshape(data.shift, shape)
    return [Picture.from_pixels(pixels, alt=alt, caption=caption, low=low, high=high)]


def _surface() -> list[Part]:
    plot = displays()
    if plot is None:
        return []
    alt = (
        "The first of two softmax probabilities over both logits: a surface like a step with a "
        "soft edge, and its level lines, which are straight and parallel."
    )
    caption = "The softmax of two logits depends on their difference alone"
    figure, night = plot.softmax_surface(), plot.night
    return [Picture.from_figure(figure, alt=alt, caption=caption, night=night, kind="webp")]


def _curves(found: Search) -> list[Part]:
    """Losses, accuracies and the map of one search."""
    plot: Any = displays()
    if plot is None:
        return []
    from csoftmax.plot import worksheet as pictures

    title, best, n_trials = CLASSIFIERS[found.classifier].title, found.best, len(found.trials)
    setting = f"learning rate {best.learning_rate:g} and reg {best.reg:g}"
    night = plot.night
    parts: list[Part] = [
        Picture.from_figure(
            pictures.search_map(found),
            alt=f"{title}, heat map: {plot.SearchDisplay.from_results(found).description}.",
            night=night,
        ),
        Picture.from_figure(
            pictures.loss_curves(found),
            alt=f"{title}: the loss over the steps of {n_trials} settings, each in a panel of its "
            f"own. The best, {setting}, goes from {best.losses[0]:.3g} to {best.losses[-1]:.3g}.",
            night=night,
            kind="webp",
        ),
    ]
    if len(best.scores) > 1 and not best.diverged:
        accuracy = {
            "training": list(best.train_scores.values()),
            "validation": list(best.scores.values()),
        }
        steps = {"accuracy_x": list(best.scores), "accuracy_x_name": "step"}
        display = plot.LossDisplay(best.losses, accuracy=accuracy, **steps).plot()
        words = f"{title}, loss and accuracy of the best setting, {setting}"
        parts.append(
            Picture.from_figure(
                display.figure_,
                alt=f"{words}: {display.description}.",
                caption=words,
                night=night,
            )
        )
    return parts


def _model(sheet: Sheet, found: Search) -> list[Part]:
    """What the best model of a search does on the test rows, and what it has learned."""
    data, best = sheet.data, found.best
    measured = _evaluation(sheet, found)
    shape = data.image_shape

    def pixels(row: int) -> Any:
        return None if shape is None else np.reshape(data.X_test[row], shape)

    weights = evaluation.Weights(np.asarray(found.model.W).T, shape)
    return [
        Text(f"Learning rate {best.learning_rate:g}, reg {best.reg:g}, on the test rows."),
        *evaluation.summary(measured),
        *evaluation.sections(measured, weights=weights, examples=pixels),
    ]


def _evaluation(sheet: Sheet, found: Search) -> evaluation.Evaluation:
    """Measure a model on the test rows: with probabilities, if it has such and not diverged."""
    data, model = sheet.data, found.model
    W: Any = model.W
    names = np.array(_different(data.class_names), object)
    unknown = ((0, 0), (0, len(names) - W.shape[1]))  # classes that no training row has
    measures = evaluation.Measures(names)
    labels = names[data.y_test]
    if found.classifier == "softmax":
        proba = linear_predict_proba(W, data.X_test, bias=model.b, **data.features)
        if np.isfinite(proba).all():
            measures.add(labels, np.pad(proba, unknown))
            return measures.evaluation()
    measures.add_predicted(labels, names[model.predict(data.X_test)])
    return measures.evaluation()


def _different(names: tuple[str, ...]) -> list[str]:
    """The names, numbered where two are the same."""
    if len(set(names)) == len(names):
        return list(names)
    return [f"{k}: {name}" for k, name in enumerate(names)]
