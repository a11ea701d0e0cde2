"""The jobs of linear models, and of the course's loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import csoftmax
from csoftmax import reference
from csoftmax.bench._case import SURE, Case, Shape, tolerance
from csoftmax.bench._peers import (
    Array,
    Run,
    jax_cross_entropy,
    numpy_shares,
    numpy_softmax,
    numpy_svm,
    present,
    sklearn_softmax,
    torch_cross_entropy,
)
from csoftmax.cs231n.classifiers import Softmax

BATCH, STEPS, RATE = 200, 1500, 1e-3
BEST, KEPT = 5, 1 << 26  # classes of each row; bytes of scores


def _data(shape: Shape, dtype: str) -> tuple[Array, Array, Array]:
    """W, X and y of a linear model."""
    n, d, c = shape
    rng = np.random.default_rng(0)
    real: Any = "float32" if dtype == "uint8" else dtype
    W = (0.01 * rng.standard_normal((d, c))).astype(real)
    X: Array = rng.integers(0, 256, (n, d), np.uint8) if dtype == "uint8" else np.empty(0)
    X = X if dtype == "uint8" else rng.standard_normal((n, d), dtype=real)
    return W, X, rng.integers(0, c, n)


def _costs(W: Array, X: Array, y: Array) -> dict[str, Any]:
    """What a loss with its gradient takes, and how exact it is to be."""
    return {
        "tolerance": tolerance(str(X.dtype)),
        "moved": X.nbytes + y.nbytes + 2 * W.nbytes,
        "flops": 4.0 * len(X) * W.size,
    }


def softmax_loss(shape: Shape, dtype: str, spread: float | None = None) -> Case:
    """Loss and gradient of a linear model, with this spread of scores."""
    W, X, y = _data(shape, dtype)
    if spread is not None:
        W *= spread / (X[:100] @ W).std()
        y = (X @ W).argmax(axis=1)  # of others NumPy's loss is infinite
    out = np.empty_like(W)
    return Case(
        present(
            csoftmax=lambda: csoftmax.softmax_loss(W, X, y, out=out),
            numpy=lambda: numpy_softmax(W, X, y),
            sklearn=sklearn_softmax(W, X, y),
            torch=torch_cross_entropy(X, y, W),
            jax=jax_cross_entropy(X, y, W),
        ),
        lambda: reference.softmax_loss(W, X, y),
        **_costs(W, X, y),
    )


def sure_softmax_loss(shape: Shape, dtype: str) -> Case:
    """The same of a model that is sure."""
    return softmax_loss(shape, dtype, SURE)


def pixels_loss(shape: Shape, dtype: str) -> Case:
    """The same of pixels, shifted and scaled, with a bias; the peers have them ready in float32."""
    W, X, y = _data(shape, dtype)
    shift, scale = X.mean(axis=0, dtype=np.float64), np.full(shape[1], 1 / 255)
    ready = X.astype(W.dtype)
    ready -= shift.astype(W.dtype)
    ready *= scale.astype(W.dtype)
    bias, out = np.linspace(-1, 1, shape[2], dtype=W.dtype), np.empty_like(W)
    options: dict[str, Any] = {"bias": bias, "shift": shift, "scale": scale}
    return Case(
        {
            "csoftmax": lambda: csoftmax.softmax_loss(W, X, y, out=out, **options),
            "numpy": lambda: numpy_softmax(W, ready, y, bias),
        },
        lambda: reference.softmax_loss(W, X, y, **options),
        **_costs(W, X, y),
    )


def svm_loss(shape: Shape, dtype: str) -> Case:
    """Hinge loss and gradient of a linear model."""
    W, X, y = _data(shape, dtype)
    out = np.empty_like(W)
    return Case(
        {
            "csoftmax": lambda: csoftmax.svm_loss(W, X, y, out=out),
            "numpy": lambda: numpy_svm(W, X, y),
        },
        lambda: reference.svm_loss(W, X, y),
        **_costs(W, X, y),
    )


def batches(shape: Shape, dtype: str) -> Case:
    """Loss and gradient of mini-batches, one after the other: more rows than stay in the cache."""
    W, X, y = _data(shape, dtype)
    drawn = np.random.default_rng(1).integers(0, shape[0], (20, BATCH))
    out = np.empty_like(W)

    def run(step: Callable[[Array], tuple[Any, ...]]) -> Run:
        def steps() -> tuple[list[float], Array]:
            results = [step(rows) for rows in drawn]
            return [loss for loss, _ in results], results[-1][1]

        return steps

    return Case(
        {
            "csoftmax": run(lambda rows: csoftmax.softmax_loss(W, X, y, rows=rows, out=out)),
            "numpy": run(lambda rows: numpy_softmax(W, X[rows], y[rows])),
        },
        run(lambda rows: reference.softmax_loss(W, X, y, rows=rows)),
        tolerance(dtype),
        drawn.size * (shape[1] * X.itemsize + 8) + len(drawn) * 2 * W.nbytes,
        4.0 * drawn.size * W.size,
        X.nbytes,
    )


def training(shape: Shape, dtype: str) -> Case:
    """The course's loop: stochastic gradient descent, from zero."""
    W, X, y = _data(shape, dtype)
    W[...] = 0

    def ours() -> tuple[list[float], Any]:
        np.random.seed(0)  # noqa: NPY002 - what train draws from
        model = Softmax()
        model.W = W
        return model.train(X, y, RATE, reg=0.0, num_iters=STEPS, batch_size=BATCH), model.W

    def plain(step: Callable[..., Any], start: Array) -> Run:
        def run() -> tuple[list[float], Array]:
            np.random.seed(0)  # noqa: NPY002
            trained, losses = start.copy(), []
            for _ in range(STEPS):
                rows = np.random.choice(len(X), BATCH)  # noqa: NPY002
                loss, grad = step(trained, X[rows], y[rows])
                trained -= RATE * grad
                losses.append(float(loss))
            return losses, trained

        return run

    return Case(
        {"csoftmax": ours, "numpy": plain(numpy_softmax, W)},
        plain(reference.softmax_loss, W.astype(np.float64)),
        tolerance(dtype, 1e-3),
        STEPS * (BATCH * (shape[1] * X.itemsize + 8) + 4 * W.nbytes),
        4.0 * STEPS * BATCH * W.size,
        X.nbytes,
    )


