"""What the course's notebooks on fully connected networks do, with the numbers they print."""

import numpy as np
import pytest

from csoftmax.cs231n.classifiers.fc_net import FullyConnectedNet
from csoftmax.cs231n.data_utils import get_CIFAR10_data
from csoftmax.cs231n.gradient_check import eval_numerical_gradient
from csoftmax.cs231n.solver import Solver


@pytest.fixture(scope="module")
def data(cifar10_dir):
    return get_CIFAR10_data(250, 50, 60, cifar10_dir=cifar10_dir)


# The losses are those that solved notebooks print. A rectifier's kink, a batch of two rows and
# biases that normalization takes away leave differences that say nothing of some entries.
@pytest.mark.parametrize(
    ("options", "losses", "tolerance"),
    [
        ({}, [2.3004790897684924, 7.052114776533016], 1e-4),
        ({"normalization": "batchnorm"}, [2.2611955101340957, 6.996533220108303], 1e-3),
        ({"normalization": "layernorm"}, None, 1e-4),
    ],
    ids=["plain", "batchnorm", "layernorm"],
)
def test_initial_loss_and_gradients(rel_error, options, losses, tolerance):
    np.random.seed(231)
    N, D, H1, H2, C = 2, 15, 20, 30, 10
    X = np.random.randn(N, D)
    y = np.random.randint(C, size=(N,))
    for k, reg in enumerate([0, 3.14]):
        model = FullyConnectedNet(
            [H1, H2],
            input_dim=D,
            num_classes=C,
            reg=reg,
            weight_scale=5e-2,
            dtype=np.float64,
            **options,
        )
        loss, grads = model.loss(X, y)
        if losses:
            assert loss == pytest.approx(losses[k], rel=1e-13)
        assert set(grads) == set(model.params)
        check_gradients(rel_error, model, X, y, grads, tolerance)


def check_gradients(rel_error, model, X, y, grads, tolerance):
    for name, grad in sorted(grads.items()):
        f = lambda _: model.loss(X, y)[0]  # noqa: E731
        differences = eval_numerical_gradient(f, model.params[name], verbose=False, h=1e-5)
        negligible = np.abs(grad) + np.abs(differences) < 1e-9  # nothing but rounding
        differences[negligible] = grad[negligible]
        assert rel_error(differences, grad) < tolerance, name


@pytest.mark.parametrize("normalization", [None, "batchnorm"])
def test_dropout(rel_error, normalization):
    np.random.seed(231)
    N, D, H1, H2, C = 2, 15, 20, 30, 10
    X = np.random.randn(N, D)
    y = np.random.randint(C, size=(N,))
    printed = [2.3004790897684924, 2.302371489704412, 2.30427592207859]
    for ratio, correct in zip([1, 0.75, 0.5], printed, strict=True):
        model = FullyConnectedNet(
            [H1, H2],
            input_dim=D,
            num_classes=C,
            weight_scale=5e-2,
            dtype=np.float64,
            dropout_keep_ratio=ratio,
            normalization=normalization,
            seed=123,
        )
        loss, grads = model.loss(X, y)
        if normalization is None:
            assert loss == pytest.approx(correct, rel=1e-13)
        check_gradients(rel_error, model, X, y, grads, 1e-3)
        np.testing.assert_array_equal(model.loss(X), model.loss(X))  # nothing dropped


@pytest.mark.parametrize(
    ("hidden", "rate"), [([100, 100], 1e-3), ([100, 100, 100, 100], 8e-3)], ids=["3", "5"]
)
def test_a_few_images_are_learned_by_heart(data, hidden, rate):
    small = {name: data[name][:50] for name in ("X_train", "y_train", "X_val", "y_val")}
    np.random.seed(231)
    model = FullyConnectedNet(hidden, weight_scale=5e-2, dtype=np.float64)
    solver = Solver(
        model,
        small,
        num_epochs=20,
        batch_size=25,
        update_rule="sgd",
        optim_config={"learning_rate": rate},
        verbose=False,
    )
    solver.train()
    assert max(solver.train_acc_history) == 1


@pytest.mark.parametrize(
    ("rule", "rate"), [("sgd", 3e-2), ("sgd_momentum", 5e-3), ("rmsprop", 1e-4), ("adam", 1e-3)]
)
@pytest.mark.parametrize(
    "options",
    [{}, {"normalization": "batchnorm"}, {"normalization": "layernorm", "dropout_keep_ratio": 0.9}],
    ids=["plain", "batchnorm", "layernorm and dropout"],
)
def test_six_layers_by_each_rule(data, rule, rate, options):
    np.random.seed(231)
    model = FullyConnectedNet([50, 50, 50, 50, 50], weight_scale=5e-2, **options)
    solver = Solver(
        model,
        data,
        num_epochs=4,
        batch_size=25,
        update_rule=rule,
        optim_config={"learning_rate": rate},
        verbose=False,
    )
    solver.train()
    assert all(value.dtype == np.float32 for value in model.params.values())
    assert np.mean(solver.loss_history[-10:]) < 0.9 * np.mean(solver.loss_history[:10])
    assert solver.best_val_acc > 0.3
