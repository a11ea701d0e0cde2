"""Losses on logits (N, C, d1, ...) against PyTorch and its autograd."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pytest
from closeness import assert_allclose

import csoftmax

torch = pytest.importorskip("torch", reason="PyTorch is the authority here; it is an extra")

pytestmark = pytest.mark.usefixtures("isa")

KINDS = {
    "index": {},
    "ignored": {},
    "ignored class": {"ignore_index": 0},
    "all ignored": {},
    "probabilities": {},
}
SHAPES = ((3, 5, 4), (2, 10, 3, 7), (2, 33, 2, 1, 9), (1, 3, 2, 2, 2, 2), (2, 3, 0), (0, 3, 4))


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """PyTorch's threads wait for each other longer than these small problems take."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@cache
def problem(kind, shape, weighted):
    """Logits, target and options, of numbers that float16 holds: the same for all dtypes."""
    r = np.random.default_rng(11)
    of_rows = (shape[0], *shape[2:])
    logits = r.integers(-160, 161, shape) / 32
    target = r.integers(0, shape[1], of_rows)
    options = dict(KINDS[kind])
    if kind == "probabilities":
        target = np.moveaxis(r.dirichlet(np.ones(shape[1]), of_rows), -1, 1).astype(np.float16)
    elif kind != "index":
        chance = 1.0 if kind == "all ignored" else 0.3
        target[r.random(of_rows) < chance] = options.get("ignore_index", -100)
    if weighted:
        options["weight"] = r.integers(1, 33, shape[1]) / 16
    return logits, target, options


@cache
def expected(kind, shape, weighted, label_smoothing, reduction):
    logits, target, options = problem(kind, shape, weighted)
    z = torch.tensor(logits, requires_grad=True)
    t = torch.tensor(target, dtype=z.dtype if target.ndim == z.ndim else torch.int64)
    options = {k: torch.tensor(v) if k == "weight" else v for k, v in options.items()}
    loss = torch.nn.functional.cross_entropy(
        z, t, **options, label_smoothing=label_smoothing, reduction=reduction
    )
    loss.sum().backward()
    return loss.detach().numpy(), z.grad.numpy()


def assert_close(got, want, dtype, k=8):
    tolerance = k * np.finfo(dtype).eps
    finite = np.abs(want[np.isfinite(want)])
    assert_allclose(got, want, rtol=tolerance, atol=tolerance * finite.max(initial=0))
    assert np.shape(got) == np.shape(want)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_every_option(kind, dtype, label_smoothing, reduction):
    for weighted, shape, order in itertools.product((False, True), SHAPES, "CF"):
        z, t, options = problem(kind, shape, weighted)
        options = options | {"label_smoothing": label_smoothing, "reduction": reduction}
        z, want = (
            z.astype(dtype, order=order),
            expected(kind, shape, weighted, label_smoothing, reduction),
        )
        loss, grad = csoftmax.cross_entropy_with_grad(z, t, **options)
        assert_close(loss, want[0], dtype)
        assert_close(grad, want[1], dtype)
        np.testing.assert_array_equal(csoftmax.cross_entropy(z, t, **options), loss)


def test_special_values():
    # NaN and infinities at one place of each row of the picture
    r = np.random.default_rng(3)
    for bad, n_classes in itertools.product((np.nan, np.inf, -np.inf), (3, 40)):
        logits = r.standard_normal((2, n_classes, 5, 4))
        logits[:, 1, :, 2] = bad
        target = r.integers(0, 3, (2, 5, 4))
        target[0, 1:3] = -100
        z = torch.tensor(logits, requires_grad=True)
        want = torch.nn.functional.cross_entropy(z, torch.tensor(target), reduction="none")
        want.sum().backward()
        loss, grad = csoftmax.cross_entropy_with_grad(logits, target, reduction="none")
        assert_close(loss, want.detach().numpy(), np.float64)
        assert_close(grad, z.grad.numpy(), np.float64)


def test_tensors_with_the_channels_last():
    z = torch.randn(3, 5, 8, 6, dtype=torch.float64).to(memory_format=torch.channels_last)
    t = torch.randint(0, 5, (3, 8, 6))
    x = z.clone().requires_grad_()
    want = torch.nn.functional.cross_entropy(x, t)
    want.backward()
    loss, grad = csoftmax.cross_entropy_with_grad(z, t)
    assert loss == pytest.approx(want.item(), rel=1e-14)
    assert_allclose(grad, x.grad.numpy(), rtol=1e-13, atol=1e-17)
