"""The oracle against SciPy, PyTorch, central differences and itself."""

import itertools

import numpy as np
import pytest

from csoftmax import reference

INF, NAN = np.inf, np.nan
STAGES = ("naive", "half_vectorized", "vectorized")
LOSSES = ("cross_entropy", "multiclass_hinge")
LINEAR = ("softmax_loss", "svm_loss")
# Every option of a loss on logits: index or probability target, and the rest on or off.
OPTIONS = list(
    itertools.product(
        ("index", "ignored", "probability"),
        (False, True),  # weight
        (False, True),  # sample_weight
        (0.0, 0.1, 1.0),  # label_smoothing
        ("none", "sum", "mean"),
    )
)


def problem(kind, weighted, sample_weighted, smoothing, reduction, n_rows=6, n_classes=4):
    """Return logits, target and keyword arguments of one combination of the options."""
    r = np.random.default_rng(7)
    logits = 2 * r.standard_normal((n_rows, n_classes))
    target = r.integers(0, n_classes, n_rows)
    kwargs = {"label_smoothing": smoothing, "reduction": reduction}
    if kind == "ignored":
        target[[1, 4]] = -100
    if kind == "probability":
        target = r.dirichlet(np.ones(n_classes), n_rows)
    if weighted:
        kwargs["weight"] = r.uniform(0.5, 2, n_classes)
    if sample_weighted:
        kwargs["sample_weight"] = r.uniform(0.5, 2, n_rows)
    return logits, target, kwargs


def differences(f, x, h=1e-6):
    """Return the gradient of f at x by central differences, one entry after the other."""
    grad = np.empty_like(x)
    for index in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[index] = h
        grad[index] = (f(x + step) - f(x - step)) / (2 * h)
    return grad


def linear_problem(n_rows=7, n_features=5, n_classes=4):
    r = np.random.default_rng(3)
    W, X = r.standard_normal((n_features, n_classes)), r.standard_normal((n_rows, n_features))
    return W, X, r.integers(0, n_classes, n_rows)


# --- The three stages -----------------------------------------------------------------------------


