"""A function that makes an iterator of blocks, anew for each pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from csoftmax._native.checks import as_array, is_sparse
from csoftmax._native.checks.containers import type_name
from csoftmax.sources.protocol import Array, Block
from csoftmax.sources.steady import Record, as_block, block_dtype, real_dtype

_WANTED = "wanted X, (X, y) or (X, y, sample_weight), all blocks alike"


class Called:
    """Blocks that a function gives: X, (X, y) or (X, y, sample_weight), X an array or sparse.

    They are asked for one after the other, in the thread that takes them: where they come from may
    be bound to it, and a block may be written over when the next one is asked for.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        called = getattr(make, "__qualname__", None) or type_name(make)
        self.name = f"X (the blocks of {called})"
        self.shape: tuple[int | None, int | None] = (None, None)
        self.dtype: np.dtype[Any] | None = None
        self.feature_names: list[str] | None = None
        self._make = make
        self._record = Record(self.name)
        self._form: _Form | None = None

    def blocks(self) -> Iterator[Block]:
        """All rows, as the function gives them."""
        made = self._make()
        if not hasattr(made, "__iter__"):
            raise TypeError(
                f"the function of {self.name} returned a {type_name(made)}: "
                f"wanted an iterator of blocks, {_WANTED}"
            )
        for block in self._record.checked(self._block(i, item) for i, item in enumerate(made)):
            if block.X.shape[0]:
                yield block
        self.shape = (self._record.n_rows, self.shape[1])
        if not self._record.n_rows:
            raise ValueError(f"{self.name} are none: wanted at least one row")

    def _block(self, index: int, item: Any) -> Block:
        where = f"block {index} of {self.name}"
        parts = list(item) if isinstance(item, (tuple, list)) else [item]
        if not 1 <= len(parts) <= 3 or not hasattr(parts[0], "shape"):
            raise TypeError(f"{where} is a {type_name(item)}: {_WANTED}")
        given, y, weight = parts + [None] * (3 - len(parts))
        X = given.tocsr() if is_sparse(given) else as_array(where, given)
        if len(X.shape) != 2:
            raise ValueError(f"{where} has shape {X.shape}: wanted (n, D), rows by features")
        form = _Form(
            f"{X.shape[1]} features",
            f"dtype {real_dtype(where, X.dtype)}",
            "sparse rows" if is_sparse(X) else "dense rows",
            "no y" if y is None else "a y",
            "no sample_weight" if weight is None else "a sample_weight",
        )
        if self._form is None or self.dtype is None:
            self._form = form
            # sparse rows as floats, as everywhere
            self.dtype = (
                np.result_type(X.dtype, np.float32) if is_sparse(X) else block_dtype(X.dtype)
            )
            self.shape = (None, X.shape[1])
        for found, first in zip(form, self._form, strict=True):
            if found != first:
                raise ValueError(f"{where} has {found}, where the first has {first}: {_WANTED}")
        if not is_sparse(X):
            X = as_block(X, self.dtype)
        elif X.dtype != self.dtype:
            X = X.astype(self.dtype)
        n_rows = X.shape[0]
        return Block(
            X,
            _beside(f"y of {where}", y, n_rows),
            _beside(f"sample_weight of {where}", weight, n_rows),
        )


class _Form(NamedTuple):
    """What all blocks have in common, in words."""

    features: str
    dtype: str
    layout: str
    y: str
    sample_weight: str


def _beside(name: str, value: Any, n_rows: int) -> Array | None:
    """What comes with the rows, one for each."""
    if value is None:
        return None
    result = as_array(name, value)
    if result.shape[:1] != (n_rows,):
        raise ValueError(f"{name} has shape {result.shape}: wanted one for each of {n_rows} rows")
    return result
