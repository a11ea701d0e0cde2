"""The course's solver: mini-batches, epochs, accuracies and the best parameters of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from csoftmax._atomic import replacing
from csoftmax._native import checks
from csoftmax.cs231n import optim

__all__ = ["Solver"]

_Array = NDArray[Any]
_DATA = ("X_train", "y_train", "X_val", "y_val")


class _Model(Protocol):
    """What a solver trains: parameters by name, and scores or a loss with gradients."""

    params: dict[str, _Array]

    def loss(self, X: Any, y: Any = None) -> Any:
        """Scores of X; with y, the loss and a dictionary of gradients."""


class Solver:
    """Train a model by one of the rules of `csoftmax.cs231n.optim`.

    Parameters
    ----------
    model : object
        With `params`, a dictionary of arrays, and `loss(X, y=None)`, which returns the scores, or
        with y the loss and a dictionary of gradients: `fc_net`'s networks, or one of your own.
    data : dict
        "X_train", "y_train", "X_val" and "y_val": arrays with a row for each example.
    update_rule : {"sgd", "sgd_momentum", "rmsprop", "adam"}
    optim_config : dict, optional
        For the rule: "learning_rate" and others. Each parameter has a copy.
    lr_decay : float
        What the learning rate is multiplied by after each epoch.
    batch_size, num_epochs : int
        An epoch has max(N // batch_size, 1) iterations.
    num_train_samples, num_val_samples : int, optional
        How many rows, drawn with replacement, the accuracies are taken of; None: all.
    checkpoint_name : str, optional
        The parameters and histories are written to ``{checkpoint_name}_epoch_{epoch}.npz`` whenever
        the accuracies have been taken. `numpy.load` reads the file, which has no pickle (the
        course's has): "params/W1" and so on, the histories, and the options.
    print_every : int
        The loss of each so manieth iteration is printed.
    verbose : bool
        Whether anything is.

    Attributes
    ----------
    loss_history : list of float
        Of each batch, before its step.
    train_acc_history, val_acc_history : list of float
        Of the first iteration, and of the end of each epoch.
    best_val_acc, best_params : float, dict
        The best validation accuracy so far, and copies of the parameters that had it.
    epoch : int
        Epochs done.

    Raises
    ------
    TypeError, ValueError
        Naming the argument that is wrong.

    See Also
    --------
    csoftmax.cs231n.classifiers.fc_net.FullyConnectedNet : What it trains.
    csoftmax.cs231n.optim.adam : One of the rules.

    Notes
    -----
    All draws are from NumPy's global generator, in the course's order, so that a seeded notebook
    trains on the same batches.

    Examples
    --------
    >>> import numpy as np
    >>> from csoftmax.cs231n.classifiers.fc_net import TwoLayerNet
    >>> np.random.seed(0)
    >>> y = np.arange(300) % 3
    >>> X = np.eye(3)[y] + 0.1 * np.random.randn(300, 3)
    >>> data = {"X_train": X[:200], "y_train": y[:200], "X_val": X[200:], "y_val": y[200:]}
    >>> model = TwoLayerNet(3, 10, 3, weight_scale=0.1)
    >>> solver = Solver(
    ...     model, data, update_rule="adam", optim_config={"learning_rate": 0.1}, num_epochs=6
    ... )
    >>> solver.train()
    (Iteration 1 / 12) loss: 1.1...
    (Epoch 0 / 6) train acc: ...; val_acc: ...
    ...
    (Iteration 11 / 12) loss: 0.0...
    (Epoch 6 / 6) train acc: 1.000000; val_acc: 1.000000
    >>> solver
    Solver(TwoLayerNet(3 -> 10 -> 3, ...), adam, 6 epochs, loss ..., best validation 1.000)
    """

    def __init__(
        self,
        model: _Model,
        data: Mapping[str, ArrayLike],
        *,
        update_rule: Literal["sgd", "sgd_momentum", "rmsprop", "adam"] = "sgd",
        optim_config: Mapping[str, Any] | None = None,
        lr_decay: float = 1.0,
        batch_size: int = 100,
        num_epochs: int = 10,
        num_train_samples: int | None = 1000,
        num_val_samples: int | None = None,
        checkpoint_name: str | None = None,
        print_every: int = 10,
        verbose: bool = True,
    ) -> None:
        self.model = model
        if missing := [name for name in _DATA if name not in data]:
            raise ValueError(f"data lacks {', '.join(missing)}: wanted {', '.join(_DATA)}")
        self.X_train, self.y_train, self.X_val, self.y_val = (
            checks.array(name, data[name]) for name in _DATA
        )
        for name, X, y in (
            ("train", self.X_train, self.y_train),
            ("val", self.X_val, self.y_val),
        ):
            if X.ndim < 2 or not X.size or y.shape != X.shape[:1]:
                raise ValueError(
                    f"X_{name} and y_{name} have shapes {X.shape} and {y.shape}: "
                    "wanted (N, d1, ...) and (N,), at least one row"
                )
        self.update_rule = optim.RULES[checks.choice("update_rule", update_rule, [*optim.RULES])]
        self.optim_config = dict(optim_config or {})
        self.lr_decay = checks.real("lr_decay", lr_decay, 0)
        self.batch_size = checks.integer("batch_size", batch_size, 1)
        self.num_epochs = checks.integer("num_epochs", num_epochs, 0)
        samples = {"num_train_samples": num_train_samples, "num_val_samples": num_val_samples}
        self.num_train_samples, self.num_val_samples = (
            None if value is None else checks.integer(name, value, 1)
            for name, value in samples.items()
        )
        self.checkpoint_name = checkpoint_name
        self.print_every = checks.integer("print_every", print_every, 1)
        self.verbose = verbose

        self.epoch = 0
        self.best_val_acc = 0.0
        self.best_params: dict[str, _Array] = {}
        self.loss_history: list[float] = []
        self.train_acc_history: list[float] = []
        self.val_acc_history: list[float] = []
        self.optim_configs = {name: dict(self.optim_config) for name in model.params}

    def check_accuracy(
        self, X: ArrayLike, y: ArrayLike, num_samples: int | None = None, batch_size: int = 100
    ) -> float:
        """Return the share of rows whose greatest score is that of their label.

        Parameters
        ----------
        X : array with a row for each example
        y : (N,) labels
        num_samples : int, optional
            Take so many rows, drawn with replacement, where there are more.
        batch_size : int
            How many rows the model is asked for at once.

        Returns
        -------
        float
        """
        data, labels = np.asarray(X), np.asarray(y)
        if num_samples is not None and len(data) > num_samples:
            rows = _drawn(len(data), num_samples)
            data, labels = data[rows], labels[rows]
        starts = range(0, len(data), batch_size)
        scores = (self.model.loss(data[start : start + batch_size]) for start in starts)
        return float(np.mean(np.hstack([np.argmax(some, axis=1) for some in scores]) == labels))

    def train(self) -> None:
        """Train the model, which then has the parameters with the best validation accuracy.

        A second call goes on from these, for as many epochs again.
        """
        per_epoch = max(len(self.X_train) // self.batch_size, 1)
        n_iters = self.num_epochs * per_epoch
        for iteration in range(n_iters):
            self._step()
            if self.verbose and iteration % self.print_every == 0:
                print(f"(Iteration {iteration + 1} / {n_iters}) loss: {self.loss_history[-1]:f}")
            ends = (iteration + 1) % per_epoch == 0
            if ends:
                self.epoch += 1
                for config in self.optim_configs.values():
                    config["learning_rate"] *= self.lr_decay
            if iteration == 0 or ends:
                self._look()
        if self.best_params:  # none, where all accuracies were 0
            self.model.params = {name: value.copy() for name, value in self.best_params.items()}

    def __repr__(self) -> str:
        text = f"{self.model!r}, {self.update_rule.__name__}, {self.epoch} epochs"
        if self.loss_history:
            text += f", loss {self.loss_history[0]:.4g} to {self.loss_history[-1]:.4g}"
            text += f", best validation {self.best_val_acc:.3f}"
        return f"Solver({text})"

    def _step(self) -> None:
        rows = _drawn(len(self.X_train), self.batch_size)
        loss, grads = self.model.loss(self.X_train[rows], self.y_train[rows])
        self.loss_history.append(float(loss))
        for name, value in self.model.params.items():
            self.model.params[name], self.optim_configs[name] = self.update_rule(
                value, grads[name], self.optim_configs[name]
            )

    def _look(self) -> None:
        """Take the accuracies, and keep the parameters if they are the best so far."""
        train = self.check_accuracy(self.X_train, self.y_train, self.num_train_samples)
        val = self.check_accuracy(self.X_val, self.y_val, self.num_val_samples)
        self.train_acc_history.append(train)
        self.val_acc_history.append(val)
        self._save_checkpoint()
        if self.verbose:
            print(
                f"(Epoch {self.epoch} / {self.num_epochs}) train acc: {train:f}; val_acc: {val:f}"
            )
        if val > self.best_val_acc:
            self.best_val_acc = val
            self.best_params = {name: np.array(p) for name, p in self.model.params.items()}

    def _save_checkpoint(self) -> None:
        if self.checkpoint_name is None:
            return
        filename = f"{self.checkpoint_name}_epoch_{self.epoch}.npz"
        if self.verbose:
            print(f'Saving checkpoint to "{filename}"')
        options = {
            "update_rule": self.update_rule.__name__,
            "lr_decay": self.lr_decay,
            "batch_size": self.batch_size,
            "num_train_samples": self.num_train_samples,
            "num_val_samples": self.num_val_samples,
            "epoch": self.epoch,
            "loss_history": self.loss_history,
            "train_acc_history": self.train_acc_history,
            "val_acc_history": self.val_acc_history,
        }
        options |= {f"params/{name}": value for name, value in self.model.params.items()}
        options |= {f"optim_config/{name}": value for name, value in self.optim_config.items()}
        arrays: dict[str, Any] = {name: np.array(v) for name, v in options.items() if v is not None}
        if objects := [name for name, array in arrays.items() if array.dtype.hasobject]:
            raise TypeError(f"{', '.join(objects)}: wanted numbers, arrays and texts to be stored")
        with replacing(filename) as stream:
            np.savez(stream, **arrays)


def _drawn(n_rows: int, size: int) -> NDArray[np.integer[Any]]:
    """What np.random.choice(n_rows, size) draws, sooner."""
    return np.random.randint(0, n_rows, size)  # noqa: NPY002 - the course's draws
