"""Data sets saved with NumPy: one npz file, or a folder of npy files. Never a pickle."""

import math
import zipfile
import zlib
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csoftmax.datasets._dataset import Dataset
from csoftmax.datasets._files import brief, check_file, check_folder

NPY_MAGIC = b"\x93NUMPY"
ZIP_MAGIC = b"PK\x03\x04"

_KEYS = "X_train and y_train (or X and y), perhaps X_test and y_test, perhaps class_names"
_WANTED_NPZ = f"an npz file with {_KEYS}, saved without pickled objects"
_WANTED_NPY = f"a folder of npy files named {_KEYS}, saved without pickled objects"
_MAX_CLASSES = 1 << 20  # so that naming them does not fill memory
# What NumPy and zipfile raise for damaged, encrypted or pickled contents and impossible shapes.
_DAMAGED = (
    ValueError,
    EOFError,
    OSError,
    LookupError,
    ArithmeticError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


def load_npz(path: str | PathLike[str]) -> Dataset:
    """Read a data set from one npz file, as ``numpy.savez`` writes it.

    Parameters
    ----------
    path : path
        With the arrays ``X_train`` and ``y_train`` (or ``X`` and ``y``), perhaps ``X_test`` and
        ``y_test``, perhaps ``class_names``; ``x`` may be a small letter. X is (N, D), or
        (N, height, width[, channels]) for images, of any real type; y is integers from 0.

    Returns
    -------
    Dataset
        X in the type of the file. ``image_shape`` is set where X has more than two dimensions.
        Without ``class_names`` classes are named by their number.

    Raises
    ------
    FileNotFoundError, ValueError
        For a missing, truncated or foreign file, pickled objects (which are not loaded), arrays
        that do not fit: names it and says what was wanted.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import numpy as np
    >>> from csoftmax.datasets import load_npz
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "tiny.npz")
    ...     np.savez(path, X=np.eye(3), y=[0, 1, 1], class_names=["no", "yes"])
    ...     data = load_npz(path)
    >>> data.y_train, data.class_names
    (array([0, 1, 1]), ('no', 'yes'))
    """
    path = check_file(path, _WANTED_NPZ)
    with path.open("rb") as stream:
        start = stream.read(len(ZIP_MAGIC))
    if start != ZIP_MAGIC:
        raise ValueError(f"{path} starts with {brief(start)}: wanted {_WANTED_NPZ}")
    with path.open("rb") as stream:  # given a path, np.load leaves a file that is no zip open
        try:
            with np.load(stream, allow_pickle=False) as archive:
                # Only the arrays of a data set are read; others may be there.
                names = {name.lower(): name for name in archive.files}
                return _dataset(names, lambda name: np.asarray(archive[name]), path.stem)
        except _DAMAGED as error:
            raise ValueError(f"{path}: {error}: wanted {_WANTED_NPZ}") from error


def load_npy(folder: str | PathLike[str]) -> Dataset:
    """Read a data set from a folder of npy files, as ``numpy.save`` writes them.

    X stays on disk: it is memory-mapped, read-only, so that it may be larger than memory.

    Parameters
    ----------
    folder : path
        With ``X_train.npy`` and ``y_train.npy`` (or ``X.npy`` and ``y.npy``), perhaps
        ``X_test.npy`` and ``y_test.npy``, perhaps ``class_names.npy``; else as `load_npz`.

    Returns
    -------
    Dataset
        As `load_npz`. X_train and X_test are memory maps.

    Raises
    ------
    FileNotFoundError, ValueError
        As `load_npz`.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import numpy as np
    >>> from csoftmax.datasets import load_npy
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(pathlib.Path(folder, "X_train.npy"), np.eye(3, dtype=np.float32))
    ...     np.save(pathlib.Path(folder, "y_train.npy"), [0, 1, 1])
    ...     data = load_npy(folder)
    >>> data.X_train.flags.writeable, data.y_train
    (False, array([0, 1, 1]))
    """
    folder = check_folder(folder, _WANTED_NPY)
    names = {path.stem.lower(): path.name for path in sorted(folder.glob("*.npy"))}
    try:
        return _dataset(names, lambda name: _map(folder / name), folder.resolve().name)
    except _DAMAGED as error:
        raise ValueError(f"{folder}: {error}: wanted {_WANTED_NPY}") from error


def has_npy(folder: Path) -> bool:
    """Tell whether a folder has the train part of a data set as npy."""
    names = {path.stem.lower() for path in folder.glob("*.npy")}
    return bool(names & {"x_train", "y_train", "x"})


def _map(path: Path) -> NDArray[Any]:
    with path.open("rb") as stream:
        start = stream.read(len(NPY_MAGIC))
    if start != NPY_MAGIC:
        raise ValueError(f"{path.name} starts with {brief(start)}, not as an npy file does")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except _DAMAGED as error:
        raise ValueError(f"{path.name}: {error}") from error
    return np.asanyarray(array)


def _dataset(names: dict[str, str], read: Callable[[str], NDArray[Any]], title: str) -> Dataset:
    """Build the data set from arrays that read() finds by their names in small letters."""
    plain = "x_train" not in names and "y_train" not in names
    parts = {"x_train": "x", "y_train": "y"} if plain else {}
    arrays: dict[str, Any] = {}
    for key in ("x_train", "y_train", "x_test", "y_test"):
        name = names.get(parts.get(key, key))
        arrays[key] = None if name is None else read(name)
        if name is None and key.endswith("train"):
            raise ValueError(f"no {key.replace('x', 'X')} among {brief(sorted(names.values()))}")
    X_train, image_shape = _rows(arrays["x_train"], "X_train")
    X_test, test_shape = (
        (None, image_shape) if arrays["x_test"] is None else _rows(arrays["x_test"], "X_test")
    )
    if test_shape != image_shape:
        raise ValueError(f"X_test has images of shape {test_shape}, but X_train {image_shape}")
    y_train = _labels(arrays["y_train"], "y_train")
    y_test = None if arrays["y_test"] is None else _labels(arrays["y_test"], "y_test")
    if "class_names" in names:
        class_names = _names(read(names["class_names"]))
    else:
        highest = max(int(y.max(initial=0)) for y in (y_train, y_test) if y is not None)
        class_names = tuple(str(c) for c in range(highest + 1))
    return Dataset(title, X_train, y_train, X_test, y_test, class_names, image_shape)


def _rows(X: NDArray[Any], name: str) -> tuple[NDArray[Any], tuple[int, ...] | None]:
    if X.dtype.kind not in "buif" or X.ndim < 2 or not X.size:
        raise ValueError(
            f"{name} is {X.dtype} of shape {X.shape}: wanted real numbers, (N, D) or "
            "(N, height, width[, channels])"
        )
    if X.ndim == 2:
        return X, None
    return X.reshape(len(X), math.prod(X.shape[1:])), X.shape[1:]


def _labels(y: NDArray[Any], name: str) -> NDArray[np.int64]:
    if y.dtype.kind not in "ui" or y.ndim != 1 or not y.size:
        raise ValueError(f"{name} is {y.dtype} of shape {y.shape}: wanted integers of shape (N,)")
    if int(y.max()) >= _MAX_CLASSES:
        raise ValueError(f"{name} has the label {y.max()}: wanted class numbers 0..C-1")
    return np.array(y, np.int64)


def _names(names: NDArray[Any]) -> tuple[str, ...]:
    if names.dtype.kind not in "US" or names.ndim != 1:
        raise ValueError(
            f"class_names is {names.dtype} of shape {names.shape}: wanted strings (C,)"
        )
    return tuple(n.decode() if isinstance(n, bytes) else str(n) for n in names.tolist())
