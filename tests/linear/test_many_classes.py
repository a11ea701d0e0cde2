"""So many classes that a pass goes in tiles of W: everything again, at a few shapes.

From 2048 classes and 16 MiB of W on; the shapes here are just above, with several blocks of rows.
"""

from __future__ import annotations

import sys

import numpy as np
import pytest
from closeness import assert_allclose

from csoftmax import (
    linear_predict,
    linear_predict_proba,
    linear_top_k,
    reference,
    softmax_loss,
    svm_loss,
)
from csoftmax.solvers.passes import stack_loss_grad

pytestmark = pytest.mark.usefixtures("isa")

FLOATS = ["float32", "float64"]
dtypes = pytest.mark.parametrize("dtype", FLOATS)
# (reference.svm_loss has a loop over classes; margins are exact here, those of 0, too.)
LOSSES = {softmax_loss: reference.softmax_loss, svm_loss: reference.svm_loss_vectorized}
CLASSES = {"float32": 8213, "float64": 4133}
D = 512


def draw(seed, N, dtype, x=None):
    """Numbers on a grid: scores and margins are exact, and many scores are equal."""
    rng = np.random.default_rng(seed)
    C = CLASSES[dtype]
    W = rng.integers(-4, 5, (D, C), np.int8) / np.array(64, dtype)
    assert W.nbytes > 1 << 24
    X = rng.integers(0 if x == "uint8" else -2, 3, (N, D)).astype(x or dtype)
    return W, X, rng.integers(0, C, N)


