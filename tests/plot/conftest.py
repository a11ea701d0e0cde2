"""What the tests of pictures share."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def drawn():
    """Draw a display, and return the pixels: nothing is blank, and nothing warns."""
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    from matplotlib.image import imread

    def pixels(display: Any) -> Any:
        stream = io.BytesIO()
        display.figure_.savefig(stream, format="png", dpi=60)
        stream.seek(0)
        found = imread(stream)
        assert found[..., :3].std() > 0.01, "the picture is blank"
        return found

    return pixels


@pytest.fixture(scope="session")
def iris():
    """Rows and labels."""
    data = pytest.importorskip("sklearn.datasets", reason="the estimators need scikit-learn")
    return data.load_iris(return_X_y=True)


@pytest.fixture(scope="session")
def blobs():
    """Rows of two features and three classes, by NumPy alone."""
    rng = np.random.default_rng(0)
    y = np.arange(240) % 3
    centres = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]])
    return centres[y] + rng.standard_normal((240, 2)), y
