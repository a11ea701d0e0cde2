"""Many models at once: scores of training rows beside those of validation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from csoftmax.search import train_many

STEPS: dict[str, Any] = {"n_steps": 60, "batch_size": 20}


def test_scores_of_training_rows(data):
    X, y, X_val, y_val = data
    validation = {"X_val": X_val, "y_val": y_val}
    settings = [1e-3, 1.0], [0.0, 0.1]
    plain = train_many(X, y, *settings, **validation, **STEPS)
    models = train_many(X, y, *settings, score_rows=100, **validation, **STEPS)
    rows = np.linspace(0, 299, 100).astype(int)
    for model, other in zip(models, plain, strict=True):
        assert list(model.train_scores) == list(model.scores) == list(range(6, 61, 6))
        assert model.train_scores[60] == (model.predict(X[rows]) == y[rows]).mean()
        assert other.train_scores == {}
        np.testing.assert_array_equal(model.W, other.W)
        np.testing.assert_array_equal(model.losses, other.losses)
        assert model.scores == other.scores
    (all_rows,) = train_many(X, y, 0.1, score_rows=10**9, **STEPS)
    assert all_rows.train_scores[60] == (all_rows.predict(X) == y).mean()
    assert list(all_rows.train_scores) == list(range(6, 61, 6))
    assert all_rows.scores == {}
    with pytest.raises(ValueError, match="score_rows is -1"):
        train_many(X, y, 0.1, score_rows=-1)


def test_scores_of_training_rows_that_are_sparse(data):
    sparse = pytest.importorskip("scipy.sparse", reason="sparse rows need SciPy")
    X, y = data[:2]
    (dense,) = train_many(X, y, 0.1, score_rows=50, **STEPS)
    (model,) = train_many(sparse.csr_array(X), y, 0.1, score_rows=50, **STEPS)
    assert model.train_scores == dense.train_scores
