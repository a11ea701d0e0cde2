"""The worksheet's results as text for a terminal of 80 columns, and as one JSON document."""

from __future__ import annotations

import json
import math
import os
import platform
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from csoftmax._native.config import show_config
from csoftmax.worksheet import CLASSIFIERS, Data, Search, Sheet, dev_rows

WIDTH = 78
INDENT = "   "
LOSS_POINTS = 150  # a loss history in the JSON is thinned to about as many means


def section(number: int, title: str, *parts: str) -> str:
    """Return one numbered step: its title and its parts, a blank line before each."""
    return "\n\n".join([f"\n{number}. {title}", *(part for part in parts if part)])


def title(sheet: Sheet) -> str:
    """Say what runs, and where."""
    config, host = show_config(mode="dicts"), machine()
    return (
        f"csoftmax {config['version']} worksheet: {sheet.data.name}\n"
        f"{host['processor']}, {config['n_threads']} threads, "
        f"instruction set {config['instruction_set']}, NumPy {config['numpy']}"
    )


def data(sheet: Sheet) -> str:
    """Say what was loaded and how it is split."""
    data = sheet.data
    names = textwrap.shorten(" ".join(data.class_names), 56, placeholder=" ...")
    rows = [
        ("training", len(data.X_train), "rows, from which the models learn"),
        ("validation", len(data.X_val), "rows, which choose learning rate and regularisation"),
        ("test", len(data.X_test), "rows, which are used once, at the end"),
        ("features", data.X_train.shape[1], _features(data)),
        ("classes", data.n_classes, names),
    ]
    table = "\n".join(f"{INDENT}{name:<11}{count:>6}  {what}" for name, count, what in rows)
    return section(1, f"The data: {data.name}", table, _prose(f"Split: {data.split}."))


def centring(sheet: Sheet) -> str:
    """Say how the mean and the bias come in without a copy of X."""
    data = sheet.data
    stored, as_float = _size(data.X_train.nbytes), _size(8 * data.X_train.size)
    what = "image" if data.image_shape else "row"
    scaled, arguments = "", "`shift=`, `bias=`"
    if data.scale is not None:
        scaled = " Each feature is divided by its standard deviation too."
        arguments = "`shift=`, `scale=`, `bias=`"
    return section(
        2,
        f"Subtract the mean {what}, add a bias",
        _prose(
            f"The mean {what} of the training rows is subtracted from every row.{scaled} The "
            "course then appends a column of ones, so that W's last row is a bias. csoftmax does "
            f"this as it reads ({arguments}): X stays as it is stored, "
            f"{data.X_train.dtype}, {stored}, where a centred float64 copy takes "
            f"{as_float}. The bias is not regularised; the course's column of ones is."
        ),
    )


def initial_loss(sheet: Sheet) -> str:
    """Compare the loss of small random weights with what theory says."""
    rows = [
        (
            CLASSIFIERS[r.classifier].title,
            f"{r.loss:.4f}",
            f"{r.expected:.4f}",
            CLASSIFIERS[r.classifier].expected_text,
        )
        for r in sheet.initial
    ]
    return section(
        3,
        "The initial loss",
        _prose(
            "With small random weights (standard deviation 0.0001) all C classes score about the "
            "same: each has probability 1/C, so the softmax loss is near -log(1/C) = log(C), and "
            "each of the C - 1 wrong classes violates the hinge's margin of 1 by about 1."
        ),
        _table(("classifier", "loss", "expected", "why"), rows),
    )


def gradient_check(sheet: Sheet) -> str:
    """Show numerical beside analytic gradients."""
    tables = []
    for r in sheet.gradients:
        rows = [
            (f"{n:.8f}", f"{a:.8f}", f"{e:.1e}")
            for n, a, e in zip(r.numerical, r.analytic, r.relative_error, strict=True)
        ]
        title = f"{INDENT}{CLASSIFIERS[r.classifier].title}, reg = {r.reg:g}\n"
        tables.append(title + _table(("numerical", "analytic", "relative error"), rows))
    return section(
        4,
        "The gradient check",
        _prose(
            "At random entries w of W the kernel's gradient must agree with the central "
            "difference, in float64. A relative error of 1e-6 and less is right. The hinge has "
            "kinks, where a difference can straddle two slopes: a single larger error there is "
            "no mistake."
        ),
        "\n".join(
            (
                f"{INDENT}numerical        (f(w + h) - f(w - h)) / 2h",
                f"{INDENT}relative error   |a - b| / (|a| + |b|)",
            )
        ),
        *tables,
    )


