"""Linear models as npy files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from csoftmax._native import checks
from csoftmax.cs231n import _files
from csoftmax.linear import linear_predict

#: What makes up a model, W at least; the names are those of the classifiers' attributes.
PARTS = ("W", "b", "shift", "scale")
_WANTED = (
    "the weights (D, C) in float32 or float64, as `save` writes them (what the course's own "
    "package saves is a pickle, which can run code and is not read)"
)


def write(path: Path, parts: dict[str, ArrayLike | None]) -> None:
    """Write W as it is, or a record of W and the other parts: b, shift, scale."""
    found = fitting({name: part for name, part in parts.items() if part is not None})
    _files.write_array(path, found["W"] if len(found) == 1 else _files.record(found))


def read(path: Path) -> dict[str, NDArray[Any]]:
    """Read what `write` wrote; any other file is a ValueError that names it."""
    return _files.read(path, "W", fitting, _WANTED)


def fitting(parts: dict[str, Any]) -> dict[str, NDArray[Any]]:
    """The parts as arrays that make up a model: one that can predict."""
    if unknown := sorted(set(parts) - set(PARTS)):
        raise ValueError(f"it has {', '.join(unknown)}")
    if "W" not in parts:
        raise ValueError("it has no W")
    W = checks.coefficients(parts["W"])
    others = {name: checks.array(name, parts[name]) for name in PARTS[1:] if name in parts}
    bias, shift, scale = map(others.get, PARTS[1:])
    linear_predict(W, np.zeros((1, len(W)), W.dtype), bias=bias, shift=shift, scale=scale)
    return {"W": W, **others}
