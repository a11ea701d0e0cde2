"""The course's layers: their values, their gradients by differences, their dtypes and errors."""

import numpy as np
import pytest

from csoftmax import cross_entropy_with_grad, multiclass_hinge_with_grad
from csoftmax.cs231n import layers
from csoftmax.cs231n.gradient_check import eval_numerical_gradient, eval_numerical_gradient_array
from csoftmax.cs231n.layer_utils import affine_relu_backward, affine_relu_forward
from csoftmax.cs231n.layers import (
    affine_backward,
    affine_forward,
    batchnorm_backward,
    batchnorm_forward,
    dropout_backward,
    dropout_forward,
    layernorm_backward,
    layernorm_forward,
    relu_backward,
    relu_forward,
    softmax_loss,
    svm_loss,
)


def check(rel_error, forward, backward, *inputs, tolerance=1e-7):
    """Compare a backward half with differences of the forward half, by each of its inputs."""
    out, cache = forward(*inputs)
    dout = np.random.default_rng(1).standard_normal(out.shape)
    before = [x.copy() for x in (*inputs, dout)]
    grads = backward(dout, cache)
    for x, old in zip((*inputs, dout), before, strict=True):
        np.testing.assert_array_equal(x, old)
    for grad, x in zip(grads if isinstance(grads, tuple) else [grads], inputs, strict=True):
        assert grad.shape == x.shape
        want = eval_numerical_gradient_array(lambda _: forward(*inputs)[0], x, dout)
        assert rel_error(grad, want) < tolerance


@pytest.mark.parametrize("shape", [(7, 3), (4, 2, 3, 5), (1, 1), (5,)])
def test_affine(rel_error, shape):
    r = np.random.default_rng(0)
    x = r.standard_normal(shape)
    w, b = r.standard_normal((x[0].size, 4)), r.standard_normal(4)
    out, cache = affine_forward(x, w, b)
    np.testing.assert_allclose(out, x.reshape(len(x), -1) @ w + b, rtol=1e-14)
    assert len(cache) == 3
    check(rel_error, affine_forward, affine_backward, x, w, b)


@pytest.mark.parametrize("forward", [affine_forward, affine_relu_forward])
def test_affine_of_no_rows_and_of_integers(forward):
    out, cache = forward(np.zeros((0, 2, 3)), np.ones((6, 2)), np.ones(2))
    assert out.shape == (0, 2)
    dx, dw, db = affine_backward(out, cache if forward is affine_forward else cache[0])
    assert (dx.shape, dw.shape, db.shape) == ((0, 2, 3), (6, 2), (2,))
    out, _ = forward([[1, 2]], [[1], [1]], [0.5])
    np.testing.assert_array_equal(out, [[3.5]])


def test_relu(rel_error):
    r = np.random.default_rng(0)
    x = r.standard_normal((3, 4, 5))
    np.testing.assert_array_equal(relu_forward(x)[0], np.where(x > 0, x, 0))
    check(rel_error, relu_forward, relu_backward, x)
    np.testing.assert_array_equal(relu_forward([np.nan, -np.inf, np.inf])[0], [np.nan, 0, np.inf])
    np.testing.assert_array_equal(
        relu_backward([np.inf, np.inf, 2], np.array([-1, 1, 0])), [0, np.inf, 0]
    )


