"""Linear models as npy files, which hold arrays and no pickle."""

import os
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from csoftmax._atomic import replacing
from csoftmax._native import checks
from csoftmax.linear import linear_predict

#: What makes up a model, W at least; the names are those of the classifiers' attributes.
PARTS = ("W", "b", "shift", "scale")
_WANTED = (
    "the weights (D, C) in float32 or float64, as `save` writes them (what the course's own "
    "package saves is a pickle, which can run code and is not read)"
)


def npy_path(fname: str | PathLike[str]) -> Path:
    """The file of that name; the suffix is added where it lacks, as numpy.save does."""
    name = os.fspath(fname)
    return Path(name if name.endswith(".npy") else f"{name}.npy")


def write(path: Path, parts: dict[str, ArrayLike | None]) -> None:
    """Write W as it is, or a record of W and the other parts: b, shift, scale.

    The file is there as a whole or not at all, and an older one until then.
    """
    found = fitting({name: part for name, part in parts.items() if part is not None})
    array = found["W"]
    if len(found) > 1:
        array = np.empty((), [(name, part.dtype, part.shape) for name, part in found.items()])
        for name, part in found.items():
            array[name] = part
    with replacing(path) as stream:
        np.save(stream, array, allow_pickle=False)


def read(path: Path) -> dict[str, NDArray[Any]]:
    """Read what `write` wrote; any other file is a ValueError that names it."""
    if not path.is_file():  # a pipe would be waited for
        raise ValueError(f"{path} is not a file: wanted {_WANTED}")
    try:
        with path.open("rb") as stream:
            stored = np.load(stream, allow_pickle=False)
        if not isinstance(stored, np.ndarray):
            raise ValueError("an npz archive")
        names = stored.dtype.names
        parts = {name: stored[name] for name in names} if names else {"W": stored}
        return {name: np.array(part, order="C") for name, part in fitting(parts).items()}
    except OSError:
        raise
    except Exception as error:  # headers are parsed as Python: damaged, they raise anything
        raise ValueError(f"{path}: {error}: wanted {_WANTED}") from error


def fitting(parts: dict[str, ArrayLike]) -> dict[str, NDArray[Any]]:
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
