"""What the worksheet's steps have found, as sections: the same words for the text and the page."""

from __future__ import annotations

from textwrap import shorten

import numpy as np

from csoftmax.report import Cell, Facts, Part, Section, Table, Text
from csoftmax.worksheet import CLASSIFIERS, Data, Search, Sheet, Trial, dev_rows

#: A sheet's results in the order of its steps, and what these are called.
STEPS = {
    "initial": "the initial loss",
    "gradients": "the gradient check",
    "timings": "the timings",
    "searches": "the search",
    "scores": "the test",
}


def stopped(sheet: Sheet) -> str:
    """Say after which step a sheet was stopped; nothing if it has all of them."""
    after = "the preparation of the data"
    for name, words in STEPS.items():
        if not (found := getattr(sheet, name)):
            return f"It was stopped after {after}: what follows is missing."
        after = words
        if name == "searches" and len(found) < len(sheet.classifiers):
            after += f" of {CLASSIFIERS[found[-1].classifier].title}"
    return ""


def data(sheet: Sheet) -> Section:
    """What was loaded and how it is split."""
    data = sheet.data
    names = shorten(" ".join(data.class_names), 56, placeholder=" ...")
    rows = [
        ("training", len(data.X_train), "  rows, from which the models learn"),
        ("validation", len(data.X_val), "  rows, which choose learning rate and regularisation"),
        ("test", len(data.X_test), "  rows, which are used once, at the end"),
        ("features", data.X_train.shape[1], f"  {_features(data)}"),
        ("classes", data.n_classes, f": {names}"),
    ]
    facts = {name: f"{count:>6}{what}" for name, count, what in rows}
    return Section(f"The data: {data.name}", [Facts(facts), Text(f"Split: {data.split}.")])


def centring(sheet: Sheet) -> Section:
    """How the mean and the bias come in without a copy of X."""
    data = sheet.data
    stored, as_float = _size(data.X_train.nbytes), _size(8 * data.X_train.size)
    what = "image" if data.image_shape else "row"
    scaled, arguments = "", "`shift=`, `bias=`"
    if data.scale is not None:
        scaled = " Each feature is divided by its standard deviation too."
        arguments = "`shift=`, `scale=`, `bias=`"
    return Section(
        f"Subtract the mean {what}, add a bias",
        [
            Text(
                f"The mean {what} of the training rows is subtracted from every row.{scaled} The "
                "course then appends a column of ones, so that W's last row is a bias. csoftmax "
                f"does this as it reads ({arguments}): X stays as it is stored, "
                f"{data.X_train.dtype}, {stored}, where a centred float64 copy takes "
                f"{as_float}. The bias is not regularised; the course's column of ones is."
            )
        ],
    )


def initial_loss(sheet: Sheet) -> Section:
    """The loss of small random weights, and what theory says."""
    rows = [
        (
            CLASSIFIERS[r.classifier].title,
            f"{r.loss:.4f}",
            f"{r.expected:.4f}",
            CLASSIFIERS[r.classifier].expected_text,
        )
        for r in sheet.initial
    ]
    return Section(
        "The initial loss",
        [
            Text(
                "With small random weights (standard deviation 0.0001) all C classes score about "
                "the same: each has probability 1/C, so the softmax loss is near -log(1/C) = "
                "log(C), and each of the C - 1 wrong classes violates the hinge's margin of 1 by "
                "about 1."
            ),
            Table("Initial loss", ("classifier", "loss", "expected", "why"), rows),
        ],
    )


def gradient_check(sheet: Sheet) -> Section:
    """Numerical beside analytic gradients."""
    tables = [
        Table(
            f"{CLASSIFIERS[r.classifier].title}, reg = {r.reg:g}",
            ("entry", "numerical", "analytic", "relative error"),
            [
                (str(k), f"{n:.8f}", f"{a:.8f}", f"{e:.1e}")
                for k, (n, a, e) in enumerate(
                    zip(r.numerical, r.analytic, r.relative_error, strict=True), 1
                )
            ],
        )
        for r in sheet.gradients
    ]
    formulas = {
        "numerical": "(f(w + h) - f(w - h)) / 2h",
        "relative error": "|a - b| / (|a| + |b|)",
    }
    return Section(
        "The gradient check",
        [
            Text(
                "At random entries w of W the kernel's gradient must agree with the central "
                "difference, in float64. A relative error of 1e-6 and less is right. The hinge has "
                "kinks, where a difference can straddle two slopes: a single larger error there is "
                "no mistake."
            ),
            Facts(formulas),
            *tables,
        ],
    )