def timings(sheet: Sheet) -> str:
    """Show what each implementation takes."""
    tables = []
    for group in sheet.timings:
        rows = [
            (
                t.implementation,
                t.arithmetic,
                f"{1e3 * t.seconds:.3f}",
                f"{group[0].seconds / t.seconds:.1f}",
                f"{t.loss:.5f}",
                f"{t.difference:.1e}",
            )
            for t in group
        ]
        title = f"{INDENT}{CLASSIFIERS[group[0].classifier].title}\n"
        header = ("implementation", "in", "ms", "speed-up", "loss", "difference")
        tables.append(title + _table(header, rows))
    return section(
        5,
        "Loops, matrices, compiled",
        _prose(
            f"Loss and gradient of {dev_rows(sheet.data)} training rows, the shortest of several "
            "runs. The difference is the Frobenius norm of dW minus the loops' dW. The last line "
            "is what trains below: rows as they are stored, mean and bias implicit."
        ),
        *tables,
    )


def search(sheet: Sheet) -> str:
    """Show the accuracy of every setting, the classifiers side by side."""
    settings = sheet.settings
    header = ["learning\nrate", "\nreg", "course's\nreg"]
    for found in sheet.searches:
        header += [f"{found.classifier}\ntrain", f"{found.classifier}\nval "]
    rows = []
    for trials in zip(*(found.trials for found in sheet.searches), strict=True):
        first = trials[0]
        row = [f"{first.learning_rate:g}", f"{first.reg:g}", f"{first.reg / 2:g}"]
        for found, trial in zip(sheet.searches, trials, strict=True):
            mark = "*" if trial is found.best else "!" if trial.diverged else " "
            row += [f"{trial.train_accuracy:.3f}", f"{trial.val_accuracy:.3f}{mark}"]
        rows.append((*row, "published" if first.is_published else ""))
    speed = ", ".join(
        f"{CLASSIFIERS[found.classifier].title} {found.seconds / len(found.trials):.2f} s"
        for found in sheet.searches
    )
    notes = "* best validation accuracy"
    if any(t.diverged for found in sheet.searches for t in found.trials):
        notes += ", ! the loss diverged"
    if any(t.is_published for t in sheet.searches[0].trials):
        notes += (
            ". Published: a setting of the course's own sheet. Its reg of 25000 and 50000, read "
            "in csoftmax's form, are the rows of that reg."
        )
    return section(
        6,
        "Search over learning rate and regularisation",
        _prose(
            f"Each model takes {settings.iterations} steps of {settings.batch_size} rows, from "
            f"W = 0.001 randn and the same batches (seed {settings.seed}). Time a model: {speed}. "
            "`reg` is csoftmax's, reg/2*sum(W**2); the course's newer sheets write "
            "reg*sum(W**2), where the same strength is half the number: the third column."
        ),
        _table(header, rows),
        _prose(notes),
    )


def scores(sheet: Sheet) -> str:
    """Show the chosen model of each classifier and its accuracy on the test rows."""
    rows = [
        (
            CLASSIFIERS[r.classifier].title,
            f"{found.best.learning_rate:g}",
            f"{found.best.reg:g}",
            f"{found.best.val_accuracy:.3f}",
            f"{r.accuracy:.3f}",
        )
        for found, r in zip(sheet.searches, sheet.scores, strict=True)
    ]
    names = sheet.data.class_names
    extremes = []
    for r in sheet.scores:
        accuracy = np.asarray(r.class_accuracy)
        low, high = int(np.nanargmin(accuracy)), int(np.nanargmax(accuracy))
        extremes.append(
            f"{CLASSIFIERS[r.classifier].title} finds {names[high]!r} most often "
            f"({accuracy[high]:.3f}) and {names[low]!r} least ({accuracy[low]:.3f})."
            if accuracy[high] > accuracy[low]
            else f"{CLASSIFIERS[r.classifier].title} finds all classes equally often."
        )
    return section(
        7,
        "The best model on the test rows",
        _table(("classifier", "learning rate", "reg", "validation", "test"), rows),
        _prose(" ".join(extremes)),
    )


