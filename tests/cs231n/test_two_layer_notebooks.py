"""What the course's notebooks on two-layer networks do, old and new, with the numbers they expect.

The old ones (neural_net.TwoLayerNet) have reg/2 sum(W**2) in 2016, reg sum(W**2) from 2017 on; the
new ones (fc_net.TwoLayerNet and Solver) have the half.
"""

import re
import shutil

import numpy as np
import pytest

import csoftmax.cs231n
from csoftmax.cs231n.classifiers.neural_net import TwoLayerNet as SelfTrained
from csoftmax.cs231n.data_utils import get_CIFAR10_data, load_CIFAR10
from csoftmax.cs231n.gradient_check import eval_numerical_gradient, eval_numerical_gradient_array
from csoftmax.cs231n.solver import Solver
from csoftmax.cs231n.vis_utils import visualize_grid

notebook = {}
exec("from csoftmax.cs231n.classifiers.fc_net import *", notebook)  # the layers come with it


@pytest.fixture
def toy():
    np.random.seed(0)
    net = SelfTrained(4, 10, 3, std=1e-1)
    np.random.seed(1)
    return net, 10 * np.random.randn(5, 4), np.array([0, 1, 2, 2, 1])


def test_old_scores_and_loss(toy, full_penalty, rel_error):
    net, X, y = toy
    correct = [
        [-0.81233741, -1.27654624, -0.70335995],
        [-0.17129677, -1.18803311, -0.47310444],
        [-0.51590475, -1.01354314, -0.8504215],
        [-0.15419291, -0.48629638, -0.52901952],
        [-0.00618733, -0.12435261, -0.15226949],
    ]
    assert np.sum(np.abs(net.loss(X) - correct)) < 1e-7
    reg = 0.05 if full_penalty else 0.1
    loss, grads = net.loss(X, y, reg=reg)
    assert abs(loss - 1.30378789133) < 1e-12
    assert set(grads) == {"W1", "b1", "W2", "b2"}
    for name, grad in grads.items():
        f = lambda _: net.loss(X, y, reg=reg)[0]  # noqa: E731
        differences = eval_numerical_gradient(f, net.params[name], verbose=False)
        assert rel_error(differences, grad) < 1e-8


def test_old_training_of_the_toy(toy, capsys):
    _, X, y = toy
    np.random.seed(0)
    net = SelfTrained(4, 10, 3, std=1e-1)
    csoftmax.cs231n.full_penalty = True
    try:
        stats = net.train(X, y, X, y, learning_rate=1e-1, reg=5e-6, num_iters=100, verbose=True)
    finally:
        csoftmax.cs231n.full_penalty = False
    # printed in solved notebooks of 2017 to 2019, whose batches are numpy.random.choice's
    assert stats["loss_history"][-1] == pytest.approx(0.01714960793873, rel=1e-11)
    assert [len(values) for values in stats.values()] == [100, 100, 100]
    assert stats["val_acc_history"][-1] == 1
    assert capsys.readouterr().out == f"iteration 0 / 100: loss {stats['loss_history'][0]:f}\n"
    np.testing.assert_array_equal(net.predict(X), y)


def test_old_training_on_images(cifar10_dir):
    X, y, X_test, y_test = load_CIFAR10(str(cifar10_dir))
    X_train, y_train, X_val, y_val = X[:250], y[:250], X[250:], y[250:]
    mean_image = np.mean(X_train, axis=0)
    X_train, X_val, X_test = (
        (x - mean_image).reshape(len(x), -1) for x in (X_train, X_val, X_test)
    )
    np.random.seed(0)
    net = SelfTrained(32 * 32 * 3, 50, 10)
    stats = net.train(
        X_train,
        y_train,
        X_val,
        y_val,
        num_iters=150,
        batch_size=50,
        learning_rate=1e-4,
        learning_rate_decay=0.95,
        reg=0.25,
    )
    assert stats["loss_history"][0] == pytest.approx(np.log(10), rel=1e-3)
    assert len(stats["train_acc_history"]) == len(stats["val_acc_history"]) == 30  # of 5 iterations
    assert np.mean(net.predict(X_val) == y_val) > 0.9
    assert np.mean(net.predict(X_test) == y_test) > 0.9
    W1 = net.params["W1"].reshape(32, 32, 3, -1).transpose(3, 0, 1, 2)
    grid = visualize_grid(W1, padding=3).astype("uint8")
    assert grid.shape == (8 * 32 + 7 * 3, 8 * 32 + 7 * 3, 3)


