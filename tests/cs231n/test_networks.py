"""The networks beyond the notebooks: penalties, dtypes, layouts, files and refusals."""

import os
import pickle
import tracemalloc

import numpy as np
import pytest

from csoftmax import reference
from csoftmax.cs231n.classifiers import fc_net, neural_net
from csoftmax.cs231n.classifiers.fc_net import FullyConnectedNet


def definition(params, X, y, reg, full_penalty):
    """Loss and gradients of two layers, from the formulas, in float64."""
    W1, b1, W2, b2 = (params[name].astype(float) for name in ("W1", "b1", "W2", "b2"))
    X = X.reshape(len(X), -1).astype(float)
    h = np.maximum(X @ W1 + b1, 0)
    P = reference.softmax(h @ W2 + b2, axis=1)
    loss = -np.log(P[np.arange(len(y)), y]).mean()
    P[np.arange(len(y)), y] -= 1
    dscores = P / len(y)
    dh = (dscores @ W2.T) * (h > 0)
    factor = 1 if full_penalty else 0.5
    loss += factor * reg * (np.sum(W1**2) + np.sum(W2**2))
    return loss, {
        "W1": X.T @ dh + 2 * factor * reg * W1,
        "b1": np.ones(len(y)) @ dh,
        "W2": h.T @ dscores + 2 * factor * reg * W2,
        "b2": np.ones(len(y)) @ dscores,
    }


def networks(dtype, reg):
    """The three that have two layers, with the same parameters; and their `loss`."""
    nets = []
    for make in (
        lambda: neural_net.TwoLayerNet(12, 6, 4, std=0.5, dtype=dtype),
        lambda: fc_net.TwoLayerNet(12, 6, 4, 0.5, reg, dtype=dtype),
        lambda: FullyConnectedNet([6], 12, 4, reg=reg, weight_scale=0.5, dtype=dtype),
    ):
        np.random.seed(0)
        nets.append(make())
    return nets[0], lambda X, y: nets[0].loss(X, y, reg), nets[1].loss, nets[2].loss


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("reg", [0.0, 0.3])
def test_two_layers_three_times(isa, full_penalty, dtype, reg):
    r = np.random.default_rng(0)
    X, y = r.standard_normal((9, 12)), r.integers(0, 4, 9)
    net, *losses = networks(dtype, reg)
    want, grads = definition(net.params, X, y, reg, full_penalty)
    tolerance = (
        {"rtol": 1e-11, "atol": 1e-13} if dtype == np.float64 else {"rtol": 1e-4, "atol": 1e-5}
    )
    before = X.copy()
    for loss in losses:
        for seen in (X, X.reshape(9, 3, 2, 2), np.asfortranarray(X), X.tolist(), X.astype(">f8")):
            value, got = loss(seen, y)
            assert isinstance(value, float)
            np.testing.assert_allclose(value, want, **tolerance)
            for name, grad in grads.items():
                assert got[name].dtype == dtype
                np.testing.assert_allclose(got[name], grad, **tolerance)
    np.testing.assert_array_equal(X, before)
    assert net.loss(X).dtype == dtype


def test_pixels_are_taken_as_they_are():
    r = np.random.default_rng(0)
    X = r.integers(0, 256, (5, 2, 2, 3)).astype(np.uint8)
    net, *losses = networks(np.float32, 0.0)
    for loss in losses:
        got = loss(X, np.arange(5) % 4)
        want = loss(X.astype(np.float32), np.arange(5) % 4)
        assert got[0] == want[0]
    assert net.predict(X.reshape(5, -1)).dtype == np.int64


def test_batches_make_no_gradient_by_the_data():
    X = np.ones((200, 20000))
    net = fc_net.TwoLayerNet(20000, 2, 3)
    net.loss(X, np.zeros(200, int))
    tracemalloc.start()
    try:
        net.loss(X, np.zeros(200, int))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < X.nbytes / 8


def test_first_parameters_are_the_courses_draws():
    np.random.seed(1)
    params = FullyConnectedNet([4, 3], 5, 2, weight_scale=0.1, dtype=np.float64).params
    np.random.seed(1)
    for name, shape in (("W1", (5, 4)), ("W2", (4, 3)), ("W3", (3, 2))):
        np.testing.assert_array_equal(params[name], np.random.normal(0, 0.1, shape))
    assert [name for name, value in params.items() if not value.any()] == ["b1", "b2", "b3"]


