"""How a fit went: its loss, gradient and accuracies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from csoftmax.plot.drawing import Axes, Display, line_style
from csoftmax.plot.models import last_step

Vector = NDArray[np.float64]

BOUND = "_tol"  #: label of the line where a fit ends
STEEP = 20  #: a loss that falls by more is shown in logarithms
WINDOWS = 50  #: the mean of one step in so many is what is shown of noisy losses
#: names of the course's histories
ACCURACIES = {"train_acc_history": "training", "val_acc_history": "validation"}
#: what a fit may be shown over, and how it is called
Over: TypeAlias = Literal["passes", "seconds", "iteration"]
OVER: dict[Over, str] = {"passes": "passes over X", "seconds": "seconds", "iteration": "iteration"}


class Panel(NamedTuple):
    """One part of the picture."""

    name: str
    x: Vector
    x_name: str
    lines: dict[str, Vector]  # by their names
    bound: float | None = None


class LossDisplay(Display):
    """The loss of a fit, over its passes or its steps; with gradient or accuracies, where known.

    Parameters
    ----------
    loss : sequence of float
        After each iteration, or of each batch.
    x : sequence of float, optional
        Where each lies, such as passes over X. None: steps, from 1 on, whose losses are taken
        for those of batches. They scatter, and what is drawn is a running mean of one in 50.
    x_name : str
    gradient : sequence of float, optional
        The largest element of the gradient, of each.
    tol : float, optional
        Where the fit ends: a line across the gradient.
    accuracy : dict of str to sequence of float, optional
        Accuracies by the names of the rows that they are of.
    accuracy_x : sequence of float, optional
        Where they lie; epochs from 0 on, if None.
    accuracy_x_name : str

    Attributes
    ----------
    figure_, ax_, axes_
        After `plot`.

    See Also
    --------
    SearchDisplay : How the settings scored that were tried.
    csoftmax.SoftmaxClassifier : Whose `history_` it draws.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from csoftmax import SoftmaxClassifier
    >>> from csoftmax.plot import LossDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> display = LossDisplay.from_estimator(SoftmaxClassifier().fit(X, y))
    >>> display
    LossDisplay(loss 0.47... to 0.19... over ... passes over X, gradient ...)
    >>> [axes.get_ylabel() for axes in display.axes_]
    ['loss', 'largest of gradient']
    """

    def __init__(
        self,
        loss: ArrayLike,
        *,
        x: ArrayLike | None = None,
        x_name: str = "step",
        gradient: ArrayLike | None = None,
        tol: float | None = None,
        accuracy: Mapping[str, Sequence[float]] | None = None,
        accuracy_x: ArrayLike | None = None,
        accuracy_x_name: str = "epoch",
    ) -> None:
        self.loss = _vector("loss", loss)
        if not len(self.loss):
            raise ValueError("loss is empty: wanted at least one number")
        self.window = 1 if x is not None else max(1, len(self.loss) // WINDOWS)
        self.x = np.arange(1.0, len(self.loss) + 1) if x is None else _vector("x", x)
        self.x_name, self.tol = x_name, tol
        self.gradient = None if gradient is None else _vector("gradient", gradient)
        for name, other in (("x", self.x), ("gradient", self.gradient)):
            if other is not None and len(other) != len(self.loss):
                raise ValueError(
                    f"{name} has {len(other)} numbers: wanted {len(self.loss)}, as loss has"
                )
        given = {name: _vector(name, values) for name, values in (accuracy or {}).items()}
        self.accuracy = {name: values for name, values in given.items() if len(values)}
        n_points = {len(values) for values in self.accuracy.values()}
        self.accuracy_x = np.arange(float(max(n_points, default=0)))
        if accuracy_x is not None:
            self.accuracy_x = _vector("accuracy_x", accuracy_x)
        if n_points - {len(self.accuracy_x)}:
            raise ValueError(
                f"accuracy has {sorted(n_points)} numbers: wanted {len(self.accuracy_x)} of each"
            )
        self.accuracy_x_name = accuracy_x_name

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, x: Over = "passes", name: str | None = None, ax: Any = None
    ) -> LossDisplay:
        """Draw how a fitted estimator was fitted.

        Parameters
        ----------
        estimator : SoftmaxClassifier, or pipeline that ends with one
            Fitted, here or on Dask. Also a `csoftmax.cs231n.solver.Solver` that has trained.
        x : {"passes", "seconds", "iteration"}
            What it is shown over.
        name : str, optional
            Of its line, for the legend.
        ax : axes or sequence of axes of matplotlib, optional
            As for `plot`.

        Returns
        -------
        LossDisplay
        """
        model, _ = last_step(estimator)
        kind = type(model).__name__
        if hasattr(model, "loss_history"):
            return cls.from_history(model, name=name, ax=ax)
        if not hasattr(model, "history_"):
            raise ValueError(
                f"this {kind} has no history_: wanted a SoftmaxClassifier that is fitted, or "
                "LossDisplay.from_history with the losses that training returned"
            )
        return cls.from_history(model.history_, x=x, tol=model.tol, name=name, ax=ax)

    @classmethod
    def from_history(
        cls,
        history: Any,
        *,
        x: Over = "passes",
        tol: float | None = None,
        name: str | None = None,
        ax: Any = None,
    ) -> LossDisplay:
        """Draw what a training has kept.

        Parameters
        ----------
        history : dict, sequence of float, or object
            `history_` of an estimator; the losses that `train` of the course's linear classifiers
            returns; the dictionary of its two-layer network; a `csoftmax.cs231n.solver.Solver`; a
            model of `csoftmax.search.train_many`, or of the worksheet's search.
        x : {"passes", "seconds", "iteration"}
            What `history_` is shown over; all others have steps.
        tol : float, optional
            Where the fit ends: a line across the gradient.
        name, ax
            As for `from_estimator`.

        Returns
        -------
        LossDisplay
        """
        if not isinstance(history, Mapping):
            history = _as_mapping(history)
        if "loss_history" in history:
            accuracy = {ACCURACIES[key]: history[key] for key in ACCURACIES if key in history}
            return cls(history["loss_history"], accuracy=accuracy).plot(ax, name=name)
        if history.get("scores"):
            kinds = {"training": history["train_scores"], "validation": history["scores"]}
            return cls(
                history["loss"],
                accuracy={kind: list(scores.values()) for kind, scores in kinds.items()},
                accuracy_x=list(history["scores"]),
                accuracy_x_name="step",
            ).plot(ax, name=name)
        if "loss" not in history:
            raise ValueError(f"history has {', '.join(map(str, history))}: wanted the loss")
        if "passes" not in history:
            return cls(history["loss"]).plot(ax, name=name)
        if x not in OVER:
            raise ValueError(f"x is {x!r}: wanted one of {', '.join(map(repr, OVER))}")
        over = np.arange(1, len(history["loss"]) + 1) if x == "iteration" else history[x]
        gradient = history.get("gradient")
        return cls(history["loss"], x=over, x_name=OVER[x], gradient=gradient, tol=tol).plot(
            ax, name=name
        )

    @property
    def description(self) -> str:
        """What is to be seen, in words."""
        first, last = self.loss[0], self.loss[-1]
        text = f"loss {first:.4g} to {last:.4g} over {self.x[-1]:g} {self.x_name}"
        text += "s" if self.x_name == "step" else ""
        if self.gradient is not None:
            text += f", gradient {self.gradient[-1]:.2g}"
        for name, values in self.accuracy.items():
            text += f", {name} accuracy {values[-1]:.3f}"
        return text

    def plot(self, ax: Any = None, *, name: str | None = None) -> LossDisplay:
        """Draw it.

        Parameters
        ----------
        ax : axes or sequence of axes of matplotlib, optional
            Those of another `LossDisplay` put both lines into one picture. A single one: for the
            loss alone. None: a new figure.
        name : str, optional
            Of the line, for the legend.

        Returns
        -------
        LossDisplay
            Itself.
        """
        panels = self._panels()
        if isinstance(ax, Axes):
            panels = panels[:1]
        axes = self._begin(ax, (len(panels), 1), (5.4, 0.6 + 2.3 * len(panels)))
        for panel, each in zip(panels, axes, strict=True):
            _draw(panel, each, name)
        return self

    def _panels(self) -> list[Panel]:
        text = "loss" if self.window == 1 else f"loss, mean of {self.window} steps"
        mean = np.convolve(self.loss, np.ones(self.window) / self.window, "valid")
        panels = [Panel(text, self.x[self.window - 1 :], self.x_name, {"": mean})]
        if self.gradient is not None:
            line = {"": self.gradient}
            panels.append(Panel("largest of gradient", self.x, self.x_name, line, self.tol))
        if self.accuracy:
            panels.append(Panel("accuracy", self.accuracy_x, self.accuracy_x_name, self.accuracy))
        return panels


def _draw(panel: Panel, axes: Axes, name: str | None) -> None:
    before = sum(line.get_label() != BOUND for line in axes.lines)
    for k, (kind, values) in enumerate(panel.lines.items()):
        found = np.isfinite(values)
        text = ", ".join(filter(None, (name, kind)))
        style = line_style(before + k)
        if len(values) > 60:
            style["marker"] = ""
        axes.plot(
            panel.x[found],
            values[found],
            **style,
            markersize=4,
            label=text or f"_{before + k}",
        )
    if panel.bound:
        axes.axhline(panel.bound, color="0.35", linestyle=":", label=BOUND)
        place = axes.get_yaxis_transform()
        axes.text(0.99, panel.bound, "tol", transform=place, ha="right", va="bottom")
    if _is_steep(panel):
        axes.set_yscale("log")
    axes.set_xlabel(panel.x_name)
    axes.set_ylabel(panel.name)
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize="small")


def _is_steep(panel: Panel) -> bool:
    """Whether the lines are shown in logarithms."""
    values = np.concatenate(list(panel.lines.values()))
    values = values[np.isfinite(values)]
    if not len(values) or panel.name == "accuracy" or values.min() <= 0:
        return False
    return panel.name == "largest of gradient" or bool(values.max() > STEEP * values.min())


def _vector(name: str, values: ArrayLike) -> Vector:
    try:
        found = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} holds what is no number: wanted a sequence of numbers") from None
    if found.ndim != 1:
        raise ValueError(f"{name} has shape {found.shape}: wanted a sequence of numbers")
    return found


def _as_mapping(history: Any) -> Mapping[str, Any]:
    """What an object, or a list of losses, has kept."""
    if hasattr(history, "loss_history"):
        return {key: getattr(history, key) for key in ("loss_history", *ACCURACIES)}
    if hasattr(history, "losses"):
        scores = {kind: getattr(history, kind) for kind in ("scores", "train_scores")}
        return {"loss": history.losses, **scores}
    if isinstance(history, (Sequence, np.ndarray)) and not isinstance(history, str):
        return {"loss": history}
    raise TypeError(
        f"history is {type(history).__name__}: wanted history_ of an estimator, a list of losses, "
        "or a solver"
    )
