"""Gradients in autograd's graph: when they are made, once, twice, and checked by differences."""

from __future__ import annotations

import re

import pytest

torch = pytest.importorskip("torch", reason="csoftmax.torch is for PyTorch; it is an extra")

from csoftmax._native import row_losses  # noqa: E402
from csoftmax._native.layer import Layer  # noqa: E402
from csoftmax.torch import cross_entropy, linear_cross_entropy  # noqa: E402

REDUCTIONS = ("mean", "sum", "none")
reductions = pytest.mark.parametrize("reduction", REDUCTIONS)
SECOND = "asked for its gradient a second time|backward through the graph a second time"


def double(*shape):
    return torch.randn(shape, dtype=torch.float64, requires_grad=True)


@reductions
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_gradcheck(reduction, label_smoothing):
    options = {"reduction": reduction, "label_smoothing": label_smoothing}
    weight = torch.rand(5, dtype=torch.float64)
    indices = torch.tensor([[3, 0], [-100, 1], [4, 2]])
    probabilities = torch.rand(3, 5, 2, dtype=torch.float64)
    for target in (indices, probabilities):
        call = lambda z, t=target: cross_entropy(z, t, weight, **options)  # noqa: E731
        assert torch.autograd.gradcheck(call, double(3, 5, 2))


@reductions
@pytest.mark.parametrize("shape", [(4, 6, 5), (4, 20, 150)], ids=str)
def test_gradcheck_of_a_layer(shape, reduction):
    N, D, C = shape
    options = {"reduction": reduction, "label_smoothing": 0.1, "weight": torch.rand(C).double()}
    for target in (torch.arange(N) % C, torch.rand(N, C, dtype=torch.float64)):
        assert torch.autograd.gradcheck(
            lambda x, w, b, t=target: linear_cross_entropy(x, w, t, linear_bias=b, **options),
            (double(N, D), double(C, D), double(C)),
            fast_mode=C > 10,
        )


def losses(reduction):
    """A loss of each function, and what it has gradients for."""
    z, target = double(6, 5), torch.tensor([0, 1, 2, 3, 4, 0])
    yield cross_entropy(z, target, reduction=reduction), [z]
    x, w, b = double(6, 17), double(5, 17), double(5)
    yield linear_cross_entropy(x, w, target, linear_bias=b, reduction=reduction), [x, w, b]


@reductions
def test_a_graph_that_is_kept_gives_the_same_again(reduction):
    for loss, leaves in losses(reduction):
        by = torch.linspace(1, 2, loss.numel(), dtype=loss.dtype).reshape(loss.shape)
        first = torch.autograd.grad(loss, leaves, by, retain_graph=True)
        kept = [grad.clone() for grad in first]
        for factor in (2.0, 1.0):
            again = torch.autograd.grad(loss, leaves, factor * by, retain_graph=factor == 2)
            for grad, one, copy in zip(again, first, kept, strict=True):
                assert torch.equal(grad, factor * copy)
                assert torch.equal(one, copy)
        with pytest.raises(RuntimeError, match=SECOND):
            torch.autograd.grad(loss, leaves, by)


@reductions
def test_a_batch_of_backward_passes(reduction):
    for loss, leaves in losses(reduction):
        batch = torch.linspace(1, 2, 3 * loss.numel(), dtype=loss.dtype).reshape(3, *loss.shape)
        want = [torch.autograd.grad(loss, leaves, by, retain_graph=True) for by in batch]
        got = torch.autograd.grad(loss, leaves, batch, is_grads_batched=True)
        for grad, one in zip(got, zip(*want, strict=True), strict=True):
            assert torch.equal(grad, torch.stack(one))


@reductions
def test_no_second_derivative(reduction):
    for loss, leaves in losses(reduction):
        with pytest.raises(RuntimeError, match="no second derivative: wanted create_graph=False"):
            torch.autograd.grad(loss.sum(), leaves, create_graph=True)


