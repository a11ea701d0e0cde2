"""Linear models that take their steps together, each as if it were alone.

    W -= rate (dW + reg W)        b -= rate dbias        on the same rows of X for all models

Models of dense X are packed side by side, and one call of a kernel (src/stack.h) makes a step of
all of them. It adds up as the passes for one model do, so that no bit depends on the neighbours, on
their number, or on that of the threads. What it does not take makes its steps alone, by
`softmax_loss` and `svm_loss`, which have the same bits: sparse X, single models, classes that are
very many, batches too large for a second copy, and weights that have become too large to be scaled
in the features' place.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from csoftmax._native import dispatch, threads
from csoftmax._native.csr import Csr
from csoftmax._native.linear_data import LinearData
from csoftmax.linear import softmax_loss, svm_loss

Array = npt.NDArray[Any]
Rows = npt.NDArray[np.int64]

Loss: TypeAlias = Literal["softmax", "hinge"]
LOSSES: dict[Loss, Callable[..., Any]] = {"softmax": softmax_loss, "hinge": svm_loss}
_KERNELS = {"softmax": "cross_entropy", "hinge": "hinge"}

#: models that are worth a copy of the batch
LEAST = 3
#: bytes of a batch's copy and its scores, at most
MOST_BYTES = 2**26
#: columns of a group of models, about: more leave a second-level cache
_COLUMNS = 128
#: what a group costs beside its vectors of columns, in such vectors
_OF_GROUP = 0.2


class Stack:
    """Models on their way, on the same data.

    Parameters
    ----------
    loss : "softmax" or "hinge"
    X : (N, D) array or CSR matrix, as the kernels read it
    y : (N,) int64 array
        Classes, from 0 to C - 1.
    start : sequence of K (D, C) arrays
        The first weights, all of one dtype. They are copied.
    rates, regs : (K,) float64 arrays
    fit_bias : bool
        Biases begin at 0.
    shift, scale : (D,) arrays, optional
    batch_size : int
        Rows of each step.
    """

    def __init__(
        self,
        loss: Loss,
        X: Any,
        y: Rows,
        start: Sequence[Array],
        rates: npt.NDArray[np.float64],
        regs: npt.NDArray[np.float64],
        *,
        fit_bias: bool,
        shift: npt.ArrayLike | None,
        scale: npt.ArrayLike | None,
        batch_size: int,
        n_threads: int | None,
    ) -> None:
        self.loss, self.X, self.y, self.rates, self.regs = loss, X, y, rates, regs
        self.view: dict[str, Any] = {"shift": shift, "scale": scale}
        self.n_threads, self.batch_size = n_threads, batch_size
        self.dtype, self.n_classes = start[0].dtype, start[0].shape[1]
        self.biases = np.zeros((len(start), self.n_classes), self.dtype) if fit_bias else None
        #: of those that make their steps alone
        self._alone = {k: W.copy() for k, W in enumerate(start)}
        self._packed: _Packed | None = None
        self._data = LinearData(start[0], X, None, None, shift, scale)
        self._pack()

    @property
    def models(self) -> list[int]:
        """Those that are on their way, in order."""
        return sorted([*self._alone, *(self._packed.models if self._packed else ())])

    def step(self, rows: Rows) -> npt.NDArray[np.float64]:
        """Make a step of each model; return the losses before it, NaN for those that have ended."""
        losses = np.full(len(self.rates), np.nan)
        for k, W in self._alone.items():
            losses[k] = self._step_alone(k, W, rows)
        if self._packed:
            for k, loss, leaving in self._packed.step(rows):
                losses[k] = loss
                if leaving is not None:
                    self._alone[k] = leaving
        return losses

    def weights(self, k: int) -> tuple[Array, Array | None]:
        """A copy of a model's W, and of its bias."""
        alone = self._alone.get(k)
        W = self._of_packed().weights(k) if alone is None else alone.copy()
        return W, None if self.biases is None else self.biases[k].copy()

    def end(self, models: Sequence[int]) -> None:
        """These make no more steps."""
        for k in models:
            if self._alone.pop(k, None) is None:
                self._of_packed().leave(k)
        packed = self._packed
        if packed and len(packed.models) <= 0.75 * packed.n_places:
            self._alone |= {k: packed.weights(k) for k in packed.models}
            self._packed = None
            self._pack()

    def _of_packed(self) -> _Packed:
        assert self._packed is not None
        return self._packed

    def _pack(self) -> None:
        """Put side by side what may be."""
        if len(self._alone) >= LEAST and _Packed.takes(self):
            self._packed = _Packed(self, self._alone)
            self._alone = {k: self._alone[k] for k in self._alone if k not in self._packed.models}

    def _step_alone(self, k: int, W: Array, rows: Rows) -> float:
        bias = None if self.biases is None else self.biases[k]
        options: dict[str, Any] = {
            "bias": bias,
            "rows": rows,
            "n_threads": self.n_threads,
            **self.view,
        }
        loss, *grads = LOSSES[self.loss](W, self.X, self.y, float(self.regs[k]), **options)
        with np.errstate(over="ignore", invalid="ignore"):  # of a rate that is too large
            for parameter, grad in zip((W, bias), grads, strict=False):
                parameter -= np.multiply(grad, float(self.rates[k]), out=grad)
        return float(loss)


