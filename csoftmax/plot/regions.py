"""What is predicted where, over two features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from csoftmax._native.checks import is_sparse
from csoftmax.plot.drawing import COLOURS, FIXED, MARKERS, Axes, Display, short, to_rgb
from csoftmax.plot.models import labels, names_of, numbered

Array = NDArray[Any]

AREAS = tuple(colour for colour in COLOURS if colour != "#000000")
MARGIN = 0.07  #: beyond the rows, of their range
MAX_POINTS = 2000
MAX_LEGEND = len(AREAS)  #: classes with a line in the legend
NUMBERS = 2_000_000  #: of the grid, that are made at once


class RegionsDisplay(Display):
    """Which class is predicted where in a plane, and with how much certainty.

    Parameters
    ----------
    x, y : (n,) and (m,) array_like
        The two features, of the columns and rows of a grid.
    predicted : (m, n) array_like of int
        Which class is predicted there: its place in `class_names`.
    confidence : (m, n) array_like, optional
        The probability of that class.
    class_names, feature_names : sequence of str, optional
    points : (N, 2) array_like, optional
        Rows to show.
    point_classes : (N,) array_like of int, optional
        Their classes, by place.

    Attributes
    ----------
    figure_, ax_, axes_
        After `plot`.

    See Also
    --------
    WeightsDisplay : The coefficients of all features.
    sklearn.inspection.DecisionBoundaryDisplay : The same of scikit-learn.

    Notes
    -----
    The stronger the colour, the surer the prediction. Lines are where it changes.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from csoftmax import SoftmaxClassifier
    >>> from csoftmax.plot import RegionsDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SoftmaxClassifier().fit(X[:, 2:], y)
    >>> RegionsDisplay.from_estimator(model, X[:, 2:], y)
    RegionsDisplay(regions of 3 classes over feature 0 and feature 1, with 150 rows)
    """

    def __init__(
        self,
        x: ArrayLike,
        y: ArrayLike,
        predicted: ArrayLike,
        confidence: ArrayLike | None = None,
        *,
        class_names: Sequence[Any] | None = None,
        feature_names: Sequence[Any] | None = None,
        points: ArrayLike | None = None,
        point_classes: ArrayLike | None = None,
    ) -> None:
        self.x, self.y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        self.predicted = np.asarray(predicted, np.intp)
        self.confidence = None if confidence is None else np.asarray(confidence, np.float64)
        shape = len(self.y), len(self.x)
        for name, grid in (("predicted", self.predicted), ("confidence", self.confidence)):
            if grid is not None and (grid.shape != shape or min(shape) < 2):
                raise ValueError(f"{name} has shape {grid.shape}: wanted {shape}, from 2 by 2 on")
        n_classes = int(self.predicted.max()) + 1 if class_names is None else len(class_names)
        self.class_names = names_of("class_names", class_names, n_classes, "class")
        self.feature_names = names_of("feature_names", feature_names, 2, "feature")
        self.points = None if points is None else np.asarray(points, np.float64)
        self.point_classes = None if point_classes is None else np.asarray(point_classes, np.intp)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike | None = None,
        *,
        features: tuple[Any, Any] = (0, 1),
        others: Literal["mean"] | None = None,
        class_names: Sequence[Any] | None = None,
        grid: int = 200,
        ax: Any = None,
    ) -> RegionsDisplay:
        """Predict over a grid that covers the rows, and draw.

        Parameters
        ----------
        estimator : object
            With `predict`, and `predict_proba` if there is to be certainty. Fitted.
        X : (N, D) array_like or data frame
            Rows. The grid reaches a little beyond them.
        y : (N,) array_like, optional
            Their labels; with them the rows are shown.
        features : pair of int or str
            Columns of X for the two axes, by number or name.
        others : {None, "mean"}
            Where X has more than two features: "mean" holds the others at their mean.
        class_names : sequence of str, optional
            In the place of the labels.
        grid : int
            Points of each axis.
        ax : axes of matplotlib, optional

        Returns
        -------
        RegionsDisplay
        """
        values, columns = _values(X)
        chosen = [_column(feature, columns) for feature in features]
        if len(set(chosen)) != 2:
            raise ValueError(f"features is {features!r}: wanted two different columns of X")
        if others not in (None, "mean"):
            raise ValueError(f"others is {others!r}: wanted None or 'mean'")
        if len(columns) > 2 and others is None:
            raise ValueError(
                f"X has {len(columns)} features: wanted two, or others='mean', which holds those "
                "that are not shown at their mean"
            )
        if grid < 2:
            raise ValueError(f"grid is {grid}: wanted at least 2")
        over = [_range(values[:, column], grid) for column in chosen]
        blocks = [_answers(estimator, X, rows) for rows in _rows(values, chosen, over)]
        answers = np.concatenate([answer for answer, _ in blocks])
        known = getattr(estimator, "classes_", None)
        true = None if y is None else labels("y", y)
        if known is None:
            known = np.arange(1 + max(answers.max(), 0 if true is None else true.max()))
        known = np.asarray(known)
        sure = [confidence for _, confidence in blocks if confidence is not None]
        return cls(
            over[0],
            over[1],
            numbered("predictions", answers, known).reshape(grid, grid),
            np.concatenate(sure).reshape(grid, grid) if sure else None,
            class_names=known.tolist() if class_names is None else class_names,
            feature_names=[columns[column] for column in chosen],
            points=None if true is None else values[:, chosen],
            point_classes=None if true is None else numbered("y", true, known),
        ).plot(ax)

    @property
    def description(self) -> str:
        """What is to be seen, in words."""
        seen = len(np.unique(self.predicted))
        one, other = self.feature_names
        text = f"regions of {seen} classes over {one} and {other}"
        return text if self.points is None else f"{text}, with {len(self.points)} rows"

    def plot(self, ax: Any = None) -> RegionsDisplay:
        """Draw it.

        Parameters
        ----------
        ax : axes of matplotlib, optional
            None: a new figure.

        Returns
        -------
        RegionsDisplay
            Itself.
        """
        (axes,) = self._begin(ax, (1, 1), (5.4, 4.4))
        colours = np.array([to_rgb(AREAS[k % len(AREAS)]) for k in range(len(self.class_names))])
        strength = np.full(self.predicted.shape, 0.45)
        if self.confidence is not None:
            chance = 1 / max(2, len(self.class_names))
            strength = 0.08 + 0.6 * np.clip((self.confidence - chance) / (1 - chance), 0, 1)
        picture = 1 - strength[..., None] * (1 - colours[self.predicted])
        box = (self.x[0], self.x[-1], self.y[0], self.y[-1])
        axes.imshow(picture, extent=box, origin="lower", aspect="auto", interpolation="bilinear")
        for k in np.unique(self.predicted):
            inside = self.predicted == k
            if not inside.all():
                axes.contour(self.x, self.y, inside, levels=[0.5], colors="black", linewidths=0.8)
            self._name(axes, inside, self.class_names[k])
        if self.points is not None:
            self._points(axes, self.points)
        axes.set_xlim(self.x[0], self.x[-1])
        axes.set_ylim(self.y[0], self.y[-1])
        axes.set_xlabel(self.feature_names[0])
        axes.set_ylabel(self.feature_names[1])
        return self

    def _name(self, axes: Axes, inside: NDArray[np.bool_], name: str) -> None:
        """Name a region at its point that is nearest to its middle."""
        rows, columns = np.nonzero(inside)
        away = (rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2
        row, column = rows[away.argmin()], columns[away.argmin()]
        axes.text(
            self.x[column],
            self.y[row],
            short(name),
            ha="center",
            va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 2},
            zorder=4,
            label=FIXED,
        )

    def _points(self, axes: Axes, points: Array) -> None:
        step = -(-len(points) // MAX_POINTS)
        points = points[::step]
        classes = np.zeros(len(points), np.intp)
        if self.point_classes is not None:
            classes = self.point_classes[::step]
        for k in np.unique(classes):
            axes.scatter(
                points[classes == k, 0],
                points[classes == k, 1],
                s=22,
                color=AREAS[k % len(AREAS)],
                marker=MARKERS[k % len(MARKERS)],
                edgecolor="black",
                linewidth=0.6,
                label=short(self.class_names[k]),
            )
        if self.point_classes is not None and len(self.class_names) <= MAX_LEGEND:
            axes.legend(fontsize="small")


def _values(X: Any) -> tuple[Array, list[str]]:
    """X as an array of numbers, and the names of its columns."""
    if is_sparse(X):
        raise TypeError("X is sparse: wanted dense rows, of few features")
    names = getattr(X, "columns", None)
    try:
        values = np.asarray(X, np.float64)
    except (TypeError, ValueError):
        raise ValueError("X holds what is no number: wanted columns of numbers") from None
    if values.ndim != 2 or len(values) < 1 or values.shape[1] < 2:
        raise ValueError(f"X has shape {values.shape}: wanted (N, D), at least two features")
    return values, names_of("X", None if names is None else list(names), values.shape[1], "feature")


def _column(feature: Any, columns: list[str]) -> int:
    """The number of a column."""
    if isinstance(feature, str):
        if feature not in columns:
            raise ValueError(f"features has {feature!r}: wanted some of {', '.join(columns[:10])}")
        return columns.index(feature)
    if not 0 <= feature < len(columns):
        raise ValueError(f"features has {feature}: wanted numbers from 0 to {len(columns) - 1}")
    return int(feature)


def _range(values: Array, n: int) -> Array:
    """Points over the range of a feature, and a little beyond."""
    if not np.isfinite(values).all():
        raise ValueError("X holds NaN or infinity: wanted finite numbers")
    low, high = float(values.min()), float(values.max())
    room = MARGIN * (high - low) or 1.0
    return np.linspace(low - room, high + room, n)


def _rows(values: Array, chosen: list[int], over: list[Array]) -> Iterator[Array]:
    """The rows of the grid, some lines of it at once."""
    mean = values.mean(axis=0)
    lines = max(1, NUMBERS // (len(over[0]) * len(mean)))
    for start in range(0, len(over[1]), lines):
        y, x = np.meshgrid(over[1][start : start + lines], over[0], indexing="ij")
        rows = np.tile(mean, (x.size, 1))
        rows[:, chosen[0]], rows[:, chosen[1]] = x.ravel(), y.ravel()
        yield rows


def _answers(estimator: Any, X: Any, rows: Array) -> tuple[Array, Array | None]:
    """What is predicted, and how surely."""
    given: Any = rows
    if hasattr(X, "columns"):  # a data frame, whose names the estimator may have seen
        named = {"schema" if type(X).__module__.startswith("polars") else "columns": X.columns}
        given = type(X)(rows, **named)
    predicted = np.asarray(estimator.predict(given))
    if not hasattr(estimator, "predict_proba"):
        return predicted, None
    return predicted, np.asarray(estimator.predict_proba(given)).max(axis=1)
