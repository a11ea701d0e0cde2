"""What predictions refuse of X, and how they see it; without scikit-learn.

NaN and infinities in X are not looked for in advance, which would be one more pass over the data:
the first loss or score that is not finite asks `finite_features` to name the element.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax._native import checks
from csoftmax._native.threads import default
from csoftmax.sources import Surveyed, named, parts

Array = npt.NDArray[Any]

#: bytes of features, or of scores, that a block of rows has at most
BLOCK_BYTES = 4 << 20
#: but so many rows at least, so that what a block costs beside its rows does not count
MIN_ROWS = 64

#: what dense X may be made of; all others become float64
DENSE = (np.float64, np.float32, np.uint8, np.bool_)


def threads(n_jobs: int | None) -> int | None:
    """n_threads of the kernels; a negative n_jobs counts back from all, as in scikit-learn."""
    if n_jobs is None or n_jobs > 0:
        return n_jobs
    if n_jobs == 0:
        raise ValueError("n_jobs is 0: wanted None, a positive number of threads, or -1 for all")
    return max(1, default() + 1 + n_jobs)


# ---- X in memory -------------------------------------------------------------------------------


def features(model: Any, X: Any) -> Any:
    """X as the estimators have it, an array of a dtype in `DENSE` or CSR of floats, by NumPy alone.

    It has the features of the model, and their names in the same order, where both have names.
    """
    checks.present("X", X)
    _same_columns(model, X)
    if checks.is_sparse_table(X):
        X = X.sparse.to_coo()
    if checks.is_sparse(X):
        X = X.tocsr()
        if X.dtype not in (np.float64, np.float32):
            X = X.astype(np.float32 if X.dtype in (np.uint8, np.bool_) else np.float64)
    else:
        X = _dense(X)
    name = type(model).__name__
    if X.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got {X.ndim}D array instead: X has shape {X.shape}, "
            f"wanted (N, {model.n_features_in_}), rows by features"
        )
    if not X.shape[0]:
        raise ValueError(
            f"Found array with 0 sample(s) (shape={X.shape}) while a minimum of 1 is required by "
            f"{name}."
        )
    return block_features(model, X)


def _dense(X: Any) -> Array:
    array = checks.as_array("X", X)
    if array.dtype in DENSE:
        return array
    if array.dtype.kind != "O":
        return checks.array("X", array).astype(np.float64)
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"X has elements that are no real numbers: {error}") from error


def _same_columns(model: Any, X: Any) -> None:
    """Refuse a data frame with other names than in the fit; warn where only one of them has any."""
    given, known = column_names(X), getattr(model, "feature_names_in_", None)
    name = type(model).__name__
    if (given is None) == (known is None):
        same_names(model, SimpleNamespace(name="X", feature_names=given))
    elif known is None:
        text = f"X has feature names, but {name} was fitted without feature names"
        warnings.warn(text, stacklevel=5)
    else:
        text = f"X does not have valid feature names, but {name} was fitted with feature names"
        warnings.warn(text, stacklevel=5)


def column_names(X: Any) -> list[str] | None:
    """Names of a data frame's columns; None for all else, and where they are no strings."""
    cls = type(X)
    if not hasattr(cls, "columns"):
        return None
    names = list(X.column_names if hasattr(cls, "column_names") else X.columns)  # Arrow's; others'
    are_strings = [isinstance(name, str) for name in names]
    if any(are_strings) and not all(are_strings):
        kinds = sorted({type(name).__qualname__ for name in names})
        raise TypeError(
            "Feature names are only supported if all input features have string names, but X has "
            f"{kinds} as types of its columns' names: X.columns.astype(str) makes strings of them"
        )
    return names if names and all(are_strings) else None


def frame_dtype(X: Any) -> np.dtype[Any]:
    """What `features` makes of a data frame: what NumPy makes of its columns, if in `DENSE`."""
    dtype = checks.table_dtype(X)
    return dtype if dtype in DENSE else np.dtype(np.float64)


# ---- rows of any source ------------------------------------------------------------------------


def same_names(estimator: Any, source: Any) -> None:
    """Refuse a source whose features have other names, or another order, than in the fit."""
    known = getattr(estimator, "feature_names_in_", None)
    if known is None or source.feature_names is None or source.feature_names == list(known):
        return
    given = source.feature_names
    pairs = zip(given, known, strict=False)
    at = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(given), len(known)))
    seen, wanted = (repr(n[at]) if at < len(n) else "nothing" for n in (given, list(known)))
    raise ValueError(
        f"{source.name} has {seen} as feature {at}: wanted {wanted}, as in fit, and all "
        f"{len(known)} features in the same order"
    )


def block_features(estimator: Any, X: Any) -> Any:
    """Rows of a source, as `features` has them, without names."""
    if X.shape[1] != estimator.n_features_in_:
        raise ValueError(
            f"X has {X.shape[1]} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input"
        )
    return X


def row_blocks(X: Any, width: int = 1) -> Iterator[slice]:
    """Rows in blocks of bounded memory, also for an array of `width` float64 a row beside X."""
    n_rows, stored = X.shape
    if checks.is_sparse(X):
        stored = X.nnz // max(1, n_rows)
    step = max(MIN_ROWS, BLOCK_BYTES // (8 * max(stored, width, 1)))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def all_finite(values: Array) -> bool:
    """Whether there is neither NaN nor infinity; a sum is the fastest look."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values.sum())) or bool(np.isfinite(values).all())


def finite_features(estimator: Any, X: Any) -> None:
    """Raise ValueError with the first NaN or infinity of X, if there is one."""
    if X.dtype.kind != "f":
        return
    if isinstance(X, Surveyed):
        for part in parts(X):
            with named(X, part):
                finite_features(estimator, part.X)
        return
    for rows in row_blocks(X):
        block = X[rows]
        values = block.data if checks.is_sparse(block) else block
        if all_finite(values):
            continue
        at = np.argwhere(~np.isfinite(values))[0]
        value = values[tuple(at)]
        if checks.is_sparse(block):
            row = int(np.searchsorted(block.indptr, at[0], side="right")) - 1
            column = int(block.indices[at[0]])
        else:
            row, column = at
        where = f"row {rows.start + row}, column {column}"
        if (names := getattr(estimator, "feature_names_in_", None)) is not None:
            where += f" ({names[column]!r})"
        name = type(estimator).__name__
        if np.isnan(value):
            raise ValueError(
                f"Input X contains NaN.\n{name} does not accept missing values encoded as NaN "
                f"natively: the first is in {where}. Impute them (sklearn.impute), or leave the "
                "rows out."
            )
        raise ValueError(
            f"Input X contains infinity or a value too large for {X.dtype!r}.\n"
            f"{name} found the first in {where}: wanted finite numbers."
        )
