"""PyTorch's own samples, from torch.testing, on csoftmax.torch: losses and gradients.

Those of its OpInfo for cross_entropy and of its ModuleInfo for CrossEntropyLoss, in all dtypes that
have them, as they are called there.
"""

from __future__ import annotations

from importlib import import_module

import pytest

torch = pytest.importorskip("torch", reason="csoftmax.torch is for PyTorch; it is an extra")
pytest.importorskip("expecttest", reason="torch.testing imports it; it comes with test-torch")

import csoftmax.torch  # noqa: E402

DTYPES = ("float64", "float32", "float16", "bfloat16")


@pytest.fixture(scope="module")
def infos():
    """PyTorch's tables of functions and modules; to import them takes some ten seconds."""
    internal = "torch.testing._internal"
    functions = import_module(f"{internal}.common_methods_invocations").op_db
    modules = import_module(f"{internal}.common_modules").module_db
    return (
        next(info for info in functions if info.name == "nn.functional.cross_entropy"),
        next(info for info in modules if info.module_cls is torch.nn.CrossEntropyLoss),
    )


def calls(infos, kind):
    """Yield a title, the function of ours, PyTorch's in float64, and the arguments, of each."""
    function, module = infos
    torch.manual_seed(0)
    for sample in function.sample_inputs("cpu", kind, requires_grad=False):
        options = sample.kwargs
        yield (
            f"function {tuple(sample.input.shape)} {options}",
            lambda z, t, o=options: csoftmax.torch.cross_entropy(z, t, **o),
            lambda z, t, o=options: torch.nn.functional.cross_entropy(z, t, **wide(o)),
            (sample.input, *sample.args),
        )
    options = {"device": "cpu", "dtype": kind, "requires_grad": False, "training": True}
    for sample in module.module_inputs_func(module, **options):
        options = sample.constructor_input.kwargs
        yield (
            f"module {sample.desc}",
            csoftmax.torch.CrossEntropyLoss(**options),
            torch.nn.CrossEntropyLoss(**wide(options)),
            sample.forward_input.args,
        )


def wide(options):
    return {k: v.double() if isinstance(v, torch.Tensor) else v for k, v in options.items()}


def gradients(function, logits, target):
    free = logits.detach().clone().requires_grad_()
    loss = function(free, target)
    loss.sum().backward()
    return loss.detach(), free.grad


@pytest.mark.parametrize("dtype", DTYPES)
def test_samples_are_equal(infos, dtype):
    kind, count = getattr(torch, dtype), 0
    eps = torch.finfo(kind).eps
    for title, ours, theirs, (logits, target) in calls(infos, kind):
        got = gradients(ours, logits, target)
        exact = target.double() if target.is_floating_point() else target
        want = gradients(theirs, logits.double(), exact)
        zero = gradients(theirs, torch.zeros_like(logits).double(), exact)
        for one, truth, size in zip(got, want, zero, strict=True):
            assert one.dtype == kind, title
            torch.testing.assert_close(
                one.double(),
                truth,
                rtol=8 * eps,
                atol=8 * eps * size.abs().nan_to_num().max().item(),
                equal_nan=True,
                msg=lambda m, title=title: f"{title}: {m}",
            )
        count += 1
    assert count > 100


def test_what_pytorch_refuses_is_refused(infos):
    module = infos[1]
    torch.manual_seed(0)
    options = {"device": "cpu", "dtype": torch.float64, "requires_grad": False, "training": True}
    count = 0
    for sample in module.module_error_inputs_func(module, **options):
        given = sample.module_error_input
        loss = csoftmax.torch.CrossEntropyLoss(**given.constructor_input.kwargs)
        with pytest.raises((ValueError, TypeError), match="wanted"):
            loss(*given.forward_input.args)
        count += 1
    assert count > 3
