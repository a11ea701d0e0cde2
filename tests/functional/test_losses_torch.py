"""Losses on logits against PyTorch and its autograd, wherever PyTorch has the option."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pytest
from closeness import assert_allclose

import csoftmax

torch = pytest.importorskip("torch", reason="PyTorch is the authority here; it is an extra")

pytestmark = pytest.mark.usefixtures("isa")

INF, NAN = np.inf, np.nan
REDUCTIONS = ("mean", "sum", "none")
KINDS = {
    "index": {},
    "ignored": {},
    "ignored -7": {"ignore_index": -7},
    "ignored class": {"ignore_index": 0},
    "probabilities": {},
}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """PyTorch's threads wait for each other longer than these small problems take."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def problem(kind, shape, weighted=False, sampled=False):
    """Logits, target and options, of numbers that float16 holds: the same for all dtypes."""
    r = np.random.default_rng(11)
    n_rows, n_classes = shape
    logits = r.integers(-160, 161, shape) / 32
    target = r.integers(0, n_classes, n_rows)
    options = dict(KINDS[kind])
    if kind == "probabilities":
        target = r.dirichlet(np.ones(n_classes), n_rows).astype(np.float16)
    elif kind.startswith("ignored"):
        target[1::3] = options.get("ignore_index", -100)
    if weighted:
        options["weight"] = r.integers(1, 33, n_classes) / 16
    if sampled:
        options["sample_weight"] = r.integers(1, 33, n_rows) / 16
    return logits, target, options


def row_shares(target, weight, ignore_index):
    """What each row counts for in a mean."""
    if target.ndim == 2:
        return np.ones(len(target))
    counts = target != ignore_index
    return counts * (1.0 if weight is None else np.asarray(weight)[np.where(counts, target, 0)])


def torch_cross_entropy(
    logits,
    target,
    weight=None,
    *,
    sample_weight=None,
    ignore_index=-100,
    reduction="mean",
    label_smoothing=0.0,
):
    """Loss and gradient; PyTorch has no sample_weight, so that its rows are weighted by hand."""
    z = torch.tensor(logits, requires_grad=True)
    t = torch.tensor(target, dtype=z.dtype if target.ndim == 2 else torch.int64)
    loss = torch.nn.functional.cross_entropy(
        z,
        t,
        None if weight is None else torch.tensor(weight, dtype=z.dtype),
        ignore_index=ignore_index,
        reduction=reduction if sample_weight is None else "none",
        label_smoothing=label_smoothing,
    )
    if sample_weight is not None:
        loss = loss * torch.tensor(sample_weight, dtype=z.dtype)
        if reduction != "none":
            loss = loss.sum()
        if reduction == "mean":
            loss = loss / (sample_weight * row_shares(target, weight, ignore_index)).sum()
    loss.sum().backward()
    return loss.detach().numpy(), z.grad.numpy()


@cache
def hinge_expected(shape, delta, weighted, reduction):
    """PyTorch divides the loss by C, and by N for the mean, whatever the weights."""
    scores, target, options = problem("index", shape, weighted)
    weight = options.get("weight")
    z = torch.tensor(scores, requires_grad=True)
    loss = scores.shape[1] * torch.nn.functional.multi_margin_loss(
        z,
        torch.tensor(target),
        margin=delta,
        weight=None if weight is None else torch.tensor(weight, dtype=z.dtype),
        reduction=reduction,
    )
    if reduction == "mean" and weight is not None:
        loss = loss * len(target) / weight[target].sum()
    loss.sum().backward()
    return loss.detach().numpy(), z.grad.numpy()


@cache
def expected(kind, shape, weighted, sampled, label_smoothing, reduction, whole):
    logits, target, options = problem(kind, shape, weighted, sampled)
    logits = np.trunc(logits) if whole else logits
    return torch_cross_entropy(
        logits, target, **options, label_smoothing=label_smoothing, reduction=reduction
    )


def assert_close(got, want, dtype, k=8):
    tolerance = k * np.finfo(dtype).eps
    finite = np.abs(want[np.isfinite(want)])
    assert_allclose(got, want, rtol=tolerance, atol=tolerance * finite.max(initial=0))


# --- Every option ---------------------------------------------------------------------------------


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32])
@pytest.mark.parametrize("kind", KINDS)
def test_every_option(kind, dtype, label_smoothing, reduction):
    options = {"label_smoothing": label_smoothing, "reduction": reduction}
    whole = dtype == np.int32
    result_dtype = np.float64 if whole else dtype
    for weighted, sampled in itertools.product((False, True), repeat=2):
        for shape in ((19, 7), (5, 33)):
            logits, target, more = problem(kind, shape, weighted, sampled)
            loss, grad = csoftmax.cross_entropy_with_grad(
                logits.astype(dtype), target, **more, **options
            )
            want_loss, want_grad = expected(
                kind, shape, weighted, sampled, label_smoothing, reduction, whole
            )
            assert_close(loss, want_loss, result_dtype)
            assert_close(grad, want_grad, result_dtype)
            assert loss == pytest.approx(
                csoftmax.cross_entropy(logits.astype(dtype), target, **more, **options), rel=0
            )


