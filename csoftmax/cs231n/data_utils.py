"""CIFAR-10 as the course's notebooks want it: float64 images, height, width, channel.

`csoftmax.datasets` reads the same files as uint8, an eighth of the memory, which the compiled
losses and classifiers take as they are.
"""

from os import PathLike
from typing import cast

import numpy as np
from numpy.typing import NDArray

from csoftmax.datasets import load_cifar10, read_cifar10_batch

__all__ = ["load_CIFAR10", "load_CIFAR_batch"]

_Images = NDArray[np.float64]
_Labels = NDArray[np.int64]


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
