"""Rows of three classes, for training and for validation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="module")
def data() -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 400)
    X = np.eye(3)[y] + 0.6 * rng.standard_normal((400, 3))
    return X[:300], y[:300], X[300:], y[300:]
