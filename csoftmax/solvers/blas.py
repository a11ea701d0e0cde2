"""What the solvers take from SciPy and threadpoolctl: BLAS, LAPACK, and one thread for both."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from typing import Any

try:
    from scipy.linalg.blas import get_blas_funcs
    from scipy.linalg.lapack import dpotrf, dpotrs, spotrf, spotri, spotrs
    from threadpoolctl import ThreadpoolController
except ImportError as error:
    raise ImportError(
        "the solvers need SciPy and threadpoolctl, which come with scikit-learn: "
        "pip install 'csoftmax[sklearn]'"
    ) from error

__all__ = ["dpotrf", "dpotrs", "get_blas_funcs", "one_blas_thread", "spotrf", "spotri", "spotrs"]


@functools.cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def one_blas_thread() -> AbstractContextManager[Any]:
    """BLAS's threads wait for work in a loop of their own, 60 ms long, on the kernels' cores."""
    limiter: AbstractContextManager[Any] = _libraries().limit(limits=1, user_api="blas")
    return limiter
