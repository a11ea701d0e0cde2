"""Losses on logits: every option, shape and dtype against the reference; NaN and infinities.

Rows of fewer than two vectors are packed side by side, longer contiguous ones are taken one by one
(from 4 classes in baseline's float64 to 32 in v4's float32): shapes lie on both sides for all.
"""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pytest
from closeness import assert_allclose

import csoftmax
from csoftmax import reference

pytestmark = pytest.mark.usefixtures("isa")

INF, NAN = np.inf, np.nan
LOSSES = ("cross_entropy", "multiclass_hinge")
REDUCTIONS = ("mean", "sum", "none")
KINDS = ("index", "ignored", "ignored -7", "ignored class", "probabilities")
CLASSES = (1, 2, 3, 7, 10, 16, 17, 31, 32, 33, 64, 65, 1000)
ROWS = (1, 2, 15, 16, 17, 33)


def problem(kind, shape, dtype=np.float64, weighted=False, sampled=False):
    """Logits, target and options, of numbers that float16 holds: the same for all dtypes."""
    r = np.random.default_rng(7)
    n_rows, n_classes = shape
    logits = (r.integers(-160, 161, shape) / 32).astype(dtype)
    target = r.integers(0, n_classes, n_rows)
    options = {}
    if kind == "probabilities":
        target = r.dirichlet(np.ones(n_classes), n_rows).astype(np.float16)
    elif kind == "ignored":
        target[::3] = -100
    elif kind == "ignored -7":
        target[1::2] = -7
        options["ignore_index"] = -7
    elif kind == "ignored class":
        target[0] = 0
        options["ignore_index"] = 0
    if weighted:
        options["weight"] = r.integers(1, 33, n_classes) / 16
    if sampled:
        options["sample_weight"] = r.integers(1, 33, n_rows) / 16
    return logits, target, options


@cache
def expected(name, kind, shape, dtype, weighted, sampled, *rest):
    """What the reference says, computed once for all variants; `rest` are more options."""
    logits, target, options = problem(kind, shape, dtype, weighted, sampled)
    return getattr(reference, f"{name}_with_grad")(logits, target, **options, **dict(rest))


def result_dtype(dtype):
    return np.dtype(dtype if np.dtype(dtype).kind == "f" else np.float64)


def assert_close(got, want, dtype, k=8):
    """Equal to k units of `dtype`, of each number or of the largest."""
    eps = np.finfo(dtype).eps
    finite = np.abs(np.asarray(want)[np.isfinite(want)])
    assert_allclose(got, want, rtol=k * eps, atol=k * eps * finite.max(initial=0))


def check(name, kind, shape, dtype, weighted=False, sampled=False, order="C", **rest):
    """Compare loss, loss_with_grad and the reference."""
    logits, target, options = problem(kind, shape, dtype, weighted, sampled)
    logits = np.array(logits, order=order)
    loss = getattr(csoftmax, name)(logits, target, **options, **rest)
    same, grad = getattr(csoftmax, f"{name}_with_grad")(logits, target, **options, **rest)
    np.testing.assert_array_equal(loss, same)
    same_numbers = dtype if np.dtype(dtype).kind == "i" else np.float64
    want_loss, want_grad = expected(
        name, kind, shape, same_numbers, weighted, sampled, *rest.items()
    )
    dtype = result_dtype(dtype)
    assert_close(loss, want_loss, dtype)
    assert_close(grad, want_grad, dtype)
    if rest.get("reduction") == "none":
        assert loss.shape == shape[:1]
        assert loss.dtype == dtype
    else:
        assert isinstance(loss, float)
    assert grad.shape == shape
    assert grad.dtype == dtype


# --- Every option, every shape --------------------------------------------------------------------


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int16])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LOSSES)
def test_every_option(name, kind, dtype, label_smoothing, reduction):
    options = {"label_smoothing": label_smoothing, "reduction": reduction}
    for weighted, sampled in itertools.product((False, True), repeat=2):
        for shape in ((19, 7), (3, 33)):
            check(name, kind, shape, dtype, weighted, sampled, **options)


@pytest.mark.parametrize("n_classes", CLASSES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LOSSES)
def test_shapes(name, dtype, n_classes):
    slow = name == "multiclass_hinge" and n_classes > 100  # C**2 for each row
    for n_rows in (2,) if slow else ROWS:
        for kind, eps, order in itertools.product(("index", "probabilities"), (0.0, 0.1), "CF"):
            check(name, kind, (n_rows, n_classes), dtype, order=order, label_smoothing=eps)


