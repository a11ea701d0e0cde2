"""The course's names: a worksheet run as its notebook runs it, and every promise of the classes."""

import random
import re
import time
import tracemalloc

import numpy as np
import pytest
from once import once

from csoftmax import reference
from csoftmax.cs231n.classifiers import LinearClassifier, LinearSVM, Softmax
from csoftmax.cs231n.classifiers.linear_svm import svm_loss_naive, svm_loss_vectorized
from csoftmax.cs231n.classifiers.softmax import softmax_loss_naive, softmax_loss_vectorized
from csoftmax.cs231n.data_utils import load_CIFAR10, load_CIFAR_batch
from csoftmax.cs231n.gradient_check import grad_check_sparse
from csoftmax.datasets import load_cifar10

LINE = re.compile(r"numerical: -?\d+\.\d{6} analytic: -?\d+\.\d{6}, relative error: (\S+)")
SIDES = [
    pytest.param(once(softmax_loss_naive), softmax_loss_vectorized, np.log(10), id="softmax"),
    pytest.param(once(svm_loss_naive), svm_loss_vectorized, 9.0, id="svm"),
]
CLASSIFIERS = [
    pytest.param(Softmax, reference.softmax_loss, id="softmax"),
    pytest.param(LinearSVM, reference.svm_loss, id="svm"),
]


@pytest.fixture(scope="module", params=["random", "cifar10"])
def X_y_dev(request):
    """500 images as a notebook prepares them: float64, mean image off, a column of ones."""
    if request.param == "random":
        r = np.random.default_rng(0)
        y = r.integers(0, 10, 500)
        X = r.integers(0, 128, (10, 48))[y] + r.integers(0, 128, (500, 48))
    else:
        folder = request.getfixturevalue("data_dir")
        X, y = load_CIFAR_batch(folder / "cifar-10-batches-py" / "data_batch_1")
        X, y = X[:500].reshape(500, -1), y[:500]
    X = X - X.mean(axis=0)
    return np.hstack([X, np.ones((500, 1))]), y


def clusters(n_rows=600, n_features=6, n_classes=4, dtype=np.float64):
    """Return separable data around one corner for each class."""
    r = np.random.default_rng(1)
    y = r.integers(0, n_classes, n_rows)
    X = 3 * np.eye(n_classes, n_features)[y] + r.standard_normal((n_rows, n_features))
    return X.astype(dtype), y


# --- The worksheet --------------------------------------------------------------------------------


@pytest.mark.parametrize(("naive", "vectorized", "chance"), SIDES)
def test_worksheet_losses_and_gradient_check(isa, X_y_dev, naive, vectorized, chance, capsys):
    X_dev, y_dev = X_y_dev
    np.random.seed(231)
    random.seed(231)
    W = np.random.randn(X_dev.shape[1], 10) * 0.0001

    tic = time.time()
    loss_naive, grad_naive = naive(W, X_dev, y_dev, 0.000005)
    toc = time.time()
    print(f"naive loss: {loss_naive:e} computed in {toc - tic:f}s")
    loss_vectorized, grad_vectorized = vectorized(W, X_dev, y_dev, 0.000005)
    assert loss_naive == pytest.approx(chance, rel=0.15)
    assert loss_vectorized == pytest.approx(loss_naive, rel=1e-12)
    scale = np.linalg.norm(grad_naive, ord="fro")
    assert np.linalg.norm(grad_naive - grad_vectorized, ord="fro") < 1e-11 * scale
    assert scale > 0
    assert isinstance(loss_vectorized, float)
    assert grad_vectorized.dtype == W.dtype

    before = W.copy()
    for f, reg, checks in ((vectorized, 0.0, 5), (vectorized, 50.0, 5), (naive, 50.0, 3)):
        _, grad = f(W, X_dev, y_dev, reg)
        capsys.readouterr()
        grad_check_sparse(lambda w, f=f, reg=reg: f(w, X_dev, y_dev, reg)[0], W, grad, checks)
        lines = capsys.readouterr().out.splitlines()
        errors = [float(LINE.fullmatch(line)[1]) for line in lines]
        assert len(errors) == checks
        # A row may cross a kink of the hinge within the step, and then only that entry is off.
        assert (max if chance < 9 else np.median)(errors) < 1e-5
    np.testing.assert_array_equal(W, before)


