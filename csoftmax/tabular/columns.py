"""A column's values as numbers, or as texts; by NumPy alone, whatever the column is made of.

A column may be an array, a list, a series of pandas or Polars, or an array of Arrow. What is
missing is None, NaN, NA, NaT, or a text that stands for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: what a table of text has where a value is missing, without blanks around it
MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "#N/A", "<NA>")


class Texts(NamedTuple):
    """Texts by number: `values[codes[i]]`, and missing where the code is -1."""

    codes: Array
    values: list[str]


class NotANumber(ValueError):
    """An element of a column of numbers that is none."""

    def __init__(self, row: int, value: Any) -> None:
        super().__init__(f"row {row}: {value!r} is no number")
        self.row, self.value = row, value


def numbers(column: Any, missing: Sequence[str] = MISSING) -> Array:
    """The column as float64, NaN where a value is missing; `NotANumber` for all else."""
    array = plain(column)
    if not isinstance(array, np.ndarray):
        return _arrow_numbers(array, missing)
    if array.dtype.kind in "biuf":
        return array.astype(np.float64)
    if array.dtype.kind in "mMc":
        raise NotANumber(0, array[0])
    found = np.empty(len(array))
    for row, value in enumerate(array.tolist()):
        found[row] = _number(row, value, missing)
    return found


def _number(row: int, value: Any, missing: Sequence[str]) -> float:
    if isinstance(value, str):
        value = value.strip()
    if is_missing(value) or (isinstance(value, str) and value in missing):
        return np.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        raise NotANumber(row, value) from None


def texts(column: Any, missing: Sequence[str] = MISSING) -> Texts:
    """The column as texts; numbers as `text_of` writes them."""
    array = plain(column)
    codes, found = _codes(array) if isinstance(array, np.ndarray) else _arrow_codes(array)
    values = [None if is_missing(value) else text_of(value) for value in found]
    names = sorted({text for text in values if text is not None and text not in missing})
    place = {name: number for number, name in enumerate(names)}
    new = np.array([place.get(text, -1) if text is not None else -1 for text in values] + [-1])
    return Texts(new[codes], names)  # a code of -1 is that of the last


def text_of(value: Any) -> str:
    """How a value is written where it is one of a category: true, 3, 3.5, text without blanks."""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        return repr(float(value))
    return str(value).strip()


def is_missing(value: Any) -> bool:
    """Whether this is None, NaN, or what pandas has in their place."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating)) and bool(np.isnan(value))


def n_rows(columns: Iterable[tuple[str, Any]], what: str) -> int:
    """The length that all columns have, or ValueError."""
    first: tuple[str, int] | None = None
    for name, column in columns:
        length = len(column)
        if first is None:
            first = name, length
        elif first[1] != length:
            raise ValueError(
                f"{what} has {length} values in column {name!r}, but {first[1]} in {first[0]!r}"
            )
    return first[1] if first else 0


def plain(column: Any) -> Any:
    """The column as an array of one dimension, of objects where need be; Arrow's as it is."""
    if hasattr(column, "dictionary_encode"):
        return column
    if hasattr(column, "to_numpy"):
        column = column.to_numpy()
    if isinstance(column, np.ndarray):
        array = column
    else:
        given = list(column)
        array = np.empty(len(given), object)
        array[:] = given
    if array.ndim != 1:
        raise ValueError(f"a column has shape {array.shape}: wanted one value a row")
    return array


def _codes(array: Array) -> tuple[Array, list[Any]]:
    """Numbers of the values that occur, and these."""
    if array.dtype.kind in "biufU":
        values, codes = np.unique(array, return_inverse=True)
        return codes, values.tolist()
    known: dict[Any, int] = {}
    given = [None if is_missing(value) else value for value in array.tolist()]
    # 1, 1.0 and True are equal, and are not to be one
    codes = np.array([known.setdefault((type(v), v), len(known)) for v in given], np.int64)
    return codes, [value for _, value in known]


# ---- Arrow's arrays, by their methods, so that nothing is imported -----------------------------


def is_text(kind: Any) -> bool:
    """Whether an Arrow type is that of text, or of texts by number."""
    return str(kind).startswith(("string", "large_string", "string_view", "dictionary<values=str"))


def _arrow_numbers(column: Any, missing: Sequence[str]) -> Array:
    if str(column.type).startswith("dictionary"):
        column = column.dictionary_decode()
    if str(column.type) == "bool":
        column = column.cast("uint8")
    if is_text(column.type):
        try:  # nearly always numbers, and nulls where they are missing
            cast = column.cast("double")
        except ValueError:
            return numbers(column.to_pylist(), missing)
    else:
        try:
            cast = column.cast("double", safe=False)
        except (ValueError, NotImplementedError):
            raise NotANumber(0, column[0].as_py()) from None
    found: Array = cast.to_numpy(zero_copy_only=False)
    return found.astype(np.float64, copy=False)


def _arrow_codes(column: Any) -> tuple[Array, list[Any]]:
    if not str(column.type).startswith("dictionary"):
        column = column.dictionary_encode()
    if hasattr(column, "combine_chunks"):
        column = column.combine_chunks()
    values = column.dictionary.to_pylist()
    codes = column.indices.cast("int64").fill_null(len(values))
    return codes.to_numpy(zero_copy_only=False), [*values, None]
