"""What a preparation learns from the rows of the training: means, scales, values."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from csoftmax.tabular.columns import NotANumber, numbers, texts
from csoftmax.tabular.preparation import BOOLS, Category, Number, Preparation
from csoftmax.tabular.reading import Table
from csoftmax.tabular.survey import Plan

Array = npt.NDArray[Any]


_MISSING = "missing"
"""The value of a missing category, where rows of the training have one."""


class Learned(NamedTuple):
    """How columns become features, and what was missing of the rows that it was learned from."""

    preparation: Preparation
    missing: dict[str, int]  #: values, by the column; those with any
    left_out: dict[str, str]  #: columns that these rows have nothing of


def learn(table: Table, plan: Plan, rows: Array) -> Learned:
    """Learn from the rows that a mask chooses, in one read.

    Means and scales are those of scikit-learn's StandardScaler after a SimpleImputer.
    """
    from csoftmax.tabular.sklearn import StandardScaler

    scaler = StandardScaler()
    values: dict[str, set[str]] = {name: set() for name in plan.categories}
    missing = dict.fromkeys([*plan.numbers, *plan.categories], 0)
    n_numbers = len(plan.numbers)
    for start, batch in _numbered(table, list(missing)):
        chosen = np.flatnonzero(rows[start : start + batch.num_rows])
        if not chosen.size:
            continue
        block = np.empty((len(chosen), n_numbers))
        for k, name in enumerate(plan.numbers):
            block[:, k] = _numbers(table, name, batch.column(k), start)[chosen]
            missing[name] += int(np.isnan(block[:, k]).sum())
        if n_numbers:
            scaler.partial_fit(block)
        for k, name in enumerate(plan.categories, n_numbers):
            found = texts(batch.column(k), table.missing)
            codes = found.codes[chosen]
            missing[name] += int((codes < 0).sum())
            values[name].update(found.values[code] for code in np.unique(codes[codes >= 0]))
    columns: list[Number | Category] = []
    left_out, n_rows = {}, int(rows.sum())
    for k, name in enumerate(plan.numbers):
        if missing[name] == n_rows:
            left_out[name] = "all values of the training's rows are missing"
        else:
            mean, scale = float(scaler.mean_[k]), float(scaler.scale_[k])
            if scaler.var_[k] > 0:  # each missing one, at the mean, makes the spread smaller
                scale *= math.sqrt(1 - missing[name] / n_rows)
            columns.append(Number(name, mean, scale, fill=mean))
    for name in plan.categories:
        if values[name]:
            columns.append(_category(name, values[name], has_missing=missing[name] > 0))
        else:
            left_out[name] = "all values of the training's rows are missing"
    preparation = Preparation(columns, table.missing)
    return Learned(preparation, {n: count for n, count in missing.items() if count}, left_out)


def _category(name: str, values: set[str], *, has_missing: bool) -> Category:
    lower = {value.lower() for value in values}
    if lower <= BOOLS:  # as text has them: True, TRUE
        values = lower
    if has_missing:
        return Category(name, tuple(sorted(values | {_MISSING})), _MISSING)
    return Category(name, tuple(sorted(values)))


def _numbered(table: Table, names: list[str]) -> Iterator[tuple[int, Any]]:
    start = 0
    for batch in table.batches(names):
        yield start, batch
        start += batch.num_rows


def _numbers(table: Table, name: str, column: Any, start: int) -> Array:
    try:
        return numbers(column, table.missing)
    except NotANumber as error:
        raise ValueError(
            f"{table.name}, column {name!r}, row {start + error.row + 1}: {error.value!r} is no "
            "number: wanted the same rows in every read"
        ) from None