def timings(sheet: Sheet) -> Section:
    """What each implementation takes."""
    header = ("implementation", "in", "ms", "speed-up", "loss", "difference")
    tables = [
        Table(
            CLASSIFIERS[group[0].classifier].title,
            header,
            [
                (
                    t.implementation,
                    t.arithmetic,
                    f"{1e3 * t.seconds:.3f}",
                    f"{group[0].seconds / t.seconds:.1f}",
                    f"{t.loss:.5f}",
                    f"{t.difference:.1e}",
                )
                for t in group
            ],
        )
        for group in sheet.timings
    ]
    return Section(
        "Loops, matrices, compiled",
        [
            Text(
                f"Loss and gradient of {dev_rows(sheet.data)} training rows, the shortest of "
                "several runs. The difference is the Frobenius norm of dW minus the loops' dW. "
                "The last line is what trains below: rows as they are stored, mean and bias "
                "implicit."
            ),
            *tables,
        ],
    )


def search(sheet: Sheet) -> Section:
    """The accuracy of every setting, the classifiers side by side."""
    settings = sheet.settings
    header = ["learning\nrate", "\nreg", "course's\nreg"]
    for found in sheet.searches:
        header += [f"{found.classifier}\ntrain", f"{found.classifier}\nval"]
    is_published = any(t.is_published for t in sheet.searches[0].trials)
    rows = []
    for trials in zip(*(found.trials for found in sheet.searches), strict=True):
        first = trials[0]
        row: list[str | Cell] = [f"{first.learning_rate:g}", f"{first.reg:g}", f"{first.reg / 2:g}"]
        for found, trial in zip(sheet.searches, trials, strict=True):
            row += [f"{trial.train_accuracy:.3f}", _marked(found, trial)]
        if is_published:
            row.append("published" if first.is_published else "")
        rows.append(row)
    speed = ", ".join(
        f"{CLASSIFIERS[found.classifier].title} {found.seconds / len(found.trials):.2f} s"
        for found in sheet.searches
    )
    parts: list[Part] = [
        Text(
            f"Each model takes {settings.iterations} steps of {settings.batch_size} rows, from "
            f"W = 0.001 randn and the same batches (seed {settings.seed}). Time a model: {speed}. "
            "`reg` is csoftmax's, reg/2*sum(W**2); the course's newer sheets write "
            "reg*sum(W**2), where the same strength is half the number: the third column."
        ),
        Table("Accuracy of each setting", [*header, *(["\ngrid"] if is_published else [])], rows),
    ]
    if is_published:
        parts.append(
            Text(
                "Published: a setting of the course's own sheet. Its reg of 25000 and 50000, read "
                "in csoftmax's form, are the rows of that reg."
            )
        )
    return Section("Search over learning rate and regularisation", parts)


def scores(sheet: Sheet) -> Section:
    """The chosen model of each classifier and its accuracy on the test rows."""
    rows = [
        (
            CLASSIFIERS[r.classifier].title,
            f"{found.best.learning_rate:g}",
            f"{found.best.reg:g}",
            f"{found.best.val_accuracy:.3f}",
            f"{r.accuracy:.3f}",
        )
        for found, r in zip(sheet.searches, sheet.scores, strict=False)
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
    header = ("classifier", "learning rate", "reg", "validation", "test")
    return Section(
        "The best model on the test rows",
        [Table("Accuracy of the best models", header, rows), Text(" ".join(extremes))],
    )


def _marked(found: Search, trial: Trial) -> str | Cell:
    """The validation accuracy, and what there is to say of it."""
    text = f"{trial.val_accuracy:.3f}"
    if trial is found.best:
        return Cell(text, "best")
    return Cell(text, "diverged") if trial.diverged else text


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
