"""CIFAR-10 as its authors publish it: python batches, binary batches, the tar.gz of either."""

import tarfile
from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from csoftmax.datasets._dataset import Dataset
from csoftmax.datasets._files import brief, check_file, read_at_most, unzipped
from csoftmax.datasets._unpickle import read_pickle

CLASS_NAMES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
SUBFOLDERS = ("cifar-10-batches-py", "cifar-10-batches-bin")
TRAIN = tuple(f"data_batch_{i}" for i in range(1, 6))
STEMS = (*TRAIN, "test_batch")

_PIXELS = 3072  # 3 channels of 32 x 32
_RECORD = 1 + _PIXELS  # a label before its pixels
# An official batch has 31 MB. The limits keep a file that claims to be one from filling memory.
_MAX_BATCH = 1 << 26
_MAX_ARCHIVE = 1 << 29

_WANTED_BATCH = (
    "a CIFAR-10 batch: a pickled dict with data (uint8, N x 3072) and labels (N in 0..9), "
    "or binary records of 3073 bytes"
)
_WANTED = (
    "the folder or tar.gz of CIFAR-10 with data_batch_1 to data_batch_5 and test_batch "
    "(python), or the same with .bin (binary)"
)

_Batch = tuple[NDArray[np.uint8], NDArray[np.int64]]


def read_cifar10_batch(path: str | PathLike[str]) -> _Batch:
    """Read one official CIFAR-10 batch, python or binary.

    A python batch is a pickle, but unpickling one does not run code: only the dict, lists,
    strings, integers and uint8 array that official batches contain are read, and anything else
    is refused before it has an effect. Protocols 2 to 5, keys as str or bytes.

    Parameters
    ----------
    path : path
        Such as ``data_batch_1`` or ``data_batch_1.bin``. The contents tell which kind it is.

    Returns
    -------
    pixels : (N, 3, 32, 32) uint8
        Channel, height, width, as the file has them. A view of the bytes read; read-only.
    labels : (N,) int64
        In 0..9.

    Raises
    ------
    FileNotFoundError, ValueError
        For a missing, truncated, hostile or foreign file: names it and says what was wanted.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from csoftmax.datasets import read_cifar10_batch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "data_batch_1.bin")
    ...     _ = path.write_bytes(bytes([7]) + bytes(3072))
    ...     pixels, labels = read_cifar10_batch(path)
    >>> pixels.shape, labels
    ((1, 3, 32, 32), array([7]))
    """
    path = check_file(path, _WANTED_BATCH)
    with path.open("rb") as stream:
        return _parse(read_at_most(stream, _MAX_BATCH + 1), str(path))


def load_cifar10(path: str | PathLike[str]) -> Dataset:
    """CIFAR-10: 50000 train and 10000 test images of 32 x 32 in colour, ten classes.

    Parameters
    ----------
    path : path
        A folder with the six batches, python or binary; a folder that holds it as
        ``cifar-10-batches-py`` or ``cifar-10-batches-bin``; or the published tar.gz of either,
        which is read in memory, nothing is written to disk. Where a folder has both kinds, the
        python batches are read: the images are the same.

    Returns
    -------
    Dataset
        uint8, rows in the order height, width, channel; ``image_shape`` (32, 32, 3). Needs
        memory for the images (184 MB) and for two batches more (62 MB).

    Raises
    ------
    FileNotFoundError, ValueError
        For a missing, truncated, hostile or foreign file, and for batches of unequal length:
        names it and says what was wanted.

    Examples
    --------
    >>> from csoftmax.datasets import load_cifar10
    >>> data = load_cifar10("cifar-10-python.tar.gz")    # doctest: +SKIP
    >>> data.X_train.shape, data.X_test.shape            # doctest: +SKIP
    ((50000, 3072), (10000, 3072))
    """
    path = Path(path)
    if path.is_dir():
        return _assemble(_from_folder(path), path)
    path = check_file(path, _WANTED)
    return _assemble(_from_archive(path), path)


def batch_names(folder: Path) -> list[str]:
    """Return the names of the CIFAR-10 batches in a folder."""
    names = [*STEMS, *(f"{stem}.bin" for stem in STEMS)]
    return [name for name in names if (folder / name).is_file()]


def _from_folder(folder: Path) -> Iterator[tuple[str, _Batch]]:
    places = (folder, *(folder / name for name in SUBFOLDERS))
    found = next((place for place in places if batch_names(place)), None)
    if found is None:
        raise ValueError(f"{folder} has no CIFAR-10 batches: wanted {_WANTED}")
    names = batch_names(found)
    suffix = ".bin" if all(name.endswith(".bin") for name in names) else ""
    for stem in STEMS:
        yield stem, read_cifar10_batch(found / f"{stem}{suffix}")


