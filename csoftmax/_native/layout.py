"""Arrays of any shape seen as (outer, n, inner), with the axes in question as the middle one.

`Layout` is for the row functions, along any axes; `Rows` for the losses, along axis 1.
"""

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

    def cube(self, x: Array) -> Array:
        """An array that broadcasts to this shape, as (outer, n, inner): a view, or a copy.

        The stride between a row's elements is theirs, or 0, or rows are not long.
        """
        order = self.order if self.form == "moved" else tuple(range(len(self.shape)))
        if self.form == "F":
            order = order[::-1]
        elif self.axes is not None:
            order = tuple(k for k in self.axes if k >= 0)
        result = np.broadcast_to(x, self.shape).transpose(order).reshape(self.dims)
        if self.dims[1] > _LONGEST_APART and result.strides[1] not in (0, result.itemsize):
            result = np.ascontiguousarray(result)
        return result

    def empty_sums(self, dtype: np.dtype[Any]) -> Array:
        """A new array of one number for each slice, contiguous in the order of the cube."""
        return np.empty(self.sums_shape, dtype, "F" if self.form == "F" else "C")


_layout = functools.lru_cache(maxsize=512)(Layout)


class Rows:
    """The rows of scores (N, C, d1, ...), in the order in which they lie in memory.

    What there is one of for each row (a target index, a loss) is a vector in this order for the
    kernels, which work on rows that are neighbours, whichever axis they are neighbours on.

    Attributes
    ----------
    shape : tuple of ints
        (N, d1, ...): the shape of one number for each row.
    """

    def __init__(self, scores: Array) -> None:
        shape = scores.shape
        self.is_matrix = len(shape) == 2
        self.shape = (shape[0], *shape[2:])
        self.axes = tuple(range(len(self.shape)))  # of self.shape, the closest in memory last
        if not self.is_matrix and not scores.flags.c_contiguous:
            distances = [abs(scores.strides[k + (k > 0)]) for k in self.axes]
            self.axes = tuple(sorted(self.axes, key=lambda k: -distances[k]))

    def flat(self, values: Array) -> Array:
        """One number for each row, in order and without gaps: a view where they lie so."""
        if self.is_matrix:
            return np.ascontiguousarray(values)
        return np.ascontiguousarray(values.transpose(self.axes).reshape(-1))  # strides may be 0

    def shaped(self, vector: Array) -> Array:
        """A view of such a vector in the shape (N, d1, ...)."""
        if self.is_matrix:
            return vector
        ordered = vector.reshape([self.shape[k] for k in self.axes])
        return ordered.transpose(np.argsort(self.axes))

    def index(self, row: int) -> str:
        """Where a row of the order is in (N, d1, ...), as it is written."""
        places = np.unravel_index(row, [self.shape[k] for k in self.axes])
        return ", ".join(str(places[self.axes.index(k)]) for k in range(len(places)))

    def layout(self, scores: Array, *others: Array | None) -> tuple[Any, ...] | None:
        """How the kernels see these arrays of one shape; None: as the matrices that they are.

        Returns
        -------
        dims : tuple of 3 ints
            The shape (outer, C, inner) of the cubes.
        strides, places : tuple of 3 ints, and ndarray or None
            Of each array, counting elements. Neighbouring axes are one in the cube where all arrays
            allow it; what is more than two of them is listed: where each place of the outer axis
            lies, if that is not a stride from the one before.
        """
        if self.is_matrix:
            of_row, of_class = scores.strides
            if scores.flags.c_contiguous or abs(of_class) <= abs(of_row):
                return None
        arrays = [scores, *(a for a in others if a is not None)]
        merged: list[tuple[int, list[int]]] = []
        for k in self.axes:
            size, axis = self.shape[k], k + (k > 0)
            strides = [a.strides[axis] // a.itemsize for a in arrays]
            if merged and merged[-1][1] == [size * stride for stride in strides]:
                merged[-1] = (merged[-1][0] * size, strides)
            elif size > 1:
                merged.append((size, strides))
        *outer, (inner, steps) = merged or [(1, [0] * len(arrays))]
        cubes = iter(
            _placed([(size, strides[i]) for size, strides in outer], a, steps[i])
            for i, a in enumerate(arrays)
        )
        dims = math.prod(size for size, _ in outer), scores.shape[1], inner
        return dims, next(cubes), *(None if a is None else next(cubes) for a in others)


def _placed(
    outer: list[tuple[int, int]], a: Array, step: int
) -> tuple[tuple[int, int, int], Array | None]:
    """The strides of a cube, and the places on its outer axis if several (size, stride) make it."""
    of_class = a.strides[1] // a.itemsize
    if len(outer) < 2:
        return (outer[0][1] if outer else 0, of_class, step), None
    places = np.zeros(1, np.intp)
    for size, stride in outer:
        places = np.add.outer(places, stride * np.arange(size)).reshape(-1)
    return (0, of_class, step), places
