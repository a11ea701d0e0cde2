"""How settings scored that were tried."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from csoftmax.plot.drawing import MAX_TEXTS, Axes, Display, heat_map, line_style, name_ticks
from csoftmax.plot.models import last_step

Array = NDArray[Any]
Kind: TypeAlias = Literal["lines", "map"]

MAX_LINES = 8  #: as many can be told apart
MAX_TRAIN = 6  #: columns of a map whose cells have room for a second score


class SearchDisplay(Display):
    """The scores of all settings of a search: as lines, or as a map; the chosen one is marked.

    Parameters
    ----------
    scores : (n_rows, n_columns) or (n_rows, n_columns, n_repeats) array_like
        NaN where there is none. Repeats are folds, or seeds: what is shown is their mean, and of
        lines their standard deviation, too.
    rows, columns : sequence of float
        The values of the two parameters.
    row_name, column_name, score_name : str
    chosen : (row, column), optional
        The setting that was taken.
    kind : {"lines", "map"}
        How `plot` draws it, if it is not told.
    train_scores : (n_rows, n_columns) array_like, optional
        Of the training rows: a second number in each cell of a small map.

    Attributes
    ----------
    figure_, ax_, axes_
        After `plot`.

    See Also
    --------
    LossDisplay : How a single fit went.
    csoftmax.SoftmaxClassifierCV : Whose scores it draws.
    csoftmax.search.train_many : Whose models it draws.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from csoftmax import SoftmaxClassifierCV
    >>> from csoftmax.plot import SearchDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> search = SoftmaxClassifierCV(Cs=[0.01, 1, 100], scoring="neg_log_loss").fit(X, y)
    >>> display = SearchDisplay.from_estimator(search)
    >>> display
    SearchDisplay(neg log loss of 3 settings: -0.05... at C = 100, worst -0.6...)
    >>> display.ax_.get_xlabel()
    'C'
    """

    def __init__(
        self,
        scores: ArrayLike,
        rows: Sequence[float],
        columns: Sequence[float],
        *,
        row_name: str,
        column_name: str,
        score_name: str = "accuracy",
        chosen: tuple[int, int] | None = None,
        kind: Kind = "lines",
        train_scores: ArrayLike | None = None,
    ) -> None:
        found = np.asarray(scores, np.float64)
        shape = len(rows), len(columns)
        if found.ndim not in (2, 3) or found.shape[:2] != shape or not found.size:
            raise ValueError(
                f"scores has shape {found.shape}: wanted {shape}, for rows and columns, or with "
                "repeats after them"
            )
        self.scores = found if found.ndim == 3 else found[..., None]
        self.rows, self.columns = [float(x) for x in rows], [float(x) for x in columns]
        self.row_name, self.column_name, self.score_name = row_name, column_name, score_name
        self.chosen, self.kind = chosen, _checked(kind)
        self.train_scores = None if train_scores is None else np.asarray(train_scores, np.float64)
        if self.train_scores is not None and self.train_scores.shape != shape:
            raise ValueError(f"train_scores has shape {self.train_scores.shape}: wanted {shape}")
        known = np.isfinite(self.scores)
        count = known.sum(axis=2)
        total = np.where(known, self.scores, 0).sum(axis=2)
        self.mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        away = np.where(known, (self.scores - self.mean[..., None]) ** 2, 0)
        self.spread = np.sqrt(away.sum(axis=2) / np.maximum(count, 1))
        if np.isnan(self.mean).all():
            raise ValueError("scores are all NaN: wanted at least one")

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, kind: Kind = "lines", ax: Any = None
    ) -> SearchDisplay:
        """Draw the scores that a SoftmaxClassifierCV has chosen C by, over C.

        Parameters
        ----------
        estimator : SoftmaxClassifierCV, or pipeline that ends with one
            Fitted. There is a line for each share of l1.
        kind : {"lines", "map"}
        ax : axes of matplotlib, optional

        Returns
        -------
        SearchDisplay
        """
        model, _ = last_step(estimator)
        scores = getattr(model, "scores_", None)
        if not isinstance(scores, np.ndarray) or scores.ndim != 3:
            raise ValueError(
                f"this {type(model).__name__} has no scores_ of each fold, l1_ratio and C: wanted "
                "a SoftmaxClassifierCV that is fitted"
            )
        Cs, ratios = np.asarray(model.Cs_), np.asarray(model.l1_ratios_)
        at = [
            np.flatnonzero(known == best)
            for known, best in ((ratios, model.l1_ratio_), (Cs, model.C_))
        ]
        scoring = model.scoring
        found = cls(
            np.moveaxis(scores, 0, 2),
            ratios.tolist(),
            Cs.tolist(),
            row_name="l1_ratio",
            column_name="C",
            score_name=_name(scoring),
            # without refit the C is a mean over folds, and perhaps none that was tried
            chosen=(int(at[0][0]), int(at[1][0])) if at[0].size and at[1].size else None,
            kind=kind,
        )
        return found.plot(ax)

    @classmethod
    def from_results(cls, results: Any, *, kind: Kind = "map", ax: Any = None) -> SearchDisplay:
        """Draw the validation accuracies of many models, over learning rate and penalty.

        Parameters
        ----------
        results : csoftmax.search.Models or csoftmax.worksheet.Search
            What `train_many` returned, with validation rows; or a search of the worksheet.
        kind : {"map", "lines"}
        ax : axes of matplotlib, optional

        Returns
        -------
        SearchDisplay
        """
        trials = getattr(results, "trials", None) or getattr(results, "models", None)
        if not trials or not hasattr(trials[0], "val_accuracy"):
            raise TypeError(
                f"results is {type(results).__name__}: wanted what csoftmax.search.train_many "
                "returns, or a search of the worksheet"
            )
        best = results.best  # or an error that says what is missing
        rates = sorted({trial.learning_rate for trial in trials})
        regs = sorted({trial.reg for trial in trials})
        lists: list[list[list[float]]] = [[[] for _ in regs] for _ in rates]
        train = np.full((len(rates), len(regs)), np.nan)
        for trial in trials:
            place = rates.index(trial.learning_rate), regs.index(trial.reg)
            lists[place[0]][place[1]].append(trial.val_accuracy)
            train[place] = getattr(trial, "train_accuracy", np.nan)
        most = max(len(cell) for line in lists for cell in line)
        scores = [[cell + [np.nan] * (most - len(cell)) for cell in line] for line in lists]
        found = cls(
            scores,
            rates,
            regs,
            row_name="learning rate",
            column_name="reg",
            score_name="validation accuracy",
            chosen=(rates.index(best.learning_rate), regs.index(best.reg)),
            kind=kind,
            train_scores=None if np.isnan(train).all() else train,
        )
        return found.plot(ax)

    @property
    def description(self) -> str:
        """What is to be seen, in words."""
        text = f"{self.score_name} of {self.mean.size} settings: "
        at = self.chosen or np.unravel_index(int(np.nanargmax(self.mean)), self.mean.shape)
        text += f"{self.mean[at]:.3g} at {self._setting(int(at[0]), int(at[1]))}"
        return f"{text}, worst {np.nanmin(self.mean):.3g}"

    def plot(self, ax: Any = None, *, kind: Kind | None = None) -> SearchDisplay:
        """Draw it.

        Parameters
        ----------
        ax : axes of matplotlib, optional
            None: a new figure.
        kind : {"lines", "map"}, optional
            None: that of the display. More than 8 lines are not drawn, for they cannot be told
            apart.

        Returns
        -------
        SearchDisplay
            Itself.
        """
        if (self.kind if kind is None else _checked(kind)) == "map":
            self._map(ax)
        else:
            self._lines(ax)
        return self

    def _setting(self, row: int, column: int) -> str:
        text = f"{self.column_name} = {self.columns[column]:.3g}"
        if len(self.rows) == 1:
            return text
        return f"{text}, {self.row_name} = {self.rows[row]:.3g}"

    def _lines(self, ax: Any) -> None:
        if len(self.rows) > MAX_LINES:
            raise ValueError(
                f"{len(self.rows)} values of {self.row_name} are too many lines to be told apart: "
                "wanted kind='map'"
            )
        (axes,) = self._begin(ax, (1, 1), (5.4, 3.6))
        columns = np.array(self.columns)
        order = np.argsort(columns, kind="stable")
        even = not np.isfinite(columns).all() or columns.min() <= 0
        x = np.argsort(order, kind="stable").astype(float) if even else columns
        for k, (mean, spread) in enumerate(zip(self.mean, self.spread, strict=True)):
            style = line_style(k)
            label = f"{self.row_name} = {self.rows[k]:.3g}" if len(self.rows) > 1 else None
            axes.plot(x[order], mean[order], **style, markersize=5, label=label)
            if self.scores.shape[2] > 1:
                low, high = (mean - spread)[order], (mean + spread)[order]
                axes.fill_between(x[order], low, high, color=style["color"], alpha=0.15, lw=0)
        if even:
            name_ticks(axes.xaxis, [f"{c:g}" for c in columns[order]], most=10)
        elif columns.max() > 10 * columns.min():
            axes.set_xscale("log")
        if self.chosen is not None:
            self._mark(axes, x)
        axes.set_xlabel(self.column_name)
        axes.set_ylabel(self.score_name)
        axes.grid(alpha=0.3)
        n_repeats = self.scores.shape[2]
        if n_repeats > 1:
            axes.set_title(f"mean of {n_repeats}, and standard deviation", fontsize="medium")
        if len(self.rows) > 1:
            axes.legend(fontsize="small")

    def _mark(self, axes: Axes, x: Array) -> None:
        """Show which setting was chosen."""
        row, column = self.chosen or (0, 0)
        at = x[column], self.mean[row, column]
        axes.axvline(at[0], color="0.35", linestyle=":")
        axes.plot(*at, "o", markersize=13, mfc="none", mec="black", mew=2)
        left = x[column] > np.median(x)
        axes.annotate(
            f"chosen: {self._setting(row, column)} ",
            (at[0], 0.03),
            xycoords=("data", "axes fraction"),
            xytext=(-4 if left else 4, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            fontsize="small",
        )

    def _map(self, ax: Any) -> None:
        n_rows, n_columns = self.mean.shape
        width, height = 1.9 + 0.95 * n_columns, 1.5 + 0.62 * n_rows
        size = min(max(width, 4.6), 8.0), min(max(height, 2.6), 7.0)
        (axes,) = self._begin(ax, (1, 1), size)
        known = self.mean[np.isfinite(self.mean)]
        low, high = float(known.min()), float(known.max())
        image = heat_map(
            axes,
            self.mean,
            self._texts(),
            (low, high if high > low else low + 1e-3),
            marked=self.chosen,
            fontsize="small" if n_columns <= MAX_TRAIN else "x-small",
        )
        turn = 45 if n_columns > MAX_TRAIN else 0
        name_ticks(axes.xaxis, [f"{c:.3g}" for c in self.columns], rotation=turn)
        name_ticks(axes.yaxis, [f"{r:.3g}" for r in self.rows])
        axes.set_xlabel(self.column_name)
        axes.set_ylabel(self.row_name)
        axes.set_title(self.score_name, fontsize="medium")
        self.figure_.colorbar(image, ax=axes)

    def _texts(self) -> list[list[str]] | None:
        n_rows, n_columns = self.mean.shape
        if max(n_rows, n_columns) > MAX_TEXTS:
            return None
        train = self.train_scores if n_columns <= MAX_TRAIN else None

        def text(row: int, column: int) -> str:
            mean = self.mean[row, column]
            own = "none" if np.isnan(mean) else f"{mean:.3f}"
            return own if train is None else f"{own}\n(train {train[row, column]:.3f})"

        return [[text(row, column) for column in range(n_columns)] for row in range(n_rows)]


def _checked(kind: Kind) -> Kind:
    if kind not in get_args(Kind):
        raise ValueError(f"kind is {kind!r}: wanted 'lines' or 'map'")
    return kind


def _name(scoring: Any) -> str:
    """What the scores are called."""
    if scoring is None:
        return "accuracy"
    return scoring.replace("_", " ") if isinstance(scoring, str) else "score"