@pytest.mark.parametrize("classifier", [Softmax, LinearSVM])
def test_worksheet_search_over_settings(X_y_dev, classifier):
    X, y = X_y_dev
    results, best_val, best = {}, -1.0, None
    for lr in (1e-7, 1e-6):
        for reg in (1.0, 2.5e4):
            np.random.seed(0)
            model = classifier()
            history = model.train(X[:400], y[:400], lr, reg, num_iters=30, batch_size=60)
            train = np.mean(y[:400] == model.predict(X[:400]))
            val = np.mean(y[400:] == model.predict(X[400:]))
            results[lr, reg] = train, val, history
            if val > best_val:
                best_val, best = val, model
    assert len(results) == 4
    losses = results[1e-6, 1.0][2]
    assert np.mean(losses[-10:]) < np.mean(losses[:10])
    assert results[1e-6, 1.0][0] > 0.15
    images = best.W[:-1, :].reshape(*((32, 32, 3) if len(best.W) == 3073 else (4, 4, 3)), 10)
    assert images.shape[-1] == 10


# --- Training -------------------------------------------------------------------------------------


def course_sgd(loss, X, y, learning_rate, reg, num_iters, batch_size):
    """Return losses and weights of the course's algorithm, in NumPy float64."""
    W = 0.001 * np.random.randn(X.shape[1], y.max() + 1)
    losses = []
    for _ in range(num_iters):
        rows = np.random.choice(len(X), batch_size, replace=True)
        value, grad = loss(W, X[rows], y[rows], reg)
        losses.append(value)
        W = W - learning_rate * grad
    return losses, W


