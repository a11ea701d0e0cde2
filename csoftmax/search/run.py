"""A training of many models on its way: their losses, scores, and ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax.linear import linear_predict
from csoftmax.search.stack import Stack

Array = npt.NDArray[Any]


class Run:
    """A training on its way: what is known of each model."""

    def __init__(
        self,
        stack: Stack,
        n_steps: int,
        validation: tuple[Any, Array] | None,
        sample: tuple[Any, Array] | None,
    ) -> None:
        self.stack, self.n_steps, self.validation, self.sample = stack, n_steps, validation, sample
        self.steps, n_models = 0, len(stack.rates)
        self.losses = np.full((n_models, n_steps), np.nan)
        self.scores: list[dict[int, float]] = [{} for _ in range(n_models)]
        self.train_scores: list[dict[int, float]] = [{} for _ in range(n_models)]
        self.made = [0] * n_models  # steps, of those that were dropped
        self.live = list(range(n_models))
        self.fixed: dict[int, tuple[Array, Array | None]] = {}  # weights that change no more
        self.best: tuple[float, int] | None = None  # score, model

    def step(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Make a step of each; return the losses before it, NaN of those that have ended."""
        losses = self.stack.step(rows)
        self.losses[:, self.steps] = losses
        self.steps += 1
        lost = []
        for k in self.live:
            if np.isnan(losses[k]) and k not in self.fixed:
                weights = self.stack.weights(k)
                if all(np.isnan(w).all() for w in weights if w is not None):
                    lost.append(k)
        self._fix(lost)
        return losses

    def score(self) -> None:
        """Score those that are live and not scored yet, on the rows that there are for it."""
        for k in self.live:
            if self.sample is not None and self.steps not in self.train_scores[k]:
                self.train_scores[k][self.steps] = self._accuracy(k, *self.sample)
            if self.validation is not None and self.steps not in self.scores[k]:
                score = self.scores[k][self.steps] = self._accuracy(k, *self.validation)
                if self.best is None or score > self.best[0]:
                    self.best = score, k

    def drop(self, n_kept: int) -> None:
        """Score, and end all but the best."""
        self.score()
        order = sorted(self.live, key=lambda k: -self.scores[k][self.steps])
        dropped = order[n_kept:]
        self.live = sorted(order[:n_kept])
        for k in dropped:
            self.made[k] = self.steps
        self._fix([k for k in dropped if k not in self.fixed])

    def result(self, k: int) -> dict[str, Any]:
        """What a `Model` has of it."""
        steps, status = self.steps, "finished"
        if k not in self.live:
            steps, status = self.made[k], "dropped"
        elif steps < self.n_steps:
            status = "stopped"
        W, b = self._weights(k)
        losses = self.losses[k, :steps].copy()
        return {
            "W": W,
            "b": b,
            "losses": losses,
            "scores": self.scores[k],
            "train_scores": self.train_scores[k],
            "status": status,
        }

    def _accuracy(self, k: int, X: Any, y: Array) -> float:
        W, b = self._weights(k)
        view = self.stack.view
        labels = linear_predict(W, X, bias=b, n_threads=self.stack.n_threads, **view)
        return float((labels == y).mean())

    def _weights(self, k: int) -> tuple[Array, Array | None]:
        return self.fixed[k] if k in self.fixed else self.stack.weights(k)

    def _fix(self, models: Sequence[int]) -> None:
        self.fixed |= {k: self.stack.weights(k) for k in models}
        if models:
            self.stack.end(models)
