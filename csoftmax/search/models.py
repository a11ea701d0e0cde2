"""What comes of training many models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from csoftmax._html import table
from csoftmax.linear import linear_predict

Array = npt.NDArray[Any]

SHOWN = 10  #: models, of the best, that a notebook shows


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """One of the models of `train_many`.

    Attributes
    ----------
    learning_rate, reg : float
    seed : int or None
        Of its first weights; None where `start` was given.
    W : (D, C) ndarray
    b : (C,) ndarray or None
    shift, scale : (D,) ndarray or None
        The model is that of the features (X - shift) * scale.
    losses : (n_steps,) float64 ndarray
        The loss of each batch, with the penalty, before its step. NaN from where it has diverged.
    scores : dict of int to float
        Validation accuracy after so many steps; empty without validation rows.
    train_scores : dict of int to float
        Accuracy on the sample of the training rows (`score_rows`), at the same steps.
    status : str
        "finished"; "dropped" where halving ended it; "stopped" where Ctrl-C or the callback did.

    See Also
    --------
    train_many : Makes them.
    csoftmax.linear_predict : What `predict` calls.
    """

    learning_rate: float
    reg: float
    seed: int | None
    W: Array = field(repr=False)
    b: Array | None = field(repr=False)
    shift: npt.ArrayLike | None = field(repr=False)
    scale: npt.ArrayLike | None = field(repr=False)
    losses: npt.NDArray[np.float64] = field(repr=False)
    scores: dict[int, float] = field(repr=False)
    train_scores: dict[int, float] = field(repr=False)
    status: Literal["finished", "dropped", "stopped"]

    @property
    def n_steps(self) -> int:
        """Steps that it has made."""
        return len(self.losses)

    @property
    def val_accuracy(self) -> float:
        """Validation accuracy of W as it is; NaN without validation rows."""
        return self.scores.get(self.n_steps, np.nan)

    @property
    def diverged(self) -> bool:
        """Whether a loss left the finite numbers."""
        return not bool(np.isfinite(self.losses).all())

    @property
    def setting(self) -> str:
        """What it was trained with, in words."""
        seed = "" if self.seed is None else f", seed={self.seed}"
        return f"learning_rate={self.learning_rate:g}, reg={self.reg:g}{seed}"

    def predict(self, X: Any, n_threads: int | None = None) -> npt.NDArray[np.int64]:
        """The class of the largest score of each row: see `linear_predict`."""
        view: dict[str, Any] = {"shift": self.shift, "scale": self.scale}
        return linear_predict(self.W, X, bias=self.b, n_threads=n_threads, **view)

    def __repr__(self) -> str:
        loss = f", loss {self.losses[-1]:.4g}" if len(self.losses) else ""
        score = f", validation {self.val_accuracy:.3f}" if self.scores else ""
        return f"Model({self.setting}: {self.n_steps} steps{loss}{score}, {self.status})"


@dataclass(frozen=True, kw_only=True, eq=False)
class Models(Sequence[Model]):
    """What `train_many` returns: a sequence of the models, in the order of the settings.

    Attributes
    ----------
    loss : str
    models : tuple of Model
        For each learning rate each reg, and for each of these each seed.
    stopped : bool
        Whether Ctrl-C or the callback ended the training.
    seconds : float
        Of all models together, their scores included.

    See Also
    --------
    train_many : Makes them.
    Model : One of them.
    """

    loss: str
    models: tuple[Model, ...]
    stopped: bool
    seconds: float

    @overload
    def __getitem__(self, index: int) -> Model: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Model, ...]: ...
    def __getitem__(self, index: Any) -> Any:
        return self.models[index]

    def __len__(self) -> int:
        return len(self.models)

    @property
    def best(self) -> Model:
        """The first with the highest validation accuracy."""
        if not self.models[0].scores:
            raise ValueError("without X_val and y_val no model is the best")
        return max(self.models, key=lambda model: model.val_accuracy)

    def __repr__(self) -> str:
        steps = sorted({model.n_steps for model in self.models})
        counts = f"{steps[0]} to {steps[-1]}" if len(steps) > 1 else f"{steps[0]}"
        plural = "" if len(self) == 1 else "s"
        text = f"{len(self)} {self.loss} model{plural}, {counts} steps, {self.seconds:.2f} s"
        if self.models[0].scores:
            text += f", best validation {self.best.val_accuracy:.3f} at {self.best.setting}"
        return f"Models({text}{', stopped' if self.stopped else ''})"

    def _repr_html_(self) -> str:
        def cells(model: Model) -> tuple[str, ...]:
            numbers = model.learning_rate, model.reg, *model.losses[-1:], model.val_accuracy
            return (*(f"{x:.4g}" for x in numbers), str(model.n_steps), model.status)

        order = sorted(self.models, key=lambda model: -np.nan_to_num(model.val_accuracy, nan=-1))
        head = ("learning rate", "reg", "last loss", "validation", "steps", "status")
        return table(repr(self), map(cells, order[:SHOWN]), head)