def test_new_layers(rel_error):
    affine_forward, relu_forward = notebook["affine_forward"], notebook["relu_forward"]
    x = np.linspace(-0.1, 0.5, num=240).reshape(2, 4, 5, 6)
    w = np.linspace(-0.2, 0.3, num=360).reshape(120, 3)
    out, _ = affine_forward(x, w, np.linspace(-0.3, 0.1, num=3))
    correct = np.array([[1.49834967, 1.70660132, 1.91485297], [3.25553199, 3.5141327, 3.77273342]])
    assert rel_error(out, correct) < 2e-9

    out, _ = relu_forward(np.linspace(-0.5, 0.5, num=12).reshape(3, 4))
    correct = np.maximum(np.arange(12) / 11 - 0.5, 0).reshape(3, 4)
    assert rel_error(out, correct) < 1e-7

    np.random.seed(231)
    x, w, b = np.random.randn(2, 3, 4), np.random.randn(12, 10), np.random.randn(10)
    dout = np.random.randn(2, 10)
    forward, backward = notebook["affine_relu_forward"], notebook["affine_relu_backward"]
    grads = backward(dout, forward(x, w, b)[1])
    for grad, value in zip(grads, (x, w, b), strict=True):
        differences = eval_numerical_gradient_array(lambda _: forward(x, w, b)[0], value, dout)
        assert rel_error(differences, grad) < 1e-8


def test_new_losses(rel_error):
    np.random.seed(231)
    x = 0.001 * np.random.randn(50, 10)
    y = np.random.randint(10, size=50)
    for name, correct in (("svm_loss", 8.999602749096233), ("softmax_loss", 2.302545844500738)):
        loss, dx = notebook[name](x, y)
        assert loss == pytest.approx(correct, rel=1e-14)
        f = lambda x, name=name: notebook[name](x, y)[0]  # noqa: E731
        assert rel_error(eval_numerical_gradient(f, x, verbose=False), dx) < 2e-8


def test_new_network(rel_error):
    np.random.seed(231)
    N, D, H, C = 3, 5, 50, 7
    X = np.random.randn(N, D)
    y = np.random.randint(C, size=N)
    std = 1e-3
    model = notebook["TwoLayerNet"](input_dim=D, hidden_dim=H, num_classes=C, weight_scale=std)
    for name in ("W1", "W2"):
        assert abs(model.params[name].std() - std) < std / 10
    assert not model.params["b1"].any()
    assert not model.params["b2"].any()

    model.params["W1"] = np.linspace(-0.7, 0.3, num=D * H).reshape(D, H)
    model.params["b1"] = np.linspace(-0.1, 0.9, num=H)
    model.params["W2"] = np.linspace(-0.3, 0.4, num=H * C).reshape(H, C)
    model.params["b2"] = np.linspace(-0.9, 0.1, num=C)
    X = np.linspace(-5.5, 4.5, num=N * D).reshape(D, N).T
    correct = [
        [11.53165108, 12.2917344, 13.05181771, 13.81190102, 14.57198434, 15.33206765, 16.09215096],
        [12.05769098, 12.74614105, 13.43459113, 14.1230412, 14.81149128, 15.49994135, 16.18839143],
        [12.58373087, 13.20054771, 13.81736455, 14.43418138, 15.05099822, 15.66781506, 16.2846319],
    ]
    assert np.abs(model.loss(X) - correct).sum() < 1e-6
    y = np.asarray([0, 5, 1])
    assert abs(model.loss(X, y)[0] - 3.4702243556) < 1e-10
    model.reg = 1.0
    assert abs(model.loss(X, y)[0] - 26.5948426952) < 1e-10
    for reg in (0.0, 0.7):
        model.reg = reg
        _, grads = model.loss(X, y)
        for name in sorted(grads):
            f = lambda _: model.loss(X, y)[0]  # noqa: E731
            differences = eval_numerical_gradient(f, model.params[name], verbose=False)
            assert rel_error(differences, grads[name]) < 1e-6


