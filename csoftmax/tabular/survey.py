"""What the columns of a table hold, seen in one read, and which of them become features."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from csoftmax.tabular.columns import is_text, numbers
from csoftmax.tabular.labels import Labels
from csoftmax.tabular.reading import Table

Array = npt.NDArray[Any]

MAX_CATEGORIES = 256
"""A column with more different texts is no category, unless it is named as one."""
MAX_NAMED = 65536
"""And then, with more than these."""
_FEW = 20  # rows, of which each may have another text by chance; or texts
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")

_DATES = ("date", "time", "duration")
_NUMBERS = ("int", "uint", "float", "double", "half", "decimal", "null")


@dataclass
class Column:
    """What is known of a column, from all blocks so far."""

    name: str
    is_named: bool = False  #: as a category, whatever it looks like
    has_types: bool = True  #: whether text is text; in a CSV file it may be a number
    n_rows: int = 0
    n_missing: int = 0
    kinds: set[str] = field(default_factory=set)  #: numbers, dates, texts, or a type's name
    distinct: set[str] | None = field(default_factory=set)  #: texts; None: too many
    all_different: bool = True  #: the texts, as far as each block shows
    has_blanks: bool = False  #: whether some text has a blank within
    example: str = ""  #: a text, in quotes
    digits: set[str] = field(default_factory=set)  #: texts that are numbers, where others are not
    comma: str = ""  #: one of them that has a decimal comma
    others: list[str] = field(default_factory=list)  #: the first few that are none
    low: float = np.inf
    high: float = -np.inf
    counts_rows: bool = True  #: whether each number is that of the row before and 1

    def add(self, values: Any, where: str) -> None:
        """Add some rows, an array of Arrow."""
        if str(values.type).startswith("dictionary"):
            values = values.dictionary_decode()
        if str(values.type) == "bool":
            values = values.cast("string")
        if self.is_named and not is_text(values.type):
            values = values.cast("string")
        first, self.n_rows = self.n_rows, self.n_rows + len(values)
        self.n_missing += int(values.null_count)
        if values.null_count == len(values):
            self.counts_rows = False
            return
        kind = _kind(values, self.has_types)
        self.kinds.add(kind)
        if is_text(values.type):
            self._add_texts(values)
            if kind == "texts" and not self.has_types:
                self._look_for_numbers(values)
        if kind == "numbers":
            self._add_numbers(numbers(values), first, where)

    def _add_texts(self, values: Any) -> None:
        if self.distinct is None and not self.all_different:
            return
        unique = [value for value in values.unique().to_pylist() if value is not None]
        self.all_different &= len(unique) == len(values) - values.null_count
        self.example = self.example or repr(unique[0][:40])
        self.has_blanks |= any(" " in value for value in unique[:1000])
        if self.distinct is not None:
            self.distinct.update(unique)
            if len(self.distinct) > self.most:
                self.distinct = None

    def _look_for_numbers(self, values: Any) -> None:
        if len(self.others) > _FEW:
            return
        for value in values.unique().drop_null().to_pylist():
            if has_comma := _DECIMAL_COMMA.fullmatch(value):
                self.comma = self.comma or value
            if has_comma or _is_number(value):
                if len(self.digits) <= 10 * _FEW:  # more are as good as this
                    self.digits.add(value)
            elif value not in self.others:
                self.others.append(value)
                if len(self.others) > _FEW:
                    return

    def _add_numbers(self, found: Array, first: int, where: str) -> None:
        if np.isinf(found).any():
            row = int(np.isinf(found).argmax())
            raise ValueError(
                f"{where}, column {self.name!r}, row {first + row + 1}: {found[row]}: "
                "wanted a finite number"
            )
        present = found[~np.isnan(found)]
        follows = first == 0 or (bool(len(found)) and found[0] == self.high + 1)
        self.counts_rows &= follows and bool((np.diff(found) == 1).all())
        self.low = min(self.low, float(present.min(initial=np.inf)))
        self.high = max(self.high, float(present.max(initial=-np.inf)))

    @property
    def most(self) -> int:
        """Different texts that it may have as a category."""
        return MAX_NAMED if self.is_named else MAX_CATEGORIES

    @property
    def unread(self) -> str:
        """What keeps numbers from being read as such; empty where most texts are no numbers."""
        if self.is_named or len(self.digits) <= max(_FEW, 10 * len(self.others)):
            return ""
        return ", ".join(map(repr, [self.comma] if self.comma else self.others[:3]))

    @property
    def kind(self) -> str:
        """Of all blocks: "numbers", "dates", "texts", "nothing", or a type's name."""
        kinds = self.kinds - {"numbers", "dates", "texts"} or self.kinds
        if len(kinds) > 1:
            return "texts"  # of a CSV file, in which all is text
        return next(iter(kinds), "nothing")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _kind(values: Any, has_types: bool) -> str:
    """What an array of Arrow holds that is not all missing."""
    name = str(values.type)
    if name.startswith(_DATES):
        return "dates"
    if name.startswith(_NUMBERS):
        return "numbers"
    if not is_text(values.type):
        return name
    if not has_types:
        for kind, arrow in (("numbers", "double"), ("dates", "timestamp[s]")):
            try:
                values.cast(arrow)
            except ValueError:
                continue
            return kind
    return "texts"


