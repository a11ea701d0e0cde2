"""What a linear model has learned: the coefficients of each class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from csoftmax.plot.drawing import COLOURS, MAP, Display, short
from csoftmax.plot.models import linear, names_of

Array = NDArray[Any]

MAX_IMAGES = 40  #: as many fit one picture
SEEN = 0.97  #: share of the weights that are within the colours of images
MAX_BARS = 24  #: and as many lists of features


class WeightsDisplay(Display):
    """The coefficients of each class: as images, or the largest of them by name.

    Parameters
    ----------
    weights : (C, D) array_like
        A row for each class. For two classes it may be one, that of the second.
    class_names : sequence of str, optional
        C names, or two for one row.
    feature_names : sequence of str, optional
        D names.
    image_shape : (height, width) or (height, width, channels), optional
        Each row is an image of that shape, with 1 or 3 channels.

    Attributes
    ----------
    figure_, ax_, axes_
        After `plot`: axes for each class that is shown.

    See Also
    --------
    RegionsDisplay : What the weights of two features decide.
    csoftmax.load_model : What it returns can be drawn, too.

    Notes
    -----
    Of images in grey, 0 is in the middle of the scale, dark is negative and bright is positive; the
    largest 3 % are as dark or as bright as can be. Those in colour go from the smallest weight of
    all classes to the largest. Bars of all classes have one scale.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from csoftmax import SoftmaxClassifier
    >>> from csoftmax.plot import WeightsDisplay
    >>> X, y = load_iris(as_frame=True, return_X_y=True)
    >>> display = WeightsDisplay.from_estimator(SoftmaxClassifier().fit(X, y), n_top=2)
    >>> display
    WeightsDisplay(weights of 3 classes and 4 features; largest: petal length (cm), ...)
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['petal length (cm)', 'petal width (cm)']
    """

    def __init__(
        self,
        weights: ArrayLike,
        class_names: Sequence[Any] | None = None,
        *,
        feature_names: Sequence[Any] | None = None,
        image_shape: Sequence[int] | None = None,
    ) -> None:
        found = np.asarray(weights, np.float64)
        if found.ndim != 2 or not found.size:
            raise ValueError(
                f"weights has shape {found.shape}: wanted (C, D), a row for each class"
            )
        self.weights = found
        n_classes, n_features = found.shape
        one_of_two = n_classes == 1 and (class_names is None or len(class_names) != 1)
        wanted = 2 if one_of_two else n_classes
        self.class_names = names_of("class_names", class_names, wanted, "class")
        self.feature_names = names_of("feature_names", feature_names, n_features, "feature")
        self.image_shape = None if image_shape is None else _checked(image_shape, n_features)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        image_shape: Sequence[int] | None = None,
        feature_names: Sequence[Any] | None = None,
        class_names: Sequence[Any] | None = None,
        n_top: int = 10,
        classes: Sequence[Any] | None = None,
        ax: Any = None,
    ) -> WeightsDisplay:
        """Draw the coefficients of a fitted linear model.

        Parameters
        ----------
        estimator : object
            With `coef_`: SoftmaxClassifier, what `load_model` returns, a linear model of
            scikit-learn, a pipeline that ends with one. Or with `W`: the course's classifiers,
            models of `csoftmax.search`.
        image_shape : tuple of int, optional
            As of the class.
        feature_names : sequence of str, optional
            None: those that the estimator has seen, or the steps before it give.
        class_names : sequence of str, optional
            In the place of the labels.
        n_top, classes, ax
            As for `plot`.

        Returns
        -------
        WeightsDisplay
        """
        model = linear(estimator)
        found = cls(
            model.weights,
            model.classes if class_names is None else class_names,
            feature_names=model.feature_names if feature_names is None else feature_names,
            image_shape=image_shape,
        )
        return found.plot(ax, n_top=n_top, classes=classes)

    @property
    def description(self) -> str:
        """What is to be seen, in words."""
        n_classes, n_features = len(self.class_names), self.weights.shape[1]
        text = f"weights of {n_classes} classes and {n_features} features"
        if self.image_shape is not None:
            return f"{text}, as images of {' x '.join(map(str, self.image_shape))}"
        size = np.abs(_finite(self.weights)).max(axis=0)
        largest = [self.feature_names[k] for k in np.argsort(-size, kind="stable")[:3]]
        return f"{text}; largest: {', '.join(largest)}"

    def plot(
        self, ax: Any = None, *, n_top: int = 10, classes: Sequence[Any] | None = None
    ) -> WeightsDisplay:
        """Draw it.

        Parameters
        ----------
        ax : sequence of axes of matplotlib, optional
            One for each class that is shown; None: a new figure.
        n_top : int
            Of those that are no images: how many features, the largest by their size.
        classes : sequence of str, optional
            Names of the classes to show. None: all, or the first 24 (of images the first 40).

        Returns
        -------
        WeightsDisplay
            Itself.
        """
        if n_top < 1:
            raise ValueError(f"n_top is {n_top}: wanted at least 1")
        rows = self._chosen(classes)
        if self.image_shape is None:
            self._bars(ax, rows, min(n_top, self.weights.shape[1]))
        else:
            self._images(ax, rows)
        self._title(self._heading(len(rows)))
        return self

    def _chosen(self, classes: Sequence[Any] | None) -> list[int]:
        names = [self.class_names[-1]] if len(self.weights) == 1 else self.class_names
        if classes is None:
            most = MAX_BARS if self.image_shape is None else MAX_IMAGES
            return list(range(min(most, len(names))))
        rows = []
        for each in classes:
            if str(each) not in names:
                raise ValueError(f"classes has {each!r}: wanted some of {', '.join(names[:10])}")
            rows.append(names.index(str(each)))
        if not rows:
            raise ValueError("classes is empty: wanted at least one")
        return rows

    def _heading(self, n_shown: int) -> str:
        if len(self.weights) == 1 and len(self.class_names) == 2:
            return f"weights of {self.class_names[1]}, against {self.class_names[0]}"
        if n_shown < len(self.weights):
            return f"weights of {n_shown} of {len(self.weights)} classes"
        return "weights of each class"

    def _name(self, row: int) -> str:
        return self.class_names[-1] if len(self.weights) == 1 else self.class_names[row]

    def _bars(self, ax: Any, rows: list[int], n_top: int) -> None:
        columns = 1 if len(rows) == 1 else 2 if len(rows) <= 4 else 3
        lines = -(-len(rows) // columns)
        shape = (lines, columns) if ax is None else (len(rows), 1)
        size = (2.6 * columns + (2.2 if columns == 1 else 0), (0.75 + 0.19 * n_top) * lines + 0.4)
        axes = self._begin(ax, shape, size)
        weights = _finite(self.weights[rows])
        top = np.argsort(-np.abs(weights), axis=1, kind="stable")[:, :n_top]
        shown = np.take_along_axis(weights, top, axis=1)
        low, high = min(0.0, float(shown.min())), max(0.0, float(shown.max()))
        room = 0.05 * (high - low or 1.0)
        for row, each, features in zip(rows, axes, top, strict=False):
            values = _finite(self.weights[row, features])
            order = np.argsort(values, kind="stable")  # the largest comes last, on top
            features, values = features[order], values[order]
            colours = [COLOURS[0] if value >= 0 else COLOURS[1] for value in values]
            each.barh(range(n_top), values, color=colours, height=0.75)
            names = [short(self.feature_names[k]) for k in features]
            each.set_yticks(range(n_top), names, fontsize="small")
            each.axvline(0, color="0.35", linewidth=0.8)
            each.set_xlim(low - room, high + room)
            each.tick_params(axis="x", labelsize="small")
            if len(rows) > 1:
                each.set_title(short(self._name(row)), fontsize="medium")
        self._drop(len(rows))

    def _images(self, ax: Any, rows: list[int]) -> None:
        columns = min(len(rows), 5 if len(rows) <= 10 else 8)
        lines = -(-len(rows) // columns)
        shape = (lines, columns) if ax is None else (len(rows), 1)
        size = max(3.2, 1.15 * columns + 0.7), 1.35 * lines + 0.6
        axes = self._begin(ax, shape, size if len(rows) > 1 else (3.6, 3.2))
        weights = _finite(self.weights)
        # a few that are far larger, as of pixels that are seldom set, must not hide the others
        limit = float(np.quantile(np.abs(weights), SEEN)) or float(np.abs(weights).max()) or 1.0
        low, span = float(weights.min()), float(np.ptp(weights)) or 1.0
        shape_of_one = self.image_shape or ()
        colour = len(shape_of_one) == 3
        for row, each in zip(rows, axes, strict=False):
            picture = weights[row].reshape(shape_of_one)
            picture = (picture - low) / span if colour else picture
            image = each.imshow(picture, cmap=MAP, vmin=-limit, vmax=limit, interpolation="nearest")
            each.set_xticks([])
            each.set_yticks([])
            if len(rows) > 1:
                each.set_title(short(self._name(row), 14), fontsize="medium")
        self._drop(len(rows))
        if not colour:
            self.figure_.colorbar(image, ax=self.axes_, label="weight", shrink=0.8, extend="both")

    def _drop(self, n_shown: int) -> None:
        """Remove the axes that are left over at the end of the last line."""
        for each in self.axes_[n_shown:]:
            each.remove()
        self.axes_ = self.axes_[:n_shown]


def _finite(weights: Array) -> Array:
    """Weights, with 0 for those of a model that has diverged."""
    return np.where(np.isfinite(weights), weights, 0.0)


def _checked(image_shape: Sequence[int], n_features: int) -> tuple[int, ...]:
    """The shape in which an image is drawn: two dimensions, or three for colour."""
    shape = tuple(int(n) for n in image_shape)
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] not in (1, 3)):
        raise ValueError(
            f"image_shape is {shape}: wanted (height, width), or with 1 or 3 channels after them"
        )
    if math.prod(shape) != n_features:
        raise ValueError(
            f"image_shape {shape} has {math.prod(shape)} values, "
            f"but there are {n_features} features"
        )
    return shape[:2] if shape[2:] == (1,) else shape
