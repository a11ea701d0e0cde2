"""The worksheet's results as text for a terminal of 80 columns, and as one JSON document."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from csoftmax._native.config import show_config
from csoftmax.report import Cell, Facts, Section, Table, Text, machine
from csoftmax.worksheet import Search, Sheet, contents

WIDTH = 78
INDENT = "   "
LOSS_POINTS = 150  # a loss history in the JSON is thinned to about as many means
#: what stands behind a cell of a table in the place of a word, and what it means
MARKS = {"best": ("*", "best validation accuracy"), "diverged": ("!", "the loss diverged")}


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
    return _text(1, contents.data(sheet))


def centring(sheet: Sheet) -> str:
    """Say how the mean and the bias come in without a copy of X."""
    return _text(2, contents.centring(sheet))


def initial_loss(sheet: Sheet) -> str:
    """Compare the loss of small random weights with what theory says."""
    return _text(3, contents.initial_loss(sheet))


def gradient_check(sheet: Sheet) -> str:
    """Show numerical beside analytic gradients."""
    return _text(4, contents.gradient_check(sheet))


def timings(sheet: Sheet) -> str:
    """Show what each implementation takes."""
    return _text(5, contents.timings(sheet))


def search(sheet: Sheet) -> str:
    """Show the accuracy of every setting, the classifiers side by side."""
    return _text(6, contents.search(sheet))


def scores(sheet: Sheet) -> str:
    """Show the chosen model of each classifier and its accuracy on the test rows."""
    return _text(7, contents.scores(sheet))


def left_out(missing: str) -> str:
    """Say what the sheet goes on without, and why."""
    text = f"{missing[:1].upper()}{missing[1:]}. The sheet goes on without."
    return "\n" + textwrap.fill(text, WIDTH, break_on_hyphens=False)


def files(folder: Path, names: Sequence[str]) -> str:
    """List what lies in the folder."""
    pictures = any(name.endswith(".png") for name in names)
    title = "Pictures and numbers" if pictures else "Numbers"
    return _text(8, Section(f"{title}: {folder}", [Text("  ".join(names))]))


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


def _text(number: int, section: Section) -> str:
    """Return one numbered step: its title and its parts, a blank line before each."""
    parts = [f"\n{number}. {section.title}"]
    for part in section.parts:
        if isinstance(part, Text):
            parts.append(_prose(part.text))
        elif isinstance(part, Facts):
            width = max(map(len, part.facts))
            lines = [f"{INDENT}{name:<{width}}  {what}" for name, what in part.facts.items()]
            parts.append("\n".join(lines))
        elif isinstance(part, Table):
            parts.append(f"{INDENT}{part.caption}\n{_table(part)}")
            parts += _legend(part)
    return "\n\n".join(parts)


def _prose(text: str) -> str:
    """Wrap a paragraph."""
    return textwrap.fill(
        text, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT, break_on_hyphens=False
    )


def _table(table: Table) -> str:
    """Align columns, numbers to the right and words to the left; heads may take two lines."""
    heads = [("\n" + head).split("\n")[-2:] for head in table.header]
    aligned = []
    columns = zip(*table.rows, strict=True)
    for head, cells, is_number in zip(heads, columns, table.numeric, strict=True):
        room = " " if any(isinstance(cell, Cell) for cell in cells) else ""  # for marks
        lines = [f"{line}{room}" for line in head]
        lines += [
            cell.text + MARKS[cell.mark][0] if isinstance(cell, Cell) else f"{cell}{room}"
            for cell in cells
        ]
        width = max(map(len, lines))
        aligned.append([line.rjust(width) if is_number else line.ljust(width) for line in lines])
    lines = [INDENT + "  ".join(cells) for cells in zip(*aligned, strict=True)]
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _legend(table: Table) -> list[str]:
    """Say what the marks mean that a table has."""
    seen = {cell.mark for row in table.rows for cell in row if isinstance(cell, Cell)}
    marks = [f"{sign} {meaning}" for mark, (sign, meaning) in MARKS.items() if mark in seen]
    return [_prose(", ".join(marks))] if marks else []
