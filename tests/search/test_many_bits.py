"""Many models at once: each has the bits that it has alone."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from csoftmax import softmax_loss, svm_loss
from csoftmax.cs231n.classifiers import LinearSVM, Softmax
from csoftmax.search import Models, train_many
from csoftmax.search import stack as stacked

pytestmark = pytest.mark.usefixtures("isa")

LOSSES = {"softmax": softmax_loss, "hinge": svm_loss}
losses = pytest.mark.parametrize("loss", LOSSES)


def problem(
    rng: np.random.Generator,
    N: int,
    D: int,
    C: int,
    x: str = "float32",
    *,
    shift: bool = False,
    scale: bool = False,
    spread: float = 1.0,
) -> tuple[Any, Any, dict[str, Any]]:
    X = rng.normal(size=(N, D))
    X = (128 + 60 * X).clip(0, 255).astype(x) if x == "uint8" else (spread * X).astype(x)
    y = rng.integers(0, C, N)
    y[:C] = np.arange(C)[:N]
    view: dict[str, Any] = {}
    if shift:
        view["shift"] = X.mean(axis=0, dtype=np.float64) + 0.25
    if scale:
        view["scale"] = rng.uniform(0.5, 2, D) / (1 if x != "uint8" else 60)
    return X, y, view


def alone(
    loss: str, X: Any, y: Any, model: Any, start: Any, batches: Any, **options: Any
) -> tuple[Any, Any, list[float]]:
    """What mini-batches do to one model, step by step."""
    W, b = start.copy(), None
    if options.pop("fit_bias", False):
        b = np.zeros(W.shape[1], W.dtype)
    found = []
    with np.errstate(all="ignore"):
        for rows in batches:
            value, *grads = LOSSES[loss](W, X, y, model.reg, bias=b, rows=rows, **options)
            for parameter, grad in zip((W, b), grads, strict=False):
                parameter -= np.multiply(grad, model.learning_rate)
            found.append(value)
    return W, b, found


def first(X: Any, C: int, seed: int = 0) -> Any:
    dtype = X.dtype if X.dtype.kind == "f" else np.float32
    return (0.001 * np.random.RandomState(seed).randn(X.shape[1], C)).astype(dtype)


def same(got: Any, want: Any) -> None:
    """To the last bit; any NaN is as good as another."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.dtype == want.dtype
    bits = f"i{got.itemsize}"
    if np.array_equal(got.view(bits), want.view(bits)):  # nearly always, and quickly
        return
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(np.signbit(got[got == got]), np.signbit(want[want == want]))


def check(
    loss: str, X: Any, y: Any, rates: Any, regs: Any, *, steps: int, batch: int, **options: Any
) -> Models:
    models = train_many(
        X, y, rates, regs, loss=loss, n_steps=steps, batch_size=batch, random_state=5, **options
    )
    random = np.random.RandomState(5)
    batches = [random.randint(0, X.shape[0], batch) for _ in range(steps)]
    C = int(y.max()) + 1
    for model in models:
        W, b, found = alone(loss, X, y, model, first(X, C), batches, **options)
        same(model.W, W)
        same(model.losses, np.array(found))
        assert (model.b is None) == (b is None)
        if b is not None:
            same(model.b, b)
    return models


@losses
@pytest.mark.parametrize("x", ["float32", "float64", "uint8"])
@pytest.mark.parametrize("C", [1, 2, 3, 5, 8, 10, 11, 13, 20, 21, 30])
def test_every_number_of_classes(C, x, loss):
    rng = np.random.default_rng(C)
    shapes = itertools.cycle([(1, 3), (7, 20), (16, 64), (33, 17), (300, 9), (40, 100)])
    for fit_bias, shift, scale in itertools.product([False, True], repeat=3):
        batch, D = next(shapes)
        X, y, view = problem(rng, 60, D, C, x, shift=shift, scale=scale)
        rates = [0.001, 0.03, 1e-6]
        check(loss, X, y, rates, [0.0, 0.5], steps=4, batch=batch, fit_bias=fit_bias, **view)


