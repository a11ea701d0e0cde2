"""Linear classifiers that learn by stochastic gradient descent, as in the course."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from os import PathLike
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from csoftmax._native import checks
from csoftmax.cs231n import _files
from csoftmax.cs231n._penalty import half_form
from csoftmax.cs231n.classifiers import _linear_files
from csoftmax.linear import linear_predict, softmax_loss, svm_loss

__all__ = ["LinearClassifier", "LinearSVM", "Softmax"]

_IN_PLACE = (np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.uint8))


class LinearClassifier(ABC):
    """What linear classifiers share: training by mini-batches, prediction, and files.

    A subclass defines `loss(X_batch, y_batch, reg)`, which returns the loss and its gradient by
    `self.W`, as the course's own subclasses do; `Softmax` and `LinearSVM` are here.

    Attributes
    ----------
    W : (D, C) float32 or float64 ndarray, or None before training
        Weights. Assign to it to start from given ones.
    b : (C,) ndarray or None
        Bias, where `train` was asked to fit one.
    shift, scale : (D,) arrays or None
        What `train` was given. The model is that of the features (X - shift) * scale.

    See Also
    --------
    Softmax : One with the softmax loss.
    LinearSVM : One with the hinge loss.
    """

    def __init__(self) -> None:
        self.W: NDArray[Any] | None = None
        self.b: NDArray[Any] | None = None
        self.shift: ArrayLike | None = None
        self.scale: ArrayLike | None = None

    def train(
        self,
        X: ArrayLike,
        y: ArrayLike,
        learning_rate: float = 1e-3,
        reg: float = 1e-5,
        num_iters: int = 100,
        batch_size: int = 200,
        verbose: bool = False,
        *,
        shift: ArrayLike | None = None,
        scale: ArrayLike | None = None,
        fit_bias: bool = False,
        callback: Callable[[int, float], object] | None = None,
    ) -> list[float]:
        """Train by stochastic gradient descent; a second call goes on from the first one's weights.

            W -= learning_rate * dW         for a batch of rows drawn with replacement

        Parameters
        ----------
        X : (N, D) array
            float32, float64 and uint8 are read in place where C-contiguous; anything else is copied
            once, other dtypes to float32.
        y : (N,) labels in 0..C-1
            New weights have max(y) + 1 classes.
        learning_rate : float
        reg : float
            Strength of the penalty reg/2 sum(W**2); reg sum(W**2) with
            `csoftmax.cs231n.full_penalty`.
        num_iters, batch_size : int
        verbose : bool
            Print the loss every 100 iterations.
        shift, scale : (D,) array_like, optional
            Train on (X - shift) * scale, which is never stored.
        fit_bias : bool
            Fit a bias beside W. It starts at zero and is not regularised.
        callback : callable, optional
            Called as ``callback(iteration, loss)`` after each step. What it raises ends the
            training, and W keeps the steps made.

        Returns
        -------
        list of float
            The loss of each batch, before its step.

        Raises
        ------
        ValueError, TypeError
            Naming the argument that is wrong.

        Notes
        -----
        New weights are ``0.001 * np.random.randn(D, C)`` and a batch is
        ``np.random.choice(N, batch_size)``, both from NumPy's global generator as in the course, so
        that a seeded notebook draws the same numbers. W has X's dtype where that is a float of 32
        or 64 bits, else float32; weights that are there keep theirs.

        Examples
        --------
        >>> import numpy as np
        >>> np.random.seed(0)
        >>> y = np.arange(300) % 3
        >>> X = np.eye(3)[y] + 0.1 * np.random.randn(300, 3)
        >>> model = Softmax()
        >>> losses = model.train(X, y, learning_rate=1.0, num_iters=200)
        >>> losses[-1] < 0.2 < losses[0]
        True
        >>> model
        Softmax(W (3, 3) float64)
        >>> print(np.mean(model.predict(X) == y))
        1.0
        """
        X, y = _data(X, y)
        rate = checks.real("learning_rate", learning_rate, 0)
        reg = checks.real("reg", reg, 0)
        num_iters = checks.integer("num_iters", num_iters, 0)
        batch_size = checks.integer("batch_size", batch_size, 1)
        weights = self._start(X, y, fit_bias)
        self.shift, self.scale = shift, scale
        dW, step = np.empty_like(weights[0]), [np.empty_like(w) for w in weights]
        losses: list[float] = []
        for iteration in range(num_iters):
            # What np.random.choice(len(X), batch_size) draws, 2.4 us earlier.
            rows = np.random.randint(0, len(X), batch_size)  # noqa: NPY002 - the course's draws
            loss, *grads = self._loss_of_rows(X, y, reg, rows, dW)
            for w, grad, buffer in zip(weights, grads, step, strict=True):
                w -= np.multiply(grad, rate, out=buffer)
            losses.append(float(loss))
            if verbose and iteration % 100 == 0:
                print(f"iteration {iteration} / {num_iters}: loss {loss:f}")
            if callback is not None:
                callback(iteration, losses[-1])
        return losses

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Return the class of the greatest score for each row of X.

            argmax of ((X - shift) * scale) W + b       the first of equal maxima

        Parameters
        ----------
        X : (N, D) array
            As for `train`; uint8 stays uint8.

        Returns
        -------
        (N,) int64 ndarray

        Raises
        ------
        ValueError
            Without weights, or where X does not fit them.
        """
        W = self._weights()
        return linear_predict(W, X, bias=self.b, shift=self.shift, scale=self.scale)

    def save(self, fname: str | PathLike[str]) -> None:
        """Write the model to a file of NumPy's npy format, and print that.

        The file has no pickle: `numpy.load` gives the weights (D, C), or, where `train` was asked
        for more, a record with the fields W, b, shift and scale. Which class wrote it is not said.

        Parameters
        ----------
        fname : path
            As it is, from the current folder on (the course: in the folder `saved` of its package);
            ``.npy`` is added where it lacks.

        Raises
        ------
        ValueError, TypeError
            Without weights, or where b, shift or scale do not fit them.
        OSError
            Where the file cannot be written. An older one of that name then is as it was.

        Examples
        --------
        >>> import os, tempfile
        >>> import numpy as np
        >>> model, again = Softmax(), Softmax()
        >>> model.W = np.eye(3)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(os.path.join(folder, "softmax.npy"))
        ...     again.load(os.path.join(folder, "softmax.npy"))
        /...softmax.npy saved.
        /...softmax.npy loaded.
        True
        >>> print(again.predict([[0.0, 2.0, 1.0]]))
        [1]
        """
        self._weights()  # are there, or an error says so
        parts = {name: getattr(self, name) for name in _linear_files.PARTS}
        _linear_files.write(_files.npy_path(fname), parts)
        print(fname, "saved.")

    def load(self, fname: str | PathLike[str]) -> bool:
        """Read a model that `save` wrote in place of this one, and print that.

        Parameters
        ----------
        fname : path
            As for `save`.

        Returns
        -------
        bool
            False, with the model as it was, where there is no such file.

        Raises
        ------
        ValueError
            For a file that is no such model: names it. One of the course's own package is a pickle,
            which can run code and is not read.
        OSError
            Where the file cannot be read.
        """
        path = _files.npy_path(fname)
        if not path.exists():
            print(fname, "not available.")
            return False
        parts = _linear_files.read(path)
        self.W, self.b, self.shift, self.scale = map(parts.get, _linear_files.PARTS)
        print(fname, "loaded.")
        return True

    def __repr__(self) -> str:
        if self.W is None:
            return f"{type(self).__name__}(no W yet)"
        W = np.asarray(self.W)
        parts = [f"W {W.shape} {W.dtype}"]
        parts += [name for name in ("b", "shift", "scale") if getattr(self, name) is not None]
        return f"{type(self).__name__}({', '.join(parts)})"

    @abstractmethod
    def loss(self, X_batch: ArrayLike, y_batch: ArrayLike, reg: float) -> tuple[Any, ...]:
        """Return the loss of a batch and its gradient by W; with a bias, its gradient third."""

    def _loss_of_rows(
        self,
        X: NDArray[Any],
        y: NDArray[Any],
        reg: float,
        rows: NDArray[np.integer[Any]],
        out: NDArray[Any],
    ) -> tuple[Any, ...]:
        """Return what `loss` does for X[rows], y[rows]; `out` may take the gradient by W."""
        return self.loss(X[rows], y[rows], reg)

    def _weights(self) -> NDArray[Any]:
        if self.W is None:
            raise ValueError("W is None: wanted a call of train, or weights assigned, before this")
        return self.W

    def _start(self, X: NDArray[Any], y: NDArray[Any], fit_bias: bool) -> list[NDArray[Any]]:
        """Make W (and b) where there are none, or copy them: training changes them in place."""
        if self.W is None:
            dtype = X.dtype if X.dtype.kind == "f" else np.dtype(np.float32)
            shape = X.shape[1], max(1, int(y.max()) + 1)
            checks.label_range("y", y, shape[1])
            self.W = (0.001 * np.random.randn(*shape)).astype(dtype)  # noqa: NPY002
        else:
            self.W = np.array(checks.coefficients(self.W), order="C")
            checks.label_range("y", y, self.W.shape[1])
        if not fit_bias:
            self.b = None
            return [self.W]
        self.b = np.zeros(self.W.shape[1], self.W.dtype) if self.b is None else np.array(self.b)
        return [self.W, self.b]


