"""What scikit-learn reads for us: its own digits, and svmlight files."""

from collections.abc import Iterator
from contextlib import ExitStack
from os import PathLike
from pathlib import Path
from typing import IO, Any

import numpy as np

from csoftmax.datasets._dataset import Dataset, number_classes
from csoftmax.datasets._files import (
    DAMAGE,
    MAX_BYTES,
    brief,
    check_file,
    check_folder,
    check_max_bytes,
    reading,
    refusal,
    unzipped,
)

SUFFIXES = (".svm", ".svmlight", ".libsvm")
_ZIPPED = (".gz", ".bz2")

_WANTED = (
    "svmlight text, 'label feature:value feature:value ...' with one label a line, "
    "plain, .gz or .bz2"
)


def load_digits() -> Dataset:
    """Scikit-learn's digits: 1797 images of 8 x 8, ten classes, no test part.

    They come with scikit-learn, so nothing is downloaded.

    Returns
    -------
    Dataset
        uint8 in 0..16, ``image_shape`` (8, 8), ``X_test`` and ``y_test`` None.

    Raises
    ------
    ImportError
        Where scikit-learn is missing.

    See Also
    --------
    load_mnist : The larger images.
    load : Takes these by ``"digits"``.

    Examples
    --------
    >>> from csoftmax.datasets import load_digits
    >>> data = load_digits()
    >>> data.X_train.shape, data.X_train.dtype, data.X_test is None
    ((1797, 64), dtype('uint8'), True)
    """
    digits = _sklearn_datasets("digits").load_digits()
    X, y = digits.data.astype(np.uint8), digits.target.astype(np.int64)
    return Dataset("digits", X, y, None, None, tuple(map(str, range(10))), (8, 8))


def load_svmlight(
    path: str | PathLike[str],
    test: str | PathLike[str] | None = None,
    *,
    max_bytes: int = MAX_BYTES,
) -> Dataset:
    r"""Read svmlight (libsvm) text, one file or a train and a test file, as sparse rows.

    Parameters
    ----------
    path : path
        The file to train on, or a folder with one such file or pair. A file ``NAME.train.svm``
        takes ``NAME.test.svm`` beside it as its test part, ``NAME`` takes ``NAME.t``, as the
        LIBSVM collection names them. gzip and bz2 are unzipped; the contents tell.
    test : path, optional
        The test file, where it has another name.
    max_bytes : int
        The most that a zipped file may grow to.

    Returns
    -------
    Dataset
        float64 CSR matrices with the same columns. The labels that occur, which may be any
        numbers, become 0..C-1 in increasing order, and ``class_names`` are the labels.

    Raises
    ------
    ImportError
        Where scikit-learn is missing.
    FileNotFoundError, ValueError
        For a missing, truncated or foreign file (with the line at fault), one that grows too
        large, or a folder with several: names it and says what was wanted.

    See Also
    --------
    load : Finds out which format it is.
    csoftmax.SoftmaxClassifier : Takes CSR as it is.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from csoftmax.datasets import load_svmlight
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "tiny.svm")
    ...     _ = path.write_text("-1 1:0.5 4:2\n+1 2:1\n")
    ...     data = load_svmlight(path)
    >>> data.X_train.shape, data.y_train, data.class_names
    ((2, 4), array([0, 1]), ('-1', '1'))
    """
    max_bytes = check_max_bytes(max_bytes)
    path = Path(path)
    if path.is_dir():
        path = _only_file(check_folder(path, _WANTED))
    path = check_file(path, _WANTED)
    test_path = _test_file(path) if test is None else Path(test)
    paths = [path] if test_path is None else [path, check_file(test_path, _WANTED)]
    read = _sklearn_datasets("svmlight files").load_svmlight_files
    matrices, labels = _read(paths, max_bytes, read)
    numbers, class_names = number_classes(labels)
    X_test, y_test = (matrices[1], numbers[1]) if len(paths) == 2 else (None, None)
    with reading(path, _WANTED):
        return Dataset(dataset_name(path), matrices[0], numbers[0], X_test, y_test, class_names)


def train_files(folder: Path) -> list[Path]:
    """Return the svmlight files of a folder, test parts left out."""
    files = [path for path in sorted(folder.iterdir()) if is_named_svmlight(path)]
    tests = {_test_file(path) for path in files}
    return [path for path in files if path not in tests and not path.is_dir()]


def is_named_svmlight(path: Path) -> bool:
    """Tell whether a file's name says that it is svmlight."""
    return _bare(path).endswith(SUFFIXES)


def dataset_name(path: Path) -> str:
    """Return the file name without the endings that say format and part."""
    name = _bare(path)
    for suffix in (*SUFFIXES, ".train"):
        name = name.removesuffix(suffix)
    return name


def _bare(path: Path) -> str:
    return path.stem if path.suffix in _ZIPPED else path.name


def _test_file(path: Path) -> Path | None:
    """Return the file that holds the test part by its name, where it exists."""
    bare, zipped = _bare(path), path.name[len(_bare(path)) :]
    head, dot_train, suffix = bare.rpartition(".train")
    by_name = f"{head}.test{suffix}" if dot_train and suffix in ("", *SUFFIXES) else f"{bare}.t"
    other = path.with_name(by_name + zipped)
    return other if other.exists() else None


def _only_file(folder: Path) -> Path:
    files = train_files(folder)
    if len(files) == 1:
        return files[0]
    if not files:
        raise ValueError(f"{folder} has no file {', '.join(SUFFIXES)}: wanted {_WANTED}")
    raise ValueError(f"{folder} has several: {', '.join(map(str, files))}: name one of them")


class _Lines:
    """The lines of a file, counted, so that an error can name the one at fault."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream, self.number, self.line, self.ended = stream, 0, b"", False

    def read(self, n_bytes: int) -> bytes:
        """Stand for a file: scikit-learn looks for this, and then takes lines."""
        return self.stream.read(n_bytes)

    def __iter__(self) -> Iterator[bytes]:
        for line in self.stream:
            self.number, self.line = self.number + 1, line
            yield line
        self.ended = True

    def where(self, path: Path) -> str:
        """Say where reading stopped."""
        text = brief(self.line.rstrip(b"\r\n"))
        return f"{path}, line {self.number}, {text}" if self.number else str(path)


def _read(paths: list[Path], max_bytes: int, read: Any) -> tuple[list[Any], list[Any]]:
    """Read the files together, for common columns."""
    sources: list[_Lines] = []
    with ExitStack() as files:
        try:
            for path in paths:
                sources.append(_Lines(files.enter_context(unzipped(path, max_bytes))))
            flat = read(sources)
        except (*DAMAGE, OSError) as error:
            stopped = [s.where(p) for p, s in zip(paths, sources, strict=False) if not s.ended]
            unopened = list(map(str, paths[len(sources) :]))
            where = [*unopened, *stopped, " and ".join(map(str, paths))][0]
            raise refusal(error, where, _WANTED) from error
    for path, y in zip(paths, flat[1::2], strict=True):
        if not np.isfinite(y).all():
            raise ValueError(f"{path} has a label that is not finite: wanted {_WANTED}")
    if not any(X.nnz for X in flat[::2]):
        raise ValueError(f"{paths[0]} has no feature in any line: wanted {_WANTED}")
    return flat[::2], flat[1::2]


def _sklearn_datasets(purpose: str) -> Any:
    try:
        from sklearn import datasets
    except ImportError as error:
        raise ImportError(f"scikit-learn reads {purpose}: pip install scikit-learn") from error
    return datasets
