"""Fully connected networks for `csoftmax.cs231n.solver.Solver`.

As in the course, `from csoftmax.cs231n.classifiers.fc_net import *` offers the layers, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from csoftmax._native import checks
from csoftmax.cs231n import _files, layer_utils, layers
from csoftmax.cs231n._dtype import float_dtype
from csoftmax.cs231n.classifiers import _network
from csoftmax.cs231n.layer_utils import *  # noqa: F403
from csoftmax.cs231n.layers import *  # noqa: F403
from csoftmax.cs231n.layers.dropout import keep_ratio

__all__ = ["FullyConnectedNet", "TwoLayerNet"]
__all__ += layer_utils.__all__
__all__ += layers.__all__

_Array = NDArray[Any]
_WANTED = (
    "the parameters of such a network, as `save` writes them (what the course's own package saves "
    "is a pickle, which can run code and is not read)"
)
_OLDER = {
    "dropout": "dropout_keep_ratio, the probability to keep an entry: the releases that have "
    "dropout do not agree on whether it is that, or to drop one",
    "use_batchnorm": "normalization='batchnorm'",
}


class _Network:
    """What networks share: parameters, and files."""

    params: _network.Params
    reg: float

    def save(self, fname: str | PathLike[str]) -> None:
        """Write the network to a file of NumPy's npy format, and print that.

        The file has no pickle: `numpy.load` gives a record with a field for each parameter (with
        batch normalization, for the running means and variances, too).

        Parameters
        ----------
        fname : path
            As it is, from the current folder on (the course: in the folder `saved` of its package);
            ``.npy`` is added where it lacks.

        Raises
        ------
        OSError
            Where the file cannot be written. An older one of that name then is as it was.
        ValueError
            For parameters that do not fit each other.
        """
        _files.write_array(_files.npy_path(fname), _files.record(self._fitting(self._parts())))
        print(fname, "saved.")

    def load(self, fname: str | PathLike[str]) -> bool:
        """Read a network that `save` wrote in place of this one, and print that.

        Parameters
        ----------
        fname : path
            As for `save`.

        Returns
        -------
        bool
            False, with the network as it was, where there is no such file.

        Raises
        ------
        ValueError
            For a file that is no such network, with as many layers: names it. One of the course's
            own package is a pickle, which can run code and is not read.
        OSError
            Where the file cannot be read.
        """
        path = _files.npy_path(fname)
        if not path.exists():
            print(fname, "not available.")
            return False
        self._take(_files.read(path, "W1", self._fitting, _WANTED))
        print(fname, "loaded.")
        return True

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._words())})"

    def _words(self) -> list[str]:
        """What it is, in short."""
        return [_network.described(self.params), f"reg={self.reg:g}"]

    def _parts(self) -> _network.Params:
        """What is stored."""
        return self.params

    def _fitting(self, parts: dict[str, Any]) -> _network.Params:
        """The parts of a network like this one."""
        return _network.fitting(parts, list(self.params), ())

    def _take(self, parts: _network.Params) -> None:
        self.params = parts


class TwoLayerNet(_Network):
    """A network of two affine layers with a rectifier between them, and a softmax loss.

        h = max(X W1 + b1, 0)       scores = h W2 + b2
        loss = softmax loss of the scores + reg/2 (sum(W1**2) + sum(W2**2))

    With `csoftmax.cs231n.full_penalty` the penalty is reg (sum(W1**2) + sum(W2**2)). The course's
    own class has the half in all of its releases.

    Parameters
    ----------
    input_dim, hidden_dim, num_classes : int
        D, H and C.
    weight_scale : float
        Standard deviation of the first weights, which are normal; the biases are 0.
    reg : float
        Strength of the penalty, at least 0.
    dtype : float32 or float64
        Of the parameters, and so of the arithmetic.

    Attributes
    ----------
    params : dict
        W1 (D, H), b1 (H,), W2 (H, C), b2 (C,).
    reg : float

    See Also
    --------
    FullyConnectedNet : Any number of layers.
    csoftmax.cs231n.solver.Solver : Trains it.

    Examples
    --------
    >>> import numpy as np
    >>> np.random.seed(0)
    >>> net = TwoLayerNet(input_dim=12, hidden_dim=5, num_classes=3, reg=0.1)
    >>> X = np.random.randn(7, 2, 2, 3)
    >>> net
    TwoLayerNet(12 -> 5 -> 3, float64, 83 parameters, reg=0.1)
    >>> net.loss(X).shape
    (7, 3)
    >>> loss, grads = net.loss(X, np.arange(7) % 3)
    >>> print(round(loss, 3), sorted(grads), grads["W1"].shape)
    1.099 ['W1', 'W2', 'b1', 'b2'] (12, 5)
    """

    def __init__(
        self,
        input_dim: int = 3 * 32 * 32,
        hidden_dim: int = 100,
        num_classes: int = 10,
        weight_scale: float = 1e-3,
        reg: float = 0.0,
        *,
        dtype: DTypeLike = np.float64,
    ) -> None:
        sizes = {"input_dim": input_dim, "hidden_dim": hidden_dim, "num_classes": num_classes}
        dims = [checks.integer(name, size, 1) for name, size in sizes.items()]
        scale = checks.real("weight_scale", weight_scale, 0)
        self.reg = checks.real("reg", reg, 0)
        self.params = _network.initial(dims, scale, float_dtype(dtype))

    @overload
    def loss(self, X: ArrayLike, y: None = None) -> _Array: ...
    @overload
    def loss(self, X: ArrayLike, y: ArrayLike) -> tuple[float, _network.Params]: ...
    def loss(self, X: ArrayLike, y: ArrayLike | None = None) -> Any:
        """Return the scores, or the loss and its gradients.

        Parameters
        ----------
        X : (N, d1, ..., dk) array, with D = d1 ... dk
        y : (N,) labels in 0..C-1, optional

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
        return _network.evaluate(self.params, X, y, self.reg)


