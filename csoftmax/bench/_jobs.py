"""The jobs of the benchmarks: their data, their contestants and what csoftmax is to reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

import csoftmax
from csoftmax import reference
from csoftmax.bench._peers import (
    Array,
    Run,
    jax_cross_entropy,
    jax_function,
    numpy_cross_entropy,
    numpy_shares,
    numpy_softmax,
    numpy_svm,
    optional,
    present,
    sklearn_softmax,
    torch_cross_entropy,
)
from csoftmax.cs231n.classifiers import Softmax

Shape = tuple[int, ...]

BATCH, STEPS, RATE = 200, 1500, 1e-3


@dataclass
class Case:
    """Data of a job: who computes it, and what it takes at least."""

    runs: dict[str, Run]  # "csoftmax" first; each result is compared with the truth
    truth: Run  # the result in float64
    tolerance: float  # of the largest element; of labels: how many may differ
    moved: int  # bytes: inputs read once, outputs written once
    flops: float = 0.0  # multiplications and additions of the products
    footprint: int = 0  # bytes that the moved ones are taken from, if more


class Job(NamedTuple):
    """A line of the table."""

    name: str
    shape: Shape
    dtype: str
    make: Callable[[Shape, str], Case]
    #: how many times as fast as a peer; "limit v3": the fraction of it, with that instruction set;
    #: "MB": memory at most
    goals: Mapping[str, float]
    short: bool = False  # also in the table of `csoftmax bench`

    def __str__(self) -> str:
        return f"{self.name} {'x'.join(map(str, self.shape))} {self.dtype}"


def select(text: str = "", *, short: bool = False) -> list[Job]:
    """Return the jobs whose line has this text; without one all, or those of the short table."""
    jobs = [job for job in JOBS if text in str(job) and (text or job.short or not short)]
    if not jobs:
        names = ", ".join(dict.fromkeys(job.name for job in JOBS))
        raise ValueError(f"no job has {text!r} in its line: wanted part of one, such as {names}")
    return jobs


def _tolerance(dtype: str, single: float = 1e-4) -> float:
    return 1e-10 if dtype == "float64" else single


# ---- linear models -----------------------------------------------------------------------------


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
        "tolerance": _tolerance(str(X.dtype)),
        "moved": X.nbytes + y.nbytes + 2 * W.nbytes,
        "flops": 4.0 * len(X) * W.size,
    }


def softmax_loss(shape: Shape, dtype: str) -> Case:
    """Loss and gradient of a linear model."""
    W, X, y = _data(shape, dtype)
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
        _tolerance(dtype),
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
        _tolerance(dtype, 1e-3),
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
        _tolerance(dtype),
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
        _tolerance(dtype),
        X.nbytes + W.nbytes + X.itemsize * len(X) * shape[2],
        2.0 * np.prod(shape, dtype=float),
    )


# ---- logits ------------------------------------------------------------------------------------


def _logits(shape: Shape, dtype: str) -> tuple[Array, Array]:
    """Logits, and an array for as many results."""
    real: Any = dtype
    x = np.random.default_rng(0).standard_normal(shape, dtype=real)
    x *= 3
    return x, np.empty_like(x)


def softmax(shape: Shape, dtype: str, axis: int = 1) -> Case:
    """Softmax into an array that is there (SciPy has no out=)."""
    x, out = _logits(shape, dtype)
    scipy, torch = optional("scipy.special"), optional("torch")
    into = torch and torch.from_numpy(np.empty_like(x))
    return Case(
        present(
            csoftmax=lambda: csoftmax.softmax(x, axis, out=out),
            scipy=scipy and (lambda: scipy.softmax(x, axis)),
            torch=torch and (lambda: torch.softmax(torch.from_numpy(x), axis, out=into).numpy()),
            jax=jax_function(lambda jax: lambda x: jax.nn.softmax(x, axis), x),
        ),
        lambda: reference.softmax(x, axis),
        _tolerance(dtype, 1e-5),
        2 * x.nbytes,
    )


def softmax_of_columns(shape: Shape, dtype: str) -> Case:
    """Softmax over the first axis."""
    return softmax(shape, dtype, axis=0)


def logsumexp(shape: Shape, dtype: str) -> Case:
    """Logarithm of the sum of the exponentials of each row."""
    x, _ = _logits(shape, dtype)
    scipy, torch = optional("scipy.special"), optional("torch")
    return Case(
        present(
            csoftmax=lambda: csoftmax.logsumexp(x, 1),
            scipy=scipy and (lambda: scipy.logsumexp(x, 1)),
            torch=torch and (lambda: torch.logsumexp(torch.from_numpy(x), 1).numpy()),
            jax=jax_function(lambda jax: lambda x: jax.nn.logsumexp(x, 1), x),
        ),
        lambda: reference.logsumexp(x, 1),
        _tolerance(dtype, 1e-5),
        x.nbytes + x.itemsize * len(x),
    )


def weighted_logsumexp(shape: Shape, dtype: str) -> Case:
    """The same with weights."""
    x, b = _logits(shape, dtype)
    b[...] = np.random.default_rng(1).uniform(0.5, 2, shape)
    scipy = optional("scipy.special")
    return Case(
        present(
            csoftmax=lambda: csoftmax.logsumexp(x, 1, b=b),
            scipy=scipy and (lambda: scipy.logsumexp(x, 1, b=b)),
            jax=jax_function(lambda jax: lambda x, b: jax.nn.logsumexp(x, 1, b=b), x, b),
        ),
        lambda: reference.logsumexp(x, 1, b=b),
        _tolerance(dtype, 1e-5),
        2 * x.nbytes + x.itemsize * len(x),
    )


def cross_entropy(shape: Shape, dtype: str) -> Case:
    """Loss on logits and its gradient, ours into an array that is there."""
    z, out = _logits(shape, dtype)
    y = np.random.default_rng(1).integers(0, shape[1], shape[0])

    def numpy() -> tuple[Any, Array]:
        p = z - z.max(axis=1, keepdims=True)
        return numpy_cross_entropy(p, y), p

    return Case(
        present(
            csoftmax=lambda: csoftmax.cross_entropy_with_grad(z, y, out=out),
            numpy=numpy,
            torch=torch_cross_entropy(z, y),
            jax=jax_cross_entropy(z, y),
        ),
        lambda: reference.cross_entropy_with_grad(z, y),
        _tolerance(dtype, 1e-5),
        2 * z.nbytes + y.nbytes,
    )


# ---- the table ---------------------------------------------------------------------------------

CIFAR, MNIST, WIDE = (49000, 3073, 10), (60000, 784, 10), (20000, 512, 1000)
MANY, ROWS, VOCABULARY = (200000, 10), (20000, 1000), (2048, 50257)
SINGLE, DOUBLE = "float32", "float64"


def _limits(v4: float, v3: float, **others: float) -> dict[str, float]:
    return {"limit v4": v4, "limit v3": v3} | others


JOBS = (
    Job("softmax_loss", CIFAR, SINGLE, softmax_loss, _limits(0.75, 0.65)),
    Job("softmax_loss", CIFAR, DOUBLE, softmax_loss, _limits(0.7, 0.65)),
    Job("softmax_loss shift= scale= bias=", CIFAR, "uint8", pixels_loss, _limits(0.75, 0.65)),
    Job("softmax_loss", (500, 3073, 10), SINGLE, softmax_loss, _limits(0.55, 0.55), True),
    # lines of rows 4 KiB apart crowd in the first-level cache
    Job("softmax_loss", (40000, 1024, 10), SINGLE, softmax_loss, {}),
    Job("softmax_loss", (20000, 2048, 10), SINGLE, softmax_loss, {}),
    Job("softmax_loss", (10000, 4096, 10), SINGLE, softmax_loss, {}),
    Job("softmax_loss", MNIST, SINGLE, softmax_loss, _limits(0.75, 0.68), True),
    Job("softmax_loss", MNIST, DOUBLE, softmax_loss, _limits(0.75, 0.68)),
    Job("softmax_loss", (200000, 54, 7), SINGLE, softmax_loss, _limits(0.4, 0.35), True),
    Job("softmax_loss", (200000, 54, 7), DOUBLE, softmax_loss, _limits(0.4, 0.35)),
    # MB: less than the array of 20000 x 1000 would take
    Job("softmax_loss", WIDE, SINGLE, softmax_loss, _limits(0.85, 0.75, MB=80)),
    Job("softmax_loss", WIDE, DOUBLE, softmax_loss, _limits(0.85, 0.75, MB=160)),
    Job("softmax_loss", (100000, 100, 100), SINGLE, softmax_loss, _limits(0.7, 0.65)),
    Job("softmax_loss", (1, 64, 10), DOUBLE, softmax_loss, {"numpy": 1}, True),
    Job("softmax_loss, 20 x rows= of 200", CIFAR, SINGLE, batches, _limits(0.5, 0.45)),
    Job("Softmax.train, 1500 steps of 200", CIFAR, SINGLE, training, {"numpy": 4}),
    Job("svm_loss", CIFAR, SINGLE, svm_loss, _limits(0.75, 0.65)),
    Job("svm_loss", MNIST, SINGLE, svm_loss, _limits(0.75, 0.68), True),
    Job("labels of a linear model", MNIST, SINGLE, labels, {"numpy": 3}, True),
    Job("probabilities of a linear model", MNIST, SINGLE, probabilities, {"numpy": 3}),
    Job("softmax out=", MANY, SINGLE, softmax, {"scipy": 14, "torch": 9, "jax": 2.5}, True),
    Job("softmax out=", MANY, DOUBLE, softmax, {"scipy": 8, "torch": 5}, True),
    Job("softmax out=", ROWS, SINGLE, softmax, {"scipy": 9, "torch": 1.2}, True),
    Job("softmax out=", VOCABULARY, SINGLE, softmax, {"torch": 2.5}),
    Job("softmax out=", (1, 10), DOUBLE, softmax, {"scipy": 2}, True),
    Job("softmax of columns out=", (1000, 20000), SINGLE, softmax_of_columns, {"scipy": 4}),
    Job("logsumexp", MANY, SINGLE, logsumexp, {"scipy": 10}, True),
    Job("logsumexp", MANY, DOUBLE, logsumexp, {"scipy": 10}),
    Job("logsumexp", ROWS, SINGLE, logsumexp, {"scipy": 10}),
    Job("logsumexp", VOCABULARY, SINGLE, logsumexp, {"scipy": 10}),
    Job("logsumexp b=", MANY, SINGLE, weighted_logsumexp, {"scipy": 5}),
    Job("logsumexp b=", MANY, DOUBLE, weighted_logsumexp, {"scipy": 5}),
    Job("logsumexp b=", ROWS, SINGLE, weighted_logsumexp, {"scipy": 5}),
    Job("logsumexp b=", ROWS, DOUBLE, weighted_logsumexp, {"scipy": 5}),
    Job(
        "cross_entropy_with_grad out=",
        MANY,
        SINGLE,
        cross_entropy,
        {"numpy": 8, "torch": 8, "jax": 2.5},
        True,
    ),
    Job("cross_entropy_with_grad out=", ROWS, SINGLE, cross_entropy, {"numpy": 5, "torch": 8}),
)
