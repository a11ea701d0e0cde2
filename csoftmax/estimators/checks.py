"""What the estimators refuse, in scikit-learn's words where its own checks look for them.

What predictions refuse as well, `prediction.checks`, is here by its own names.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax._native import checks
from csoftmax.estimators.sklearn import (
    _check_sample_weight,
    assert_all_finite,
    check_array,
    check_classification_targets,
    check_consistent_length,
    column_or_1d,
    issparse,
    validate_data,
)
from csoftmax.prediction.checks import BLOCK_BYTES as BLOCK_BYTES
from csoftmax.prediction.checks import DENSE
from csoftmax.prediction.checks import MIN_ROWS as MIN_ROWS
from csoftmax.prediction.checks import block_features as block_features
from csoftmax.prediction.checks import finite_features as finite_features
from csoftmax.prediction.checks import frame_dtype as frame_dtype
from csoftmax.prediction.checks import row_blocks as row_blocks
from csoftmax.prediction.checks import same_names as same_names
from csoftmax.prediction.checks import threads as threads
from csoftmax.solvers.objective import STRONGEST
from csoftmax.sources import source_of

Array = npt.NDArray[Any]

#: how far the sum of a row of probabilities may be from 1: float16 is this coarse
SUM_TOLERANCE = 1e-3


# ---- X -----------------------------------------------------------------------------------------


def features(estimator: Any, X: Any, *, reset: bool) -> Any:
    """X as an array of float64, float32, uint8 or bool of any layout, or as CSR of floats."""
    validate = functools.partial(validate_data, estimator, reset=reset)
    if hasattr(type(X), "columns"):
        checks.present("X", X)
        validate(X, skip_check_array=True)  # their names
        validate = functools.partial(check_array, estimator=estimator, input_name="X")
        if checks.is_sparse_table(X):
            X = X.sparse.to_coo()
    dtype: Any = list(DENSE)
    if issparse(X):
        narrow = X.dtype in (np.uint8, np.bool_)
        dtype = np.float32 if narrow else [np.float64, np.float32]
    else:  # scikit-learn would see no dtype but NumPy's, and make float64 of a float32 tensor
        X = checks.as_array("X", X)
        if X.dtype.kind == "V":  # bfloat16, or records
            X = checks.array("X", X)
    return validate(X, accept_sparse="csr", dtype=dtype, ensure_all_finite=False)


def arithmetic(X: Any) -> np.dtype[Any]:
    """The dtype of a model of X: float32 for float32, uint8 and bool, else float64."""
    narrow = X.dtype in (np.float32, np.uint8, np.bool_)
    return np.dtype(np.float32 if narrow else np.float64)


# ---- sources of blocks -------------------------------------------------------------------------


def in_memory(estimator: Any, X: Any) -> None:
    """Refuse a source that is no array, where rows are drawn from all over X."""
    if not isinstance(X, np.ndarray) and (source := source_of(X)) is not None:
        raise TypeError(
            f"{source.name} is read block by block, but here {type(estimator).__name__} draws rows "
            "from all over X: wanted an array in memory, or a memory map"
        )


def remember_names(estimator: Any, names: list[str] | None) -> None:
    """Set feature_names_in_, or remove those of another fit."""
    if names is not None:
        estimator.feature_names_in_ = np.asarray(names, object)
    elif hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_


# ---- y and the weights -------------------------------------------------------------------------


def has_target(estimator: Any, y: Any) -> None:
    """Refuse rows without a target."""
    if y is None:
        name = type(estimator).__name__
        raise ValueError(f"This {name} estimator requires y to be passed, but the target y is None")


def labels_or_probabilities(estimator: Any, y: Any, X: Any) -> tuple[Array, bool]:
    """The target as (N,) labels or (N, C) probabilities, and whether it is the latter."""
    has_target(estimator, y)
    name = type(estimator).__name__
    y = checks.as_array("y", y)
    soft = y.ndim == 2 and y.shape[1] > 1
    if soft:
        target = _probabilities(y)
    elif y.ndim == 1 and y.dtype.kind in "biu":
        target = y  # always classes; the checks take a twentieth of a fit to iris
    else:
        target = column_or_1d(y, warn=True)
        assert_all_finite(target, input_name="y", estimator_name=name)
        check_classification_targets(target)
    check_consistent_length(X, target)
    return target, soft


def labels(estimator: Any, y: Any, X: Any) -> Array:
    """The target as (N,) labels."""
    target, soft = labels_or_probabilities(estimator, y, X)
    if soft:
        raise ValueError(
            f"y should be a 1d array, got an array of shape {target.shape} instead: "
            f"{type(estimator).__name__} wants labels, for its folds and scores"
        )
    return target


def _probabilities(y: Any) -> Array:
    values = checks.array("y", y)
    if values.dtype.kind != "f":
        raise ValueError(
            f"y should be a 1d array, got an array of shape {values.shape} instead. "
            f"Probabilities (N, C) are wanted as floating-point numbers, not as {values.dtype}."
        )
    sums = values.sum(axis=1, dtype=np.float64)
    bad = ~(np.abs(sums - 1) <= SUM_TOLERANCE) | ~(values >= 0).all(axis=1)
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(
            f"y[{row}] has smallest element {values[row].min():.4g} and sum {sums[row]:.4g}: "
            "wanted a row of probabilities, none negative, with sum 1"
        )
    return values


def no_class_weight(class_weight: Any, *, soft: bool, partial: bool) -> None:
    """Refuse weights of classes where there are none."""
    if soft and class_weight is not None:
        raise ValueError(
            f"class_weight is {class_weight!r}, but y is probabilities: "
            "wanted labels with it, or sample_weight"
        )
    if partial and isinstance(class_weight, str):
        raise ValueError(
            f"class_weight is {class_weight!r}, which partial_fit cannot know from some rows: "
            "wanted a dictionary (sklearn.utils.class_weight.compute_class_weight makes one)"
        )


def several(estimator: Any, classes: Array) -> None:
    """Refuse a target with one class."""
    if len(classes) < 2:
        raise ValueError(
            f"{type(estimator).__name__} needs samples of at least 2 classes in the data, "
            f"but the data contains only one class: {classes[0]!r}"
        )


def partial_classes(estimator: Any, given: Any, n_columns: int | None) -> Array:
    """The classes of partial_fit: the model's, or those named at the first call.

    `n_columns` is that of probabilities, which have classes 0, 1, ... without names.
    """
    known = getattr(estimator, "classes_", None)
    known = None if known is None else checks.as_array("classes_", known)
    if given is not None:
        named = np.unique(checks.as_array("classes", given))
        if known is not None and not np.array_equal(known, named):
            raise ValueError(
                f"classes is {given!r}, not the same as on last call to partial_fit: "
                f"wanted {known!r} or None"
            )
        known = named
    elif known is None:
        if n_columns is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        known = np.arange(n_columns)
    several(estimator, known)
    if n_columns is not None and n_columns != len(known):
        raise ValueError(f"y has {n_columns} columns: wanted {len(known)}, one for each class")
    return known


def known_labels(y: Array, classes: Array) -> npt.NDArray[np.int64]:
    """Index of each label in the sorted classes."""
    wanted = y
    if y.dtype.kind in "iu" and classes.dtype.kind in "iu":
        # int64 and uint64 would meet in float64; what wraps here is found to be unequal below
        wanted = y.astype(classes.dtype, copy=False)
    index = np.minimum(np.searchsorted(classes, wanted), len(classes) - 1)
    unknown = classes[index] != y
    if np.any(unknown):
        at = int(np.argmax(unknown))
        raise ValueError(f"y[{at}] is {y[at]!r}: wanted one of the classes, {list(classes)}")
    return index.astype(np.int64, copy=False)


def plain(**values: Any) -> tuple[Any, ...]:
    """Arguments by name as arrays of NumPy's; None, and one number for all rows, as they are."""
    return tuple(
        value if value is None or isinstance(value, Real) else checks.as_array(name, value)
        for name, value in values.items()
    )


