"""Run the worksheet on CIFAR-10, by both grids; put figures into docs/worksheet.md and docs/img/.

The environment variable CSOFTMAX_DATA names the folder that holds cifar-10-batches-py. Where the
machine is not quiet, set OMP_NUM_THREADS=1: NumPy and csoftmax then both run on one thread, whose
shortest time of many is that of a quiet machine.
"""

import datetime
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from csoftmax import datasets, worksheet
from csoftmax.cli import main

DOCS = Path(__file__).parent
PICTURES = (
    ("weights-softmax.png", "softmax weights"),
    ("weights-svm.png", "SVM weights"),
    ("search-softmax.png", "softmax search"),
    ("search-svm.png", "SVM search"),
    ("loss-softmax.png", "softmax loss of each setting"),
    ("accuracy-softmax.png", "softmax accuracy of each setting"),
    ("softmax-surface.png", "softmax of two logits"),
)
ROUNDS = 10
# What the course's published sheet says of softmax: train and validation accuracy by learning rate
# and reg, in its own form, and validation and test accuracy of its best setting.
PUBLISHED = {
    (1e-7, 2.5e4): (0.329, 0.345),
    (5e-7, 2.5e4): (0.329, 0.345),
    (5e-7, 5e4): (0.303, 0.314),
}
PUBLISHED_BEST = (0.350, 0.341)


def accuracies(document: dict[str, Any]) -> list[str]:
    """Return the table of the search and the accuracies of the best models."""
    softmax, svm = document["search"]
    lines = [
        "| learning rate | reg | course's reg | softmax train | val | SVM train | val | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for index, (one, other) in enumerate(zip(softmax["trials"], svm["trials"], strict=True)):
        cells = [f"{one['learning_rate']:g}", f"{one['reg']:g}", f"{one['reg'] / 2:g}"]
        for search, trial in ((softmax, one), (svm, other)):
            best = "**" if search["best"] == index else ""
            cells += [f"{trial['train_accuracy']:.3f}", f"{best}{trial['val_accuracy']:.3f}{best}"]
        cells.append("published" if one["is_published"] else "")
        lines.append(f"| {' | '.join(cells)} |")
    lines.append("")
    for search, test in zip(document["search"], document["test"], strict=True):
        lines.append(
            f"- {search['classifier']}: best validation accuracy "
            f"**{search['best_val_accuracy']:.3f}**, test accuracy **{test['accuracy']:.3f}**"
        )
    return lines


def times(data: worksheet.Data) -> list[str]:
    """Return the table of the implementations: the shortest times of several rounds of the step."""
    shortest: dict[tuple[str, str], list[float]] = {}
    for classifier in worksheet.CLASSIFIERS.values():
        rounds = [worksheet.timings(data, classifier) for _ in range(ROUNDS)]
        for same in zip(*rounds, strict=True):
            key = same[0].implementation, same[0].arithmetic
            shortest.setdefault(key, []).append(min(timing.seconds for timing in same))
    lines = ["| loss and gradient of 500 rows | in | softmax, ms | SVM, ms |", "|---|---|---|---|"]
    for key, seconds in shortest.items():
        lines.append(f"| {' | '.join([*key, *(f'{1e3 * s:.2f}' for s in seconds)])} |")
    return lines


def section(document: dict[str, Any], data: worksheet.Data) -> str:
    """Return what stands between the markers."""
    config, machine, settings = document["csoftmax"], document["machine"], document["settings"]
    models = sum(len(search["trials"]) for search in document["search"])
    seconds = sum(search["seconds"] for search in document["search"])
    return "\n".join(
        [
            f"{settings['iterations']} steps of {settings['batch_size']} rows a model, seed "
            f"{settings['seed']}; the published settings are marked:",
            "",
            *accuracies(document),
            "",
            *times(data),
            "",
            f"All {models} models trained in {seconds:.1f} s. Measured on "
            f"{machine['processor']}, threads: {config['n_threads']}, "
            f"instruction set {config['instruction_set']}, "
            f"{config['compiler']}, NumPy {config['numpy']}, Python {machine['python']}, "
            f"{datetime.date.today()}.",
            "",
            *(f"![{alt}](img/{name})" for name, alt in PICTURES),
        ]
    )


def published(document: dict[str, Any]) -> str:
    """Return the validation accuracies of the published grid, and those published beside ours."""
    settings = document["settings"]
    rates, regs = settings["learning_rates"], [reg / 2 for reg in settings["regs"]]
    lines = []
    for search, test in zip(document["search"], document["test"], strict=True):
        lines += [
            f"Validation accuracy of {search['classifier']}; the best is "
            f"**{search['best_val_accuracy']:.3f}**, and on the test rows "
            f"**{test['accuracy']:.3f}**:",
            "",
            f"| learning rate \\ the course's reg | {' | '.join(f'{reg:.0f}' for reg in regs)} |",
            "|---" * (len(regs) + 1) + "|",
        ]
        for k, rate in enumerate(rates):
            trials = search["trials"][k * len(regs) : (k + 1) * len(regs)]
            cells = [f"{trial['val_accuracy']:.3f}" for trial in trials]
            lines.append(f"| {rate:.2e} | {' | '.join(cells)} |")
        lines.append("")
    softmax, test = document["search"][0], document["test"][0]
    lines += [
        "| softmax | published train / val | here |",
        "|---|---|---|",
    ]
    for (rate, reg), (train, val) in PUBLISHED.items():
        trial = softmax["trials"][rates.index(rate) * len(regs) + regs.index(reg)]
        lines.append(
            f"| {rate:g}, {reg:g} | {train:.3f} / {val:.3f} | "
            f"{trial['train_accuracy']:.3f} / {trial['val_accuracy']:.3f} |"
        )
    lines.append(
        "| best of the grid: val / test | {:.3f} / {:.3f} | ".format(*PUBLISHED_BEST)
        + f"{softmax['best_val_accuracy']:.3f} / {test['accuracy']:.3f} |"
    )
    return "\n".join(lines)


def put(page: Path, name: str, text: str) -> None:
    """Replace what stands between the page's markers of this name."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    head, _, rest = page.read_text(encoding="utf-8").partition(begin)
    tail = rest.partition(end)[2]
    page.write_text(f"{head}{begin}\n{text}\n{end}{tail}", encoding="utf-8")


def run() -> int:
    """Write the sections and the pictures; return the exit status."""
    source = Path(os.environ["CSOFTMAX_DATA"]) / "cifar-10-batches-py"
    with tempfile.TemporaryDirectory() as folder:
        status = main(["worksheet", "--data", str(source), "--out", folder])
        if status:
            return status
        document = json.loads(Path(folder, "worksheet.json").read_text(encoding="utf-8"))
        (DOCS / "img").mkdir(exist_ok=True)
        for name, _ in PICTURES:
            shutil.copy(Path(folder, name), DOCS / "img" / name)
    data = worksheet.prepare(datasets.load(source))
    put(DOCS / "worksheet.md", "cifar10", section(document, data))
    with tempfile.TemporaryDirectory() as folder:
        status = main(["worksheet", "--data", str(source), "--grid", "published", "--out", folder])
        if status == 0:
            document = json.loads(Path(folder, "worksheet.json").read_text(encoding="utf-8"))
            put(DOCS / "worksheet.md", "published", published(document))
    return status


if __name__ == "__main__":
    sys.exit(run())
