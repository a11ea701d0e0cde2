"""Mini-batch descent: estimate of the gradient, convergence, reasons to stop, what it keeps."""

from __future__ import annotations

import copy
import functools
import pickle

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris

from csoftmax.solvers import sgd
from csoftmax.solvers.objective import Objective
from csoftmax.solvers.sgd import SGD, State

pytestmark = pytest.mark.usefixtures("isa")

RULES = ["adam", "momentum"]


def iris(**options) -> Objective:
    X, y = load_iris(return_X_y=True)
    return Objective(
        X, y, 3, options.pop("dtype", "float64"), l2=options.pop("l2", 0.01), **options
    )


def digits(**options) -> Objective:
    X, y = load_digits(return_X_y=True)
    options = {"dtype": "float64", "l2": 0.01} | options
    return Objective(X / 16, y, 10, **options)


def two(**options) -> Objective:
    X, y = load_iris(return_X_y=True)
    return Objective(X[50:], y[50:] - 1, 2, "float64", l2=0.01, one_row=True, **options)


def weights_of(make, weighted: bool) -> np.ndarray | None:
    return np.random.RandomState(1).rand(len(make().y)) if weighted else None


def standard(make, **options) -> Objective:
    X = make().X
    return make(shift=X.mean(axis=0), scale=1 / (X.std(axis=0) + 0.01), **options)


@functools.cache
def minimum(make, weighted: bool) -> float:
    """What L-BFGS-B finds, once for all variants and rules."""
    objective = standard(make, sample_weight=weights_of(make, weighted))

    def value_and_grad(x):
        loss, grad = objective.loss_grad(x.reshape(objective.shape))
        return loss, grad.ravel()

    start = np.zeros(np.prod(objective.shape))
    options = {"maxiter": 5000, "maxfun": 5000, "ftol": 1e-14, "gtol": 1e-9}
    return minimize(value_and_grad, start, jac=True, method="L-BFGS-B", options=options).fun


def start(objective: Objective) -> np.ndarray:
    return np.zeros(objective.shape, objective.dtype)


def fit(objective: Objective, options: SGD | None = None, seed: int = 0, **more):
    random = np.random.RandomState(seed)
    return sgd.minimise(objective, start(objective), options or SGD(), random=random, **more)


# ---- the estimate of the gradient ---------------------------------------------------------------


