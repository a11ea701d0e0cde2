"""What scikit-learn reads for us: its own digits, and svmlight files."""

import zlib
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from csoftmax.datasets._dataset import Dataset
from csoftmax.datasets._files import check_file, check_folder

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


def load_svmlight(path: str | PathLike[str], test: str | PathLike[str] | None = None) -> Dataset:
    r"""Read svmlight (libsvm) text, one file or a train and a test file, as sparse rows.

    Parameters
    ----------
    path : path
        The file to train on, or a folder with one such file or pair. A file ``NAME.train.svm``
        takes ``NAME.test.svm`` beside it as its test part, ``NAME`` takes ``NAME.t``, as the
        LIBSVM collection names them. Files that end in .gz or .bz2 are unzipped.
    test : path, optional
        The test file, where it has another name.

    Returns
    -------
    Dataset
        float64 CSR matrices with the same columns. Labels, which may be any numbers, become
        0..C-1 in increasing order, ``class_names`` are the labels as the file has them.

    Raises
    ------
    ImportError
        Where scikit-learn is missing.
    FileNotFoundError, ValueError
        For a missing, truncated or foreign file, or a folder with several: names it and says
        what was wanted.

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
    path = Path(path)
    if path.is_dir():
        path = _only_file(check_folder(path, _WANTED))
    path = check_file(path, _WANTED)
    test_path = _test_file(path) if test is None else check_file(test, _WANTED)
    paths = [path] if test_path is None else [path, test_path]
    read = _sklearn_datasets("svmlight files").load_svmlight_files
    matrices, labels = _read(paths, read)
    classes = np.unique(np.concatenate(labels))
    numbers = [np.searchsorted(classes, y).astype(np.int64) for y in labels]
    try:
        return Dataset(
            dataset_name(path),
            matrices[0],
            numbers[0],
            None if test_path is None else matrices[1],
            None if test_path is None else numbers[1],
            tuple(str(int(c)) if c.is_integer() else repr(c) for c in classes.tolist()),
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}: wanted {_WANTED}") from error


def train_files(folder: Path) -> list[Path]:
    """Return the svmlight files of a folder, test parts left out."""
    files = [path for path in sorted(folder.iterdir()) if _bare(path).endswith(SUFFIXES)]
    tests = {_test_file(path) for path in files}
    return [path for path in files if path not in tests and path.is_file()]


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
    return other if other.is_file() else None


def _only_file(folder: Path) -> Path:
    files = train_files(folder)
    if len(files) == 1:
        return files[0]
    if not files:
        raise ValueError(f"{folder} has no file {', '.join(SUFFIXES)}: wanted {_WANTED}")
    raise ValueError(f"{folder} has several: {', '.join(map(str, files))}: name one of them")


def _read(paths: list[Path], read: Any) -> tuple[list[Any], list[Any]]:
    """Read the files together, for common columns; where that fails, find the one at fault."""
    # Damaged zips raise the first three, text of another kind the others.
    errors = (EOFError, OSError, zlib.error, ValueError, OverflowError)
    try:
        flat = read([str(path) for path in paths])
    except errors as error:
        for path in paths:
            try:
                read([str(path)])
            except errors as own:
                raise ValueError(f"{path} is not svmlight ({own}): wanted {_WANTED}") from own
        names = " and ".join(map(str, paths))
        raise ValueError(f"{names} do not fit each other ({error}): wanted {_WANTED}") from error
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
        raise ImportError(
            f"scikit-learn reads {purpose}: install it with pip install 'csoftmax[sklearn]'"
        ) from error
    return datasets
