"""Types that signatures share: what type checkers tell of an option, and of a result's dtype."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np

#: A dtype that goes through: float32 in, float32 out.
Float = TypeVar("Float", bound=np.floating[Any])

Axis: TypeAlias = int | tuple[int, ...] | None

#: What `reduction` may be: of the first two the loss is a number, of the last an array.
Reduced: TypeAlias = Literal["mean", "sum"]
NotReduced: TypeAlias = Literal["none"]
Reduction: TypeAlias = Literal["mean", "sum", "none"]