@pytest.mark.parametrize("delta", [0, 1, 2.5, -1.0])
@pytest.mark.parametrize("kind", KINDS)
def test_delta(kind, delta):
    for dtype, shape in itertools.product((np.float32, np.float64), ((17, 3), (3, 40))):
        check("multiclass_hinge", kind, shape, dtype, True, True, delta=delta)


def test_delta_and_weight_are_third_arguments():
    logits, target, options = problem("index", (4, 3), weighted=True)
    weight = options["weight"]
    assert csoftmax.cross_entropy(logits, target, weight) == csoftmax.cross_entropy(
        logits, target, weight=weight
    )
    assert csoftmax.multiclass_hinge(logits, target, 2.5) == csoftmax.multiclass_hinge(
        logits, target, delta=2.5
    )


def test_documented_examples():
    hinge = csoftmax.multiclass_hinge([[3.2, 5.1, -1.7], [1.3, 4.9, 2.0]], [0, 1], reduction="none")
    assert_allclose(hinge, [2.9, 0.0], rtol=1e-15)
    assert csoftmax.cross_entropy([[0.0] * 10], [3]) == pytest.approx(np.log(10), rel=1e-15)


# --- NaN, infinities, nothing to average ----------------------------------------------------------


def padded(row, n_classes):
    """A row of that many classes, without a new maximum of its own where it has an infinite one."""
    return np.array([row + [-1.0] * (n_classes - len(row))])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_classes", [3, 40])
@pytest.mark.parametrize(
    ("row", "target", "label_smoothing", "want"),
    [
        ([INF, 0.0, 1.0], 0, 0.0, NAN),
        ([INF, 0.0, 1.0], 1, 0.0, NAN),
        ([NAN, 0.0, 1.0], 0, 0.0, NAN),
        ([0.0, 1.0, NAN], 0, 0.0, NAN),
        ([-INF, 0.0, 1.0], 0, 0.0, INF),
        ([-INF, 0.0, 1.0], 0, 0.1, INF),
        ([-INF, 0.0, 1.0], 1, 0.1, INF),
        ([-INF, 0.0, 1.0], [0.0, 0.5, 0.5], 0.0, NAN),
        ([-INF, 0.0, 1.0], [0.5, 0.0, 0.5], 0.0, INF),
    ],
)
def test_special_rows(row, target, label_smoothing, want, n_classes, dtype):
    z = padded(row, n_classes).astype(dtype)
    t = padded(target, n_classes).clip(0) if isinstance(target, list) else [target]
    other = np.full_like(z, 0.5)  # a neighbour in the packed strip
    for order in "CF":
        both = np.array(np.vstack([other, z, other]), order=order)
        losses, grad = csoftmax.cross_entropy_with_grad(
            both, np.repeat(t, 3, axis=0), label_smoothing=label_smoothing, reduction="none"
        )
        np.testing.assert_array_equal(losses[1], want)
        assert np.isfinite(losses[[0, 2]]).all()
        assert np.isfinite(grad[[0, 2]]).all()


@pytest.mark.parametrize("n_classes", [3, 40])
def test_minus_infinity_in_other_classes_is_harmless(n_classes):
    z = padded([2.0, -INF, 1.0], n_classes)
    z[:, 3:] = -INF
    loss, grad = csoftmax.cross_entropy_with_grad(z, [0])
    assert_close(loss, np.log1p(np.exp(-1)), np.float64)
    p = 1 / (1 + np.exp(-1))
    assert_close(grad, padded([p - 1, 0.0, 1 - p], n_classes).clip(p - 1) * (z > -INF), np.float64)


@pytest.mark.parametrize("n_classes", [3, 40])
@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_special_values_in_an_ignored_row(label_smoothing, bad, n_classes):
    z = padded([1.0, 2.0, 0.5], n_classes)
    both = np.vstack([z, z])
    both[0, 1] = bad
    options = {"label_smoothing": label_smoothing}
    loss, grad = csoftmax.cross_entropy_with_grad(both, [-100, 0], **options)
    want_loss, want_grad = csoftmax.cross_entropy_with_grad(z, [0], **options)
    assert loss == want_loss
    np.testing.assert_array_equal(grad[1:], want_grad)
    np.testing.assert_array_equal(grad[0], 0.0 if bad == -INF else NAN)


