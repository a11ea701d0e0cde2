"""CIFAR-10 and CIFAR-100 as their authors publish them: python, binary, the tar.gz of either."""

from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from csoftmax.datasets._cifar_files import CIFAR10, CIFAR100, PIXELS, Batch, Kind, parse
from csoftmax.datasets._dataset import Dataset
from csoftmax.datasets._files import (
    MAX_BYTES,
    check_file,
    check_growth,
    check_max_bytes,
    read_at_most,
    reading,
    unzipped,
)
from csoftmax.datasets._tar import files

_IMAGE = (32, 32, 3)


def read_cifar10_batch(
    path: str | PathLike[str], *, max_bytes: int = MAX_BYTES
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read one official CIFAR-10 batch, python or binary.

    A python batch is a pickle, but unpickling one does not run code: only the dict, lists,
    strings, integers and uint8 array that official batches contain are read, and anything else
    is refused before it has an effect. Protocols 2 to 5, keys as str or bytes.

    Parameters
    ----------
    path : path
        Such as ``data_batch_1`` or ``data_batch_1.bin``. The contents tell which kind it is.
    max_bytes : int
        The most that the file may have; an official one has 31 MB.

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

    See Also
    --------
    load_cifar10 : All batches.
    csoftmax.cs231n.data_utils.load_CIFAR_batch : As floats, as in the course.

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
    _, (pixels, labels) = _read(Path(path), CIFAR10, check_max_bytes(max_bytes))
    return pixels.reshape(-1, 3, 32, 32), labels["labels"]


def load_cifar10(path: str | PathLike[str], *, max_bytes: int = MAX_BYTES) -> Dataset:
    """CIFAR-10: 50000 train and 10000 test images of 32 x 32 in colour, ten classes.

    Parameters
    ----------
    path : path
        A folder with the six batches, python or binary; a folder that holds it as
        ``cifar-10-batches-py`` or ``cifar-10-batches-bin``; or the published tar.gz of either,
        which is read in memory, nothing is written to disk. Where a folder has both kinds, the
        python batches are read: the images are the same.
    max_bytes : int
        The most that a tar.gz may unpack to, and that one batch may have; the official archives
        have 185 MB.

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

    See Also
    --------
    load_cifar100 : The same images with 100 classes.
    read_cifar10_batch : One of its files.
    csoftmax.cs231n.data_utils.load_CIFAR10 : As floats, as in the course.

    Examples
    --------
    >>> from csoftmax.datasets import load_cifar10
    >>> data = load_cifar10("cifar-10-python.tar.gz")    # doctest: +SKIP
    >>> data.X_train.shape, data.X_test.shape            # doctest: +SKIP
    ((50000, 3072), (10000, 3072))
    """
    return _load(Path(path), CIFAR10, "labels", check_max_bytes(max_bytes))


def load_cifar100(
    path: str | PathLike[str],
    *,
    labels: Literal["fine", "coarse"] = "fine",
    max_bytes: int = MAX_BYTES,
) -> Dataset:
    """CIFAR-100: 50000 train and 10000 test images of 32 x 32 in colour.

    Parameters
    ----------
    path : path
        A folder with ``train`` and ``test`` (python) or ``train.bin`` and ``test.bin`` (binary); a
        folder that holds it as ``cifar-100-python`` or ``cifar-100-binary``; or the published
        tar.gz of either. Else as `load_cifar10`: python goes first, and no code in a pickle runs.
    labels : {"fine", "coarse"}
        The 100 classes, or the 20 groups of five that they form.
    max_bytes : int
        As in `load_cifar10`; the official archives have 185 MB, a train file 155 MB.

    Returns
    -------
    Dataset
        As `load_cifar10`, with the classes' official names.

    Raises
    ------
    FileNotFoundError, ValueError
        As `load_cifar10`, and for other ``labels``.

    See Also
    --------
    load_cifar10 : With 10 classes.
    load : Finds out which format it is.

    Examples
    --------
    >>> from csoftmax.datasets import load_cifar100
    >>> data = load_cifar100("cifar-100-python.tar.gz", labels="coarse")    # doctest: +SKIP
    >>> data.class_names[data.y_train[0]]                                   # doctest: +SKIP
    'large_omnivores_and_herbivores'
    """
    if labels not in ("fine", "coarse"):
        raise ValueError(f"labels is {labels!r}: wanted 'fine' or 'coarse'")
    return _load(Path(path), CIFAR100, f"{labels}_labels", check_max_bytes(max_bytes))


def load_archive(path: Path, *, max_bytes: int) -> Dataset:
    """Read the tar of either set, whichever it is; fine labels."""
    members = _members(path, (CIFAR10, CIFAR100), max_bytes)
    first = next(members, None)
    if first is None:
        wanted = f"{CIFAR10.wanted}; or {CIFAR100.wanted}"
        raise ValueError(f"{path} has no batch of CIFAR-10 or CIFAR-100: wanted {wanted}")
    kind = CIFAR100 if first[0] in CIFAR100.stems else CIFAR10
    return _assemble(kind, _finest(kind), _parsed(path, kind, chain([first], members)), path)


def load_one(path: Path, *, max_bytes: int) -> Dataset:
    """Read a single file of either set as a train part; fine labels."""
    kind, (pixels, labels) = _read(path, None, max_bytes)
    X = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).reshape(-1, PIXELS)
    key = _finest(kind)
    name = f"{kind.title} {path.name}"
    return Dataset(name, X, labels[key], None, None, kind.labels[key], _IMAGE)


