"""A small grid of models, trained."""

from __future__ import annotations

from typing import Any

from csoftmax.search import Models, train_many

RATES, REGS, SEEDS = [1e-3, 1e-1, 1.0], [0.0, 0.1], [0, 1]


def train(data: tuple[Any, ...], *settings: Any, **options: Any) -> Models:
    X, y, X_val, y_val = data
    options = {"X_val": X_val, "y_val": y_val, "n_steps": 60, "batch_size": 20} | options
    return train_many(X, y, *(settings or (RATES, REGS, SEEDS)), **options)
