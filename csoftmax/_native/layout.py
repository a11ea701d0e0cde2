"""Arrays of any shape seen as (outer, n, inner), with the axes in question as the middle one."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# The kernels copy rows whose elements lie apart into scratch, up to 16 at a time; longer ones are
# copied before, as a whole, so that the scratch of a thread stays within some megabytes.
_LONGEST_APART = 32768


def layout(x: Array, axes: tuple[int, ...]) -> Layout:
    """How to see x as a cube; found once for each shape and order."""
    flags = x.flags
    if flags.c_contiguous:
        return _layout(x.shape, axes, "C")
    if flags.f_contiguous:
        return _layout(x.shape, axes, "F")
    unit_stride = len(axes) == 1 and x.strides[axes[0]] == x.itemsize
    return _layout(x.shape, axes, "", unit_stride)


class Layout:
    """How to see one array as a cube, which is applied to others of its shape.

    In this order of preference, and without a copy: the axes are neighbours and the array is
    contiguous, in C or in Fortran order; or there is one axis, beside at most two others, of any
    strides. Otherwise there is a copy: in C order where that will do (the fastest copy), else with
    the axes moved to the end.

    Attributes
    ----------
    dims : tuple of 3 ints
        The cube's shape.
    axes : tuple of 3 ints, or None
        The array's axes that are the cube's, -1 for none; None: the array is contiguous, and so is
        the cube.
    """

    def __init__(
        self, shape: tuple[int, ...], axes: tuple[int, ...], order: str, unit_stride: bool = False
    ) -> None:
        self.shape = shape
        self.others = tuple(k for k in range(len(shape)) if k not in axes)
        self.order = self.others + axes
        self.sums_shape = tuple(shape[k] for k in self.others)
        n = math.prod(shape[k] for k in axes)
        neighbours = not axes or axes[-1] - axes[0] == len(axes) - 1
        short = n <= _LONGEST_APART
        first, last = (axes[0], axes[-1] + 1) if axes else (0, 0)
        before, after = math.prod(shape[:first]), math.prod(shape[last:])
        # whether the elements of a row are neighbours in memory
        together = before == 1 if order == "F" else after == 1
        self.axes: tuple[int, ...] | None = None
        self.dims: tuple[int, ...] = (before, n, after)
        if neighbours and order and (short or together):
            self.form = order
            if order == "F":
                self.dims = (after, n, before)
        elif len(axes) == 1 and len(shape) <= 3 and (short or unit_stride):
            self.form = "strided"
            self.axes, self.dims = self._strided(axes[0])
        elif neighbours and (short or together):
            self.form = "C"
        else:
            self.form = "moved"
            self.dims = (math.prod(self.sums_shape), n, 1)

    def _strided(self, axis: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        match self.others:
            case ():
                axes = (-1, axis, -1)
            case (other,):
                axes = (other, axis, -1) if other < axis else (-1, axis, other)
            case _:
                axes = (self.others[0], axis, self.others[1])
        return axes, tuple(1 if k < 0 else self.shape[k] for k in axes)

    def fits(self, x: Array) -> bool:
        """Whether the kernels can see this array as the cube."""
        if self.form == "C":
            return x.flags.c_contiguous
        if self.form == "F":
            return x.flags.f_contiguous
        return self.form == "strided" or x.transpose(self.order).flags.c_contiguous

    def empty(self, dtype: np.dtype[Any]) -> Array:
        """A new array of the shape, which fits."""
        if self.form == "F":
            return np.empty(self.shape, dtype, "F")
        if self.form != "moved":
            return np.empty(self.shape, dtype)
        moved = np.empty([self.shape[k] for k in self.order], dtype)
        return moved.transpose(np.argsort(self.order))

    def fitting(self, x: Array, dtype: np.dtype[Any]) -> Array:
        """An array of this shape that fits, aligned and in `dtype`: itself, or a copy."""
        if x.dtype == dtype and x.flags.aligned and self.fits(x):
            return x
        copy = self.empty(dtype)
        copy[...] = x
        return copy

    def empty_sums(self, dtype: np.dtype[Any]) -> Array:
        """A new array of one number for each slice, contiguous in the order of the cube."""
        return np.empty(self.sums_shape, dtype, "F" if self.form == "F" else "C")


_layout = functools.lru_cache(maxsize=512)(Layout)
