"""Update rules of the course: a parameter and its gradient, to the next value of the parameter.

    next_w, config = rule(w, dw, config)

`config` is a dictionary of what the rule is told and what it remembers; what it lacks is added. A
float32 parameter stays float32. `sgd` changes w in place, as the course's does; the other rules
change none of their arrays, but put new ones into `config`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from csoftmax._native import checks

__all__ = ["RULES", "adam", "rmsprop", "sgd", "sgd_momentum"]

_Array = NDArray[Any]
_Config = dict[str, Any]


def sgd(w: _Array, dw: _Array, config: _Config | None = None) -> tuple[_Array, _Config]:
    """Stochastic gradient descent.

        w -= learning_rate dw           in place

    Parameters
    ----------
    w, dw : ndarrays of one shape
    config : dict, optional
        "learning_rate": 1e-2.

    Returns
    -------
    next_w : ndarray
        `w` itself.
    config : dict

    Raises
    ------
    TypeError, ValueError
        For a learning rate that is no finite number of at least 0.

    See Also
    --------
    sgd_momentum : With a velocity.
    csoftmax.cs231n.solver.Solver : Takes the rules by name.

    Examples
    --------
    >>> import numpy as np
    >>> next_w, config = sgd(np.array([1.0]), np.array([2.0]))
    >>> print(next_w, config)
    [0.98] {'learning_rate': 0.01}
    """
    config = _with_defaults(config, learning_rate=1e-2)
    w -= _number(config, "learning_rate") * dw
    return w, config


def sgd_momentum(w: _Array, dw: _Array, config: _Config | None = None) -> tuple[_Array, _Config]:
    """Stochastic gradient descent with momentum.

        velocity = momentum velocity - learning_rate dw         next_w = w + velocity

    Parameters
    ----------
    w, dw : ndarrays of one shape
    config : dict, optional
        "learning_rate": 1e-2; "momentum": 0.9, from 0 to 1; "velocity": zeros.

    Returns
    -------
    next_w : ndarray
    config : dict
        With the next velocity.

    Raises
    ------
    TypeError, ValueError
        For numbers that are out of range.

    See Also
    --------
    sgd : Without a velocity.
    adam : With a second moment, too.

    Examples
    --------
    >>> import numpy as np
    >>> w, config = sgd_momentum(np.array([1.0]), np.array([2.0]))
    >>> w, config = sgd_momentum(w, np.array([2.0]), config)
    >>> print(w.round(4), config["velocity"])
    [0.942] [-0.038]
    """
    config = _with_defaults(config, learning_rate=1e-2, momentum=0.9)
    velocity = _number(config, "momentum", 1) * config.get("velocity", np.zeros_like(w))
    velocity -= _number(config, "learning_rate") * dw
    config["velocity"] = velocity
    return w + velocity, config


def rmsprop(w: _Array, dw: _Array, config: _Config | None = None) -> tuple[_Array, _Config]:
    """RMSProp: steps divided by the root of a moving average of the squared gradients.

        cache = decay_rate cache + (1 - decay_rate) dw**2
        next_w = w - learning_rate dw / (sqrt(cache) + epsilon)

    Parameters
    ----------
    w, dw : ndarrays of one shape
    config : dict, optional
        "learning_rate": 1e-2; "decay_rate": 0.99, from 0 to 1; "epsilon": 1e-8; "cache": zeros.

    Returns
    -------
    next_w : ndarray
    config : dict
        With the next cache.

    Raises
    ------
    TypeError, ValueError
        For numbers that are out of range.

    See Also
    --------
    adam : With a velocity, too.
    sgd : Without a scale.

    References
    ----------
    .. [1] T. Tieleman, G. Hinton, "Lecture 6.5: rmsprop", Neural Networks for Machine Learning,
       Coursera 2012.

    Examples
    --------
    >>> import numpy as np
    >>> w, config = rmsprop(np.array([1.0]), np.array([2.0]))
    >>> print(w.round(4), config["cache"].round(4))
    [0.9] [0.04]
    """
    config = _with_defaults(config, learning_rate=1e-2, decay_rate=0.99, epsilon=1e-8)
    cache = _averaged(config.get("cache"), dw * dw, _number(config, "decay_rate", 1))
    config["cache"] = cache
    return w - _scaled(config, dw, cache), config


def adam(w: _Array, dw: _Array, config: _Config | None = None) -> tuple[_Array, _Config]:
    """Adam: RMSProp with momentum, and both averages freed of their start at 0.

        t += 1
        m = beta1 m + (1 - beta1) dw            v = beta2 v + (1 - beta2) dw**2
        next_w = w - learning_rate (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + epsilon)

    Parameters
    ----------
    w, dw : ndarrays of one shape
    config : dict, optional
        "learning_rate": 1e-3; "beta1": 0.9 and "beta2": 0.999, from 0 to 1; "epsilon": 1e-8;
        "m" and "v": zeros; "t": 0.

    Returns
    -------
    next_w : ndarray
    config : dict
        With the next m, v and t.

    Raises
    ------
    TypeError, ValueError
        For numbers that are out of range.

    See Also
    --------
    rmsprop : Without a velocity.
    sgd_momentum : Without a scale.
    csoftmax.SGD : The estimator's mini-batches.

    References
    ----------
    .. [1] D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015,
       algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> w, config = adam(np.array([1.0]), np.array([2.0]))
    >>> print(w.round(4), config["t"])
    [0.999] 1
    """
    config = _with_defaults(config, learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, t=0)
    beta1, beta2 = _number(config, "beta1", 1), _number(config, "beta2", 1)
    config["t"] = t = checks.integer("t", config["t"], 0) + 1
    config["m"] = m = _averaged(config.get("m"), dw, beta1)
    config["v"] = v = _averaged(config.get("v"), dw * dw, beta2)
    return w - _scaled(config, m / (1 - beta1**t), v / (1 - beta2**t)), config


#: The rules by the names that `Solver` takes.
RULES = {"sgd": sgd, "sgd_momentum": sgd_momentum, "rmsprop": rmsprop, "adam": adam}


def _with_defaults(config: _Config | None, **defaults: float) -> _Config:
    """The caller's dictionary, with what it lacks."""
    config = {} if config is None else config
    for name, value in defaults.items():
        config.setdefault(name, value)
    return config


def _number(config: _Config, name: str, high: float = np.inf) -> float:
    """A setting, as a Python float, which leaves a float32 parameter float32."""
    return checks.real(name, config[name], 0, high)


def _averaged(old: _Array | None, new: _Array, decay: float) -> _Array:
    """The next moving average, of one that may not have begun."""
    fresh: _Array = (1 - decay) * new
    if old is not None:
        fresh += decay * old
    return fresh


def _scaled(config: _Config, step: _Array, squares: _Array) -> _Array:
    """The step with each entry divided by the root of its mean square."""
    root = np.sqrt(squares)
    root += _number(config, "epsilon")
    result: _Array = _number(config, "learning_rate") * step
    result /= root
    return result
