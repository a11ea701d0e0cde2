"""Models as npy files: a record of named arrays, and no pickle."""

import os
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csoftmax._atomic import replacing

Parts = Mapping[str, NDArray[Any]]


def npy_path(fname: str | PathLike[str]) -> Path:
    """The file of that name; the suffix is added where it lacks, as numpy.save does."""
    name = os.fspath(fname)
    return Path(name if name.endswith(".npy") else f"{name}.npy")


def record(parts: Parts) -> NDArray[Any]:
    """One array with a field for each part."""
    array = np.empty((), [(name, part.dtype, part.shape) for name, part in parts.items()])
    for name, part in parts.items():
        array[name] = part
    return array


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write one array; the file is there as a whole or not at all, and an older one until then."""
    with replacing(path) as stream:
        np.save(stream, array, allow_pickle=False)


def read(
    path: Path, single: str, fitting: Callable[[dict[str, Any]], Parts], wanted: str
) -> dict[str, NDArray[Any]]:
    """Read a record, or an array, which is the part named `single`.

    `fitting` returns the parts of which it knows that they make up a model. Any other file is a
    ValueError that names it, and what was wanted.
    """
    if not path.is_file():  # a pipe would be waited for
        raise ValueError(f"{path} is not a file: wanted {wanted}")
    try:
        with path.open("rb") as stream:
            stored = np.load(stream, allow_pickle=False)
        if not isinstance(stored, np.ndarray):
            raise ValueError("an npz archive")
        names = stored.dtype.names
        parts = {name: stored[name] for name in names} if names else {single: stored}
        return {name: np.array(part, order="C") for name, part in fitting(parts).items()}
    except OSError:
        raise
    except Exception as error:  # headers are parsed as Python: damaged, they raise anything
        raise ValueError(f"{path}: {error}: wanted {wanted}") from error
