"""PyTorch's own samples of cross_entropy, from torch.testing, on csoftmax: losses and gradients.

They are those of its OpInfo for the function and of its ModuleInfo for CrossEntropyLoss, as they
are and with NaN and infinities in them. PyTorch in float64 with its autograd gives what is wanted.
"""

import re
from importlib import import_module

import numpy as np
import pytest

import csoftmax

torch = pytest.importorskip("torch", reason="PyTorch is the peer here; it is an extra")
pytest.importorskip("expecttest", reason="torch.testing imports it; it comes with that extra")

DTYPES = ("float64", "float32", "float16")
SPECIAL = {"": None, ", a NaN": np.nan, ", an inf": np.inf, ", a -inf": -np.inf}

# Which samples are expected to differ, how, and why. All others are equal.
EXPECTED: list[tuple[str, str, str]] = []

# What PyTorch refuses, by its message, and csoftmax takes, and why.
ACCEPTED = {
    "Expected floating point type for target with class probabilities": "integers of the logits' "
    "shape are probabilities, too, as one-hot rows are",
}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """PyTorch's threads wait for each other longer than these small problems take."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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


def samples(infos, dtype):
    """Yield a name, logits, target and options, as NumPy arrays, of each sample."""
    torch.manual_seed(0)
    function, module = infos
    kind = getattr(torch, dtype)
    found = [
        ("function", sample.input, *sample.args, sample.kwargs)
        for sample in function.sample_inputs("cpu", kind, requires_grad=False)
    ]
    options = {"device": "cpu", "dtype": kind, "requires_grad": False, "training": True}
    found += [
        (sample.desc, *sample.forward_input.args, sample.constructor_input.kwargs)
        for sample in module.module_inputs_func(module, **options)
    ]
    for number, (name, logits, target, options) in enumerate(found):
        weight = options.get("weight")
        if weight is not None:
            options = options | {"weight": weight.numpy()}
        title = f"{number} {name} {tuple(logits.shape)} {dtype}"
        yield title, logits.numpy(), target.numpy(), options


def wanted(logits, target, options):
    """Loss and gradient of the loss, or of its sum where it is one for each row."""
    z = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    probabilities = target.dtype.kind == "f"
    t = torch.tensor(target, dtype=torch.float64 if probabilities else torch.int64)
    if "weight" in options:
        options = options | {"weight": torch.tensor(options["weight"], dtype=torch.float64)}
    loss = torch.nn.functional.cross_entropy(z, t, **options)
    loss.sum().backward()
    return loss.detach().numpy(), z.grad.numpy()


def difference(logits, target, options, scales):
    """What is not as PyTorch has it, for a loss and a gradient of such sizes; "" if all is."""
    before = logits.copy(), target.copy()
    try:
        loss, grad = csoftmax.cross_entropy_with_grad(logits, target, **options)
        alone = csoftmax.cross_entropy(logits, target, **options)
    except (ValueError, TypeError) as error:
        return f"{type(error).__name__}: {error}"
    try:
        loss_wanted, grad_wanted = wanted(logits, target, options)
    except RuntimeError as error:
        return f"taken, where PyTorch says: {error}"
    eps = np.finfo(logits.dtype).eps
    try:
        np.testing.assert_array_equal(alone, loss)
        np.testing.assert_array_equal(logits, before[0])
        np.testing.assert_array_equal(target, before[1])
        assert grad.dtype == logits.dtype
        for got, want, scale in zip((loss, grad), (loss_wanted, grad_wanted), scales, strict=True):
            assert np.shape(got) == want.shape
            np.testing.assert_allclose(got, want, rtol=8 * eps, atol=8 * eps * scale)
    except AssertionError as error:
        return f"differs: {error}"
    return ""


def expectation(name):
    """The row of the table that a sample falls under."""
    return next((row for row in EXPECTED if re.search(row[0], name)), None)


@pytest.mark.parametrize("dtype", DTYPES)
def test_samples_are_equal_but_for_the_table(infos, dtype):
    wrong, rows, count = {}, set(), 0
    for name, logits, target, options in samples(infos, dtype):
        # at logits of 0, where nothing cancels and nothing is small
        zero = wanted(np.zeros_like(logits), target, options)
        scales = [np.nan_to_num(np.abs(want)).max() for want in zero]
        for title, value in SPECIAL.items():
            changed = logits.copy()
            if value is not None:
                changed.flat[changed.size // 3] = value
            found, row = difference(changed, target, options, scales), expectation(name)
            if not (found == "" if row is None else re.match(row[1], found)):
                wrong[name + title] = found or "equal, which the table does not expect"
            rows.add(row)
            count += 1
    assert wrong == {}
    assert count > 400
    assert rows == {None, *EXPECTED}


def test_what_pytorch_refuses_is_refused_but_for_the_table(infos):
    module = infos[1]
    torch.manual_seed(0)
    options = {"device": "cpu", "dtype": torch.float64, "requires_grad": False, "training": True}
    accepted, messages = set(), []
    for sample in module.module_error_inputs_func(module, **options):
        given = sample.module_error_input
        logits, target = (tensor.numpy() for tensor in given.forward_input.args)
        options = dict(given.constructor_input.kwargs)
        if "weight" in options:
            options["weight"] = np.abs(options["weight"].numpy())
        found = difference(logits, target, options, (1, 1))
        if re.match("ValueError|TypeError", found):
            messages.append(found)
        else:
            accepted.add(sample.error_regex)
    assert accepted == set(ACCEPTED)
    assert len(messages) > 3