@pytest.mark.parametrize("n_classes", [3, 40])
@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize("kind", ["index", "probabilities"])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_special_values_in_the_hinge(label_smoothing, kind, bad, n_classes):
    for at, target in itertools.product((0, 1, 2), (0, 1)):
        z = padded([1.0, 2.0, 0.5], n_classes)
        z[0, at] = bad
        t = [target] if kind == "index" else np.eye(n_classes)[[target]] / 2
        for dtype in (np.float32, np.float64):
            got = csoftmax.multiclass_hinge_with_grad(
                z.astype(dtype), t, label_smoothing=label_smoothing
            )
            want = reference.multiclass_hinge_with_grad(z, t, label_smoothing=label_smoothing)
            assert_close(got[0], want[0], dtype)
            assert_close(got[1], want[1], dtype)


@pytest.mark.parametrize("n_classes", [3, 40])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_an_ignored_row_of_the_hinge_has_no_gradient(label_smoothing, n_classes):
    z = np.vstack([padded([1.0, 2.0, 0.5], n_classes)] * 3)
    z[1, 1] = NAN
    z[2, :2] = INF
    for target, total in (([0, -100, -100], None), ([-100] * 3, 0.0)):
        loss, grad = csoftmax.multiclass_hinge_with_grad(
            z, target, label_smoothing=label_smoothing, reduction="sum"
        )
        if total is None:
            total = csoftmax.multiclass_hinge(z[0], 0, label_smoothing=label_smoothing)
        assert loss == total
        np.testing.assert_array_equal(grad[1:], 0)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("shape", [(5, 3), (2, 40)])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_all_rows_ignored(name, shape, label_smoothing):
    target = [-100] * shape[0]
    wanted = {"mean": NAN, "sum": 0.0, "none": np.zeros(shape[0])}
    for reduction, want in wanted.items():
        for weight in (None, np.ones(shape[1])):
            loss, grad = getattr(csoftmax, f"{name}_with_grad")(
                np.ones(shape),
                target,
                weight=weight,
                reduction=reduction,
                label_smoothing=label_smoothing,
            )
            np.testing.assert_array_equal(loss, want)
            np.testing.assert_array_equal(grad, np.zeros(shape))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int8])
@pytest.mark.parametrize("target", [np.zeros(0, int), [], np.zeros((0, 3))])
def test_no_rows(name, dtype, target):
    logits = np.zeros((0, 3), dtype)
    for reduction, want in {"mean": NAN, "sum": 0.0, "none": np.zeros(0)}.items():
        for sample_weight in (None, []):
            loss, grad = getattr(csoftmax, f"{name}_with_grad")(
                logits, target, reduction=reduction, sample_weight=sample_weight
            )
            np.testing.assert_array_equal(loss, want)
            assert grad.shape == (0, 3)
            assert grad.dtype == result_dtype(dtype)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("n_classes", [3, 40])
def test_rows_of_no_weight(name, n_classes):
    f = getattr(csoftmax, f"{name}_with_grad")
    z = np.random.default_rng(0).standard_normal((3, n_classes))
    for options in (
        {"sample_weight": [1, 0, 2.0]},
        {"weight": np.r_[1.0, 0.0, np.ones(n_classes - 2)]},
    ):
        for reduction in ("mean", "sum"):
            loss, grad = f(z, [0, 1, 2], **options, reduction=reduction)
            kept = {k: v if k == "weight" else [1, 2.0] for k, v in options.items()}
            want_loss, want_grad = f(z[[0, 2]], [0, 2], **kept, reduction=reduction)
            assert_close(loss, want_loss, np.float64)
            np.testing.assert_array_equal(grad[1], 0)
            np.testing.assert_array_equal(grad[[0, 2]], want_grad)
    for options in ({"sample_weight": np.zeros(3)}, {"weight": np.zeros(n_classes)}):
        loss, grad = f(z, [0, 1, 2], **options)  # 0 / 0
        assert np.isnan(loss)
        assert np.isnan(grad).all()
        loss, grad = f(z, [0, 1, 2], **options, reduction="sum")
        assert loss == 0
        assert (grad == 0).all()


def test_infinite_losses_are_silent():
    # pytest turns a warning into an error
    for order in "CF":
        z = np.array([[-INF, 0.0], [1.0, 2.0]], order=order)
        loss, grad = csoftmax.cross_entropy_with_grad(z, [0, 1], reduction="none")
        np.testing.assert_array_equal(loss, [INF, np.log1p(np.exp(-1))])
        assert np.isfinite(grad).all()
        loss = csoftmax.cross_entropy(z, [0, 1], sample_weight=[0, 1], reduction="none")
        assert np.isnan(loss[0])  # 0 * inf
    loss = csoftmax.cross_entropy(np.float16([[6e4, -6e4]]), [1], reduction="none")
    np.testing.assert_array_equal(loss, [INF])  # 1.2e5 is past float16