def test_gradients_become_those_of_leaves_without_a_copy():
    z, target = torch.randn(50, 20, requires_grad=True), torch.zeros(50, dtype=torch.int64)
    for factor in (1.0, 3.0):
        z.grad = None
        loss = cross_entropy(z, target) * factor
        (address,) = {grad.data_ptr() for grad in waiting(loss)}
        loss.backward()
        assert z.grad.data_ptr() == address


def waiting(loss):
    """The gradients that a loss's graph has."""
    node = loss.grad_fn
    while not hasattr(node, "grads"):
        node = node.next_functions[0][0]
    return node.grads


def test_gradients_add_up():
    z, target = torch.randn(5, 4, requires_grad=True), torch.tensor([0, 1, 2, 3, 0])
    cross_entropy(z, target).backward()
    once = z.grad.clone()
    (cross_entropy(z, target) + 2 * cross_entropy(z, target)).backward()
    torch.testing.assert_close(z.grad, 4 * once)


def test_no_gradient_where_none_is_wanted(monkeypatch):
    made = []
    loss_with_grads = Layer.loss_with_grads
    for name, wanted in ("loss", False), ("loss_with_grad", True):
        function = getattr(row_losses, name)
        monkeypatch.setattr(
            row_losses, name, lambda *a, f=function, w=wanted: made.append(w) or f(*a)
        )
    monkeypatch.setattr(
        Layer, "loss_with_grads", lambda *a: made.append(tuple(a[1])) or loss_with_grads(*a)
    )
    x, w, target = torch.randn(6, 20), torch.randn(5, 20), torch.zeros(6, dtype=torch.int64)
    free = w.clone().requires_grad_()
    for context in (torch.no_grad, torch.inference_mode):
        with context():
            assert not cross_entropy(x.clone().requires_grad_(), target).requires_grad
            assert not linear_cross_entropy(x, free, target).requires_grad
    cross_entropy(x, target)
    cross_entropy(x, target, reduction="none")
    linear_cross_entropy(x, w, target)
    linear_cross_entropy(x, free, target, reduction="none")
    nothing = (False,) * 3
    assert made == [False, nothing, False, nothing, False, False, nothing, nothing]
    cross_entropy(x.clone().requires_grad_(), target)
    linear_cross_entropy(x, free, target)
    assert made[8:] == [True, (False, True, False)]


def test_tensors_of_inference_mode():
    with torch.inference_mode():
        z, x, w = torch.randn(4, 3), torch.randn(4, 2), torch.randn(3, 2)
    target = torch.tensor([0, 1, 2, 0])
    F = torch.nn.functional
    torch.testing.assert_close(cross_entropy(z, target), F.cross_entropy(z, target))
    want = F.cross_entropy(x @ w.T, target)
    torch.testing.assert_close(linear_cross_entropy(x, w, target), want)


@pytest.mark.parametrize("name", ["target", "weight"])
def test_gradients_that_there_are_not(name):
    given = {"target": torch.rand(4, 3), "weight": torch.rand(3)}
    free = given[name].requires_grad_()
    message = re.escape(f"{name} requires a gradient, which is not computed here")
    with pytest.raises(ValueError, match=message):
        cross_entropy(torch.randn(4, 3), **given)
    with pytest.raises(ValueError, match=message):
        linear_cross_entropy(torch.randn(4, 2), torch.randn(3, 2), **given)
    given[name] = free.detach()
    cross_entropy(torch.randn(4, 3), **given)
    with torch.no_grad():
        cross_entropy(torch.randn(4, 3), **given | {name: free})


def test_inputs_are_not_changed():
    z = torch.randn(40, 30, dtype=torch.bfloat16, requires_grad=True)
    x, w = torch.randn(40, 20, requires_grad=True), torch.randn(30, 20, requires_grad=True)
    target = torch.randint(30, (40,))
    before = [t.detach().clone() for t in (z, x, w, target)]
    (cross_entropy(z, target) * 2).backward()
    (linear_cross_entropy(x, w, target) * 2).backward()
    assert all(torch.equal(a, b) for a, b in zip(before, (z, x, w, target), strict=True))
