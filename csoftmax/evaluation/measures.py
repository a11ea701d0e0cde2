"""Counting what comes of predictions, block by block."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax.evaluation.results import Bin, ClassScores, Evaluation, Example

Array = npt.NDArray[Any]
Index = npt.NDArray[np.int64]

BINS = 10  # of the calibration curve
EXAMPLES = 8  # rows of each kind that are kept
MOST_CONFUSED = 1000  # classes, for which a confusion matrix takes 8 MB


class Measures:
    """Count right and wrong predictions, in memory that does not grow with the number of rows.

    Parameters
    ----------
    classes : (C,) array_like
        The labels, in the order of the columns of the probabilities: a model's `classes_`.

    Raises
    ------
    ValueError
        For classes that are not one-dimensional, none, or twice there.

    See Also
    --------
    Evaluation : What it comes to.
    page : Shows it.
    csoftmax.plot.ConfusionDisplay : A picture of the counts.

    Examples
    --------
    >>> from csoftmax.evaluation import Measures
    >>> measures = Measures(["cat", "dog"])
    >>> measures.add(["cat", "dog"], [[0.9, 0.1], [0.2, 0.8]])
    >>> measures.add(["dog", "dog"], [[0.7, 0.3], [0.5, 0.5]])
    >>> evaluation = measures.evaluation()
    >>> evaluation.n_rows, evaluation.accuracy, round(evaluation.log_loss, 3)
    (4, 0.5, 0.556)
    >>> evaluation.confusion
    array([[1, 0],
           [2, 1]])
    """

    def __init__(self, classes: npt.ArrayLike) -> None:
        self._labels = _Labels(classes)
        n_classes = len(self._labels.classes)
        self._rows = self._rows_predicted = 0
        self._right, self._support, self._predicted = np.zeros((3, n_classes), np.int64)
        self._confusion = None
        if n_classes <= MOST_CONFUSED:
            self._confusion = np.zeros((n_classes, n_classes), np.int64)
        self._loss = 0.0
        self._bins = np.zeros((3, BINS))  # rows, sum of confidences, rows that are right
        self._kept: dict[tuple[bool, bool], list[tuple[float, int, Example]]] = {
            (certain, right): [] for certain in (True, False) for right in (True, False)
        }

    def add(self, labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> None:
        """Count rows with a probability for each class. The most likely class is the prediction.

        Parameters
        ----------
        labels : (n,) array_like
            The right classes.
        probabilities : (n, C) array_like
            As `predict_proba` returns them.

        Raises
        ------
        ValueError
            For labels that are not among the classes, for probabilities that are NaN, outside of
            0 to 1 or do not sum to 1, for shapes that do not agree, and after `add_predicted`.
            Nothing is counted then.
        """
        if self._rows_predicted:
            raise ValueError("rows were added without probabilities: wanted all of them without")
        true = self._labels.index("labels", labels, self._rows)
        P = self._checked(probabilities, len(true))
        predicted = P.argmax(axis=1)
        rows = np.arange(len(true))
        confidence, of_label = P[rows, predicted], P[rows, true]
        right = predicted == true
        with np.errstate(divide="ignore"):
            self._loss -= float(np.log(of_label).sum())
        place = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], confidence)
        for total, weights in zip(self._bins, (None, confidence, right), strict=True):
            total += np.bincount(place, weights, BINS)
        for certain, is_right in self._kept:
            self._keep(certain, is_right, right, confidence, of_label, true, predicted)
        self._count(true, predicted)

    def add_predicted(self, labels: npt.ArrayLike, predicted: npt.ArrayLike) -> None:
        """Count rows whose predictions have no probabilities, as those of a linear SVM.

        Parameters
        ----------
        labels, predicted : (n,) array_like
            The right classes, and those predicted.

        Raises
        ------
        ValueError
            For labels that are not among the classes, lengths that do not agree, and after `add`.
            Nothing is counted then.
        """
        if self._rows > self._rows_predicted:
            raise ValueError("rows were added with probabilities: wanted all of them with")
        true = self._labels.index("labels", labels, self._rows)
        found = self._labels.index("predicted", predicted, self._rows)
        if len(found) != len(true):
            raise ValueError(
                f"predicted has {len(found)} rows: wanted {len(true)}, one for each label"
            )
        self._count(true, found)
        self._rows_predicted = self._rows

    def evaluation(self) -> Evaluation:
        """Return the measures of all rows so far.

        Returns
        -------
        Evaluation

        Raises
        ------
        ValueError
            Where no row was added.
        """
        if not self._rows:
            raise ValueError("no rows were added: wanted at least one")
        right, support, predicted = self._right, self._support, self._predicted
        precision, recall = _share(right, predicted), _share(right, support)
        f1 = _share(2 * right, support + predicted)
        columns = (precision, recall, f1, support, predicted)
        has_probabilities = not self._rows_predicted
        bins = self._curve() if has_probabilities else None
        kept = {kind: tuple(each for *_, each in rows) for kind, rows in self._kept.items()}
        return Evaluation(
            n_rows=self._rows,
            accuracy=int(right.sum()) / self._rows,
            balanced_accuracy=float(recall[support > 0].mean()),
            log_loss=self._loss / self._rows if has_probabilities else None,
            per_class=tuple(
                ClassScores(*row)
                for row in zip(self._labels.names, *(c.tolist() for c in columns), strict=True)
            ),
            confusion=None if self._confusion is None else self._confusion.copy(),
            bins=bins,
            calibration_error=None
            if bins is None
            else sum(b.rows * abs(b.accuracy - b.confidence) for b in bins if b.rows) / self._rows,
            certain_right=kept[True, True],
            certain_wrong=kept[True, False],
            uncertain_right=kept[False, True],
            uncertain_wrong=kept[False, False],
        )

    def _checked(self, probabilities: npt.ArrayLike, n_rows: int) -> Array:
        """The probabilities in float64, if they are such."""
        proba = np.asarray(probabilities)
        shape = n_rows, len(self._labels.classes)
        if proba.shape != shape:
            raise ValueError(
                f"probabilities have shape {proba.shape}: wanted {shape}, a row for each label and "
                "a column for each class"
            )
        if proba.dtype.kind not in "fiub":
            raise ValueError(f"probabilities have dtype {proba.dtype}: wanted numbers")
        # of the dtype in which the sums were made equal to 1
        tolerance = float(np.finfo(proba.dtype).eps ** 0.5) if proba.dtype.kind == "f" else 0.0
        proba, most = proba.astype(np.float64, copy=False), 1 + tolerance
        good = (proba >= 0) & (proba <= most)
        if not good.all():
            row = self._rows + int(np.argmin(good.all(axis=1)))
            value = proba[~good][0]
            raise ValueError(f"row {row} of probabilities holds {value:g}: wanted 0 to 1")
        sums = proba.sum(axis=1)
        bad = np.flatnonzero(np.abs(sums - 1) > tolerance)
        if bad.size:
            row = self._rows + bad[0]
            raise ValueError(f"row {row} of probabilities sums to {sums[bad[0]]:g}: wanted 1")
        return proba

    def _count(self, true: Index, predicted: Index) -> None:
        n_classes = len(self._labels.classes)
        self._support += np.bincount(true, minlength=n_classes)
        self._predicted += np.bincount(predicted, minlength=n_classes)
        self._right += np.bincount(true[true == predicted], minlength=n_classes)
        if self._confusion is not None:
            np.add.at(self._confusion, (true, predicted), 1)
        self._rows += len(true)

    def _keep(
        self,
        certain: bool,
        is_right: bool,
        right: npt.NDArray[np.bool_],
        confidence: Array,
        of_label: Array,
        true: Index,
        predicted: Index,
    ) -> None:
        """Keep the first rows of one kind: of equal ones, those that came first."""
        kept = self._kept[certain, is_right]
        key = -confidence if certain else confidence
        rows = np.flatnonzero(right == is_right)
        if len(kept) == EXAMPLES:
            rows = rows[key[rows] < kept[-1][0]]
        names = self._labels.names
        for row in rows[np.argsort(key[rows], kind="stable")[:EXAMPLES]].tolist():
            example = Example(
                self._rows + row,
                names[true[row]],
                names[predicted[row]],
                float(confidence[row]),
                float(of_label[row]),
            )
            kept.append((float(key[row]), example.row, example))
        kept.sort(key=lambda each: each[:2])
        del kept[EXAMPLES:]

    def _curve(self) -> tuple[Bin, ...]:
        rows, confidence, right = self._bins
        edges = np.linspace(0, 1, BINS + 1).tolist()
        return tuple(
            Bin(low, high, int(n), float(c / n) if n else np.nan, float(r / n) if n else np.nan)
            for low, high, n, c, r in zip(
                edges[:-1], edges[1:], rows, confidence, right, strict=True
            )
        )


class _Labels:
    """The classes, and which of them a label is."""

    def __init__(self, classes: npt.ArrayLike) -> None:
        self.classes = np.asarray(classes)
        if self.classes.ndim != 1 or not self.classes.size:
            raise ValueError(f"classes have shape {self.classes.shape}: wanted (C,), at least one")
        self.names: list[Any] = self.classes.tolist()
        self._places = {label: k for k, label in enumerate(self.names)}
        if len(self._places) < len(self.names):
            twice = next(label for k, label in enumerate(self.names) if self._places[label] != k)
            raise ValueError(f"classes hold {twice!r} twice: wanted each once")
        if self.classes.dtype != object:
            self._order = np.argsort(self.classes)
            self._sorted = self.classes[self._order]

    def index(self, name: str, labels: npt.ArrayLike, first_row: int) -> Index:
        """Return the place of each label among the classes."""
        array = np.asarray(labels)
        if array.ndim != 1:
            raise ValueError(f"{name} has shape {array.shape}: wanted (n,)")
        if not array.size:
            return np.zeros(0, np.int64)
        if "O" in (array.dtype.kind, self.classes.dtype.kind):
            found = np.array([self._places.get(label, -1) for label in array.tolist()], np.int64)
            known = found >= 0
        else:
            if (array.dtype.kind in "US") != (self.classes.dtype.kind in "US"):
                raise ValueError(
                    f"{name} has dtype {array.dtype}, the classes {self.classes.dtype}: wanted the "
                    "same kind"
                )
            place = np.searchsorted(self._sorted, array).clip(max=len(self._sorted) - 1)
            found, known = self._order[place], self._sorted[place] == array
        if not known.all():
            row = int(np.argmin(known))
            raise ValueError(
                f"row {first_row + row} of {name} is {array.tolist()[row]!r}, which is not among "
                f"the {len(self.classes)} classes"
            )
        return found


def _share(part: Index, whole: Index) -> npt.NDArray[np.float64]:
    """Divide; 0 where there is nothing to divide by."""
    return np.where(whole > 0, part / np.maximum(whole, 1), 0.0)
