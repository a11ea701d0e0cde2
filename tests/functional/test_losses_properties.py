"""Losses on logits: accuracy, gradients by differences, what relates one loss to another."""

from __future__ import annotations

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from builds import needs_longdouble
from closeness import assert_allclose

import csoftmax

pytestmark = pytest.mark.usefixtures("isa")

LOSSES = ("cross_entropy", "multiclass_hinge")
REDUCTIONS = ("mean", "sum", "none")
KINDS = ("index", "ignored", "probabilities")
few = hypothesis.settings(max_examples=20)


def problem(kind, shape, dtype=np.float64):
    """Logits, target, and both kinds of weights."""
    r = np.random.default_rng(7)
    logits = (r.integers(-160, 161, shape) / 32).astype(dtype)
    target = r.integers(0, shape[1], shape[0])
    if kind == "probabilities":
        target = r.dirichlet(np.ones(shape[1]), shape[0])
    elif kind == "ignored":
        target[::3] = -100
    weights = {"weight": r.integers(1, 33, shape[1]) / 16}
    weights["sample_weight"] = r.integers(1, 33, shape[0]) / 16
    return logits, target, weights


def assert_close(got, want, dtype, k=8):
    """Equal to k units of `dtype`, of each number or of the largest."""
    tolerance = k * np.finfo(dtype).eps
    assert_allclose(got, want, rtol=tolerance, atol=tolerance * np.abs(want).max())


# --- Accuracy -------------------------------------------------------------------------------------


def plain(z, y):
    """Losses and gradient as one writes them in NumPy, in z's dtype."""
    rows = np.arange(len(z))
    d = z - z.max(axis=1, keepdims=True)
    e = np.exp(d)
    total = e.sum(axis=1, keepdims=True)
    grad = e / total
    grad[rows, y] -= 1
    return np.log(total[:, 0]) - d[rows, y], grad


def truth(z, y):
    """Losses with the digits of small ones, and softmax; in z's dtype."""
    rows = np.arange(len(z))
    d = z - z.max(axis=1, keepdims=True)
    e = np.exp(d)
    share = e / e.sum(axis=1, keepdims=True)
    e[rows, z.argmax(axis=1)] = 0
    return np.log1p(e.sum(axis=1)) - d[rows, y], share


@pytest.mark.parametrize("scale", [0.1, 3.0, 30.0])
@pytest.mark.parametrize("n_classes", [2, 3, 10, 33, 100, 1000])
@pytest.mark.parametrize(
    ("dtype", "wide"),
    [
        (np.float32, np.float64),
        pytest.param(np.float64, np.longdouble, marks=needs_longdouble),
    ],
)
def test_no_further_from_the_truth_than_numpy(dtype, wide, n_classes, scale):
    # per element 2 eps of the loss, and 5 of the softmax for the gradient, and two subnormals
    eps, least = np.finfo(dtype).eps, 2 * np.finfo(dtype).smallest_subnormal
    r = np.random.default_rng(5)
    z = (scale * r.standard_normal((64, n_classes))).astype(dtype)
    y = r.integers(0, n_classes, 64)
    y[::2] = z[::2].argmax(axis=1)  # sure ones
    exact_loss, share = truth(z.astype(wide), y)
    exact_grad = share - np.eye(n_classes)[y]
    loss, grad = csoftmax.cross_entropy_with_grad(z, y, reduction="none")
    numpy_loss, numpy_grad = plain(z, y)
    excess = np.abs(loss - exact_loss) - np.abs(numpy_loss - exact_loss)
    assert np.all(excess <= 2 * eps * exact_loss + least)
    excess = np.abs(grad - exact_grad) - np.abs(numpy_grad - exact_grad)
    assert np.all(excess <= 5 * eps * share + least)