class Plan(NamedTuple):
    """Which columns become features, and why others do not."""

    numbers: list[str]
    categories: list[str]
    left_out: dict[str, str]  #: why, by the column


class Survey(NamedTuple):
    """What one read of a table has shown."""

    columns: list[Column]
    classes: Array
    codes: Array  #: of the labels; -1 where there is none


def survey(
    table: Table, target: str, names: Sequence[str], categories: Collection[str] = ()
) -> Survey:
    """Read the table once.

    Parameters
    ----------
    table : Table
    target : str
        The column of the labels.
    names : sequence of str
        Other columns to look at.
    categories : collection of str
        Those that are categories, whatever they look like.
    """
    labels = Labels(f"{table.name}, column {target!r}", table.missing)
    columns = [Column(name, name in categories, table.has_types) for name in names]
    for batch in table.batches([*names, target]):
        for number, column in enumerate(columns):
            column.add(batch.column(number), table.name)
        labels.add(batch.column(len(columns)))
    classes, codes = labels.done()
    return Survey(columns, classes, codes)


def plan(table: str, columns: Iterable[Column]) -> Plan:
    """Decide what becomes of each column.

    Raises
    ------
    ValueError
        For columns of free text and of numbers that cannot be read, all of them named; where no
        column is left.
    """
    found = Plan([], [], {})
    refused, unread = [], []
    for column in columns:
        if column.unread:
            unread.append(column)
        elif reason := _no_feature(column):
            found.left_out[column.name] = reason
        elif column.kind == "numbers" and not column.is_named:
            found.numbers.append(column.name)
        elif column.distinct is not None:
            found.categories.append(column.name)
        else:
            refused.append(
                f"{column.name!r} (more than {column.most} different texts, such as "
                f"{column.example})"
            )
    if unread:
        raise ValueError(f"{table} {_of_unread(unread)}")
    if refused:
        raise ValueError(
            f"{table} has columns of text that are no categories: {', '.join(refused)}. Leave them "
            "out (--drop), or make a feature of each text (--categorical); a model of words is in "
            "examples/howto/plot_text.py"
        )
    if not found.numbers and not found.categories:
        reasons = ", ".join(f"{name!r} ({why})" for name, why in found.left_out.items())
        raise ValueError(f"{table} has no column to learn from: {reasons or 'only the target'}")
    return found


def _of_unread(columns: Sequence[Column]) -> str:
    """What is to be said of columns of numbers that cannot be read, and to be done."""
    kinds = {
        "with a decimal comma": [c for c in columns if c.comma],
        "with other texts among them": [c for c in columns if not c.comma],
    }
    found = [
        f"numbers {what}: {', '.join(f'{c.name!r} ({c.unread})' for c in some)}"
        for what, some in kinds.items()
        if some
    ]
    ways = ["--decimal , reads the comma"] if kinds["with a decimal comma"] else []
    if kinds["with other texts among them"]:
        ways.append("--missing says which texts stand for a missing value")
    ways.append("--categorical makes categories of all texts, --drop leaves columns out")
    return f"has columns of {'; and of '.join(found)}. {'; '.join(ways)}"


def _no_feature(column: Column) -> str:
    """Why a column is left out; empty for one that is not."""
    n_present = column.n_rows - column.n_missing
    if column.kind == "nothing":
        return "all values are missing"
    if column.kind not in ("numbers", "texts", "dates"):
        return f"of type {column.kind}, neither number nor text"
    if column.kind == "dates" and not column.is_named:
        return "dates and times: wanted numbers made of them, such as year or hour"
    if column.kind == "numbers" and not column.is_named:
        if column.low == column.high:
            return _constant(f"{column.low:g}", column)
        if column.counts_rows and n_present > 2:
            return "it numbers the rows"
        return ""
    if column.distinct is not None and len(column.distinct) == 1 and not column.n_missing:
        return _constant(repr(next(iter(column.distinct))), column)
    if column.all_different and n_present > _FEW and not (column.has_blanks or column.is_named):
        return f"another text in each row, such as {column.example}"
    return ""


def _constant(value: str, column: Column) -> str:
    return f"always {value}" + (" or missing" if column.n_missing else "")