class _Compiled(LinearClassifier):
    """A classifier whose loss is one of the compiled ones, which read the rows of X in place."""

    _loss: ClassVar[Callable[..., tuple[Any, ...]]]

    def loss(
        self, X_batch: ArrayLike, y_batch: ArrayLike, reg: float, **options: Any
    ) -> tuple[Any, ...]:
        """Return the loss of a batch, its gradient by W and, where there is a bias, by b.

        `options` are those of the compiled function, such as `rows` and `n_threads`.
        """
        features = {"bias": self.b, "shift": self.shift, "scale": self.scale}
        W, reg = self._weights(), half_form(reg)
        return self._loss(W, X_batch, y_batch, reg, **features, **options)

    def _loss_of_rows(
        self,
        X: NDArray[Any],
        y: NDArray[Any],
        reg: float,
        rows: NDArray[np.integer[Any]],
        out: NDArray[Any],
    ) -> tuple[Any, ...]:
        return self.loss(X, y, reg, rows=rows, out=out)


class Softmax(_Compiled):
    """Softmax classifier: the loss is `csoftmax.softmax_loss`.

    See Also
    --------
    LinearSVM : The same with the hinge loss.
    csoftmax.softmax_loss : The loss.
    csoftmax.SoftmaxClassifier : Goes to the minimum.
    csoftmax.search.train_many : Many of them at once.

    Examples
    --------
    >>> import numpy as np
    >>> from csoftmax.cs231n.classifiers import Softmax
    >>> model = Softmax()
    >>> model.W = np.zeros((3, 10))
    >>> loss, dW = model.loss(np.ones((4, 3)), [0, 1, 2, 3], 0.0)
    >>> print(round(loss, 4), dW.shape)
    2.3026 (3, 10)
    """

    _loss = staticmethod(softmax_loss)


