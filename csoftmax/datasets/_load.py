"""load(): find out what a path holds and give it to the reader for it."""

import re
from collections.abc import Callable
from functools import partial
from os import PathLike
from pathlib import Path
from typing import NoReturn

from csoftmax.datasets._arrays import NPY_MAGIC, ZIP_MAGIC, has_npy, load_npy, load_npz
from csoftmax.datasets._cifar import (
    cifar_kinds,
    load_archive,
    load_cifar10,
    load_cifar100,
    load_one,
)
from csoftmax.datasets._cifar_files import CIFAR10
from csoftmax.datasets._dataset import Dataset
from csoftmax.datasets._files import (
    MAX_BYTES,
    START,
    brief,
    check_file,
    check_max_bytes,
    reading,
    start_of,
)
from csoftmax.datasets._idx import is_idx, load_mnist, mnist_prefix, mnist_sets
from csoftmax.datasets._sklearn import (
    is_named_svmlight,
    load_digits,
    load_svmlight,
    train_files,
)

_WANTED = (
    "'digits', or the path of CIFAR-10 or CIFAR-100 (folder or tar.gz), MNIST or EMNIST (folder "
    "of idx files), an svmlight file, an npz file, or a folder of npy files"
)
_NUMBER = rb"[-+]?[\d.]+(e[-+]?\d+)?"
_SVMLIGHT_LINE = re.compile(rb"%b(\s+qid:\d+)?(\s+\d+:%b)*" % (_NUMBER, _NUMBER), re.I)


def load(source: str | PathLike[str], *, max_bytes: int = MAX_BYTES) -> Dataset:
    """Load a data set, whichever of the known kinds it is.

    Parameters
    ----------
    source : str or path
        ``"digits"``: scikit-learn's digits, which need no file. Else the path of a file or folder
        that the contents (of a file) or the names (in a folder) tell to be one of

        - CIFAR-10, CIFAR-100 (fine labels): the folder of the python or binary batches, its
          tar.gz, or a single batch,
        - MNIST: the folder of its four idx files; EMNIST, or several such sets in a folder: the
          file of the train images (`load_mnist`),
        - svmlight: a file, with its test file beside it (`load_svmlight`),
        - npz: a file (`load_npz`),
        - npy: a folder (`load_npy`),

        or a folder that holds exactly one of these. Where it holds none, the folders directly
        below are looked at.
    max_bytes : int
        The most that a compressed file may grow to; also that a batch of CIFAR may have.

    Returns
    -------
    Dataset
        See `Dataset`.

    Raises
    ------
    FileNotFoundError, ValueError
        For a path that does not exist, holds none or several of these, or a truncated or
        foreign file, or one that grows too large: names it and says what was wanted.
    ImportError
        For digits and svmlight where scikit-learn is missing.
    TypeError
        Where source is neither a str nor a path.

    See Also
    --------
    load_npz : One of its formats, as is each `load_...` here.
    Dataset : What comes back.

    Examples
    --------
    >>> from csoftmax.datasets import load
    >>> data = load("digits")
    >>> data.name, data.X_train.shape, data.class_names[3]
    ('digits', (1797, 64), '3')
    """
    if not isinstance(source, str | PathLike):
        raise TypeError(f"source is {type(source).__name__}: wanted {_WANTED}")
    max_bytes = check_max_bytes(max_bytes)
    if source == "digits":
        return load_digits()
    path = Path(source)
    if path.is_dir():
        return _load_folder(path, max_bytes)
    return _load_file(check_file(path, _WANTED), max_bytes)


def _load_folder(folder: Path, max_bytes: int) -> Dataset:
    with reading(folder, _WANTED):
        found = _known(folder, max_bytes)
        if not found:
            for below in sorted(path for path in folder.iterdir() if path.is_dir()):
                found += _known(below, max_bytes)
    if not found:
        raise ValueError(f"{folder} holds no data set of a known kind: wanted {_WANTED}")
    if len(found) > 1:
        paths = ", ".join(str(path) for path, _ in found)
        raise ValueError(f"{folder} holds several data sets: {paths}: name one of them")
    path, reader = found[0]
    return reader(path)


def _known(folder: Path, max_bytes: int) -> list[tuple[Path, Callable[[Path], Dataset]]]:
    """List the data sets in a folder, without those in folders below it."""
    found: list[tuple[Path, Callable[[Path], Dataset]]] = []
    svmlight, npz, mnist, cifar10, cifar100 = (
        partial(reader, max_bytes=max_bytes)
        for reader in (load_svmlight, load_npz, load_mnist, load_cifar10, load_cifar100)
    )
    for kind in cifar_kinds(folder):
        found.append((folder, cifar10 if kind is CIFAR10 else cifar100))
    idx = list(mnist_sets(folder).values())
    found += [(folder, mnist)] if len(idx) == 1 else [(path, mnist) for path in idx]
    if has_npy(folder):
        found.append((folder, load_npy))
    found += [(path, svmlight) for path in train_files(folder)]
    found += [(path, npz) for path in sorted(folder.glob("*.npz"))]
    found += [(path, cifar10) for path in sorted(folder.glob("cifar-10-*.tar*"))]
    found += [(path, cifar100) for path in sorted(folder.glob("cifar-100-*.tar*"))]
    return found


def _load_file(path: Path, max_bytes: int) -> Dataset:
    start = start_of(path, _WANTED)
    if start.startswith(ZIP_MAGIC):
        return load_npz(path, max_bytes=max_bytes)
    if start[257:262] == b"ustar":
        return load_archive(path, max_bytes=max_bytes)
    if start.startswith(b"\x80") or path.suffix == ".bin":  # binary records have no mark
        return load_one(path, max_bytes=max_bytes)
    if is_idx(start):
        if mnist_prefix(path) is not None:
            return load_mnist(path, max_bytes=max_bytes)
        _refuse(path, "one idx array", "the folder of the four idx files of MNIST, or load_idx")
    if start.startswith(NPY_MAGIC):
        _refuse(path, "one npy array", "a folder with X_train.npy and y_train.npy, or an npz file")
    if is_named_svmlight(path) or _is_svmlight(start):
        return load_svmlight(path, max_bytes=max_bytes)
    _refuse(path, f"no known kind, it starts with {brief(start[:16])}", _WANTED)


def _refuse(path: Path, seen: str, wanted: str) -> NoReturn:
    raise ValueError(f"{path} holds {seen}: wanted {wanted}")


def _is_svmlight(start: bytes) -> bool:
    """Tell whether the first line is one, and so is one with features: all others may have errors.

    `start` may end within a line.
    """
    lines = start.splitlines()
    if len(start) == START:
        lines[-1] = lines[-1].rpartition(b" ")[0]
    texts = [text for line in lines if (text := line.partition(b"#")[0].strip())]
    are_lines = [_SVMLIGHT_LINE.fullmatch(text) for text in texts]
    return bool(texts) and bool(are_lines[0]) and any(m and b":" in m[0] for m in are_lines)