class _Packed:
    """Models side by side, as src/stack.h has them. `models` are those that count."""

    def __init__(self, stack: Stack, weights: dict[int, Array]) -> None:
        self.stack, self.models = stack, dict(zip(weights, range(len(weights)), strict=True))
        self.n_places = n = len(weights)
        chosen = list(weights)
        data = stack._data
        self._like = (np.broadcast_to(stack.dtype.type(0), data.W.shape), data.X)
        self._view = (data.shift, data.scale)
        self._batch = np.zeros(stack.batch_size, np.int64)  # its size decides how features lie
        work = 4.0 * stack.batch_size * data.W.size * n * threads.NS_PER_FLOP
        self._threads = threads.resolve(stack.n_threads, work)
        sizes = [self._size(group) for group in range(1, min(n, _most(stack.n_classes)) + 1)]
        self._group = 1 + min(
            range(len(sizes)), key=lambda k: _cost(k + 1, sizes, n, self._threads)
        )
        self._w = _aligned(-(-n // self._group) * sizes[self._group - 1], stack.dtype)
        self._rates = stack.rates[chosen].astype(stack.dtype)
        self._regs = np.ascontiguousarray(stack.regs[chosen])
        self._bias = None if stack.biases is None else stack.biases[chosen]
        self._losses, self._far = np.empty(n), np.empty(n, bool)
        for k, W in weights.items():
            if self._copy(W, self.models[k], back=False):
                del self.models[k]

    @classmethod
    def takes(cls, stack: Stack) -> bool:
        """Whether models of such data can be packed."""
        data = stack._data
        if isinstance(data.X, Csr) or not data.X.flags.aligned:
            return False
        numbers = data.W.shape[0] + max(_COLUMNS, stack.n_classes)  # of a row, and its scores
        if stack.batch_size * numbers * stack.dtype.itemsize > MOST_BYTES:
            return False
        batch = np.zeros(stack.batch_size, np.int64)
        size: int = dispatch.kernels.linear_stack_size(
            data.W, data.X, batch, data.shift, data.scale, 1
        )
        return size > 0

    def step(self, rows: Rows) -> list[tuple[int, float, Array | None]]:
        """Make a step of each model; (model, loss, W where it is to go on alone)."""
        stack, kernels = self.stack, dispatch.kernels
        kernels.linear_stack_step(
            kernels.LOSSES[_KERNELS[stack.loss]],
            *self._like,
            rows,
            *self._view,
            self._group,
            self._w,
            self._bias,
            stack.y,
            1.0,
            self._rates,
            self._regs,
            self._losses,
            self._far,
            self._threads,
        )
        if stack.biases is not None and self._bias is not None:
            stack.biases[list(self.models)] = self._bias[list(self.models.values())]
        losses = self._losses.tolist()
        found = []
        far = self._far if self._view[0] is not None else None
        for k, place in list(self.models.items()):
            leaves = far is not None and far[place]
            found.append((k, losses[place], self.weights(k) if leaves else None))
            if leaves:
                self.leave(k)
        return found

    def weights(self, k: int) -> Array:
        """A copy of a model's W."""
        W = np.empty(self._like[0].shape, self.stack.dtype)
        self._copy(W, self.models[k], back=True)
        return W

    def leave(self, k: int) -> None:
        """Count this one no more."""
        del self.models[k]

    def _size(self, group: int) -> int:
        size: int = dispatch.kernels.linear_stack_size(*self._like, self._batch, *self._view, group)
        return size

    def _copy(self, W: Array, place: int, *, back: bool) -> bool:
        far: bool = dispatch.kernels.linear_stack_copy(
            W,
            self._like[1],
            self._batch,
            *self._view,
            self._group,
            self._w,
            self.n_places,
            place,
            back,
        )
        return far and self._view[0] is not None


def _most(n_classes: int) -> int:
    """Models of a group, at most."""
    return max(1, _COLUMNS // n_classes)


def _cost(group: int, sizes: Sequence[int], n_models: int, n_threads: int) -> float:
    """How long the last of the threads works, for groups of so many models."""
    whole, rest = divmod(n_models, group)
    units = [sizes[group - 1]] * whole + ([sizes[rest - 1]] if rest else [])
    ends = [0.0] * n_threads
    for size in units:
        heapq.heapreplace(ends, ends[0] + size / sizes[0] + _OF_GROUP)
    return max(ends)


def _aligned(n: int, dtype: np.dtype[Any]) -> Array:
    """Zeros that begin on a cache line."""
    memory = np.zeros(n * dtype.itemsize + 64, np.uint8)
    begin = -memory.ctypes.data % 64
    return memory[begin : begin + n * dtype.itemsize].view(dtype)
