"""The pictures of the course's worksheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csoftmax.functional import softmax
from csoftmax.plot.drawing import COLOURS, MAP, Axes, Figure
from csoftmax.plot.search import SearchDisplay
from csoftmax.plot.weights import WeightsDisplay
from csoftmax.worksheet import CLASSIFIERS, Data, Search, Sheet

Array = NDArray[Any]

DPI = 110
MAX_POINTS = 120  #: of a curve: as SVG 625 of them are a large file
MAX_SHOWN = 5  #: learning rates and strengths whose curves have panels of their own


def write_all(sheet: Sheet, folder: Path) -> list[str]:
    """Write every picture of the worksheet as PNG.

    Parameters
    ----------
    sheet : csoftmax.worksheet.Sheet
        With its searches.
    folder : Path
        Where there is one.

    Returns
    -------
    list of str
        The names of the files.

    See Also
    --------
    softmax_surface : One of the pictures, which needs no sheet.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from csoftmax import datasets, worksheet
    >>> from csoftmax.plot import write_all
    >>> data = worksheet.prepare(datasets.load("digits"))
    >>> settings = worksheet.Settings((1e-3,), (0.1, 1.0), iterations=20)
    >>> sheet = worksheet.Sheet(data, settings, [worksheet.CLASSIFIERS["softmax"]])
    >>> sheet.searches = [worksheet.search(data, sheet.classifiers[0], settings)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     names = write_all(sheet, Path(folder))
    >>> names[:3]
    ['mean.png', 'loss-softmax.png', 'accuracy-softmax.png']
    """
    data = sheet.data
    figures = {}
    if image_shape(data) is not None:
        figures["mean.png"] = mean_image(data)
    for found in sheet.searches:
        figures[f"loss-{found.classifier}.png"] = loss_curves(found)
        if has_accuracies(found):
            figures[f"accuracy-{found.classifier}.png"] = accuracy_curves(found)
        figures[f"search-{found.classifier}.png"] = search_map(found)
        figures[f"weights-{found.classifier}.png"] = class_weights(data, found)
    figures["softmax-surface.png"] = softmax_surface()
    for name, figure in figures.items():
        figure.savefig(folder / name, dpi=DPI)
    return list(figures)


def loss_curves(found: Search) -> Figure:
    """Draw each setting's loss over the steps, in a panel of its own, before the others.

    What is shown is a running mean over a fiftieth of the steps.
    """
    window = max(1, len(found.best.losses) // 50)
    figure, panels = _panels(found, f"loss with regulariser, mean of {window} steps")
    # A model that diverges must not squeeze the others into one line.
    top = 3 * max(t.losses[0] for t in found.trials)
    steps = np.arange(window, len(found.best.losses) + 1)
    every = -(-len(steps) // MAX_POINTS)
    steps, curves = steps[::every], {}
    for number, _ in panels:
        curve = np.convolve(found.trials[number].losses, np.ones(window) / window, "valid")[::every]
        curves[number] = np.where(curve <= top, curve, np.nan)
    is_log = all((curve[np.isfinite(curve)] > 0).all() for curve in curves.values())
    for number, axes in panels:
        for curve in curves.values():
            axes.plot(steps, curve, color="0.82", linewidth=0.7, zorder=1)
        axes.plot(steps, curves[number], color=COLOURS[0], linewidth=2, zorder=3)
        if found.trials[number].diverged:
            axes.text(0.95, 0.9, "diverged", transform=axes.transAxes, ha="right", va="top")
        if is_log:
            axes.set_yscale("log")
    return figure


def has_accuracies(found: Search) -> bool:
    """Whether the trials have accuracies over the steps."""
    return all(len(trial.scores) > 1 for trial in found.trials)


def accuracy_curves(found: Search) -> Figure:
    """Draw the accuracy over the steps, of training rows and of validation rows, by setting."""
    figure, panels = _panels(found, "accuracy of training rows (dashed) and validation rows")
    for number, axes in panels:
        for other, _ in panels:
            _draw(axes, found.trials[other].scores, color="0.82", linewidth=0.7, zorder=1)
        trial = found.trials[number]
        _draw(axes, trial.train_scores, color=COLOURS[1], linestyle="--", linewidth=1.5, zorder=3)
        _draw(axes, trial.scores, color=COLOURS[0], linewidth=2, zorder=3)
    return figure


def search_map(found: Search) -> Figure:
    """Draw the validation accuracy over learning rate and regularisation."""
    display = SearchDisplay.from_results(found)
    display.ax_.set_title(f"{CLASSIFIERS[found.classifier].title}: validation accuracy")
    display.ax_.set_xlabel("reg, in reg/2 * sum(W**2)")
    return display.figure_


def class_weights(data: Data, found: Search) -> Figure:
    """Draw each class's column of W: as an image, or its largest entries."""
    W = np.asarray(found.model.W)
    display = WeightsDisplay(
        W.T, data.class_names[: W.shape[1]], image_shape=image_shape(data)
    ).plot()
    title = display.figure_.get_suptitle() or "weights"
    display.figure_.suptitle(f"{CLASSIFIERS[found.classifier].title}: {title}")
    return display.figure_


def mean_image(data: Data) -> Figure:
    """Draw the mean image that is subtracted."""
    figure = Figure(figsize=(3.2, 3.2), layout="constrained")
    axes = figure.add_subplot()
    low, high = min(0.0, float(data.X_train.min())), float(data.X_train.max())
    picture = (np.reshape(data.shift, image_shape(data) or ()) - low) / (high - low or 1.0)
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(f"{data.name}: mean training image")
    return figure


def softmax_surface() -> Figure:
    """Draw the first probability of two logits: a surface, and the curve that it is across.

    Returns
    -------
    matplotlib.figure.Figure

    See Also
    --------
    write_all : Writes it beside the other pictures of the worksheet.
    csoftmax.softmax : What it shows.

    Examples
    --------
    >>> from csoftmax.plot import softmax_surface
    >>> surface, lines, bar = softmax_surface().axes
    >>> lines.get_title()
    'only $z_1 - z_2$ matters'
    """
    z = np.linspace(-6, 6, 61)
    z1, z2 = np.meshgrid(z, z)
    p1 = softmax(np.stack([z1, z2], axis=-1), axis=-1)[..., 0]
    figure = Figure(figsize=(8.6, 4.2), layout="constrained")
    space: Any = figure.add_subplot(1, 2, 1, projection="3d")
    space.plot_surface(z1, z2, p1, cmap=MAP, rcount=40, ccount=40, linewidth=0)
    space.set_xlabel("$z_1$")
    space.set_ylabel("$z_2$")
    space.view_init(elev=24, azim=-122)
    space.set_box_aspect(None, zoom=0.9)  # else the ticks are cut off
    space.set_title("height $p_1 = e^{z_1} / (e^{z_1} + e^{z_2})$")
    plane = figure.add_subplot(1, 2, 2)
    levels = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
    image = plane.contourf(z1, z2, p1, levels=np.linspace(0, 1, 21), cmap=MAP)
    lines = plane.contour(
        z1, z2, p1, levels=levels, colors=4 * ["white"] + 3 * ["black"], linewidths=1
    )
    plane.clabel(lines, fontsize="small")
    plane.set_aspect("equal")
    plane.set_xlabel("$z_1$")
    plane.set_ylabel("$z_2$")
    plane.set_title("only $z_1 - z_2$ matters")
    figure.colorbar(image, ax=plane, label="$p_1$", shrink=0.85)
    return figure


def image_shape(data: Data) -> tuple[int, ...] | None:
    """The shape in which a row is drawn; None where it is no image of one or three colours."""
    shape = data.image_shape
    if shape is None or len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] not in (1, 3)):
        return None
    return shape[:2] if shape[2:] == (1,) else shape


