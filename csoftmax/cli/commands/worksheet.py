"""`csoftmax worksheet`: the course's worksheet, on data of the user's."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from csoftmax._atomic import patient, replacing
from csoftmax.cli import arguments as readers
from csoftmax.cli import results
from csoftmax.cli.command import Command

if TYPE_CHECKING:
    from csoftmax.worksheet import Settings, Sheet

REPORT = "report.html"
UNFINISHED = "worksheet-unfinished"
"""Files of what is done so far; gone when the sheet is whole, there if it is stopped."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the worksheet's arguments."""
    add = parser.add_argument
    data = add(
        "--data",
        default="digits",
        metavar="digits|PATH",
        help="scikit-learn's digits, or a folder or file: CIFAR-10 (python or binary batches or "
        "their tar.gz), idx files (MNIST), npz, npy",
    )
    readers.is_file(data)
    add("--classifier", choices=("softmax", "svm", "both"), default="both", help="what to train")
    out = add(
        "--out",
        type=Path,
        default=Path("worksheet-out"),
        metavar="FOLDER",
        help="where report.html, worksheet.txt, worksheet.json and the pictures go; made if "
        "missing, files of the same name are replaced",
    )
    readers.is_file(out)
    add(
        "--seed",
        type=readers.whole(0),
        default=0,
        metavar="N",
        help="chooses split, weights, batches",
    )
    add(
        "--iterations",
        type=readers.whole(1),
        default=1500,
        metavar="N",
        help="steps of each model",
    )
    add("--batch-size", type=readers.whole(1), default=200, metavar="N", help="rows of each step")
    add(
        "--grid",
        choices=("default", "published"),
        default="default",
        help="the settings to search: a few, those of the course for CIFAR-10, else chosen from "
        "the spread of the data; or all 100 of the course's published sheet for CIFAR-10",
    )
    grid = "; without it those of --grid"
    add(
        "--learning-rates",
        type=readers.positive,
        nargs="+",
        metavar="X",
        default=argparse.SUPPRESS,
        help="learning rates to search" + grid,
    )
    add(
        "--regs",
        type=readers.not_negative,
        nargs="+",
        metavar="X",
        default=argparse.SUPPRESS,
        help="regularisation strengths to search, in reg/2 * sum(W**2)" + grid,
    )
    add("--open", action="store_true", help="show the report in the browser")
    add("--json", action="store_true", help="print the numbers as JSON in place of the text")
    add("--quiet", action="store_true", help="print nothing; the text is in worksheet.txt")


def run(arguments: argparse.Namespace) -> None:
    """Load the data, work through the sheet, write everything to the folder."""
    from csoftmax import datasets, worksheet
    from csoftmax.worksheet import report

    missing = _missing()
    if arguments.open and "report" in missing:
        raise ImportError(missing["report"])
    quiet = arguments.quiet or arguments.json
    data = worksheet.prepare(datasets.load(arguments.data), arguments.seed)
    published = arguments.grid == "published"
    grid = worksheet.published_settings(data) if published else worksheet.default_settings(data)
    settings = _settings(grid, arguments)
    names = ("softmax", "svm") if arguments.classifier == "both" else (arguments.classifier,)
    sheet = worksheet.Sheet(data, settings, [worksheet.CLASSIFIERS[name] for name in names])

    told = _Told(arguments.out, sheet, quiet=quiet, as_page="report" not in missing)
    with told, _draft(arguments.out) as draft:
        told.tell(report.title(sheet))
        for reason in missing.values():  # at once, for who wants them and would wait for them
            told.tell(report.left_out(reason))
        for text in _steps(sheet, quiet=quiet):
            told.tell(text)
        files = []
        if "report" not in missing:
            worksheet.write_html(sheet, draft / REPORT)
            files.append(REPORT)
        if "pictures" not in missing:
            from csoftmax import plot

            files += plot.write_all(sheet, draft)
        document = report.document(sheet)
        (draft / "worksheet.json").write_text(document, encoding="utf-8")
        told.tell(report.files(arguments.out, [*files, "worksheet.json", "worksheet.txt"]))
        (draft / "worksheet.txt").write_text(told.text(), encoding="utf-8")
    if arguments.json:
        print(document)
    if "report" not in missing:
        results.say_where(arguments, arguments.out / REPORT)


def _missing() -> dict[str, str]:
    """What the sheet is to go without, and why."""
    found = {}
    for name, module in (("pictures", "csoftmax.plot"), ("report", "csoftmax.report.html")):
        try:
            import_module(module)
        except ImportError as error:
            found[name] = str(error)
    return found