@pytest.mark.parametrize("n_classes", [2, 3, 40])
@pytest.mark.parametrize(
    ("dtype", "low"), [(np.float64, -40), (np.float64, -700), (np.float32, -80)]
)
@pytest.mark.parametrize("at", [0, -1])
def test_the_loss_of_a_sure_row_keeps_its_digits(at, dtype, low, n_classes):
    z = np.full((1, n_classes), low, dtype)
    z[0, at] = 0
    got = csoftmax.cross_entropy(z, [at % n_classes])
    want = (n_classes - 1) * np.exp(np.float64(low))  # log1p of it: the next term is 0 in float64
    assert_allclose(got, want, rtol=4 * np.finfo(dtype).eps)


def test_a_tail_in_figures():
    for dtype, rtol in ((np.float64, 1e-15), (np.float32, 4e-7)):
        got = csoftmax.cross_entropy(np.array([[0, -40]], dtype), [0])
        assert_allclose(got, 4.248354255291589e-18, rtol=rtol)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("n_classes", [2, 40])
def test_the_largest_logits_do_not_overflow(dtype, n_classes):
    z = np.full((2, n_classes), np.finfo(dtype).min, dtype)
    z[:, 0] = 0
    z[1, 1] = np.finfo(dtype).max
    loss, grad = csoftmax.cross_entropy_with_grad(z, [0, 1], reduction="none")
    np.testing.assert_array_equal(loss, 0)
    np.testing.assert_array_equal(grad, 0)


# --- The gradient, and siblings -------------------------------------------------------------------


def differences(f, x, h=1e-6):
    """The gradient of f at x by central differences."""
    grad = np.empty_like(x)
    for at in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[at] = h
        grad[at] = (f(x + step) - f(x - step)) / (2 * h)
    return grad


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("label_smoothing", [0.0, 0.3])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LOSSES)
def test_central_differences(name, kind, label_smoothing, reduction):
    for shape in ((3, 4), (2, 17)):
        z, target, options = problem(kind, shape)
        z += np.linspace(0, 0.01, z.size).reshape(shape)  # off the hinge's corners
        options |= {"label_smoothing": label_smoothing, "reduction": reduction}
        f = getattr(csoftmax, name)
        want = differences(lambda x: np.sum(f(x, target, **options)), z)  # noqa: B023
        _, got = getattr(csoftmax, f"{name}_with_grad")(z, target, **options)
        assert_allclose(got, want, rtol=1e-6, atol=2e-8 * np.abs(want).max())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LOSSES)
