"""The solver: the course's steps, prints, histories and best parameters, and its checkpoints."""

import os

import numpy as np
import pytest

from csoftmax.cs231n import optim
from csoftmax.cs231n.classifiers.fc_net import TwoLayerNet
from csoftmax.cs231n.solver import Solver


def problem(n=90, dtype=np.float64):
    r = np.random.default_rng(0)
    y = r.integers(0, 3, n)
    X = (np.eye(3, 6)[y] + 0.4 * r.standard_normal((n, 6))).astype(dtype)
    cut = 2 * n // 3
    return {"X_train": X[:cut], "y_train": y[:cut], "X_val": X[cut:], "y_val": y[cut:]}


def network():
    np.random.seed(3)
    return TwoLayerNet(6, 8, 3, weight_scale=0.1, reg=0.01)


def course(model, data, rule, config, decay, epochs, batch, samples):
    """Losses, accuracies and the best parameters of the course's algorithm."""
    X, y = data["X_train"], data["y_train"]
    configs = {name: dict(config) for name in model.params}
    losses, accuracies, best, best_accuracy = [], [], {}, 0

    def accuracy(X, y, samples=None):
        if samples is not None and len(X) > samples:
            rows = np.random.choice(len(X), samples)
            X, y = X[rows], y[rows]
        return np.mean(np.argmax(model.loss(X), axis=1) == y)

    per_epoch = max(len(X) // batch, 1)
    for t in range(epochs * per_epoch):
        rows = np.random.choice(len(X), batch)
        loss, grads = model.loss(X[rows], y[rows])
        losses.append(loss)
        for name, value in model.params.items():
            model.params[name], configs[name] = rule(value.copy(), grads[name], configs[name])
        ends = (t + 1) % per_epoch == 0
        if ends:
            for one in configs.values():
                one["learning_rate"] *= decay
        if t == 0 or ends:
            accuracies.append((accuracy(X, y, samples), accuracy(data["X_val"], data["y_val"])))
            if accuracies[-1][1] > best_accuracy:
                best_accuracy = accuracies[-1][1]
                best = {name: value.copy() for name, value in model.params.items()}
    return losses, accuracies, best


@pytest.mark.parametrize("rule", [*optim.RULES])
@pytest.mark.parametrize("samples", [1000, 20])
def test_a_seeded_run_is_the_courses(rule, samples, capsys):
    data, config = problem(), {"learning_rate": 0.05}
    model = network()
    losses, accuracies, best = course(model, data, optim.RULES[rule], config, 0.9, 3, 10, samples)
    after = np.random.rand()

    model = network()
    solver = Solver(
        model,
        data,
        update_rule=rule,
        optim_config=config,
        lr_decay=0.9,
        num_epochs=3,
        batch_size=10,
        num_train_samples=samples,
        print_every=7,
    )
    assert solver.train() is None
    assert np.random.rand() == after
    assert solver.loss_history == losses
    assert list(zip(solver.train_acc_history, solver.val_acc_history, strict=True)) == accuracies
    assert solver.best_val_acc == max(val for _, val in accuracies)
    for name, value in best.items():
        np.testing.assert_array_equal(model.params[name], value)
    assert config == {"learning_rate": 0.05}
    assert solver.optim_configs["W1"]["learning_rate"] == pytest.approx(0.05 * 0.9**3)
    assert solver.epoch == 3
    assert capsys.readouterr().out.splitlines() == [
        f"(Iteration 1 / 18) loss: {losses[0]:f}",
        epoch_line(0, accuracies[0]),
        epoch_line(1, accuracies[1]),
        f"(Iteration 8 / 18) loss: {losses[7]:f}",
        epoch_line(2, accuracies[2]),
        f"(Iteration 15 / 18) loss: {losses[14]:f}",
        epoch_line(3, accuracies[3]),
    ]


def epoch_line(epoch, accuracies):
    return f"(Epoch {epoch} / 3) train acc: {accuracies[0]:f}; val_acc: {accuracies[1]:f}"


def test_the_best_parameters_stay_while_a_second_call_goes_on():
    model = network()
    options = {"optim_config": {"learning_rate": 0.5}, "batch_size": 10, "verbose": False}
    solver = Solver(model, problem(), **options)
    solver.train()
    best = {name: value.copy() for name, value in solver.best_params.items()}
    solver.val_acc_history.clear()
    solver.best_val_acc = 1.1  # out of reach
    solver.train()
    assert solver.epoch == 20
    assert len(solver.val_acc_history) == 11
    for name, value in best.items():
        np.testing.assert_array_equal(solver.best_params[name], value)
        np.testing.assert_array_equal(model.params[name], value)


def test_without_epochs_or_a_right_answer_the_parameters_stay(capsys):
    data = problem()
    data["y_val"] = np.full_like(data["y_val"], 7)  # no class of the model
    model = network()
    before = {name: value.copy() for name, value in model.params.items()}
    solver = Solver(model, data, num_epochs=0)
    solver.train()
    assert (capsys.readouterr().out, solver.loss_history) == ("", [])
    for name, value in before.items():
        np.testing.assert_array_equal(model.params[name], value)
    Solver(model, data, num_epochs=1, verbose=False).train()
    assert set(model.params) == set(before)


def test_a_model_of_ones_own_and_its_batches():
    class Mean:
        """Scores by the distance to one point for each class."""

        def __init__(self):
            self.params = {"centre": np.zeros((3, 6))}
            self.sizes = []

        def loss(self, X, y=None):
            self.sizes.append(len(X))
            if y is None:
                return -((X[:, None] - self.params["centre"]) ** 2).sum(axis=2)
            grad = np.zeros((3, 6))
            np.add.at(grad, y, self.params["centre"][y] - X)
            return np.sum((self.params["centre"][y] - X) ** 2), {"centre": grad / len(X)}

    model = Mean()
    solver = Solver(
        model, problem(), optim_config={"learning_rate": 0.5}, batch_size=20, verbose=False
    )
    solver.train()
    assert solver.best_val_acc > 0.8
    model.sizes.clear()
    data = problem(700)
    accuracy = solver.check_accuracy(data["X_train"], data["y_train"])
    assert model.sizes == [100, 100, 100, 100, 66]
    assert accuracy > 0.8
    solver.check_accuracy(data["X_train"], data["y_train"], num_samples=150, batch_size=100)
    assert model.sizes[5:] == [100, 50]


def test_checkpoints_have_no_pickle(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    model = network()
    solver = Solver(
        model,
        problem(),
        num_epochs=2,
        batch_size=10,
        update_rule="adam",
        optim_config={"learning_rate": 0.01},
        checkpoint_name="run",
        num_train_samples=None,
    )
    solver.train()
    assert sorted(os.listdir()) == ["run_epoch_0.npz", "run_epoch_1.npz", "run_epoch_2.npz"]
    assert 'Saving checkpoint to "run_epoch_2.npz"' in capsys.readouterr().out
    with np.load("run_epoch_2.npz", allow_pickle=False) as stored:
        assert stored["loss_history"].tolist() == solver.loss_history
        assert stored["val_acc_history"].tolist() == solver.val_acc_history
        assert (stored["epoch"], stored["update_rule"]) == (2, "adam")
        assert stored["optim_config/learning_rate"] == 0.01
        assert "num_train_samples" not in stored
        names = [name for name in stored if name.startswith("params/")]
        again = network()
        again.params = {name.removeprefix("params/"): stored[name] for name in names}
    X = problem()["X_val"]
    assert again.loss(X).shape == (30, 3)
    solver.optim_config["object"] = object()
    with pytest.raises(TypeError, match="optim_config/object: wanted numbers, arrays and texts"):
        solver._save_checkpoint()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"update_rule": "nadam"},
            ValueError,
            "update_rule is 'nadam': wanted one of 'sgd', 'sgd_",
        ),
        ({"batch_size": 0}, ValueError, "batch_size is 0: wanted at least 1"),
        ({"num_epochs": -1}, ValueError, "num_epochs is -1"),
        ({"print_every": 0}, ValueError, "print_every is 0"),
        ({"num_train_samples": 0}, ValueError, "num_train_samples is 0"),
        ({"num_val_samples": 1.5}, TypeError, "num_val_samples is 1.5"),
        ({"lr_decay": np.nan}, ValueError, "lr_decay is nan"),
        ({"momentum": 0.9}, TypeError, "momentum"),
    ],
)
def test_refusals_name_the_argument(change, error, message):
    with pytest.raises(error, match=message):
        Solver(network(), problem(), **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_val": np.zeros(3, int)}, r"X_val and y_val have shapes \(30, 6\) and \(3,\): wanted"),
        ({"X_train": np.zeros((0, 6)), "y_train": np.zeros(0, int)}, "X_train and y_train have"),
    ],
)
def test_data_is_checked(change, message):
    with pytest.raises(ValueError, match=message):
        Solver(network(), problem() | change)
    with pytest.raises(ValueError, match="data lacks y_train, X_val: wanted X_train, y_train"):
        Solver(network(), {"X_train": np.ones((2, 6)), "y_val": np.ones(2)})
