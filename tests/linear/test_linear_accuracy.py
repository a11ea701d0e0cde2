"""How exact the linear losses are, where NaN and infinities go, and what they give for real images.

The rule: no element is further from the truth than NumPy's at the same dtype, but for a few
roundings of the terms that it is a sum of:

    |ours - truth| <= |NumPy - truth| + K eps scale,      scale = |F|' (P + Y + 2 P (1 - P) A) / N

P + Y are the terms of the gradient of the scores, and 2 P (1 - P) A is what a rounding of the
scores (A, the largest sum of absolute terms of a row's scores) does to them. And on the whole, as
root mean square in units of eps scale, ours is within twice NumPy's and 1.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from builds import needs_longdouble
from closeness import assert_allclose
from once import once

from csoftmax import (
    datasets,
    linear_predict,
    linear_predict_proba,
    reference,
    softmax_loss,
    svm_loss,
)

pytestmark = pytest.mark.usefixtures("isa")

# Most are below 1. Seen: 5.2 (60 rows, 100 classes), where NumPy's own distances reach 7, too.
K = 8
WIDER = {"float32": np.float64, "float64": np.longdouble}


@once
def plain(W, X, y, shift=None, scale=None, *, dtype):
    """What a NumPy user writes, all in one dtype: loss, dW, the loss's and the gradient's scale."""
    F, W = X.astype(dtype), W.astype(dtype)
    if shift is not None:
        F = F - shift.astype(dtype)
    if scale is not None:
        F = F * scale.astype(dtype)
    Z = F @ W
    m = Z.max(axis=1, keepdims=True)
    e = np.exp(Z - m)
    total = e.sum(axis=1, keepdims=True)
    P, each = e / total, np.arange(len(y))
    loss = (np.log(total) + m)[:, 0] - Z[each, y]
    G = P.copy()
    G[each, y] -= 1
    A = (np.abs(F) @ np.abs(W)).max(axis=1, keepdims=True)
    terms = P + 2 * P * (1 - P) * A
    terms[each, y] += 1
    n = dtype(len(y))
    return loss.mean(), F.T @ G / n, A.mean() + 1, np.abs(F).T @ terms / n


def check(W, X, y, **options):
    """The rule, for W's dtype."""
    dtype = W.dtype.type
    truth_loss, truth, loss_scale, scale = plain(W, X, y, **options, dtype=WIDER[W.dtype.name])
    numpy_loss, numpy, _, _ = plain(W, X, y, **options, dtype=dtype)
    loss, dW = softmax_loss(W, X, y, **options)
    eps = np.finfo(dtype).eps / 2
    assert abs(loss - truth_loss) <= abs(numpy_loss - truth_loss) + K * eps * loss_scale
    ours, theirs = (np.abs(grad - truth) / (eps * scale) for grad in (dW, numpy))
    worst = float((ours - theirs).max())
    assert worst <= K
    assert rms(ours) <= 2 * rms(theirs) + 1


def rms(error):
    return float(np.sqrt(np.mean(error**2)))


def gauss(rng, N, D, C, dtype, spread=1.0):
    X = (rng.normal(size=(N, D)) * spread).astype(dtype)
    return (rng.normal(size=(D, C)) / np.sqrt(D)).astype(dtype), X, rng.integers(0, C, N)


# ---- against the truth --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("N", "D", "C"),
    [(33, 1, 2), (257, 17, 3), (1000, 100, 10), (100, 3073, 10), (60, 31, 100), (90, 301, 23)],
)
def test_float32(N, D, C):
    rng = np.random.default_rng(D)
    for spread in (1e-3, 1, 30):  # scores all but equal; ordinary; one class of a row takes all
        check(*gauss(rng, N, D, C, np.float32, spread))


