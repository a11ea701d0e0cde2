"""The dtypes of networks and their data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike


def float_dtype(value: DTypeLike) -> np.dtype[Any]:
    """float32 or float64."""
    dtype = np.dtype(value)
    if dtype not in (np.float32, np.float64):
        raise TypeError(f"dtype is {dtype}: wanted float32 or float64")
    return dtype
