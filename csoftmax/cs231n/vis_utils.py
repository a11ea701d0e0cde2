"""Many images as one, under the course's name. Matplotlib shows it; it is not needed here."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from csoftmax._native import checks

__all__ = ["visualize_grid"]


def visualize_grid(Xs: ArrayLike, ubound: float = 255.0, padding: int = 1) -> NDArray[Any]:
    """Arrange images in a square, row by row, each with its own range of colours.

    Parameters
    ----------
    Xs : (N, H, W, C) array
        Images, or weights that have the shape of images.
    ubound : float
        What the greatest entry of each image becomes; the least becomes 0, and so does all of an
        image that is the same everywhere.
    padding : int
        Black pixels between two images.

    Returns
    -------
    (n H + (n - 1) padding, n W + (n - 1) padding, C) float64 ndarray
        With n the root of N, rounded up. What has no image is black.

    Raises
    ------
    TypeError, ValueError
        Naming the argument that is wrong.

    See Also
    --------
    csoftmax.plot : Pictures of weights with names and axes.

    Examples
    --------
    >>> import numpy as np
    >>> grid = visualize_grid(np.arange(12.0).reshape(3, 2, 2, 1))
    >>> print(grid[:, :, 0].round())
    [[  0.  85.   0.   0.  85.]
     [170. 255.   0. 170. 255.]
     [  0.   0.   0.   0.   0.]
     [  0.  85.   0.   0.   0.]
     [170. 255.   0.   0.   0.]]
    """
    images = checks.array("Xs", Xs)
    if images.ndim != 4 or not images.size:
        raise ValueError(f"Xs has shape {images.shape}: wanted (N, H, W, C), and none of them 0")
    bound, gap = checks.real("ubound", ubound), checks.integer("padding", padding, 0)
    n, height, width, channels = images.shape
    side = math.ceil(math.sqrt(n))
    grid = np.zeros(
        (side * (height + gap) - gap, side * (width + gap) - gap, channels), dtype=np.float64
    )
    for k, image in enumerate(images.astype(np.float64, copy=False)):
        top, left = k // side * (height + gap), k % side * (width + gap)
        low, high = image.min(), image.max()
        if low != high:
            grid[top : top + height, left : left + width] = bound * (image - low) / (high - low)
    return grid