def _draw(axes: Axes, scores: dict[int, float], **style: Any) -> None:
    """Draw accuracies over the steps after which they were taken."""
    axes.plot(list(scores), list(scores.values()), **style)


def _panels(found: Search, title: str) -> tuple[Figure, list[tuple[int, Axes]]]:
    """Axes for each setting that is shown, with the number of its trial; the best is marked."""
    trials = found.trials
    best = trials.index(found.best)
    rates = _few([trial.learning_rate for trial in trials], found.best.learning_rate)
    regs = _few([trial.reg for trial in trials], found.best.reg)
    figure = Figure(figsize=(1.6 * len(regs) + 0.9, 1.35 * len(rates) + 1), layout="constrained")
    grid = figure.subplots(len(rates), len(regs), sharex=True, sharey=True, squeeze=False)
    place = {(trial.learning_rate, trial.reg): number for number, trial in enumerate(trials)}
    panels = []
    for row, rate in enumerate(rates):
        for column, reg in enumerate(regs):
            axes, number = grid[row, column], place[rate, reg]
            text = f"{trials[number].val_accuracy:.3f}"
            axes.set_title(f"best: {text}" if number == best else text, fontsize="small")
            if number == best:
                axes.spines[:].set(linewidth=2.5)
                axes.title.set_fontweight("bold")
            if row == len(rates) - 1:
                axes.set_xlabel(f"reg {reg:.3g}", fontsize="small")
            if column == 0:
                axes.set_ylabel(f"rate {rate:.3g}", fontsize="small")
            axes.tick_params(labelsize="small")
            axes.grid(alpha=0.25)
            panels.append((number, axes))
    shown = f" ({len(panels)} of {len(trials)} settings)" if len(panels) < len(trials) else ""
    name = CLASSIFIERS[found.classifier].title
    figure.suptitle(
        f"{name}, {title}{shown}\nover steps; above each panel its validation accuracy",
        fontsize="medium",
    )
    return figure, panels


def _few(values: Sequence[float], wanted: float) -> list[float]:
    """A few of the different values, evenly spaced, the ends and the wanted one among them."""
    known = sorted(set(values))
    if len(known) <= MAX_SHOWN:
        return known
    places = np.linspace(0, len(known) - 1, MAX_SHOWN)
    near = int(np.abs(places[1:-1] - known.index(wanted)).argmin()) + 1
    if wanted not in (known[0], known[-1]):
        places[near] = known.index(wanted)
    return [known[round(place)] for place in places]
