"""Checkpoints: a fit that goes on from one ends with the bits of one that was never stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
from kept_fits import PROBLEM, fit, objective, same, stopped
from scipy import sparse
from sklearn.datasets import load_digits

from csoftmax.solvers import SGD, checkpoint, curvature, loop
from csoftmax.solvers.checkpoint import Keeper
from csoftmax.solvers.curvature import Blocks, Diagonal, Exact, Wide

pytestmark = pytest.mark.usefixtures("a_checkpoint_each_iteration")

DIGITS, LABELS = (each[:400] for each in load_digits(return_X_y=True))

METRICS: list[Any] = [
    (Exact, {"EXACT": 1e9}, {}),
    (Blocks, {"EXACT": 0}, {}),
    (Blocks, {"EXACT": 0, "BLOCK_BYTES": 0}, {}),
    (Wide, {"EXACT": 0, "WIDE": 0, "WIDE_ROWS": 200}, {}),
    (Diagonal, {"EXACT": 0, "NARROW": 0}, {"sparse": True}),
    (Diagonal, {}, {"l1": 1e-3}),
    (Diagonal, {}, {"l1": 1e-3, "sparse": True}),
    (Blocks, {"EXACT": 0}, {"newton": True}),
]


@pytest.mark.parametrize(("metric", "limits", "options"), METRICS, ids=lambda each: str(each))
@pytest.mark.parametrize(
    ("dtype", "narrow"), [(np.float32, False), (np.float64, False), (np.float64, True)]
)
def test_same_bits_from_any_iteration(
    metric: type,
    limits: dict[str, int],
    options: dict[str, Any],
    dtype: Any,
    narrow: bool,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for name, value in limits.items():
        monkeypatch.setattr(curvature, name, value)
    monkeypatch.setattr(curvature, "REFRESH", {2: 2, 5: 2, 6: 3, 9: 3})
    monkeypatch.setattr(curvature, "CANDIDATES", 300)  # so that generators draw
    monkeypatch.setattr(curvature, "MIN_ROWS", 100)
    monkeypatch.setattr(loop, "WORTH", 0 if narrow else np.inf)
    options = {"tol": 1e-5, "max_iter": 16, **options}
    X = DIGITS.astype(dtype) / dtype(16)
    X = sparse.csr_array(X) if options.pop("sparse", False) else X

    def make() -> Any:
        return objective(X, LABELS, dtype)

    if not options.get("l1"):
        assert type(curvature.curvature_of(make())) is metric
    whole = fit(make(), None, **options)
    n_iter = whole[0].n_iter
    assert n_iter >= 5
    for until in sorted({2, 3, 4, 6, n_iter - 1, n_iter}):
        path = tmp_path / f"{until}.npz"
        stopped(make, path, until, **options)
        assert same(fit(make(), path, **options), whole), until


def test_a_fit_that_is_stopped_after_each_iteration(tmp_path: Path) -> None:
    options = {"l1": 1e-3, "tol": 1e-6}
    whole = fit(objective(), None, **options)
    path = tmp_path / "checkpoint"
    for until in range(2, whole[0].n_iter + 1):
        stopped(objective, path, until, **options)
    assert same(fit(objective(), path, **options), whole)
    assert [each.name for each in tmp_path.iterdir()] == ["checkpoint"]


@pytest.mark.parametrize("rule", ["adam", "momentum"])
@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("l1", [0.0, 1e-3])
def test_epochs(rule: str, early: bool, l1: float, tmp_path: Path) -> None:
    def options() -> dict[str, Any]:
        how = SGD(rule=rule, early_stopping=early, n_iter_no_change=3)
        random = np.random.RandomState(3)
        return {"descent": True, "options": how, "random": random, "l1": l1, "max_iter": 12}

    whole = fit(objective(), None, **options())
    for until in (2, whole[0].n_iter):
        path = tmp_path / str(until)
        stopped(objective, path, until, **options())
        again = options()
        before = again["random"].get_state()[1].tobytes()
        assert same(fit(objective(), path, **again), whole)
        assert again["random"].get_state()[1].tobytes() == before  # the caller's
        assert same(fit(objective(), path, **options()), whole)  # finished


@pytest.mark.parametrize("kind", [np.random.MT19937, np.random.PCG64, np.random.Philox])
def test_generators_of_any_kind(kind: Any, tmp_path: Path) -> None:
    def options() -> dict[str, Any]:
        return {"descent": True, "random": np.random.RandomState(kind(1)), "max_iter": 4}

    whole = fit(objective(), None, **options())
    stopped(objective, tmp_path / "a", 3, **options())
    assert same(fit(objective(), tmp_path / "a", **options()), whole)
    other = np.random.RandomState(np.random.SFC64(1))
    with pytest.raises(ValueError, match=r"a': first\.bit_generator is '.*': wanted 'SFC64'"):
        fit(objective(), tmp_path / "a", **options() | {"random": other})


@pytest.mark.parametrize("options", [{}, {"descent": True, "max_iter": 9}], ids=str)
def test_a_finished_fit_ends_at_once(options: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    first = fit(objective(), path, **options)
    written = path.stat().st_mtime_ns
    again = objective()
    assert same(fit(again, path, **options), first)
    assert again.passes == first[1]["passes"][-1]
    assert path.stat().st_mtime_ns == written


def test_a_finished_fit_goes_on_to_a_smaller_tol_or_for_more_iterations(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    assert fit(objective(), path, tol=1e-1)[0].stop_reason == "gradient"
    assert fit(objective(), path, tol=1e-6, max_iter=4)[0].stop_reason == "max_iter"
    whole = fit(objective(), None, tol=1e-6)
    assert whole[0].n_iter > 5
    assert same(fit(objective(), path, tol=1e-6), whole)
    rounding = fit(objective(), path, tol=0)
    assert rounding[0].stop_reason == "loss"
    assert same(fit(objective(), path, tol=0), rounding)
    descent = {"descent": True, "options": SGD(n_iter_no_change=1)}
    path = tmp_path / "b.npz"
    first = fit(objective(), path, tol=0.1, **descent)[0]
    assert first.stop_reason == "loss"
    assert fit(objective(), path, tol=1e-4, **descent)[0].n_iter > first.n_iter


def test_nothing_is_written_before_the_first_iteration(tmp_path: Path) -> None:
    fit(objective(), tmp_path / "a", max_iter=0)
    fit(objective(), tmp_path / "a", max_iter=0, descent=True)
    assert not any(tmp_path.iterdir())


def test_how_often(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    now = 0.0
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now)
    monkeypatch.setattr(checkpoint, "SECONDS", 30.0)
    monkeypatch.setattr(checkpoint, "SHARE", 20)
    keeper = Keeper(tmp_path / "a", PROBLEM)
    assert not keeper.due(1, last=False)
    assert keeper.due(1, last=True)
    assert not keeper.due(0, last=True)
    now = 30.0
    assert keeper.due(2, last=False)
    now = 32.0  # it took 2 seconds
    keeper.write(2, {})
    now = 71.0
    assert not keeper.due(3, last=False)
    now = 72.0
    assert keeper.due(3, last=False)