def test_rows_of_the_gradient_sum_to_zero(name, kind, dtype):
    for shape in ((17, 3), (5, 40), (2, 65)):
        z, target, options = problem(kind, shape, dtype)
        _, grad = getattr(csoftmax, f"{name}_with_grad")(
            z, target, **options, label_smoothing=0.1, reduction="sum"
        )
        size = np.abs(grad).sum(axis=1)
        sums = grad.sum(axis=1, dtype=np.float64)
        assert (np.abs(sums) <= 4 * np.finfo(dtype).eps * np.maximum(size, 2)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("name", LOSSES)
def test_indices_are_one_hot_probabilities(name, label_smoothing, dtype):
    f = getattr(csoftmax, f"{name}_with_grad")
    for shape in ((17, 3), (5, 40)):
        z, target, _ = problem("index", shape, dtype)
        got = f(z, target, label_smoothing=label_smoothing)
        want = f(z, np.eye(shape[1])[target], label_smoothing=label_smoothing)
        assert_close(got[0], want[0], dtype, k=4)
        assert_close(got[1], want[1], dtype, k=4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_two_classes_are_the_logistic_loss(dtype):
    z = (5 * np.random.default_rng(1).standard_normal((50, 2))).astype(dtype)
    y = np.arange(50) % 2
    difference = (z[np.arange(50), y] - z[np.arange(50), 1 - y]).astype(np.float64)
    loss, grad = csoftmax.cross_entropy_with_grad(z, y, reduction="none")
    assert_allclose(loss, np.logaddexp(0, -difference), rtol=4 * np.finfo(dtype).eps)
    want = 1 / (1 + np.exp(difference))
    assert_allclose(grad[np.arange(50), 1 - y], want, rtol=4 * np.finfo(dtype).eps)


# --- Properties -----------------------------------------------------------------------------------


@st.composite
def problems(draw):
    """(name, logits, labels): eighths, so that adding a whole number to them is exact."""
    name = draw(st.sampled_from(LOSSES))
    shape = draw(st.integers(1, 20)), draw(st.integers(2, 40))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    r = np.random.default_rng(draw(st.integers(0, 2**32)))
    z = (r.integers(-200, 201, shape) / 8).astype(dtype)
    return name, z, r.integers(0, shape[1], shape[0])


@few
@hypothesis.given(problems(), st.integers(-1000, 1000), st.sampled_from([0.0, 0.1]))
def test_a_shift_of_a_row_changes_no_bit(drawn, shift, label_smoothing):
    name, z, y = drawn
    f = getattr(csoftmax, f"{name}_with_grad")
    shifts = shift * (1 + np.arange(len(z))[:, None]).astype(z.dtype)
    want = f(z, y, label_smoothing=label_smoothing)
    got = f(z + shifts, y, label_smoothing=label_smoothing)
    assert got[0] == want[0]
    np.testing.assert_array_equal(got[1], want[1])


@few
@hypothesis.given(problems(), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_classes_does_not_matter(drawn, random):
    name, z, y = drawn
    f = getattr(csoftmax, f"{name}_with_grad")
    loss, grad = f(z, y, reduction="none")
    rows = random.sample(range(len(z)), len(z))
    got_loss, got_grad = f(z[rows], y[rows], reduction="none")
    np.testing.assert_array_equal(got_loss, loss[rows])  # no row sees its neighbours
    np.testing.assert_array_equal(got_grad, grad[rows])
    classes = random.sample(range(z.shape[1]), z.shape[1])
    got_loss, got_grad = f(z[:, classes], np.argsort(classes)[y], reduction="none")
    assert_close(got_loss, loss, z.dtype)
    assert_close(got_grad, grad[:, classes], z.dtype)


@few
@hypothesis.given(problems(), st.sampled_from(["mean", "sum"]), st.sampled_from([0.0, 0.1]))
def test_a_repeated_row_is_a_weight_of_two(drawn, reduction, label_smoothing):
    name, z, y = drawn
    f = getattr(csoftmax, f"{name}_with_grad")
    options = {"reduction": reduction, "label_smoothing": label_smoothing}
    twice = np.r_[np.arange(len(z)), 0]
    want_loss, want_grad = f(z[twice], y[twice], **options)
    want_grad[0] += want_grad[-1]
    loss, grad = f(z, y, sample_weight=1.0 + (np.arange(len(z)) == 0), **options)
    assert_close(loss, want_loss, z.dtype)
    assert_close(grad, want_grad[:-1], z.dtype)


@few
@hypothesis.given(problems(), st.integers(0, 1000), st.booleans())
def test_smoothing_is_a_mixture(drawn, thousandths, weighted):
    name, z, y = drawn
    eps = thousandths / 1000
    f = getattr(csoftmax, f"{name}_with_grad")
    n_classes = z.shape[1]
    options = {"weight": np.arange(1, n_classes + 1) if weighted else None, "reduction": "sum"}
    hard, hard_grad = f(z, y, **options)
    even, even_grad = f(z, np.full(z.shape, 1 / n_classes), **options)
    loss, grad = f(z, y, label_smoothing=eps, **options)
    assert_close(loss, (1 - eps) * hard + eps * even, z.dtype)
    size = np.abs(hard_grad).max() + np.abs(even_grad).max()
    assert_allclose(
        grad, (1 - eps) * hard_grad + eps * even_grad, atol=8 * np.finfo(z.dtype).eps * size
    )