def test_affine_and_relu_together(rel_error):
    r = np.random.default_rng(0)
    x, w, b = r.standard_normal((6, 2, 2)), r.standard_normal((4, 5)), r.standard_normal(5)
    out, (of_affine, of_relu) = affine_relu_forward(x, w, b)
    a, _ = affine_forward(x, w, b)
    np.testing.assert_array_equal(out, relu_forward(a)[0])
    check(rel_error, affine_relu_forward, affine_relu_backward, x, w, b)
    dout = r.standard_normal(out.shape)
    want = affine_backward(relu_backward(dout, of_relu), of_affine)
    for got, grad in zip(affine_relu_backward(dout, (of_affine, of_relu)), want, strict=True):
        np.testing.assert_array_equal(got, grad)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("loss", "compiled"),
    [(softmax_loss, cross_entropy_with_grad), (svm_loss, multiclass_hinge_with_grad)],
)
def test_losses_are_the_compiled_ones(isa, rel_error, loss, compiled, dtype):
    r = np.random.default_rng(0)
    x, y = r.standard_normal((50, 10)).astype(dtype), r.integers(0, 10, 50)
    before = x.copy()
    value, dx = loss(x, y)
    want, grad = compiled(x, y)
    assert isinstance(value, float)
    assert value == want
    np.testing.assert_array_equal(dx, grad)
    assert dx.dtype == dtype
    np.testing.assert_array_equal(x, before)
    if dtype == np.float64:
        differences = eval_numerical_gradient(lambda x: loss(x, y)[0], x, verbose=False)
        assert rel_error(dx, differences) < 1e-6
    again, same = loss(x, y, out=x)
    assert same is x
    assert again == value
    np.testing.assert_array_equal(x, dx)


@pytest.mark.parametrize("loss", [softmax_loss, svm_loss])
@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        (np.zeros(3), [0], ValueError, r"x has shape \(3,\): wanted \(N, C\)"),
        (np.zeros((2, 3, 4)), [0, 1], ValueError, r"x has shape \(2, 3, 4\)"),
        (np.zeros((2, 3)), [0], ValueError, r"y has shape \(1,\): wanted \(2,\)"),
        (np.zeros((2, 3)), np.ones((2, 3)), ValueError, r"y has shape \(2, 3\): wanted \(2,\)"),
        (np.zeros((2, 3)), [0, 3], ValueError, r"y\[1\] is 3: wanted class indices from 0 to 2"),
        (np.zeros((2, 3)), [-100, 0], ValueError, r"y\[0\] is -100: wanted class indices"),
        (np.zeros((2, 3)), [0.5, 0], ValueError, r"y\[0\] is 0\.5"),
        (np.zeros((2, 3), complex), [0, 1], TypeError, "x has dtype complex128"),
    ],
)
def test_losses_refuse_by_name(loss, x, y, error, message):
    with pytest.raises(error, match=message):
        loss(x, y)


@pytest.mark.parametrize(
    ("forward", "backward", "param"),
    [
        (batchnorm_forward, batchnorm_backward, {"mode": "train"}),
        (batchnorm_forward, layers.batchnorm_backward_alt, {"mode": "train", "eps": 1e-3}),
        (layernorm_forward, layernorm_backward, {}),
        (layernorm_forward, layernorm_backward, {"eps": 1e-2}),
    ],
)
def test_normalization(rel_error, forward, backward, param):
    r = np.random.default_rng(0)
    x = 5 * r.standard_normal((6, 5)) + 12
    gamma, beta = r.standard_normal(5), r.standard_normal(5)
    axis = 0 if forward is batchnorm_forward else 1
    out, _ = forward(x, np.ones(5), np.zeros(5), param)
    eps = param.get("eps", 1e-5)
    np.testing.assert_allclose(out.mean(axis=axis), 0, atol=1e-13)
    var = x.var(axis=axis)
    np.testing.assert_allclose(out.var(axis=axis), var / (var + eps), rtol=1e-12)
    check(rel_error, lambda *a: forward(*a, param), backward, x, gamma, beta, tolerance=1e-6)
    out32, cache = forward(*(a.astype(np.float32) for a in (x, gamma, beta)), param)
    assert out32.dtype == np.float32
    grads = backward(out32, cache)
    assert [grad.dtype for grad in grads] == [np.float32] * 3


