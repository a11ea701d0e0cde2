"""The last layer of a network and its cross-entropy: from the caller's arguments to the kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax._native import dispatch, threads
from csoftmax._native.row_losses import Problem

Array = npt.NDArray[Any]

#: A row has so many numbers for the kernel, at least: a vector's.
_LEAST = 16


class Layer:
    """The cross-entropy of the logits X W' + bias, which nobody stores, checked.

    X is (N, D) or (D,), W (C, D) or (C, d1, ..., D), bias (C, d1, ...) or None, all of one dtype,
    float32 or float64; the other arguments are those of `cross_entropy`.
    """

    def __init__(
        self,
        X: Array,
        W: Array,
        bias: Array | None,
        target: npt.ArrayLike,
        weight: npt.ArrayLike | None,
        ignore_index: int,
        reduction: str,
        label_smoothing: float,
    ) -> None:
        self.shapes = X.shape, W.shape, W.shape[:-1]
        self.loss = Problem(
            "cross_entropy",
            "the linear layer's output",
            np.broadcast_to(X.dtype.type(0), X.shape[:-1] + W.shape[:-1]),
            target,
            weight,
            None,
            ignore_index,
            reduction,
            label_smoothing,
        )
        self.X = _rows(X.reshape(math.prod(X.shape[:-1]), X.shape[-1]))
        # (C, places, D): a place has a linear layer of its own
        self.W = _rows(W.reshape(len(W), math.prod(W.shape[1:-1]), W.shape[-1]))
        self.bias = bias

    def loss_with_grads(
        self,
        wanted: Sequence[bool],
        n_threads: int | None,
        grad_output: Array | None = None,
    ) -> tuple[Any, tuple[Array | None, ...]]:
        """The reduced loss, and its gradients with respect to X, W and the bias, where wanted.

        With `grad_output`, one number for each row, they are those of the losses' sum weighted so.
        """
        loss, (N, D), (C, places) = self.loss, self.X.shape, self.W.shape[:2]
        flops = 2.0 * N * D * C * places * (1 + wanted[0] + wanted[1])
        n_threads = threads.resolve(n_threads, flops * threads.NS_PER_FLOP)
        normalizer = loss.normalizer()
        dX, dW, dbias = (
            (np.empty if N else np.zeros)(shape, loss.compute) if want else None
            for shape, want in zip((self.X.shape, self.W.shape, (places, C)), wanted, strict=True)
        )
        losses = np.zeros((places, N))
        for place in range(places if N else 0):
            into = dX if place == 0 or dX is None else np.empty_like(dX)
            dispatch.kernels.layer_loss_grads(
                self.X,
                self.W[:, place],
                _at(self.bias, place, places),
                _at(loss.index, place, places),
                None if loss.prob is None else loss.prob.reshape(N, C, places)[..., place],
                loss.weight,
                _at(grad_output, place, places),
                1.0 / normalizer if normalizer else np.nan,
                loss.label_smoothing,
                into,
                None if dW is None else dW[:, place],
                None if dbias is None else dbias[place],
                losses[place],
                n_threads,
            )
            if dX is not None and into is not dX:
                dX += into
        of_X, of_W, of_bias = self.shapes
        found = (
            None if dX is None else dX[:, : of_X[-1]].reshape(of_X),
            None if dW is None else dW[..., : of_W[-1]].reshape(of_W),
            None if dbias is None else dbias.T.reshape(of_bias),
        )
        grads = tuple(None if grad is None else np.ascontiguousarray(grad) for grad in found)
        return loss.reduced(losses.T.reshape(-1), normalizer), grads


def _rows(a: Array) -> Array:
    """An array whose rows have their numbers side by side, enough of them: itself, or a copy."""
    width = a.shape[-1]
    if width >= _LEAST and a.strides[-1] == a.itemsize:
        return a
    wide = np.zeros((*a.shape[:-1], max(width, _LEAST)), a.dtype)
    wide[..., :width] = a
    return wide


def _at(values: Array | None, place: int, places: int) -> Array | None:
    """The numbers of one place, from those of rows at all places."""
    if values is None:
        return None
    return np.ascontiguousarray(values.reshape(-1, places)[:, place])
