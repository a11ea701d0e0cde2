"""What the solvers take from BLAS and LAPACK, SciPy and threadpoolctl; and one thread for them."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    from scipy.linalg.lapack import dpotrf, dpotrs, spotrf, spotri, spotrs
    from threadpoolctl import ThreadpoolController
except ImportError as error:
    raise ImportError(
        "the solvers need SciPy and threadpoolctl, which come with scikit-learn: "
        "pip install scikit-learn"
    ) from error

__all__ = ["dpotrf", "dpotrs", "gram", "one_blas_thread", "product", "spotrf", "spotri", "spotrs"]


def product(A: NDArray[Any], B: NDArray[Any]) -> NDArray[Any]:
    """A @ B, without a warning of what the processor's flags say of it.

    Kernels for Arm's SME set all of them, whatever the numbers: divisions by zero, too. (NumPy 2.4
    looks out for that on macOS only.) Overflows and NaN are seen all the same: a metric that has
    some gives no step that lessens the loss, and the fit ends with a ConvergenceWarning.
    """
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        result: NDArray[Any] = A @ B
    return result


def gram(A: NDArray[Any]) -> NDArray[Any]:
    """A.T @ A, for which NumPy takes BLAS's SYRK, half the work of a product, if that is right."""
    return product(A.T, A if _syrk_is_right() else A.copy())


@functools.cache
def _syrk_is_right() -> bool:
    """Whether SYRK has the numbers of a product.

    In float32 with SME it has not from OpenBLAS 0.3.31, which NumPy 2.4 brings, to 0.3.33. This can
    go when no NumPy that is supported has one of these.
    """
    # small whole numbers, for which no order of the sums has rounding
    A = np.arange(900, dtype=np.float32).reshape(3, 300) % 7
    return bool((product(A.T, A) == product(A.T, A.copy())).all())


class _OneThread:
    """Who wants BLAS to have one thread, and what to restore when nobody does any more.

    Of some libraries (OpenBLAS with its own threads, as in NumPy's wheels) the number of threads is
    one for the whole process. There the first to come sets it, and the last to leave restores it:
    not each its own, in whatever order their Python threads end.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside: set[object] = set()
        #: that have one number for the process, and that have one for each Python thread
        self.shared: list[Any] | None = None
        self.own: list[Any] = []
        self.before: list[tuple[Any, int]] = []

    def enter(self, who: object) -> None:
        """Set one thread for the process, unless somebody is inside who has."""
        with self.lock:
            if self.shared is None:  # none where threadpoolctl knows no BLAS
                found = ThreadpoolController().select(user_api="blas").lib_controllers
                self.own = [library for library in found if not _is_shared(library)]
                self.shared = [library for library in found if library not in self.own]
            first = not self.inside
            self.inside.add(who)
            if first:
                _limit(self.shared, self.before)

    def leave(self, who: object) -> None:
        """Restore what there was, if nobody is left. It may be called again after an interrupt."""
        with self.lock:
            self.inside.discard(who)
            if not self.inside:
                _restore(self.before)


def _set(library: Any, n: int) -> None:
    # threadpoolctl 3.8 ignores all but the Python thread that was the first to set OpenBLAS's
    release = getattr(library, "clear_controlling_thread", lambda force: None)
    release(force=True)
    library.set_num_threads(n)
    release(force=True)


def _is_shared(library: Any) -> bool:
    """Whether another Python thread sees what this one sets."""
    here = library.get_num_threads()
    _set(library, 2 if here == 1 else 1)
    with ThreadPoolExecutor(1) as pool:
        there = pool.submit(library.get_num_threads).result()
    shared = bool(there == library.get_num_threads())
    _set(library, here)
    return shared


def _limit(libraries: list[Any], before: list[tuple[Any, int]]) -> None:
    for library in libraries:
        if (n := library.get_num_threads()) != 1:
            before.append((library, n))
            _set(library, 1)


def _restore(before: list[tuple[Any, int]]) -> None:
    while before:
        library, n = before[-1]
        if library.get_num_threads() == 1:  # else another has set it meanwhile
            _set(library, n)
        before.pop()


_one_thread = _OneThread()


def _after_fork() -> None:
    """A child has one Python thread: whoever else held the lock, or was inside, is not there."""
    global _one_thread
    parents, _one_thread = _one_thread, _OneThread()
    parents.lock = threading.Lock()
    _one_thread.shared, _one_thread.own = parents.shared, parents.own
    _one_thread.before = parents.before


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """BLAS's results have the same bits, then, and its threads leave the kernels' cores alone.

    Those wait for work in a loop of their own, 60 ms long. Other Python threads may be inside at
    the same time; those of a pool must be, each by itself. Who sets BLAS's threads meanwhile, by
    another way, keeps them: nothing is restored over it.
    """
    who, one_thread = object(), _one_thread
    own: list[tuple[Any, int]] = []
    try:
        one_thread.enter(who)
        _limit(one_thread.own, own)
        yield
    finally:
        try:
            one_thread.leave(who)
            _restore(own)
        except BaseException:  # Ctrl-C may come here, too
            one_thread.leave(who)
            _restore(own)
            raise
