"""What the commands that read data share: their arguments, and files as rows for a model."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from csoftmax.cli import arguments as readers

if TYPE_CHECKING:
    from csoftmax.tabular.reading import Table
    from csoftmax.tabular.rows import Rows

FILES = (
    "a table: .csv, .tsv, .parquet, a folder of Parquet; or arrays: .npz, .npy, .h5, svmlight, "
    "the folder of MNIST or CIFAR"
)


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Add how a table is to be read."""
    group = parser.add_argument_group("how a CSV file is read")
    add = group.add_argument
    add("--sep", metavar="TEXT", help="what separates columns; without it seen from the file")
    add("--encoding", default="utf-8", metavar="NAME", help="of the file's text")
    add(
        "--decimal",
        default=".",
        choices=(".", ","),
        help="what stands before the fraction of a number: 2.5, or 2,5",
    )
    add(
        "--missing",
        nargs="+",
        default=[],
        metavar="TEXT",
        help="what stands for a missing value, such as '?', beside nothing, NA, nan, null and "
        "their like",
    )


def add_file(parser: argparse.ArgumentParser, name: str, help: str, **options: Any) -> None:
    """Add an argument that is a file's name."""
    readers.is_file(parser.add_argument(name, help=help, **options))


def is_table(path: str) -> bool:
    """Whether a path is that of a table."""
    from csoftmax.tabular import reading

    return reading.is_table(Path(path))


def table(path: str, arguments: argparse.Namespace, missing: Sequence[str] = ()) -> Table:
    """The table of a path."""
    from csoftmax.tabular.reading import Table

    separator = arguments.sep
    if separator is not None:
        separator = {"\\t": "\t", "tab": "\t"}.get(separator, separator)
        if len(separator) != 1:
            raise ValueError(f"--sep is {separator!r}: wanted one character, or tab")
    return Table(
        Path(path),
        separator=separator,
        encoding=arguments.encoding,
        missing=[*arguments.missing, *missing],
        decimal=arguments.decimal,
    )


def rows_for(
    model: Any,
    path: str,
    arguments: argparse.Namespace,
    *,
    target: str | None = None,
    labelled: bool = False,
    keep: Sequence[str] = (),
) -> tuple[Rows, list[str]]:
    """The rows of a file as the features that a model takes, and what to say of it."""
    from csoftmax.tabular import arrays
    from csoftmax.tabular.model import TableModel
    from csoftmax.tabular.preparation import Number, Preparation
    from csoftmax.tabular.rows import ArrayRows, TableRows

    if is_table(path):
        is_trained = isinstance(model, TableModel)
        found = table(path, arguments, model.preparation.missing if is_trained else ())
        if labelled:
            found.check_target(target)
        if is_trained:
            how = model.preparation
        else:
            names = list(getattr(model, "feature_names_in_", []))
            names = names or [name for name in found.columns if name != target]
            if len(names) != model.n_features_in_:
                raise ValueError(
                    f"{path} has {len(names)} columns of features: the model wants "
                    f"{model.n_features_in_}"
                )
            how = Preparation([Number(name) for name in names])
        if target in how.column_names:
            raise ValueError(
                f"--target is {target!r}, from which the model predicts: wanted the column of the "
                "labels"
            )
        found.check_names("--keep", keep)
        seen = {*how.column_names, target, *keep}
        others = [name for name in found.columns if name not in seen]
        notes = [f"not looked at: {', '.join(others)}"] if others else []
        return TableRows(found, how, target, keep=keep), notes
    if keep:
        raise ValueError(f"--keep is for the columns of tables, and {path} is none")
    if isinstance(model, TableModel):
        wanted = ", ".join(map(repr, model.preparation.column_names[:5]))
        raise ValueError(
            f"{path} has no columns by their names, and the model wants {wanted} and so on: "
            "wanted a .csv, .tsv or .parquet file"
        )
    data = arrays.load(path, target, labelled=labelled)
    notes = [] if data.test is None else [f"the test part of {path}"]
    return ArrayRows(path, data.test or data.train, model.n_features_in_), notes


def note(name: str, lines: Sequence[str]) -> None:
    """Say something that is no result, on stderr."""
    for line in lines:
        print(f"csoftmax {name}: {line}", file=sys.stderr)


def check_folder(argument: str, path: Path | None) -> None:
    """Refuse a file that cannot be written, before any work is done."""
    if path is None:
        return
    if path.is_dir():
        raise IsADirectoryError(f"{argument} is {str(path)!r}, which is a folder: wanted a file")
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"{argument} is {str(path)!r}, but there is no folder {str(path.parent)!r}"
        )


@contextmanager
def bar(what: str, unit: str, *, show: bool) -> Iterator[Callable[[int, str], None]]:
    """Show how far something is, on a terminal and where tqdm is installed; give what moves it."""
    try:
        if not show:
            raise ImportError
        from tqdm import tqdm
    except ImportError:
        yield lambda step, text: None
        return
    scaled = unit == " rows"  # of which there are millions
    with tqdm(desc=what, unit=unit, unit_scale=scaled, leave=False, disable=None) as shown:

        def move(step: int, text: str) -> None:
            shown.set_postfix_str(text, refresh=False)
            shown.update(step)

        yield move
