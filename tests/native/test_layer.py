"""The last layer's kernel: loss and all gradients against the reference, and their bits."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from closeness import assert_allclose
from once import once

from csoftmax import reference
from csoftmax._native.layer import Layer

pytestmark = pytest.mark.usefixtures("isa")

FLOATS = ["float32", "float64"]
dtypes = pytest.mark.parametrize("dtype", FLOATS)
ALL = (True, True, True)
true = once(reference.linear_cross_entropy)

# One tile of classes or several, the last one short; one share of the tiles or sixteen; groups of
# rows or one; strips and blocks of rows that are not full; features that are no whole vectors.
SHAPES = [
    (1, 16, 1),
    (1, 64, 10),
    (5, 3, 7),
    (33, 17, 2),
    (70, 40, 128),
    (300, 31, 129),
    (600, 65, 300),
    (257, 100, 1000),
    (90, 24, 2300),
]
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)


def draw(seed, shape, dtype):
    r = np.random.default_rng(seed)
    N, D, C = shape
    X = r.standard_normal((N, D))
    W = r.standard_normal((C, D)) / np.sqrt(D)
    return X.astype(dtype), W.astype(dtype), r.standard_normal(C).astype(dtype), r


def run(X, W, bias, target, wanted=ALL, n_threads=None, grad_output=None, **options):
    options = {"weight": None, "ignore_index": -100, "reduction": "mean"} | options
    layer = Layer(X, W, bias, target, **{"label_smoothing": 0.0} | options)
    loss, grads = layer.loss_with_grads(wanted, n_threads, grad_output)
    return loss, *grads


def plain(X, W, bias, target, dtype):
    """The same at the dtype, as NumPy would have it."""
    Z = X @ W.T + bias
    P = np.exp(Z - Z.max(axis=1, keepdims=True))
    P /= P.sum(axis=1, keepdims=True)
    P[np.arange(len(X)), target] -= 1
    P /= dtype(len(X))
    return P @ W, P.T @ X, P.sum(axis=0)


def close(got, want, dtype, k=64):
    eps = k * np.finfo(dtype).eps
    for a, b in zip(got, want, strict=True):
        assert np.shape(a) == np.shape(b)
        assert_allclose(a, b, rtol=eps, atol=eps * np.abs(b).max(initial=1e-30))


@dtypes
@shapes
def test_parity(shape, dtype):
    X, W, bias, r = draw(1, shape, dtype)
    target = r.integers(0, shape[2], shape[0])
    got = run(X, W, bias, target)
    want = true(X, W, target, bias)
    assert all(grad.dtype == dtype for grad in got[1:])
    close(got, want, dtype)
    close(run(X, W, None, target)[:3], true(X, W, target)[:3], dtype)


@pytest.mark.parametrize("shape", [(257, 100, 1000), (600, 65, 300), (300, 512, 2300)], ids=str)
def test_errors_are_those_of_numpy(shape):
    X, W, bias, r = draw(2, shape, "float32")
    X[:, 0] += 100  # a feature that is nearly constant, and rows that are sure
    target = r.integers(0, shape[2], shape[0])
    want = true(X, W, target, bias)[1:]
    got = run(X, W, bias, target)[1:]
    other = plain(X, W, bias, target, np.float32)
    for ours, theirs, truth in zip(got, other, want, strict=True):
        scale = np.abs(truth).max()
        assert np.abs(ours - truth).max() <= 2 * np.abs(theirs - truth).max() + 4e-7 * scale


@dtypes
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("kind", ["index", "probabilities"])
@pytest.mark.parametrize("shape", [(70, 40, 10), (300, 31, 129), (90, 24, 2300)], ids=str)
def test_options(shape, kind, label_smoothing, dtype):
    X, W, bias, r = draw(3, shape, dtype)
    N, _, C = shape
    weight = r.uniform(0.5, 2, C)
    if kind == "index":
        target = r.integers(0, C, N)
        target[::7] = -100
    else:
        target = r.dirichlet(np.ones(C), N)
    for reduction in ("mean", "sum"):
        options = {
            "weight": weight,
            "label_smoothing": label_smoothing,
            "reduction": reduction,
        }
        got = run(X, W, bias, target, **options)
        close(got, true(X, W, target, bias, **options), dtype)
        if kind == "probabilities":
            turned = run(X, W, bias, np.asfortranarray(target), **options)
            same(turned, got)


@dtypes
def test_gradients_of_rows_that_count_differently(dtype):
    shape = (300, 31, 129)
    X, W, bias, r = draw(4, shape, dtype)
    target = r.integers(0, shape[2], shape[0])
    by = r.standard_normal(shape[0]).astype(dtype)
    losses = run(X, W, bias, target, (False,) * 3, reduction="none")[0]
    got = run(X, W, bias, target, reduction="sum", grad_output=by)
    Z = X.astype(float) @ W.T.astype(float) + bias
    want, dZ = reference.cross_entropy_with_grad(Z, target, reduction="none")
    dZ = dZ * by[:, None]
    close([losses, *got[1:]], [want, dZ @ W, dZ.T @ X, dZ.sum(axis=0)], dtype)


@dtypes
def test_only_what_is_wanted(dtype):
    shape = (300, 31, 2300)
    X, W, bias, r = draw(5, shape, dtype)
    target = r.integers(0, shape[2], shape[0])
    full = run(X, W, bias, target)
    for mask in range(8):
        wanted = [bool(mask >> k & 1) for k in range(3)]
        got = run(X, W, bias, target, wanted)
        assert got[0] == full[0]
        for one, other, want in zip(got[1:], full[1:], wanted, strict=True):
            assert (one is not None) == want
            if want:
                same([one], [other])


def same(got, want):
    for a, b in zip(got, want, strict=True):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


@dtypes
@pytest.mark.parametrize("shape", [(600, 65, 10), (600, 65, 300), (300, 64, 2300)], ids=str)
def test_bits_do_not_depend_on_threads_or_layouts(shape, dtype):
    X, W, bias, r = draw(6, shape, dtype)
    target = r.integers(0, shape[2], shape[0])
    want = run(X, W, bias, target, n_threads=1)
    for n_threads in (2, 3, 5):
        same(run(X, W, bias, target, n_threads=n_threads), want)
    wide = np.full((2 * len(X), X.shape[1] + 3), np.nan, dtype)
    wide[::2, 1:-2] = X
    for X2, W2 in (
        (wide[::2, 1:-2], W),
        (np.asfortranarray(X), np.asfortranarray(W)),
        (X[::-1].copy()[::-1], W[::-1].copy()[::-1]),
    ):
        same(run(X2, W2, bias, target), want)


@dtypes
def test_nan_and_infinities(dtype):
    X, W, bias, r = draw(7, (40, 20, 300), dtype)
    target = r.integers(0, 300, 40)
    for value in (np.nan, np.inf):
        broken = X.copy()
        broken[7, 3] = value
        losses = run(broken, W, bias, target, reduction="none")[0]
        np.testing.assert_array_equal(np.isnan(losses), np.arange(40) == 7)
        loss, dX, dW, dbias = run(broken, W, bias, target)
        assert np.isnan(loss)
        np.testing.assert_array_equal(np.isnan(dX).all(axis=1), np.arange(40) == 7)
        assert np.isnan(dW).all()
        assert np.isnan(dbias).all()
    closed = bias.copy()
    closed[5] = -np.inf
    target[target == 5] = 6
    want = true(X, W, target, closed)
    close(run(X, W, closed, target), want, dtype)


@dtypes
def test_nothing_to_average(dtype):
    X, W, bias, _ = draw(8, (20, 20, 30), dtype)
    loss, *grads = run(X, W, bias, np.full(20, -100))
    assert np.isnan(loss)
    loss, *grads = run(X[:0], W, bias, np.zeros(0, int))
    assert np.isnan(loss)
    assert [grad.shape for grad in grads] == [(0, 20), (30, 20), (30,)]
    assert all((grad == 0).all() for grad in grads)


@dtypes
def test_places_and_single_rows(dtype):
    r = np.random.default_rng(9)
    N, C, D = 23, 7, 18
    X, W = r.standard_normal((N, D)).astype(dtype), r.standard_normal((C, 2, 3, D)).astype(dtype)
    bias, target = r.standard_normal((C, 2, 3)).astype(dtype), r.integers(0, C, (N, 2, 3))
    loss, dX, dW, dbias = run(X, W, bias, target)
    Z = np.einsum("nd,cijd->ncij", X.astype(float), W.astype(float)) + bias
    want, dZ = reference.cross_entropy_with_grad(Z, target)
    dX_want = np.einsum("ncij,cijd->nd", dZ, W.astype(float))
    dW_want = np.einsum("ncij,nd->cijd", dZ, X.astype(float))
    close((loss, dX, dW, dbias), (want, dX_want, dW_want, dZ.sum(axis=0)), dtype)
    losses = run(X, W, bias, target, (False,) * 3, reduction="none")[0]
    assert losses.shape == (N, 2, 3)
    one = run(X[0], W[:, 0, 0], bias[:, 0, 0], target[0, 0, 0])
    want = run(X[:1], W[:, 0, 0], bias[:, 0, 0], target[:1, 0, 0])
    same([one[0], one[1], *one[2:]], [want[0], want[1][0], *want[2:]])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_peak_memory(isa, run_python):
    """In MiB: the scores of a block, and dW; all scores would be 115."""
    code = """
import numpy as np
from csoftmax._native.layer import Layer

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024

def run(X, W):
    y = np.zeros(len(X), int)
    layer = Layer(X, W, None, y, None, -100, "mean", 0.0)
    return layer.loss_with_grads((True, True, False), 2)

run(np.ones((64, 64), np.float32), np.ones((300, 64), np.float32))
X, W = np.ones((600, 32), np.float32), np.ones((50257, 32), np.float32)
before = peak()
kept = run(X, W)
print(peak() - before)
"""
    assert float(run_python(code, CSOFTMAX_ISA=isa).stdout) < 6 + 48 + 8