def _steps(sheet: Sheet, *, quiet: bool) -> Iterator[str]:
    """Take the steps in order; give the text of each as soon as it is done, "" within one."""
    from csoftmax import worksheet
    from csoftmax.worksheet import report

    data, settings, seed = sheet.data, sheet.settings, sheet.settings.seed
    yield report.data(sheet)
    yield report.centring(sheet)
    sheet.initial = [worksheet.initial_loss(data, c, seed) for c in sheet.classifiers]
    yield report.initial_loss(sheet)
    sheet.gradients = [
        worksheet.gradient_check(data, c, reg, seed)
        for c in sheet.classifiers
        for reg in (0.0, max(settings.regs))
    ]
    yield report.gradient_check(sheet)
    sheet.timings = [worksheet.timings(data, c, seed) for c in sheet.classifiers]
    yield report.timings(sheet)
    for c in sheet.classifiers:
        if sheet.searches:
            yield ""  # the next may take minutes: this one is on the disk before
        sheet.searches.append(worksheet.search(data, c, settings, progress=not quiet))
    yield report.search(sheet)
    sheet.scores = [worksheet.score(data, found) for found in sheet.searches]
    yield report.scores(sheet)


def _settings(settings: Settings, arguments: argparse.Namespace) -> Settings:
    """Put what the user asked for in the place of the defaults."""
    asked = {name: vars(arguments)[name] for name in ("iterations", "batch_size", "seed")}
    for name in ("learning_rates", "regs"):
        if name in vars(arguments):
            asked[name] = tuple(sorted(set(vars(arguments)[name])))
    return replace(settings, **asked)


class _Told:
    """What was told so far, which is on the disk at once, whatever ends the process.

    It lies in files of other names than a whole sheet's: those of an earlier sheet in the same
    folder stay as they are until there are others to take their place.
    """

    def __init__(self, folder: Path, sheet: Sheet, *, quiet: bool, as_page: bool) -> None:
        self._files = {
            kind: folder / f"{UNFINISHED}.{kind}" for kind in ("txt", "json", *["html"] * as_page)
        }
        self._sheet, self._quiet = sheet, quiet
        self._parts: list[str] = []

    def text(self) -> str:
        """All of it."""
        return "\n".join(self._parts) + "\n"

    def tell(self, text: str) -> None:
        """Have a step's text on the disk, with numbers and page so far, and print it."""
        from csoftmax.worksheet import report

        self._parts += [text] if text else []
        with replacing(self._files["txt"]) as file:
            file.write(self.text().encode())
        numbers = {"interrupted": True} | json.loads(report.document(self._sheet))
        with replacing(self._files["json"]) as file:
            file.write(json.dumps(numbers, indent=1).encode())
        if "html" in self._files:
            from csoftmax.report import write
            from csoftmax.worksheet.page import page

            write(page(self._sheet, at_once=True), self._files["html"])
        if text and not self._quiet:
            print(text, flush=True)

    def __enter__(self) -> _Told:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            for path in self._files.values():
                path.unlink(missing_ok=True)
        elif self._parts:
            with suppress(OSError):
                with self._files["txt"].open("a", encoding="utf-8") as file:
                    file.write("\nInterrupted: what follows in a whole worksheet is missing.\n")
                path, *kinds = self._files.values()
                more = " and ".join(kind.suffix for kind in kinds)
                print(f"What was done is in {path}, {more}.", file=sys.stderr)


@contextmanager
def _draft(path: Path) -> Iterator[Path]:
    """Give a folder to write to; what it holds goes to `path` at the end, if the end is reached.

    So that what is stopped leaves no new pictures among those of another run.
    """
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(f"--out is {str(path)!r}, which is a file: wanted a folder")
    path.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".worksheet-", dir=path) as draft:
        yield Path(draft)
        for file in sorted(Path(draft).iterdir()):  # worksheet.txt last
            patient(file.replace, path / file.name)


COMMAND = Command(
    "worksheet",
    "the course's worksheet: load, check gradients, time, search, test, draw",
    add_arguments,
    run,
    """\
examples:
  csoftmax worksheet --open                           scikit-learn's digits, some seconds
  csoftmax worksheet --data cifar-10-batches-py --out sheet
  csoftmax worksheet --data mnist --classifier softmax --seed 1 --json

A sheet that is stopped leaves the steps that were done in worksheet-unfinished.html, .txt, .json.
""",
)
