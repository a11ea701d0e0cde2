"""Fully connected networks: parameters, scores, loss and gradients.

With a_1 = X W_1 + b_1, h_l = f(a_l), a_{l+1} = h_l W_{l+1} + b_{l+1}, and the last a as scores,

    loss = softmax loss of the scores + reg/2 sum_l sum(W_l**2)

`forward` and `backward` are the two halves of f, by the number of the layer; a rectifier where
none are given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from string import ascii_letters
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from csoftmax._native import checks
from csoftmax.cs231n._penalty import half_form
from csoftmax.cs231n.layers.affine import (
    affine_backward,
    affine_forward,
    as_rows,
    parameter_gradients,
    relu_backward,
)
from csoftmax.cs231n.layers.losses import softmax_loss

_Array = NDArray[Any]
Params = dict[str, _Array]
Forward = Callable[[int, _Array], tuple[_Array, Any]]
Backward = Callable[[int, _Array, Any], tuple[_Array, Params]]


def initial(dims: Sequence[int], scale: float, dtype: np.dtype[Any]) -> Params:
    """Weights from a normal distribution, drawn as in the course, and biases of 0."""
    params = {}
    for layer, (n_in, n_out) in enumerate(pairwise(dims), 1):
        W = scale * np.random.randn(n_in, n_out)  # noqa: NPY002 - the course's draws
        params[f"W{layer}"] = W.astype(dtype, copy=False)
        params[f"b{layer}"] = np.zeros(n_out, dtype)
    return params


def evaluate(
    params: Params,
    X: ArrayLike,
    y: ArrayLike | None,
    reg: float,
    forward: Forward | None = None,
    backward: Backward | None = None,
) -> Any:
    """The scores of X where y is None, else the loss and its gradients by all parameters."""
    forward, backward = forward or _rectify, backward or _unrectify
    reg = half_form(reg)
    out = _input(X, params["W1"])
    caches: list[tuple[Any, Any]] = []
    layers = range(1, n_layers(params) + 1)
    for layer in layers:
        out, of_affine = affine_forward(out, params[f"W{layer}"], params[f"b{layer}"])
        between = None
        if layer < len(layers):
            out, between = forward(layer, out)
        caches.append((of_affine, between))
    if y is None:
        return out
    loss, dout = softmax_loss(out, y, out=out)
    grads: Params = {}
    for layer in reversed(layers):
        of_affine, between = caches.pop()
        if layer < len(layers):
            dout, of_parameters = backward(layer, dout, between)
            grads |= of_parameters
        if layer > 1:
            dout, dW, db = affine_backward(dout, of_affine)
        else:
            dW, db = parameter_gradients(dout, of_affine)
        W = params[f"W{layer}"]
        loss += reg / 2 * float(np.vdot(W, W))
        dW += reg * W
        grads[f"W{layer}"], grads[f"b{layer}"] = dW, db
    return loss, grads


def n_layers(params: Params) -> int:
    """How many affine layers there are: W1, W2, ... without a gap."""
    count = 0
    while f"W{count + 1}" in params:
        count += 1
    return count


def described(params: Params) -> str:
    """The widths of the layers, the dtype, and how many numbers there are."""
    layers = range(1, n_layers(params) + 1)
    widths = [len(params["W1"]), *(params[f"W{layer}"].shape[1] for layer in layers)]
    size = sum(part.size for part in params.values())
    return f"{' -> '.join(map(str, widths))}, {params['W1'].dtype}, {size} parameters"


def fitting(parts: dict[str, Any], names: Sequence[str], more: Sequence[str]) -> Params:
    """Of a stored network: exactly these parts, perhaps with more, in shapes that fit."""
    if set(parts) not in (set(names), {*names, *more}):
        raise ValueError(f"it has {', '.join(parts)}, not {', '.join(names)}")
    found = {name: checks.array(name, part) for name, part in parts.items()}
    for name, part in found.items():
        if part.dtype.char not in "fd" or part.dtype != found["W1"].dtype:
            raise ValueError(f"{name} is {part.dtype}")
    if found["W1"].ndim == 2:
        evaluate(found, np.zeros((1, len(found["W1"]))), None, 0.0)
    for name, part in found.items():
        layer = name.lstrip(ascii_letters + "_")
        wanted = found[f"b{layer}"].shape
        if part.shape[-1:] != wanted or part.ndim != (2 if name[0] == "W" else 1):
            raise ValueError(f"{name} has shape {part.shape}")
    return found


def _input(X: ArrayLike, W: _Array) -> _Array:
    """X as rows, in the dtype of the first weights, which is that of the arithmetic."""
    given = checks.array("X", X)
    if W.dtype.char not in "fd":
        raise TypeError(f"W1 has dtype {W.dtype}: wanted float32 or float64")
    rows = as_rows(given)
    if rows.shape[1] != len(W):
        raise ValueError(
            f"X has shape {given.shape}: wanted {len(W)} numbers a row, for W1 has shape {W.shape}"
        )
    return rows.astype(W.dtype, copy=False)


def _rectify(layer: int, a: _Array) -> tuple[_Array, _Array]:
    np.maximum(a, 0, out=a)
    return a, a


def _unrectify(layer: int, dout: _Array, out: _Array) -> tuple[_Array, Params]:
    return relu_backward(dout, out), {}
