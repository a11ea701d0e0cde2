"""Files that hold arrays of numbers: npz, npy, HDF5, and all that `csoftmax.datasets` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from csoftmax import datasets
from csoftmax.datasets._files import check_file, reading
from csoftmax.tabular.labels import typed

Array = npt.NDArray[Any]

_HDF5 = (".h5", ".hdf5", ".hdf")
_X, _Y = ("X", "x", "X_train", "x_train", "features", "data"), ("y", "y_train", "labels", "target")
_WANTED_HDF5 = f"an HDF5 file with a data set {', '.join(_X[:4])} and one of labels"
_WANTED_NPZ = "an npz file with an array X, saved without pickled objects"


class Part(NamedTuple):
    """Rows of numbers, and their labels where there are some."""

    X: Any  #: ndarray, memory map, CSR, or a data set of h5py
    y: Array | None
    image_shape: tuple[int, ...] | None = None


class Arrays(NamedTuple):
    """What a file holds."""

    name: str
    train: Part
    test: Part | None  #: where it has a test part of its own


def load(path: str, target: str | None = None, *, labelled: bool = True) -> Arrays:
    """Read a file of arrays.

    Parameters
    ----------
    path : str
        As for `csoftmax.datasets.load`; an .h5 file; an .npy file of rows by columns.
    target : str, optional
        Of an HDF5 file, the data set of the labels; of an .npy file, the number of their column.
    labelled : bool
        Whether labels must be there.
    """
    file = Path(path)
    if file.suffix in _HDF5:
        return _hdf5(check_file(file, _WANTED_HDF5), target, labelled=labelled)
    if file.suffix == ".npy" and not file.is_dir():
        return _npy(file, target, labelled=labelled)
    if target is not None and target not in _Y:
        raise ValueError(
            f"--target is {target!r}, but {path} has its labels apart: wanted no --target, or a "
            "table (.csv, .tsv, .parquet)"
        )
    if file.suffix == ".npz" and not labelled and (X := _only_rows(file)) is not None:
        return Arrays(path, Part(X, None), None)
    data = datasets.load(path)
    names = typed(data.class_names)
    shape = data.image_shape
    test = None
    if data.y_test is not None:
        test = Part(data.X_test, names[data.y_test], shape)
    return Arrays(path, Part(data.X_train, names[data.y_train], shape), test)


def _npy(path: Path, target: str | None, *, labelled: bool) -> Arrays:
    wanted = "an .npy file of rows by columns of numbers"
    path = check_file(path, wanted)
    with reading(path, wanted):
        X = np.load(path, mmap_mode="r", allow_pickle=False)
        if X.ndim != 2 or X.dtype.kind not in "biuf":
            raise ValueError(f"it holds {X.dtype} of shape {X.shape}")
    if target is None:
        if labelled:
            raise ValueError(
                f"{path} has no labels: wanted --target, the number of their column "
                f"(0 to {X.shape[1] - 1}), or a folder with X.npy and y.npy"
            )
        return Arrays(str(path), Part(X, None), None)
    if not target.isdecimal() or int(target) >= X.shape[1]:
        raise ValueError(
            f"--target is {target!r}, but {path} has columns 0 to {X.shape[1] - 1}: wanted the "
            "number of one"
        )
    column = int(target)
    return Arrays(str(path), Part(_Without(X, column), np.asarray(X[:, column])), None)


class _Without:
    """A memory map without one of its columns, read by slices."""

    def __init__(self, X: Array, column: int) -> None:
        self._X, self._column = X, column
        self.shape, self.dtype = (X.shape[0], X.shape[1] - 1), X.dtype

    def __getitem__(self, rows: slice) -> Array:
        return np.delete(self._X[rows], self._column, axis=1)


def _only_rows(path: Path) -> Array | None:
    """X of an npz file that has neither labels nor parts."""
    path = check_file(path, _WANTED_NPZ)
    with reading(path, _WANTED_NPZ), np.load(path, allow_pickle=False) as found:
        if set(found) & {"y", *(f"{k}_{part}" for k in "xXy" for part in ("train", "test"))}:
            return None
        for name in ("X", "x"):
            if name in found:
                X: Array = found[name]
                if X.ndim < 2 or X.dtype.kind not in "biuf":
                    raise ValueError(f"{name} is {X.dtype} of shape {X.shape}")
                return X.reshape(len(X), -1)
    return None


def _hdf5(path: Path, target: str | None, *, labelled: bool) -> Arrays:
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            f"h5py reads HDF5 ({path}), and is not installed: pip install h5py"
        ) from error
    with reading(path, _WANTED_HDF5):
        file = h5py.File(path, "r")  # stays open: its rows are read when they are wanted
        X = _data_set(file, _X)
        names = (target,) if target else _Y
        y = _data_set(file, names) if labelled or any(name in file for name in names) else None
        if X.ndim < 2:
            raise ValueError(f"{X.name} has shape {X.shape}")
        if X.ndim > 2:
            raise ValueError(f"{X.name} has shape {X.shape}, not (N, D), rows by features")
        labels = None if y is None else _labels(y, len(X))
    return Arrays(str(path), Part(X, labels), None)


def _data_set(file: Any, names: tuple[str, ...]) -> Any:
    for name in names:
        if name in file and hasattr(file[name], "shape"):
            return file[name]
    raise ValueError(f"it has {', '.join(map(repr, file)) or 'nothing'}, but no {names[0]!r}")


def _labels(y: Any, n_rows: int) -> Array:
    if y.shape != (n_rows,):
        raise ValueError(f"{y.name} has shape {y.shape}, but there are {n_rows} rows")
    found = y.asstr()[:] if y.dtype.kind in "OS" else y[:]
    return np.asarray(found)
