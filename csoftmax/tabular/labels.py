"""Labels: of what type they are, and which rows are held out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax.tabular.columns import MISSING, Texts, texts

Array = npt.NDArray[Any]

#: more classes than this are refused where there are also fewer than `_ROWS` rows for each
_MANY, _ROWS = 20, 5


class Labels:
    """The labels of a table, that come block by block.

    Parameters
    ----------
    name : str
        Of the table and the column, for errors.
    missing : sequence of str
        Texts that stand for a missing value.
    """

    def __init__(self, name: str, missing: Sequence[str] = MISSING) -> None:
        self.name, self._missing = name, missing
        self._known: dict[str, int] = {}
        self._codes: list[Array] = []

    def add(self, column: Any) -> None:
        """Add the labels of some rows."""
        found = texts(column, self._missing)
        self._codes.append(self._known_codes(found))

    def _known_codes(self, found: Texts) -> Array:
        places = [self._known.setdefault(text, len(self._known)) for text in found.values]
        return np.array([*places, -1], np.int32)[found.codes]

    def done(self) -> tuple[Array, Array]:
        """The classes in order, and the number of each row's; -1 where the label is missing.

        Raises
        ------
        ValueError
            For fewer than two classes, and for what is as good as a number for each row.
        """
        codes = np.concatenate(self._codes) if self._codes else np.empty(0, np.int32)
        n_rows, n_classes = int((codes >= 0).sum()), len(self._known)
        names = list(self._known)
        if n_classes < 2:
            seen = f"has the one label {names[0]!r}" if names else "has no label"
            raise ValueError(f"{self.name} {seen} in {n_rows} rows: wanted at least two classes")
        if n_classes > _MANY and n_classes > n_rows / _ROWS:
            raise ValueError(
                f"{self.name} has {n_classes} different labels in {n_rows} rows, such as "
                f"{names[0]!r} and {names[1]!r}: wanted classes, each with several rows"
            )
        classes = typed(names)
        order = np.argsort(classes, kind="stable")
        rank = np.empty(n_classes + 1, np.int32)
        rank[order], rank[-1] = np.arange(n_classes), -1
        return classes[order], rank[codes]


def typed(names: Sequence[str]) -> Array:
    """Labels that were written as texts: as integers or bool where all of them are, else text."""
    lower = [name.lower() for name in names]
    if set(lower) <= {"true", "false"} and len(set(lower)) == len(names):
        return np.array([name == "true" for name in lower])
    try:
        found = [int(name) for name in names]
        if [str(number) for number in found] == list(names):  # "007" is text
            return np.array(found, np.int64)
    except (ValueError, OverflowError):
        pass
    return np.array(names)


def codes_of(labels: Any, classes: Array, missing: Sequence[str] = MISSING) -> tuple[Array, Texts]:
    """The number of each label among the classes, and the labels; -1 for others and missing ones.

    They are compared as they are written: a label of a file may be text where the class is 1.
    """
    found = texts(labels, missing)
    written = texts(classes, ()).values
    order = texts(classes, ()).codes
    place = {written[code]: number for number, code in enumerate(order)}
    if classes.dtype.kind == "b":
        found = Texts(found.codes, [value.lower() for value in found.values])
    of_value = np.array([place.get(value, -1) for value in found.values] + [-1])
    return of_value[found.codes], found


def held_out(codes: Array, part: float, seed: int) -> Array:
    """Which rows are held out: this part of each class, drawn at random, as a mask.

    At least one row of each class stays; of a class of one row none is held out.
    """
    order = np.lexsort((np.random.default_rng(seed).random(len(codes)), codes))
    bounds = np.searchsorted(codes[order], np.arange(codes.max() + 2))
    mask = np.zeros(len(codes), bool)
    for start, stop in pairwise(bounds.tolist()):
        n_rows = stop - start
        n_held = min(n_rows - 1, max(1, round(part * n_rows)))
        mask[order[start : start + max(0, n_held)]] = True
    return mask
