"""How the columns of a table become the features of a linear model; by NumPy alone.

    number      (x - mean) / scale, of another number where it is missing
    category    a feature for each value, 1 where it is that and else 0; all are 0 for a value that
                the rows of the training did not have

These are scikit-learn's SimpleImputer(), StandardScaler() and OneHotEncoder(handle_unknown=
"ignore") in a ColumnTransformer, as numbers and texts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax.tabular.columns import MISSING, NotANumber, Texts, numbers, texts

Array = npt.NDArray[Any]

BOOLS = {"true", "false"}


@dataclass(frozen=True)
class Number:
    """A column of numbers.

    See Also
    --------
    Category : A column of few values.
    Preparation : Where it stands.
    """

    name: str
    mean: float = 0.0
    scale: float = 1.0
    fill: float | None = None  #: stands for a missing number; None: there is to be none


@dataclass(frozen=True)
class Category:
    """A column of few different values.

    See Also
    --------
    Number : A column of numbers.
    Preparation : Where it stands.
    """

    name: str
    values: tuple[str, ...]
    missing: str | None = None  #: the value that a missing one counts as; None: none of them

    def __post_init__(self) -> None:
        if not self.values or len(set(self.values)) < len(self.values):
            raise ValueError(f"the values of {self.name!r} are {self.values}: wanted each once")
        if self.missing is not None and self.missing not in self.values:
            raise ValueError(f"missing of {self.name!r} is {self.missing!r}, none of its values")


@dataclass
class Tally:
    """What of the rows was not as in the training: by column, how often.

    See Also
    --------
    Preparation : Counts in it.
    """

    filled: Counter[str] = field(default_factory=Counter)
    unknown: dict[str, Counter[str]] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """It in words, a line for each column."""
        found = [
            f"{name}: {_times(count, 'missing value')} filled"
            for name, count in self.filled.items()
        ]
        for name, values in self.unknown.items():
            some = ", ".join(repr(value) for value, _ in values.most_common(3))
            more = ", ..." if len(values) > 3 else ""
            found.append(
                f"{name}: {_times(values.total(), 'value')} that the training did not have "
                f"({some}{more}), which count for none"
            )
        return found


class Preparation:
    """How columns become features.

    Parameters
    ----------
    columns : sequence of Number and Category
        In the order of the features.
    missing : sequence of str
        Texts that stand for a missing value.

    Attributes
    ----------
    columns, missing : tuple
        As given.
    feature_names : list of str
        "age" of a number, "colour=red" of a category.

    See Also
    --------
    TableModel : Takes tables by it.
    Number : A column of it.
    Category : Another.

    Examples
    --------
    >>> from csoftmax.tabular import Category, Number, Preparation
    >>> colour = Category("colour", ("blue", "red"))
    >>> how = Preparation([Number("age", 40.0, 10.0, fill=40.0), colour])
    >>> how.features({"age": [50, None], "colour": ["red", "green"]})
    array([[1., 0., 1.],
           [0., 0., 0.]])
    >>> how.feature_names
    ['age', 'colour=blue', 'colour=red']
    """

    def __init__(
        self, columns: Sequence[Number | Category], missing: Sequence[str] = MISSING
    ) -> None:
        self.columns, self.missing = tuple(columns), tuple(missing)
        names = self.column_names
        if not names:
            raise ValueError("there is no column: wanted at least one")
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"column {twice!r} is there twice")
        widths = [1 if isinstance(c, Number) else len(c.values) for c in self.columns]
        *self._starts, self.width = accumulate(widths, initial=0)

    @property
    def column_names(self) -> list[str]:
        """What a table must have."""
        return [column.name for column in self.columns]

    @property
    def feature_names(self) -> list[str]:
        """What the coefficients belong to."""
        found = []
        for column in self.columns:
            if isinstance(column, Number):
                found.append(column.name)
                continue
            found += [f"{column.name}={value}" for value in column.values]
        return found

    @property
    def density(self) -> float:
        """Share of the features that are not 0, at most."""
        return len(self.columns) / self.width

    def check_names(self, columns: Mapping[str, Any], name: str = "X") -> None:
        """Refuse a table that lacks a column."""
        absent = [column for column in self.column_names if column not in columns]
        if absent:
            given = ", ".join(map(repr, list(columns)[:10])) + ", ..." * (len(columns) > 10)
            raise ValueError(
                f"{name} has no column {', '.join(map(repr, absent))}, which the model was "
                f"trained on: it has {given}"
            )

    def entries(
        self,
        columns: Mapping[str, Any],
        tally: Tally | None = None,
        name: str = "X",
        first_row: int = 0,
    ) -> tuple[Array, Array]:
        """The features that may be other than 0, as values and places, one for each column.

        Parameters
        ----------
        columns : mapping of names to columns
            Of the same length: arrays, lists, series, arrays of Arrow. Others may be there, too.
        tally : Tally, optional
            To which missing and unknown values are added.
        name, first_row : str, int
            What errors call the table, and the number of its first row here.

        Returns
        -------
        values : (N, n_columns) ndarray of float64
        places : (N, n_columns) ndarray of int64
            Numbers of features; -1 for none.

        Raises
        ------
        ValueError
            For a column that is not there, what is no finite number in a column of numbers, and a
            missing one for which there is no rule: with the names of the table and the column, and
            the row.
        """
        tally = Tally() if tally is None else tally
        self.check_names(columns, name)
        n_rows = len(columns[self.columns[0].name])
        values = np.ones((n_rows, len(self.columns)))
        places = np.empty((n_rows, len(self.columns)), np.int64)
        for k, (column, start) in enumerate(zip(self.columns, self._starts, strict=True)):
            given = columns[column.name]
            if len(given) != n_rows:
                raise ValueError(
                    f"{name} has {len(given)} values in column {column.name!r}, but {n_rows} in "
                    f"{self.columns[0].name!r}"
                )
            if isinstance(column, Number):
                values[:, k] = self._scaled(column, given, tally, name, first_row)
                places[:, k] = start
            else:
                found = texts(given, self.missing)
                places[:, k] = _places(column, found, start, tally)
        return values, places

    def features(
        self,
        columns: Mapping[str, Any],
        tally: Tally | None = None,
        name: str = "X",
        first_row: int = 0,
    ) -> Array:
        """All features, (N, width) of float64; as `entries` otherwise."""
        values, places = self.entries(columns, tally, name, first_row)
        result = np.zeros((len(values), self.width + 1))  # the last is that of -1
        np.put_along_axis(result, places, values, axis=1)
        return result[:, :-1]

    def _scaled(self, column: Number, given: Any, tally: Tally, name: str, first_row: int) -> Array:
        try:
            found = numbers(given, self.missing)
        except NotANumber as error:
            raise ValueError(
                f"{name}, column {column.name!r}, row {first_row + error.row + 1}: "
                f"{error.value!r} is no number, as the training had it there"
            ) from None
        missing = np.isnan(found)
        bad = np.isinf(found) | missing if column.fill is None else np.isinf(found)
        if bad.any():
            row = int(bad.argmax())
            seen = "a missing value" if missing[row] else str(found[row])
            raise ValueError(
                f"{name}, column {column.name!r}, row {first_row + row + 1}: {seen}: "
                "wanted a finite number"
            )
        if column.fill is not None and missing.any():
            tally.filled[column.name] += int(missing.sum())
            found = np.where(missing, column.fill, found)
        return (found - column.mean) / column.scale

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Preparation):
            return NotImplemented
        return (self.columns, self.missing) == (other.columns, other.missing)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        n_numbers = sum(isinstance(column, Number) for column in self.columns)
        n_categories = len(self.columns) - n_numbers
        return (
            f"Preparation({_times(n_numbers, 'number')}, "
            f"{_times(n_categories, 'category', 'categories')}, {self.width} features)"
        )


def _places(column: Category, found: Texts, start: int, tally: Tally) -> Array:
    """The feature of each row, -1 for none."""
    tidy: Callable[[str], str] = (
        str.lower if set(column.values) - {column.missing} <= BOOLS else str
    )
    known = {value: start + number for number, value in enumerate(column.values)}
    of_missing = -1 if column.missing is None else known[column.missing]
    of_value = np.array([known.get(tidy(v), -1) for v in found.values] + [of_missing])
    places: Array = of_value[found.codes]  # a code of -1 is that of the last
    if (places < 0).any():
        counts = np.bincount(found.codes + 1, minlength=len(of_value))
        strange = {v: int(counts[k + 1]) for k, v in enumerate(found.values) if of_value[k] < 0}
        if of_missing < 0 and counts[0]:
            strange["missing"] = int(counts[0])
        tally.unknown.setdefault(column.name, Counter()).update(strange)
    return places


def _times(count: int, noun: str, nouns: str = "") -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {nouns or noun + 's'}"
