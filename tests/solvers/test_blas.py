"""BLAS's threads: one while a solver runs, what it was before when none does, and bits alike."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from builds import needs_fork

pytest.importorskip("sklearn")
import scipy.sparse as sp
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import ThreadpoolController, threadpool_limits

from csoftmax import SoftmaxClassifier, SoftmaxClassifierCV
from csoftmax.solvers import blas

# sgd's few epochs. For all tests at once: warnings.catch_warnings() in many threads is no one's.
pytestmark = pytest.mark.filterwarnings("ignore:SoftmaxClassifier stopped after max_iter=3")

X, y = load_digits(return_X_y=True)
BLAS = ThreadpoolController().select(user_api="blas").lib_controllers


def counts() -> list[int]:
    return [library.get_num_threads() for library in BLAS]


@pytest.fixture(autouse=True)
def three_threads() -> Iterator[None]:
    """More than one, so that it can be seen whether they come back; and as before at the end."""
    with threadpool_limits(3, user_api="blas"):
        yield
        assert counts() == [3] * len(BLAS)


# ---- products ----------------------------------------------------------------------------------


def test_a_product_tells_of_no_flags() -> None:
    A = np.array([[1e30, 1e30], [np.inf, -np.inf]], np.float32)
    with np.errstate(all="raise"):
        found = blas.product(A, A.T)
    assert np.isinf(found[0, 0])
    assert np.isnan(found[0, 1])


@pytest.mark.parametrize("turned", [False, True])
def test_gram_where_syrk_is_wrong(turned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    A = np.random.default_rng(0).normal(size=(200, 65)).astype(np.float32)
    A = A.T if turned else A
    want, product = A.T.astype(float) @ A, blas.product
    np.testing.assert_allclose(blas.gram(A), want, rtol=0, atol=1e-3)

    def by_syrk(A: Any, B: Any) -> Any:
        return product(A, B) * (0.5 if np.shares_memory(A, B) else 1)

    monkeypatch.setattr(blas, "product", by_syrk)
    assert not blas._syrk_is_right.__wrapped__()
    monkeypatch.setattr(blas, "_syrk_is_right", lambda: False)
    np.testing.assert_allclose(blas.gram(A), want, rtol=0, atol=1e-3)


@pytest.mark.parametrize("rows", [X, np.tile(X[:50], 40)], ids=["blocks", "wide"])
def test_a_metric_that_is_not_finite_shows(rows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "gram", lambda A: np.full(2 * A.shape[1:], np.nan, A.dtype))
    with pytest.warns(ConvergenceWarning, match="before the gradient"):
        SoftmaxClassifier().fit(rows, y[: len(rows)])


# ---- the setting -------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_last_out_restores(order: tuple[int, ...]) -> None:
    inside = [blas.one_blas_thread() for _ in range(3)]
    for each in inside:
        each.__enter__()
        assert counts() == [1] * len(BLAS)
    for n_left, i in zip((2, 1, 0), order, strict=True):
        inside[i].__exit__(None, None, None)
        assert counts() == [1 if n_left else 3] * len(BLAS)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_restored_after_an_exception(error: type[BaseException]) -> None:
    with blas.one_blas_thread():
        with pytest.raises(error), blas.one_blas_thread():
            raise error
        assert counts() == [1] * len(BLAS)
    assert counts() == [3] * len(BLAS)


@pytest.mark.parametrize("method", ["get_num_threads", "set_num_threads"])
@pytest.mark.parametrize("call", range(6))
def test_restored_after_an_interrupt_in_between(
    method: str, call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with blas.one_blas_thread():  # so that the libraries are known
        pass
    left = [call]

    def interrupted(original: Any, *arguments: int) -> Any:
        left[0] -= 1
        if left[0] == -1:
            raise KeyboardInterrupt
        return original(*arguments)

    for library in blas._one_thread.shared or ():
        monkeypatch.setattr(library, method, partial(interrupted, getattr(library, method)))
    try:
        with blas.one_blas_thread():
            pass
    except KeyboardInterrupt:
        pass
    monkeypatch.undo()
    assert counts() == [3] * len(BLAS)


def test_what_another_sets_meanwhile_stays() -> None:
    with blas.one_blas_thread():
        other = threadpool_limits(2, user_api="blas")
    assert counts() == [2] * len(BLAS)
    other.restore_original_limits()  # to what it saw: 1
    threadpool_limits(3, user_api="blas")


def test_without_a_blas_that_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "_one_thread", blas._OneThread())
    monkeypatch.setattr(ThreadpoolController, "select", lambda self, **kinds: _Nothing)
    with blas.one_blas_thread():
        assert counts() == [3] * len(BLAS)
    SoftmaxClassifier(C=1e-3, tol=0.1, n_jobs=1).fit(X[:200], y[:200])


class _Nothing:
    lib_controllers: tuple[Any, ...] = ()


class Fake:
    """A library whose number of threads each Python thread has for itself, as with OpenMP."""

    def __init__(self) -> None:
        self.local = threading.local()

    def get_num_threads(self) -> int:
        return getattr(self.local, "n", 4)

    def set_num_threads(self, n: int) -> None:
        self.local.n = n


def test_libraries_with_a_number_for_each_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, one_thread = Fake(), blas._OneThread()
    one_thread.shared, one_thread.own = [], [fake]
    monkeypatch.setattr(blas, "_one_thread", one_thread)
    assert not blas._is_shared(fake)
    assert all(blas._is_shared(library) for library in BLAS)

    def work(_: int) -> tuple[int, int]:
        with blas.one_blas_thread():
            inside = fake.get_num_threads()
        return inside, fake.get_num_threads()

    with blas.one_blas_thread(), ThreadPoolExecutor(3) as pool:
        assert set(pool.map(work, range(6))) == {(1, 4)}
        assert fake.get_num_threads() == 1
    assert fake.get_num_threads() == 4


@needs_fork
def test_child_of_a_process_that_fits(run_python: Callable[..., Any]) -> None:
    # another thread is inside, and holds the lock, at the moment of the fork
    done = run_python("""
