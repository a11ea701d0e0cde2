"""Numbers, choices and the number of threads."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def n_threads(value: int) -> int:
    """A positive number of threads."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"n_threads is {value!r}: wanted a positive integer or None")
    if value <= 0:
        raise ValueError(f"n_threads is {value}: wanted a positive integer or None")
    return int(value)


def real(name: str, value: float, low: float = -math.inf, high: float = math.inf) -> float:
    """A finite real number within [low, high]."""
    if type(value) is not float and (
        isinstance(value, (bool, np.bool_))
        or not isinstance(value, (int, float, np.integer, np.floating))
    ):
        raise TypeError(f"{name} is {value!r}: wanted a real number")
    number = float(value)
    if not (math.isfinite(number) and low <= number <= high):
        if low == -math.inf:
            wanted = "a finite number"
        elif high == math.inf:
            wanted = f"a finite number of at least {low:g}"
        else:
            wanted = f"a number from {low:g} to {high:g}"
        raise ValueError(f"{name} is {number:g}: wanted {wanted}")
    return number


def choice(name: str, value: str, wanted: Sequence[str]) -> str:
    """One of a few strings."""
    if value not in wanted:
        raise ValueError(f"{name} is {value!r}: wanted one of {', '.join(map(repr, wanted))}")
    return value


def integer(name: str, value: int, low: int = -(2**63)) -> int:
    """An integer of 64 bits, of at least `low`."""
    if type(value) is not int and (
        isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer))
    ):
        raise TypeError(f"{name} is {value!r}: wanted an integer")
    if value < low:
        raise ValueError(f"{name} is {value}: wanted at least {low}")
    if value >= 2**63:
        raise ValueError(f"{name} is {value}: wanted an integer of 64 bits")
    return int(value)