def cifar_kinds(folder: Path) -> list[Kind]:
    """List the sets, of the two, of which a folder has files by their names."""
    return [kind for kind in (CIFAR10, CIFAR100) if _suffixes(folder, kind, marked=True)]


def _finest(kind: Kind) -> str:
    return list(kind.labels)[-1]


def _suffixes(folder: Path, kind: Kind, *, marked: bool) -> list[str]:
    """List the endings, "" (python) and ".bin", with which a folder has files of a set.

    marked: only where a file lies there that shows that the names mean this set.
    """
    return [
        suffix
        for number, suffix in enumerate(("", ".bin"))
        if any((folder / f"{stem}{suffix}").exists() for stem in kind.stems)
        and (not marked or kind.marks is None or (folder / kind.marks[number]).exists())
    ]


def _load(path: Path, kind: Kind, key: str, max_bytes: int) -> Dataset:
    if path.is_dir():
        return _assemble(kind, key, _from_folder(path, kind, max_bytes), path)
    path = check_file(path, kind.wanted)
    members = _members(path, (kind,), max_bytes)
    return _assemble(kind, key, _parsed(path, kind, members), path)


def _read(path: Path, kind: Kind | None, max_bytes: int) -> tuple[Kind, Batch]:
    wanted = (kind or CIFAR10).wanted_file
    path = check_file(path, wanted)
    with reading(path, wanted), path.open("rb") as stream:
        data = read_at_most(stream, max_bytes + 1)
        check_growth(len(data), max_bytes)
    return parse(data, str(path), kind)


def _from_folder(folder: Path, kind: Kind, max_bytes: int) -> Iterator[tuple[str, Batch]]:
    places = (folder, *(folder / name for name in kind.subfolders))
    found = [(place, _suffixes(place, kind, marked=False)) for place in places]
    place, suffixes = next((there for there in found if there[1]), (folder, []))
    if not suffixes:
        raise ValueError(f"{folder} has no {kind.title} batches: wanted {kind.wanted}")
    for stem in kind.stems:
        yield stem, _read(place / f"{stem}{suffixes[0]}", kind, max_bytes)[1]


def _members(
    path: Path, kinds: Collection[Kind], max_bytes: int
) -> Iterator[tuple[str, bytearray]]:
    """Yield stem and contents of the batches in a tar, in the archive's order."""
    names = {stem + suffix for kind in kinds for stem in kind.stems for suffix in ("", ".bin")}
    wanted = "; or ".join(kind.wanted for kind in kinds)
    with reading(path, wanted), unzipped(path, max_bytes) as stream:
        for name, data in files(stream, names):
            yield name.removesuffix(".bin"), data


def _parsed(
    path: Path, kind: Kind, members: Iterable[tuple[str, bytearray]]
) -> Iterator[tuple[str, Batch]]:
    for stem, data in members:
        if stem in kind.stems:
            yield stem, parse(data, f"{path}, {stem}", kind)[1]


def _assemble(kind: Kind, key: str, batches: Iterable[tuple[str, Batch]], path: Path) -> Dataset:
    """Put the batches into place as they come, so that they are never all held twice."""
    *train, test = kind.stems
    parts: dict[str, tuple[NDArray[np.uint8], NDArray[np.int64]]] = {}
    n_rows: dict[str, int] = {}
    for stem, (pixels, labels) in batches:
        y = labels[key]
        if stem in n_rows:
            raise ValueError(f"{path} has {stem} twice: wanted {kind.wanted}")
        # At the end of a record a truncated binary batch shows by its length alone.
        other = next(iter(n_rows.values()), len(y))
        if len(train) > 1 and len(y) != other:
            raise ValueError(
                f"{path}: {stem} has {len(y)} images, but other batches have {other}: "
                "wanted six batches of the same length"
            )
        n_rows[stem] = len(y)
        part, at = ("test", 0) if stem == test else ("train", train.index(stem))
        if part not in parts:
            n = len(y) * (len(train) if part == "train" else 1)
            parts[part] = np.empty((n, *_IMAGE), np.uint8), np.empty(n, np.int64)
        rows = slice(at * len(y), (at + 1) * len(y))
        parts[part][0][rows] = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        parts[part][1][rows] = y
    missing = [stem for stem in kind.stems if stem not in n_rows]
    if missing:
        raise ValueError(f"{path} lacks {', '.join(missing)}: wanted {kind.wanted}")
    (X, y), (X_test, y_test) = (
        (images.reshape(len(images), PIXELS), y) for images, y in (parts["train"], parts["test"])
    )
    return Dataset(kind.title, X, y, X_test, y_test, kind.labels[key], _IMAGE)
