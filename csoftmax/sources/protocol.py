"""What a source of blocks is: rows that come some at a time, in the same order every time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: Bytes of a block, where the source lets us choose: two of them, and what reads ahead, stay well
#: below 256 MB.
BLOCK_BYTES = 64 << 20


class Block(NamedTuple):
    """Some rows, one after the other. X may be overwritten when the next block is asked for.

    See Also
    --------
    Source : Gives them.
    Part : One with all that is asked for beside.
    """

    X: Any  #: (n, D) ndarray or CSR
    y: Array | None = None  #: (n,) or (n, C): where the target comes with the rows
    sample_weight: Array | None = None  #: (n,)


class Source(Protocol):
    """Rows that are read block by block, once a pass.

    See Also
    --------
    source_of : Makes them.
    Block : What they give.
    """

    @property
    def name(self) -> str:
        """What it is, for errors: "X (the file rows.npy)"."""

    @property
    def shape(self) -> tuple[int | None, int | None]:
        """Rows and features; None where that shows in the first pass alone."""

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """Of the blocks' X; None where that shows in the first pass alone."""

    @property
    def feature_names(self) -> list[str] | None:
        """Where the features have names."""

    def blocks(self) -> Iterator[Block]:
        """All rows, cut in the same places every time."""


@runtime_checkable
class Takes(Source, Protocol):
    """A source that can read rows from anywhere.

    See Also
    --------
    Source : What may give them.
    rows_at_once : How many rows that is.
    """

    def take(self, rows: npt.NDArray[np.int64]) -> Array:
        """X[rows], in memory."""


def rows_at_once(width: int, dtype: np.dtype[Any]) -> int:
    """Rows of a block, where the source lets us choose: by its shape and dtype alone.

    Parameters
    ----------
    width : int
        Features.
    dtype : dtype

    Returns
    -------
    int
        At least 1.

    See Also
    --------
    Block : What so many rows are.

    Examples
    --------
    >>> import numpy as np
    >>> from csoftmax.sources import rows_at_once
    >>> rows_at_once(784, np.dtype(np.float32))
    21399
    """
    return max(1, BLOCK_BYTES // max(1, width * dtype.itemsize))
