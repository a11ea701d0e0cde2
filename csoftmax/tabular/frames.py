"""Tables in memory as columns by their names: frames, dictionaries, rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def columns_of(X: Any, names: Sequence[str]) -> Mapping[str, Any]:
    """The columns of X by their names.

    Parameters
    ----------
    X : object
        A data frame of pandas or Polars, a table of Arrow; a dictionary of columns; a list of rows,
        which are dictionaries, or values in the order of `names`.
    names : sequence of str
        Of the columns that the model knows.

    Returns
    -------
    mapping
        Of names to columns.

    Raises
    ------
    TypeError
        For anything else.
    ValueError
        For names that are there twice, and rows of another length than `names`.
    """
    cls = type(X)
    if isinstance(X, Mapping):
        return X
    if hasattr(cls, "columns"):  # of Arrow, the columns themselves
        given = list(X.column_names if hasattr(cls, "column_names") else X.columns)
        for name in names:
            if given.count(name) > 1:
                raise ValueError(f"X has several columns {name!r}: wanted different names")
        return {name: X[name] for name in given if isinstance(name, str)}
    if isinstance(X, (list, tuple)):
        if X and all(isinstance(row, Mapping) for row in X):
            return _of_dictionaries(X, names)
        if X and all(isinstance(row, (list, tuple)) for row in X):
            return _of_rows(X, names)
    raise TypeError(
        f"X is a {cls.__qualname__}: the model wants columns by their names "
        f"({', '.join(map(repr, names[:5]))}{', ...' if len(names) > 5 else ''}): a data frame, a "
        "dictionary of columns, or a list of rows"
    )


def _of_dictionaries(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    for number, row in enumerate(rows):
        for name in names:
            if name not in row:
                raise ValueError(f"row {number} of X has no {name!r}: wanted None if it is missing")
    return {name: [row[name] for row in rows] for name in names}


def _of_rows(rows: Sequence[Sequence[Any]], names: Sequence[str]) -> dict[str, Any]:
    for number, row in enumerate(rows):
        if len(row) != len(names):
            raise ValueError(
                f"row {number} of X has {len(row)} values: wanted {len(names)}, {', '.join(names)}"
            )
    return {name: [row[k] for row in rows] for k, name in enumerate(names)}
