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
    order = "C" if flags.c_contiguous else "F" if flags.f_contiguous else ""
    unit_stride = len(axes) == 1 and x.ndim > 0 and x.strides[axes[0]] == x.itemsize
    return _layout(x.shape, axes, order, unit_stride)


class Layout:
    """How to see one array as a cube, which is applied to others of its shape.

    In this order of preference, and without a copy: the axes are neighbours and the array is
    contiguous, in C or in Fortran order; or there is one axis, beside at most two others, of any
    strides. Otherwise there is a copy: in C order where that will do (the fastest copy), else with
    the axes moved to the end.
    """

    def __init__(
        self, shape: tuple[int, ...], axes: tuple[int, ...], order: str, unit_stride: bool
    ) -> None:
        self.shape = shape
        self.others = tuple(k for k in range(len(shape)) if k not in axes)
        self.order = self.others + axes
        n = math.prod(shape[k] for k in axes)
        neighbours = not axes or axes[-1] - axes[0] == len(axes) - 1
        short = n <= _LONGEST_APART
        # whether the elements of a row are neighbours in memory
        together = axes[:1] == (0,) if order == "F" else axes[-1:] == (len(shape) - 1,)
        first, last = (axes[0], axes[-1] + 1) if axes else (0, 0)
        dims = (math.prod(shape[:first]), n, math.prod(shape[last:]))
        if neighbours and order and (short or together):
            self.form, self.dims = order, dims if order == "C" else dims[::-1]
        elif len(axes) == 1 and len(shape) <= 3 and (short or unit_stride):
            self.form, self.axis = "strided", axes[0]
        elif neighbours and (short or together):
            self.form, self.dims = "C", dims
        else:
            self.form, self.dims = "moved", (math.prod(shape[k] for k in self.others), n, 1)

    def fits(self, x: Array) -> bool:
        """Whether `cube` is a view of this array."""
        match self.form:
            case "C":
                return x.flags.c_contiguous
            case "F":
                return x.flags.f_contiguous
            case "strided":
                return True
        return x.transpose(self.order).flags.c_contiguous

    def empty(self, dtype: np.dtype[Any]) -> Array:
        """A new array of the shape, which fits."""
        if self.form != "moved":
            return np.empty(self.shape, dtype, "F" if self.form == "F" else "C")
        moved = np.empty([self.shape[k] for k in self.order], dtype)
        return moved.transpose(np.argsort(self.order))

    def cube(self, x: Array, dtype: np.dtype[Any]) -> Array:
        """An array of this shape as (outer, n, inner) in `dtype`: a view if it fits, or a copy."""
        if not (x.dtype == dtype and x.dtype.isnative and x.flags.aligned and self.fits(x)):
            fitting = self.empty(dtype)
            fitting[...] = x
            x = fitting
        match self.form:
            case "C":
                return x.reshape(self.dims)
            case "F":
                return x.T.reshape(self.dims)
            case "strided":
                return self._strided(x)
        return x.transpose(self.order).reshape(self.dims)

    def _strided(self, x: Array) -> Array:
        match self.others:
            case ():
                return x[None, :, None]
            case (other,):
                return x[:, :, None] if other < self.axis else x[None, :, :]
            case _:
                return x.transpose(self.others[0], self.axis, self.others[1])

    def sums(self, cube: Array) -> Array:
        """What an (outer, 1, inner) cube means: one number for each slice, in the others' shape."""
        shape = tuple(self.shape[k] for k in self.others)
        return cube.reshape(shape[::-1]).T if self.form == "F" else cube.reshape(shape)


_layout = functools.lru_cache(maxsize=512)(Layout)
