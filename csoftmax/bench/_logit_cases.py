"""The jobs of rows of logits."""

from __future__ import annotations

from typing import Any

import numpy as np

import csoftmax
from csoftmax import reference
from csoftmax.bench._case import SURE, Case, Shape, tolerance
from csoftmax.bench._peers import (
    Array,
    jax_cross_entropy,
    jax_function,
    numpy_cross_entropy,
    numpy_grad_hess,
    optional,
    present,
    torch_cross_entropy,
)
from csoftmax.boosting import softmax_objective


def _logits(shape: Shape, dtype: str, spread: float = 3.0) -> tuple[Array, Array]:
    """Logits, and an array for as many results."""
    real: Any = dtype
    x = np.random.default_rng(0).standard_normal(shape, dtype=real)
    x *= spread
    return x, np.empty_like(x)


def softmax(shape: Shape, dtype: str, axis: int = 1, spread: float = 3.0) -> Case:
    """Softmax into an array that is there (SciPy has no out=)."""
    x, out = _logits(shape, dtype, spread)
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
        tolerance(dtype, 1e-5),
        2 * x.nbytes,
    )


def softmax_of_columns(shape: Shape, dtype: str) -> Case:
    """Softmax over the first axis."""
    return softmax(shape, dtype, axis=0)


def sure_softmax(shape: Shape, dtype: str) -> Case:
    """Softmax of a model that is sure."""
    return softmax(shape, dtype, spread=SURE)


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
        tolerance(dtype, 1e-5),
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
        tolerance(dtype, 1e-5),
        2 * x.nbytes + x.itemsize * len(x),
    )


def boosting(shape: Shape, dtype: str) -> Case:
    """Gradient and Hessian for boosted trees, from labels and scores as XGBoost hands them over."""
    scores, _ = _logits(shape, dtype)
    y = np.random.default_rng(1).integers(0, shape[1], shape[0])
    objective = softmax_objective(hessian="bound")
    return Case(
        present(
            csoftmax=lambda: objective(y, scores),
            numpy=lambda: numpy_grad_hess(scores, y, factor=2.0, least=1e-16),
        ),
        lambda: reference.softmax_grad_hess(scores, y, curvature=2.0)[1:],
        tolerance(dtype, 1e-5),
        3 * scores.nbytes + y.nbytes,
    )


def cross_entropy(shape: Shape, dtype: str, spread: float = 3.0) -> Case:
    """Loss on logits and its gradient, ours into an array that is there."""
    z, out = _logits(shape, dtype, spread)
    y = np.random.default_rng(1).integers(0, shape[1], shape[0])
    y = z.argmax(axis=1) if spread == SURE else y  # of others NumPy's loss is infinite

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
        tolerance(dtype, 1e-5),
        2 * z.nbytes + y.nbytes,
    )


def sure_cross_entropy(shape: Shape, dtype: str) -> Case:
    """The same of a model that is sure."""
    return cross_entropy(shape, dtype, SURE)
