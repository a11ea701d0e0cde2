"""Fits to features of any offset and scale: they reach the optimum, or warn."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning

from csoftmax import SoftmaxClassifier, SoftmaxClassifierCV
from csoftmax.estimators import scaling
from csoftmax.solvers import loop

KINDS = [
    "normal",
    "years",
    "timestamps",
    "offset",
    "log-normal",
    "constant",
    "million",
    "millionth",
]


class Case(NamedTuple):
    X: Any
    y: Any
    options: dict[str, Any]
    kinds: list[str]


def column(kind: str, n: int, rng: np.random.Generator) -> Any:
    """One feature, and what the classes depend on in it."""
    unit = rng.standard_normal(n)
    match kind:
        case "years":
            x = np.floor(2000 + 15 * unit)
        case "timestamps":
            x = 1.6e9 + 3e7 * unit
        case "offset":
            spread = 10.0 ** rng.integers(-3, 4)
            x = spread * (1e5 * rng.choice([-1, 1]) + unit)
        case "log-normal":
            x = np.exp(rng.uniform(0.5, 3) * unit) * 10.0 ** rng.integers(-2, 3)
        case "constant":
            x, unit = np.full(n, rng.choice([0.0, 1.0, -3e4, 1e9])), np.zeros(n)
        case "million":
            x = 1e6 * unit
        case "millionth":
            x = 1e-6 * unit
        case _:
            x = unit
    return x, unit


def make(seed: int, dtype: Any) -> Case:
    """Features of mixed kinds, labels that follow a softmax model of them, and options."""
    rng = np.random.default_rng(seed)
    n, n_classes = int(rng.choice([150, 500, 2000, 6000])), int(rng.integers(2, 5))
    kinds = rng.choice(KINDS, int(rng.integers(2, 7))).tolist()
    columns = [column(kind, n, rng) for kind in kinds]
    logits = np.column_stack([unit for _, unit in columns]) @ rng.normal(
        0, 1, (len(kinds), n_classes)
    )
    y = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    y[:n_classes] = np.arange(n_classes)
    C = float(rng.choice([1e-4, 1e-2, 1.0, 1e2, 1e4, np.inf]))
    options = {"C": C, "solver": str(rng.choice(["auto", "auto", "newton-cg"]))}
    options["fit_intercept"] = bool(rng.random() < 0.85)
    return Case(np.column_stack([x for x, _ in columns]).astype(dtype), y, options, kinds)


def objective(case: Case, coef: Any, intercept: Any) -> float:
    """The mean loss and the penalty beside it, in float64."""
    coef = np.asarray(coef, np.float64)
    scores = case.X.astype(np.float64) @ coef.T + np.asarray(intercept, np.float64)
    if len(coef) == 1:
        scores = np.column_stack([np.zeros(len(scores)), scores])
    loss = (logsumexp(scores, axis=1) - scores[np.arange(len(scores)), case.y]).mean()
    return float(loss + 0.5 * np.square(coef).sum() / (case.options["C"] * len(scores)))


def reference(case: Case) -> float:
    """The least objective, by Newton's method on standardised features, to 1e-10."""
    X = case.X.astype(np.float64)
    n, D = X.shape
    spread = X.std(axis=0)
    varies = spread > 1e-12 * np.abs(X).max(axis=0)
    n_classes = case.y.max() + 1
    if case.options["fit_intercept"]:
        X = (X - X.mean(axis=0))[:, varies] / spread[varies]
        X = np.column_stack([X, np.ones(n)])
        spread = np.append(spread[varies], np.inf)
    else:
        spread = np.sqrt(np.square(X).mean(axis=0))
        X, spread = X[:, spread > 0] / spread[spread > 0], spread[spread > 0]
    D = X.shape[1]
    # the penalty on w = v / spread; one row of two classes, as (-z/2, z/2), has half of it
    l2 = 1 / spread[:, None] ** 2 / (case.options["C"] * n)
    l2 = l2 * (2 if n_classes == 2 else 1)
    Y = np.eye(n_classes)[case.y]

    def value(theta: Any) -> float:
        scores = X @ theta
        return float(
            (logsumexp(scores, axis=1) - (scores * Y).sum(1)).mean() + (l2 * theta**2).sum() / 2
        )

    theta = np.zeros((D, n_classes))
    for _ in range(200):
        scores = X @ theta
        P = np.exp(scores - logsumexp(scores, axis=1, keepdims=True))
        grad = X.T @ (P - Y) / n + l2 * theta
        if np.abs(grad / np.maximum(1, l2)).max() <= 1e-10:
            return value(theta)
        H = -np.einsum("nc,nd,nk,ne->cdke", P, X, P, X, optimize=True) / n
        for c in range(n_classes):
            H[c, :, c, :] += (X * P[:, [c]]).T @ X / n + np.diag(l2[:, 0])
        H[:, range(D), :, range(D)] += 1e-9  # classes may move together
        H = H.reshape(D * n_classes, -1)
        size = 1 / np.sqrt(H.diagonal())
        step = size * np.linalg.solve(size[:, None] * H * size, size * -grad.T.ravel())
        step, slope = step.reshape(n_classes, D).T, 0.0
        slope, length, here = float((step * grad).sum()), 1.0, value(theta)
        while value(theta + length * step) > here + 1e-4 * length * slope + 1e-15 and length > 1e-4:
            length /= 2
        theta = theta + length * step
    raise AssertionError(f"no reference: {case.kinds} {case.options} {np.abs(grad).max()}")


