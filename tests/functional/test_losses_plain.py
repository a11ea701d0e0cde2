"""A contiguous matrix and plain targets go a shorter way: to the same bits and the same errors."""

from __future__ import annotations

import numpy as np
import pytest

import csoftmax
from csoftmax._native import row_losses
from csoftmax._native.checks import targets

pytestmark = pytest.mark.usefixtures("isa")

N, C = 37, 10
FUNCTIONS = {
    "cross_entropy": (csoftmax.cross_entropy, csoftmax.cross_entropy_with_grad),
    "hinge": (csoftmax.multiclass_hinge, csoftmax.multiclass_hinge_with_grad),
}


def data(dtype, target):
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((N, C)).astype(dtype)
    if target == "probabilities":
        return logits, csoftmax.softmax(logits, axis=1)
    index = rng.integers(0, C, N)
    if target == "some ignored":
        index[::3] = -100
    return logits, index


@pytest.fixture
def checked(monkeypatch):
    """How many calls went the long way."""
    made = []
    problem = row_losses.Problem
    monkeypatch.setattr(row_losses, "Problem", lambda *a: made.append(a) or problem(*a))
    return made


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("target", ["indices", "some ignored", "probabilities"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", FUNCTIONS)
def test_same_bits(checked, kind, dtype, target, reduction, smoothing):
    alone, with_grad = FUNCTIONS[kind]
    logits, aims = data(dtype, target)
    options = {"reduction": reduction, "label_smoothing": smoothing}
    loss, grad = with_grad(logits, aims, **options)
    assert alone(logits, aims, **options) == loss
    assert not checked
    apart = np.repeat(logits, 2, axis=1)[:, ::2]  # no longer contiguous
    wanted, wanted_grad = with_grad(apart, aims, **options)
    assert alone(apart, aims, **options) == wanted
    assert len(checked) == 2
    assert type(loss) is type(wanted) is float
    assert loss == wanted
    np.testing.assert_array_equal(grad, wanted_grad)
    assert grad.dtype == wanted_grad.dtype == dtype


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_out(checked, kind):
    with_grad = FUNCTIONS[kind][1]
    logits, index = data("float64", "indices")
    loss, grad = with_grad(logits, index)
    out = np.asfortranarray(np.empty_like(logits))
    assert with_grad(logits, index, out=out)[1] is out
    np.testing.assert_array_equal(out, grad)
    again, same = with_grad(logits, index, out=logits)
    assert again == loss
    assert same is logits
    np.testing.assert_array_equal(logits, grad)
    assert not checked


NOT_PLAIN = {
    "list": lambda z, y: (z.tolist(), y),
    "masked": lambda z, y: (np.ma.masked_array(z), y),
    "Fortran": lambda z, y: (np.asfortranarray(z), y),
    "float16": lambda z, y: (z.astype(np.float16), y),
    "other byte order": lambda z, y: (z.astype(z.dtype.newbyteorder()), y),
    "unaligned": lambda z, y: (np.frombuffer(b"x" + z.tobytes(), np.uint8)[1:].view("f8"), y),
    "int32 labels": lambda z, y: (z, y.astype(np.int32)),
    "labels apart": lambda z, y: (z, np.repeat(y, 2)[::2]),
    "narrower probabilities": lambda z, y: (z, csoftmax.softmax(z, axis=1).astype(np.float32)),
}


@pytest.mark.parametrize("case", NOT_PLAIN)
def test_what_is_not_plain_is_checked(checked, case):
    z, y = data("float64", "indices")
    wanted = csoftmax.cross_entropy(z, y)
    given, aims = NOT_PLAIN[case](z, y)
    if case == "unaligned":
        given = given.reshape(z.shape)
    loss = csoftmax.cross_entropy(given, aims)
    assert len(checked) == 1
    if "probabilities" not in case:
        assert loss == pytest.approx(wanted, rel=1e-3 if case == "float16" else 1e-14)


@pytest.mark.parametrize(
    "options",
    [
        {"weight": np.ones(C)},
        {"sample_weight": np.ones(N)},
        {"reduction": "none"},
        {"label_smoothing": np.float64(0.1)},
        {"ignore_index": 3},
    ],
    ids=lambda options: next(iter(options)),
)
def test_options_that_are_checked(checked, options):
    z, y = data("float64", "indices")
    assert np.isfinite(csoftmax.cross_entropy(z, y, **options)).all()
    assert len(checked) == 1


def test_nothing_left_is_nan(checked):
    z, y = data("float32", "indices")
    y[:] = -100
    assert np.isnan(csoftmax.cross_entropy(z, y))
    assert csoftmax.cross_entropy(z, y, reduction="sum") == 0
    assert np.isnan(csoftmax.cross_entropy(z[:0], y[:0]))
    assert len(checked) == 3


def test_too_many_classes(monkeypatch):
    for module in row_losses, targets:
        monkeypatch.setattr(module, "MAX_CLASSES", C - 1)
    for function in FUNCTIONS["cross_entropy"]:
        with pytest.raises(ValueError, match=r"^logits has shape \(37, 10\): wanted \(N, C\)"):
            function(*data("float32", "indices"))