@pytest.mark.parametrize("reg", [0.0, 0.3])
@pytest.mark.parametrize("n_rows", [1, 7])
@pytest.mark.parametrize("loss", LINEAR)
def test_stages_agree_with_each_other_and_the_general_form(loss, n_rows, reg):
    W, X, y = linear_problem(n_rows)
    want_loss, want_grad = getattr(reference, loss)(W, X, y, reg)
    for stage in STAGES:
        got_loss, got_grad = getattr(reference, f"{loss}_{stage}")(W, X, y, reg)
        np.testing.assert_allclose(got_loss, want_loss, rtol=1e-14)
        np.testing.assert_allclose(got_grad, want_grad, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("loss", LINEAR)
def test_stages_match_central_differences(loss, stage):
    W, X, y = linear_problem()
    f = getattr(reference, f"{loss}_{stage}")
    want = differences(lambda w: f(w, X, y, 0.3)[0], W)
    np.testing.assert_allclose(f(W, X, y, 0.3)[1], want, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("stage", STAGES)
def test_stages_at_zero_weights_have_the_loss_of_chance(stage):
    _, X, y = linear_problem()
    W = np.zeros((5, 10))
    assert getattr(reference, f"softmax_loss_{stage}")(W, X, y, 1.0)[0] == pytest.approx(np.log(10))
    assert getattr(reference, f"svm_loss_{stage}")(W, X, y, 1.0)[0] == pytest.approx(9)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("loss", LINEAR)
def test_stages_pass_nan_on_and_leave_their_input_alone(loss, stage):
    W, X, y = linear_problem()
    W[2, 1] = NAN
    before = [a.copy() for a in (W, X, y)]
    got_loss, got_grad = getattr(reference, f"{loss}_{stage}")(W, X, y, 0.0)
    assert np.isnan(got_loss)
    assert np.isnan(got_grad[:, 1]).all()
    for a, copy in zip((W, X, y), before, strict=True):
        np.testing.assert_array_equal(a, copy)


@pytest.mark.parametrize("stage", [*STAGES, ""])
@pytest.mark.parametrize("loss", LINEAR)
def test_bad_labels_and_no_rows_are_refused(loss, stage):
    W, X, y = linear_problem()
    f = getattr(reference, f"{loss}_{stage}".rstrip("_"))
    y[3] = 4
    with pytest.raises(ValueError, match=r"y\[3\] is 4: wanted labels in 0\.\.3"):
        f(W, X, y, 0.0)
    y[3] = -1
    with pytest.raises(ValueError, match=r"y\[3\] is -1"):
        f(W, X, y, 0.0)
    with pytest.raises(ValueError, match="X has no rows"):
        f(W, X[:0], y[:0], 0.0)


# --- Rows of logits -------------------------------------------------------------------------------

ROWS = [
    [0.0, 1.0, -2.0],
    [1000.0, 1000.0, 999.0],
    [-1000.0, -2000.0, -1000.0],
    [1e308, -1e308, 0.0],
    [INF, 0.0, 1.0],
    [INF, INF, -INF],
    [-INF, 0.0, 1.0],
    [-INF, -INF, -INF],
    [NAN, 0.0, 1.0],
    [0.0, NAN, INF],
    [0.0, 1.0, NAN],
    [5.0],
]
ARRAYS = [
    (np.arange(24.0).reshape(2, 3, 4) / 3, axis)
    for axis in (None, 0, 1, -1, (0, 1), (-1, 0), (0, 1, 2), ())
]
ARRAYS += [(np.array(row), axis) for row in ROWS for axis in (None, 0, -1)]
ARRAYS += [(np.float64(3.0), None), (np.arange(5), 0), (np.arange(6, dtype=">f4"), None)]
ARRAYS += [(np.zeros(shape), axis) for shape, axis in (((0, 3), 1), ((3, 0, 2), 0))]


@pytest.mark.parametrize(("x", "axis"), ARRAYS)
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_row_functions_are_scipys(name, x, axis):
    special = pytest.importorskip("scipy.special", reason="SciPy is the authority here")
    with np.errstate(all="ignore"):
        want = getattr(special, name)(x.astype(np.float64), axis=axis)
        want_shape = special.logsumexp(x, axis=axis, keepdims=True).shape
    got = getattr(reference, name)(x, axis=axis)
    np.testing.assert_allclose(got, want, rtol=1e-14, atol=1e-300)
    assert np.shape(got) == np.shape(want)
    assert type(got) is type(want)
    assert got.dtype == np.float64
    assert reference.logsumexp(x, axis=axis, keepdims=True).shape == want_shape


def test_empty_reductions():
    np.testing.assert_array_equal(reference.logsumexp(np.zeros((2, 0)), axis=1), [-INF, -INF])
    assert reference.logsumexp(np.zeros((0, 3))) == -INF
    for name in ("softmax", "log_softmax"):
        with pytest.raises(ValueError, match="zero-size"):
            getattr(reference, name)(np.zeros((2, 0)), axis=1)


def test_tiny_tails_are_kept():
    # log(1 + e**-50) is e**-50 to 22 digits, where log(sum) alone would give 0.
    assert reference.logsumexp([0.0, -50.0]) == np.exp(-50.0)
    assert reference.log_softmax([0.0, -50.0])[0] == -np.exp(-50.0)
    assert reference.cross_entropy([[1000.0, 950.0]], [0]) == np.exp(-50.0)


def test_jacobian_matches_central_differences():
    z = np.random.default_rng(0).standard_normal(6)
    J = reference.softmax_jacobian(z)
    want = [differences(lambda z, c=c: reference.softmax(z)[c], z) for c in range(6)]
    np.testing.assert_allclose(J, want, rtol=1e-7, atol=1e-10)
    np.testing.assert_array_equal(J, J.T)
    np.testing.assert_allclose(J.sum(axis=0), 0, atol=1e-16)


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 2)])
def test_softmax_backward_matches_central_differences(axis):
    z, g = np.random.default_rng(1).standard_normal((2, 2, 3, 4))
    want = differences(lambda z: np.sum(g * reference.softmax(z, axis)), z)
    got = reference.softmax_backward(g, reference.softmax(z, axis), axis)
    np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-9)


def test_softmax_backward_is_the_jacobian_times_the_gradient():
    z, g = np.random.default_rng(2).standard_normal((2, 5))
    got = reference.softmax_backward(g, reference.softmax(z))
    np.testing.assert_allclose(got, reference.softmax_jacobian(z) @ g, rtol=1e-14, atol=1e-16)