class LinearSVM(_Compiled):
    """Multiclass support vector machine: the loss is `csoftmax.svm_loss` with margin 1.

    See Also
    --------
    Softmax : The same with the softmax loss.
    csoftmax.svm_loss : The loss.
    csoftmax.search.train_many : Many of them at once.

    Examples
    --------
    >>> import numpy as np
    >>> from csoftmax.cs231n.classifiers import LinearSVM
    >>> model = LinearSVM()
    >>> model.W = np.zeros((3, 10))
    >>> loss, dW = model.loss(np.ones((4, 3)), [0, 1, 2, 3], 0.0)
    >>> print(round(loss, 4), dW.shape)
    9.0 (3, 10)
    """

    _loss = staticmethod(svm_loss)


def _data(X: ArrayLike, y: ArrayLike) -> tuple[NDArray[Any], NDArray[np.int64]]:
    X, y = checks.array("X", X), checks.array("y", y)
    if X.ndim != 2 or X.size == 0:
        raise ValueError(f"X has shape {X.shape}: wanted (N, D), at least one row and column")
    if y.shape != (len(X),):
        raise ValueError(f"y has shape {y.shape}: wanted ({len(X)},), a label for each row of X")
    dtype = X.dtype if X.dtype in _IN_PLACE else np.dtype(np.float32)
    return np.ascontiguousarray(X, dtype), checks.labels("y", y)
