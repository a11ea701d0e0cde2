"""idx files, the format of MNIST."""

import math
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from csoftmax.datasets._dataset import Dataset
from csoftmax.datasets._files import brief, check_file, check_folder, read_at_most, unzipped

# The third byte of an idx file -> its element type; all are big-endian.
DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MAX_DIMS = 32  # as many as every NumPy has

_WANTED_IDX = (
    "an idx file: two zero bytes, a type byte (08, 09, 0b, 0c, 0d or 0e), the number of "
    "dimensions, their sizes, and as many values"
)
_PARTS = {"train": "train", "test": "t10k"}
_WANTED = (
    "the folder of MNIST with train-images-idx3-ubyte, train-labels-idx1-ubyte, "
    "t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each plain or .gz"
)


def load_idx(path: str | PathLike[str]) -> NDArray[np.generic]:
    """Read the array of one idx file, plain or gzip'd.

    Parameters
    ----------
    path : path
        The contents tell whether the file is gzip'd.

    Returns
    -------
    ndarray
        Of the file's shape; uint8, int8, int16, int32, float32 or float64 in the machine's
        byte order.

    Raises
    ------
    FileNotFoundError, ValueError
        For a missing, truncated, damaged or foreign file, or one with bytes after its values:
        names it and says what was wanted.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from csoftmax.datasets import load_idx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "labels-idx1-ubyte")
    ...     _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]))
    ...     load_idx(path)
    array([5, 0, 4], dtype=uint8)
    """
    path = check_file(path, _WANTED_IDX)
    with unzipped(path, _WANTED_IDX) as stream:
        start = stream.read(4)
        if not is_idx(start):
            raise ValueError(f"{path} starts with {brief(start)}: wanted {_WANTED_IDX}")
        dtype, n_dims = np.dtype(DTYPES[start[2]]), start[3]
        sizes = stream.read(4 * n_dims)
        if len(sizes) < 4 * n_dims:
            raise ValueError(f"{path} ends within its header: wanted {_WANTED_IDX}")
        shape = tuple(np.frombuffer(sizes, ">u4").tolist())
        n_bytes = math.prod(shape) * dtype.itemsize
        data = read_at_most(stream, n_bytes + 1)
    if len(data) != n_bytes:
        seen = "more" if len(data) > n_bytes else f"only {len(data)}"
        raise ValueError(
            f"{path} should have {n_bytes} bytes of values for shape {shape}, but has {seen}: "
            f"wanted {_WANTED_IDX}"
        )
    try:
        values = np.frombuffer(data, dtype).reshape(shape)
    except ValueError as error:  # sizes of which one is 0 and the others are too many
        raise ValueError(f"{path} has shape {brief(shape)}: wanted {_WANTED_IDX}") from error
    return values.astype(dtype.newbyteorder("="), copy=False)


def is_idx(start: bytes) -> bool:
    """Tell whether the first four bytes are those of an idx file."""
    return (
        len(start) >= 4
        and start[:2] == b"\0\0"
        and start[2] in DTYPES
        and 1 <= start[3] <= _MAX_DIMS
    )


def mnist_file(folder: Path, part: str, kind: str) -> Path | None:
    """Find one of the four files (part train or t10k, kind images or labels), or None."""
    ending = "idx3-ubyte" if kind == "images" else "idx1-ubyte"
    names = (f"{part}-{kind}{sep}{ending}{gz}" for gz in ("", ".gz") for sep in "-.")
    return next((folder / name for name in names if (folder / name).is_file()), None)


def has_mnist(folder: Path) -> bool:
    """Tell whether a folder has any of the four files."""
    return any(mnist_file(folder, p, k) for p in _PARTS.values() for k in ("images", "labels"))


def load_mnist(folder: str | PathLike[str]) -> Dataset:
    """MNIST, or another set in the same four idx files (Fashion-MNIST, EMNIST).

    Parameters
    ----------
    folder : path
        With ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte`` and the same two of
        ``t10k``, each plain or ``.gz``. Where both are there, the plain one is read.

    Returns
    -------
    Dataset
        uint8; ``image_shape`` is that of the files, (28, 28). Classes are named by their number.

    Raises
    ------
    FileNotFoundError, ValueError
        For a missing, truncated or foreign file: names it and says what was wanted.

    Examples
    --------
    >>> from csoftmax.datasets import load_mnist
    >>> data = load_mnist("mnist")                 # doctest: +SKIP
    >>> data.X_train.shape, data.image_shape       # doctest: +SKIP
    ((60000, 784), (28, 28))
    """
    folder = check_folder(folder, _WANTED)
    images, labels = _part(folder, _PARTS["train"])
    test_images, test_labels = _part(folder, _PARTS["test"])
    n_classes = 1 + max(int(labels.max()), int(test_labels.max()))
    try:
        return Dataset(
            "MNIST",
            images.reshape(len(images), -1),
            labels,
            test_images.reshape(len(test_images), -1),
            test_labels,
            tuple(str(c) for c in range(n_classes)),
            images.shape[1:],
        )
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from error


def _part(folder: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    arrays = []
    for kind, n_dims in (("images", 3), ("labels", 1)):
        path = mnist_file(folder, part, kind)
        if path is None:
            raise FileNotFoundError(f"{folder} has no file of {part} {kind}: wanted {_WANTED}")
        array = load_idx(path)
        if array.dtype != np.uint8 or array.ndim != n_dims or not array.size:
            raise ValueError(
                f"{path} holds {array.dtype} of shape {array.shape}: "
                f"wanted uint8 in {n_dims} dimensions"
            )
        arrays.append(array)
    if len(arrays[0]) != len(arrays[1]):
        raise ValueError(
            f"{folder} has {len(arrays[0])} {part} images, but {len(arrays[1])} {part} labels"
        )
    return arrays[0].astype(np.uint8, copy=False), arrays[1].astype(np.int64)
