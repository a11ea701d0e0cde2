"""What the course's current notebook on softmax does, cell by cell, with either penalty."""

import random
import re
import time
from importlib import import_module

import numpy as np
import pytest

import csoftmax.cs231n
from csoftmax import reference
from csoftmax.cs231n.classifiers import (
    LinearClassifier,
    LinearSVM,
    Softmax,
    softmax_loss_naive,
    softmax_loss_vectorized,
    svm_loss_naive,
    svm_loss_vectorized,
)
from csoftmax.cs231n.data_utils import load_CIFAR10
from csoftmax.cs231n.gradient_check import grad_check_sparse

LOSSES = {
    softmax_loss_naive: reference.softmax_loss_vectorized,
    softmax_loss_vectorized: reference.softmax_loss_vectorized,
    svm_loss_naive: reference.svm_loss_vectorized,
    svm_loss_vectorized: reference.svm_loss_vectorized,
}
ERROR = re.compile(r"numerical: .* analytic: .*, relative error: (\S+)")


def course_loss(half, W, X, y, reg, full_penalty):
    """The loss without a penalty, and the penalty as the release has it."""
    loss, dW = half(W, X, y, 0.0)
    factor = 1 if full_penalty else 0.5
    return loss + factor * reg * np.sum(W * W), dW + 2 * factor * reg * W


def worst_error(capsys):
    lines = capsys.readouterr().out.splitlines()
    return max(float(ERROR.fullmatch(line)[1]) for line in lines), len(lines)