@pytest.mark.parametrize("spread", [100, 1e4])
def test_peaky_rows(spread):
    """Most probabilities are 0 or 1, many of them at the label."""
    rng = np.random.default_rng(0)
    W, X, y = gauss(rng, 500, 20, 7, np.float32, spread)
    check(W, X, np.where(np.arange(500) % 3, (X @ W).argmax(axis=1), y))


def test_many_rows():
    rng = np.random.default_rng(1)
    check(*gauss(rng, 200_000, 3, 4, np.float32))
    W, X, y = gauss(rng, 200_000, 2, 3, np.float32)
    check(W, X + 100, y)


def test_many_equal_terms():
    """A constant feature (the bias trick) of a blank model: all roundings are the same one."""
    y = np.random.default_rng(1).integers(0, 10, 100_000)
    for value in (1.0, 201.3):
        X = np.full((100_000, 3), value, np.float32)
        check(np.zeros((3, 10), np.float32), X, y)


@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize("scaled", [False, True])
def test_bytes(shifted, scaled):
    rng = np.random.default_rng(2)
    X = rng.integers(0, 256, (2000, 100), dtype=np.uint8)
    W = (rng.normal(size=(100, 10)) * (1.0 if scaled else 0.01)).astype(np.float32)
    options = {}
    if shifted:
        options["shift"] = X.mean(axis=0).astype(np.float32)
    if scaled:
        options["scale"] = np.full(100, 1 / 255, np.float32)
    check(W, X, rng.integers(0, 10, 2000), **options)


@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=needs_longdouble)])
@pytest.mark.parametrize("n_classes", [2, 10, 20, 45])
@pytest.mark.parametrize("mean", [3, 33, 240])
def test_bytes_with_a_mean_anywhere(dtype, n_classes, mean):
    """What is subtracted in registers is a whole number; the rest of the shift goes elsewhere."""
    rng = np.random.default_rng(mean)
    X = (rng.normal(size=(500, 100)) * 20 + mean).clip(0, 255).astype(np.uint8)
    W = rng.normal(size=(100, n_classes)).astype(dtype)
    shift, scale = X.mean(axis=0), 1 / (X.std(axis=0) + 1)
    y = rng.integers(0, n_classes, 500)
    check(W, X, y, shift=shift.astype(dtype), scale=scale.astype(dtype))
    check(W, X, y, shift=(shift - 300).astype(dtype), scale=scale.astype(dtype))


def test_a_large_mean_is_taken_off_before_anything_is_rounded():
    """x is 1000 +- 1: scores of the shifted features have none of the mean's rounding."""
    rng = np.random.default_rng(3)
    W, X, y = gauss(rng, 1000, 40, 5, np.float32)
    X = X + np.float32(1000)
    check(W, X, y, shift=X.mean(axis=0), scale=1 / X.std(axis=0))


def test_a_shift_of_float64_features_is_in_float64():
    """x is 1e9 +- 1, which float32 cannot tell apart."""
    rng = np.random.default_rng(4)
    W, X, y = gauss(rng, 500, 12, 5, np.float32)
    features = X.astype(float) + 1e9
    loss, dW = softmax_loss(W, features, y, shift=np.full(12, 1e9))
    want_loss, want = softmax_loss(W, (features - 1e9).astype(np.float32), y)
    assert loss == want_loss
    np.testing.assert_array_equal(dW, want)


@needs_longdouble
@pytest.mark.parametrize("spread", [1, 30])
def test_float64(spread):
    rng = np.random.default_rng(5)
    check(*gauss(rng, 300, 50, 6, np.float64, spread))
    check(*gauss(rng, 20_000, 2, 3, np.float64, spread))
    check(*gauss(rng, 90, 301, 23, np.float64, spread))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tiny_losses_keep_their_digits(dtype):
    """The label's score is ahead by 12: the loss is log1p(exp(-12)), not log(1 + exp(-12))."""
    loss, dW = softmax_loss(np.array([[12, 0]], dtype), np.ones((20, 1), dtype), np.zeros(20, int))
    want = np.exp(-12.0)
    assert_allclose(loss, np.log1p(want), rtol=4 * np.finfo(dtype).eps)
    assert_allclose(dW[0, 1], want / (1 + want), rtol=8 * np.finfo(dtype).eps)


