"""CIFAR-10 as the course's notebooks want it: float64 images, height, width, channel.

`csoftmax.datasets` reads the same files as uint8, an eighth of the memory, which the compiled
losses and classifiers take as they are.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

from csoftmax._native import checks
from csoftmax.cs231n._dtype import float_dtype
from csoftmax.datasets import load_cifar10, read_cifar10_batch

__all__ = ["get_CIFAR10_data", "load_CIFAR10", "load_CIFAR_batch"]

_Images = NDArray[np.float64]
_Labels = NDArray[np.int64]

#: Where the course's script puts the batches, from the notebook's folder on.
_COURSE_FOLDER = "cs231n/datasets/cifar-10-batches-py"


def load_CIFAR_batch(filename: str | PathLike[str]) -> tuple[_Images, _Labels]:
    """Read one batch of CIFAR-10.

    Parameters
    ----------
    filename : path
        An official batch, python or binary. No code in it runs.

    Returns
    -------
    X : (N, 32, 32, 3) float64, values 0..255
    Y : (N,) int64

    Raises
    ------
    FileNotFoundError, ValueError
        For a file that is missing or not such a batch; names it.

    See Also
    --------
    load_CIFAR10 : All batches.
    csoftmax.datasets.read_cifar10_batch : As bytes.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "data_batch_1.bin")
    ...     _ = path.write_bytes(bytes([7]) + bytes([255]) * 3072)
    ...     X, Y = load_CIFAR_batch(path)
    >>> print(X.shape, X.dtype, X.max(), Y)
    (1, 32, 32, 3) float64 255.0 [7]
    """
    pixels, labels = read_cifar10_batch(filename)
    return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1), np.float64), labels


def load_CIFAR10(ROOT: str | PathLike[str]) -> tuple[_Images, _Labels, _Images, _Labels]:
    """Read all of CIFAR-10; 1.5 GB in float64.

    Parameters
    ----------
    ROOT : path
        What `csoftmax.datasets.load_cifar10` takes: the folder of the official batches.

    Returns
    -------
    Xtr : (50000, 32, 32, 3) float64, values 0..255
    Ytr : (50000,) int64
    Xte, Yte : the same of the 10000 test images

    Raises
    ------
    FileNotFoundError, ValueError
        For a batch that is missing or foreign; names it.

    See Also
    --------
    get_CIFAR10_data : Split as in the notebooks.
    csoftmax.datasets.load_cifar10 : As bytes.

    Examples
    --------
    >>> Xtr, Ytr, Xte, Yte = load_CIFAR10("cifar-10-batches-py")  # doctest: +SKIP
    >>> Xtr.shape, Xte.shape  # doctest: +SKIP
    ((50000, 32, 32, 3), (10000, 32, 32, 3))
    """
    data = load_cifar10(ROOT)
    images = (-1, 32, 32, 3)
    X_train = data.X_train.reshape(images).astype(np.float64)
    X_test = data.X_test.reshape(images).astype(np.float64)
    y_test = cast(_Labels, data.y_test)  # a Dataset may lack it, CIFAR-10 does not
    return X_train, data.y_train, X_test, y_test


def get_CIFAR10_data(
    num_training: int = 49000,
    num_validation: int = 1000,
    num_test: int = 1000,
    subtract_mean: bool = True,
    *,
    cifar10_dir: str | PathLike[str] = _COURSE_FOLDER,
    dtype: DTypeLike = np.float64,
) -> dict[str, NDArray[Any]]:
    """CIFAR-10 as the notebooks on networks take it: (N, 3, 32, 32), without the mean image.

    Parameters
    ----------
    num_training, num_validation : int
        The first images for training, and those after them.
    num_test : int
        The first of the test images.
    subtract_mean : bool
        Subtract the mean image of training from all.
    cifar10_dir : path
        What `csoftmax.datasets.load_cifar10` takes. By default where the course's own script has
        put the batches, from the current folder on.
    dtype : float32 or float64
        float64, as in the course, takes 1.2 GB, float32 half of it.

    Returns
    -------
    dict
        "X_train", "X_val", "X_test": (N, 3, 32, 32); "y_train", "y_val", "y_test": (N,) int64.

    Raises
    ------
    FileNotFoundError, ValueError
        For batches that are missing or foreign, and for more images than there are.

    See Also
    --------
    load_CIFAR10 : Before the split.
    csoftmax.datasets.load : Other data sets.

    Examples
    --------
    >>> data = get_CIFAR10_data()  # doctest: +SKIP
    >>> data["X_train"].shape, data["y_val"].shape  # doctest: +SKIP
    ((49000, 3, 32, 32), (1000,))
    """
    n_train = checks.integer("num_training", num_training, 1)
    n_val = checks.integer("num_validation", num_validation, 0)
    n_test = checks.integer("num_test", num_test, 0)
    kind = float_dtype(dtype)
    if not Path(cifar10_dir).exists():
        raise FileNotFoundError(
            f"there is no {cifar10_dir} in {Path.cwd()}: wanted the batches of CIFAR-10 there, or "
            "cifar10_dir= with the folder that has them"
        )
    data = load_cifar10(cifar10_dir)
    if n_train + n_val > len(data.X_train):
        raise ValueError(
            f"num_training and num_validation are {n_train} and {n_val}: "
            f"wanted at most {len(data.X_train)} together"
        )
    X_test, y_test = cast(NDArray[Any], data.X_test), cast(_Labels, data.y_test)
    if n_test > len(X_test):
        raise ValueError(f"num_test is {n_test}: wanted at most {len(X_test)}")
    train, val = slice(n_train), slice(n_train, n_train + n_val)
    pixels = {"train": data.X_train[train], "val": data.X_train[val], "test": X_test[:n_test]}
    labels = {"train": data.y_train[train], "val": data.y_train[val], "test": y_test[:n_test]}
    mean = pixels["train"].mean(axis=0) if subtract_mean else np.zeros(3072)
    mean = mean.astype(kind)
    found = {f"X_{name}": _planes(images, mean) for name, images in pixels.items()}
    return found | {f"y_{name}": of_images.copy() for name, of_images in labels.items()}


def _planes(pixels: NDArray[Any], mean: NDArray[Any]) -> NDArray[Any]:
    """Images without the mean, a plane for each colour, in the mean's dtype."""
    planes = np.empty((len(pixels), 3, 32, 32), mean.dtype)
    images = pixels.reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2)
    np.subtract(images, mean.reshape(32, 32, 3).transpose(2, 0, 1), out=planes)
    return planes
