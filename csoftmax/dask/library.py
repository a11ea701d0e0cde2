"""What comes from Dask: its only import."""

from __future__ import annotations

try:
    import dask
    import dask.array as array
    import distributed
    from dask.delayed import Delayed, delayed
    from dask.sizeof import sizeof
    from distributed import CancelledError, Client, TimeoutError
except ImportError as error:
    raise ImportError(
        "csoftmax.dask needs Dask's arrays and its cluster: pip install 'dask[array]' distributed"
    ) from error

__all__ = [
    "CancelledError",
    "Client",
    "Delayed",
    "TimeoutError",
    "array",
    "dask",
    "delayed",
    "distributed",
    "sizeof",
]