# --- Losses on logits -----------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "weighted", "sampled", "smoothing", "reduction"), OPTIONS)
def test_cross_entropy_is_pytorchs(kind, weighted, sampled, smoothing, reduction):
    torch = pytest.importorskip("torch", reason="PyTorch is the authority here")
    logits, target, kwargs = problem(kind, weighted, sampled, smoothing, reduction)
    z = torch.tensor(logits, requires_grad=True)
    weight = torch.tensor(kwargs["weight"]) if weighted else None
    loss = torch.nn.functional.cross_entropy(
        z,
        torch.tensor(target),
        weight,
        label_smoothing=smoothing,
        reduction="none" if sampled else reduction,
    )
    if sampled:
        s = torch.tensor(kwargs["sample_weight"])
        v = np.ones(len(s))
        if kind != "probability":
            v = kwargs.get("weight", np.ones(4))[np.maximum(target, 0)] * (target != -100)
        loss = loss * s
        if reduction != "none":
            loss = loss.sum() / (1 if reduction == "sum" else (s * torch.tensor(v)).sum())
    loss.sum().backward()
    got_loss, got_grad = reference.cross_entropy_with_grad(logits, target, **kwargs)
    np.testing.assert_allclose(got_loss, loss.detach().numpy(), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(got_grad, z.grad.numpy(), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_hinge_is_classes_times_pytorchs(weighted, reduction):
    torch = pytest.importorskip("torch", reason="PyTorch is the authority here")
    scores, target, kwargs = problem("index", weighted, False, 0.0, reduction)
    z = torch.tensor(scores, requires_grad=True)
    weight = torch.tensor(kwargs["weight"]) if weighted else None
    # PyTorch divides each row by C, and takes the plain mean over rows whatever the class weights.
    loss = 4 * torch.nn.functional.multi_margin_loss(
        z, torch.tensor(target), margin=0.7, weight=weight, reduction=reduction
    )
    if weighted and reduction == "mean":
        loss = loss * len(target) / kwargs["weight"][target].sum()
    loss.sum().backward()
    got_loss, got_grad = reference.multiclass_hinge_with_grad(scores, target, 0.7, **kwargs)
    np.testing.assert_allclose(got_loss, loss.detach().numpy(), rtol=1e-13)
    np.testing.assert_allclose(got_grad, z.grad.numpy(), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize(("kind", "weighted", "sampled", "smoothing", "reduction"), OPTIONS)
def test_hinge_is_its_definition_term_by_term(kind, weighted, sampled, smoothing, reduction):
    scores, target, kwargs = problem(kind, weighted, sampled, smoothing, reduction)
    weight = kwargs.get("weight", np.ones(4))
    losses, norm = np.zeros(6), 0.0
    for i, k, c in np.ndindex(6, 4, 4):
        if kind == "probability":
            u = ((1 - smoothing) * target[i, k] + smoothing / 4) * weight[k]
        elif target[i] == -100:
            u = 0.0
        else:
            u = (1 - smoothing) * weight[k] * (target[i] == k) + smoothing / 4 * weight[k]
        if c != k:
            losses[i] += u * max(0.0, scores[i, c] - scores[i, k] + 1)
    s = kwargs.get("sample_weight", np.ones(6))
    for i in range(6):
        if kind == "probability":
            norm += s[i]
        elif target[i] != -100:
            norm += s[i] * weight[target[i]]
    losses *= s
    want = {"none": losses, "sum": losses.sum(), "mean": losses.sum() / norm}[reduction]
    np.testing.assert_allclose(
        reference.multiclass_hinge(scores, target, **kwargs), want, rtol=1e-13, atol=1e-15
    )


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("kind", "weighted", "sampled", "smoothing", "reduction"), OPTIONS)
def test_gradients_match_central_differences(loss, kind, weighted, sampled, smoothing, reduction):
    logits, target, kwargs = problem(kind, weighted, sampled, smoothing, reduction)
    f = getattr(reference, loss)
    want = differences(lambda z: np.sum(f(z, target, **kwargs)), logits)
    got_loss, got = getattr(reference, f"{loss}_with_grad")(logits, target, **kwargs)
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-8)
    np.testing.assert_array_equal(got_loss, f(logits, target, **kwargs))
    np.testing.assert_allclose(got.sum(axis=1), 0, atol=1e-14)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("kind", ["index", "probability"])
def test_one_row_of_logits(loss, reduction, kind):
    f = getattr(reference, f"{loss}_with_grad")
    logits, target, _ = problem(kind, False, False, 0.0, reduction)
    got_loss, got_grad = f(logits[0], target[0], reduction=reduction)
    want_loss, want_grad = f(logits[:1], target[:1], reduction=reduction)
    assert np.ndim(got_loss) == 0
    assert got_loss == np.squeeze(want_loss)
    np.testing.assert_array_equal(got_grad, want_grad[0])


@pytest.mark.parametrize("loss", LOSSES)
def test_one_hot_probabilities_are_indices(loss):
    f = getattr(reference, f"{loss}_with_grad")
    logits, target, _ = problem("index", False, False, 0.0, "mean")
    for smoothing in (0.0, 0.2):
        got = f(logits, np.eye(4)[target], label_smoothing=smoothing)
        want = f(logits, target, label_smoothing=smoothing)
        np.testing.assert_allclose(got[0], want[0], rtol=1e-14)
        np.testing.assert_allclose(got[1], want[1], rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("loss", LOSSES)
def test_ignored_rows_count_for_nothing(loss, smoothing):
    f = getattr(reference, f"{loss}_with_grad")
    logits = np.array([[3.0, 1.0, 2.0], [0.5, 1.0, 0.0]])
    got_loss, got_grad = f(logits, [2, 1], ignore_index=2, label_smoothing=smoothing)
    want_loss, want_grad = f(logits[1:], [1], label_smoothing=smoothing)
    assert got_loss == want_loss
    np.testing.assert_array_equal(got_grad, [[0, 0, 0], want_grad[0]])
    all_ignored = f(logits, [-100, -100], label_smoothing=smoothing)
    assert np.isnan(all_ignored[0])
    np.testing.assert_array_equal(all_ignored[1], np.zeros((2, 3)))


def test_ignore_index_beside_probabilities_is_refused():
    with pytest.raises(ValueError, match="ignore_index is 1, but target has probabilities"):
        reference.cross_entropy([[0.0, 1.0]], [[0.5, 0.5]], ignore_index=1)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("label", [0, 1, 2, -100])
@pytest.mark.parametrize("row", [row for row in ROWS if len(row) == 3])
def test_special_values_are_pytorchs(row, label, smoothing):
    torch = pytest.importorskip("torch", reason="PyTorch is the authority here")
    z = torch.tensor([row, [0.0, 1.0, 2.0]], dtype=torch.float64, requires_grad=True)
    options = {"reduction": "sum", "label_smoothing": smoothing}
    loss = torch.nn.functional.cross_entropy(z, torch.tensor([label, 0]), **options)
    loss.backward()
    got_loss, got_grad = reference.cross_entropy_with_grad([row, [0, 1, 2]], [label, 0], **options)
    np.testing.assert_allclose(got_loss, loss.item(), rtol=1e-14)
    np.testing.assert_allclose(got_grad, z.grad.numpy(), rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("label", [0, 1, 2])
def test_nan_reaches_the_loss(at, label):
    logits = np.zeros((1, 3))
    logits[0, at] = NAN
    for loss in LOSSES:
        got_loss, got_grad = getattr(reference, f"{loss}_with_grad")(logits, [label])
        assert np.isnan(got_loss)
        assert np.isnan(got_grad[0, at])


# --- Linear losses --------------------------------------------------------------------------------


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("loss", LINEAR)
def test_linear_options_are_what_they_stand_for(loss, smoothing, soft):
    f = getattr(reference, loss)
    W, X, y = linear_problem()
    r = np.random.default_rng(5)
    if soft:
        y = r.dirichlet(np.ones(4), 7)
    b, s, shift, scale = (r.uniform(0.5, 2, n) for n in (4, 7, 5, 5))
    rows = np.array([0, 3, 3, -1])
    options = {"sample_weight": s, "rows": rows, "shift": shift, "scale": scale}
    got = f(W, X, y, 0.3, bias=b, label_smoothing=smoothing, **options)
    made = (X[rows] - shift) * scale
    logit_loss = "cross_entropy" if loss == "softmax_loss" else "multiclass_hinge"
    want_loss, dZ = getattr(reference, f"{logit_loss}_with_grad")(
        made @ W + b, y[rows], sample_weight=s[rows], label_smoothing=smoothing
    )
    np.testing.assert_allclose(got[0], want_loss + 0.15 * np.sum(W**2), rtol=1e-14)
    np.testing.assert_allclose(got[1], made.T @ dZ + 0.3 * W, rtol=1e-13)
    np.testing.assert_allclose(got[2], dZ.sum(axis=0), rtol=1e-13)


def test_margin_and_label_minus_100_of_a_linear_loss():
    W, X, y = linear_problem()
    want = reference.multiclass_hinge(X @ W, y, 0.25)
    assert reference.svm_loss(W, X, y, delta=0.25)[0] == want
    with pytest.raises(ValueError, match=r"y\[0\] is -100"):
        reference.softmax_loss(np.zeros((2, 3)), np.ones((1, 2)), [-100])


def test_linear_predict_takes_the_first_maximum_and_nan():
    W = np.array([[0.0, 1.0, 1.0]])
    X = np.array([[1], [0], [2]], np.uint8)
    np.testing.assert_array_equal(reference.linear_predict(W, X), [1, 0, 1])
    got = reference.linear_predict(W, X, rows=[2, 1], shift=[1.0], scale=[-1.0], bias=[0, 0, 0.5])
    assert got.tolist() == [0, 2]
    np.testing.assert_array_equal(reference.linear_predict(W, X, bias=[0.0, 0.0, NAN]), [2, 2, 2])


def test_whole_numbers_and_float32_become_float64():
    pixels = np.array([[255, 0], [1, 2]], np.uint8)
    loss, grad = reference.softmax_loss(np.ones((2, 2), np.float32), pixels, [0, 1])
    assert (round(loss, 12), grad.dtype) == (round(np.log(2), 12), np.float64)
    assert reference.softmax(np.zeros(2, np.float16)).dtype == np.float64
