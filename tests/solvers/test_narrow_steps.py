"""Fits to float64 X, whose steps are float32 as long as that leads on."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
from scipy import sparse
from sklearn.datasets import load_digits

from csoftmax import SoftmaxClassifier
from csoftmax.solvers import Progress, loop, minimise
from csoftmax.solvers.objective import Objective

DIGITS, LABELS = load_digits(return_X_y=True)
WIDE = np.hstack([DIGITS / 16, np.zeros((len(DIGITS), 500)), (DIGITS / 16) ** 2])
SPARSE = sparse.csr_array(WIDE)


@pytest.fixture(autouse=True)
def _pays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small data would not go that way."""
    monkeypatch.setattr(loop, "WORTH", 0)


class Spy(Objective):
    """Notes the dtypes in which it is evaluated."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.seen: list[str] = []

    def loss_grad(self, theta: Any, rows: Any = None) -> Any:
        self.seen.append(theta.dtype.name)
        loss, grad = super().loss_grad(theta, rows)
        assert grad.dtype == theta.dtype
        return loss, grad


def spy(X: Any = DIGITS, **options: Any) -> Spy:
    return Spy(X, LABELS, 10, np.float64, **{"l2": 1e-3} | options)


def fit(objective: Objective, **options: Any) -> Any:
    return minimise(objective, np.zeros(objective.shape), **options)


@pytest.mark.parametrize("X", [DIGITS, SPARSE], ids=["dense", "sparse"])
@pytest.mark.parametrize("options", [{}, {"l1": 1e-3}], ids=str)
@pytest.mark.parametrize("tol", [1e-3, 1e-5, 1e-8])
def test_same_minimum_and_hardly_more_passes(
    X: Any, options: Any, tol: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    objective = spy(X)
    lines: list[Progress] = []
    options = {"tol": tol, "max_iter": 3000, **options}

    def note(theta: Any, line: Progress) -> bool:
        lines.append(line)
        return False

    got = fit(objective, on_iteration=note, **options)
    assert got.theta.dtype == np.float64
    # float32 first, then float64 to the end
    n_narrow = objective.seen.count("float32")
    assert n_narrow > 3
    assert set(objective.seen[:n_narrow]) == {"float32"}
    assert [line.iteration for line in lines] == list(range(1, got.n_iter + 1))
    monkeypatch.setattr(loop, "WORTH", np.inf)
    alone = spy(X)
    want = fit(alone, **options)
    assert set(alone.seen) == {"float64"}
    assert got.stop_reason == want.stop_reason == "gradient"
    assert objective.passes <= 1.25 * alone.passes + 3
    losses = [line.loss for line in lines]
    assert losses[-1] == pytest.approx(
        _penalised(alone, want.theta, options.get("l1", 0.0)), rel=20 * tol
    )
    assert lines[-1].gradient <= tol


def _penalised(objective: Objective, theta: Any, l1: float) -> float:
    return objective.loss_grad(theta)[0] + l1 * float(np.abs(theta[:-1]).sum())


def test_newtons_steps_are_float64() -> None:
    objective = spy()
    fit(objective, newton=True)
    assert set(objective.seen) == {"float64"}


def test_the_gradient_at_the_end_is_that_of_float64() -> None:
    objective = spy()
    got = fit(objective, tol=1e-4)
    assert objective.seen[-1] == "float64"
    assert np.abs(objective.loss_grad(got.theta)[1]).max() <= 1e-4


def test_same_bits_for_any_number_of_threads() -> None:
    thetas = [fit(spy(n_threads=n), tol=1e-6).theta.tobytes() for n in (1, 2, 3)]
    assert len(set(thetas)) == 1


def test_stops() -> None:
    objective = spy()
    assert fit(objective, tol=0.0, max_iter=3)[1:3] == (3, "max_iter")
    assert objective.seen == ["float32"] * (len(objective.seen) - 1) + ["float64"]
    got = fit(spy(), on_iteration=lambda theta, line: line.iteration == 2)
    assert got[1:3] == (2, "callback")
    assert got.theta.dtype == np.float64


def test_a_start_at_the_minimum_stays_there() -> None:
    theta = fit(spy(), tol=1e-8).theta
    theta -= theta.mean(axis=1, keepdims=True)
    again = minimise(spy(), theta, tol=1e-6)
    assert (again.n_iter, again.stop_reason) == (0, "gradient")
    np.testing.assert_allclose(again.theta, theta, rtol=1e-12, atol=1e-14)


def test_what_float32_cannot_hold_is_left_to_float64() -> None:
    far = 2.0**140
    objective = spy(DIGITS * far, scale=np.full(64, 1 / far))
    got, want = fit(objective, tol=1e-5), fit(spy(), tol=1e-5)
    assert got.stop_reason == want.stop_reason == "gradient"
    assert objective.loss_grad(got.theta)[0] == pytest.approx(spy().loss_grad(want.theta)[0])


@pytest.mark.parametrize("factor", [2.0**140, 2.0**-140])
def test_features_of_any_size_are_fitted_without_a_warning(factor: float) -> None:
    model = SoftmaxClassifier(C=np.inf, tol=1e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(DIGITS * factor, LABELS)
    assert model.score(DIGITS * factor, LABELS) > 0.95


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_found_all_the_same(bad: float) -> None:
    X = DIGITS.copy()
    X[7, 3] = bad
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        SoftmaxClassifier().fit(X, LABELS)
