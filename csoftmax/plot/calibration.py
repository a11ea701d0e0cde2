"""How often a prediction is right, over the probability that it was given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from csoftmax.plot.drawing import COLOURS, Axes, Display, short
from csoftmax.plot.models import labels, names_of, numbered, probabilities

Array = NDArray[Any]

MAX_PANELS = 24  #: as many classes fit one picture
SUM = 1e-3  #: how far probabilities of a row may be from the sum 1


class CalibrationDisplay(Display):
    """Reliability: of rows with nearly the same probability, the share for which it came true.

    Parameters
    ----------
    counts, predicted, observed : (n_bins,) or (n_curves, n_bins) array_like
        Of each bin of probabilities: its rows, the mean of their probabilities, and the share of
        them that is right. The last two are not looked at where there are no rows.
    names : sequence of str, optional
        Of several curves.

    Attributes
    ----------
    error : (n_curves,) ndarray
        Expected calibration error: the mean over rows of the distance between predicted and
        observed, of their bins.
    figure_, ax_, axes_
        After `plot`.

    See Also
    --------
    ConfusionDisplay : Which class is taken for which.
    sklearn.calibration.CalibrationDisplay : The same of scikit-learn, for two classes.

    Notes
    -----
    Bins are of equal width. Bars around points are Wilson's intervals of 95 %: how far the share
    may be from that of all such rows.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from csoftmax import SoftmaxClassifier
    >>> from csoftmax.plot import CalibrationDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SoftmaxClassifier().fit(X[::2], y[::2])
    >>> display = CalibrationDisplay.from_estimator(model, X[1::2], y[1::2])
    >>> display
    CalibrationDisplay(75 rows, expected calibration error 0.10...)
    >>> [axes.get_ylabel() for axes in display.axes_]
    ['share that is right', 'rows']
    """

    def __init__(
        self,
        counts: ArrayLike,
        predicted: ArrayLike,
        observed: ArrayLike,
        *,
        names: Sequence[Any] | None = None,
    ) -> None:
        self.counts = np.atleast_2d(np.asarray(counts, np.int64))
        self.predicted, self.observed = (
            np.atleast_2d(np.asarray(each, np.float64)) for each in (predicted, observed)
        )
        shape = self.counts.shape
        for name, other in (("predicted", self.predicted), ("observed", self.observed)):
            if other.shape != shape:
                raise ValueError(f"{name} has shape {other.shape}, but counts {shape}")
        if self.counts.ndim != 2 or self.counts.min(initial=0) < 0 or not self.counts.any():
            raise ValueError(f"counts of shape {shape} hold no row: wanted (n_curves, n_bins)")
        self.names = None if names is None else names_of("names", names, shape[0], "curve")
        if names is None and shape[0] > 1:
            raise ValueError(f"there are {shape[0]} curves: wanted their names")
        away = np.where(self.counts > 0, np.abs(self.predicted - self.observed), 0)
        self.error = (self.counts * away).sum(axis=1) / np.maximum(self.counts.sum(axis=1), 1)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_proba: ArrayLike,
        *,
        classes: ArrayLike | None = None,
        class_names: Sequence[Any] | None = None,
        per_class: bool = False,
        n_bins: int = 10,
        ax: Any = None,
    ) -> CalibrationDisplay:
        """Sort probabilities into bins, and draw.

        Parameters
        ----------
        y_true : (N,) array_like
            Labels.
        y_proba : (N, C) or (N,) array_like
            Probabilities of the classes; (N,): of the second of two.
        classes : (C,) array_like, optional
            All labels, sorted. None: those that occur, if there are C, else 0 to C - 1.
        class_names : sequence of str, optional
            In the place of the labels.
        per_class : bool
            A curve for each class: of the rows that are given it with some probability, the share
            that belongs to it. Else one curve, of the predicted class of each row.
        n_bins : int
        ax
            As for `plot`.

        Returns
        -------
        CalibrationDisplay
        """
        true, proba = labels("y_true", y_true), _proba(y_proba)
        if len(true) != len(proba):
            raise ValueError(f"y_true has {len(true)} labels, but y_proba {len(proba)} rows")
        if n_bins < 2:
            raise ValueError(f"n_bins is {n_bins}: wanted at least 2")
        size = proba.shape[1]
        known = np.unique(true) if classes is None else labels("classes", classes)
        if len(known) != size and classes is None:
            known = np.arange(size)
        if len(known) != size:
            raise ValueError(f"classes has {len(known)} labels, but y_proba {size} columns")
        index = numbered("y_true", true, known)
        if not per_class:
            best = proba.argmax(axis=1)
            bins = _bins(proba[np.arange(len(best)), best], best == index, n_bins)
            return cls(*bins).plot(ax)
        found = [_bins(proba[:, k], index == k, n_bins) for k in range(size)]
        names = known.tolist() if class_names is None else class_names
        counts, predicted, observed = (np.array(each) for each in zip(*found, strict=True))
        return cls(counts, predicted, observed, names=names).plot(ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        class_names: Sequence[Any] | None = None,
        per_class: bool = False,
        n_bins: int = 10,
        ax: Any = None,
    ) -> CalibrationDisplay:
        """Predict probabilities, sort them into bins, and draw.

        Parameters
        ----------
        estimator : object
            A fitted classifier with `predict_proba`.
        X : as for `predict_proba`
        y : (N,) array_like
            Labels.
        class_names, per_class, n_bins, ax
            As for `from_predictions`.

        Returns
        -------
        CalibrationDisplay
        """
        proba, classes = probabilities(estimator, X)
        return cls.from_predictions(
            labels("y", y),
            proba,
            classes=classes,
            class_names=class_names,
            per_class=per_class,
            n_bins=n_bins,
            ax=ax,
        )

    @property
    def description(self) -> str:
        """What is to be seen, in words."""
        text = f"{self.counts.sum(axis=1).max()} rows, expected calibration error "
        if self.names is None:
            return f"{text}{self.error[0]:.3f}"
        worst = int(self.error.argmax())
        return (
            f"{text}of {len(self.names)} classes {self.error.mean():.3f} on average, "
            f"{self.error[worst]:.3f} of {self.names[worst]}"
        )

    def plot(self, ax: Any = None) -> CalibrationDisplay:
        """Draw it.

        Parameters
        ----------
        ax : axes or sequence of axes of matplotlib, optional
            Of one curve two: for it, and for how many rows there are; or one, for the curve alone.
            Of classes one for each, at most 24. None: a new figure.

        Returns
        -------
        CalibrationDisplay
            Itself.
        """
        if self.names is None:
            self._one(ax)
        else:
            self._many(ax, self.names)
        return self

    def _one(self, ax: Any) -> None:
        if isinstance(ax, Axes):
            (curve,) = self._begin(ax, (1, 1), (4.6, 4.0))
        else:
            options = {"height_ratios": (3, 1), "sharex": True}
            curve, rows = self._begin(ax, (2, 1), (4.6, 5.2), **options)
            n_bins = self.counts.shape[1]
            middle = (np.arange(n_bins) + 0.5) / n_bins
            rows.bar(middle, self.counts[0], width=0.9 / n_bins, color="0.45")
            rows.set_ylabel("rows")
        self._curve(curve, 0)
        curve.set_title(f"expected calibration error {self.error[0]:.3f}", fontsize="medium")
        self.axes_[-1].set_xlabel("probability of the predicted class")
        curve.set_ylabel("share that is right")
        curve.legend(fontsize="small", loc="upper left")

    def _many(self, ax: Any, names: list[str]) -> None:
        shown = min(len(names), MAX_PANELS)
        columns = min(3 if shown <= 9 else 4, shown)
        lines = -(-shown // columns)
        shape = (lines, columns) if ax is None else (shown, 1)
        options = {"sharex": True, "sharey": True} if ax is None else {}
        axes = self._begin(ax, shape, (1.75 * columns + 0.5, 1.85 * lines + 0.7), **options)
        for k, each in enumerate(axes[:shown]):
            self._curve(each, k)
            text = f"{short(names[k], 14)}: {self.error[k]:.3f}"
            each.set_title(text, fontsize="small")
            each.tick_params(labelsize="small", labelbottom=k + columns >= shown)
        for each in axes[shown:]:
            each.remove()
        self.axes_ = axes[:shown]
        if self._own:
            self.figure_.supxlabel("probability of the class", fontsize="medium")
            self.figure_.supylabel("share that belongs to it", fontsize="medium")
        more = f" of the first {shown} of {len(names)} classes" if shown < len(names) else ""
        self._title(f"expected calibration error{more}")

    def _curve(self, axes: Axes, k: int) -> None:
        full = self.counts[k] > 0
        n, x, y = self.counts[k][full], self.predicted[k][full], self.observed[k][full]
        low, high = _interval(y, n)
        axes.plot([0, 1], [0, 1], color="0.35", linestyle=":", label="perfect")
        axes.errorbar(
            x,
            y,
            yerr=(y - low, high - y),
            color=COLOURS[0],
            marker="o",
            markersize=4,
            capsize=2,
            elinewidth=0.8,
            label="model",
        )
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.02)
        axes.grid(alpha=0.3)


def _interval(share: Array, n: Array) -> tuple[Array, Array]:
    """Wilson's interval of 95 % around the share of n rows."""
    z = 1.96
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return np.minimum(middle - half, share), np.maximum(middle + half, share)


def _proba(y_proba: ArrayLike) -> Array:
    """Probabilities of all classes, a row for each row."""
    found = np.asarray(y_proba, np.float64)
    if found.ndim == 1:
        found = np.stack([1 - found, found], axis=1)
    if found.ndim != 2 or found.shape[1] < 2 or not len(found):
        raise ValueError(f"y_proba has shape {found.shape}: wanted (N, C) probabilities")
    if not (found.min() >= 0 and np.abs(found.sum(axis=1) - 1).max() < SUM):
        raise ValueError("y_proba holds what is no probability: wanted rows with the sum 1")
    return found


def _bins(proba: Array, hit: Array, n_bins: int) -> tuple[Array, Array, Array]:
    """Of each bin: its rows, their mean probability, and how many of them are right."""
    places = np.searchsorted(np.linspace(0, 1, n_bins + 1)[1:-1], proba)
    counts = np.bincount(places, minlength=n_bins)
    divide_by = np.maximum(counts, 1)
    predicted = np.bincount(places, proba, minlength=n_bins) / divide_by
    observed = np.bincount(places, hit, minlength=n_bins) / divide_by
    return counts, predicted, observed