@pytest.mark.parametrize("make", [iris, two])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weights", [None, "random", "mostly 0"])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_estimates_average_to_the_full_gradient(make, intercept, weights, size) -> None:
    random = np.random.RandomState(0)
    n = len(make().y)
    weight = None if weights is None else random.rand(n) * 10
    if weights == "mostly 0":
        weight[random.rand(n) < 0.8] = 0
    objective = make(fit_intercept=intercept, sample_weight=weight)
    theta = random.standard_normal(objective.shape)
    loss, grad = 0.0, start(objective)
    for rows in np.array_split(random.permutation(n), -(-n // size)):
        part, part_grad = objective.loss_grad(theta, rows)
        loss += len(rows) / n * part
        grad += len(rows) / n * part_grad
    want_loss, want_grad = objective.loss_grad(theta)
    assert loss == pytest.approx(want_loss, rel=1e-12)
    np.testing.assert_allclose(grad, want_grad, rtol=1e-10, atol=1e-12)


def test_passes_are_counted_by_rows() -> None:
    objective = iris()
    fit(objective, max_iter=3, tol=0)
    assert objective.passes == pytest.approx(3)


# ---- where it converges to ----------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("make", [iris, digits, two])
@pytest.mark.parametrize("weighted", [False, True])
def test_converges_to_the_minimum(make, rule, weighted) -> None:
    objective = standard(make, sample_weight=weights_of(make, weighted))
    solution = fit(objective, SGD(rule=rule), tol=0, max_iter=200)
    lowest = minimum(make, weighted)
    assert objective.loss_grad(solution.theta)[0] <= lowest * (
        1.02 if rule == "adam" and make is not digits else 1.005
    )


@pytest.mark.parametrize("rule", RULES)
def test_scale_of_the_features_is_found(rule) -> None:
    objective = digits()
    scaled = digits(scale=np.full(64, 1000.0), l2=0.01 * 1e6)
    losses = [
        o.loss_grad(fit(o, SGD(rule=rule), max_iter=20).theta)[0] for o in (objective, scaled)
    ]
    assert losses[1] == pytest.approx(losses[0], rel=0.1)


@pytest.mark.parametrize("rule", RULES)
def test_float32_stays_float32(rule) -> None:
    solution = fit(digits(dtype="float32"), SGD(rule=rule), max_iter=10)
    assert solution.theta.dtype == np.float32
    wide = fit(digits(), SGD(rule=rule), max_iter=10)
    np.testing.assert_allclose(solution.theta, wide.theta, atol=2e-2)


@pytest.mark.parametrize("rule", RULES)
def test_l1_gives_zeros(rule) -> None:
    objective = digits(l2=0.0)
    zeros = [
        (fit(objective, SGD(rule=rule), l1=l1, max_iter=100).theta[:-1] == 0).mean()
        for l1 in (0.0, 0.003, 0.03, 1.0)
    ]
    assert zeros[0] < 0.1 < zeros[1] < zeros[2] < zeros[3] == 1
    intercept = fit(objective, SGD(rule=rule), l1=1.0, max_iter=100).theta[-1]
    assert (intercept != 0).all()


@functools.cache
def minimum_with_l1(l1: float) -> float:
    """Split into positive and negative parts, the problem has bounds, and L-BFGS-B solves it."""
    objective = digits(l2=0.0)
    n = int(np.prod(objective.shape))
    penalty = np.concatenate([np.full(n - 10, l1), np.zeros(10)])

    def value_and_grad(x):
        loss, grad = objective.loss_grad((x[:n] - x[n:]).reshape(objective.shape))
        grad = grad.ravel()
        both = np.concatenate([grad + penalty, -grad + penalty])
        return loss + penalty @ (x[:n] + x[n:]), both

    options = {"maxiter": 5000, "maxfun": 5000}
    return minimize(
        value_and_grad, np.zeros(2 * n), jac=True, bounds=[(0, None)] * (2 * n), options=options
    ).fun


@pytest.mark.parametrize("rule", RULES)
def test_l1_reaches_the_minimum(rule) -> None:
    objective, l1 = digits(l2=0.0), 0.01
    theta = fit(objective, SGD(rule=rule), l1=l1, tol=0, max_iter=100).theta
    found = objective.loss_grad(theta)[0] + l1 * np.abs(theta[:-1]).sum()
    assert found <= minimum_with_l1(l1) * 1.01


# ---- when it stops, and what it reports ---------------------------------------------------------


def test_stop_reasons() -> None:
    assert fit(iris(), tol=1e-3).stop_reason == "loss"
    solution = fit(iris(), tol=0, max_iter=7)
    assert (solution.stop_reason, solution.n_iter) == ("max_iter", 7)
    seen = []

    def third(theta, progress):
        seen.append(progress)
        return len(seen) == 3

    solution = fit(iris(), on_iteration=third)
    assert (solution.stop_reason, solution.n_iter) == ("callback", 3)
    assert [p.iteration for p in seen] == [1, 2, 3]
    assert seen[0].loss > seen[2].loss
    assert seen[2].passes == pytest.approx(3)
    assert 0 < seen[0].seconds < seen[2].seconds
    assert 0 < seen[2].gradient < 10


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_divergence_keeps_the_last_finite_iterate() -> None:
    options = SGD(rule="momentum", learning_rate=1e300)
    solution = fit(iris(), options)
    assert solution.stop_reason == "not finite"
    assert np.isfinite(solution.theta).all()


def test_early_stopping_keeps_the_best() -> None:
    random = np.random.RandomState(0)
    X, y = random.standard_normal((300, 200)), random.randint(0, 3, 300)
    objective = Objective(X, y, 3, "float64")
    options, seen = SGD(early_stopping=True, validation_fraction=0.3, n_iter_no_change=4), []

    def keep(theta, progress):
        seen.append(theta)
        return False

    solution = fit(objective, options, on_iteration=keep, max_iter=300)
    assert solution.stop_reason == "validation"
    assert solution.n_iter < 300
    _, held_out = sgd._split(300, 0.3, np.random.RandomState(0))
    scores = [sgd._accuracy(objective, theta, held_out) for theta in seen]
    assert max(scores) == scores[-1] == sgd._accuracy(objective, solution.theta, held_out)
    assert objective.passes == pytest.approx(0.7 * solution.n_iter)


# ---- state --------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("l1", [0.0, 0.01])
def test_an_epoch_is_a_partial_fit(rule, l1) -> None:
    objective, options = digits(), SGD(rule=rule)
    state, random = State(start(objective)), np.random.RandomState(0)
    for _ in range(3):
        sgd.epoch(objective, options, state, random, l1=l1)
    solution = fit(objective, options, l1=l1, tol=0, max_iter=3)
    assert np.array_equal(state.result(l1), solution.theta)


def test_state_goes_on_with_other_rows() -> None:
    X, y = load_digits(return_X_y=True)
    state, random = State(np.zeros((65, 10))), np.random.RandomState(0)
    losses = []
    for rows in np.array_split(random.permutation(len(y)), 6):
        objective = Objective(X[rows] / 16, y[rows], 10, "float64", l2=1e-3)
        losses.append(sgd.epoch(objective, SGD(), state, random))
        state = pickle.loads(pickle.dumps(state))
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("rule", RULES)
def test_same_bits_for_any_number_of_threads(rule) -> None:
    options = SGD(rule=rule, batch_size=600)
    got = [fit(digits(n_threads=n), options, max_iter=5).theta for n in (1, 2, 3)]
    assert np.array_equal(got[0], got[1])
    assert np.array_equal(got[0], got[2])
    other = fit(digits(), options, seed=1, max_iter=5).theta
    assert not np.array_equal(got[0], other)


def test_start_is_not_changed() -> None:
    objective = iris()
    theta = start(objective)
    sgd.minimise(objective, theta, SGD(), max_iter=2, random=np.random.RandomState(0))
    assert not theta.any()


# ---- options ------------------------------------------------------------------------------------


def test_options_are_a_value() -> None:
    options = SGD(rule="momentum", learning_rate=0.1)
    for same in (copy.deepcopy(options), clone(options, safe=False), eval(repr(options))):
        assert same == options
    assert options != SGD()


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("rule", "sgd", ValueError),
        ("learning_rate", "fast", ValueError),
        ("learning_rate", 0, ValueError),
        ("learning_rate", np.nan, ValueError),
        ("learning_rate", None, TypeError),
        ("momentum", 1, ValueError),
        ("momentum", -0.1, ValueError),
        ("momentum", "0.9", TypeError),
        ("batch_size", 0, ValueError),
        ("batch_size", "all", ValueError),
        ("batch_size", 2.5, TypeError),
        ("early_stopping", 1, TypeError),
        ("validation_fraction", 0, ValueError),
        ("validation_fraction", 1, ValueError),
        ("n_iter_no_change", 0, ValueError),
        ("n_iter_no_change", 1.5, TypeError),
    ],
)
def test_bad_options_are_named(field, value, error) -> None:
    with pytest.raises(error, match=field):
        SGD(**{field: value})


def test_too_few_rows_to_hold_out() -> None:
    objective = Objective(np.eye(3), np.arange(3), 3, "float64")
    with pytest.raises(ValueError, match="validation_fraction"):
        fit(objective, SGD(early_stopping=True))