class _Bounded:
    """A stream that ends in an error where an archive unpacks to more than CIFAR-10 can be."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream, self.left = stream, _MAX_ARCHIVE

    def read(self, n_bytes: int) -> bytes:
        data = self.stream.read(n_bytes)
        self.left -= len(data)
        if self.left < 0:
            raise tarfile.ReadError(f"it unpacks to more than {_MAX_ARCHIVE} bytes")
        return data


def _from_archive(path: Path) -> Iterator[tuple[str, _Batch]]:
    for name, data in _members(path):
        yield name.removesuffix(".bin"), _parse(data, f"{path}, {name}")


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and contents of the batches in a tar, in the archive's order."""
    with unzipped(path, _WANTED) as stream:
        bounded = _Bounded(stream)
        try:
            # "r|" reads the archive once from front to back: a seek in gzip starts again.
            with tarfile.open(fileobj=cast(Any, bounded), mode="r|") as archive:
                for member in archive:
                    name = PurePosixPath(member.name).name
                    if name.removesuffix(".bin") in STEMS and member.isreg():
                        yield name, _contents(archive, member)
            while bounded.read(1 << 20):  # to the end, where gzip keeps its checksum
                pass
        # A malformed header raises any of these, according to the field.
        except (tarfile.TarError, ValueError, ArithmeticError, LookupError) as error:
            raise ValueError(f"{path} is not a whole tar ({error}): wanted {_WANTED}") from error


def _contents(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    name = PurePosixPath(member.name).name
    if member.size > _MAX_BATCH:
        raise tarfile.ReadError(f"{name} has {member.size} bytes")
    file = archive.extractfile(member)
    data = file.read() if file is not None else b""
    if len(data) != member.size:
        raise tarfile.ReadError(f"{name} is cut short")
    return data


def _parse(data: bytes | bytearray, where: str) -> _Batch:
    if len(data) > _MAX_BATCH:
        raise ValueError(f"{where} has more than {_MAX_BATCH} bytes: wanted {_WANTED_BATCH}")
    # A binary record starts with its label, 0 to 9, a pickle with the opcode PROTO.
    pixels, labels = _parse_pickle(data, where) if data[:1] == b"\x80" else _parse_bin(data, where)
    bad = np.flatnonzero((labels < 0) | (labels > 9))
    if bad.size:
        raise ValueError(
            f"{where} has label {labels[bad[0]]} at record {bad[0]}: wanted {_WANTED_BATCH}"
        )
    return pixels.reshape(-1, 3, 32, 32), labels


def _parse_bin(data: bytes | bytearray, where: str) -> _Batch:
    if not data or len(data) % _RECORD:
        raise ValueError(
            f"{where} has {len(data)} bytes and starts with {brief(bytes(data[:12]))}, neither a "
            f"pickle nor whole records of {_RECORD} bytes: wanted {_WANTED_BATCH}"
        )
    records = np.frombuffer(memoryview(data).toreadonly(), np.uint8).reshape(-1, _RECORD)
    return records[:, 1:], records[:, 0].astype(np.int64)


def _parse_pickle(data: bytes | bytearray, where: str) -> _Batch:
    try:
        batch = read_pickle(data)
    except ValueError as error:
        raise ValueError(f"{where} is refused ({error}): wanted {_WANTED_BATCH}") from error
    pixels, labels = batch.get("data"), batch.get("labels")
    if not isinstance(pixels, np.ndarray) or not isinstance(labels, list):
        raise ValueError(f"{where} has the keys {brief(sorted(batch))}: wanted {_WANTED_BATCH}")
    if pixels.shape != (len(labels), _PIXELS):
        raise ValueError(
            f"{where} has data of shape {pixels.shape} and {len(labels)} labels: "
            f"wanted {_WANTED_BATCH}"
        )
    # -1 stands for what is not a number of a class, so that such a label is named like others.
    classes = (label if type(label) is int and 0 <= label <= 9 else -1 for label in labels)
    return pixels, np.fromiter(classes, np.int64, len(labels))


def _assemble(batches: Iterable[tuple[str, _Batch]], path: Path) -> Dataset:
    """Put the batches into place as they come, so that they are never all held twice."""
    n_rows = 0
    seen: set[str] = set()
    for stem, (pixels, labels) in batches:
        if not seen:
            n_rows = len(labels)
            X, y = np.empty((6 * n_rows, 32, 32, 3), np.uint8), np.empty(6 * n_rows, np.int64)
        if stem in seen:
            raise ValueError(f"{path} has {stem} twice: wanted {_WANTED}")
        # At the end of a record a truncated binary batch shows by its length alone.
        if len(labels) != n_rows:
            raise ValueError(
                f"{path}: {stem} has {len(labels)} images, but other batches have {n_rows}: "
                "wanted six batches of the same length"
            )
        seen.add(stem)
        start = STEMS.index(stem) * n_rows
        X[start : start + n_rows] = pixels.transpose(0, 2, 3, 1)
        y[start : start + n_rows] = labels
    missing = [stem for stem in STEMS if stem not in seen]
    if missing:
        raise ValueError(f"{path} lacks {', '.join(missing)}: wanted {_WANTED}")
    rows, n = X.reshape(len(X), _PIXELS), 5 * n_rows
    return Dataset("CIFAR-10", rows[:n], y[:n], rows[n:], y[n:], CLASS_NAMES, (32, 32, 3))