@losses
@pytest.mark.parametrize(
    ("D", "C", "x"),
    [
        (3073, 10, "float32"),
        (3072, 10, "uint8"),
        (1100, 10, "float64"),
        (1100, 11, "float32"),  # panels of classes that differ
        (2000, 7, "float32"),
        (2000, 7, "uint8"),
        (1030, 25, "float32"),  # rows are turned round
        (700, 2, "uint8"),
    ],
)
def test_features_in_stretches(D, C, x, loss):
    rng = np.random.default_rng(D)
    for batch, extra in [(200, False), (400, True)]:  # two slots of blocks, and more
        X, y, view = problem(rng, 300, D, C, x, shift=extra, scale=extra)
        rates = [1e-6, 1e-7, 3e-7]
        check(loss, X, y, rates, [1.0, 100.0], steps=3, batch=batch, fit_bias=extra, **view)


@losses
@pytest.mark.parametrize(("batch", "D"), [(1100, 3073), (20_001, 3)])
def test_many_slots_of_blocks(batch, D, loss):
    X, y, view = problem(np.random.default_rng(9), 50, D, 4, "uint8", shift=True)
    check(loss, X, y, [1e-7, 1e-6, 1e-5], 1.0, steps=2, batch=batch, fit_bias=True, **view)


@losses
@given(
    seed=st.integers(0, 2**32 - 1),
    D=st.integers(1, 200),
    C=st.integers(1, 24),
    K=st.integers(1, 23),
    batch=st.integers(1, 400),
    x=st.sampled_from(["float32", "float64", "uint8"]),
    on=st.sets(st.sampled_from(["shift", "scale", "fit_bias"])),
)
def test_any_shape(loss, seed, D, C, K, batch, x, on):
    rng = np.random.default_rng(seed)
    view = {"shift": "shift" in on, "scale": "scale" in on}
    X, y, options = problem(rng, 50, D, C, x, **view)
    rates = rng.uniform(1e-5, 1e-3, K).tolist()
    check(loss, X, y, rates, 0.1, steps=2, batch=batch, fit_bias="fit_bias" in on, **options)


@losses
@pytest.mark.parametrize(
    "layout", ["fortran", "strided", "int32", "read-only", "big-endian", "memmap"]
)
def test_layouts(layout, loss, tmp_path):
    X, y, view = problem(np.random.default_rng(0), 80, 40, 4, shift=True)
    if layout == "fortran":
        X = np.asfortranarray(X)
    elif layout == "strided":
        X = np.repeat(X, 2, axis=1)[:, ::2]
    elif layout == "read-only":
        X.flags.writeable = False
    elif layout == "big-endian":
        X = X.astype(">f4")
    elif layout == "memmap":
        np.save(tmp_path / "X.npy", X)
        X = np.load(tmp_path / "X.npy", mmap_mode="r")
    else:
        X = (10 * X).astype(np.int32)
    want = np.ascontiguousarray(X, np.float32)
    ours = train_many(X, y, [0.01, 0.02], 0.1, n_steps=5, batch_size=20, **view)
    theirs = train_many(want, y, [0.01, 0.02], 0.1, n_steps=5, batch_size=20, **view)
    for one, other in zip(ours, theirs, strict=True):
        same(one.W, other.W)


@losses
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("x", ["float32", "float64", "uint8", "int64", "bool"])
def test_first_weights_say_what_the_arithmetic_is(x, dtype, loss):
    rng = np.random.default_rng(8)
    X, y, _ = problem(rng, 80, 40, 4)
    X = (1000 * X).astype(x) if x == "int64" else (X > 0) if x == "bool" else abs(X).astype(x)
    start = first(X, 4).astype(dtype)
    models = train_many(
        X, y, [1e-7, 1e-6, 1e-5], loss=loss, start=start, n_steps=5, batch_size=20, random_state=5
    )
    random = np.random.RandomState(5)
    batches = [random.randint(0, 80, 20) for _ in range(5)]
    for model in models:
        W, _, found = alone(loss, X, y, model, start, batches)
        same(model.W, W)
        assert model.losses.tolist() == found


@losses
@pytest.mark.parametrize("x", ["float32", "float64"])
def test_sparse_rows(x, loss):
    sparse = pytest.importorskip("scipy.sparse")
    X, y, _ = problem(np.random.default_rng(1), 90, 30, 4, x)
    X = sparse.csr_array(np.where(X > 0.8, X, 0).astype(x))
    check(loss, X, y, [0.01, 0.1], [0.0, 0.1], steps=4, batch=25, fit_bias=True)
    other = train_many(X.tocoo(), y, [0.01, 0.1], loss=loss, n_steps=3)
    same(other[1].W, train_many(X, y, 0.1, loss=loss, n_steps=3)[0].W)


