"""numpy.testing.assert_allclose for tests that call it very often, or with large arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def assert_allclose(
    got: ArrayLike, want: ArrayLike, rtol: float = 1e-7, atol: float = 0.0, err_msg: str = ""
) -> None:
    """The same at a fifth of its time where all numbers are close; else it is that which speaks."""
    a, b = np.asarray(got), np.asarray(want)
    close = a.shape == b.shape
    if close:
        with np.errstate(invalid="ignore"):
            far = np.abs(a - b)  # not finite where a number of either is not: that is for NumPy's
            close = far.max(initial=0) < np.inf and (far <= atol + rtol * np.abs(b)).all()
    if not close:
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol, err_msg=err_msg)