@pytest.mark.parametrize("n_classes", [1, 2, 3, 7, 10, 16, 17, 31, 32, 33, 64, 65, 1000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["index", "probabilities"])
def test_shapes(kind, dtype, n_classes):
    for n_rows, label_smoothing in itertools.product((1, 2, 16, 33), (0.0, 0.1)):
        logits, target, _ = problem(kind, (n_rows, n_classes))
        got = csoftmax.cross_entropy_with_grad(
            logits.astype(dtype), target, label_smoothing=label_smoothing
        )
        want = expected(kind, (n_rows, n_classes), False, False, label_smoothing, "mean", False)
        assert_close(got[0], want[0], dtype)
        assert_close(got[1], want[1], dtype)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("delta", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_hinge(dtype, delta, weighted, reduction):
    for shape in itertools.product((1, 5, 17), (2, 3, 10, 17, 31, 33, 65)):
        scores, target, options = problem("index", shape, weighted)
        got = csoftmax.multiclass_hinge_with_grad(
            scores.astype(dtype), target, delta, **options, reduction=reduction
        )
        want = hinge_expected(shape, delta, weighted, reduction)
        assert_close(got[0], want[0], dtype)
        assert_close(got[1], want[1], dtype)


def test_one_row():
    z = np.array([1.0, -2.0, 0.5])
    for target in (np.array(2), np.array([0.2, 0.3, 0.5])):
        for reduction in REDUCTIONS:
            x = torch.tensor(z, requires_grad=True)
            want = torch.nn.functional.cross_entropy(x, torch.tensor(target), reduction=reduction)
            want.backward()
            loss, grad = csoftmax.cross_entropy_with_grad(z, target, reduction=reduction)
            assert loss == pytest.approx(want.item(), rel=1e-15)
            assert_close(grad, x.grad.numpy(), np.float64)


# --- NaN, infinities, nothing to average ----------------------------------------------------------

SPECIAL = [
    [INF, 0.0, 1.0],
    [INF, INF, -INF],
    [-INF, 0.0, 1.0],
    [1.0, -INF, -INF],
    [NAN, 0.0, 1.0],
    [0.0, 1.0, NAN],
    [NAN, INF, -INF],
    [-INF, -INF, -INF],
]
TARGETS = {
    "the first": 0,
    "another": 1,
    "the last": -1,
    "ignored": -100,
    "probabilities": [0.5, 0.25, 0.25],
    "a probability of 0": [0.0, 1.0, 0.0],
}


def widened(row, n_classes):
    """More classes of the last value, so that a row of -inf alone stays one."""
    return np.array(row + row[-1:] * (n_classes - 3))


def special_problem(row, target, n_classes, dtype):
    """The row between two ordinary ones, which share its packed strip."""
    z = np.linspace(-3, 3, 3 * n_classes).reshape(3, n_classes).astype(dtype)
    z[1] = widened(SPECIAL[row], n_classes)
    aim = TARGETS[target]
    if isinstance(aim, list):
        t = np.full((3, n_classes), 1 / n_classes)
        t[1] = 0
        t[1, :3] = aim
        return z, t
    return z, np.array([0, aim if aim in (0, 1, -100) else n_classes - 1, 1])


@cache
def special_expected(row, target, n_classes, dtype, weighted, label_smoothing):
    z, t = special_problem(row, target, n_classes, dtype)
    weight = special_weight(n_classes) if weighted else None
    return torch_cross_entropy(z, t, weight, label_smoothing=label_smoothing, reduction="none")


def special_weight(n_classes):
    return np.array([1.0, 0.0, 2.0])[np.arange(n_classes) % 3]


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("row", range(len(SPECIAL)), ids=map(str, SPECIAL))
def test_nan_and_infinities(row, target, label_smoothing):
    for n_classes, dtype, weighted in itertools.product(
        (3, 40), (np.float32, np.float64), (False, True)
    ):
        z, t = special_problem(row, target, n_classes, dtype)
        want = special_expected(row, target, n_classes, dtype, weighted, label_smoothing)
        for order in "CF":
            loss, grad = csoftmax.cross_entropy_with_grad(
                np.array(z, order=order),
                t,
                special_weight(n_classes) if weighted else None,
                label_smoothing=label_smoothing,
                reduction="none",
            )
            tolerance = 16 * np.finfo(dtype).eps
            assert_allclose(loss, want[0], rtol=tolerance, atol=tolerance)
            assert_allclose(grad, want[1], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(5, 3), (3, 40)])
def test_nothing_to_average(shape, reduction, label_smoothing):
    z, y, _ = problem("index", shape)
    options = {"reduction": reduction, "label_smoothing": label_smoothing}
    for target, weight in (
        (np.full(shape[0], -100), None),
        (np.full(shape[0], -100), np.ones(shape[1])),
        (y, np.zeros(shape[1])),
    ):
        want = torch_cross_entropy(z, target, weight, **options)
        got = csoftmax.cross_entropy_with_grad(z, target, weight, **options)
        assert_close(got[0], want[0], np.float64)
        assert_close(got[1], want[1], np.float64)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 1.0])
def test_rows_of_weightless_classes_alone(label_smoothing):
    # the smoothing gives the row a loss, but the mean divides it by 0
    for n_classes in (3, 40):
        z = np.linspace(-3, 3, 2 * n_classes).reshape(2, n_classes)
        weight = np.r_[0.0, np.ones(n_classes - 1)]
        target = np.array([0, -100])
        want = torch_cross_entropy(z, target, weight, label_smoothing=label_smoothing)
        got = csoftmax.cross_entropy_with_grad(z, target, weight, label_smoothing=label_smoothing)
        np.testing.assert_array_equal(got[0], want[0])
        np.testing.assert_array_equal(got[1], want[1])


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("target", [np.zeros(0, int), np.zeros((0, 3))])
def test_no_rows(target, reduction):
    z = np.zeros((0, 3))
    for label_smoothing in (0.0, 0.1):
        options = {"reduction": reduction, "label_smoothing": label_smoothing}
        want = torch_cross_entropy(z, target, **options)
        got = csoftmax.cross_entropy_with_grad(z, target, **options)
        np.testing.assert_array_equal(got[0], want[0])
        np.testing.assert_array_equal(got[1], want[1])