# ---- the gradient is the loss's gradient --------------------------------------------------------


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("loss", [softmax_loss, svm_loss])
def test_central_differences(loss, soft):
    rng = np.random.default_rng(6)
    W, X, y = gauss(rng, 40, 6, 4, np.float64)
    if soft:
        y = rng.dirichlet(np.ones(4), 40)
    bias = rng.normal(size=4)
    options = {
        "sample_weight": rng.uniform(0, 2, 40),
        "label_smoothing": 0.1,
        "rows": rng.integers(0, 40, 60),
        "shift": rng.normal(size=6),
        "scale": rng.uniform(0.5, 2, 6),
    }
    _, dW, dbias = loss(W, X, y, 0.3, bias=bias, **options)
    h = 1e-6  # no margin of these is that close to 0
    for parameter, grad in ((W, dW), (bias, dbias)):
        for at in np.ndindex(parameter.shape):
            before = parameter[at]
            parameter[at] = before + h
            above = loss(W, X, y, 0.3, bias=bias, **options)[0]
            parameter[at] = before - h
            below = loss(W, X, y, 0.3, bias=bias, **options)[0]
            parameter[at] = before
            assert_allclose(grad[at], (above - below) / (2 * h), rtol=1e-6, atol=1e-8)


# ---- NaN and infinities -------------------------------------------------------------------------


@once
def truth(name, W, X, y, bias, **options):
    """The loss with its gradients, and the predictions."""
    with np.errstate(invalid="ignore", over="ignore"):
        wants = getattr(reference, name)(W, X, y, bias=bias, **options)
        labels = reference.linear_predict(W, X, bias=bias)
        return wants, labels, reference.linear_predict_proba(W, X, bias=bias)