class FullyConnectedNet(_Network):
    """A network of any number of affine layers, and a softmax loss.

        (affine - [normalization] - rectifier - [dropout]) for each hidden layer - affine - softmax

    The penalty is reg/2 of the sum of all squared weights; with `csoftmax.cs231n.full_penalty` it
    is twice that. (The course's own class has the half in all of its releases.) Biases and the
    parameters of normalization are not in it.

    Parameters
    ----------
    hidden_dims : sequence of int
        The widths of the hidden layers.
    input_dim, num_classes : int
    dropout_keep_ratio : float
        The probability with which dropout keeps an entry; 1: no dropout.
    normalization : {None, "batchnorm", "layernorm"}
    reg : float
        Strength of the penalty, at least 0.
    weight_scale : float
        Standard deviation of the first weights, which are normal; the biases are 0.
    dtype : float32 or float64
        Of the parameters, and so of the arithmetic.
    seed : int, optional
        For dropout to draw the same in each call, so that a gradient can be checked.

    Attributes
    ----------
    params : dict
        W1, b1, W2, b2, ...; with normalization gamma1, beta1, ..., too.
    num_layers : int
        Affine layers, the last included.
    reg, normalization, use_dropout, dropout_param, bn_params, dtype
        As in the course.

    See Also
    --------
    TwoLayerNet : Two layers.
    csoftmax.cs231n.solver.Solver : Trains it.

    Examples
    --------
    >>> import numpy as np
    >>> np.random.seed(0)
    >>> net = FullyConnectedNet([5, 4], input_dim=6, num_classes=3, normalization="layernorm")
    >>> loss, grads = net.loss(np.random.randn(7, 6), np.arange(7) % 3)
    >>> print(net.num_layers, sorted(grads))
    3 ['W1', 'W2', 'W3', 'b1', 'b2', 'b3', 'beta1', 'beta2', 'gamma1', 'gamma2']
    """

    def __init__(
        self,
        hidden_dims: Sequence[int],
        input_dim: int = 3 * 32 * 32,
        num_classes: int = 10,
        dropout_keep_ratio: float = 1,
        normalization: Literal["batchnorm", "layernorm"] | None = None,
        reg: float = 0.0,
        weight_scale: float = 1e-2,
        dtype: DTypeLike = np.float32,
        seed: int | None = None,
        **older: Any,
    ) -> None:
        for name in older:
            hint = f": wanted {_OLDER[name]}" if name in _OLDER else ""
            raise TypeError(f"FullyConnectedNet has no argument {name!r}{hint}")
        widths = [checks.integer("hidden_dims", width, 1) for width in hidden_dims]
        n_in = checks.integer("input_dim", input_dim, 1)
        n_out = checks.integer("num_classes", num_classes, 1)
        keep = keep_ratio("dropout_keep_ratio", dropout_keep_ratio)
        if normalization is not None:
            checks.choice("normalization", normalization, ("batchnorm", "layernorm"))
        scale = checks.real("weight_scale", weight_scale, 0)
        self.reg = checks.real("reg", reg, 0)
        self.dtype = float_dtype(dtype)
        self.num_layers = 1 + len(widths)
        self.normalization = normalization
        self.params = _network.initial([n_in, *widths, n_out], scale, self.dtype)
        if normalization is not None:
            for layer, width in enumerate(widths, 1):
                self.params[f"gamma{layer}"] = np.ones(width, self.dtype)
                self.params[f"beta{layer}"] = np.zeros(width, self.dtype)
        self.use_dropout = keep != 1
        self.dropout_param: dict[str, Any] = {}
        if self.use_dropout:
            self.dropout_param = {"mode": "train", "p": keep}
            if seed is not None:
                self.dropout_param["seed"] = checks.integer("seed", seed, 0)
        self.bn_params: list[dict[str, Any]] = []
        if normalization is not None:
            mode = {"mode": "train"} if normalization == "batchnorm" else {}
            self.bn_params = [dict(mode) for _ in widths]

    @overload
    def loss(self, X: ArrayLike, y: None = None) -> _Array: ...
    @overload
    def loss(self, X: ArrayLike, y: ArrayLike) -> tuple[float, _network.Params]: ...
    def loss(self, X: ArrayLike, y: ArrayLike | None = None) -> Any:
        """Return the scores, as in tests, or the loss and its gradients, as in training.

        Parameters
        ----------
        X : (N, d1, ..., dk) array, with input_dim = d1 ... dk
        y : (N,) labels in 0..C-1, optional

        Returns
        -------
        scores : (N, C) ndarray
            Without y. Nothing is dropped, and batch normalization is by the running means and
            variances.
        loss, grads : float, dict
            With y: the gradients by the names of the parameters.

        Raises
        ------
        TypeError, ValueError
            Naming the argument that is wrong.
        """
        mode = "test" if y is None else "train"
        if self.use_dropout:
            self.dropout_param["mode"] = mode
        for bn_param in self.bn_params:
            bn_param["mode"] = mode
        return _network.evaluate(self.params, X, y, self.reg, self._forward, self._backward)

    def _forward(self, layer: int, a: _Array) -> tuple[_Array, tuple[Any, _Array, Any]]:
        """From one affine layer to the next; what the way back needs."""
        of_norm = of_dropout = None
        if self.normalization is not None:
            norm = _NORMS[self.normalization][0]
            gamma, beta = self.params[f"gamma{layer}"], self.params[f"beta{layer}"]
            a, of_norm = norm(a, gamma, beta, self.bn_params[layer - 1])
        out = np.maximum(a, 0, out=a)
        if self.use_dropout:
            out, of_dropout = layers.dropout_forward(out, self.dropout_param)
        return out, (of_norm, a, of_dropout)

    def _backward(
        self, layer: int, dout: _Array, caches: tuple[Any, _Array, Any]
    ) -> tuple[_Array, _network.Params]:
        of_norm, rectified, of_dropout = caches
        if self.use_dropout:
            dout = layers.dropout_backward(dout, of_dropout)
        dout = layers.relu_backward(dout, rectified)
        if self.normalization is None:
            return dout, {}
        dout, dgamma, dbeta = _NORMS[self.normalization][1](dout, of_norm)
        return dout, {f"gamma{layer}": dgamma, f"beta{layer}": dbeta}

    def _running(self) -> _network.Params:
        """Running means and variances, by the names that they have in a file."""
        return {
            f"{name}{layer}": bn_param[name]
            for layer, bn_param in enumerate(self.bn_params, 1)
            for name in ("running_mean", "running_var")
            if name in bn_param
        }

    def _words(self) -> list[str]:
        words = super()._words()
        words += [self.normalization] if self.normalization else []
        return words + ([f"dropout keeps {self.dropout_param['p']:g}"] if self.use_dropout else [])

    def _parts(self) -> _network.Params:
        return self.params | self._running()

    def _fitting(self, parts: dict[str, Any]) -> _network.Params:
        hidden = range(1, self.num_layers) if self.normalization == "batchnorm" else ()
        running = [f"{name}{layer}" for layer in hidden for name in ("running_mean", "running_var")]
        return _network.fitting(parts, list(self.params), running)

    def _take(self, parts: _network.Params) -> None:
        self.params = {name: parts[name] for name in self.params}
        self.dtype = self.params["W1"].dtype
        for layer, bn_param in enumerate(self.bn_params, 1):
            for name in ("running_mean", "running_var"):
                bn_param.pop(name, None)
                if f"{name}{layer}" in parts:
                    bn_param[name] = parts[f"{name}{layer}"]


_NORMS: dict[str, Any] = {
    "batchnorm": (layers.batchnorm_forward, layers.batchnorm_backward),
    "layernorm": (layers.layernorm_forward, layers.layernorm_backward),
}