def test_the_notebook(cifar10_dir, full_penalty, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.random.seed(231)
    random.seed(231)

    X_train, y_train, X_test, y_test = load_CIFAR10(str(cifar10_dir))
    assert X_train.shape == (300, 32, 32, 3)
    X_val, y_val = X_train[range(250, 300)], y_train[range(250, 300)]
    X_train, y_train = X_train[range(250)], y_train[range(250)]
    mask = np.random.choice(250, 40, replace=False)
    X_dev, y_dev = X_train[mask], y_train[mask]
    parts = [np.reshape(X, (X.shape[0], -1)) for X in (X_train, X_val, X_test, X_dev)]
    mean_image = np.mean(parts[0], axis=0)
    X_train, X_val, X_test, X_dev = (
        np.hstack([X - mean_image, np.ones((X.shape[0], 1))]) for X in parts
    )

    # loss and gradient by loops: near log(10), and right by differences, without and with reg
    W = np.random.randn(3073, 10) * 0.0001
    loss, grad = softmax_loss_naive(W, X_dev, y_dev, 0.000005)
    assert loss == pytest.approx(-np.log(0.1), rel=0.1)
    for reg in (0.0, 5e1):
        loss, grad = softmax_loss_naive(W, X_dev, y_dev, reg)
        grad_check_sparse(lambda w, r=reg: softmax_loss_naive(w, X_dev, y_dev, r)[0], W, grad)
        error, count = worst_error(capsys)
        assert error < 1e-5
        assert count == 10
        want = course_loss(reference.softmax_loss_vectorized, W, X_dev, y_dev, reg, full_penalty)
        assert loss == pytest.approx(want[0], rel=1e-12)
        np.testing.assert_allclose(grad, want[1], rtol=1e-9, atol=1e-12)

    # by loops and compiled
    tic = time.time()
    loss_naive, grad_naive = softmax_loss_naive(W, X_dev, y_dev, 5e1)
    toc = time.time()
    loss_vectorized, grad_vectorized = softmax_loss_vectorized(W, X_dev, y_dev, 5e1)
    print(f"naive loss: {loss_naive:e} computed in {toc - tic:f}s")
    assert f"{loss_naive - loss_vectorized:f}" in ("0.000000", "-0.000000")
    assert f"{np.linalg.norm(grad_naive - grad_vectorized, ord='fro'):f}" == "0.000000"

    # train, predict, save
    softmax = Softmax()
    loss_hist = softmax.train(
        X_train, y_train, learning_rate=1e-6, reg=2.5e4, num_iters=101, verbose=True
    )
    printed = capsys.readouterr().out
    assert f"iteration 100 / 101: loss {loss_hist[100]:f}" in printed
    assert np.mean(y_val == softmax.predict(X_val)) > 0.9
    assert softmax.save("softmax.npy") is None
    assert capsys.readouterr().out == "softmax.npy saved.\n"

    # choose the settings on the validation images
    results, best_val, best_softmax = {}, -1, None
    for lr in (1e-9, 1e-6):
        for reg in (2.5e4, 1e4):
            model = Softmax()
            model.train(X_train, y_train, learning_rate=lr, reg=reg, num_iters=30)
            accuracies = tuple(
                np.mean(y == model.predict(X)) for X, y in ((X_train, y_train), (X_val, y_val))
            )
            results[(lr, reg)] = accuracies
            if accuracies[1] > best_val:
                best_val, best_softmax = accuracies[1], model
    assert len(results) == 4
    test_accuracy = np.mean(y_test == best_softmax.predict(X_test))
    assert test_accuracy > 0.9
    best_softmax.save("best_softmax.npy")
    assert best_softmax.W[:-1, :].reshape(32, 32, 3, 10).shape == (32, 32, 3, 10)

    # another day
    again = Softmax()
    capsys.readouterr()
    assert again.load("best_softmax.npy") is True
    assert again.load("nothing.npy") is False
    assert capsys.readouterr().out == "best_softmax.npy loaded.\nnothing.npy not available.\n"
    np.testing.assert_array_equal(again.W, best_softmax.W)
    assert np.mean(y_test == again.predict(X_test)) == test_accuracy


@pytest.mark.parametrize("loss", LOSSES, ids=lambda f: f.__name__)
def test_all_losses_have_the_penalty_that_is_switched_on(full_penalty, loss, capsys):
    r = np.random.default_rng(3)
    X, y, W = r.standard_normal((7, 5)), r.integers(0, 3, 7), r.standard_normal((5, 3))
    for reg in (0.0, 0.3, 40.0, np.float32(0.5), 2):
        got = loss(W, X, y, reg)
        want = course_loss(LOSSES[loss], W, X, y, float(reg), full_penalty)
        assert got[0] == pytest.approx(want[0], rel=1e-13)
        np.testing.assert_allclose(got[1], want[1], rtol=1e-12, atol=1e-13)
    random.seed(0)
    grad_check_sparse(lambda w: loss(w, X, y, 0.3)[0], W, loss(W, X, y, 0.3)[1], 15)
    assert worst_error(capsys)[0] < 1e-6
    for reg, error in ((-1.0, ValueError), (np.nan, ValueError), ("1", TypeError)):
        with pytest.raises(error, match=f"reg is {reg!r}".replace(".0", "")):
            loss(W, X, y, reg)


@pytest.mark.parametrize(
    ("classifier", "half"),
    [(Softmax, reference.softmax_loss_vectorized), (LinearSVM, reference.svm_loss_vectorized)],
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_both_classifiers_train_with_the_penalty_that_is_switched_on(
    full_penalty, classifier, half, dtype
):
    r = np.random.default_rng(4)
    y = np.arange(90) % 3
    X = (np.eye(3, 6)[y] + 0.3 * r.standard_normal((90, 6))).astype(dtype)
    np.random.seed(7)
    model = classifier()
    got = model.train(X, y, 0.1, 0.5, num_iters=40, batch_size=20)
    np.random.seed(7)
    W, want = 0.001 * np.random.randn(6, 3), []
    for _ in range(40):
        rows = np.random.choice(90, 20)
        loss, dW = course_loss(half, W, X[rows], y[rows], 0.5, full_penalty)
        want.append(loss)
        W = W - 0.1 * dW
    tolerance = 1e-10 if dtype == np.float64 else 1e-4
    np.testing.assert_allclose(got, want, rtol=tolerance)
    np.testing.assert_allclose(model.W, W, rtol=tolerance, atol=tolerance)
    loss, dW = model.loss(X, y, 0.5)
    want = course_loss(half, model.W.astype(float), X.astype(float), y, 0.5, full_penalty)
    np.testing.assert_allclose(loss, want[0], rtol=tolerance)
    np.testing.assert_allclose(dW, want[1], rtol=tolerance, atol=tolerance)


def test_a_loss_of_ones_own_is_asked_with_reg_as_it_was_given(full_penalty):
    class Mine(LinearClassifier):
        def loss(self, X_batch, y_batch, reg):
            assert reg == 0.5
            return svm_loss_vectorized(self.W, X_batch, y_batch, reg)

    X, y = np.random.default_rng(0).standard_normal((30, 4)), np.arange(30) % 3
    losses = []
    for classifier in (Mine, LinearSVM):
        np.random.seed(0)
        losses.append(classifier().train(X, y, 0.1, 0.5, num_iters=10))
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-12)


# --- The switch -----------------------------------------------------------------------------------


def test_the_switch_takes_true_and_false_and_has_one_name():
    package = csoftmax.cs231n
    assert package.full_penalty is False
    for value in (1, 0, "yes", None, 0.5):
        with pytest.raises(TypeError, match=f"full_penalty is {value!r}: wanted True or False"):
            package.full_penalty = value
    for name in ("full_penalties", "fullpenalty", "reg", "classifier"):
        with pytest.raises(AttributeError, match=f"{name!r} to set: its one switch is full_pen"):
            setattr(package, name, True)
    assert package.full_penalty is False
    assert dir(package) == [
        "classifiers",
        "data_utils",
        "full_penalty",
        "gradient_check",
        "layer_utils",
        "layers",
        "optim",
        "solver",
        "vis_utils",
    ]


def test_csoftmax_itself_and_the_worksheet_do_not_know_of_the_switch(run_python):
    run_python(
        "import csoftmax, csoftmax.cs231n, numpy as np\n"
        "from csoftmax import worksheet\n"
        "from csoftmax.datasets import Dataset\n"
        "r = np.random.default_rng(0)\n"
        "X, y = r.standard_normal((60, 5)), np.arange(60) % 3\n"
        "data = worksheet.prepare(Dataset('t', X, y, X, y, ('a', 'b', 'c'), None), 0)\n"
        "settings = worksheet.Settings((0.1,), (2.0,), iterations=20)\n"
        "W = r.standard_normal((5, 3))\n"
        "def results():\n"
        "    found = worksheet.search(data, worksheet.CLASSIFIERS['softmax'], settings)\n"
        "    return [*found.trials[0].losses, found.trials[0].reg,\n"
        "            csoftmax.softmax_loss(W, X, y, 2.0)[0],\n"
        "            csoftmax.reference.softmax_loss_naive(W, X, y, 2.0)[0]]\n"
        "before = results()\n"
        "csoftmax.cs231n.full_penalty = True\n"
        "assert results() == before\n"
    )


# --- Imports --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "from csoftmax.cs231n.data_utils import load_CIFAR10",
        "from csoftmax.cs231n.gradient_check import grad_check_sparse, eval_numerical_gradient",
        "from csoftmax.cs231n.classifiers import Softmax, LinearSVM, LinearClassifier",
        "from csoftmax.cs231n.classifiers import softmax_loss_naive, softmax_loss_vectorized",
        "from csoftmax.cs231n.classifiers import svm_loss_naive, svm_loss_vectorized",
        "from csoftmax.cs231n.classifiers.softmax import softmax_loss_naive",
        "from csoftmax.cs231n.classifiers.softmax import softmax_loss_vectorized",
        "from csoftmax.cs231n.classifiers.linear_svm import svm_loss_naive, svm_loss_vectorized",
        "from csoftmax.cs231n.classifiers.linear_classifier import LinearSVM, Softmax",
        "from csoftmax.cs231n.classifiers.linear_classifier import LinearClassifier",
        "from csoftmax.cs231n.classifiers import *; Softmax, softmax_loss_naive",
        "from csoftmax.cs231n.classifiers.linear_classifier import *; LinearSVM",
        "import csoftmax.cs231n.classifiers.softmax",
        "from csoftmax.cs231n.classifiers.neural_net import TwoLayerNet",
        "from csoftmax.cs231n.classifiers.fc_net import TwoLayerNet, FullyConnectedNet",
        "from csoftmax.cs231n.classifiers.fc_net import *; affine_relu_forward, batchnorm_backward",
        "from csoftmax.cs231n.data_utils import get_CIFAR10_data",
        "from csoftmax.cs231n.gradient_check import *; eval_numerical_gradient_blobs",
        "from csoftmax.cs231n.layer_utils import affine_relu_forward, affine_relu_backward",
        "from csoftmax.cs231n.layers import *; softmax_loss, svm_loss, dropout_forward",
        "from csoftmax.cs231n.optim import sgd, sgd_momentum, rmsprop, adam",
        "from csoftmax.cs231n.solver import Solver",
        "from csoftmax.cs231n.vis_utils import visualize_grid",
        "from csoftmax.cs231n import optim, layers",
    ],
)
def test_lines_of_the_notebooks(line):
    exec(line, {})


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ("import csoftmax.cs231n.fast_layers", "fast_layers"),
        ("from csoftmax.cs231n import features", "features"),
        ("from csoftmax.cs231n.features import hog_feature, extract_features", "features"),
        ("from csoftmax.cs231n.features import *", "features"),
        ("from csoftmax.cs231n.layers import conv_forward_naive", "layers.conv_forward_naive"),
        ("from csoftmax.cs231n.classifiers.cnn import ThreeLayerConvNet", "classifiers.cnn"),
        ("import csoftmax.cs231n.classifiers.k_nearest_neighbor as k", "k_nearest_neighbor"),
        ("from csoftmax.cs231n.classifiers import KNearestNeighbor", "KNearestNeighbor"),
    ],
)
def test_what_is_not_here_is_said_to_be_in_the_courses_own_package(line, missing):
    with pytest.raises(ImportError) as raised:
        exec(line, {})
    error = str(raised.value)
    assert error.startswith("there is no csoftmax.cs231n.")
    assert f"{missing}: csoftmax has the linear classifiers and the fully connected net" in error
    assert "Take the rest from the course's own package: cs231n." in error
    assert error.endswith(missing)


