"""load(): find out what a path holds and give it to the reader for it."""

import re
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import NoReturn

from csoftmax.datasets._arrays import NPY_MAGIC, ZIP_MAGIC, has_npy, load_npy, load_npz
from csoftmax.datasets._cifar10 import (
    CLASS_NAMES,
    batch_names,
    load_cifar10,
    read_cifar10_batch,
)
from csoftmax.datasets._dataset import Dataset
from csoftmax.datasets._files import START, brief, check_file, start_of
from csoftmax.datasets._idx import has_mnist, is_idx, load_mnist
from csoftmax.datasets._sklearn import load_digits, load_svmlight, train_files

_WANTED = (
    "'digits', or the path of CIFAR-10 (folder or tar.gz), MNIST (folder of idx files), "
    "an svmlight file, an npz file, or a folder of npy files"
)
_NUMBER = rb"[-+]?[\d.]+(e[-+]?\d+)?"
_SVMLIGHT_LINE = re.compile(rb"%b(\s+qid:\d+)?(\s+\d+:%b)*" % (_NUMBER, _NUMBER), re.I)


def load(source: str | PathLike[str]) -> Dataset:
    """Load a data set, whichever of the known kinds it is.

    Parameters
    ----------
    source : str or path
        ``"digits"``: scikit-learn's digits, which need no file. Else the path of a file or folder
        that the contents (of a file) or the names (in a folder) tell to be one of

        - CIFAR-10: the folder of the python or binary batches, its tar.gz, or a single batch,
        - MNIST: the folder of its four idx files,
        - svmlight: a file, with its test file beside it (`load_svmlight`),
        - npz: a file (`load_npz`),
        - npy: a folder (`load_npy`),

        or a folder that holds exactly one of these. Where it holds none, the folders directly
        below are looked at.

    Returns
    -------
    Dataset
        See `Dataset`.

    Raises
    ------
    FileNotFoundError, ValueError
        For a path that does not exist, holds none or several of these, or a truncated or
        foreign file: names it and says what was wanted.
    ImportError
        For digits and svmlight where scikit-learn is missing.
    TypeError
        Where source is neither a str nor a path.

    Examples
    --------
    >>> from csoftmax.datasets import load
    >>> data = load("digits")
    >>> data.name, data.X_train.shape, data.class_names[3]
    ('digits', (1797, 64), '3')
    """
    if not isinstance(source, str | PathLike):
        raise TypeError(f"source is {type(source).__name__}: wanted {_WANTED}")
    if source == "digits":
        return load_digits()
    path = Path(source)
    if path.is_dir():
        return _load_folder(path)
    path = check_file(path, _WANTED)
    return _load_file(path)


def _load_folder(folder: Path) -> Dataset:
    found = _known(folder)
    if not found:
        for below in sorted(path for path in folder.iterdir() if path.is_dir()):
            found += _known(below)
    if not found:
        raise ValueError(f"{folder} holds no data set of a known kind: wanted {_WANTED}")
    if len(found) > 1:
        paths = ", ".join(str(path) for path, _ in found)
        raise ValueError(f"{folder} holds several data sets: {paths}: name one of them")
    path, reader = found[0]
    return reader(path)


def _known(folder: Path) -> list[tuple[Path, Callable[[Path], Dataset]]]:
    """List the data sets in a folder, without those in folders below it."""
    found: list[tuple[Path, Callable[[Path], Dataset]]] = []
    if batch_names(folder):
        found.append((folder, load_cifar10))
    if has_mnist(folder):
        found.append((folder, load_mnist))
    if has_npy(folder):
        found.append((folder, load_npy))
    found += [(path, load_svmlight) for path in train_files(folder)]
    found += [(path, load_npz) for path in sorted(folder.glob("*.npz"))]
    found += [(path, load_cifar10) for path in sorted(folder.glob("cifar-10-*.tar*"))]
    return found


def _load_file(path: Path) -> Dataset:
    start = start_of(path, _WANTED)
    if start.startswith(ZIP_MAGIC):
        return load_npz(path)
    if start[257:262] == b"ustar":
        return load_cifar10(path)
    if start.startswith(b"\x80") or path.suffix == ".bin":  # binary records have no mark
        return _load_batch(path)
    if is_idx(start):
        _refuse(path, "one idx array", "the folder of the four idx files of MNIST, or load_idx")
    if start.startswith(NPY_MAGIC):
        _refuse(path, "one npy array", "a folder with X_train.npy and y_train.npy, or an npz file")
    if _is_svmlight(start) or start.startswith(b"BZh"):
        return load_svmlight(path)
    _refuse(path, f"no known kind, it starts with {brief(start[:16])}", _WANTED)


def _refuse(path: Path, seen: str, wanted: str) -> NoReturn:
    raise ValueError(f"{path} holds {seen}: wanted {wanted}")


def _load_batch(path: Path) -> Dataset:
    pixels, labels = read_cifar10_batch(path)
    X = pixels.transpose(0, 2, 3, 1).reshape(len(labels), -1)
    return Dataset(f"CIFAR-10 {path.name}", X, labels, None, None, CLASS_NAMES, (32, 32, 3))


def _is_svmlight(start: bytes) -> bool:
    lines = start.splitlines()
    if len(start) == START:  # it may end within a line
        lines[-1] = lines[-1].rpartition(b" ")[0]
    texts = [text for line in lines if (text := line.partition(b"#")[0].strip())]
    return any(b":" in text for text in texts) and all(map(_SVMLIGHT_LINE.fullmatch, texts))