@pytest.mark.parametrize(("classifier", "loss"), CLASSIFIERS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_seeded_run_is_the_courses(isa, classifier, loss, dtype):
    X, y = clusters(dtype=dtype)
    np.random.seed(5)
    want, W = course_sgd(loss, X.astype(np.float64), y, 0.1, 0.01, 60, 50)
    after = np.random.rand()
    np.random.seed(5)
    model = classifier()
    got = model.train(X, y, 0.1, 0.01, 60, 50)
    assert np.random.rand() == after
    assert [type(value) for value in got] == [float] * 60
    np.testing.assert_allclose(got, want, rtol=1e-10 if dtype == np.float64 else 1e-4, atol=1e-6)
    np.testing.assert_allclose(model.W, W, rtol=1e-4, atol=1e-10 if dtype == np.float64 else 1e-5)
    assert model.W.dtype == dtype
    assert got[-1] < 0.5 * got[0]
    assert np.mean(model.predict(X) == y) > 0.9


@pytest.mark.parametrize(("classifier", "loss"), CLASSIFIERS)
def test_pixels_with_shift_scale_and_bias_are_the_features_made(isa, classifier, loss):
    r = np.random.default_rng(2)
    pixels = r.integers(0, 256, (300, 12)).astype(np.uint8)
    y = (pixels[:, 0] // 86).astype(np.int64)
    shift, scale = pixels.mean(axis=0), np.full(12, 1 / 64)
    made = np.hstack([(pixels - shift) * scale, np.ones((300, 1))])

    np.random.seed(3)
    model = classifier()
    got = model.train(pixels, y, 0.1, 0.0, 80, 100, shift=shift, scale=scale, fit_bias=True)
    np.random.seed(3)
    W = np.vstack([0.001 * np.random.randn(12, 3), np.zeros((1, 3))])
    want = []
    for _ in range(80):
        rows = np.random.choice(300, 100)
        value, grad = loss(W, made[rows], y[rows])
        W -= 0.1 * grad
        want.append(value)
    np.testing.assert_allclose(got, want, rtol=1e-4)
    np.testing.assert_allclose(model.W, W[:-1], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(model.b, W[-1], rtol=1e-3, atol=1e-4)
    assert model.W.dtype == model.b.dtype == np.float32
    np.testing.assert_array_equal(model.predict(pixels), np.argmax(made @ W, axis=1))
    value, dW, db = model.loss(pixels, y, 0.5)
    want = loss(model.W, pixels, y, 0.5, bias=model.b, shift=shift, scale=scale)
    np.testing.assert_allclose(value, want[0], rtol=1e-5)
    np.testing.assert_allclose(dW, want[1], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(db, want[2], rtol=1e-3, atol=1e-5)


def test_a_second_call_goes_on_and_assigned_weights_stay_as_they_are():
    X, y = clusters()
    np.random.seed(0)
    whole = Softmax()
    losses = whole.train(X, y, 0.1, num_iters=40)
    np.random.seed(0)
    parts = Softmax()
    assert parts.train(X, y, 0.1, num_iters=25) + parts.train(X, y, 0.1, num_iters=15) == losses
    np.testing.assert_array_equal(parts.W, whole.W)

    with pytest.raises(ValueError, match=r"y\[1\] is 4: wanted class indices from 0 to 3"):
        parts.train(X[:2], np.array([0, 4]))
    mine = np.asfortranarray(np.zeros((6, 4), np.float32))
    parts.W = mine
    parts.train(X, y, 0.1, num_iters=3)
    assert parts.W.dtype == np.float32
    assert parts.W.any()
    assert not mine.any()


def test_no_iterations_still_make_weights():
    X, y = clusters()
    model = LinearSVM()
    assert model.train(X, y, num_iters=0) == []
    assert model.W.shape == (6, 4)
    assert 0 < np.abs(model.W).max() < 0.01
    assert model.b is None


def test_verbose_and_callback(capsys):
    X, y = clusters()
    seen = []
    model = Softmax()
    losses = model.train(
        X, y, num_iters=250, verbose=True, callback=lambda *step: seen.append(step)
    )
    assert seen == list(enumerate(losses))
    assert capsys.readouterr().out.splitlines() == [
        f"iteration {i} / 250: loss {losses[i]:.6f}" for i in (0, 100, 200)
    ]


def test_a_callback_may_end_the_training():
    def stop(iteration, loss):
        if iteration == 4:
            raise StopIteration

    X, y = clusters()
    model, whole = Softmax(), Softmax()
    np.random.seed(0)
    with pytest.raises(StopIteration):
        model.train(X, y, callback=stop)
    np.random.seed(0)
    whole.train(X, y, num_iters=5)
    np.testing.assert_array_equal(model.W, whole.W)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_training_and_prediction_copy_no_batch(dtype):
    r = np.random.default_rng(0)
    X, y = r.integers(0, 9, (4000, 1000)).astype(dtype), r.integers(0, 3, 4000)
    model = Softmax()
    model.train(X, y, num_iters=1)
    tracemalloc.start()
    try:
        model.train(X, y, num_iters=2, batch_size=4000, fit_bias=True)
        model.predict(X)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000  # the batch has 4 million numbers


@pytest.mark.parametrize("kind", ["fortran", "strided", "int64", "big-endian", "read-only", "list"])
def test_any_layout_of_x_trains_alike(kind):
    X, y = clusters(dtype=np.float32)
    X = np.round(X)
    made = {
        "fortran": np.asfortranarray(X),
        "strided": np.repeat(X, 2, axis=1)[:, ::2],
        "int64": X.astype(np.int64),
        "big-endian": X.astype(">f4"),
        "read-only": X.copy(),
        "list": X.tolist(),
    }[kind]
    if kind == "read-only":
        made.setflags(write=False)
    runs = []
    for data in (X, made):
        np.random.seed(0)
        runs.append(Softmax().train(data, y, 0.1, num_iters=20))
    np.testing.assert_allclose(runs[1], runs[0], rtol=1e-5)


def test_a_subclass_with_a_loss_of_its_own_trains_as_in_the_course():
    class Mine(LinearClassifier):
        def loss(self, X_batch, y_batch, reg):
            return softmax_loss_vectorized(self.W, X_batch, y_batch, reg)

    X, y = clusters()
    losses = []
    for classifier in (Mine, Softmax):
        np.random.seed(0)
        losses.append(classifier().train(X, y, 0.1, num_iters=20))
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-12)


def test_prediction_takes_the_first_of_equal_scores_and_needs_weights():
    model = LinearSVM()
    for use in (lambda: model.predict(np.ones((1, 2))), lambda: model.loss([[1.0]], [0], 0.0)):
        with pytest.raises(ValueError, match="W is None: wanted a call of train"):
            use()
    model.W = np.array([[0.0, 2.0, 2.0], [1.0, 0.0, 0.0]])
    got = model.predict(np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]))
    np.testing.assert_array_equal(got, [1, 0, 0])
    assert got.dtype == np.int64


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"learning_rate": np.nan}, ValueError, "learning_rate is nan: wanted a finite number"),
        ({"learning_rate": -1.0}, ValueError, "learning_rate is -1: wanted a finite number"),
        ({"learning_rate": "1"}, TypeError, "learning_rate is '1': wanted a real number"),
        ({"batch_size": 0}, ValueError, "batch_size is 0: wanted at least 1"),
        ({"batch_size": 2.5}, TypeError, r"batch_size is 2\.5: wanted an integer"),
        ({"num_iters": -1}, ValueError, "num_iters is -1: wanted at least 0"),
        ({"reg": np.nan}, ValueError, "reg is nan"),
        ({"reg": -1.0}, ValueError, "reg is -1"),
        ({"X": np.zeros(3)}, ValueError, r"X has shape \(3,\)"),
        ({"X": np.zeros((0, 2))}, ValueError, r"X has shape \(0, 2\)"),
        ({"y": np.zeros(2, int)}, ValueError, r"y has shape \(2,\): wanted \(600,\)"),
        ({"y": np.full(600, 0.5)}, ValueError, r"y\[0\] is 0\.5: wanted class indices"),
        ({"y": np.full(600, -1)}, ValueError, r"y\[0\] is -1: wanted class indices"),
        ({"y": np.ma.masked_all(600, int)}, TypeError, "y is a masked array"),
        ({"X": np.ma.masked_all((600, 6))}, TypeError, "X is a masked array"),
        ({"X": np.zeros((600, 6), complex)}, TypeError, "X has dtype complex128"),
        ({"shift": np.zeros(5)}, ValueError, "shift"),
        ({"scale": np.zeros(5)}, ValueError, "scale"),
    ],
)
@pytest.mark.parametrize("classifier", [Softmax, LinearSVM])
def test_refusals_name_the_argument(classifier, change, error, message):
    X, y = clusters()
    with pytest.raises(error, match=message):
        classifier().train(**({"X": X, "y": y} | change))