def options_of(rng, N, dtype, names):
    C = CLASSES[dtype]
    every = {
        "bias": rng.integers(-8, 9, C) / 4,
        "sample_weight": rng.integers(1, 5, N) / 2,
        "label_smoothing": 0.125,
        "rows": rng.integers(-N, N, N // 2 + 1),
        "shift": rng.integers(-2, 5, D) / 2,
        "scale": np.ldexp(1.0, rng.integers(-1, 2, D)) * rng.choice([-1, 1], D),
    }
    return {name: every[name] for name in names}


def check(loss, W, X, y, reg=0.0, **options):
    got = loss(W, X, y, reg, **options)
    options.pop("out", None)
    want = LOSSES[loss](W, X, y, reg, **options)
    F = np.abs((X - options.get("shift", 0.0)) * options.get("scale", 1.0)).max()
    eps = 3e-6 if W.dtype == np.float32 else 3e-14
    # of the hinge, a row's gradient is up to the number of classes
    size = 2 * F if loss is softmax_loss else want[1].max() - want[1].min()
    assert len(got) == len(want)
    assert abs(got[0] - want[0]) <= eps * (abs(want[0]) + 1)
    for a, b, bound in zip(got[1:], want[1:], [size, size / F], strict=False):
        assert a.dtype == W.dtype
        assert_allclose(a, b, rtol=0, atol=eps * bound)


@dtypes
@pytest.mark.parametrize("N", [1, 17, 270])  # the last in two blocks
def test_losses(N, dtype):
    W, X, y = draw(N, N, dtype)
    check(softmax_loss, W, X, y)
    check(svm_loss, W, X, y)


@pytest.mark.parametrize(
    ("names", "x"),
    [
        (["bias", "sample_weight", "rows"], "float32"),
        (["label_smoothing", "shift"], "float32"),
        (["bias", "scale", "rows"], "uint8"),
        (["label_smoothing", "shift", "scale"], "float64"),
    ],
)
@dtypes
def test_options(dtype, names, x):
    W, X, y = draw(1, 60, dtype, x)
    check(softmax_loss, W, X, y, 0.25, **options_of(np.random.default_rng(1), 60, dtype, names))


@dtypes
def test_probabilities_as_targets(dtype):
    W, X, _ = draw(2, 20, dtype)
    y = np.random.default_rng(2).random((20, W.shape[1])).astype(dtype)
    y /= y.sum(axis=1, keepdims=True)
    check(softmax_loss, W, X, y, bias=W[0])
    check(softmax_loss, W, X, np.asfortranarray(y), bias=W[0])


def test_a_hinge_of_several_targets():
    """Which does not go in tiles."""
    W, X, y = draw(2, 2, "float64")
    got = svm_loss(W, X, y, label_smoothing=0.5, delta=1 + 2.0**-12)
    want = reference.svm_loss(W, X, y, label_smoothing=0.5, delta=1 + 2.0**-12)
    assert_allclose(got[0], want[0], rtol=1e-12)
    assert_allclose(got[1], want[1], rtol=0, atol=1e-12 * np.abs(want[1]).max())


@dtypes
def test_layouts(dtype):
    """Of W, X and out: the same bits."""
    W, X, y = draw(3, 40, dtype)
    want = softmax_loss(W, X, y, 0.5, bias=W[0])
    wide = np.zeros((D, 2 * W.shape[1]), dtype)
    for move in (
        np.asfortranarray,
        lambda a: a[::-1, ::-1].copy()[::-1, ::-1],
        lambda a: a[::-1].copy()[::-1],
    ):
        for got in (
            softmax_loss(move(W), X, y, 0.5, bias=W[0]),
            softmax_loss(W, move(X), y, 0.5, bias=W[0]),
            softmax_loss(W, X, y, 0.5, bias=W[0], out=move(np.full_like(W, np.nan))),
        ):
            same(got, want)
    for beside, out in [
        (wide[:, 1::2], wide[:, ::2]),
        (wide[:, :100], wide[:, 100:][:, : len(W[0])]),
    ]:
        wide[...] = 7
        same(softmax_loss(W, X, y, 0.5, bias=W[0], out=out), want)
        assert (beside == 7).all()


def same(got, want):
    for a, b in zip(got, want, strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert a.dtype == b.dtype
        assert np.array_equal(a.view(f"i{a.itemsize}"), b.view(f"i{b.itemsize}"))


@dtypes
def test_predictions(dtype):
    rng = np.random.default_rng(4)
    W, X, _ = draw(4, 270, dtype)
    C = W.shape[1]
    for options in ({}, options_of(rng, 270, dtype, ["bias", "rows", "shift", "scale"])):
        labels, best = linear_top_k(W, X, 7, **options)
        proba = linear_predict_proba(W, X, **options)
        want, _ = reference.linear_top_k(W, X, 7, **options)
        np.testing.assert_array_equal(labels, want)
        np.testing.assert_array_equal(linear_predict(W, X, **options), want[:, 0])
        same([best], [np.take_along_axis(proba, labels, axis=1)])
        truth = reference.linear_predict_proba(W, X, **options)
        assert_allclose(proba, truth, rtol=3e-5 if dtype == "float32" else 3e-13)
    few = linear_predict_proba(W, X[:40])
    for out in (np.empty((C, 40), dtype).T, np.empty((40, 2 * C), dtype)[:, ::2]):
        same([linear_predict_proba(np.asfortranarray(W), X[:40], out=out)], [few])
    same([linear_top_k(W, X[:3], C)[0]], [reference.linear_top_k(W, X[:3], C)[0]])


@dtypes
def test_nan_and_infinities(dtype):
    W, X, y = draw(5, 40, dtype)
    for value, first in [(np.nan, True), (np.inf, True), (-np.inf, False)]:
        bias = np.zeros(W.shape[1])
        bias[-1] = value
        assert ((linear_predict(W, X, bias=bias) == len(bias) - 1) == first).all()
        proba = linear_predict_proba(W, X, bias=bias)
        assert np.isnan(proba).all() == first
        assert np.isnan(softmax_loss(W, X, y, bias=bias)[0]) == first
    X[7, 3] = np.nan
    loss, dW = softmax_loss(W, X, y)
    assert np.isnan(loss)
    assert np.isnan(dW).all()
    np.testing.assert_array_equal(
        np.isnan(linear_top_k(W, X, 2)[1]).all(axis=1), np.arange(40) == 7
    )


@dtypes
def test_bits_do_not_depend_on_the_number_of_threads(dtype):
    rng = np.random.default_rng(6)
    W = rng.standard_normal((D, CLASSES[dtype]), dtype) / np.sqrt(np.array(D, dtype))
    X, y = rng.normal(size=(270, D)), rng.integers(0, W.shape[1], 270)
    for call in (
        lambda **k: softmax_loss(W, X, y, 0.1, bias=W[0], shift=X[0], **k),  # two blocks
        lambda **k: svm_loss(W, X[:40], y[:40], **k),
        lambda **k: linear_top_k(W, X[:40], 3, **k),
    ):
        want = call(n_threads=1)
        for n_threads in (2, 3, None):
            same(call(n_threads=n_threads), want)


def test_models_that_share_a_pass():
    """With the bits that they have alone."""
    one, X, y = draw(7, 30, "float32")
    W = np.hstack([one, one[::-1], one / 2])
    mask = np.random.default_rng(7).integers(0, 2, (2, 30)).astype(bool)
    mask[:, 0] = True
    of_model = np.array([1, 0, 1])
    losses, dW, dbias = stack_loss_grad(W, X, y, 3, bias=W[0], mask=mask, mask_of_model=of_model)
    for k, part in enumerate(np.split(np.arange(W.shape[1]), 3)):
        weight = mask[of_model[k]].astype(float)
        alone = softmax_loss(W[:, part], X, y, bias=W[0, part], sample_weight=weight)
        same((losses[k], dW[:, part], dbias[part]), alone)


MEMORY = """
import numpy as np
from csoftmax import linear_top_k, softmax_loss

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024

W = np.ones((128, 50257), np.float32)
X, y, dW = np.ones((600, 128), np.float32), np.zeros(600, int), np.ones_like(W)
small = np.ones((128, 10), np.float32)
softmax_loss(small, X, y, n_threads=2)
before = peak()
softmax_loss(W, X, y, out=dW, n_threads=2)
linear_top_k(W, X, 5, n_threads=2)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_peak_memory(isa, run_python):
    """In MiB: scores of a block, and no copy of W or dW, which are 25 each."""
    assert float(run_python(MEMORY, CSOFTMAX_ISA=isa).stdout) < 55
