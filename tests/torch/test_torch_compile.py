"""In torch.compile: one operator, no graph break, the results of a call that is not compiled."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="csoftmax.torch is for PyTorch; it is an extra")

from csoftmax.torch import (  # noqa: E402
    CrossEntropyLoss,
    LinearCrossEntropyLoss,
    cross_entropy,
    linear_cross_entropy,
)

REDUCTIONS = ("mean", "sum", "none")
reductions = pytest.mark.parametrize("reduction", REDUCTIONS)


@pytest.fixture(autouse=True)
def graphs_anew():
    """Each test compiles its own; so many for one function would be an error."""
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def compiled(function, backend="aot_eager"):
    """Compiled whole, or an error. (Inductor makes the same graph, and takes seconds.)"""
    return torch.compile(function, fullgraph=True, backend=backend)


def grads(function, leaves, *others, **options):
    leaves = [leaf.detach().clone().requires_grad_() for leaf in leaves]
    loss = function(*leaves, *others, **options)
    loss.backward(torch.linspace(1, 2, loss.numel(), dtype=loss.dtype).reshape(loss.shape))
    return loss.detach(), *(leaf.grad for leaf in leaves)


def same(got, want):
    for a, b in zip(got, want, strict=True):
        assert a.dtype == b.dtype
        assert a.stride() == b.stride()
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)


@reductions
@pytest.mark.parametrize("shape", [(6, 5), (3, 5, 2), (5,)], ids=str)
def test_cross_entropy(shape, reduction):
    def step(z, target, weight):
        return 2 * cross_entropy(3 * z, target, weight, reduction=reduction, label_smoothing=0.1)

    z, weight = torch.randn(shape), torch.rand(5)
    for target in (
        torch.randint(5, shape[:1] + shape[2:] if len(shape) > 1 else ()),
        torch.randn(shape).softmax(min(len(shape) - 1, 1)),
    ):
        want = grads(step, [z], target, weight)
        same(grads(compiled(step), [z], target, weight), want)
        with torch.no_grad():
            assert torch.equal(compiled(step)(z, target, weight), want[0])


@reductions
def test_linear_cross_entropy(reduction):
    def step(x, w, b, target):
        return 2 * linear_cross_entropy(x.tanh(), w, target, linear_bias=b, reduction=reduction)

    free = [torch.randn(6, 20), torch.randn(5, 20), torch.randn(5)]
    target = torch.randint(5, (6,))
    want = grads(step, free, target)
    same(grads(compiled(step), free, target), want)
    with torch.no_grad():
        assert torch.equal(compiled(step)(*free, target), want[0])
    only = [t.clone().requires_grad_(k == 1) for k, t in enumerate(free)]
    compiled(step)(*only, target).sum().backward()
    assert [t.grad is None for t in only] == [True, False, True]


def test_half_precision_and_autocast():
    def step(z, target):
        with torch.autocast("cpu", torch.bfloat16):
            return cross_entropy(z, target)

    z, target = torch.randn(6, 5).bfloat16(), torch.randint(5, (6,))
    for function in (cross_entropy, step):
        same(grads(compiled(function), [z], target), grads(function, [z], target))


def test_modules_and_layouts():
    target = torch.randint(5, (6, 2))
    z = torch.randn(2, 5, 6).transpose(0, 2)
    loss = CrossEntropyLoss()
    same(grads(compiled(loss), [z], target), grads(loss, [z], target))
    head = LinearCrossEntropyLoss(20, 5, bias=True)
    x = torch.randn(6, 20)
    same(grads(compiled(head), [x], target[:, 0]), grads(head, [x], target[:, 0]))


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
def test_inductor():
    """The forward pass alone: the gradient's scaling would be C++ to compile, for a minute."""
    z, target = torch.randn(6, 5), torch.randint(5, (6,))
    with torch.no_grad():
        got = compiled(cross_entropy, "inductor")(z, target)
    assert torch.equal(got, cross_entropy(z, target))


def test_operators_keep_the_rules():
    """Schema, fake tensors, autograd, nothing done to arguments: PyTorch's own check."""
    ops = torch.ops.csoftmax
    z, target = torch.randn(6, 5, requires_grad=True), torch.randint(5, (6,))
    for reduction in REDUCTIONS:
        torch.library.opcheck(
            ops.cross_entropy.default, (z, target, None, -100, reduction, 0.0, True)
        )
    free = [t.requires_grad_() for t in (torch.randn(6, 20), torch.randn(5, 20), torch.randn(5))]
    for reduction in REDUCTIONS:
        wanted = [reduction != "none"] * 3
        torch.library.opcheck(
            ops.linear_cross_entropy.default, (*free, target, None, -100, reduction, 0.0, wanted)
        )


def test_an_operator_has_no_second_derivative():
    op = torch.ops.csoftmax.cross_entropy
    z = torch.randn(6, 5, requires_grad=True)
    loss, _ = op(z, torch.randint(5, (6,)), None, -100, "mean", 0.0, True)
    with pytest.raises(RuntimeError, match="no second derivative: wanted create_graph=False"):
        torch.autograd.grad(loss, z, create_graph=True)


def test_export_and_fake_tensors():
    module = CrossEntropyLoss()
    arguments = torch.randn(6, 5), torch.randint(5, (6,))
    program = torch.export.export(module, arguments)
    assert any("csoftmax.cross_entropy" in str(node.target) for node in program.graph.nodes)
    torch.testing.assert_close(program.module()(*arguments), module(*arguments))
    with torch._subclasses.FakeTensorMode() as mode:
        fake = [mode.from_tensor(t) for t in arguments]
        assert cross_entropy(*fake, reduction="none").shape == (6,)


@pytest.mark.parametrize("mode", ["real", "symbolic"])
def test_what_is_traced_is_no_constant(mode):
    make_fx = torch.fx.experimental.proxy_tensor.make_fx
    z, x, w, target = torch.randn(6, 5), torch.randn(6, 4), torch.randn(5, 4), torch.arange(6) % 5
    for call, *tensors in (
        (lambda z, y: cross_entropy(z, y), z, target),
        (lambda x, w, y: linear_cross_entropy(x, w, y, reduction="none"), x, w, target),
    ):
        traced, (*others, _) = make_fx(call, tracing_mode=mode)(*tensors), [2 * t for t in tensors]
        assert torch.equal(traced(*others, target), call(*others, target))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_jit_trace():
    z, target = torch.randn(6, 5), torch.arange(6) % 5
    traced = torch.jit.trace(cross_entropy, (z, target))
    assert torch.equal(traced(2 * z, target), cross_entropy(2 * z, target))
