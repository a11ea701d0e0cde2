"""How columns become features, as arrays and JSON: numbers by their means, categories by values.

Beside the arrays and the texts of the model there are

preparation.mean, .scale, .fill     F64 (n), of the columns of numbers in their order; fill is
                                    NaN where a missing number is refused
{"columns": [{"name": "age"},
             {"name": "colour", "values": ["blue", "red"], "missing": null or "blue"}, ...],
 "missing": ["", "NA", ...]}
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax.datasets._files import brief
from csoftmax.models.layout import finite
from csoftmax.tabular.preparation import Category, Number, Preparation

Array = npt.NDArray[Any]

MEAN, SCALE, FILL = "preparation.mean", "preparation.scale", "preparation.fill"


def contents(preparation: Preparation) -> tuple[dict[str, Array], dict[str, Any]]:
    """What to write of it."""
    numbers = [column for column in preparation.columns if isinstance(column, Number)]
    arrays = {
        MEAN: np.array([column.mean for column in numbers], np.float64),
        SCALE: np.array([column.scale for column in numbers], np.float64),
        FILL: np.array(
            [np.nan if column.fill is None else column.fill for column in numbers], np.float64
        ),
    }
    columns = [
        {"name": column.name}
        if isinstance(column, Number)
        else {"name": column.name, "values": list(column.values), "missing": column.missing}
        for column in preparation.columns
    ]
    return arrays, {"columns": columns, "missing": list(preparation.missing)}


def preparation(given: Any, arrays: dict[str, Array]) -> Preparation:
    """The preparation again, of JSON that may be anything and arrays, from which it is taken."""
    if not isinstance(given, dict) or set(given) != {"columns", "missing"}:
        raise ValueError(f"its preparation is {brief(given)}, not columns and missing")
    columns = given["columns"]
    if not isinstance(columns, list):
        raise ValueError(f"the columns of its preparation are {brief(columns)}, no list")
    n_numbers = sum(isinstance(c, dict) and set(c) == {"name"} for c in columns)
    means, scales, fills = (_numbers(name, arrays, n_numbers) for name in (MEAN, SCALE, FILL))
    finite(MEAN, means)
    finite(SCALE, scales)
    finite(FILL, np.nan_to_num(fills, nan=0.0, posinf=np.inf, neginf=-np.inf))
    if (scales <= 0).any():
        raise ValueError(f"{SCALE} has {scales.min()}, no scale")
    numbers = zip(means.tolist(), scales.tolist(), fills.tolist(), strict=True)
    found: list[Number | Category] = []
    for column in columns:
        if not _is(column):
            raise ValueError(f"a column of its preparation is {brief(column)}")
        (name,) = _texts("the name of a column", [column["name"]])
        if set(column) == {"name"}:
            mean, scale, fill = next(numbers)
            found.append(Number(name, mean, scale, None if np.isnan(fill) else fill))
            continue
        values = tuple(_texts(f"the values of {name!r}", column["values"]))
        missing = column["missing"]
        if missing is not None and not isinstance(missing, str):
            raise ValueError(f"missing of {name!r} is {brief(missing)}, not text")
        found.append(Category(name, values, missing))
    return Preparation(found, _texts("what is missing", given["missing"]))


def _numbers(name: str, arrays: dict[str, Array], length: int) -> Array:
    array = arrays.pop(name, None)
    if array is None:
        raise ValueError(f"{name} is missing")
    if array.dtype != np.float64 or array.shape != (length,):
        raise ValueError(f"{name} is {array.dtype} of shape {array.shape}, not float64 ({length},)")
    return array


def _is(column: Any) -> bool:
    return isinstance(column, dict) and set(column) in ({"name"}, {"name", "values", "missing"})


def _texts(what: str, given: Any) -> list[str]:
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise ValueError(f"{what} is {brief(given)}, not text")
    return given
