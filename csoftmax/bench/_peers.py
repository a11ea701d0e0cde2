"""The contestants beside csoftmax, and what they compute with."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax._native import threads

Array = npt.NDArray[Any]
Run = Callable[[], Any]

#: contestant -> the module that it needs
PEERS = {
    "numpy": "numpy",
    "scipy": "scipy.special",
    "sklearn": "sklearn.linear_model._linear_loss",
    "torch": "torch",
    "jax": "jax",
}

#: contestants whose threads are as many as the processors, whatever is asked of them later
ALL_PROCESSORS = {"jax"}


def optional(module: str) -> Any:
    """Return a module, or None where it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError:
        return None


def missing() -> list[str]:
    """Return the packages that are not installed, without which the table has less."""
    wanted = PEERS | {"threadpoolctl": "threadpoolctl"}
    return [name for name, module in wanted.items() if optional(module) is None]


def present(**runs: Run | None) -> dict[str, Run]:
    """Leave out the contestants that are not installed."""
    return {name: run for name, run in runs.items() if run is not None}


def numpy_softmax(W: Array, X: Array, y: Array, bias: Array | None = None) -> tuple[Any, ...]:
    """The course's solution: two matrix products, and the softmax of an N x C array."""
    P = X @ W
    if bias is not None:
        P += bias
    P -= P.max(axis=1, keepdims=True)
    loss = numpy_cross_entropy(P, y)
    return (loss, X.T @ P) if bias is None else (loss, X.T @ P, P.sum(axis=0))


def numpy_cross_entropy(P: Array, y: Array) -> Any:
    """The loss on scores less their maxima, which become its gradient in place."""
    numpy_shares(P)
    rows = np.arange(len(y))
    loss = -np.log(P[rows, y]).mean()
    P[rows, y] -= 1
    P /= len(y)
    return loss


def numpy_shares(P: Array) -> None:
    """The softmax of scores less their maxima, in place."""
    np.exp(P, out=P)
    P /= P.sum(axis=1, keepdims=True)


def numpy_grad_hess(scores: Array, y: Array, factor: float, least: float) -> tuple[Array, Array]:
    """What boosted trees grow by, as those write it who know NumPy, with the maximum taken out."""
    P = scores - scores.max(axis=1, keepdims=True)
    numpy_shares(P)
    hess = factor * P * (1 - P)
    if least:
        hess = np.maximum(hess, least)
    P[np.arange(len(y)), y] -= 1
    return P, hess


def numpy_svm(W: Array, X: Array, y: Array) -> tuple[Any, ...]:
    """The course's solution for the hinge."""
    rows = np.arange(len(y))
    S = X @ W
    M = np.maximum(0, S - S[rows, y][:, None] + 1)
    M[rows, y] = 0
    loss = M.sum() / len(y)
    H = (M > 0).astype(W.dtype)
    H[rows, y] = -H.sum(axis=1)
    H /= len(y)
    return loss, X.T @ H


def sklearn_softmax(W: Array, X: Array, y: Array) -> Run | None:
    """What scikit-learn's LogisticRegression calls in each iteration."""
    if not (module := optional(PEERS["sklearn"])):
        return None
    half = importlib.import_module("sklearn._loss").HalfMultinomialLoss(n_classes=W.shape[1])
    model = module.LinearModelLoss(base_loss=half, fit_intercept=False)
    labels = y.astype(X.dtype)

    def run() -> tuple[Any, Any]:
        loss, grad = model.loss_gradient(W.T, X, labels, n_threads=threads.default())
        return loss, grad.T

    return run


def torch_cross_entropy(x: Array, y: Array, W: Array | None = None) -> Run | None:
    """Loss by autograd, and the gradient by W or, without it, by the logits x."""
    if not (torch := optional("torch")):
        return None
    labels, fixed = torch.from_numpy(y), torch.from_numpy(x)

    def run() -> tuple[Any, Any]:
        free = torch.from_numpy(x if W is None else W).requires_grad_()
        logits = free if W is None else fixed @ free
        loss = torch.nn.functional.cross_entropy(logits, labels)
        loss.backward()
        return loss.item(), free.grad.numpy()

    return run


def jax_function(make: Callable[[Any], Callable[..., Any]], *arrays: Array) -> Run | None:
    """What `make(jax)` returns, compiled, of arrays that JAX has already."""
    if not (jax := optional("jax")):
        return None
    jax.config.update("jax_enable_x64", True)
    held = [jax.numpy.asarray(x) for x in arrays]
    compiled = jax.jit(make(jax))
    return lambda: jax.tree.map(np.asarray, compiled(*held))


def jax_cross_entropy(x: Array, y: Array, W: Array | None = None) -> Run | None:
    """Loss, and the gradient by W or, without it, by the logits x."""

    def make(jax: Any) -> Callable[..., Any]:
        def loss(free: Any, y: Any, *x: Any) -> Any:
            logits = x[0] @ free if x else free
            shares = jax.nn.log_softmax(logits, axis=1)
            return -jax.numpy.take_along_axis(shares, y[:, None], axis=1).mean()

        return jax.value_and_grad(loss)  # type: ignore[no-any-return]

    return jax_function(make, x, y) if W is None else jax_function(make, W, y, x)
