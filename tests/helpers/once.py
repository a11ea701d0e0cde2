"""References that are computed once for all instruction sets."""

from __future__ import annotations

import functools
import hashlib
import pickle
from collections.abc import Callable
from typing import Any


def once(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which is called once for arguments of the same numbers.

    Tests draw the same problems for each variant, and most of their time would be the reference's.
    """
    results: dict[bytes, Any] = {}

    @functools.wraps(function)
    def called(*arguments: Any, **options: Any) -> Any:
        key = hashlib.blake2b(pickle.dumps((arguments, sorted(options.items())))).digest()
        if key not in results:
            results[key] = function(*arguments, **options)
        return results[key]

    return called
