"""Numerical gradients under the course's names, by central differences.

    df/dx[i] = (f(x + h e_i) - f(x - h e_i)) / (2 h)

Every function moves the entries of x in place, one at a time, and puts them back: a function that
looks at the array rather than at its argument sees the change, as the course's layers do.
"""

from collections.abc import Callable, Sequence
from random import randrange
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "eval_numerical_gradient",
    "eval_numerical_gradient_array",
    "eval_numerical_gradient_blobs",
    "eval_numerical_gradient_net",
    "grad_check_sparse",
]

_Array = NDArray[np.floating[Any]]


def eval_numerical_gradient(
    f: Callable[[_Array], Any], x: _Array, verbose: bool = True, h: float = 1e-5
) -> _Array:
    """Return the numerical gradient of a function with one value, at x.

    Parameters
    ----------
    f : callable
        Takes x, returns a number.
    x : ndarray of floats
        Any shape; the same afterwards.
    verbose : bool
        Print each index and the slope there.
    h : float
        Half the distance of the two points. float32 arrays need a greater one.

    Returns
    -------
    ndarray of x's shape and dtype

    Raises
    ------
    TypeError
        If x is not an array of floats, for the step would be lost in it.

    See Also
    --------
    eval_numerical_gradient_array : Of a function whose value is an array.
    grad_check_sparse : Some numbers of a gradient.

    Examples
    --------
    >>> import numpy as np
    >>> grad = eval_numerical_gradient(lambda x: np.sum(x**2), np.array([1.0, -3.0]), verbose=False)
    >>> print(grad.round(6))
    [ 2. -6.]
    """
    _check_floats(x)
    grad = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        grad[index] = _difference(f, x, index, h) / (2 * h)
        if verbose:
            print(index, grad[index])
    return grad


def eval_numerical_gradient_array(
    f: Callable[[_Array], _Array], x: _Array, df: _Array, h: float = 1e-5
) -> _Array:
    """Return the numerical gradient of sum(f(x) * df), for a function whose value is an array.

    Parameters
    ----------
    f : callable
        Takes x, returns an array.
    x : ndarray of floats
        Any shape; the same afterwards.
    df : array of the shape of f(x)
        The gradient that comes from above.
    h : float

    Returns
    -------
    ndarray of x's shape and dtype

    Raises
    ------
    TypeError
        If x is not an array of floats.

    See Also
    --------
    eval_numerical_gradient : Of a function whose value is a number.
    eval_numerical_gradient_blobs : Of a function that writes its value.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([1.0, -3.0])
    >>> print(eval_numerical_gradient_array(lambda x: x**2, x, np.array([1.0, 10.0])).round(6))
    [  2. -60.]
    """
    _check_floats(x)
    grad = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        grad[index] = np.sum(_difference(f, x, index, h) * df) / (2 * h)
    return grad


def eval_numerical_gradient_blobs(
    f: Callable[..., object], inputs: Sequence[Any], output: Any, h: float = 1e-5
) -> list[_Array]:
    """Return the numerical gradients of sum(output.vals * output.diffs) by all inputs.

    For a function that writes its value into an object with two arrays, `vals` and `diffs`: a
    value, and the gradient that comes from above. Its arguments are such objects.

    Parameters
    ----------
    f : callable
        Called as ``f(*inputs, output)``; sets ``output.vals``.
    inputs : sequence of blobs
        Their `vals`, ndarrays of floats, are the same afterwards.
    output : blob
        Its `diffs` has the shape of its `vals`, which are changed.
    h : float

    Returns
    -------
    list of ndarrays
        For each input one of the shape and dtype of its `vals`.

    Raises
    ------
    TypeError
        If the `vals` of an input are not an array of floats.

    See Also
    --------
    eval_numerical_gradient_net : Of a network of blobs.
    eval_numerical_gradient_array : Of a function that returns its value.

    Examples
    --------
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> x, out = (SimpleNamespace(vals=np.array([3.0]), diffs=np.ones(1)) for _ in range(2))
    >>> def square(x, out):
    ...     out.vals = x.vals**2
    >>> print(eval_numerical_gradient_blobs(square, (x,), out)[0].round(6))
    [6.]
    """

    def value(_: _Array) -> _Array:
        f(*inputs, output)
        vals: _Array = output.vals
        return vals

    for blob in inputs:  # before any is moved
        _check_floats(blob.vals)
    return [eval_numerical_gradient_array(value, blob.vals, output.diffs, h) for blob in inputs]


def eval_numerical_gradient_net(
    net: Any, inputs: Sequence[Any], output: Any, h: float = 1e-5
) -> list[_Array]:
    """Return the numerical gradients of a net of blobs by its inputs.

    Parameters
    ----------
    net : object
        Its `forward()` reads the inputs and sets ``output.vals``.
    inputs, output, h
        As for `eval_numerical_gradient_blobs`; so are result and errors.

    Returns
    -------
    list of ndarrays
        A gradient for each input.

    Raises
    ------
    TypeError
        If an input is not an array of floats.

    See Also
    --------
    eval_numerical_gradient_blobs : Of a function of blobs.

    Examples
    --------
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> x, out = (SimpleNamespace(vals=np.array([3.0]), diffs=np.ones(1)) for _ in range(2))
    >>> net = SimpleNamespace(forward=lambda: setattr(out, "vals", 5 * x.vals))
    >>> print(eval_numerical_gradient_net(net, [x], out)[0].round(6))
    [5.]
    """
    return eval_numerical_gradient_blobs(lambda *_: net.forward(), inputs, output, h)


def grad_check_sparse(
    f: Callable[[_Array], Any],
    x: _Array,
    analytic_grad: _Array,
    num_checks: int = 10,
    h: float = 1e-5,
) -> None:
    """Print the numerical and the analytic gradient at randomly drawn entries of x.

        relative error = |numerical - analytic| / (|numerical| + |analytic|)        0 where both are

    Parameters
    ----------
    f : callable
        Takes x, returns a number.
    x : ndarray of floats
        Any shape; the same afterwards.
    analytic_grad : array of x's shape
    num_checks : int
        How many entries, drawn with Python's `random`.
    h : float

    Raises
    ------
    TypeError
        If x is not an array of floats.

    See Also
    --------
    eval_numerical_gradient : The whole gradient.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([2.0])
    >>> grad_check_sparse(lambda x: float(x[0] ** 2), x, 2 * x, num_checks=1)
    numerical: 4.000000 analytic: 4.000000, relative error: ...
    """
    _check_floats(x)
    for _ in range(num_checks):
        index = tuple(randrange(n) for n in x.shape)
        numerical = _difference(f, x, index, h) / (2 * h)
        analytic = analytic_grad[index]
        scale = abs(numerical) + abs(analytic)
        error = abs(numerical - analytic) / scale if scale != 0 else 0.0
        print(f"numerical: {numerical:f} analytic: {analytic:f}, relative error: {error:e}")


def _difference(f: Callable[[_Array], Any], x: _Array, index: tuple[int, ...], h: float) -> Any:
    """Return f(x + h) - f(x - h), with h at one entry."""
    old = x[index]
    try:
        x[index] = old + h
        above = np.array(f(x))  # a copy: f may return the same array twice
        x[index] = old - h
        return above - f(x)
    finally:
        x[index] = old


def _check_floats(x: _Array) -> None:
    if not (isinstance(x, np.ndarray) and x.dtype.kind == "f"):
        kind = x.dtype if isinstance(x, np.ndarray) else type(x).__name__
        raise TypeError(f"x is {kind}: wanted an ndarray of floats, which is moved in place")