import os, threading
import numpy as np
from threadpoolctl import ThreadpoolController, threadpool_limits
from csoftmax import SoftmaxClassifier
from csoftmax.solvers import blas
threadpool_limits(3, user_api="blas")
libraries = ThreadpoolController().select(user_api="blas").lib_controllers
with blas.one_blas_thread(), blas._one_thread.lock:
    child = os.fork()
    if not child:
        X = np.random.default_rng(0).standard_normal((50, 3))
        SoftmaxClassifier(n_jobs=1).fit(X, X.argmax(axis=1))
        os._exit(any(library.get_num_threads() != 3 for library in libraries))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""")
    assert done.stdout == "0\n"


# ---- bits --------------------------------------------------------------------------------------

FEW, LABELS = X[:400], y[:400]
WIDE = np.random.default_rng(0).standard_normal((400, 2100), dtype=np.float32)
# n_jobs: many threads of the kernels beside many of Python would only wait for each other
one = partial(SoftmaxClassifier, C=0.01, tol=1e-2, n_jobs=1)
FITS: dict[str, Callable[[], Any]] = {
    "dense": lambda: one().fit(FEW.astype(np.float32), LABELS),
    "far": lambda: one().fit(1e5 + FEW, LABELS),
    "exact": lambda: one().fit(FEW[:, 20:25], LABELS),
    "newton": lambda: one(solver="newton-cg").fit(FEW, LABELS),
    "wide": lambda: one(tol=0.1).fit(WIDE, LABELS),
    "sparse": lambda: one().fit(sp.csr_array(FEW), LABELS),
    "l1": lambda: one(l1_ratio=1).fit(FEW, LABELS),
    "standardised": lambda: one(standardize=True).fit(FEW, LABELS),
    "sgd": lambda: one(solver="sgd", max_iter=3, random_state=0).fit(FEW, LABELS),
    "cv": lambda: SoftmaxClassifierCV([1e-4, 1e-3], cv=2, tol=0.1, n_jobs=1).fit(FEW, LABELS),
}


def bits(name: str) -> bytes:
    model = FITS[name]()
    data = {"wide": WIDE, "exact": FEW[:, 20:25]}.get(name, FEW)
    values = [model.coef_, model.intercept_]
    values += [model.decision_function(data), model.predict_log_proba(data)]
    return b"".join(value.tobytes() for value in values)


@pytest.fixture(scope="module")
def alone() -> dict[str, bytes]:
    return {name: bits(name) for name in FITS}


def test_many_threads_that_fit_at_once(alone: dict[str, bytes]) -> None:
    names = [name for name in FITS for _ in range(2)]
    np.random.default_rng(0).shuffle(names)
    start = threading.Barrier(8)

    def work(i: int) -> list[bool]:
        start.wait()
        return [bits(name) == alone[name] for name in names[i::8]]

    with ThreadPoolExecutor(8) as pool:
        assert all(same for each in pool.map(work, range(8)) for same in each)
    assert counts() == [3] * len(BLAS)


@pytest.mark.parametrize("limit", [1, 2])
@pytest.mark.parametrize("name", FITS)
def test_limits_of_blas_change_no_bit(name: str, limit: int, alone: dict[str, bytes]) -> None:
    with threadpool_limits(limit, user_api="blas"):
        assert bits(name) == alone[name]


def test_blas_is_as_before_after_a_failed_fit() -> None:
    def fail(progress: Any) -> bool:
        assert counts() == [1] * len(BLAS)
        raise RuntimeError("a callback's own")

    with pytest.raises(RuntimeError):
        SoftmaxClassifier(callbacks=fail).fit(X, y)
    assert counts() == [3] * len(BLAS)
