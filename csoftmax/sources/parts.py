"""The blocks of a source together with what belongs to their rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from csoftmax._native import checks
from csoftmax.sources.protocol import Block, Source

Array = npt.NDArray[Any]


class Part(NamedTuple):
    """A block, and what belongs to its rows.

    See Also
    --------
    parts : Makes them.
    Block : What it comes from.
    """

    number: int  #: of the block
    rows: slice  #: of the whole
    X: Any
    y: Any
    sample_weight: Any


def parts(source: Source, y: Any = None, sample_weight: Any = None) -> Iterator[Part]:
    """The blocks that have rows, with their parts of y and of the weights, or their own.

    Parameters
    ----------
    source : Source
    y : (N,) or (N, C) array_like, optional
        Of all rows; None: what comes with the blocks.
    sample_weight : (N,) array_like, optional
        The same of the weights.

    Returns
    -------
    iterator of Part
        Those that have rows, in order.

    Raises
    ------
    ValueError
        For y or weights that come twice, or are not one for each row.

    See Also
    --------
    Part : What it gives.
    source_of : Makes the source.

    Examples
    --------
    >>> import numpy as np
    >>> from csoftmax.sources import parts, source_of
    >>> source = source_of(lambda: iter([np.ones((2, 3)), np.ones((1, 3))]))
    >>> [part.rows for part in parts(source)]
    [slice(0, 2, None), slice(2, 3, None)]
    """
    y = None if y is None else checks.as_array("y", y)
    weights = None if sample_weight is None else checks.as_array("sample_weight", sample_weight)
    stop = 0
    for number, block in enumerate(source.blocks()):
        start, stop = stop, stop + block.X.shape[0]
        if start == stop:
            continue
        rows = slice(start, stop)
        own = _part("y", y, block.y, rows), _part("sample_weight", weights, block[2], rows)
        yield Part(number, rows, block.X, *own)
    for name, values in (("y", y), ("sample_weight", weights)):
        if values is not None and len(values) != stop:
            raise ValueError(f"{name} has {len(values)} rows, but {source.name} has {stop}")


def _part(name: str, values: Array | None, own: Array | None, rows: slice) -> Array | None:
    if values is None:
        return own
    if own is not None:
        raise ValueError(f"{name} is given, and comes with the blocks, too: wanted one of them")
    if values.ndim == 0 or len(values) < rows.stop:
        raise ValueError(
            f"{name} has shape {values.shape}: wanted one row for each of X, "
            f"which has at least {rows.stop}"
        )
    return values[rows]


class Selected:
    """Some rows of a source, in order.

    Parameters
    ----------
    source : Source
    rows : (n,) array of int64
        Which, in order.

    See Also
    --------
    parts : The parts themselves.
    Surveyed : A source whose rows are known.
    """

    def __init__(self, source: Source, rows: npt.NDArray[np.int64]) -> None:
        self._source, self._rows = source, rows
        self.name, self.dtype = f"some rows of {source.name}", source.dtype
        self.shape = (len(rows), source.shape[1])
        self.feature_names = source.feature_names

    def blocks(self) -> Iterator[Block]:
        """Those rows of each block."""
        for part in parts(self._source):
            low, high = np.searchsorted(self._rows, (part.rows.start, part.rows.stop))
            yield Block(part.X[self._rows[low:high] - part.rows.start])


@contextmanager
def named(source: Source, part: Part) -> Iterator[None]:
    """Have errors about some rows say in which block they are.

    Parameters
    ----------
    source : Source
    part : Part
        The rows that the errors are about.

    Returns
    -------
    context manager
        In it a TypeError or ValueError says where in the source it arose.

    See Also
    --------
    source_of : Whose columns are meant.

    Examples
    --------
    >>> import numpy as np
    >>> from csoftmax.sources import named, parts, source_of
    >>> source = source_of(lambda: iter([np.ones((2, 3))]))
    >>> (part,) = parts(source)
    >>> with named(source, part):
    ...     raise ValueError("no row has a label")
    Traceback (most recent call last):
    ...
    ValueError: block 0 of ..., from row 0 on: no row has a label
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        where = f"block {part.number} of {source.name}, from row {part.rows.start} on"
        raise type(error)(f"{where}: {error}") from error
