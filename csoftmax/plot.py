"""The worksheet's pictures. The only file that imports matplotlib, and without pyplot's state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csoftmax.functional import softmax
from csoftmax.worksheet import CLASSIFIERS, Data, Search, Sheet

try:
    from matplotlib import colormaps
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle
except ImportError as error:
    raise ImportError(
        "the pictures need matplotlib, which is not installed: pip install 'csoftmax[cli]'"
    ) from error

Array = NDArray[Any]

SEQUENTIAL = "cividis"  # reads the same with and without colour vision
DIVERGING = "RdBu_r"
MAX_CLASSES = 40  # as many weight images fit one picture
MAX_LABELS = 24  # and as many lines one legend
DPI = 90
LINE_STYLES = ("-", "--", ":", "-.")


def write_all(sheet: Sheet, folder: Path) -> list[str]:
    """Write every picture of the worksheet as PNG and return the file names."""
    data = sheet.data
    figures = {}
    if _is_picture(data):
        figures["mean.png"] = mean_image(data)
    for found in sheet.searches:
        figures[f"loss-{found.classifier}.png"] = loss_curves(found)
        figures[f"search-{found.classifier}.png"] = search_map(found)
        figures[f"weights-{found.classifier}.png"] = class_weights(data, found)
    figures["softmax-surface.png"] = softmax_surface()
    for name, figure in figures.items():
        figure.savefig(folder / name, dpi=DPI)
    return list(figures)


def loss_curves(found: Search) -> Figure:
    """Draw each setting's loss over the steps, as a running mean over a fiftieth of them."""
    figure = Figure(figsize=(7.6, 4.4), layout="constrained")
    axes = figure.add_subplot()
    rates = sorted({t.learning_rate for t in found.trials})
    regs = sorted({t.reg for t in found.trials})
    colours = colormaps[SEQUENTIAL](np.linspace(0, 0.9, len(regs)))
    window = max(1, len(found.best.losses) // 50)
    curves = [np.convolve(t.losses, np.ones(window) / window, "valid") for t in found.trials]
    # A model that diverges must not squeeze the others into one line.
    top = 3 * max(t.losses[0] for t in found.trials)
    for trial, curve in zip(found.trials, curves, strict=True):
        best = trial is found.best
        label = f"{trial.learning_rate:g}, {trial.reg:g}" + (" (best)" if best else "")
        axes.plot(
            np.arange(len(curve)) + window,
            np.where(curve <= top, curve, np.nan),
            color=colours[regs.index(trial.reg)],
            linestyle=LINE_STYLES[rates.index(trial.learning_rate) % len(LINE_STYLES)],
            linewidth=3 if best else 1.3,
            label=label if best or len(curves) <= MAX_LABELS else None,
        )
    if all((curve[np.isfinite(curve)] > 0).all() for curve in curves):
        axes.set_yscale("log")
    axes.set_xlabel("step")
    axes.set_ylabel(f"loss with regulariser, mean of {window} steps")
    axes.set_title(f"{CLASSIFIERS[found.classifier].title}: loss of the mini-batches")
    axes.grid(alpha=0.3, which="both")
    figure.legend(title="learning rate, reg", loc="outside right upper", fontsize="small")
    return figure


def search_map(found: Search) -> Figure:
    """Draw the validation accuracy over learning rate and regularisation."""
    rates = list(dict.fromkeys(t.learning_rate for t in found.trials))
    regs = list(dict.fromkeys(t.reg for t in found.trials))
    shape = (len(rates), len(regs))
    accuracy = np.array([t.val_accuracy for t in found.trials]).reshape(shape)
    figure = Figure(figsize=(1.9 + 1.25 * len(regs), 1.7 + 0.85 * len(rates)), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(accuracy, cmap=SEQUENTIAL, aspect="auto")
    middle = (accuracy.min() + accuracy.max()) / 2
    for index, trial in enumerate(found.trials):
        row, column = divmod(index, len(regs))
        best = trial is found.best
        axes.text(
            column,
            row,
            f"{trial.val_accuracy:.3f}\n(train {trial.train_accuracy:.3f})",
            ha="center",
            va="center",
            fontsize="small",
            fontweight="bold" if best else "normal",
            color="black" if trial.val_accuracy > middle else "white",
        )
        if best:
            axes.add_patch(
                Rectangle(
                    (column - 0.47, row - 0.46), 0.94, 0.92, fill=False, edgecolor="black", lw=2
                )
            )
    axes.set_xticks(range(len(regs)), [f"{reg:g}" for reg in regs])
    axes.set_yticks(range(len(rates)), [f"{rate:g}" for rate in rates])
    axes.set_xlabel("reg, in reg/2 * sum(W**2)")
    axes.set_ylabel("learning rate")
    axes.set_title(f"{CLASSIFIERS[found.classifier].title}: validation accuracy")
    figure.colorbar(image, ax=axes)
    return figure


def class_weights(data: Data, found: Search) -> Figure:
    """Draw each class's column of W as an image, or all as one map where rows are no images."""
    W = np.asarray(found.model.W, dtype=np.float64)
    title = f"{CLASSIFIERS[found.classifier].title}: learned weights"
    if not _is_picture(data):
        return _weight_map(W, data.class_names, title)
    n_classes = min(W.shape[1], MAX_CLASSES)
    if n_classes < W.shape[1]:
        title += f" of the first {n_classes} of {W.shape[1]} classes"
    columns = min(5, n_classes) if n_classes <= 10 else 8
    rows = -(-n_classes // columns)
    figure = Figure(figsize=(1.55 * columns + 0.8, 1.75 * rows + 0.5), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    limit = np.abs(W).max() or 1.0
    for axes in grid.flat:
        axes.set_axis_off()
    for index, axes in enumerate(grid.flat[:n_classes]):
        picture = _pixels(W[:, index], data)
        if picture.ndim == 3:
            picture = (picture - W.min()) / (W.max() - W.min() or 1.0)
        image = axes.imshow(
            picture, cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="nearest"
        )
        axes.set_title(data.class_names[index], fontsize="medium")
    if picture.ndim == 2:
        figure.colorbar(image, ax=grid, label="weight", shrink=0.8)
    figure.suptitle(title)
    return figure


def mean_image(data: Data) -> Figure:
    """Draw the mean image that is subtracted."""
    figure = Figure(figsize=(3.2, 3.2), layout="constrained")
    axes = figure.add_subplot()
    low, high = min(0.0, float(data.X_train.min())), float(data.X_train.max())
    picture = (_pixels(data.shift, data) - low) / (high - low or 1.0)
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(f"{data.name}: mean training image")
    return figure


def softmax_surface() -> Figure:
    """Draw the first probability of two logits: a surface, and the curve that it is across."""
    z = np.linspace(-6, 6, 61)
    z1, z2 = np.meshgrid(z, z)
    p1 = softmax(np.stack([z1, z2], axis=-1), axis=-1)[..., 0]
    figure = Figure(figsize=(8.6, 4.2), layout="constrained")
    space: Any = figure.add_subplot(1, 2, 1, projection="3d")
    space.plot_surface(z1, z2, p1, cmap=SEQUENTIAL, rcount=40, ccount=40, linewidth=0)
    space.set_xlabel("$z_1$")
    space.set_ylabel("$z_2$")
    space.view_init(elev=24, azim=-122)
    space.set_box_aspect(None, zoom=0.9)  # else the ticks are cut off
    space.set_title("height $p_1 = e^{z_1} / (e^{z_1} + e^{z_2})$")
    plane = figure.add_subplot(1, 2, 2)
    levels = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
    image = plane.contourf(z1, z2, p1, levels=np.linspace(0, 1, 21), cmap=SEQUENTIAL)
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


def _weight_map(W: Array, class_names: tuple[str, ...], title: str) -> Figure:
    """Draw W as one map, a line a class."""
    figure = Figure(figsize=(8.0, min(10.0, 1.6 + 0.28 * W.shape[1])), layout="constrained")
    axes = figure.add_subplot()
    limit = np.abs(W).max() or 1.0
    image = axes.imshow(
        W.T, cmap=DIVERGING, vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest"
    )
    if W.shape[1] <= MAX_CLASSES:
        axes.set_yticks(range(W.shape[1]), class_names[: W.shape[1]])
    axes.set_xlabel("feature")
    axes.set_ylabel("class")
    axes.set_title(title)
    figure.colorbar(image, ax=axes, label="weight")
    return figure


def _is_picture(data: Data) -> bool:
    """Whether a row can be drawn: height x width, in grey or in three colours."""
    shape = data.image_shape
    return shape is not None and (len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3)))


def _pixels(row: Array, data: Data) -> Array:
    """Return a row in the shape in which it is drawn: two dimensions for grey, three for colour."""
    shape = data.image_shape or ()
    return row.reshape(shape[:2] if len(shape) == 3 and shape[2] == 1 else shape)