def test_new_solver(cifar10_dir, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    where_the_notebook_has_them = tmp_path / "cs231n" / "datasets" / "cifar-10-batches-py"
    shutil.copytree(cifar10_dir, where_the_notebook_has_them)
    data = get_CIFAR10_data(250, 50, 60)
    assert {name: values.shape for name, values in data.items()} == {
        "X_train": (250, 3, 32, 32),
        "X_val": (50, 3, 32, 32),
        "X_test": (60, 3, 32, 32),
        "y_train": (250,),
        "y_val": (50,),
        "y_test": (60,),
    }
    np.random.seed(231)
    model = notebook["TwoLayerNet"](32 * 32 * 3, 50, 10)
    solver = Solver(
        model,
        data,
        update_rule="sgd",
        optim_config={"learning_rate": 1e-4},
        lr_decay=0.95,
        num_epochs=20,
        batch_size=25,
        print_every=100,
    )
    solver.train()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 21
    assert lines[0] == f"(Iteration 1 / 200) loss: {solver.loss_history[0]:f}"
    last = re.fullmatch(
        r"\(Epoch 20 / 20\) train acc: (\d\.\d{6}); val_acc: (\d\.\d{6})", lines[-1]
    )
    assert float(last[1]) == pytest.approx(solver.train_acc_history[-1], abs=1e-6)
    assert (len(solver.loss_history), len(solver.val_acc_history)) == (200, 21)
    assert solver.best_val_acc == max(solver.val_acc_history) > 0.9

    W1 = model.params["W1"].reshape(3, 32, 32, -1).transpose(3, 1, 2, 0)
    assert visualize_grid(W1, padding=3).astype("uint8").shape == (277, 277, 3)
    for split in ("val", "test"):
        predicted = np.argmax(model.loss(data[f"X_{split}"]), axis=1)
        assert np.mean(predicted == data[f"y_{split}"]) > 0.9

    assert model.save("best_two_layer_net.npy") is None
    again = notebook["TwoLayerNet"]()
    assert again.load("best_two_layer_net.npy") is True
    assert again.load("nothing.npy") is False
    assert capsys.readouterr().out.splitlines() == [
        "best_two_layer_net.npy saved.",
        "best_two_layer_net.npy loaded.",
        "nothing.npy not available.",
    ]
    np.testing.assert_array_equal(again.loss(data["X_test"]), model.loss(data["X_test"]))


def test_new_network_on_real_images(data_dir):
    """Three epochs; docs/two-layer-net.md has a run of ten."""
    data = get_CIFAR10_data(cifar10_dir=data_dir / "cifar-10-batches-py", dtype=np.float32)
    for split in ("train", "val", "test"):
        data[f"X_{split}"] /= 64
    np.random.seed(231)
    model = notebook["TwoLayerNet"](weight_scale=0.01, reg=3e-3, dtype=np.float32)
    solver = Solver(
        model,
        data,
        update_rule="sgd_momentum",
        optim_config={"learning_rate": 0.02},
        lr_decay=0.5,
        num_epochs=3,
        batch_size=200,
        verbose=False,
    )
    solver.train()
    assert solver.best_val_acc > 0.48  # what the course asks for
    predicted = np.argmax(model.loss(data["X_test"]), axis=1)
    assert np.mean(predicted == data["y_test"]) > 0.48