def test_training_leaves_the_callers_arrays_alone():
    r = np.random.default_rng(0)
    y = np.arange(60) % 3
    X = np.eye(3)[y] + 0.1 * r.standard_normal((60, 3))
    net = neural_net.TwoLayerNet(3, 5, 3, std=0.3)
    mine = net.params["W1"] = r.standard_normal((3, 5))
    before = mine.copy()
    stats = net.train(X, y, X, y, learning_rate=0.5, num_iters=9, batch_size=25)
    np.testing.assert_array_equal(mine, before)
    assert len(stats["val_acc_history"]) == 5  # of iterations 0, 2, 4, 6, 8
    assert net.train(X, y, X, y, learning_rate=0.5)["val_acc_history"][-1] == 1


# --- Files ----------------------------------------------------------------------------------------


def trained(normalization=None, dtype=np.float32, make=FullyConnectedNet):
    np.random.seed(0)
    if make is fc_net.TwoLayerNet:
        return make(6, 5, 3, 0.5, dtype=dtype)
    net = make([5, 4], 6, 3, normalization=normalization, weight_scale=0.5, dtype=dtype)
    X = np.random.randn(20, 6)
    for _ in range(3):
        net.loss(X, np.arange(20) % 3)
    return net


@pytest.mark.parametrize("normalization", [None, "batchnorm", "layernorm"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_all_comes_back(tmp_path, normalization, dtype):
    net = trained(normalization, dtype)
    net.save(tmp_path / "net")
    assert os.listdir(tmp_path) == ["net.npy"]
    again = FullyConnectedNet([2, 2], 4, 7, normalization=normalization)
    assert again.load(tmp_path / "net.npy")
    X = np.random.default_rng(0).standard_normal((7, 6))
    np.testing.assert_array_equal(again.loss(X), net.loss(X))
    assert again.loss(X, np.arange(7) % 3)[0] == net.loss(X, np.arange(7) % 3)[0]
    assert again.dtype == dtype
    assert list(again.params) == list(net.params)
    stored = np.load(tmp_path / "net.npy", allow_pickle=False)
    np.testing.assert_array_equal(stored["W1"], net.params["W1"])
    fresh = FullyConnectedNet([2, 2], 4, 7, normalization=normalization)
    fresh.save(tmp_path / "fresh")  # nothing has run yet
    assert again.load(tmp_path / "fresh")
    assert again.loss(np.zeros((1, 4))).shape == (1, 7)


def test_other_files_are_refused_by_name(tmp_path):
    path = tmp_path / "net.npy"
    net = trained(make=fc_net.TwoLayerNet)
    before = net.loss(np.ones((1, 6)))

    def refused(message):
        with pytest.raises(ValueError, match=message) as raised:
            net.load(path)
        assert str(path) in str(raised.value)
        assert "wanted the parameters of such a network" in str(raised.value)
        np.testing.assert_array_equal(net.loss(np.ones((1, 6))), before)

    np.save(path, {"W1": np.ones((2, 2))}, allow_pickle=True)  # as the course's own
    refused("allow_pickle=False")
    path.write_bytes(pickle.dumps(net.params))
    refused("pickle")
    np.save(path, np.ones((3, 2)))
    refused("it has W1, not W1, b1, W2, b2")
    trained().save(path)
    refused("it has W1, b1, W2, b2, W3, b3")
    np.savez(tmp_path / "net", **net.params)
    (tmp_path / "net.npz").replace(path)
    refused("npz archive")
    path.unlink()
    path.mkdir()
    refused("is not a file")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("W2", np.ones((4, 3)), r"w has shape \(4, 3\): wanted \(5, M\)"),
        ("b1", np.ones(4), r"b has shape \(4,\)"),
        ("b2", np.ones((1, 3)), r"b has shape \(1, 3\)"),
        ("W1", np.ones(5), r"has shape"),
        ("W1", np.ones((6, 5), int), "W1 is int64"),
        ("b2", np.ones(3, np.float32), "b2 is float32"),
    ],
)
def test_parameters_that_do_not_fit_are_not_saved(tmp_path, name, value, message):
    net = trained(make=fc_net.TwoLayerNet, dtype=np.float64)
    net.params[name] = value
    with pytest.raises(ValueError, match=message):
        net.save(tmp_path / "net.npy")
    assert os.listdir(tmp_path) == []


def test_normalization_that_does_not_fit_is_not_saved(tmp_path):
    net = trained("batchnorm")
    net.bn_params[1]["running_var"] = np.ones(5, np.float32)
    with pytest.raises(ValueError, match=r"running_var2 has shape \(5,\)"):
        net.save(tmp_path / "net.npy")


