"""`csoftmax predict`: the classes of rows, block by block."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
import numpy.typing as npt

from csoftmax.cli import arguments as readers
from csoftmax.cli import data, results
from csoftmax.cli.command import Command

Array = npt.NDArray[Any]
Columns = Mapping[str, Array]

_SUFFIXES = (".csv", ".parquet", ".npy", ".jsonl")


class Writer(Protocol):
    """What takes predictions block by block."""

    def write(self, columns: Columns) -> None:
        """Add rows."""

    def close(self) -> None:
        """Write what ends the file."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what predicts, for what, and where to."""
    data.add_file(parser, "model", "a model, as csoftmax train writes it", metavar="MODEL")
    data.add_file(parser, "data", data.FILES, metavar="DATA")
    data.add_file(
        parser,
        "--out",
        "where to: .csv, .parquet, .npy or .jsonl, by its name; without it CSV on stdout",
        type=Path,
        metavar="FILE",
        default=None,
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--proba", action="store_true", help="the probability of each class, too, as p_CLASS"
    )
    group.add_argument(
        "--top",
        type=readers.whole(1),
        metavar="K",
        help="the K likeliest classes and their probabilities: prediction_1, p_1, and so on",
    )
    parser.add_argument(
        "--keep",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="columns of DATA to write before the predictions, such as the name of a row",
    )
    parser.add_argument("--json", action="store_true", help="JSON on stdout, an object a line")
    parser.add_argument("--quiet", action="store_true", help="say nothing on stderr")
    data.add_reading(parser)


def run(arguments: argparse.Namespace) -> None:
    """Predict, block by block."""
    from csoftmax import load_model

    out = arguments.out
    if out is not None and out.suffix not in _SUFFIXES:
        raise ValueError(f"--out is {str(out)!r}: wanted a name that ends in {_SUFFIXES}")
    if out is not None and arguments.json:
        raise ValueError("--json is for stdout: wanted no --out, or one that ends in .jsonl")
    data.check_folder("--out", out)
    model = load_model(arguments.model)
    inner = results.linear(model, arguments.model)
    n_classes = len(inner.classes_)
    if arguments.top is not None and arguments.top > n_classes:
        raise ValueError(f"--top is {arguments.top}, but the model has {n_classes} classes")
    if out is not None and out.suffix == ".npy" and arguments.keep:
        raise ValueError("--keep is for columns with names: wanted --out without .npy")
    rows, notes = data.rows_for(model, arguments.data, arguments, keep=arguments.keep)
    n_rows = 0
    with (
        _writer(out, arguments) as writer,
        data.bar("rows", " rows", show=not arguments.quiet) as move,
    ):
        for block in rows.blocks():
            writer.write(_beside(block.kept, _predicted(inner, block.X, arguments)))
            n_rows += block.X.shape[0]
            move(block.X.shape[0], "")
        if not n_rows:
            raise ValueError(f"{arguments.data} has no row: wanted at least one")
    if not arguments.quiet:
        data.note("predict", [*notes, *rows.tally.lines()])
        if out is not None:
            data.note("predict", [f"{n_rows} rows in {out}"])


def _predicted(model: Any, X: Any, arguments: argparse.Namespace) -> Columns:
    """The columns of the result for some rows."""
    if arguments.top is not None:
        labels, proba = model.predict_top_k(X, arguments.top)
        found: dict[str, Array] = {}
        for k in range(arguments.top):
            found |= {f"prediction_{k + 1}": labels[:, k], f"p_{k + 1}": proba[:, k]}
        return found
    if not arguments.proba:
        return {"prediction": model.predict(X)}
    proba = model.predict_proba(X)
    columns = {"prediction": model.classes_[proba.argmax(axis=1)]}
    return columns | {f"p_{label}": proba[:, c] for c, label in enumerate(model.classes_)}


def _beside(kept: Mapping[str, Any], predicted: Columns) -> Columns:
    """The columns of the file that were asked for, as Arrow has them, and those of the result."""
    for name in kept:
        if name in predicted:
            raise ValueError(f"--keep is {name!r}, which is a column of the predictions, too")
    return {**kept, **predicted}


@contextmanager
def _writer(out: Path | None, arguments: argparse.Namespace) -> Iterator[Writer]:
    """What takes the rows; a file is there when it is whole."""
    from csoftmax._atomic import replacing

    if out is None:
        writer: Writer = _Lines(sys.stdout) if arguments.json else _Csv(sys.stdout)
        yield writer
        return
    with replacing(out) as file:
        if out.suffix == ".parquet":
            from csoftmax.sources.arrow import ParquetWriter

            writer = ParquetWriter(file)
        elif out.suffix == ".npy":
            writer = _Npy(file)
        else:
            text = _Text(file)
            writer = _Lines(text) if out.suffix == ".jsonl" else _Csv(text)
        yield writer
        writer.close()


class _Text:
    """Text into a file of bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        """Write it as UTF-8."""
        return self._file.write(text.encode())


class _Csv:
    """Comma-separated, with names in the first line."""

    def __init__(self, file: Any) -> None:
        self._writer, self._has_header = csv.writer(file, lineterminator="\n"), False

    def write(self, columns: Columns) -> None:
        """Add rows."""
        if not self._has_header:
            self._writer.writerow(columns)
            self._has_header = True
        self._writer.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))

    def close(self) -> None:
        """Nothing ends it."""


class _Lines:
    """An object of JSON in each line."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, columns: Columns) -> None:
        """Add rows."""
        import json

        names = list(columns)
        for row in zip(*(column.tolist() for column in columns.values()), strict=True):
            line = json.dumps(dict(zip(names, row, strict=True)), default=str)  # dates, for one
            self._file.write(line + "\n")

    def close(self) -> None:
        """Nothing ends it."""


class _Npy:
    """One array: of labels, or of the columns with names. Written when all rows are there."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._blocks: list[Columns] = []

    def write(self, columns: Columns) -> None:
        """Keep rows."""
        self._blocks.append(columns)

    def close(self) -> None:
        """Write them."""
        found = {
            name: np.concatenate([block[name] for block in self._blocks])
            for name in self._blocks[0]
        }
        if len(found) == 1:
            (array,) = found.values()
        else:
            array = np.empty(
                len(next(iter(found.values()))), [(n, c.dtype) for n, c in found.items()]
            )
            for name, column in found.items():
                array[name] = column
        np.save(self._file, array, allow_pickle=False)


COMMAND = Command(
    "predict",
    "predict the classes of rows with a model",
    add_arguments,
    run,
    """\
examples:
  csoftmax predict flowers.safetensors new.csv
  csoftmax predict flowers.safetensors new.csv --out classes.parquet --keep number --proba
  csoftmax predict digits.safetensors images.npy --top 3 --json
""",
)
