"""The benchmark of fits: that all solve the same problem, and that the watch is true."""

from __future__ import annotations

import time

import numpy as np
import pytest

from csoftmax.bench import WrongResult, _timing

pytest.importorskip("sklearn")
import scipy.sparse

from csoftmax.bench import _solvers
from csoftmax.bench._problems import Data, Model, Pixels, Problem

pytestmark = pytest.mark.filterwarnings("ignore")  # those of the peers are theirs


@pytest.fixture(autouse=True)
def _no_rests(monkeypatch):
    monkeypatch.setattr(_timing, "PAUSES", 0)


def problem(l1_ratio=0.0, sparse=False):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((90, 4))
    y = (X[:, :3] + rng.gumbel(size=(90, 3))).argmax(axis=1)
    return Problem(Data(scipy.sparse.csr_array(X) if sparse else X, y), 0.5, l1_ratio)


def solved(case):
    name = "saga" if case.l1 else "newton-cg"
    return _solvers.sklearn(name, case, 1e-13).model


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_objective_and_gap(l1_ratio, sparse):
    case = problem(l1_ratio, sparse)
    rng = np.random.default_rng(1)
    some = Model(rng.standard_normal((4, 3)), rng.standard_normal(3))
    assert case.objective(some) == pytest.approx(_solvers.sklearn_objective(case, some), rel=1e-14)
    best = solved(case)
    above = case.objective(some) - case.objective(best)
    assert above > 0
    assert case.gap(some) >= above
    assert -1e-14 < case.gap(best) < 1e-10


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
@pytest.mark.parametrize("sparse", [False, True])
def test_every_rival_comes_near(l1_ratio, sparse):
    case = problem(l1_ratio, sparse)
    least = case.objective(solved(case))
    rivals = _solvers.rivals(case)
    assert set(rivals) >= ({"saga"} if l1_ratio else set(_solvers.SKLEARN))
    for name, solve in rivals.items():
        with _solvers.Watch(case, least, 60) as watch:
            solve(case, _solvers.TINY, watch)
        assert sorted(watch.reached) == sorted(_solvers.DISTANCES), name
        assert watch.reached[1e-4] <= watch.reached[1e-6] <= watch.seconds
        assert watch.points[-1][1] <= 1e-6 + _solvers.ROUNDING
        assert not watch.timed_out
        away = case.objective(solve(case, 1e-8).model) / least - 1
        assert abs(away) < 1e-4, name


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("solver", ["sag", "saga"])
def test_epochs_looked_at_are_those_of_one_run(solver, sparse):
    from sklearn.linear_model import LogisticRegression

    case = problem(sparse=sparse)
    with _solvers.Watch(case, 0.5, 0.4) as watch:
        _solvers.sklearn(solver, case, _solvers.TINY, watch)
    for epochs, near in ((1, 1e-12), (20, 1e-3)):  # later ones draw other rows
        model = LogisticRegression(
            solver=solver, C=case.C, tol=_solvers.TINY, max_iter=epochs, random_state=0
        ).fit(case.data.X, case.data.y)
        whole = case.objective(Model(model.coef_.T, model.intercept_))
        assert 0.5 * (1 + watch.points[epochs - 1][1]) == pytest.approx(whole, rel=near)


def test_watch_ends_what_takes_too_long():
    case = problem()
    zero = Model(np.zeros((4, 3)), np.zeros(3))
    with _solvers.Watch(case, 0.1, 0.05) as watch:
        while True:
            watch.look(np.log(3), lambda: zero)
    assert watch.timed_out
    assert 0.04 < watch.seconds < 0.5
    assert not watch.reached


def test_watch_stands_still_while_it_looks(monkeypatch):
    case = problem()
    monkeypatch.setattr(Problem, "objective", lambda self, model: time.sleep(0.2) or 1.0)
    with _solvers.Watch(case, 0.1, 0.1) as watch:
        watch.look(None, lambda: None)
    assert watch.seconds < 0.1
    assert not watch.timed_out


def test_less_than_the_minimum_is_noticed():
    case = problem()
    zero = Model(np.zeros((4, 3)), np.zeros(3))
    with pytest.raises(WrongResult, match="less than the minimum"), _solvers.Watch(case, 2, 9) as w:
        w.look(None, lambda: zero)


@pytest.mark.parametrize("solver", ["lbfgs", "newton-cg"])
def test_watch_ends_a_cross_validation(solver):
    from sklearn.linear_model import LogisticRegressionCV

    case = problem()
    model = LogisticRegressionCV(
        solver=solver,
        Cs=10 ** np.linspace(0, 9, 2000),
        tol=1e-12,
        max_iter=10**6,
        l1_ratios=(0.0,),
        use_legacy_attributes=False,
        scoring="neg_log_loss",
    )
    with _solvers.Watch(case, 1.0, 0.3) as watch:
        model.fit(case.data.X, case.data.y)
    assert watch.timed_out
    assert watch.seconds < 2


@pytest.mark.parametrize("bytes_", [False, True])
@pytest.mark.parametrize("shifted", [False, True])
def test_ours_watched_and_whole(bytes_, shifted):
    raw = np.random.default_rng(0).integers(0, 256, (200, 4), np.uint8)
    shift, scale = raw.mean(axis=0) if shifted else None, np.full(4, 1 / 255)
    y = (raw[:, :3] * np.random.default_rng(1).random((200, 3))).argmax(axis=1)
    ready = ((raw - (0 if shift is None else shift)) * scale).astype(np.float32)
    case = Problem(Data(ready, y, Pixels(raw, shift, scale)), 1.0, 0.0)
    solve = _solvers.ours(case)["uint8" if bytes_ else "csoftmax"]
    found = solve(case, 1e-6)
    assert found.history["loss"][-1] == pytest.approx(case.objective(found.model), rel=1e-5)
    assert case.gap(found.model) < 1e-5
    assert found.history["passes"][0] >= 1

    least = case.objective(solved(case))
    with _solvers.Watch(case, least, 60) as watch:
        solve(case, _solvers.TINY, watch)
    assert sorted(watch.reached) == sorted(_solvers.DISTANCES)
    for distance, n_iter in watch.looks.items():
        whole = solve(case, _solvers.TINY, max_iter=n_iter)
        assert len(whole.history["loss"]) == n_iter
        assert case.objective(whole.model) / least - 1 <= distance
