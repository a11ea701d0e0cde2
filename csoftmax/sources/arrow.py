"""All that comes from pyarrow: Parquet, CSV, and the writing of Parquet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from csoftmax.sources.protocol import Array

_SUFFIXES = (".parquet", ".pq")
_BLOCK_BYTES = 1 << 20  # of text, parsed at once; Arrow reads up to 32 of them ahead
_SAMPLE_BYTES = 1 << 16  # of text, from which the separator is seen
_SEPARATORS = ",;\t|"


def _import(what: str) -> None:
    """Have pyarrow there, or say what for and how to get it."""
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise ImportError(f"pyarrow {what}, and is not installed: pip install pyarrow") from error


# ---- Parquet -----------------------------------------------------------------------------------


def open_parquet(path: Path) -> tuple[Any, int]:
    """A Parquet file, or a folder of them, as Arrow's dataset, and its number of rows.

    Folders called `column=value` are a column.
    """
    if not path.exists():
        raise FileNotFoundError(f"X is {path}, where nothing is: wanted a Parquet file or folder")
    if not path.is_dir() and path.suffix not in _SUFFIXES:
        raise ValueError(f"X is the file {path}: wanted a Parquet file or folder, or a .npy file")
    _import(f"reads Parquet ({path})")
    from pyarrow import dataset

    try:
        found = dataset.dataset(path, format="parquet", partitioning="hive")
        n_rows = found.count_rows()
    except Exception as error:  # Arrow's own
        raise ValueError(f"X is {path}, which is no Parquet: {error}") from error
    if not found.files:
        raise ValueError(f"X is the folder {path}, which is empty: wanted Parquet files in it")
    return found, n_rows


def batches(X: Any, columns: Sequence[str], n_rows: int) -> Iterable[Any]:
    """Record batches of a Table or Dataset, of about so many rows."""
    if hasattr(X, "num_rows"):
        found: Iterable[Any] = X.select(columns).to_batches(max_chunksize=n_rows)
        return found
    # Arrow's own defaults are 16 batches of 131072 rows, of 4 files at a time; and of Parquet,
    # all of a file's row groups as they are stored. One of them is in memory in any case.
    options: dict[str, Any] = {"batch_readahead": 1, "fragment_readahead": 1}
    if getattr(getattr(X, "format", None), "default_extname", "") == "parquet":
        from pyarrow.dataset import ParquetFragmentScanOptions

        options["fragment_scan_options"] = ParquetFragmentScanOptions(pre_buffer=False)
    found = X.to_batches(columns=columns, batch_size=n_rows, **options)
    return found


class ParquetWriter:
    """A Parquet file that is written block by block."""

    def __init__(self, file: IO[bytes]) -> None:
        _import("writes Parquet")
        self._file = file
        self._writer: Any = None

    def write(self, columns: Mapping[str, Array]) -> None:
        """Add rows; the first ones tell the types of the columns."""
        import pyarrow
        from pyarrow import parquet

        table = pyarrow.table({name: pyarrow.array(column) for name, column in columns.items()})
        if self._writer is None:
            self._writer = parquet.ParquetWriter(self._file, table.schema)
        self._writer.write_table(table)

    def close(self) -> None:
        """Write what ends the file."""
        if self._writer is not None:
            self._writer.close()


# ---- CSV ---------------------------------------------------------------------------------------


class Csv:
    """A file of separated text with names in its first line, read again for each pass.

    Parameters
    ----------
    path : Path
        Plain, or zipped where its name ends in .gz, .bz2, .zst or the like.
    separator : str or None
        None: the one that cuts the first lines alike, of comma, semicolon, tab and bar.
    encoding : str
    missing : sequence of str
        What stands for a missing value.
    decimal : str
        What stands before the fraction of a number; it becomes a point.
    """

    def __init__(
        self,
        path: Path,
        separator: str | None,
        encoding: str,
        missing: Sequence[str],
        decimal: str = ".",
    ) -> None:
        _import(f"reads CSV ({path})")
        self.path, self.encoding, self.missing = path, encoding, tuple(missing)
        self._fraction = None if decimal == "." else rf"^([+-]?\d*){re.escape(decimal)}(\d+)$"
        first = self._first_lines()
        self.separator = separator or _separator(first)
        reader = csv.reader(first, delimiter=self.separator)
        header = next(reader)
        if reader.line_num > 1:
            raise ValueError(f"{path} has a name over several lines: wanted the names in the first")
        # an index that pandas has written has no name
        self.columns = [name.strip() or f"column {k}" for k, name in enumerate(header, 1)]
        for name in self.columns:
            if self.columns.count(name) > 1:
                raise ValueError(f"{path} has several columns {name!r}: wanted different names")

    def _first_lines(self) -> list[str]:
        import pyarrow

        try:
            with pyarrow.input_stream(str(self.path)) as stream:
                start = stream.read(_SAMPLE_BYTES)
        except (pyarrow.ArrowException, OSError) as error:
            raise ValueError(f"{self.path} cannot be read: {error}") from error
        if start.startswith((b"\xff\xfe", b"\xfe\xff")) and self.encoding == "utf-8":
            raise ValueError(f"{self.path} begins as UTF-16 does: wanted --encoding utf-16")
        if b"\0" in start and self.encoding == "utf-8":
            raise ValueError(f"{self.path} has bytes of 0 in its first lines, and is no text")
        try:
            text = start.removeprefix(b"\xef\xbb\xbf").decode(self.encoding, "replace")
        except LookupError as error:
            raise ValueError(f"the encoding is {self.encoding!r}, which is not known") from error
        lines: list[str] = text.lstrip("\ufeff").splitlines()
        if len(start) == _SAMPLE_BYTES and len(lines) > 1:
            lines.pop()  # it may be cut
        if not lines or not lines[0].strip():
            raise ValueError(f"{self.path} has no names in its first line: wanted one a column")
        return lines

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """All rows, some megabytes at a time: text without blanks around it, null where missing."""
        import pyarrow
        from pyarrow import compute
        from pyarrow import csv as arrow_csv

        missing = pyarrow.array(self.missing, pyarrow.string())
        try:
            reader = arrow_csv.open_csv(
                str(self.path),
                # one thread: others do not know the number of a row that is broken
                arrow_csv.ReadOptions(
                    use_threads=False,
                    block_size=_BLOCK_BYTES,
                    encoding=self.encoding,
                    column_names=self.columns,
                    skip_rows=1,
                ),
                arrow_csv.ParseOptions(delimiter=self.separator, newlines_in_values=True),
                arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(self.columns, pyarrow.string()),
                    include_columns=list(columns),
                ),
            )
            for batch in reader:
                texts = [compute.utf8_trim_whitespace(column) for column in batch.columns]
                if self._fraction is not None:
                    texts = [
                        compute.replace_substring_regex(text, self._fraction, r"\1.\2")
                        for text in texts
                    ]
                empty = [compute.is_in(column, value_set=missing) for column in texts]
                yield pyarrow.RecordBatch.from_arrays(
                    [
                        compute.if_else(hide, None, text)
                        for hide, text in zip(empty, texts, strict=True)
                    ],
                    names=list(columns),
                )
        except pyarrow.ArrowException as error:
            raise ValueError(f"{self.path}{self._reason(str(error))}") from error

    def _reason(self, message: str) -> str:
        """What is wrong with the file, as far as Arrow's message does not say it."""
        if broken := re.fullmatch(r"CSV parse error: Row #(\d+): (.*)", message, re.DOTALL):
            row = int(broken[1]) - 1  # of those below the header
            return f", row {row}: {broken[2]} (separated by {self.separator!r})"
        if "UTF8" not in message.upper().replace("-", ""):
            return f": {message}"
        import pyarrow

        with pyarrow.input_stream(str(self.path)) as stream:
            for number, line in enumerate(io.BufferedReader(stream), 1):
                try:
                    line.decode(self.encoding)
                except UnicodeDecodeError as error:
                    return (
                        f", line {number}: {error.reason} at byte {error.start} "
                        f"(0x{line[error.start]:02x}) for {self.encoding}: "
                        "wanted --encoding, often latin-1"
                    )
        return f": {message}"


def _separator(lines: list[str]) -> str:
    """The separator that cuts all lines into the same number of parts, into most of them."""

    def n_parts(separator: str) -> tuple[bool, int]:
        counts = [len(row) for row in csv.reader(lines, delimiter=separator) if row]
        return min(counts) == max(counts), counts[0]

    alike = {separator: n_parts(separator) for separator in _SEPARATORS}
    best = max(alike, key=lambda s: (alike[s][1] > 1, *alike[s]))
    return best
