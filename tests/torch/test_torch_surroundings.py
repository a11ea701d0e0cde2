"""Where losses are computed: autocast, threads, workers of a DataLoader, other processes."""

from __future__ import annotations

import copy
import pickle

import pytest

torch = pytest.importorskip("torch", reason="csoftmax.torch is for PyTorch; it is an extra")
F = torch.nn.functional

from csoftmax._native import threads  # noqa: E402
from csoftmax.torch import (  # noqa: E402
    CrossEntropyLoss,
    LinearCrossEntropyLoss,
    cross_entropy,
    graph,
    linear_cross_entropy,
)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_autocast(dtype):
    z, target = torch.randn(6, 5, dtype=dtype, requires_grad=True), torch.arange(6) % 5
    with torch.autocast("cpu", torch.bfloat16):
        loss, want = cross_entropy(z, target), F.cross_entropy(z, target)
    assert loss.dtype == want.dtype
    torch.testing.assert_close(loss, want)
    (got,) = torch.autograd.grad(loss, z)
    (want,) = torch.autograd.grad(want, z)
    assert got.dtype == want.dtype == dtype
    torch.testing.assert_close(got, want)
    with torch.autocast("cpu", torch.bfloat16, enabled=False):
        assert cross_entropy(z, target).dtype == dtype


def test_autocast_of_a_layer():
    """Where PyTorch rounds to bfloat16 before the products, nothing is rounded."""
    x, w = torch.randn(6, 20).bfloat16().requires_grad_(), torch.randn(5, 20, requires_grad=True)
    target = torch.arange(6) % 5
    with torch.autocast("cpu", torch.bfloat16):
        loss = linear_cross_entropy(x, w, target)
        assert F.linear_cross_entropy(x, w, target).dtype == loss.dtype == torch.float32
    torch.testing.assert_close(loss, F.linear_cross_entropy(x.float(), w, target))
    loss.backward()
    assert x.grad.dtype == torch.bfloat16
    assert w.grad.dtype == torch.float32


def test_gradients_in_a_mixed_precision_step():
    """A model, a loss and a scaler as PyTorch's documentation has them."""
    results = []
    for loss_function in (cross_entropy, F.cross_entropy):
        torch.manual_seed(1)
        model = torch.nn.Linear(8, 5)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
        x, target = torch.randn(16, 8), torch.arange(16) % 5
        for _ in range(3):
            with torch.autocast("cpu", torch.bfloat16):
                loss = loss_function(model(x), target)
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        results.append((loss.item(), model.weight.detach().clone()))
    torch.testing.assert_close(results[0], results[1], rtol=1e-2, atol=1e-3)


def test_as_many_threads_as_pytorch_has(monkeypatch):
    assert graph.n_threads() == 1  # of these tests
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(7)
        monkeypatch.setattr(threads, "_limit", 4)
        assert graph.n_threads() == 4
        monkeypatch.setattr(threads, "_limit", 16)
        assert graph.n_threads() == 7
    finally:
        torch.set_num_threads(before)


def test_bits_do_not_depend_on_threads():
    z, target = torch.randn(3000, 100, requires_grad=True), torch.randint(100, (3000,))
    x, w = torch.randn(700, 64, requires_grad=True), torch.randn(900, 64, requires_grad=True)
    labels = torch.randint(900, (700,))
    found = []
    before = torch.get_num_threads()
    try:
        for number in (1, 2, 3):
            torch.set_num_threads(number)
            results = [cross_entropy(z, target), linear_cross_entropy(x, w, labels)]
            results += torch.autograd.grad(sum(results), (z, x, w))
            found.append([t.detach().numpy().tobytes() for t in results])
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1] == found[2]


class Losses(torch.utils.data.Dataset):
    """Each item is a loss and its gradient, made where it is asked for."""

    def __init__(self, z, target):
        self.z, self.target = z, target

    def __len__(self):
        return 4

    def __getitem__(self, k):
        z = (self.z + k).requires_grad_()
        loss = cross_entropy(z, self.target)
        loss.backward()
        return loss.detach(), z.grad


@pytest.mark.threads
@pytest.mark.filterwarnings("ignore:os.fork")  # JAX's, where another test has imported it
def test_workers_of_a_data_loader():
    z, target = torch.randn(4000, 50), torch.randint(50, (4000,))
    here = Losses(z, target)
    want = [here[k] for k in range(4)]  # threads are there before the fork
    loader = torch.utils.data.DataLoader(here, num_workers=2, multiprocessing_context="fork")
    for got, expected in zip(loader, want, strict=True):
        for a, b in zip(got, expected, strict=True):
            assert torch.equal(a[0], b)


def test_modules_are_copied_pickled_and_moved():
    for module in (CrossEntropyLoss(torch.rand(5)), LinearCrossEntropyLoss(4, 5, bias=True)):
        x = torch.randn(3, 4 if isinstance(module, LinearCrossEntropyLoss) else 5)
        target = torch.tensor([0, 4, 2])
        want = module(x, target)
        for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
            assert torch.equal(other(x, target), want)
        assert module.double()(x.double(), target).dtype == torch.float64


def test_training_reaches_what_pytorchs_does():
    finals = []
    for head in (LinearCrossEntropyLoss, torch.nn.LinearCrossEntropyLoss):
        torch.manual_seed(2)
        body, last = torch.nn.Linear(10, 16), head(16, 7, bias=True)
        optimizer = torch.optim.Adam([*body.parameters(), *last.parameters()], 0.01)
        x, target = torch.randn(64, 10), torch.randint(7, (64,))
        for _ in range(20):
            optimizer.zero_grad()
            loss = last(body(x).tanh(), target)
            loss.backward()
            optimizer.step()
        finals.append(loss.item())
    assert finals[0] == pytest.approx(finals[1], rel=1e-4)
