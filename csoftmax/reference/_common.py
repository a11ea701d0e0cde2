"""What the files of the reference share: types, conversion, and the check of labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Axis = int | tuple[int, ...] | None


def labels(y: NDArray[Any], n_classes: int) -> NDArray[Any]:
    """Return y; a negative label would silently count from the last class."""
    outside = (y < 0) | (y >= n_classes)
    if outside.any():
        row = int(np.argmax(outside))
        raise ValueError(f"y[{row}] is {y[row]}: wanted labels in 0..{n_classes - 1}")
    return y


def step(margin: Any) -> Any:
    """Return the slope of max(0, margin): 1 or 0, and NaN where the margin is NaN."""
    return np.where(np.isnan(margin), np.nan, margin > 0)


def float64(a: ArrayLike) -> Array:
    return np.asarray(a, dtype=np.float64)
