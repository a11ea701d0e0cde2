"""Parameters of models as JSON: plain values as they are, all others as {"kind": content}.

null  true  3  0.5  "text"  [1, 2]        None, bool, int, finite float, str, list
{"float": "inf"}                          what JSON has no number for
{"tuple": [...]}  {"dict": [[key, value], ...]}
{"scalar": ["float32", 0.5]}              a NumPy scalar
{"array": ["float64", [0.1, 1.0]]}        a NumPy array of one dimension
{"SGD": {"batch_size": 100, ...}}         options of mini-batches
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from csoftmax.datasets._files import brief

#: dtypes of arrays and scalars, by NumPy's names
NUMBERS = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64"),
)
_FLOATS = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


def encode(value: Any) -> Any:
    """A value for JSON; TypeError for what a file cannot hold."""
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"float": repr(value)}
    if type(value) is list:
        return [encode(each) for each in value]
    if type(value) is tuple:
        return {"tuple": [encode(each) for each in value]}
    if type(value) is dict:
        return {"dict": [[encode(key), encode(each)] for key, each in value.items()]}
    if isinstance(value, np.generic) and value.dtype.name in NUMBERS:
        return {"scalar": [value.dtype.name, encode(value.item())]}
    if isinstance(value, np.str_):
        return {"scalar": ["str", str(value)]}
    if type(value) is np.ndarray and value.ndim == 1 and value.dtype.name in NUMBERS:
        return {"array": [value.dtype.name, encode(value.tolist())]}
    if (type(value).__module__, type(value).__name__) == ("csoftmax", "SGD"):
        return {"SGD": {name: encode(each) for name, each in vars(value).items()}}
    raise TypeError(
        f"{value!r}: wanted None, a number, a text, or lists, tuples, dictionaries or arrays of "
        "them, since a file holds no code and no state of generators"
    )


def decode(value: Any, sgd: Callable[..., Any]) -> Any:
    """What `encode` has made JSON of; `sgd` makes the options of mini-batches."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is written as a number")  # as 1e999
    if isinstance(value, list):
        return [decode(each, sgd) for each in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1:
        raise ValueError(f"{brief(value)} is no value with its kind")
    ((kind, content),) = value.items()
    if kind == "float" and content in _FLOATS:
        return _FLOATS[content]
    if kind == "tuple" and isinstance(content, list):
        return tuple(decode(content, sgd))
    if kind == "dict" and isinstance(content, list):
        return dict(decode(content, sgd))
    if kind == "scalar":
        name, number = content
        number = decode(number, sgd)
        if name == "str" and isinstance(number, str):
            return np.str_(number)
        if name in NUMBERS and isinstance(number, (bool, int, float)):
            return np.dtype(name).type(number)
    if kind == "array":
        name, numbers = content
        if name in NUMBERS and isinstance(numbers, list):
            return np.array(decode(numbers, sgd), name)
    if kind == "SGD" and isinstance(content, dict):
        return sgd(**{name: decode(each, sgd) for name, each in content.items()})
    raise ValueError(f"{brief(value)} is no value that a parameter can have")
