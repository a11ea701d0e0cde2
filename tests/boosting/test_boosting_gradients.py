"""Gradients, Hessians and losses against the reference, and the reference against its formula."""

from __future__ import annotations

import numpy as np
import pytest
from boost_problem import OPTIONS, Dataset, Matrix, problem, reference_arguments
from closeness import assert_allclose
from once import once

from csoftmax import cross_entropy, reference
from csoftmax.boosting import softmax_metric, softmax_objective
from csoftmax.reference._losses import targets

INF, NAN = np.inf, np.nan
CLASSES = (2, 3, 7, 8, 9, 16, 17, 31, 33, 48, 50, 64, 100, 1000)
ROWS = (1, 2, 7, 16, 17, 33)
CURVATURES = {"diagonal": 1.0, "bound": 2.0, "residual": None}
EPS = np.finfo(np.float32).eps
WHOLE = {"C": np.ascontiguousarray, "F": np.asfortranarray}


def strided(a):
    room = np.full((2 * a.shape[0], 3 * a.shape[1]), 99, a.dtype)
    room[::2, 1::3] = a
    return room[::2, 1::3]


true_gradients = once(reference.softmax_grad_hess)


def check(scores, labels, weights, options, dtype, data, hessian="diagonal", lay=WHOLE["C"]):
    """What is called with data of a library against the reference, in float32's own units."""
    z = lay(scores.astype(dtype))
    before = z.copy()
    grad, hess = softmax_objective(**options, hessian=hessian)(z, data(labels, weights))
    target, keywords = reference_arguments(labels, options)
    least = 1e-16 if data is Matrix else 0.0
    curvature = CURVATURES.get(hessian, z.shape[1] / (z.shape[1] - 1))
    losses, want_grad, want_hess = true_gradients(
        scores, target, sample_weight=weights, curvature=curvature, least=least, **keywords
    )
    scale = np.abs(want_grad).max(axis=1, keepdims=True)
    if "soft_labels" in options or "label_smoothing" in options:  # p sum(v) - v may cancel
        most = np.max(options.get("class_weight", 1)) / options.get("temperature", 1)
        scale = np.maximum(scale, most * weights[:, None])
    top = want_hess.max(axis=1, keepdims=True)
    # the shares of scores of float32 have the error of their differences
    room = EPS * (4 if dtype is np.float64 else 8 + 4 * np.ptp(scores))
    assert (np.abs(grad - want_grad) <= room * scale + 1e-30).all()
    assert (np.abs(hess - want_hess) <= room * top + 1e-30).all()
    assert grad.dtype == hess.dtype == np.float32
    if z.flags.f_contiguous or z.flags.c_contiguous:
        assert grad.strides == hess.strides == tuple(s * 4 // z.itemsize for s in z.strides)
    np.testing.assert_array_equal(z, before)
    value = softmax_metric(**options)(z, data(labels, weights))[1]
    counts = np.asarray(weights, np.float64)
    if "class_weight" in options and "soft_labels" not in options:
        counts = counts * options["class_weight"][labels]
    assert_allclose(value, losses.sum() / counts.sum(), rtol=room)


@pytest.mark.usefixtures("isa")
class TestAgainstTheReference:
    @pytest.mark.parametrize("name", OPTIONS)
    @pytest.mark.parametrize("n_classes", CLASSES)
    def test_every_option(self, name, n_classes):
        for n_rows in ROWS:
            given = problem(n_rows, n_classes, OPTIONS[name])
            check(*given, np.float32, Matrix)
            check(*given, np.float64, Dataset, lay=WHOLE["F"])

    @pytest.mark.parametrize("hessian", ["auto", "bound", "friedman", "residual"])
    @pytest.mark.parametrize("name", ["plain", "focal", "all"])
    def test_every_hessian(self, name, hessian):
        if hessian == "auto":  # XGBoost's is looked at below
            check(*problem(33, 5, OPTIONS[name]), np.float64, Dataset, hessian)
            return
        for n_classes in (2, 10, 100):
            given = problem(33, n_classes, OPTIONS[name])
            check(*given, np.float32, Matrix, hessian)
            check(*given, np.float64, Dataset, hessian, WHOLE["F"])

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("name", ["plain", "all"])
    @pytest.mark.parametrize("lay", [strided, *WHOLE.values()])
    def test_any_layout(self, lay, name, dtype):
        for shape in ((19, 5), (6, 130), (1, 9), (300, 17)):
            check(*problem(*shape, OPTIONS[name]), dtype, Matrix, lay=lay)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_shares_that_are_nearly_one(self, dtype):
        """1 - p is formed from the other classes, where 1 - p itself would be 0."""
        for gap in (1.0, 18.0, 30.0, 80.0):
            scores = np.zeros((3, 6), np.float32)
            scores[:, 2] = gap
            for options in ({}, {"gamma": 2.0}, {"gamma": 0.5}):
                grad, hess = softmax_objective(**options, hessian="diagonal")(
                    scores.astype(dtype), Matrix([2, 2, 1])
                )
                _, want_grad, want_hess = reference.softmax_grad_hess(
                    scores, [2, 2, 1], curvature=1.0, least=1e-16, **options
                )
                want_grad[:2, 2] = 0  # the others' sum, exactly
                want_grad[:2, 2] = -want_grad[:2].sum(axis=1)
                assert_allclose(grad, want_grad, rtol=1e-5, atol=1e-37)
                assert_allclose(hess, want_hess, rtol=1e-5)

    @pytest.mark.parametrize("place", [0, 3, 9, 49, 99])
    @pytest.mark.parametrize("name", ["plain", "focal", "smooth", "all"])
    @pytest.mark.parametrize("hessian", ["bound", "residual"])
    def test_nan_and_infinity(self, name, place, hessian):
        for n_classes in (10, 100):
            for dtype, bad in ((np.float32, NAN), (np.float64, INF), (np.float64, NAN)):
                scores, labels, weights, options = problem(20, n_classes, OPTIONS[name])
                z = scores.astype(dtype)
                objective = softmax_objective(**options, hessian=hessian)
                clean = objective(z, Dataset(labels, weights))
                z[4, place % n_classes] = bad
                z[7] = -INF
                for got, want in zip(objective(z, Dataset(labels, weights)), clean, strict=True):
                    assert np.isnan(got[[4, 7]]).all()
                    others = np.delete(np.arange(20), [4, 7])
                    np.testing.assert_array_equal(got[others], want[others])

    def test_minus_infinity_is_no_share(self):
        scores = np.array([[0.0, -INF, 1.0], [-INF, 0.0, 0.0]])
        for gamma in (0.0, 2.0):
            grad, hess = softmax_objective(gamma=gamma)(scores, Dataset([2, 0]))
            assert grad[0, 1] == hess[0, 1] == 0
            assert grad[1, 0] == -1
            assert np.isfinite(grad).all()
            assert softmax_metric(gamma=gamma)(scores, Dataset([2, 0]))[1] == INF

    @pytest.mark.parametrize("name", ["plain", "all"])
    def test_the_same_bits_for_any_number_of_threads(self, name):
        for shape, data, dtype, order in (
            ((60_000, 7), Matrix, np.float32, "C"),
            ((60_000, 7), Dataset, np.float64, "F"),
            ((1400, 300), Matrix, np.float32, "C"),
            ((1400, 300), Dataset, np.float64, "F"),
        ):
            scores, labels, weights, options = problem(*shape, OPTIONS[name])
            z = np.array(scores, dtype, order=order)
            results = [
                (
                    *softmax_objective(**options, n_threads=k)(z, data(labels, weights)),
                    softmax_metric(**options, n_threads=k)(z, data(labels, weights))[1],
                )
                for k in (1, 2, 4)
            ]
            for other in results[1:]:
                for a, b in zip(results[0], other, strict=True):
                    assert np.asarray(a).tobytes("A") == np.asarray(b).tobytes("A")

    def test_no_rows(self):
        grad, hess = softmax_objective()(np.zeros((0, 3), np.float32), Matrix([]))
        assert grad.shape == hess.shape == (0, 3)
        assert np.isnan(softmax_metric()(np.zeros((0, 3)), Dataset([]))[1])

    def test_a_metric_without_focus_is_the_cross_entropy(self):
        scores, labels, weights, options = problem(300, 12, OPTIONS["smooth classes"])
        value = softmax_metric(**options)(scores.astype(float), Dataset(labels, weights))[1]
        want = cross_entropy(
            scores.astype(float),
            labels,
            options["class_weight"],
            sample_weight=weights,
            label_smoothing=0.125,
        )
        assert_allclose(value, want, rtol=1e-14)


def differences(f, x, step):
    """df/dx of a function of all rows at once, each of which depends on its own scores alone."""
    columns = []
    for c in range(x.shape[1]):
        h = step * np.eye(x.shape[1])[c]
        columns.append((f(x + h) - f(x - h)) / (2 * step))
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("name", OPTIONS)
def test_the_gradient_by_differences_of_the_loss(name):
    scores, labels, weights, options = problem(25, 4, OPTIONS[name], spread=1.5)
    x = scores.astype(float)
    target, keywords = reference_arguments(labels, options)

    def loss(z):
        return reference.softmax_grad_hess(z, target, sample_weight=weights, **keywords)[0]

    want = differences(loss, x, 1e-5)
    _, grad, _ = reference.softmax_grad_hess(x, target, sample_weight=weights, **keywords)
    assert_allclose(grad, want, rtol=1e-7, atol=1e-9)
    ours, _ = softmax_objective(**options)(x, Dataset(labels, weights))
    assert_allclose(ours, want, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", OPTIONS)
def test_the_diagonal_by_second_differences(name):
    """Of the loss itself, or of the cross-entropy that has a focal loss's weights, held."""
    scores, labels, weights, options = problem(25, 4, OPTIONS[name], spread=1.5)
    x, T, gamma = scores.astype(float), options.get("temperature", 1.0), options.get("gamma", 0.0)
    target, keywords = reference_arguments(labels, options)
    _, _, hess = reference.softmax_grad_hess(x, target, sample_weight=weights, **keywords)
    smoothing = options.get("label_smoothing", 0.0)
    u, _, _ = targets(x, target, options.get("class_weight"), None, smoothing)
    p = reference.softmax(x / T, axis=1)
    v = u * ((1 - p) ** gamma - gamma * p * (1 - p) ** (gamma - 1) * np.log(p))

    def held(z):
        return -weights * (v * reference.log_softmax(z / T, axis=1)).sum(axis=1)

    for c in range(4):
        h = 1e-4 * np.eye(4)[c]
        want = (held(x + h) - 2 * held(x) + held(x - h)) / 1e-8
        assert_allclose(hess[:, c], want, rtol=1e-5, atol=1e-6)


def test_a_focal_loss_has_a_negative_diagonal_of_its_own():
    """Why the diagonal is not that of the focal loss."""
    x = np.array([[-4.0, 0.0, 0.0]])

    def gradient(z):
        return reference.softmax_grad_hess(z, [0], gamma=2.0)[1]

    h = np.array([1e-4, 0, 0])
    assert (gradient(x + h) - gradient(x - h))[0, 0] < -1e-6
    assert (reference.softmax_grad_hess(x, [0], gamma=2.0)[2] > 0).all()