def same_as_numpy(loss, W, X, y, bias, **options):
    """NaN and infinities stand where the reference has them, and the rest is equal."""
    wants, labels, proba = truth(loss.__name__, W, X, y, bias, **options)
    if loss is softmax_loss and np.isnan(wants[1]).any():
        wants = (np.nan, *wants[1:])  # a row of NaN probabilities: NaN, where SciPy has log(0)
    for got, want in zip(loss(W, X, y, bias=bias, **options), wants, strict=True):
        assert_allclose(got, want, rtol=1e-4, atol=1e-5)  # NaN == NaN, inf == inf
    np.testing.assert_array_equal(linear_predict(W, X, bias=bias), labels)
    got = linear_predict_proba(W, X, bias=bias)
    assert_allclose(got, proba, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("loss", [softmax_loss, svm_loss])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_not_finite(dtype, loss, bad):
    rng = np.random.default_rng(7)
    for N, D, C in [(35, 37, 4), (35, 16, 11), (3, 1, 2)]:
        W, X, y = gauss(rng, N, D, C, dtype)
        bias = rng.normal(size=C).astype(dtype)
        rows, classes = [(0, n // 2, n - 1) for n in (N, C)]
        # the vector of the last features overlaps the one before it: D - 8 and D - 3 are in both
        features = {0, D // 2, max(D - 8, 0), max(D - 3, 0), D - 1}
        for i, d in itertools.product(rows, features):
            other = X.copy()
            other[i, d] = bad
            same_as_numpy(loss, W, other, y, bias)
            same_as_numpy(loss, W, np.asfortranarray(other), y, bias)
        for d, c in itertools.product(features, classes):
            other = W.copy()
            other[d, c] = bad
            same_as_numpy(loss, other, X, y, bias)
        for c in classes:
            other = bias.copy()
            other[c] = bad
            same_as_numpy(loss, W, X, y, other)
            same_as_numpy(loss, W, X, np.full(N, (c + 1) % C), other)  # a label that is finite
            same_as_numpy(loss, W, X, y, other, label_smoothing=0.1)
        same_as_numpy(loss, W, X, y, np.full(C, bad, dtype))


@pytest.mark.parametrize("loss", [softmax_loss, svm_loss])
def test_rows_not_in_use_may_hold_anything(loss):
    W, X, y = gauss(np.random.default_rng(8), 40, 21, 5, np.float32)
    rows = np.delete(np.arange(40), [0, 7, 39])
    want = loss(W, X, y, rows=rows)
    X[[0, 7, 39]] = np.nan
    y[[0, 7, 39]] = -1
    got = loss(W, X, y, rows=rows)
    assert got[0] == want[0]
    np.testing.assert_array_equal(got[1], want[1])


def test_a_weight_of_0_does_not_hide_a_nan():
    """0 * NaN is NaN, as in NumPy."""
    W, X, y = gauss(np.random.default_rng(9), 20, 5, 3, np.float32)
    X[4] = np.nan
    loss, dW = softmax_loss(W, X, y, sample_weight=np.arange(20) != 4)
    assert np.isnan(loss)
    assert np.isnan(dW).all()


def test_huge_scores():
    """Scores of +-1e30 and margins between them: no overflow on the way."""
    W = np.array([[1e30, -1e30, 0]], np.float32)
    X, y = np.array([[1], [-1]], np.float32), [0, 1]
    loss, dW = softmax_loss(W, X, y)
    assert loss == 0
    assert (dW == 0).all()
    assert softmax_loss(W, X, [1, 0])[0] == pytest.approx(2e30)
    assert svm_loss(W, X, y)[0] == 0


# ---- real images --------------------------------------------------------------------------------


def test_cifar10(data_dir):
    """500 images as bytes, with the mean image taken off, and a bias."""
    file = data_dir / "cifar-10-batches-bin" / "data_batch_1.bin"
    records = np.fromfile(file, np.uint8, count=500 * 3073).reshape(500, 3073)
    X, y = records[:, 1:], records[:, 0]  # rows lie 3073 bytes apart
    rng = np.random.default_rng(10)
    mean = X.mean(axis=0)
    for dtype in (np.float32, np.float64):
        W = (rng.normal(size=(3072, 10)) * 1e-3).astype(dtype)
        bias = rng.normal(size=10).astype(dtype)
        tolerance = 100 * np.finfo(dtype).eps
        for loss in (softmax_loss, svm_loss):
            got = loss(W, X, y, 0.1, bias=bias, shift=mean)
            want = getattr(reference, loss.__name__)(W, X, y, 0.1, bias=bias, shift=mean)
            for a, b in zip(got, want, strict=True):
                assert_allclose(a, b, rtol=0, atol=tolerance * np.abs(b).max())
    check(W.astype(np.float32), X, y.astype(int), shift=mean.astype(np.float32))


@pytest.fixture(scope="module")
def mnist(data_dir):
    """All 60000 images, and what float64 says of them."""
    data = datasets.load_mnist(data_dir / "mnist")
    X, y = data.X_train, data.y_train
    assert X.shape == (60_000, 784)
    W = np.random.default_rng(11).normal(size=(784, 10)).astype(np.float32) * np.float32(0.1)
    scale = np.full(784, 1 / 255, np.float32)
    parts = [
        plain(W, X[i : i + 6000], y[i : i + 6000], scale=scale, dtype=np.float64)
        for i in range(0, 60_000, 6000)
    ]
    return X, y, W, scale, [sum(part) / 10 for part in zip(*parts, strict=True)]


def test_mnist(mnist):
    X, y, W, scale, (want_loss, want, loss_scale, error_scale) = mnist
    loss, dW = softmax_loss(W, X, y, scale=scale)
    eps = np.finfo(np.float32).eps / 2
    assert abs(loss - want_loss) <= eps * loss_scale
    assert (np.abs(dW - want) <= K * eps * error_scale).all()