def test_networks_have_their_own_modules():
    for name in ("TwoLayerNet", "FullyConnectedNet"):
        message = f"there is no csoftmax.cs231n.classifiers.{name}: it is in csoftmax.cs231n"
        with pytest.raises(ImportError, match=re.escape(message)):
            exec(f"from csoftmax.cs231n.classifiers import {name}", {})


def test_missing_attributes_and_other_packages_fail_as_ever():
    assert not hasattr(csoftmax.cs231n, "features")
    assert not hasattr(csoftmax.cs231n.classifiers, "KNearestNeighbor")
    with pytest.raises(AttributeError, match=r"module 'csoftmax\.cs231n' has no attribute 'so'"):
        _ = csoftmax.cs231n.so
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'csoftmax\.solver'"):
        import_module("csoftmax.solver")


def test_numpy_is_enough_for_all_of_it(run_python):
    run_python(
        "import sys\n"
        "for name in ('matplotlib', 'scipy', 'sklearn', 'PIL'):\n"
        "    sys.modules[name] = None\n"
        "from csoftmax.cs231n import data_utils, gradient_check, optim, solver, vis_utils\n"
        "from csoftmax.cs231n.classifiers import fc_net, neural_net, Softmax\n"
        "import numpy as np\n"
        "net = fc_net.TwoLayerNet(4, 3, 2)\n"
        "X, y = np.ones((8, 4)), np.arange(8) % 2\n"
        "data = {'X_train': X, 'y_train': y, 'X_val': X, 'y_val': y}\n"
        "solver.Solver(net, data, num_epochs=1).train()\n"
        "assert vis_utils.visualize_grid(np.ones((2, 2, 2, 3))).shape == (5, 5, 3)\n"
    )


def test_the_notebooks_reloading_keeps_the_switch(run_python):
    run_python(
        "import importlib, sys, csoftmax.cs231n as package\n"
        "finders = len(sys.meta_path)\n"
        "package.full_penalty = True\n"
        "assert importlib.reload(package) is package\n"
        "from csoftmax.cs231n.classifiers import svm_loss_vectorized\n"
        "assert package.full_penalty and len(sys.meta_path) == finders\n"
        "assert svm_loss_vectorized([[2.0]], [[0.0]], [0], 1.0)[0] == 4.0\n"
    )
