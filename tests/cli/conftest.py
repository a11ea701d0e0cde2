"""What the tests of the command line share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small npz file of colour images in three classes."""
    rng = np.random.default_rng(0)
    y = rng.permutation(np.arange(150) % 3)
    X = rng.normal(80, 10, (150, 4, 5, 3))
    X[np.arange(150), :, :, y] += 90
    path = tmp_path_factory.mktemp("images") / "tiny.npz"
    np.savez(path, X=X.clip(0, 255).astype(np.uint8), y=y, class_names=["red", "green", "blue"])
    return path
