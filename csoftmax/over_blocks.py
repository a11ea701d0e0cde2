"""Passes over sources of blocks: functions of rows in memory, block by block, and their sums.

Sums over blocks are float64 and in the order of the blocks, so that a result depends on where the
blocks are cut, but on nothing else.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from csoftmax._native import checks
from csoftmax.sources import Source, Takes, named, parts, source_of

Array = npt.NDArray[Any]
Function = TypeVar("Function", bound=Callable[..., Any])


class Sums:
    """Means over rows of several blocks, of arrays in float64."""

    def __init__(self) -> None:
        self.weight = 0.0
        self.sums: list[Any] = []

    def add(self, weight: float, means: list[Any]) -> None:
        """Means over some rows, and what they weigh together."""
        self._add(
            weight, [np.asarray(np.multiply(mean, weight, dtype=np.float64)) for mean in means]
        )

    def merge(self, other: Sums) -> None:
        """Those over other rows, which stay as they are."""
        self._add(other.weight, other.sums if self.sums else [s.copy() for s in other.sums])

    def _add(self, weight: float, sums: list[Any]) -> None:
        self.weight += weight
        if not self.sums:
            self.sums = sums
            return
        for total, more in zip(self.sums, sums, strict=bool(sums)):
            total += more

    def means(self, name: str) -> list[Any]:
        """Over all rows of what is called `name`."""
        if not self.sums:
            raise ValueError(f"{name} has no rows: wanted at least one")
        if not self.weight > 0:
            raise ValueError("sample_weight is 0 for all rows: wanted at least one positive weight")
        return [total / self.weight for total in self.sums]


def _means(
    function: Callable[..., tuple[Any, ...]],
    source: Source,
    y: Any,
    sample_weight: Any,
) -> list[Any]:
    """Weighted means over all rows, in float64, of what `function` finds for those of a block.

    It is called as function(X, y, sample_weight=...). What it finds as None is left out.
    """
    sums = Sums()
    for part in parts(source, y, sample_weight):
        weights, total = part.sample_weight, float(part.X.shape[0])
        if weights is not None:
            total = float(np.sum(weights, dtype=np.float64))
            weights = weights if np.any(weights) else None  # such rows are looked at all the same
        with named(source, part):
            found = function(part.X, part.y, sample_weight=weights)
        sums.add(total, [each for each in found if each is not None])
    return sums.means(source.name)


def _opened(X: Any, rows: Any, **of_rows: Any) -> tuple[Source | None, list[Any]]:
    """X as a source to be read block by block; or None, and X, rows and others for rows in memory.

    Rows of a memory map are read where they lie, those of another source are taken from it.
    """
    here = rows is not None and isinstance(X, np.ndarray)
    source = None if here else source_of(X, *of_rows.values())
    if source is None or rows is None:
        return source, [X, rows, *of_rows.values()]
    n_rows = source.shape[0]
    if not isinstance(source, Takes) or n_rows is None:
        raise TypeError(
            f"rows is given, but {source.name} is read block by block alone: wanted rows=None, or "
            "X in memory"
        )
    rows = checks.row_indices(checks.as_array("rows", rows), n_rows)
    taken = []
    for name, values in of_rows.items():
        if values is not None:
            values = checks.as_array(name, values)
            if values.shape[:1] != (n_rows,):
                raise ValueError(
                    f"{name} has shape {values.shape}: wanted one row for each of {n_rows} of X"
                )
        taken.append(None if values is None else values[rows])
    return None, [source.take(rows), None, *taken]


def of_blocks(gather: Callable[..., Any]) -> Callable[[Function], Function]:
    """Have a function of W, X and more take sources of blocks as X, too, by way of `gather`."""

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def whole(W: Any, X: Any, *args: Any, **options: Any) -> Any:
            if type(X) is np.ndarray:  # before all else: small calls take 7 us
                return function(W, X, *args, **options)
            return gather(function, W, X, *args, **options)

        return cast(Function, whole)

    return decorate


def loss_and_gradient(
    function: Callable[..., Any],
    W: Any,
    X: Any,
    y: Any,
    reg: float = 0.0,
    *,
    sample_weight: Any = None,
    rows: Any = None,
    out: Array | None = None,
    **options: Any,
) -> Any:
    """`softmax_loss` and what has its arguments and results."""
    source, in_memory = _opened(X, rows, y=y, sample_weight=sample_weight)
    if source is None:
        X, rows, y, sample_weight = in_memory
        options |= {"sample_weight": sample_weight, "rows": rows, "out": out}
        return function(W, X, y, reg, **options)
    W, reg = checks.coefficients(checks.as_array("W", W)), checks.real("reg", reg, 0)
    grad = _place(out, W)
    y, sample_weight = (None if isinstance(name, str) else name for name in (y, sample_weight))
    of_block = functools.partial(function, W, **options)
    loss, dW, *dbias = _means(of_block, source, y, sample_weight)
    if reg:
        loss += 0.5 * reg * np.square(W, dtype=np.float64).sum()
        dW += reg * W.astype(np.float64)
    grad[...] = dW
    return (float(loss), grad, *(each.astype(W.dtype) for each in dbias))


def hessian_product(
    function: Callable[..., Any],
    W: Any,
    X: Any,
    V: Any,
    reg: float = 0.0,
    *,
    sample_weight: Any = None,
    out: Array | None = None,
    **options: Any,
) -> Any:
    """`hvp`."""
    source = source_of(X, None, sample_weight)
    if source is None:
        return function(W, X, V, reg, sample_weight=sample_weight, out=out, **options)
    W = checks.coefficients(W)
    product = _place(out, W)

    def of_block(X: Any, y: Any, sample_weight: Any) -> Any:
        return function(W, X, V, sample_weight=sample_weight, **options)

    HV, *of_bias = _means(of_block, source, None, sample_weight)
    product[...] = HV + reg * np.asarray(V, np.float64)
    return product, of_bias[0].astype(W.dtype) if of_bias else None


def stacked_losses(
    function: Callable[..., Any],
    W: Any,
    X: Any,
    y: Any,
    n_models: int,
    *,
    sample_weight: Any = None,
    mask: Any = None,
    normalizer: Any = None,
    **options: Any,
) -> Any:
    """`stack_loss_grad`, of a source only with `normalizer`."""
    source = source_of(X, y, sample_weight)
    if source is None:
        options |= {"sample_weight": sample_weight, "mask": mask, "normalizer": normalizer}
        return function(W, X, y, n_models, **options)
    total, sums = checks.normalizers(normalizer, n_models), Sums()
    for part in parts(source, y, sample_weight):
        if part.sample_weight is not None and not np.any(part.sample_weight):
            continue
        options["mask"] = None if mask is None else mask[:, part.rows]
        with named(source, part):
            found = function(
                W,
                part.X,
                part.y,
                n_models,
                sample_weight=part.sample_weight,
                normalizer=np.ones(n_models),
                **options,
            )
        sums.add(1.0, [each for each in found if each is not None])
    losses, *grads = sums.sums
    per_column = np.repeat(total, np.shape(W)[1] // n_models)
    dW, *dbias = ((grad / per_column).astype(np.asarray(W).dtype) for grad in grads)
    return losses / total, dW, dbias[0] if dbias else None


def _place(out: Array | None, W: Array) -> Array:
    if out is None:
        return np.empty(W.shape, W.dtype)
    return checks.out_array(out, W.shape, W.dtype, {"W": W})


def predictions(
    function: Callable[..., Array],
    W: Any,
    X: Any,
    *,
    rows: Any = None,
    out: Array | None = None,
    **options: Any,
) -> Array:
    """`linear_predict` and what has its arguments, with a result for each row."""
    source, (X, rows) = _opened(X, rows)
    if source is not None:
        return row_results(functools.partial(function, W, **options), source, out)
    return function(W, X, rows=rows, out=out, **options)


def row_results(
    function: Callable[[Any], Array], source: Source, out: Array | None = None
) -> Array:
    """What `function` gives for the rows of each block, one below the other; in `out`, if given."""
    if out is not None:
        checks.numpy_out(out)
    found: list[Array] = []
    stop, n_rows = 0, source.shape[0]
    for part in parts(source):
        stop = part.rows.stop
        with named(source, part):
            result = function(part.X)
        if out is None and n_rows is not None:
            out = np.empty((n_rows, *result.shape[1:]), result.dtype)
        if out is None:
            found.append(result)
        elif stop <= len(out):
            if out.shape[1:] != result.shape[1:] or out.dtype != result.dtype:
                raise ValueError(
                    f"out has shape {out.shape} and dtype {out.dtype}: "
                    f"wanted rows of shape {result.shape[1:]} and {result.dtype}"
                )
            out[part.rows] = result
        else:
            break
    if out is not None:
        if len(out) != stop:
            more = "more" if stop > len(out) else stop
            raise ValueError(f"the result has {len(out)} rows, but {source.name} has {more}")
        return out
    if not found:
        raise ValueError(f"{source.name} has no rows: wanted at least one")
    return np.concatenate(found)


def rows_of_pairs(
    function: Callable[[Any], tuple[Array, Array]], source: Source
) -> tuple[Array, Array]:
    """What `function` gives for the rows of each block, two arrays, each one below the other."""
    found = []
    for part in parts(source):
        with named(source, part):
            found.append(function(part.X))
    if not found:
        raise ValueError(f"{source.name} has no rows: wanted at least one")
    first, second = (np.concatenate(each) for each in zip(*found, strict=True))
    return first, second


def pairs(
    function: Callable[..., tuple[Array, Array]],
    W: Any,
    X: Any,
    k: int,
    *,
    rows: Any = None,
    **options: Any,
) -> tuple[Array, Array]:
    """`linear_top_k`."""
    source, (X, rows) = _opened(X, rows)
    if source is not None:
        return rows_of_pairs(lambda block: function(W, block, k, **options), source)
    return function(W, X, k, rows=rows, **options)