def test_the_base_class_has_no_loss():
    with pytest.raises(TypeError, match="abstract"):
        LinearClassifier()


# --- Data -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def batches(tmp_path_factory):
    """Six small batches in the binary format."""
    folder = tmp_path_factory.mktemp("cifar") / "cifar-10-batches-bin"
    folder.mkdir()
    r = np.random.default_rng(0)
    for stem in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        records = r.integers(0, 256, (4, 3073)).astype(np.uint8)
        records[:, 0] %= 10
        (folder / f"{stem}.bin").write_bytes(records.tobytes())
    return folder


def test_load_cifar10_gives_float_images(batches):
    X_train, y_train, X_test, y_test = load_CIFAR10(batches)
    assert (X_train.shape, X_test.shape) == ((20, 32, 32, 3), (4, 32, 32, 3))
    assert (X_train.dtype, X_test.dtype) == (np.float64, np.float64)
    data = load_cifar10(batches)
    np.testing.assert_array_equal(X_train.reshape(20, -1), data.X_train)
    np.testing.assert_array_equal(X_test.reshape(4, -1), data.X_test)
    np.testing.assert_array_equal(y_train, data.y_train)
    np.testing.assert_array_equal(y_test, data.y_test)
    X, y = load_CIFAR_batch(str(batches / "data_batch_2.bin"))
    np.testing.assert_array_equal(X, X_train[4:8])
    np.testing.assert_array_equal(y, y_train[4:8])
    assert (X.dtype, X.flags.c_contiguous, y.dtype) == (np.float64, True, np.int64)


def test_missing_batches_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="data_batch_9"):
        load_CIFAR_batch(tmp_path / "data_batch_9")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_CIFAR10(tmp_path / "nowhere")
