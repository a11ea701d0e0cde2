"""Arrays of any kind: dtypes, axes, outputs, and vectors of so many numbers."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax._native.checks.containers import present, type_name
from csoftmax._native.checks.foreign import as_numpy, is_sparse_table

Array = npt.NDArray[Any]

#: dtype.kind of what is a number here: bool, signed, unsigned, floating point
REAL_KINDS = "biuf"
KERNEL_CHARS = "fd"
FLOAT64 = np.dtype(np.float64)


def array(name: str, value: npt.ArrayLike) -> Array:
    """An array of real numbers of any dtype up to float64, as it is."""
    result = value if type(value) is np.ndarray else as_array(name, value)
    dtype = result.dtype
    if dtype.kind not in REAL_KINDS or dtype.itemsize > 8:
        return _of_objects(name, result)
    return result


def _of_objects(name: str, value: Array) -> Array:
    """The numbers that an array of objects holds, as a list of them would become an array."""
    where = ""
    if value.dtype == object:
        try:
            result = np.array(value.tolist())
        except ValueError:  # sequences of different lengths
            result = value
        dtype = result.dtype
        if result.shape == value.shape and dtype.kind in REAL_KINDS and dtype.itemsize <= 8:
            return result
        for at, element in np.ndenumerate(value):
            if not isinstance(element, (Real, np.bool_)):
                where = f"; {name}[{', '.join(map(str, at))}] is {element!r:.50}" if at else ""
                break
    elif value.dtype.name == "bfloat16":  # of ml_dtypes, as JAX has it
        where = f"; {name}.astype('float32') makes float32 of it"
    raise TypeError(
        f"{name} has dtype {value.dtype}: wanted real numbers "
        f"(bool, an integer type, float16, float32 or float64){where}"
    )


def arrays(values: dict[str, Any]) -> dict[str, Any]:
    """Arguments by name, each converted in its place: `out_array` has to see what is computed with.

    Of arrays, nothing is checked yet: a call of a microsecond counts.
    """
    for name, value in values.items():
        if value is not None and type(value) is not np.ndarray:
            values[name] = array(name, value)
    return values


def as_array(name: str, value: Any) -> Array:
    """An array of any dtype, without a copy where the value lies in memory as one."""
    present(name, value)
    if isinstance(value, np.ndarray):
        return np.asarray(value)
    if hasattr(type(value), "tocsr"):
        raise TypeError(f"{name} is a sparse {type(value).__name__}: wanted a dense array")
    if is_sparse_table(value):
        raise TypeError(
            f"{name} is a {type_name(value)} of sparse columns: wanted an array "
            f"({name}.sparse.to_dense() is dense, {name}.sparse.to_coo() one of SciPy's)"
        )
    try:
        return as_numpy(value)
    except ValueError as error:  # rows of different lengths
        raise ValueError(f"{name} is no array of numbers: {error}") from error
    except (TypeError, RuntimeError, BufferError) as error:  # PyTorch's that NumPy cannot hold
        hint = ""
        if getattr(value, "requires_grad", False) is True:
            hint = f" ({name}.detach() is the values alone; csoftmax.torch has gradients)"
        elif str(getattr(value, "dtype", "")).endswith("bfloat16"):
            hint = f" ({name}.float() makes float32 of it)"
        raise TypeError(
            f"{name} is a {type_name(value)} that NumPy cannot read: {error}{hint}"
        ) from error


@functools.cache
def result_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of a function of `dtype`: integers and bool count as float64."""
    if dtype.kind != "f":
        return FLOAT64
    return dtype if dtype.isnative else dtype.newbyteorder("=")


@functools.cache
def exp_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of numpy.exp, which SciPy's softmax has: narrow integers give narrow floats."""
    if dtype.kind in "iu" and dtype.itemsize < 4:
        return np.dtype(np.float16 if dtype.itemsize == 1 else np.float32)
    return result_dtype(dtype)


