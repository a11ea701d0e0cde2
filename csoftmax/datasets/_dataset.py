"""What every reader returns, the check that it is whole, and how labels become class numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csoftmax._html import few, table


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows with labels, in a train and perhaps a test part.

    Attributes
    ----------
    name : str
        What the set is called in titles and tables.
    X_train : (N, D) ndarray or SciPy CSR matrix
        uint8 for images, each row in the order height, width, channel, so that
        ``row.reshape(image_shape)`` is a picture. svmlight files give float64 CSR.
    y_train : (N,) int64 ndarray
        Class numbers in 0..C-1. Where a source does not name its classes, they are the labels
        that occur in it, in increasing order.
    X_test, y_test : as above, or None
        None where the set has no test part of its own.
    class_names : tuple of str
        The C names; class ``c`` is called ``class_names[c]``: the source's names, or else its
        labels.
    image_shape : tuple of int, or None
        (height, width) or (height, width, channels); None where rows are not images.

    Raises
    ------
    ValueError
        On construction, where the parts do not fit each other: lengths, number of features,
        labels outside 0..C-1, an image shape of another size than a row.

    See Also
    --------
    load : Makes one of any known files.

    Examples
    --------
    >>> import numpy as np
    >>> from csoftmax.datasets import Dataset
    >>> X = np.zeros((3, 4), np.uint8)
    >>> data = Dataset("tiny", X, np.array([0, 1, 1]), None, None, ("no", "yes"), (2, 2))
    >>> data
    Dataset('tiny': 3 rows of 4 uint8, images of 2 x 2; 2 classes: no, yes)
    >>> data.X_train[0].reshape(data.image_shape).shape
    (2, 2)
    """

    name: str
    X_train: Any
    y_train: NDArray[np.int64]
    X_test: Any
    y_test: NDArray[np.int64] | None
    class_names: tuple[str, ...]
    image_shape: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        _check(self)

    def __repr__(self) -> str:
        n_test = "" if self.y_test is None else f" + {len(self.y_test)}"
        images = f", {self._images}" if self.image_shape else ""
        n_classes = len(self.class_names)
        return (
            f"Dataset({self.name!r}: {len(self.y_train)}{n_test} rows of {self._row}{images}; "
            f"{n_classes} class{'' if n_classes == 1 else 'es'}: {few(self.class_names)})"
        )

    def _repr_html_(self) -> str:
        rows = [("training rows", f"{len(self.y_train)} of {self._row}")]
        if self.y_test is not None:
            rows.append(("test rows", f"{len(self.y_test)}"))
        if self.image_shape:
            rows.append(("images", self._images.removeprefix("images of ")))
        counts = np.bincount(self.y_train, minlength=len(self.class_names)).tolist()
        named = [f"{name} ({n})" for name, n in zip(self.class_names, counts, strict=True)]
        rows.append((f"{len(named)} classes (training rows)", few(named, 20)))
        return table(self.name, rows)

    @property
    def _row(self) -> str:
        X = self.X_train
        kind = "" if isinstance(X, np.ndarray) else f"sparse {getattr(X, 'format', '')} "
        return f"{X.shape[1]} {kind}{X.dtype}"

    @property
    def _images(self) -> str:
        return f"images of {' x '.join(map(str, self.image_shape or ()))}"


def _check(data: Dataset) -> None:
    if not data.class_names:
        raise ValueError("class_names is empty: wanted one name a class")
    _check_part(data.X_train, data.y_train, "train", len(data.class_names))
    n_features = data.X_train.shape[1]
    if data.image_shape is not None and math.prod(data.image_shape) != n_features:
        raise ValueError(
            f"image_shape {data.image_shape} has {math.prod(data.image_shape)} values, "
            f"but a row of X_train has {n_features}"
        )
    if (data.X_test is None) != (data.y_test is None):
        missing = "X_test" if data.X_test is None else "y_test"
        raise ValueError(f"{missing} is missing: wanted both X_test and y_test, or neither")
    if data.y_test is None:
        return
    _check_part(data.X_test, data.y_test, "test", len(data.class_names))
    if data.X_test.shape[1] != n_features:
        raise ValueError(f"X_test has {data.X_test.shape[1]} columns, but X_train has {n_features}")


def _check_part(X: Any, y: NDArray[np.int64], part: str, n_classes: int) -> None:
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(f"X_{part} has shape {X.shape}: wanted (N, D) with N and D at least 1")
    if y.ndim != 1 or y.dtype != np.int64:
        raise ValueError(f"y_{part} is {y.dtype} of shape {y.shape}: wanted int64 of shape (N,)")
    if len(y) != X.shape[0]:
        raise ValueError(f"y_{part} has {len(y)} labels, but X_{part} has {X.shape[0]} rows")
    check_labels(y, f"y_{part}", n_classes)


def check_labels(y: NDArray[Any], name: str, n_classes: int) -> None:
    """Refuse integers that are not all in 0..n_classes - 1."""
    bad = np.flatnonzero((y < 0) | (y >= n_classes))
    if bad.size:
        raise ValueError(
            f"{name}[{bad[0]}] is {y[bad[0]]}: wanted a class number in 0..{n_classes - 1}"
        )


def number_classes(
    labels: Sequence[NDArray[Any]],
) -> tuple[list[NDArray[np.int64]], tuple[str, ...]]:
    """Number the labels that occur in any of the arrays 0..C-1, in increasing order.

    This is the rule of all readers for labels without names: numbers from 0 stay as they are where
    none is left out, and no class is there that has no row. Returns the class numbers, and the
    labels as the names of the classes.
    """
    # As Python's numbers, which compare right also where uint64 meets int64.
    found = [np.unique(y, return_inverse=True) for y in labels]
    classes = sorted({label for values, _ in found for label in values.tolist()})
    position = {label: number for number, label in enumerate(classes)}
    numbers = [
        np.array([position[label] for label in values.tolist()], np.int64)[inverse]
        for values, inverse in found
    ]
    return numbers, tuple(str(int(c)) if c == int(c) else repr(c) for c in classes)
