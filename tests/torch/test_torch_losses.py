"""cross_entropy and linear_cross_entropy beside PyTorch's: every option, shape and dtype."""

from __future__ import annotations

import inspect
import itertools

import numpy as np
import pytest

import csoftmax

torch = pytest.importorskip("torch", reason="csoftmax.torch is for PyTorch; it is an extra")
F = torch.nn.functional

from csoftmax import torch as csoftmax_torch  # noqa: E402
from csoftmax.torch import cross_entropy, linear_cross_entropy  # noqa: E402

SHAPES = [(5,), (6, 5), (33, 40), (4, 7, 3), (2, 21, 4, 5), (1, 1), (0, 5)]
REDUCTIONS = ("mean", "sum", "none")
DTYPES = [torch.float32, torch.float64]


def targets(shape, kind):
    """Class indices, some ignored, or probabilities."""
    if kind == "probabilities":
        return torch.randn(shape).softmax(dim=min(len(shape) - 1, 1)).double()
    rows = shape[:1] + shape[2:] if len(shape) > 1 else ()
    found = torch.randint(shape[min(len(shape) - 1, 1)], rows)
    if kind == "ignored" and rows:
        found.view(-1)[::3] = -100
    return found


@pytest.mark.parametrize("name", csoftmax_torch.__all__)
def test_signatures_are_pytorchs(name):
    ours = getattr(csoftmax_torch, name)
    theirs = getattr(F, name, None) or getattr(torch.nn, name)
    for one, other in ((ours, theirs), (ours.__init__, theirs.__init__)):
        parameters = [
            [(p.name, p.kind, p.default) for p in inspect.signature(f).parameters.values()]
            for f in (one, other)
        ]
        assert parameters[0] == parameters[1]
    if isinstance(ours, type):
        assert issubclass(ours, theirs)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["index", "ignored", "probabilities"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_cross_entropy(same_as_torch, shape, kind, dtype):
    logits, target = torch.randn(shape, dtype=dtype), targets(shape, kind)
    if kind == "probabilities":
        target = target.to(dtype)
    weight = torch.rand(shape[min(len(shape) - 1, 1)], dtype=dtype) + 0.5
    for reduction, label_smoothing, w in itertools.product(REDUCTIONS, (0.0, 0.1), (None, weight)):
        options = {"reduction": reduction, "label_smoothing": label_smoothing, "weight": w}
        same_as_torch(cross_entropy, F.cross_entropy, [logits], target, **options)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shape", [(5,), (33, 40), (2, 21, 4, 5)], ids=str)
def test_half_precision(same_as_torch, shape, dtype):
    for kind, reduction in itertools.product(("index", "probabilities"), REDUCTIONS):
        target = targets(shape, kind)
        target = target.to(dtype) if kind == "probabilities" else target
        weight = torch.rand(shape[min(len(shape) - 1, 1)]).to(dtype)
        for w in (None, weight):
            arguments = [torch.randn(shape).to(dtype)], target, w
            loss = cross_entropy(*arguments[0], target, w, reduction=reduction)
            assert loss.dtype == dtype
            # float32 inside: nearer to the truth than PyTorch, which rounds on its way
            same_as_torch(cross_entropy, wide_cross_entropy, *arguments, reduction=reduction)


def wide_cross_entropy(input, target, weight, **options):
    """PyTorch's in float64, of the same numbers, rounded at the end."""
    wide = [t.double() if t is not None and t.is_floating_point() else t for t in (target, weight)]
    return F.cross_entropy(input.double(), *wide, **options).to(input.dtype)


def test_gradients_of_float16_do_not_vanish_before_they_are_scaled():
    logits = torch.zeros(4096, 1000, dtype=torch.float16, requires_grad=True)
    loss = cross_entropy(logits, torch.zeros(4096, dtype=torch.int64))
    (loss * 2**14).backward()  # as torch.amp.GradScaler does it
    assert logits.grad[0, 1] == pytest.approx(2**14 / 4096 / 1000, rel=1e-3)


@pytest.mark.parametrize("size_average", [None, False, True])
@pytest.mark.parametrize("reduce", [None, False, True])
def test_deprecated_arguments(size_average, reduce):
    logits, target = torch.randn(4, 3), torch.tensor([0, 1, 2, 1])
    arguments = logits, target, None, size_average, -100, reduce
    if size_average is None and reduce is None:
        torch.testing.assert_close(cross_entropy(*arguments), F.cross_entropy(*arguments))
        return
    with pytest.warns(UserWarning, match="size_average and reduce args will be deprecated"):
        got = cross_entropy(*arguments)
    with pytest.warns(UserWarning, match="size_average"):
        torch.testing.assert_close(got, F.cross_entropy(*arguments))


def test_bits_are_those_of_the_function_of_arrays():
    """The shortest way, of a matrix by its indices, and all others."""
    z, y = torch.randn(50, 30), torch.randint(30, (50,))
    y[::5] = -100
    for target, index, reduction, label_smoothing in itertools.product(
        (y, y.int(), y.clamp(min=0)), (-100, 3), REDUCTIONS, (0.0, 0.1, 1.0, 1)
    ):
        options = {"reduction": reduction, "label_smoothing": label_smoothing}
        options["ignore_index"] = index if target.min() == 0 else -100
        free = z.clone().requires_grad_()
        loss = cross_entropy(free, target, **options)
        loss.sum().backward()
        want, grad = csoftmax.cross_entropy_with_grad(z, target, **options)
        assert (loss.detach().numpy() == np.float32(want)).all()
        assert (free.grad.numpy() == grad).all()


def test_sums_beyond_float32():
    z = torch.full((3, 4), -3e38)
    z[:, 0] = 3e38
    for target in (torch.tensor([0, 1, 2]), torch.tensor([0, 0, 0])):
        for reduction in REDUCTIONS:
            options = {"reduction": reduction}
            assert torch.equal(
                cross_entropy(z, target, **options), F.cross_entropy(z, target, **options)
            )


def layouts(tensor):
    """The same numbers elsewhere in memory."""
    yield tensor.transpose(0, -1).contiguous().transpose(0, -1)
    wide = torch.zeros(*tensor.shape[:-1], 2 * tensor.shape[-1], dtype=tensor.dtype)
    wide[..., ::2] = tensor
    yield wide[..., ::2]
    yield torch.cat([tensor, tensor])[len(tensor) :]


def test_layouts_have_the_same_bits(same_as_torch):
    target = torch.randint(10, (6, 4))
    logits = torch.randn(6, 10, 4)
    want = torch.empty_like(logits)
    for z in (logits, *layouts(logits)):
        free = z.detach().requires_grad_()
        cross_entropy(free, target).backward()
        if z is logits:
            want = free.grad
        assert torch.equal(free.grad, want)
        same_as_torch(cross_entropy, F.cross_entropy, [z], target)
    row = torch.randn(10).expand(5, 10)
    same_as_torch(cross_entropy, F.cross_entropy, [row], torch.arange(5))


# --- linear layers --------------------------------------------------------------------------------


def layer(shape, places=(), dtype=torch.float32):
    """input, linear_weight and linear_bias; `shape` is (N, D, C), or (D, C) for one row."""
    *rows, n_features, n_classes = shape
    return (
        torch.randn(*rows, n_features, dtype=dtype),
        torch.randn(n_classes, *places, n_features, dtype=dtype) / n_features**0.5,
        torch.randn(n_classes, *places, dtype=dtype),
    )


def by_name(function):
    """A function of input, linear_weight, linear_bias, target."""
    return lambda x, w, b, target, **options: function(x, w, target, linear_bias=b, **options)


OURS, THEIRS = by_name(linear_cross_entropy), by_name(F.linear_cross_entropy)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["index", "ignored", "probabilities"])
@pytest.mark.parametrize(
    ("shape", "places"),
    [
        ((6, 5), ()),
        ((7, 3, 4), ()),
        ((40, 64, 300), ()),
        ((5, 18, 4), (2, 3)),
        ((0, 4, 3), ()),
        ((6, 0, 5), ()),
    ],
    ids=str,
)
def test_linear_cross_entropy(same_as_torch, shape, places, kind, dtype):
    free = layer(shape, places, dtype)
    logits = (*shape[:-2], shape[-1], *places)
    target = targets(logits, kind)
    target = target.to(dtype) if kind == "probabilities" else target
    weight = torch.rand(shape[-1], dtype=dtype) + 0.5
    for reduction, label_smoothing, w in itertools.product(REDUCTIONS, (0.0, 0.1), (None, weight)):
        options = {"reduction": reduction, "label_smoothing": label_smoothing, "weight": w}
        tolerance = 64 * torch.finfo(dtype).eps
        same_as_torch(OURS, THEIRS, free, target, **options, eps=tolerance)
        no_bias = (*free[:2], None)
        same_as_torch(OURS, THEIRS, no_bias, target, **options, eps=tolerance)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_linear_half_precision(same_as_torch, reduction, dtype):
    free, target = layer((12, 32, 40), dtype=dtype), torch.randint(40, (12,))

    def wide(x, w, b, target, **options):
        loss = THEIRS(x.double(), w.double(), b.double(), target, **options)
        return loss.to(x.dtype)

    assert OURS(*free, target).dtype == dtype
    same_as_torch(OURS, wide, free, target, reduction=reduction)