def kernel_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype that a kernel computes in: float16 goes through float32."""
    return dtype if dtype.char in KERNEL_CHARS else np.dtype(np.float32)


def native(value: Array, dtype: np.dtype[Any]) -> Array:
    """`value` in another dtype, a native one, aligned: itself, or a copy."""
    if value.dtype == dtype and value.flags.aligned:
        return value
    with np.errstate(over="ignore", invalid="ignore"):  # past float32 is inf, as in the kernels
        return value.astype(dtype)


def axes(axis: int | tuple[int, ...] | None, ndim: int) -> tuple[int, ...]:
    """`axis` as SciPy reads it, sorted and counted from the front; a scalar has axis 0, too."""
    if axis is None:
        return tuple(range(ndim))
    if type(axis) is int and -ndim <= axis < ndim:
        return (axis % ndim,)
    found = []
    for one in axis if isinstance(axis, tuple) else (axis,):
        if isinstance(one, (bool, np.bool_)):
            raise TypeError(f"axis is {axis!r}: wanted None, an integer or a tuple of integers")
        try:
            index = operator.index(one)
        except TypeError:
            raise TypeError(
                f"axis is {axis!r}: wanted None, an integer or a tuple of integers"
            ) from None
        if not -max(ndim, 1) <= index < max(ndim, 1):
            raise np.exceptions.AxisError(index, ndim)
        found.append(index % max(ndim, 1))
    if len(set(found)) < len(found):
        raise ValueError(f"axis is {axis!r}: wanted each axis once")
    return tuple(sorted(found)) if ndim else ()


def overlaps(a: Array, b: Array) -> bool:
    """Whether two arrays share memory; if that is too hard to tell, whether their bounds do."""
    if not np.may_share_memory(a, b):
        return False
    try:
        return np.shares_memory(a, b, max_work=10_000)  # type: ignore[arg-type]  # NumPy's stub
    except np.exceptions.TooHardError:
        return True


def same_memory(a: Array, b: Array) -> bool:
    """Whether two arrays are one: the same elements at the same addresses."""
    return (
        a.__array_interface__["data"][0] == b.__array_interface__["data"][0]
        and a.shape == b.shape
        and a.dtype == b.dtype
        and all(
            s == t or length == 1  # a stride that nobody takes
            for s, t, length in zip(a.strides, b.strides, a.shape, strict=True)
        )
    )


def _repeats(a: Array) -> bool:
    """Whether an array might have an element in the memory of another one of its own."""
    end = a.itemsize
    for stride, length in sorted(
        (abs(stride), n) for stride, n in zip(a.strides, a.shape, strict=True) if n > 1
    ):
        if stride < end:
            return True
        end += stride * (length - 1)
    return False


def numpy_out(out: Any) -> None:
    """Refuse an `out` that is not NumPy's."""
    if not isinstance(out, np.ndarray) or isinstance(out, np.ma.MaskedArray):
        raise TypeError(f"out is a {type(out).__name__}: wanted a numpy.ndarray")


def out_array(
    out: Array,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    inputs: Mapping[str, Array | None],
    *,
    in_place: Sequence[str] = (),
) -> Array:
    """An array for the result: of this shape and dtype, writable, apart from all inputs.

    It may be the very memory of the inputs that `in_place` names. The inputs are as `array` returns
    them, once: what only can be made an array may share out's memory, or be another one each time.
    """
    if type(out) is not np.ndarray:
        numpy_out(out)
    if out.shape != shape:
        raise ValueError(f"out has shape {out.shape}: wanted {shape}")
    if out.dtype != dtype:
        raise TypeError(f"out has dtype {out.dtype.str}: wanted {dtype.str} ({dtype})")
    flags = out.flags
    if not flags.writeable:
        raise ValueError("out is read-only: wanted an array that can be written to")
    if not flags.aligned or not (flags.forc or not out.size or not _repeats(out)):
        raise ValueError("out is unaligned or repeats memory: wanted an ordinary array")
    for name, other in inputs.items():
        if other is None or (other is out and name in in_place):
            continue
        if not overlaps(out, other):
            continue
        if name not in in_place:
            raise ValueError(f"out overlaps {name} in memory: wanted an array of its own")
        if not same_memory(out, other):
            raise ValueError(
                f"out overlaps {name} in memory: wanted {name} itself or an array apart"
            )
    return out


def vector(name: str, value: npt.ArrayLike, length: int, dtype: np.dtype[Any], of: str) -> Array:
    """A contiguous copy or view of `length` numbers in `dtype`; `of` says what there is one for."""
    result = array(name, value)
    if result.shape != (length,):
        raise ValueError(f"{name} has shape {result.shape}: wanted ({length},), one for each {of}")
    return np.ascontiguousarray(native(result, dtype))


def weights(
    name: str,
    value: npt.ArrayLike | None,
    length: int,
    dtype: np.dtype[Any],
    of: str,
    *,
    relative: bool = False,
    signed: bool = False,
    where: Callable[[int], object] = int,
) -> Array | None:
    """Finite numbers, not negative unless `signed`.

    Where only their ratios count (`relative`), they are scaled by a power of 2, so that no sum of
    them leaves the range of `dtype`. `where` says how the caller knows the place of one of them.
    """
    if value is None:
        return None
    given = vector(name, value, length, result_dtype(array(name, value).dtype), of)
    if not length:
        return native(given, dtype)
    highest, most = float(given.max()), float(np.finfo(np.float64 if relative else dtype).max)
    least = -most if signed else 0.0
    if not (float(given.min()) >= least and highest <= most):
        wide = given.astype(np.float64)  # `most` is an infinity in float16
        at = int((~((wide >= least) & (wide <= most))).argmax())
        bounds = (
            f"from {least:.3g} to {most:.3g}" if signed else f"none negative or above {most:.3g}"
        )
        raise ValueError(f"{name}[{where(at)}] is {given[at]}: wanted finite numbers, {bounds}")
    if relative and not 1e-9 < highest < 1e9:
        given = np.ldexp(given.astype(np.float64), -math.frexp(highest)[1])
    return native(given, dtype)