# --- Refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"hidden_dims": [5, 0]}, ValueError, "hidden_dims is 0: wanted at least 1"),
        ({"hidden_dims": [2.5]}, TypeError, r"hidden_dims is 2\.5"),
        ({"input_dim": 0}, ValueError, "input_dim is 0"),
        ({"num_classes": -1}, ValueError, "num_classes is -1"),
        ({"dropout_keep_ratio": 0}, ValueError, "dropout_keep_ratio is 0: wanted the probability"),
        ({"dropout_keep_ratio": 2}, ValueError, "dropout_keep_ratio is 2: wanted a number from 0"),
        ({"normalization": "batch"}, ValueError, "normalization is 'batch': wanted one of 'batchn"),
        ({"reg": -1.0}, ValueError, "reg is -1"),
        ({"weight_scale": np.inf}, ValueError, "weight_scale is inf"),
        ({"dtype": np.float16}, TypeError, "dtype is float16: wanted float32 or float64"),
        ({"seed": "1", "dropout_keep_ratio": 0.5}, TypeError, "seed is '1'"),
        ({"dropout": 0.5}, TypeError, "no argument 'dropout': wanted dropout_keep_ratio, the prob"),
        ({"use_batchnorm": True}, TypeError, "'use_batchnorm': wanted normalization='batchnorm'"),
        ({"depth": 3}, TypeError, "FullyConnectedNet has no argument 'depth'$"),
    ],
)
def test_options_are_checked(options, error, message):
    with pytest.raises(error, match=message):
        FullyConnectedNet(**({"hidden_dims": [4]} | options))


@pytest.mark.parametrize("make", [neural_net.TwoLayerNet, fc_net.TwoLayerNet])
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0, 2, 3), ValueError, "input_(size|dim) is 0"),
        ((2, 2.5, 3), TypeError, r"hidden_(size|dim) is 2\.5"),
        ((2, 2, "3"), TypeError, "(output_size|num_classes) is '3'"),
        ((2, 2, 3, -1), ValueError, "(std|weight_scale) is -1"),
    ],
)
def test_sizes_are_checked(make, arguments, error, message):
    with pytest.raises(error, match=message):
        make(*arguments)


@pytest.mark.parametrize(
    ("X", "y", "error", "message"),
    [
        (np.ones((2, 11)), [0, 1], ValueError, r"X has shape \(2, 11\): wanted 12 numbers a row"),
        (np.ones((2, 12)), [0], ValueError, r"y has shape \(1,\): wanted \(2,\)"),
        (np.ones((2, 12)), [0, 4], ValueError, r"y\[1\] is 4: wanted class indices from 0 to 3"),
        (np.ma.masked_less(np.ones((2, 12)), 2), [0, 1], TypeError, "X is a masked array"),
        (np.ones((2, 12), complex), [0, 1], TypeError, "X has dtype complex128"),
    ],
)
def test_data_is_checked(X, y, error, message):
    for loss in networks(np.float64, 0.0)[1:]:
        with pytest.raises(error, match=message):
            loss(X, y)


def test_assigned_weights_and_reg_are_checked():
    net, loss, *_ = networks(np.float64, 0.0)
    with pytest.raises(ValueError, match="reg is -1"):
        net.loss(np.ones((1, 12)), [0], reg=-1)
    net.params["W1"] = np.ones((12, 6), int)
    with pytest.raises(TypeError, match="W1 has dtype int64: wanted float32 or float64"):
        loss(np.ones((1, 12)), [0])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"X": np.zeros(3)}, ValueError, r"X has shape \(3,\)"),
        ({"X_val": np.zeros((0, 3))}, ValueError, r"X_val has shape \(0, 3\)"),
        ({"y": [0, 1]}, ValueError, r"y has shape \(2,\): wanted \(4,\)"),
        ({"y_val": [0, 1, 2, 5]}, ValueError, r"y_val\[3\] is 5: wanted class indices from 0 to 2"),
        ({"learning_rate": -1}, ValueError, "learning_rate is -1"),
        ({"learning_rate_decay": "1"}, TypeError, "learning_rate_decay is '1'"),
        ({"num_iters": 1.5}, TypeError, r"num_iters is 1\.5"),
        ({"batch_size": 0}, ValueError, "batch_size is 0"),
    ],
)
def test_training_is_checked(change, error, message):
    X, y = np.ones((4, 3)), [0, 1, 2, 0]
    net = neural_net.TwoLayerNet(3, 2, 3)
    with pytest.raises(error, match=message):
        net.train(**({"X": X, "y": y, "X_val": X, "y_val": y} | change))