def left_out(missing: str) -> str:
    """Say what the sheet goes on without, and why."""
    text = f"{missing[:1].upper()}{missing[1:]}. The sheet goes on without them."
    return "\n" + textwrap.fill(text, WIDTH, break_on_hyphens=False)


def files(folder: Path, names: Sequence[str]) -> str:
    """List what lies in the folder."""
    pictures = any(name.endswith(".png") for name in names)
    title = "Pictures and numbers" if pictures else "Numbers"
    return section(8, f"{title}: {folder}", _prose("  ".join(names)))


def document(sheet: Sheet) -> str:
    """Return everything as JSON; numbers that are not finite become null."""
    data = sheet.data
    content = {
        "csoftmax": show_config(mode="dicts"),
        "machine": machine(),
        "data": {
            "name": data.name,
            "rows": {
                "train": len(data.X_train),
                "validation": len(data.X_val),
                "test": len(data.X_test),
            },
            "features": data.X_train.shape[1],
            "dtype": str(data.X_train.dtype),
            "image_shape": data.image_shape,
            "class_names": data.class_names,
            "split": data.split,
        },
        "settings": asdict(sheet.settings)
        | {"reg_form": "reg/2 * sum(W**2), bias not regularised"},
        "initial_loss": [asdict(r) for r in sheet.initial],
        "gradient_check": [asdict(r) for r in sheet.gradients],
        "timings": [asdict(t) for group in sheet.timings for t in group],
        "search": [_search(found) for found in sheet.searches],
        "test": [asdict(r) for r in sheet.scores],
    }
    return json.dumps(_finite(content), indent=1, allow_nan=False)


def machine() -> dict[str, str | int | None]:
    """Return the processor, the cores that this process may use, and the Python that runs."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def _search(found: Search) -> dict[str, Any]:
    """Return a search with thinned losses: the means of `loss_every` steps each."""
    every = max(1, math.ceil(len(found.trials[0].losses) / LOSS_POINTS))
    trials = []
    for trial in found.trials:
        means = [
            float(np.mean(trial.losses[start : start + every]))
            for start in range(0, len(trial.losses), every)
        ]
        trials.append(asdict(trial) | {"diverged": trial.diverged, "losses": means})
    return {
        "classifier": found.classifier,
        "loss_every": every,
        "seconds": found.seconds,
        "best": found.trials.index(found.best),
        "best_val_accuracy": found.best.val_accuracy,
        "trials": trials,
    }


def _finite(value: Any) -> Any:
    """Replace NaN and infinity, which JSON does not have, by None."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _features(data: Data) -> str:
    """Describe the features in a few words."""
    values = f"{data.X_train.dtype}, {data.X_train.min():g} to {data.X_train.max():g}"
    if data.image_shape is None:
        return f"a row ({values})"
    shape = " x ".join(str(n) for n in data.image_shape)
    return f"a row: images of {shape} ({values})"


def _size(n_bytes: int) -> str:
    """Write a number of bytes for people."""
    return f"{n_bytes / 1e6:.0f} MB" if n_bytes >= 1e6 else f"{n_bytes / 1e3:.0f} kB"


def _prose(text: str) -> str:
    """Wrap a paragraph."""
    return textwrap.fill(
        text, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT, break_on_hyphens=False
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Align columns, numbers to the right and words to the left; heads may take two lines."""
    heads = [("\n" + head).split("\n")[-2:] for head in header]
    heads += [["", ""]] * (len(rows[0]) - len(header))
    columns = [[*head, *cells] for head, cells in zip(heads, zip(*rows, strict=True), strict=True)]
    aligned = []
    for column in columns:
        width = max(len(cell) for cell in column)
        is_number = column[2].lstrip("-")[:1].isdigit()
        aligned.append([cell.rjust(width) if is_number else cell.ljust(width) for cell in column])
    lines = [INDENT + "  ".join(cells) for cells in zip(*aligned, strict=True)]
    return "\n".join(line.rstrip() for line in lines if line.strip())