def sample_weights(value: Any, X: Any) -> Array | None:
    """Weights of the rows in float64, none negative, not all zero."""
    if value is None:
        return None
    (given,) = plain(sample_weight=value)
    rows = np.empty((X.shape[0], 0))  # all of X that counts here
    weights: Array = _check_sample_weight(given, rows, dtype=np.float64)
    if (negative := weights < 0).any():
        at = int(negative.argmax())
        raise ValueError(f"sample_weight[{at}] is {weights[at]:g}: wanted no negative weight")
    return weights


def total_weight(weights: Array | None, n_rows: int) -> float:
    """The sum of the weights, with those of the classes; not zero."""
    total = float(n_rows if weights is None else weights.sum())
    if not total > 0:
        raise ValueError(
            "sample_weight, times class_weight, is zero for all rows: "
            "wanted at least one positive weight"
        )
    return total


def training_masks(folds: Any, n_rows: int) -> npt.NDArray[np.bool_]:
    """Which rows each fold is trained on: (n_folds, N)."""
    masks = np.zeros((len(folds), n_rows), bool)
    for i, (mask, (train, _)) in enumerate(zip(masks, folds, strict=True)):
        rows = np.arange(n_rows)[train]
        mask[rows] = True
        if (different := int(mask.sum())) != len(rows) or not different:
            raise ValueError(
                f"fold {i} of cv trains on {len(rows)} rows, of which {different} are different: "
                "wanted at least one, and none twice"
            )
    return masks


def inverse_strengths(Cs: Any) -> npt.NDArray[np.float64]:
    """The values of C: as many as an integer says, from 1e-4 to 1e4, or those given."""
    if isinstance(Cs, Integral):
        return np.logspace(-4, 4, int(Cs))
    return _grid("Cs", Cs, "a positive integer, or positive numbers", lambda grid: grid > 0)


def l1_ratios(value: Any) -> npt.NDArray[np.float64]:
    """Shares of l1 in the penalty."""
    return _grid("l1_ratios", value, "numbers from 0 to 1", lambda grid: abs(grid - 0.5) <= 0.5)


def _grid(
    name: str, value: Any, wanted: str, holds: Callable[[Array], Array]
) -> npt.NDArray[np.float64]:
    try:
        grid = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        grid = np.empty(0)
    if grid.ndim != 1 or not grid.size or not holds(grid).all():
        raise ValueError(f"{name} is {value!r}: wanted {wanted}")
    return grid


def penalties(C: float, l1_ratio: float, total: float) -> tuple[float, float]:
    """l2 and l1 beside the mean loss: shares of 1 / (C total), in the range of float32."""
    with np.errstate(over="ignore"):
        strength = float(1 / np.float64(C) / total)
    if not strength <= STRONGEST:
        raise ValueError(
            f"C is {C:g} and the sum of the weights {total:g}: "
            f"wanted a product of at least {1 / STRONGEST:g}"
        )
    return (1 - l1_ratio) * strength, l1_ratio * strength
