"""idx files, the format of MNIST and of the sets made after it."""

import math
import re
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from csoftmax.datasets._dataset import Dataset, number_classes
from csoftmax.datasets._files import (
    MAX_BYTES,
    brief,
    check_file,
    check_max_bytes,
    read_at_most,
    reading,
    unzipped,
)

# The third byte of an idx file -> its element type; all are big-endian.
DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MAX_DIMS = 32  # as many as every NumPy has

_WANTED_IDX = (
    "an idx file: two zero bytes, a type byte (08, 09, 0b, 0c, 0d or 0e), the number of "
    "dimensions, their sizes, and as many values"
)
# "" is MNIST's own prefix; EMNIST has a set for each of its splits in one folder.
_NAME = re.compile(
    r"(|emnist-(?:byclass|bymerge|balanced|letters|digits|mnist)-)(train|t10k|test)-"
    r"(images|labels)[-.]idx[13]-ubyte(?:\.gz)?"
)
_WANTED = (
    "the folder of MNIST with train-images-idx3-ubyte, train-labels-idx1-ubyte, "
    "t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, or EMNIST's "
    "emnist-letters-train-images-idx3-ubyte and so on, each plain or .gz"
)


def load_idx(path: str | PathLike[str], *, max_bytes: int = MAX_BYTES) -> NDArray[np.generic]:
    """Read the array of one idx file, plain or gzip'd.

    Parameters
    ----------
    path : path
        The contents tell whether the file is gzip'd.
    max_bytes : int
        The most that a gzip'd file may grow to.

    Returns
    -------
    ndarray
        Of the file's shape; uint8, int8, int16, int32, float32 or float64 in the machine's
        byte order.

    Raises
    ------
    FileNotFoundError, ValueError
        For a missing, truncated, damaged or foreign file, one with bytes after its values, or
        one that grows too large: names it and says what was wanted.

    See Also
    --------
    load_mnist : The four files of a data set.

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
    max_bytes = check_max_bytes(max_bytes)
    path = check_file(path, _WANTED_IDX)
    with reading(path, _WANTED_IDX), unzipped(path, max_bytes) as stream:
        start = stream.read(4)
        if not is_idx(start):
            raise ValueError(f"it starts with {brief(start)}")
        dtype, n_dims = np.dtype(DTYPES[start[2]]), start[3]
        sizes = stream.read(4 * n_dims)
        if len(sizes) < 4 * n_dims:
            raise ValueError("it ends within its header")
        shape = tuple(np.frombuffer(sizes, ">u4").tolist())
        n_bytes = math.prod(shape) * dtype.itemsize
        data = read_at_most(stream, n_bytes + 1)
        if len(data) != n_bytes:
            seen = "more" if len(data) > n_bytes else f"only {len(data)}"
            raise ValueError(
                f"it should have {n_bytes} bytes of values for shape {brief(shape)}, but has {seen}"
            )
        try:
            values = np.frombuffer(data, dtype).reshape(shape)
        except ValueError as error:  # sizes of which one is 0 and the others are too many
            raise ValueError(f"it has shape {brief(shape)}") from error
        return values.astype(dtype.newbyteorder("="), copy=False)


def is_idx(start: bytes) -> bool:
    """Tell whether the first four bytes are those of an idx file."""
    return (
        len(start) >= 4
        and start[:2] == b"\0\0"
        and start[2] in DTYPES
        and 1 <= start[3] <= _MAX_DIMS
    )


def mnist_sets(folder: Path) -> dict[str, Path]:
    """Find the sets of four idx files in a folder: {prefix: the file of its train images}."""
    found = (_NAME.fullmatch(path.name) for path in folder.iterdir())
    prefixes = sorted({match[1] for match in found if match})
    return {prefix: _file(folder, prefix, "train", "images") for prefix in prefixes}


def mnist_prefix(path: Path) -> str | None:
    """Return the prefix of the set that a file of train images stands for, or None."""
    match = _NAME.fullmatch(path.name)
    return match[1] if match and match.group(2, 3) == ("train", "images") else None


def load_mnist(path: str | PathLike[str], *, max_bytes: int = MAX_BYTES) -> Dataset:
    """MNIST, or another set in four such idx files: Fashion-MNIST, EMNIST.

    Parameters
    ----------
    path : path
        A folder with ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte`` and the same two of
        ``t10k``, each plain or ``.gz``; where both are there, the plain one is read. Or with
        EMNIST's files, ``emnist-letters-train-images-idx3-ubyte``,
        ``emnist-letters-test-images-idx3-ubyte`` and so on, of any of its splits. Where a folder
        has several sets, the path of a set's train images.
    max_bytes : int
        The most that a gzip'd file may grow to.

    Returns
    -------
    Dataset
        uint8; ``image_shape`` is that of the files, (28, 28). The labels that occur become 0..C-1
        in increasing order, and ``class_names`` are the labels: EMNIST's letters have the 26
        classes "1" to "26". EMNIST's images are transposed, as its files have them.

    Raises
    ------
    FileNotFoundError, ValueError
        For a missing, truncated or foreign file: names it and says what was wanted.

    See Also
    --------
    load_idx : One file.
    load : Finds out which format it is.

    Examples
    --------
    >>> from csoftmax.datasets import load_mnist
    >>> data = load_mnist("mnist")                 # doctest: +SKIP
    >>> data.X_train.shape, data.image_shape       # doctest: +SKIP
    ((60000, 784), (28, 28))
    """
    max_bytes = check_max_bytes(max_bytes)
    folder, prefix = _find(Path(path))
    images, labels = _part(folder, prefix, "train", max_bytes)
    test_images, test_labels = _part(folder, prefix, "test" if prefix else "t10k", max_bytes)
    with reading(folder, _WANTED):
        (y_train, y_test), class_names = number_classes([labels, test_labels])
        return Dataset(
            prefix.strip("-").replace("-", " ").replace("emnist", "EMNIST") or "MNIST",
            images.reshape(len(images), -1),
            y_train,
            test_images.reshape(len(test_images), -1),
            y_test,
            class_names,
            images.shape[1:],
        )


def _find(path: Path) -> tuple[Path, str]:
    """Return the folder and the prefix of the set that a path stands for."""
    if not path.is_dir():
        path = check_file(path, _WANTED)
        prefix = mnist_prefix(path)
        if prefix is None:
            raise ValueError(
                f"{path} is not a folder, nor a set's train images by its name: wanted {_WANTED}"
            )
        return path.parent, prefix
    sets = mnist_sets(path)
    if len(sets) > 1:
        names = ", ".join(map(str, sets.values()))
        raise ValueError(f"{path} holds several data sets: {names}: name one of them")
    return path, next(iter(sets), "")


def _file(folder: Path, prefix: str, part: str, kind: str) -> Path:
    """Return the path of one of the four files: as it is there, or as it should be."""
    ending = "idx3-ubyte" if kind == "images" else "idx1-ubyte"
    names = [f"{prefix}{part}-{kind}{sep}{ending}{gz}" for gz in ("", ".gz") for sep in "-."]
    paths = [folder / name for name in names]
    return next((path for path in paths if path.exists()), paths[0])


def _part(
    folder: Path, prefix: str, part: str, max_bytes: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    arrays = []
    for kind, n_dims in (("images", 3), ("labels", 1)):
        path = _file(folder, prefix, part, kind)
        if not path.exists():
            raise FileNotFoundError(f"{folder} has no file of {part} {kind}: wanted {_WANTED}")
        array = load_idx(path, max_bytes=max_bytes)
        if array.dtype != np.uint8 or array.ndim != n_dims or not array.size:
            raise ValueError(
                f"{path} holds {array.dtype} of shape {array.shape}: "
                f"wanted uint8 in {n_dims} dimensions"
            )
        arrays.append(array.astype(np.uint8, copy=False))
    if len(arrays[0]) != len(arrays[1]):
        raise ValueError(
            f"{folder} has {len(arrays[0])} {part} images, but {len(arrays[1])} {part} labels"
        )
    return arrays[0], arrays[1]
