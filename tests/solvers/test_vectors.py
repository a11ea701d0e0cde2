"""Arithmetic of long vectors, and L-BFGS's direction, against NumPy's."""

from __future__ import annotations

import numpy as np
import pytest

from csoftmax.solvers import vectors
from csoftmax.solvers.lbfgs import Pairs, two_loops
from csoftmax.solvers.vectors import products, weighted_sum, without_mean

pytestmark = pytest.mark.usefixtures("isa")

SIZES = [1, 7, 63, 1000, 1024, 1025, 32768, 32769, 100001]


@pytest.fixture
def many_threads(monkeypatch):
    """Short vectors, too, are shared out."""
    monkeypatch.setattr(vectors, "NS_PER_BYTE", 1e9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", SIZES)
def test_products(n, dtype, many_threads):
    rng = np.random.default_rng(n)
    a, b = ([rng.normal(size=n).astype(dtype) for _ in range(k)] for k in (5, 3))
    found = products(a, b, 1)
    exact = np.array([[np.sum(x.astype(np.longdouble) * y) for y in b] for x in a], float)
    terms = np.array([[np.sum(np.abs(x * y)) for y in b] for x in a], float)
    assert (np.abs(found - exact) <= 8 * np.finfo(dtype).eps * terms).all()
    for n_threads in (2, 3):
        np.testing.assert_array_equal(products(a, b, n_threads), found)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", SIZES)
def test_weighted_sum(n, dtype, many_threads):
    rng = np.random.default_rng(n)
    a, factors = [rng.normal(size=n).astype(dtype) for _ in range(6)], rng.normal(size=6)
    exact = sum(x.astype(np.longdouble) * f for x, f in zip(a, factors, strict=True))
    found = weighted_sum(a, factors, 1)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, exact.astype(dtype), atol=32 * np.finfo(dtype).eps)
    for n_threads in (2, 3):
        np.testing.assert_array_equal(weighted_sum(a, factors, n_threads), found)
    copies = [x.copy() for x in a]
    weighted_sum(copies, factors, 2, out=copies[0])  # over the first of them
    np.testing.assert_array_equal(copies[0], found)
    assert all((x == y).all() for x, y in zip(a[1:], copies[1:], strict=True))


def test_any_layout():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(40, 7)), np.asfortranarray(rng.normal(size=(40, 7)))
    c = rng.normal(size=(80, 14))[::2, ::2]
    np.testing.assert_allclose(products([a, b], [c], 1)[:, 0], [(a * c).sum(), (b * c).sum()])
    np.testing.assert_allclose(weighted_sum([b, a, c], [1, 2, 3], 1), b + 2 * a + 3 * c)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_and_infinity_are_passed_on(dtype):
    a = np.ones(3000, dtype)
    a[1234] = np.inf
    assert products([a], [np.ones_like(a)], 1) == np.inf
    assert np.isnan(products([a], [np.zeros_like(a)], 1))
    assert np.isinf(weighted_sum([a, a], [1, 1], 1)[1234])
    assert np.isnan(weighted_sum([a, a], [1, -1], 1)[1234])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_without_mean(dtype):
    step = np.random.default_rng(0).normal(size=(50, 7)).astype(dtype)
    want = step - step.mean(axis=1, keepdims=True, dtype=np.float64)
    np.testing.assert_allclose(without_mean(step), want, atol=4 * np.finfo(dtype).eps)
    one = np.ones((3, 1), dtype)
    np.testing.assert_array_equal(without_mean(one.copy()), one)


# ---- L-BFGS --------------------------------------------------------------------------------------


def two_loops_of_the_book(grad, pairs, solve):
    """Nocedal and Wright, algorithm 7.4, scaled along the last step."""
    q, factors = -grad, []
    together = list(zip(pairs.steps, pairs.changes, strict=True))
    for s, y in reversed(together):
        factors.append((s * q).sum() / (s * y).sum())
        q = q - factors[-1] * y
    s, y = together[-1]
    r = solve(q) * ((s * y).sum() / (y * solve(y)).sum())
    for (s, y), factor in zip(together, reversed(factors), strict=True):
        r = r + s * (factor - (y * r).sum() / (s * y).sum())
    return r


@pytest.mark.parametrize("n_pairs", [1, 2, 5, 20])
def test_directions_are_those_of_the_book(n_pairs):
    rng = np.random.default_rng(n_pairs)
    D, K = 30, 4
    A = rng.normal(size=(D, D))
    hessian, inverse = A @ A.T + np.eye(D), rng.uniform(0.5, 2, (D, 1))
    pairs, grad = Pairs([], [], 1), rng.normal(size=(D, K))
    for _ in range(n_pairs + 3):  # the first three are forgotten
        step = rng.normal(size=(D, K))
        grad = grad + hessian @ step
        pairs.make_room(n_pairs)
        pairs.add(step, hessian @ step, grad)
    assert len(pairs.steps) == len(pairs.changes) == n_pairs
    before = grad.copy()
    want = two_loops_of_the_book(grad, pairs, lambda v: inverse * v)
    at_once = Pairs(pairs.steps, pairs.changes, 1)
    at_once.look(grad)
    for each in (pairs, at_once):
        found = two_loops(grad, each, lambda v: inverse * v)
        np.testing.assert_allclose(found, want, rtol=1e-7, atol=1e-7)
    np.testing.assert_array_equal(grad, before)


def test_a_step_along_which_the_gradient_falls_is_not_kept():
    pairs, ones = Pairs([], [], 1), np.ones((2, 3))
    pairs.add(ones, ones, 2 * ones)
    for change in (-ones, 0 * ones, np.nan * ones):
        pairs.add(ones, change, 3 * ones)
    assert len(pairs.steps) == 1
    np.testing.assert_array_equal(pairs.products, [[6.0]])
    np.testing.assert_array_equal(pairs.along, [18.0])
    none = Pairs([], [], 1)
    np.testing.assert_array_equal(two_loops(ones, none, lambda v: 2 * v), -2 * ones)
