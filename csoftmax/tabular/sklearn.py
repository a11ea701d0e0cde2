"""All that comes from scikit-learn, and its ColumnTransformer as a Preparation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from csoftmax.tabular.columns import is_missing, text_of
from csoftmax.tabular.preparation import Category, Number, Preparation

try:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler
except ImportError as error:
    raise ImportError(
        "scikit-learn learns what becomes of columns, and is not installed: "
        "pip install scikit-learn"
    ) from error

__all__ = ["StandardScaler", "StratifiedKFold", "preparation_of"]

_KNOWN = "SimpleImputer, StandardScaler and OneHotEncoder"


def preparation_of(transformer: Any) -> Preparation:
    """A fitted ColumnTransformer as numbers and texts.

    Parameters
    ----------
    transformer : ColumnTransformer
        Fitted to a data frame. Its parts are of numbers: StandardScaler, SimpleImputer, or a
        pipeline of the latter and the former; of categories: OneHotEncoder with handle_unknown=
        "ignore", or a pipeline of SimpleImputer and that.

    Returns
    -------
    Preparation
        Makes the same features, in the same order.

    Raises
    ------
    TypeError
        For all else, by its name.
    ValueError
        For one that is not fitted, or was fitted to columns without names.
    """
    if type(transformer) is not ColumnTransformer:
        alone = type(transformer) is StandardScaler
        raise TypeError(
            f"the first step is a {type(transformer).__name__}: wanted a ColumnTransformer of "
            f"{_KNOWN}{', or no scaler and standardize=True' if alone else ''}"
        )
    if not hasattr(transformer, "transformers_"):
        raise ValueError("the ColumnTransformer is not fitted")
    if not hasattr(transformer, "feature_names_in_"):
        raise ValueError("the ColumnTransformer was fitted to columns without names")
    names = np.asarray(transformer.feature_names_in_, object)
    places = {name: k for k, name in enumerate(names)}
    columns: list[Number | Category] = []
    for label, part, given in transformer.transformers_:
        if isinstance(part, str) and part == "drop":
            continue
        given = given.tolist() if hasattr(given, "tolist") else given  # an index of pandas, a mask
        key = [places[n] for n in given] if _are_names(given) else given
        chosen = [str(name) for name in np.atleast_1d(names[key])]
        if chosen:
            columns += _columns(label, part, chosen)
    return Preparation(columns)


def _are_names(given: Any) -> bool:
    return isinstance(given, Sequence) and all(isinstance(name, str) for name in given)


def _columns(label: str, part: Any, names: list[str]) -> Iterator[Number | Category]:
    """The columns of a part of the transformer."""
    steps = [step for _, step in part.steps] if type(part) is Pipeline else [part]
    kinds = [type(step) for step in steps]
    imputer = steps[0] if kinds[0] is SimpleImputer else None
    fills = [None] * len(names) if imputer is None else _fills(label, imputer, names)
    rest = steps[1:] if imputer is not None else steps
    if not rest or [type(step) for step in rest] == [StandardScaler]:
        scaler = rest[0] if rest else None
        zero, one = np.zeros(len(names)), np.ones(len(names))
        means = scaler.mean_ if scaler is not None and scaler.with_mean else zero
        scales = scaler.scale_ if scaler is not None and scaler.with_std else one
        for name, mean, scale, fill in zip(names, means, scales, fills, strict=True):
            if isinstance(fill, str):
                raise TypeError(f"{label!r} fills {name!r} with {fill!r}, and has no OneHotEncoder")
            number = None if fill is None else float(fill)
            yield Number(name, float(mean), float(scale), number)
        return
    if [type(step) for step in rest] != [OneHotEncoder]:
        seen = ", ".join(kind.__name__ for kind in kinds) if steps != ["passthrough"] else steps[0]
        raise TypeError(f"{label!r} of the ColumnTransformer is {seen}: wanted {_KNOWN}")
    encoder = rest[0]
    _check_encoder(label, encoder)
    for name, values, fill in zip(names, encoder.categories_, fills, strict=True):
        yield _category(name, values.tolist(), fill)


def _fills(label: str, imputer: Any, names: list[str]) -> list[Any]:
    if imputer.add_indicator:
        raise TypeError(f"{label!r} has a SimpleImputer with add_indicator=True: wanted False")
    if not is_missing(imputer.missing_values):
        raise TypeError(
            f"{label!r} has a SimpleImputer of {imputer.missing_values!r}: wanted that of NaN"
        )
    found: list[Any] = np.asarray(imputer.statistics_, object).tolist()
    for name, fill in zip(names, found, strict=True):
        if is_missing(fill):
            raise TypeError(f"{name!r} was missing in all rows, and is no feature")
    return found


def _check_encoder(label: str, encoder: Any) -> None:
    wanted = {"drop": None, "min_frequency": None, "max_categories": None}
    for name, value in wanted.items():
        if getattr(encoder, name) is not value:
            raise TypeError(
                f"{label!r} has a OneHotEncoder with {name}={getattr(encoder, name)!r}: wanted "
                f"{value}"
            )
    if encoder.handle_unknown == "error":
        raise TypeError(
            f"{label!r} has a OneHotEncoder with handle_unknown='error': wanted 'ignore', so that "
            "a value that was not there in the fit counts as none of the known ones"
        )


def _category(name: str, given: list[Any], fill: Any) -> Category:
    values = [None if is_missing(value) else text_of(value) for value in given]
    missing = None if fill is None else text_of(fill)
    if None in values:  # has a feature of its own
        own = "missing"
        while own in values:
            own = f"({own})"
        values[values.index(None)] = own
        missing = own if missing is None else missing
    if missing is not None and missing not in values:
        missing = None  # it counts as unknown there, too
    return Category(name, tuple(str(value) for value in values), missing)