@losses
def test_the_courses_own_classifiers(loss):
    X, y, view = problem(np.random.default_rng(2), 120, 50, 5, "uint8", shift=True)
    start = first(X, 5, 7)
    models = train_many(
        X,
        y,
        [1e-6, 1e-5],
        [0.0, 3.0],
        loss=loss,
        n_steps=30,
        batch_size=40,
        fit_bias=True,
        start=start,
        random_state=9,
        **view,
    )
    before = np.random.get_state()
    for model in models:
        course = {"softmax": Softmax, "hinge": LinearSVM}[loss]()
        course.W = start
        np.random.seed(9)
        rate, reg = model.learning_rate, model.reg
        history = course.train(X, y, rate, reg, 30, 40, fit_bias=True, **view)
        same(model.W, course.W)
        same(model.b, course.b)
        assert model.losses.tolist() == history
        assert (model.predict(X) == course.predict(X)).all()
    np.random.set_state(before)


@losses
@pytest.mark.parametrize("x", ["float32", "float64", "uint8"])
def test_neither_neighbours_nor_threads_count(x, loss):
    X, y, view = problem(np.random.default_rng(3), 200, 150, 6, x, shift=True, scale=True)
    rates, regs, seeds = np.geomspace(1e-4, 1e-2, 5).tolist(), [0.0, 0.1], [0, 3, 4]

    def train(rates: Any, regs: Any, seeds: Any, n_threads: int | None) -> Models:
        return train_many(
            X,
            y,
            rates,
            regs,
            seeds,
            loss=loss,
            n_steps=12,
            batch_size=64,
            fit_bias=True,
            n_threads=n_threads,
            **view,
        )

    every = train(rates, regs, seeds, None)
    assert len(every) == 30
    for n_threads in (1, 2, 3, 5):
        for one, other in zip(train(rates, regs, seeds, n_threads), every, strict=True):
            same(one.W, other.W)
            same(one.losses, other.losses)
    for model in every[::7]:
        (single,) = train(model.learning_rate, model.reg, model.seed, None)
        same(single.W, model.W)
        same(single.b, model.b)
        same(single.losses, model.losses)


@losses
@pytest.mark.parametrize("x", ["float32", "uint8", "float64"])
@pytest.mark.parametrize("view", [False, True])
def test_models_that_diverge(x, view, loss):
    """Some leave the finite numbers at once, some slowly, and some not at all."""
    rng = np.random.default_rng(4)
    X, y, options = problem(rng, 100, 40, 4, x, shift=view, scale=view)
    rates = [1e-4, 1e3, 1e8, 3e-5, 1e30, 2.0]
    models = check(loss, X, y, rates, [1e-3, 10.0], steps=80, batch=30, fit_bias=True, **options)
    assert 0 < sum(model.diverged for model in models) < len(models)
    assert {model.n_steps for model in models} == {80}
    assert any(np.isnan(model.W).all() for model in models)


@losses
def test_data_that_are_not_finite(loss):
    X, y, _ = problem(np.random.default_rng(5), 60, 20, 3)
    X[4, 3], X[7, 0] = np.nan, np.inf
    check(loss, X, y, [0.1, 0.2], 0.1, steps=6, batch=5)


def test_what_is_not_packed(monkeypatch):
    """Batches too large for a copy, and scales far out of range, have the same bits."""
    X, y, view = problem(np.random.default_rng(6), 60, 30, 3, shift=True, scale=True)
    want = train_many(X, y, [0.1, 0.2], n_steps=5, **view)
    monkeypatch.setattr(stacked, "MOST_BYTES", 0)
    for one, other in zip(train_many(X, y, [0.1, 0.2], n_steps=5, **view), want, strict=True):
        same(one.W, other.W)
    monkeypatch.undo()
    view["scale"][3] = 1e-30
    check("softmax", X, y, [0.1, 0.2], 0.0, steps=3, batch=10, **view)


@pytest.mark.parametrize(("n_models", "n_classes"), [(1, 10), (7, 3), (100, 10), (5, 300)])
def test_groups_share_the_work(n_models, n_classes):
    """The last thread works about as long as the others, and few columns are empty."""
    sizes = [-(-k * n_classes // 16) for k in range(1, stacked._most(n_classes) + 1)]
    for n_threads in (1, 2, 4):
        groups = range(1, min(n_models, len(sizes)) + 1)
        best = min(stacked._cost(group, sizes, n_models, n_threads) for group in groups)
        ideal = n_models * n_classes / 16 / sizes[0] / min(n_threads, n_models)
        assert best < 2.5 * ideal + 1
