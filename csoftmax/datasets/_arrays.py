"""Data sets saved with NumPy: one npz file, or a folder of npy files. Never a pickle."""

import math
import zipfile
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from csoftmax.datasets._dataset import Dataset, check_labels, number_classes
from csoftmax.datasets._files import (
    MAX_BYTES,
    brief,
    check_file,
    check_folder,
    check_growth,
    check_max_bytes,
    reading,
)

NPY_MAGIC = b"\x93NUMPY"
ZIP_MAGIC = b"PK\x03\x04"

_KEYS = "X_train and y_train (or X and y), perhaps X_test and y_test, perhaps class_names"
_WANTED_NPZ = f"an npz file with {_KEYS}, saved without pickled objects"
_WANTED_NPY = f"a folder of npy files named {_KEYS}, saved without pickled objects"


def load_npz(path: str | PathLike[str], *, max_bytes: int = MAX_BYTES) -> Dataset:
    """Read a data set from one npz file, as ``numpy.savez`` writes it.

    Parameters
    ----------
    path : path
        With the arrays ``X_train`` and ``y_train`` (or ``X`` and ``y``), perhaps ``X_test`` and
        ``y_test``, perhaps ``class_names``; ``x`` may be a small letter. X is (N, D), or
        (N, height, width[, channels]) for images, of any real type; y is integers: indices into
        ``class_names`` or, without, any labels.
    max_bytes : int
        The most that compressed arrays may grow to, together (``numpy.savez_compressed``).

    Returns
    -------
    Dataset
        X in the type of the file. ``image_shape`` is set where X has more than two dimensions.
        Without ``class_names`` the labels that occur become 0..C-1 in increasing order, and
        ``class_names`` are the labels.

    Raises
    ------
    FileNotFoundError, ValueError
        For a missing, truncated or foreign file, pickled objects (which are not loaded), arrays
        that do not fit or grow too large: names it and says what was wanted.

    See Also
    --------
    load_npy : Arrays in files of their own.
    load : Finds out which format it is.

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
    max_bytes = check_max_bytes(max_bytes)
    path = check_file(path, _WANTED_NPZ)
    with reading(path, _WANTED_NPZ), path.open("rb") as stream:
        start = stream.read(len(ZIP_MAGIC))
        if start != ZIP_MAGIC:
            raise ValueError(f"it starts with {brief(start)}")
        return _dataset(_unzip(stream, max_bytes), path.stem)


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

    See Also
    --------
    load_npz : Arrays in one file.
    load : Finds out which format it is.

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
    with reading(folder, _WANTED_NPY):
        names = _chosen(path.name for path in sorted(folder.glob("*.npy")))
    arrays = {key: _map(folder / name) for key, name in names.items()}
    with reading(folder, _WANTED_NPY):
        return _dataset(arrays, folder.resolve().name)


def has_npy(folder: Path) -> bool:
    """Tell whether a folder has the train part of a data set as npy."""
    names = {path.stem.lower() for path in folder.glob("*.npy")}
    return bool(names & {"x_train", "y_train", "x"})


def _map(path: Path) -> NDArray[Any]:
    path = check_file(path, _WANTED_NPY)
    with reading(path, _WANTED_NPY):
        with path.open("rb") as stream:
            start = stream.read(len(NPY_MAGIC))
        if start != NPY_MAGIC:
            raise ValueError(f"it starts with {brief(start)}, not as an npy file does")
        return np.asanyarray(np.load(path, mmap_mode="r", allow_pickle=False))


def _unzip(stream: IO[bytes], max_bytes: int) -> dict[str, NDArray[Any]]:
    """Read the arrays of a data set from a zip; others may be there."""
    with zipfile.ZipFile(stream) as archive:
        names = _chosen(archive.namelist())
        members = {key: archive.getinfo(name) for key, name in names.items()}
        # No member gives more than its size says, whatever it was compressed from.
        zipped = [m for m in members.values() if m.compress_type != zipfile.ZIP_STORED]
        if any(member.compress_type != zipfile.ZIP_DEFLATED for member in zipped):
            raise ValueError("it is compressed in a way that NumPy does not use")
        check_growth(sum(member.file_size for member in zipped), max_bytes)
        return {key: _unzip_array(archive, member) for key, member in members.items()}


def _unzip_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(member) as stream:
        array = np.lib.format.read_array(stream, allow_pickle=False)
        if stream.read(1):  # reading to the end has the checksum verified, too
            raise ValueError(f"{member.filename} has bytes after its array")
        return np.asarray(array)


def _chosen(names: Iterable[str]) -> dict[str, str]:
    """Choose the arrays of a data set by their names: {key in small letters: name}."""
    found = {name.removesuffix(".npy").lower(): name for name in names}
    plain = "x_train" not in found and "y_train" not in found
    parts = {"x_train": "x", "y_train": "y"} if plain else {}
    keys = ("x_train", "y_train", "x_test", "y_test", "class_names")
    chosen = {key: found[part] for key in keys if (part := parts.get(key, key)) in found}
    for key in ("x_train", "y_train"):
        if key not in chosen:
            raise ValueError(f"no {key.replace('x', 'X')} among {brief(sorted(found.values()))}")
    return chosen


def _dataset(arrays: Mapping[str, NDArray[Any]], title: str) -> Dataset:
    """Build the data set from arrays by their keys."""
    X_train, image_shape = _rows(arrays["x_train"], "X_train")
    X_test, test_shape = (
        _rows(arrays["x_test"], "X_test") if "x_test" in arrays else (None, image_shape)
    )
    if test_shape != image_shape:
        raise ValueError(f"X_test has images of shape {test_shape}, but X_train {image_shape}")
    parts = [part for part in ("train", "test") if f"y_{part}" in arrays]
    labels = [_labels(arrays[f"y_{part}"], f"y_{part}") for part in parts]
    if "class_names" in arrays:
        class_names = _names(arrays["class_names"])
        for part, y in zip(parts, labels, strict=True):
            check_labels(y, f"y_{part}", len(class_names))
        numbers = [np.array(y, np.int64) for y in labels]
    else:
        numbers, class_names = number_classes(labels)
    y_test = numbers[1] if len(numbers) == 2 else None
    return Dataset(title, X_train, numbers[0], X_test, y_test, class_names, image_shape)


def _rows(X: NDArray[Any], name: str) -> tuple[NDArray[Any], tuple[int, ...] | None]:
    if X.dtype.kind not in "buif" or X.ndim < 2 or not X.size:
        raise ValueError(
            f"{name} is {X.dtype} of shape {X.shape}: wanted real numbers, (N, D) or "
            "(N, height, width[, channels])"
        )
    if X.ndim == 2:
        return X, None
    return X.reshape(len(X), math.prod(X.shape[1:])), X.shape[1:]


def _labels(y: NDArray[Any], name: str) -> NDArray[Any]:
    if y.dtype.kind not in "ui" or y.ndim != 1 or not y.size:
        raise ValueError(f"{name} is {y.dtype} of shape {y.shape}: wanted integers of shape (N,)")
    return y


def _names(names: NDArray[Any]) -> tuple[str, ...]:
    if names.dtype.kind not in "US" or names.ndim != 1:
        raise ValueError(
            f"class_names is {names.dtype} of shape {names.shape}: wanted strings (C,)"
        )
    return tuple(n.decode() if isinstance(n, bytes) else str(n) for n in names.tolist())