def test_batchnorm_runs_and_tests_by_what_has_run():
    r = np.random.default_rng(0)
    gamma, beta, param = np.array([1.0, 2.0, 3.0]), np.array([11.0, 12.0, 13.0]), {"mode": "train"}
    mean, var = np.zeros(3), np.zeros(3)
    for _ in range(60):
        x = r.standard_normal((200, 3)) * [1, 2, 3] + 7
        batchnorm_forward(x, gamma, beta, param)
        mean, var = 0.9 * mean + 0.1 * x.mean(axis=0), 0.9 * var + 0.1 * x.var(axis=0)
    np.testing.assert_allclose(param["running_mean"], mean, rtol=1e-12)
    np.testing.assert_allclose(param["running_var"], var, rtol=1e-12)
    param["mode"] = "test"
    x = r.standard_normal((200, 3)) * [1, 2, 3] + 7
    out, cache = batchnorm_forward(x, gamma, beta, param)
    np.testing.assert_allclose(out.mean(axis=0), beta, atol=0.5)
    np.testing.assert_allclose(out.std(axis=0), gamma, rtol=0.15)
    np.testing.assert_allclose(out, gamma * (x - mean) / np.sqrt(var + 1e-5) + beta, rtol=1e-10)
    np.testing.assert_allclose(param["running_mean"], mean, rtol=1e-12)
    with pytest.raises(ValueError, match="cache is None: wanted that of batchnorm_forward in mode"):
        batchnorm_backward(out, cache)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("p", [0.25, 0.4, 0.7, 1.0])
def test_dropout(rel_error, p, dtype):
    np.random.seed(231)
    x = (np.random.randn(300, 300) + 10).astype(dtype)
    out, _ = dropout_forward(x, {"mode": "train", "p": p})
    assert out.dtype == dtype
    assert out.mean() == pytest.approx(x.mean(), rel=0.02)
    assert np.mean(out == 0) == pytest.approx(1 - p, abs=0.01)
    tested, cache = dropout_forward(x, {"mode": "test", "p": p})
    np.testing.assert_array_equal(tested, x)
    np.testing.assert_array_equal(dropout_backward(x, cache), x)
    param = {"mode": "train", "p": p, "seed": 123}
    check(
        rel_error,
        lambda x: dropout_forward(x, param),
        dropout_backward,
        np.random.randn(10, 10) + 10,
        tolerance=1e-9,
    )


def test_dropout_draws_as_the_course():
    x = np.ones((3, 4))
    out, _ = dropout_forward(x, {"mode": "train", "p": 0.3, "seed": 5})
    np.random.seed(5)
    np.testing.assert_array_equal(out, (np.random.rand(3, 4) < 0.3) / 0.3)


X = np.ones((4, 3))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: affine_forward(X, np.ones((2, 5)), np.ones(5)),
            ValueError,
            r"w has shape \(2, 5\)",
        ),
        (lambda: affine_forward(X, np.ones(3), np.ones(5)), ValueError, r"wanted \(3, M\)"),
        (lambda: affine_forward(X, np.ones((3, 5)), np.ones(4)), ValueError, r"b has shape \(4,\)"),
        (lambda: affine_forward(1.0, np.ones((3, 5)), np.ones(5)), ValueError, r"x has shape \(\)"),
        (lambda: affine_forward(["a"], X, X), TypeError, "x has dtype"),
        (lambda: relu_forward(np.ma.masked_less(np.ones(3), 2)), TypeError, "x is a masked array"),
        (
            lambda: batchnorm_forward(X, np.ones(4), np.ones(3), {"mode": "train"}),
            ValueError,
            r"gamma has shape \(4,\): wanted \(3,\)",
        ),
        (
            lambda: batchnorm_forward(X, np.ones(3), np.ones(3), {"mode": "eval"}),
            ValueError,
            "mode is 'eval': wanted one of 'train', 'test'",
        ),
        (
            lambda: batchnorm_forward(X, X[0], X[0], {"mode": "train", "momentum": 2}),
            ValueError,
            "momentum is 2: wanted a number from 0 to 1",
        ),
        (lambda: layernorm_forward(X, X[0], X[0], {"eps": -1}), ValueError, "eps is -1"),
        (lambda: layernorm_forward(X[:0], X[0], X[0], {}), ValueError, r"x has shape \(0, 3\)"),
        (lambda: dropout_forward(X, {"mode": "train", "p": 0}), ValueError, "p is 0: wanted the"),
        (lambda: dropout_forward(X, {"mode": "train", "p": 1.5}), ValueError, "p is 1.5"),
        (lambda: dropout_forward(X, {"mode": "on", "p": 0.5}), ValueError, "mode is 'on'"),
    ],
)
def test_refusals_name_the_argument(call, error, message):
    with pytest.raises(error, match=message):
        call()
