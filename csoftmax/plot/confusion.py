"""Which class is taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from csoftmax.plot.drawing import MAX_TEXTS, Display, heat_map, name_ticks
from csoftmax.plot.models import labels, names_of, numbered, same_kind

Array = NDArray[Any]

Normalize: TypeAlias = Literal["true", "pred", "all"]

CHARACTERS = 40  #: of all names, that stand side by side
#: what counts may be divided by: the axis of the sum, and what a share then is one of
SHARES = {
    "true": (1, "of the rows of a class"),
    "pred": (0, "of the rows that are predicted as a class"),
    "all": (None, "of all rows"),
}


class ConfusionDisplay(Display):
    """How many rows of each class are predicted as which class.

    Parameters
    ----------
    counts : (C, C) array_like
        Rows of class i that are predicted as class j.
    class_names : sequence of str, optional

    Attributes
    ----------
    figure_, ax_, axes_
        After `plot`.

    See Also
    --------
    CalibrationDisplay : How far the probabilities are to be trusted.
    sklearn.metrics.ConfusionMatrixDisplay : The same of scikit-learn, for few classes.

    Notes
    -----
    Colours are always shares, so that rare classes are seen beside frequent ones, and go with the
    square root of the share, so that rare mistakes are seen beside all that is right. Beyond 20
    classes cells have no texts, and beyond 30 not every class is named.

    Examples
    --------
    >>> from csoftmax.plot import ConfusionDisplay
    >>> display = ConfusionDisplay.from_predictions(["a", "a", "b", "b"], ["a", "a", "a", "b"])
    >>> display
    ConfusionDisplay(4 rows of 2 classes, 0.75 are right; most often b is taken for a, 1 time)
    >>> display.counts
    array([[2, 0],
           [1, 1]])
    """

    def __init__(self, counts: ArrayLike, class_names: Sequence[Any] | None = None) -> None:
        found = np.asarray(counts)
        if found.ndim != 2 or found.shape[0] != found.shape[1] or not found.size:
            raise ValueError(f"counts has shape {found.shape}: wanted (C, C)")
        if found.dtype.kind not in "iu" or found.min() < 0:
            raise ValueError(f"counts has {found.dtype} from {found.min()}: wanted whole numbers")
        self.counts = found
        self.class_names = names_of("class_names", class_names, len(found), "class")

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        classes: ArrayLike | None = None,
        class_names: Sequence[Any] | None = None,
        normalize: Normalize | None = None,
        ax: Any = None,
    ) -> ConfusionDisplay:
        """Count, and draw.

        Parameters
        ----------
        y_true, y_pred : (N,) array_like
            Labels, of the same kind.
        classes : (C,) array_like, optional
            All labels, sorted. None: those that occur.
        class_names : sequence of str, optional
            In the place of the labels.
        normalize, ax
            As for `plot`.

        Returns
        -------
        ConfusionDisplay
        """
        true, predicted = labels("y_true", y_true), labels("y_pred", y_pred)
        if len(true) != len(predicted):
            raise ValueError(f"y_true has {len(true)} labels, but y_pred {len(predicted)}")
        if classes is not None:
            known = labels("classes", classes)
        elif same_kind(true, predicted):
            known = np.union1d(true, predicted)
        else:  # an error says what differs
            known = np.unique(true)
        size = len(known)
        cells = numbered("y_true", true, known) * size + numbered("y_pred", predicted, known)
        counts = np.bincount(cells, minlength=size * size).reshape(size, size)
        names = known.tolist() if class_names is None else class_names
        return cls(counts, names).plot(ax, normalize=normalize)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        class_names: Sequence[Any] | None = None,
        normalize: Normalize | None = None,
        ax: Any = None,
    ) -> ConfusionDisplay:
        """Predict, count, and draw.

        Parameters
        ----------
        estimator : object
            With `predict`: any fitted classifier, those of the course, too.
        X : as for `predict`
        y : (N,) array_like
            Labels. Those that the estimator does not know are classes, too.
        class_names, normalize, ax
            As for `from_predictions`.

        Returns
        -------
        ConfusionDisplay
        """
        true, predicted = labels("y", y), np.asarray(estimator.predict(X))
        own = getattr(estimator, "classes_", None)
        if own is None:  # the course's, whose classes are 0 to C - 1
            own = np.arange(1 + max(true.max(), predicted.max()))
        own = np.asarray(own)
        classes = np.union1d(own, true) if same_kind(true, own) else own
        options: dict[str, Any] = {"class_names": class_names, "normalize": normalize, "ax": ax}
        return cls.from_predictions(true, predicted, classes=classes, **options)

    @property
    def description(self) -> str:
        """What is to be seen, in words."""
        total, right = int(self.counts.sum()), int(np.trace(self.counts))
        text = f"{total} rows of {len(self.counts)} classes"
        if not total:
            return text
        text += f", {right / total:.4g} are right"
        wrong = self.counts - np.diag(np.diag(self.counts))
        i, j = np.unravel_index(int(wrong.argmax()), wrong.shape)
        if n := int(wrong[i, j]):
            times = "time" if n == 1 else "times"
            text += f"; most often {self.class_names[i]} is taken for {self.class_names[j]}"
            text += f", {n} {times}"
        return text

    def plot(self, ax: Any = None, *, normalize: Normalize | None = None) -> ConfusionDisplay:
        """Draw it.

        Parameters
        ----------
        ax : axes of matplotlib, optional
            None: a new figure.
        normalize : {None, "true", "pred", "all"}
            None: counts, as texts. Else shares: of the rows of a class, of those that are
            predicted as one, or of all.

        Returns
        -------
        ConfusionDisplay
            Itself.
        """
        if normalize is not None and normalize not in SHARES:
            raise ValueError(f"normalize is {normalize!r}: wanted None, 'true', 'pred' or 'all'")
        along, of = SHARES[normalize or "true"]
        total = self.counts.sum(axis=along, keepdims=True)
        shares = self.counts / np.maximum(total, 1)
        n = len(self.counts)
        side = min(max(2.4 + 0.42 * n, 4.0), 8.0)
        (axes,) = self._begin(ax, (1, 1), (side + 0.7, side))
        texts = None
        if n <= MAX_TEXTS:
            shown = self.counts if normalize is None else shares
            form = "{:d}" if normalize is None else "{:.2f}"
            texts = [["" if not x else form.format(x) for x in line] for line in shown]
        small = "medium" if n <= 5 else "small" if n <= 12 else "x-small"
        top = 1.0 if normalize != "all" else float(shares.max()) or 1.0
        image = heat_map(
            axes, shares, texts, (0.0, top), colours="Blues", power=0.5, fontsize=small
        )
        axes.set_aspect("equal")
        turn = 90 if n * max(map(len, self.class_names)) > CHARACTERS else 0
        size = "medium" if n <= MAX_TEXTS else "small"
        name_ticks(axes.xaxis, self.class_names, rotation=turn, fontsize=size)
        name_ticks(axes.yaxis, self.class_names, fontsize=size)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        self.figure_.colorbar(image, ax=axes, label=f"share {of}", shrink=0.75)
        return self
