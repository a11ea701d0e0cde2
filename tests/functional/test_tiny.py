"""Probabilities that are subnormal numbers, or pass by such: each as exact as one rounding allows.

Processors of Intel take a hundred times as long for products of subnormal numbers, so the kernels
go around them (src/exp.h). Nothing of that is to be seen in results, but in sums over rows, in
which such numbers count for nothing.
"""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
from builds import needs_longdouble

import csoftmax

pytestmark = pytest.mark.usefixtures("isa")

WIDE = [
    ("f4", np.float64),
    pytest.param("f8", np.longdouble, marks=needs_longdouble),
]
#: scores at which exp is subnormal begin at -87 and -708, and end at -104 and -745
SPREAD = {"f4": 35.0, "f8": 250.0}


def logits(char, n_classes, rows=48, seed=0):
    r = np.random.default_rng(seed)
    z = SPREAD[char] * r.standard_normal((rows, n_classes))
    return (np.rint(4 * z) / 4).astype(char)  # so that differences are exact


def shares(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def check(got, want, terms, weight=1):
    """`terms`: what each element is a difference of, in size; `weight`: what shares are times."""
    info = np.finfo(got.dtype)
    assert got.dtype.itemsize < want.dtype.itemsize
    least = 1.01 * info.smallest_subnormal * np.maximum(weight, 1)
    assert np.all(np.abs(got - want) <= 6 * info.eps * terms + least)


@pytest.mark.parametrize("n_classes", [2, 7, 10, 64, 65, 300])
@pytest.mark.parametrize(("char", "wide"), WIDE)
def test_softmax(char, wide, n_classes):
    z = logits(char, n_classes)
    p = shares(z.astype(wide))
    tiny = (p > 0) & (p < np.finfo(char).tiny)
    assert tiny.any()
    for got in (csoftmax.softmax(z, 1), csoftmax.softmax(z.T, 0).T):
        check(got, p, p)
        assert (got[p > 1.01 * np.finfo(char).smallest_subnormal] > 0).all()


@pytest.mark.parametrize("kind", ["labels", "one-hot", "soft"])
@pytest.mark.parametrize("weight", [None, 1e-30, 1e30])
@pytest.mark.parametrize("n_classes", [3, 10, 65, 300])
@pytest.mark.parametrize(("char", "wide"), WIDE)
def test_gradients_of_logits(char, wide, n_classes, weight, kind):
    """Whatever they are multiplied with, be it so small or large that nothing or all is normal."""
    z = logits(char, n_classes)
    r = np.random.default_rng(1)
    y = r.integers(0, n_classes, len(z))
    target, T = y, np.eye(n_classes)[y]
    if kind == "soft":
        T[:, 0] += 0.5
        T /= T.sum(axis=1, keepdims=True)
    if kind != "labels":
        T = target = T.astype(char)
    weights = None if weight is None else np.full(n_classes, weight, char)
    got = csoftmax.cross_entropy_with_grad(z, target, weight=weights, reduction="sum")[1]
    u = T.astype(wide) * (1 if weights is None else weights.astype(wide))
    p, sums = shares(z.astype(wide)), u.sum(axis=1, keepdims=True)
    check(got, p * sums - u, p * sums + u, sums)


@pytest.mark.parametrize("char", ["f4", "f8"])
@pytest.mark.parametrize("n_classes", [10, 65])
def test_what_is_not_a_number_stays_in_its_row(char, n_classes):
    z = logits(char, n_classes)
    want = csoftmax.softmax(z, 1)
    z[3, 1], z[20, 0], z[33, :-1] = np.nan, np.inf, -np.inf
    got, (_, grad) = csoftmax.softmax(z, 1), csoftmax.cross_entropy_with_grad(z, [0] * len(z))
    assert np.isnan(got[[3, 20]]).all()
    assert np.isnan(grad[[3, 20]]).all()
    assert got[33].tolist() == [0] * (n_classes - 1) + [1]
    others = np.delete(np.arange(len(z)), [3, 20, 33])
    np.testing.assert_array_equal(got[others], want[others])
    assert np.isfinite(grad[others]).all()


@pytest.mark.parametrize("char", ["f4", "f8"])
@pytest.mark.parametrize("n_classes", [4, 100])
def test_logarithms_of_what_is_nearly_1(char, n_classes):
    """The loss of a row whose other classes are subnormal, together, is their sum."""
    info = np.finfo(char)
    for low in np.log(float(info.tiny)) - np.arange(0.5, 18.0 if char == "f4" else 40.0, 3.0):
        z = np.full((20, n_classes), low, char)
        z[:, 1] = 0
        want = (n_classes - 1) * np.exp(z[0, 0].astype(np.longdouble))
        loss = csoftmax.cross_entropy(z, [1] * len(z), reduction="none")
        assert np.all(
            np.abs(loss - want) <= 4 * info.eps * want + n_classes * info.smallest_subnormal
        )
        np.testing.assert_array_equal(csoftmax.logsumexp(z, 1), loss)
    z[:, 0::2] = -np.inf
    z[:, 3::2] = -np.inf
    assert csoftmax.cross_entropy(z, [1] * len(z)) == 0
    assert (csoftmax.log_softmax(z, 1)[:, 1] == 0).all()


@pytest.mark.parametrize("loss", ["dense", "sparse", "soft"])
@pytest.mark.parametrize("n_classes", [10, 100])
@pytest.mark.parametrize("char", ["f4", "f8"])
def test_sums_over_rows_leave_out_nothing_that_counts(char, n_classes, loss):
    """By the smallest normal number times |x|, at most, each row is off."""
    r = np.random.default_rng(2)
    X = r.standard_normal((300, 60)).astype(char)
    W = (SPREAD[char] / np.sqrt(60) * r.standard_normal((60, n_classes))).astype(char)
    y = r.integers(0, n_classes, len(X))
    Z = X @ W
    y[::2] = Z[::2].argmax(axis=1)
    target = np.eye(n_classes, dtype=char)[y] if loss == "soft" else y
    rows = scipy.sparse.csr_array(X) if loss == "sparse" else X
    _, dW = csoftmax.softmax_loss(W, rows, target)
    P = csoftmax.linear_predict_proba(W, X)
    tiny = np.finfo(char).tiny
    assert ((P > 0) & (tiny > P)).any()
    G = (P.astype(np.longdouble) - np.eye(n_classes)[y]) / len(X)
    want = X.T.astype(np.longdouble) @ G
    terms = np.abs(X.T) @ (P + np.eye(n_classes)[y]) / len(X)
    spread = np.finfo(char).eps * SPREAD[char] * np.sqrt(60)
    assert np.all(
        np.abs(dW - want) <= 8 * spread * terms + 2 * tiny * np.abs(X).sum(axis=0)[:, None]
    )