def labels(shape: Shape, dtype: str) -> Case:
    """Class of the largest score."""
    W, X, _ = _data(shape, dtype)
    return Case(
        {
            "csoftmax": lambda: csoftmax.linear_predict(W, X),
            "numpy": lambda: (X @ W).argmax(axis=1),
        },
        lambda: reference.linear_predict(W, X),
        tolerance(dtype),
        X.nbytes + W.nbytes + 8 * len(X),
        2.0 * np.prod(shape, dtype=float),
    )


def probabilities(shape: Shape, dtype: str) -> Case:
    """Softmax of the scores."""
    W, X, _ = _data(shape, dtype)

    def numpy() -> Array:
        P: Array = X @ W
        P -= P.max(axis=1, keepdims=True)
        numpy_shares(P)
        return P

    return Case(
        {
            "csoftmax": lambda: csoftmax.linear_predict_proba(W, X),
            "numpy": numpy,
        },
        lambda: reference.linear_predict_proba(W, X),
        tolerance(dtype),
        X.nbytes + W.nbytes + X.itemsize * len(X) * shape[2],
        2.0 * np.prod(shape, dtype=float),
    )


def top_k(shape: Shape, dtype: str) -> Case:
    """The most probable classes of each row; NumPy by blocks, all whose scores it may keep."""
    W, X, _ = _data(shape, dtype)
    rows = max(1, KEPT // (X.itemsize * shape[2]))

    def numpy() -> tuple[Array, Array]:
        found = [_numpy_top_k(X[start : start + rows] @ W) for start in range(0, len(X), rows)]
        labels, shares = zip(*found, strict=True)
        return np.concatenate(labels), np.concatenate(shares)

    return Case(
        {
            "csoftmax": lambda: csoftmax.linear_top_k(W, X, BEST),
            "numpy": numpy,
        },
        lambda: reference.linear_top_k(W, X, BEST),
        # of float32's scores some are as near to each other as they are exact
        tolerance(dtype, 1e-3),
        X.nbytes + W.nbytes + len(X) * BEST * (8 + X.itemsize),
        2.0 * np.prod(shape, dtype=float),
    )


def _numpy_top_k(Z: Array) -> tuple[Array, Array]:
    best = np.argpartition(Z, -BEST, axis=1)[:, -BEST:]
    scores = np.take_along_axis(Z, best, axis=1)
    order = np.argsort(-scores, axis=1)
    best, scores = (np.take_along_axis(a, order, axis=1) for a in (best, scores))
    most = scores[:, :1]
    Z -= most
    np.exp(Z, out=Z)
    return best, np.exp(scores - most) / Z.sum(axis=1, keepdims=True)
