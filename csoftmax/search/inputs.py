"""What `train_many` is given, checked before it trains."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax._native import checks

Array = npt.NDArray[Any]


def data(
    x_name: str, X: Any, y_name: str, y: npt.ArrayLike, start: npt.ArrayLike | None
) -> tuple[Any, Array]:
    """Rows as kernels read them, and their labels."""
    if hasattr(type(X), "tocsr"):
        X = X.tocsr()
        X = X if X.has_sorted_indices else X.sorted_indices()
    else:
        X = np.asarray(checks.array(x_name, X))
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(
            f"{x_name} has shape {X.shape}: wanted (N, D), at least one row and column"
        )
    index = checks.array(y_name, y)
    if index.shape != X.shape[:1]:
        raise ValueError(
            f"{y_name} has shape {index.shape}: wanted {X.shape[:1]}, a label for each row of "
            f"{x_name}"
        )
    if isinstance(X, np.ndarray):
        X = checks.readable(X, _dtype(X if start is None else checks.array("start", start)))
    return X, checks.labels(y_name, index)


def _dtype(X: Any) -> np.dtype[Any]:
    """That of the arithmetic: of rows, or of first weights."""
    dtype: np.dtype[Any] = X.dtype
    return dtype.newbyteorder("=") if dtype.char in "fd" else np.dtype(np.float32)


def validation(X_val: Any, y_val: npt.ArrayLike | None, start: Array) -> tuple[Any, Array] | None:
    """Validation rows and their labels, if there are any, for such weights."""
    if X_val is None and y_val is None:
        return None
    if X_val is None or y_val is None:
        missing, given = ("X_val", "y_val") if X_val is None else ("y_val", "X_val")
        raise ValueError(f"{missing} is None, but {given} is not: wanted both or neither")
    X, y = data("X_val", X_val, "y_val", y_val, start)
    n_features, n_classes = start.shape
    if X.shape[1] != n_features:
        raise ValueError(f"X_val has shape {X.shape}: wanted (N, {n_features}), features as X's")
    checks.label_range("y_val", y, n_classes)
    return X, y


def sample(X: Any, y: Array, n_rows: int) -> tuple[Any, Array] | None:
    """So many of the rows and their labels, evenly spaced; all, where there are no more."""
    if not n_rows:
        return None
    rows = np.linspace(0, X.shape[0] - 1, min(n_rows, X.shape[0])).astype(np.int64)
    return X[rows], y[rows]


def _several(name: str, values: Any) -> list[Any]:
    """One number, or several: at least one."""
    several = list(values) if np.ndim(values) else [values]
    if not several:
        raise ValueError(f"{name} is empty: wanted at least one number")
    return several


def reals(name: str, values: npt.ArrayLike) -> list[float]:
    """One number of at least 0, or several."""
    several = _several(name, values)
    names = [f"{name}[{k}]" for k in range(len(several))] if np.ndim(values) else [name]
    return [checks.real(each, value, 0) for each, value in zip(names, several, strict=True)]


def seed(name: str, value: Any) -> int:
    """A seed of RandomState."""
    number = checks.integer(name, value, 0)
    if number >= 2**32:
        raise ValueError(f"{name} is {number}: wanted a number below 2**32")
    return number


def first_weights(
    X: Any, y: Array, seeds: npt.ArrayLike, start: npt.ArrayLike | None
) -> list[tuple[int | None, Array]]:
    """Seeds, and what they draw."""
    numbers = [seed("seeds", each) for each in _several("seeds", seeds)]
    if start is None:
        shape = X.shape[1], max(1, int(y.max()) + 1)
        checks.label_range("y", y, shape[1])
        dtype = _dtype(X)
        return [
            (each, (0.001 * np.random.RandomState(each).randn(*shape)).astype(dtype))
            for each in numbers
        ]
    if len(numbers) > 1:
        raise ValueError(f"seeds are {len(numbers)}, but start is given: wanted one of the two")
    W = checks.array("start", start)
    if W.ndim != 2 or W.shape[0] != X.shape[1] or not W.shape[1]:
        raise ValueError(f"start has shape {W.shape}: wanted ({X.shape[1]}, C)")
    if W.dtype.char not in "fd":
        raise TypeError(f"start has dtype {W.dtype}: wanted float32 or float64")
    checks.label_range("y", y, W.shape[1])
    return [(None, np.ascontiguousarray(W, W.dtype.newbyteorder("=")))]


def rungs(halving: int | None, n_models: int, n_steps: int, has_validation: bool) -> dict[int, int]:
    """After how many steps how many models go on."""
    if halving is None:
        return {}
    if checks.integer("halving", halving, 2) and not has_validation:
        raise ValueError(f"halving is {halving}, but X_val is None: wanted rows that score")
    last = 0
    while halving ** (last + 1) <= n_models:
        last += 1
    rungs = {}
    for r in range(last, 0, -1):
        steps = max(1, n_steps // halving**r)
        rungs[steps] = n_models // halving ** (last - r + 1)
    return rungs
