"""What the tests of csoftmax.torch share: problems, and PyTorch with one thread."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """PyTorch's threads wait for each other longer than these small problems take."""
    torch = pytest.importorskip("torch", reason="csoftmax.torch is for PyTorch; it is an extra")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def same_as_torch() -> Any:
    """Compare a function of ours with PyTorch's: values, dtypes, shapes and all gradients."""
    torch = pytest.importorskip("torch")

    def compare(ours: Any, theirs: Any, free: Any, *others: Any, eps: float = 0, **options: Any):
        found = []
        for function in (ours, theirs):
            leaves = [None if t is None else t.detach().clone().requires_grad_() for t in free]
            loss = function(*leaves, *others, **options)
            by = torch.linspace(-1, 2, loss.numel(), dtype=loss.dtype).reshape(loss.shape)
            loss.backward(by if loss.dim() else None)
            found.append((loss.detach(), *(t.grad for t in leaves if t is not None)))
        eps = eps or 16 * torch.finfo(free[0].dtype).eps
        for got, want in zip(*found, strict=True):
            finite = want[want.isfinite()].abs()
            atol = eps * (finite.max().item() if finite.numel() else 1)
            torch.testing.assert_close(got, want, rtol=eps, atol=atol, equal_nan=True)

    return compare
