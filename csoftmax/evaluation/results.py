"""What is known of predictions once all rows have been counted."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class ClassScores:
    """One class: of the rows taken for it, and of its own rows, how many are right.

    Attributes
    ----------
    label : object
    precision, recall, f1 : float
        0 where there is nothing to divide by, as scikit-learn has it with ``zero_division=0``.
    support, predicted : int
        Rows of this class, and rows taken for it.

    See Also
    --------
    Evaluation : Has one for each class.
    """

    label: Any
    precision: float
    recall: float
    f1: float
    support: int
    predicted: int


@dataclass(frozen=True)
class Bin:
    """Predictions of about one probability: those above `low`, up to `high`.

    `confidence` is their mean probability and `accuracy` the share that is right, NaN for no rows.

    See Also
    --------
    Evaluation : Has them in `bins`.
    csoftmax.plot.CalibrationDisplay : Draws them.
    """

    low: float
    high: float
    rows: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Example:
    """One row, counted from 0 in the order of `add`.

    `probability` is that of the predicted class, `label_probability` that of the right one.

    See Also
    --------
    Evaluation : Has the most and least certain rows.
    """

    row: int
    label: Any
    predicted: Any
    probability: float
    label_probability: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """Measures of predictions, those of `sklearn.metrics`. Made by `Measures`.

    Attributes
    ----------
    n_rows : int
    accuracy : float
    balanced_accuracy : float
        The mean recall of the classes that have rows.
    log_loss : float or None
        Mean of -log(probability of the right class): infinite where one is 0. None, as all that
        follows from probabilities, where there were none.
    per_class : tuple of ClassScores
    confusion : (C, C) int64 ndarray or None
        Rows of each class (down) and what they are taken for (across); None for many classes.
    bins : tuple of Bin or None
        The predictions by their probability, for a calibration curve.
    calibration_error : float or None
        The expected calibration error: the mean distance, over rows, of a bin's accuracy from its
        mean probability.
    certain_right, certain_wrong, uncertain_right, uncertain_wrong : tuple of Example
        The rows whose predicted class has the highest and the lowest probabilities.

    See Also
    --------
    Measures : Makes it.
    page : Shows it.
    """

    n_rows: int
    accuracy: float
    balanced_accuracy: float
    log_loss: float | None
    per_class: tuple[ClassScores, ...] = field(repr=False)
    confusion: npt.NDArray[np.int64] | None = field(repr=False)
    bins: tuple[Bin, ...] | None = field(repr=False)
    calibration_error: float | None
    certain_right: tuple[Example, ...] = field(repr=False)
    certain_wrong: tuple[Example, ...] = field(repr=False)
    uncertain_right: tuple[Example, ...] = field(repr=False)
    uncertain_wrong: tuple[Example, ...] = field(repr=False)

    @property
    def classes(self) -> tuple[Any, ...]:
        """The labels, in the order of all that is by class."""
        return tuple(scores.label for scores in self.per_class)

    @property
    def majority(self) -> float:
        """The accuracy of who always says the most frequent class."""
        return max(scores.support for scores in self.per_class) / self.n_rows

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """Where the accuracy on all such rows is, with 95 % confidence (Wilson's interval)."""
        n, p, z = self.n_rows, self.accuracy, 1.959963984540054
        middle = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return max(0.0, middle - half), min(1.0, middle + half)

    def mistakes(self, most: int) -> list[tuple[Any, Any, int]]:
        """The most frequent: label, what its rows are taken for, and how many.

        None are known where there is no confusion matrix.
        """
        if self.confusion is None:
            return []
        counts = self.confusion.copy()
        np.fill_diagonal(counts, 0)
        order = np.argsort(-counts, axis=None, kind="stable")[:most]
        found = zip(*np.unravel_index(order, counts.shape), strict=True)
        classes = self.classes
        return [(classes[i], classes[j], int(counts[i, j])) for i, j in found if counts[i, j]]

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON has it: lists, and None for what is no finite number.

        Labels that JSON does not have become their text.
        """
        names = [name for name in self.__dataclass_fields__ if name != "confusion"]
        content = {name: getattr(self, name) for name in names}
        for name, value in content.items():
            if isinstance(value, tuple):
                content[name] = [asdict(item) for item in value]
        content["accuracy_interval"] = list(self.accuracy_interval)
        content["majority"] = self.majority
        content["confusion"] = None if self.confusion is None else self.confusion.tolist()
        plain: dict[str, Any] = _plain(content)
        return plain


def _plain(value: Any) -> Any:
    """Return what JSON has."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)
