"""Which kind of data a path holds: a table of columns, or arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from csoftmax.datasets._files import check_file
from csoftmax.sources import arrow
from csoftmax.tabular.columns import MISSING

_CSV = (".csv", ".tsv", ".tab", ".txt", ".data")
_ZIPPED = (".gz", ".bz2", ".zst", ".lz4")
_PARQUET = (".parquet", ".pq")
_FOLDERS = ("*.parquet", "*/*.parquet", "*=*/*")  # what a folder of them has
_BATCH_ROWS = 1 << 16


class Table:
    """A CSV or Parquet file, or a folder of Parquet: columns by their names, read again each time.

    Parameters
    ----------
    path : Path
    separator : str, optional
        Of a CSV file; else seen from its first lines.
    encoding : str
        Of a CSV file.
    missing : sequence of str
        Texts that stand for a missing value, beside those that always do.
    decimal : str
        The decimal point of a CSV file, or its comma.

    Attributes
    ----------
    name : str
    columns : list of str
    missing : tuple of str
        All texts that stand for a missing value.
    has_types : bool
        Whether columns have types, as Parquet's; else all is text, which may be numbers.
    on_rows : callable or None
        Told the number of rows of each batch that is read.
    """

    on_rows: Callable[[int], None] | None = None

    def __init__(
        self,
        path: Path,
        *,
        separator: str | None = None,
        encoding: str = "utf-8",
        missing: Sequence[str] = (),
        decimal: str = ".",
    ) -> None:
        self.name, self.missing = str(path), tuple(dict.fromkeys([*MISSING, *missing]))
        self._csv = self._parquet = None
        self.has_types = _is_parquet(path)
        if self.has_types:
            try:
                self._parquet, _ = arrow.open_parquet(path)
            except (ValueError, FileNotFoundError) as error:
                raise type(error)(str(error).removeprefix("X is ")) from error
            self.columns: list[str] = list(self._parquet.schema.names)
            for name in self.columns:
                if self.columns.count(name) > 1:
                    raise ValueError(f"{path} has several columns {name!r}: wanted different names")
        else:
            check_file(path, "a table, with the names of its columns in the first line")
            self._csv = arrow.Csv(path, separator, encoding, self.missing, decimal)
            self.columns = self._csv.columns

    def batches(self, names: Sequence[str]) -> Iterator[Any]:
        """All rows of these columns, as record batches of Arrow."""
        for batch in self._batches(names):
            yield batch
            if self.on_rows is not None:
                self.on_rows(batch.num_rows)

    def _batches(self, names: Sequence[str]) -> Iterator[Any]:
        if self._csv is not None:
            yield from self._csv.batches(names)
            return
        try:
            yield from arrow.batches(self._parquet, names, _BATCH_ROWS)
        except Exception as error:  # Arrow has its own
            raise ValueError(f"{self.name} cannot be read: {error}") from error

    def check_names(self, argument: str, names: Sequence[str]) -> None:
        """Refuse names that are no columns."""
        for name in names:
            if name not in self.columns:
                raise ValueError(
                    f"{argument} is {name!r}, which is no column of {self.name}: wanted one of "
                    f"{self._some()}"
                )

    def check_target(self, name: str | None) -> None:
        """Refuse a column of labels that is not named, or none."""
        if name is None:
            raise ValueError(
                f"{self.name} is a table: wanted --target, the column of its labels, one of "
                f"{self._some()}"
            )
        self.check_names("--target", [name])

    def _some(self) -> str:
        return ", ".join(map(repr, self.columns[:10])) + ", ..." * (len(self.columns) > 10)


def is_table(path: Path) -> bool:
    """Whether a path is that of a table, by its name."""
    return _bare(path).suffix.lower() in _CSV or _is_parquet(path)


def _is_parquet(path: Path) -> bool:
    if path.is_dir():
        return any(found for pattern in _FOLDERS for found in path.glob(pattern))
    return path.suffix in _PARQUET


def _bare(path: Path) -> Path:
    return path.with_suffix("") if path.suffix in _ZIPPED else path
