"""The two-layer network of the course's first assignments, which trains itself."""

from __future__ import annotations

from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from csoftmax._native import checks
from csoftmax.cs231n._dtype import float_dtype
from csoftmax.cs231n.classifiers import _network

__all__ = ["TwoLayerNet"]

_Array = NDArray[Any]


class TwoLayerNet:
    """A network of two affine layers with a rectifier between them, and a softmax loss.

        h = max(X W1 + b1, 0)       scores = h W2 + b2
        loss = softmax loss of the scores + reg/2 (sum(W1**2) + sum(W2**2))

    With `csoftmax.cs231n.full_penalty` the penalty is reg (sum(W1**2) + sum(W2**2)), as this class
    of the course has it from 2017 on.

    Parameters
    ----------
    input_size, hidden_size, output_size : int
        D, H and C.
    std : float
        Of the first weights, which are normal; the biases are 0.
    dtype : float32 or float64
        Of the parameters, and so of the arithmetic.

    Attributes
    ----------
    params : dict
        W1 (D, H), b1 (H,), W2 (H, C), b2 (C,). Assign to them to start from given ones.

    See Also
    --------
    csoftmax.cs231n.classifiers.fc_net.TwoLayerNet : The later one, trained by a Solver.
    csoftmax.cs231n.classifiers.Softmax : Without a hidden layer.

    Examples
    --------
    >>> import numpy as np
    >>> np.random.seed(0)
    >>> y = np.arange(300) % 3
    >>> X = np.eye(3)[y] + 0.1 * np.random.randn(300, 3)
    >>> net = TwoLayerNet(3, 10, 3, std=0.1)
    >>> stats = net.train(X[:200], y[:200], X[200:], y[200:], learning_rate=1.0, num_iters=100)
    >>> print(stats["val_acc_history"][-1], net.loss(X, y)[0] < 0.1)
    1.0 True
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        std: float = 1e-4,
        *,
        dtype: DTypeLike = np.float64,
    ) -> None:
        sizes = {
            "input_size": input_size,
            "hidden_size": hidden_size,
            "output_size": output_size,
        }
        dims = [checks.integer(name, size, 1) for name, size in sizes.items()]
        scale = checks.real("std", std, 0)
        self.params = _network.initial(dims, scale, float_dtype(dtype))

    def __repr__(self) -> str:
        return f"TwoLayerNet({_network.described(self.params)})"

    @overload
    def loss(self, X: ArrayLike, y: None = None, reg: float = 0.0) -> _Array: ...
    @overload
    def loss(
        self, X: ArrayLike, y: ArrayLike, reg: float = 0.0
    ) -> tuple[float, _network.Params]: ...
    def loss(self, X: ArrayLike, y: ArrayLike | None = None, reg: float = 0.0) -> Any:
        """Return the scores, or the loss and its gradients.

        Parameters
        ----------
        X : (N, D) array
        y : (N,) labels in 0..C-1, optional
        reg : float
            Strength of the penalty, at least 0.

        Returns
        -------
        scores : (N, C) ndarray
            Without y.
        loss, grads : float, dict
            With y: the gradients by the names of the parameters.

        Raises
        ------
        TypeError, ValueError
            Naming the argument that is wrong.
        """
        return _network.evaluate(self.params, X, y, reg)

    def train(
        self,
        X: ArrayLike,
        y: ArrayLike,
        X_val: ArrayLike,
        y_val: ArrayLike,
        learning_rate: float = 1e-3,
        learning_rate_decay: float = 0.95,
        reg: float = 1e-5,
        num_iters: int = 100,
        batch_size: int = 200,
        verbose: bool = False,
    ) -> dict[str, list[float]]:
        """Train by stochastic gradient descent; a second call goes on from where the first ended.

        Parameters
        ----------
        X, y : (N, D) array, (N,) labels in 0..C-1
        X_val, y_val : the same of rows to validate with
        learning_rate : float
        learning_rate_decay : float
            What the learning rate is multiplied by after each epoch.
        reg : float
            As for `loss`.
        num_iters, batch_size : int
        verbose : bool
            Print the loss every 100 iterations.

        Returns
        -------
        dict of lists of float
            "loss_history", of each batch before its step; "train_acc_history" and
            "val_acc_history", once an epoch, beginning after the first step: the accuracies on
            the batch and on X_val.

        Raises
        ------
        TypeError, ValueError
            Naming the argument that is wrong.

        Notes
        -----
        A batch is ``np.random.choice(N, batch_size)``, from NumPy's global generator, so that a
        seeded notebook draws the same. An epoch has max(N // batch_size, 1) iterations. (The
        course's code divides to a fraction, of which an iteration may never be a multiple.)
        """
        X, y = self._data("X", X, "y", y)
        X_val, y_val = self._data("X_val", X_val, "y_val", y_val)
        rate = checks.real("learning_rate", learning_rate, 0)
        decay = checks.real("learning_rate_decay", learning_rate_decay, 0)
        n_iters = checks.integer("num_iters", num_iters, 0)
        n_batch = checks.integer("batch_size", batch_size, 1)
        per_epoch = max(len(X) // n_batch, 1)
        # the caller's arrays stay as they are: steps are made in place
        self.params = {name: np.array(value) for name, value in self.params.items()}
        history: dict[str, list[float]] = {
            "loss_history": [],
            "train_acc_history": [],
            "val_acc_history": [],
        }
        for iteration in range(n_iters):
            rows = np.random.randint(0, len(X), n_batch)  # noqa: NPY002 - the course's draws
            X_batch, y_batch = X[rows], y[rows]
            loss, grads = self.loss(X_batch, y_batch, reg)
            for name, value in self.params.items():
                value -= rate * grads[name]
            history["loss_history"].append(loss)
            if verbose and iteration % 100 == 0:
                print(f"iteration {iteration} / {n_iters}: loss {loss:f}")
            if iteration % per_epoch == 0:
                history["train_acc_history"].append(self._accuracy(X_batch, y_batch))
                history["val_acc_history"].append(self._accuracy(X_val, y_val))
                rate *= decay
        return history

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Return the class of the greatest score for each row of X, the first of equal ones.

        Parameters
        ----------
        X : (N, D) array

        Returns
        -------
        (N,) int64 ndarray

        Raises
        ------
        TypeError, ValueError
            Where X does not fit.
        """
        best: NDArray[np.int64] = np.argmax(self.loss(X), axis=1)
        return best

    def _accuracy(self, X: _Array, y: _Array) -> float:
        return float(np.mean(self.predict(X) == y))

    def _data(
        self, X_name: str, X: ArrayLike, y_name: str, y: ArrayLike
    ) -> tuple[_Array, NDArray[np.int64]]:
        """Rows and their labels, which are classes of this network."""
        X, y = checks.array(X_name, X), checks.array(y_name, y)
        if X.ndim != 2 or X.size == 0:
            raise ValueError(
                f"{X_name} has shape {X.shape}: wanted (N, D), at least one row and column"
            )
        if y.shape != X.shape[:1]:
            raise ValueError(
                f"{y_name} has shape {y.shape}: wanted {X.shape[:1]}, a label for each row"
            )
        labels = checks.labels(y_name, y)
        checks.label_range(y_name, labels, len(self.params["b2"]))
        return X, labels
