"""What SoftmaxClassifierCV chooses from, and how: penalties, scorers, and the best score."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax.estimators import checks as fit_checks
from csoftmax.estimators.sklearn import make_scorer

Array = npt.NDArray[Any]


def penalties(Cs: Array, ratios: Array, masks: Array, weights: Array | None) -> tuple[Array, Array]:
    """l2 and l1 (n_Cs, n_l1_ratios, n_folds) of models beside their mean losses."""
    totals = [
        fit_checks.total_weight(None if weights is None else weights[mask], mask.sum())
        for mask in masks
    ]
    found = [
        [[fit_checks.penalties(C, ratio, total) for total in totals] for ratio in ratios]
        for C in Cs
    ]
    l2, l1 = np.moveaxis(np.array(found), -1, 0)
    return l2, l1


def with_labels(scorer: Any, classes: Array) -> Any:
    """The scorer, told of all classes if it can be: a fold may hold out rows of some alone."""
    function = getattr(scorer, "_score_func", None)
    names = inspect.signature(function).parameters if function else {}
    if function is None or "labels" not in names:
        return scorer
    options = {"labels": classes}
    if len(classes) == 2 and scorer._kwargs.get("average", "binary") == "binary":
        options |= {"pos_label": classes[-1]} if "pos_label" in names else {}
    return make_scorer(
        function,
        greater_is_better=scorer._sign == 1,
        response_method=scorer._response_method,
        **(options | scorer._kwargs),
    )


def best(scores: Array, Cs: Array, ratios: Array, *, refit: bool) -> tuple[Array, Array]:
    """Indices of C and l1_ratio of the best of the scores (n_folds, n_l1_ratios, n_Cs).

    One of each for all folds together with `refit`, else one for each fold. The first of equals as
    in LogisticRegressionCV: by C, then by l1_ratio. NaN is never the best, as in GridSearchCV: with
    `refit` that of one fold is enough.
    """
    with np.errstate(invalid="ignore"):  # infinities of both signs have no sum
        rows = scores.sum(axis=0, keepdims=True) if refit else scores
    rows = rows.swapaxes(1, 2).reshape(len(rows), -1)
    missing = np.isnan(rows)
    if missing.all(axis=1).any():
        where = "in some fold" if refit else f"in fold {int(missing.all(axis=1).argmax())}"
        raise ValueError(
            f"scoring is NaN {where} for every C and l1_ratio: wanted a number for at least one"
        )
    if missing.any():
        found = missing.any(axis=0).reshape(len(Cs), len(ratios))
        which = "; ".join(
            f"C = {', '.join(f'{C:g}' for C in Cs[some])}"
            + (f" with l1_ratio = {ratio:g}" if len(ratios) > 1 else "")
            for ratio, some in zip(ratios, found.T, strict=True)
            if some.any()
        )
        warnings.warn(
            f"scoring is NaN for {which}: not chosen, whatever it is in other folds"
            if refit
            else f"scoring is NaN in some fold for {which}: not chosen there",
            UserWarning,
            stacklevel=3,
        )
    at = np.array(
        [np.flatnonzero(~no)[row[~no].argmax()] for row, no in zip(rows, missing, strict=True)]
    )
    return np.divmod(at, len(ratios))