def test_an_index_to_ignore(same_as_torch):
    free, target = layer((9, 20, 5)), torch.arange(9) % 5
    for index in (2, -1, None):
        same_as_torch(OURS, THEIRS, free, target, ignore_index=index, eps=1e-5)


def test_layouts_of_a_layer():
    x, w, b = layer((7, 20, 30))
    target = torch.randint(30, (7,))
    want = linear_cross_entropy(x, w, target, linear_bias=b)
    for x2, w2 in itertools.product(layouts(x), layouts(w)):
        assert linear_cross_entropy(x2, w2, target, linear_bias=b) == want


# --- modules --------------------------------------------------------------------------------------


def test_modules(same_as_torch):
    weight = torch.rand(5) + 0.5
    options = {"weight": weight, "ignore_index": 1, "reduction": "sum", "label_smoothing": 0.2}
    ours = csoftmax_torch.CrossEntropyLoss(**options)
    theirs = torch.nn.CrossEntropyLoss(**options)
    same_as_torch(ours, theirs, [torch.randn(8, 5)], torch.arange(8) % 5)
    assert repr(ours) == repr(theirs)
    for places in ((), (2, 3)):
        options = {"out_features": places, "bias": True, "weight": weight, "label_smoothing": 0.1}
        ours = csoftmax_torch.LinearCrossEntropyLoss(20, 5, **options)
        theirs = torch.nn.LinearCrossEntropyLoss(20, 5, **options)
        theirs.load_state_dict(ours.state_dict())
        target = torch.randint(5, (8, *places))
        same_as_torch(ours, theirs, [torch.randn(8, 20)], target, eps=1e-5)
        for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(one.grad, other.grad)