def fit(model: Any, X: Any, y: Any, **options: Any) -> tuple[Any, bool]:
    """The fitted model, and whether it warned."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        model.fit(X, y, **options)
    assert all(issubclass(each.category, ConvergenceWarning) for each in seen)
    return model, bool(seen)


@pytest.mark.parametrize(
    ("dtype", "narrow"),  # narrow: float32 steps first, which small data do not have by themselves
    [(np.float32, False), (np.float64, False), (np.float64, True)],
)
def test_fits_reach_the_optimum_or_warn(dtype, narrow, monkeypatch):
    monkeypatch.setattr(loop, "WORTH", 0 if narrow else loop.WORTH)
    n_near = 0
    for seed in range(30):
        case = make(seed, dtype)
        model, warned = fit(SoftmaxClassifier(n_jobs=1, **case.options), case.X, case.y)
        near = objective(case, model.coef_, model.intercept_) <= reference(case) * (1 + 1e-4)
        assert near or warned, case
        # warned of nothing, but for what float32 cannot do without an intercept
        assert not warned or not case.options["fit_intercept"], case
        n_near += near
    assert n_near >= 28


# ---- offsets that are too large for float32 ------------------------------------------------------

RNG = np.random.default_rng(0)
UNIT = RNG.standard_normal((600, 3))
LABELS = (UNIT @ RNG.standard_normal((3, 3)) + RNG.gumbel(size=(600, 3))).argmax(axis=1)
OFFSET, FACTOR = np.array([1e5, 0, -3e5]), np.array([1, 1e6, 1])
FAR = (UNIT + OFFSET) * FACTOR


def log_loss(model: Any, X: Any, y: Any) -> float:
    scores = X.astype(np.float64) @ model.coef_.T.astype(np.float64) + model.intercept_
    if scores.shape[1] == 1:
        scores = np.column_stack([np.zeros(len(scores)), scores])
    return float((logsumexp(scores, axis=1) - scores[np.arange(len(y)), y]).mean())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    "options",
    [{}, {"solver": "newton-cg"}, {"l1_ratio": 1.0}, {"l1_ratio": 0.5}, {"standardize": True}],
    ids=str,
)
def test_offset_costs_nothing(dtype, n_classes, order, options):
    labels = np.minimum(LABELS, n_classes - 1)
    weight = np.random.default_rng(1).uniform(0, 2, len(labels))
    options = {"C": 1e4, "n_jobs": 1} | options
    model, warned = fit(
        SoftmaxClassifier(**options),
        np.array(FAR, dtype, order=order),
        labels,
        sample_weight=weight,
    )
    best, _ = fit(SoftmaxClassifier(C=1e4, tol=1e-8), UNIT, labels, sample_weight=weight)
    assert not warned
    assert model.coef_.dtype == dtype
    assert model.n_iter_[0] <= 40
    assert log_loss(model, FAR.astype(dtype), labels) <= log_loss(best, UNIT, labels) * (1 + 2e-3)


@pytest.mark.parametrize("ratio", [0.0, 1.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_models_in_lockstep_reach_it(dtype, ratio):
    # float32 intercepts of 1e5 and more are rounded, and so are the scores
    options = {"Cs": [1e-2, 1e2], "l1_ratios": [ratio], "cv": 3, "scoring": "neg_log_loss"}
    far, warned = fit(SoftmaxClassifierCV(**options), FAR.astype(dtype), LABELS)
    near, _ = fit(SoftmaxClassifierCV(**options), UNIT * [1, FACTOR[1], 1], LABELS)
    assert not warned
    np.testing.assert_allclose(
        far.scores_, near.scores_, rtol=1e-2 if dtype == np.float32 else 1e-3
    )


def test_penalties_are_on_the_coefficients_of_the_raw_features():
    # huge and tiny features are scaled inside; l1 has one optimum, in whichever units
    for options in ({}, {"l1_ratio": 1.0}):
        raw, _ = fit(SoftmaxClassifier(C=1e-3, tol=1e-10, **options), UNIT * [1e5, 1, 1e-4], LABELS)
        model = SoftmaxClassifier(C=1e-3, tol=1e-10, **options)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(scaling, "HUGE", np.inf)
            patch.setattr(scaling, "TINY", 0.0)
            plain, _ = fit(model, UNIT * [1e5, 1, 1e-4], LABELS)
        np.testing.assert_allclose(raw.coef_, plain.coef_, rtol=1e-4, atol=1e-9)


def test_sparse_is_seen_as_dense():
    dense, warned = fit(SoftmaxClassifier(C=10.0, tol=1e-7), FAR, LABELS)
    sparse, warned_too = fit(SoftmaxClassifier(C=10.0, tol=1e-7), sp.csr_array(FAR), LABELS)
    assert (warned, warned_too) == (False, False)
    np.testing.assert_allclose(sparse.coef_, dense.coef_, rtol=1e-4, atol=1e-9)


def test_warm_start_and_mini_batches():
    model = SoftmaxClassifier(C=10.0, warm_start=True).fit(FAR, LABELS)
    assert model.fit(FAR, LABELS).n_iter_[0] <= 1
    best = log_loss(model, FAR, LABELS)
    sgd = SoftmaxClassifier(C=10.0, solver="sgd", random_state=0)
    assert log_loss(fit(sgd, FAR, LABELS)[0], FAR, LABELS) <= best * 1.005
    parts = SoftmaxClassifier(C=10.0, random_state=0)
    for _ in range(30):
        for rows in (slice(0, 300), slice(300, None)):
            parts.partial_fit(FAR[rows], LABELS[rows], classes=range(3))
    assert log_loss(parts, FAR, LABELS) <= best * 1.01


def test_standardised_float32_keeps_the_offset():
    # the intercept belongs to the mean as the kernels round it
    X = (UNIT + 1e6).astype(np.float32)
    model, _ = fit(SoftmaxClassifier(C=1e4, standardize=True), X, LABELS)
    exact, _ = fit(SoftmaxClassifier(C=1e4, standardize=True), X.astype(np.float64), LABELS)
    assert log_loss(model, X, LABELS) <= log_loss(exact, X, LABELS) * (1 + 3e-3)


@pytest.mark.parametrize("estimator", [SoftmaxClassifier(1e4), SoftmaxClassifierCV([1e4], cv=2)])
@pytest.mark.parametrize("max_iter", [1000, 3])
def test_end_far_from_the_optimum_warns(estimator, max_iter):
    # nothing takes up an offset without an intercept; two of them cancel, to nothing in float32
    X = np.column_stack([1e7 + UNIT[:, 0], 1e7 + UNIT[:, 1], UNIT[:, 2]]).astype(np.float32)
    model = clone(estimator).set_params(fit_intercept=False, max_iter=max_iter)
    words = "rounding hides" if max_iter == 1000 else "max_iter=3"
    with pytest.warns(ConvergenceWarning, match=rf"{words}.*tol=0.0001") as seen:
        model.fit(X, LABELS)
    assert seen[0].filename == __file__


def test_no_warning_where_a_callback_ends_the_fit():
    model = SoftmaxClassifier(callbacks=lambda progress: True)
    assert not fit(model, UNIT, LABELS)[1]


@pytest.mark.parametrize("load", [load_digits, load_iris, load_wine, load_breast_cancer])
def test_ordinary_features_are_left_alone(load):
    X = load().data
    for data in (X, X.astype(np.float32), sp.csr_array(X)):
        how = scaling.automatic(data, None, fit_intercept=True)
        assert how.shift is None
        assert how.scale is None


def test_offset_of_rows_without_weight_does_not_count():
    X, weight = np.concatenate([UNIT, UNIT + 1e6]), np.repeat([1.0, 0.0], 600)
    assert scaling.automatic(X, weight, fit_intercept=True).shift is None
    assert scaling.automatic(X[::-1], weight, fit_intercept=True).shift is not None
