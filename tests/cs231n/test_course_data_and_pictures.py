"""CIFAR-10 for networks, pictures of many images, and numerical gradients of nets of blobs."""

from types import SimpleNamespace

import numpy as np
import pytest

from csoftmax.cs231n.data_utils import get_CIFAR10_data, load_CIFAR10
from csoftmax.cs231n.gradient_check import (
    eval_numerical_gradient_blobs,
    eval_numerical_gradient_net,
)
from csoftmax.cs231n.vis_utils import visualize_grid


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("subtract_mean", [True, False])
def test_images_as_planes(cifar10_dir, dtype, subtract_mean):
    data = get_CIFAR10_data(200, 60, 7, subtract_mean, cifar10_dir=cifar10_dir, dtype=dtype)
    X, y, X_test, y_test = load_CIFAR10(cifar10_dir)
    mean = X[:200].mean(axis=0) if subtract_mean else 0
    for name, images, labels in (
        ("train", X[:200], y[:200]),
        ("val", X[200:260], y[200:260]),
        ("test", X_test[:7], y_test[:7]),
    ):
        got = data[f"X_{name}"]
        assert (got.dtype, got.flags.c_contiguous) == (dtype, True)
        want = (images - mean).transpose(0, 3, 1, 2)
        np.testing.assert_allclose(got, want, rtol=0, atol=0 if dtype == np.float64 else 1e-4)
        np.testing.assert_array_equal(data[f"y_{name}"], labels)


def test_images_that_are_not_there(cifar10_dir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        FileNotFoundError, match=r"no cs231n/datasets/cifar-10-batches-py in .*cifar1"
    ):
        get_CIFAR10_data()
    with pytest.raises(ValueError, match="are 49000 and 1000: wanted at most 300 together"):
        get_CIFAR10_data(cifar10_dir=cifar10_dir)
    with pytest.raises(ValueError, match="num_test is 61: wanted at most 60"):
        get_CIFAR10_data(10, 10, 61, cifar10_dir=cifar10_dir)
    with pytest.raises(ValueError, match="num_training is 0"):
        get_CIFAR10_data(0, cifar10_dir=cifar10_dir)
    with pytest.raises(TypeError, match="dtype is int64: wanted float32 or float64"):
        get_CIFAR10_data(dtype=int, cifar10_dir=cifar10_dir)


@pytest.mark.parametrize(("n", "side"), [(1, 1), (2, 2), (4, 2), (5, 3), (50, 8)])
@pytest.mark.parametrize("padding", [0, 1, 3])
def test_visualize_grid(n, side, padding):
    images = np.random.default_rng(0).standard_normal((n, 4, 5, 3))
    images[0] = 2.0  # the same everywhere
    before = images.copy()
    grid = visualize_grid(images, ubound=100.0, padding=padding)
    assert grid.shape == (side * (4 + padding) - padding, side * (5 + padding) - padding, 3)
    np.testing.assert_array_equal(images, before)
    seen = np.zeros(grid.shape[:2], bool)
    for k, image in enumerate(images):
        top, left = k // side * (4 + padding), k % side * (5 + padding)
        tile = grid[top : top + 4, left : left + 5]
        seen[top : top + 4, left : left + 5] = True
        low, high = image.min(), image.max()
        want = 100 * (image - low) / (high - low) if k else np.zeros_like(image)
        np.testing.assert_allclose(tile, want, atol=1e-12)
    assert not grid[~seen].any()


def test_visualize_grid_refuses_by_name():
    for Xs, error, message in (
        (np.ones((3, 4, 5)), ValueError, r"Xs has shape \(3, 4, 5\): wanted \(N, H, W, C\)"),
        (np.ones((0, 4, 5, 3)), ValueError, r"Xs has shape \(0, 4, 5, 3\)"),
        (np.ones((1, 4, 5, 3), complex), TypeError, "Xs has dtype complex128"),
    ):
        with pytest.raises(error, match=message):
            visualize_grid(Xs)
    with pytest.raises(ValueError, match="padding is -1"):
        visualize_grid(np.ones((1, 2, 2, 1)), padding=-1)


def blob(*shape):
    r = np.random.default_rng(len(shape))
    return SimpleNamespace(vals=r.standard_normal(shape), diffs=r.standard_normal(shape))


def test_gradients_of_blobs():
    x, w, out = blob(3, 4), blob(4, 2), blob(3, 2)
    before = x.vals.copy(), w.vals.copy()

    def product(x, w, out):
        out.vals[...] = x.vals @ w.vals

    for gradients in (
        eval_numerical_gradient_blobs(product, (x, w), out),
        eval_numerical_gradient_net(
            SimpleNamespace(forward=lambda: product(x, w, out)), [x, w], out, h=1e-6
        ),
    ):
        dx, dw = gradients
        np.testing.assert_allclose(dx, out.diffs @ w.vals.T, rtol=1e-6)
        np.testing.assert_allclose(dw, x.vals.T @ out.diffs, rtol=1e-6)
    np.testing.assert_array_equal(x.vals, before[0])
    np.testing.assert_array_equal(w.vals, before[1])
    w.vals = w.vals.astype(int)
    with pytest.raises(TypeError, match="x is int64: wanted an ndarray of floats"):
        eval_numerical_gradient_blobs(product, (x, w), out)
