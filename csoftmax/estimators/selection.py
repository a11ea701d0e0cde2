"""What SoftmaxClassifierCV chooses from, and how: penalties, scores, and the best of them."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax.estimators import checks as fit_checks
from csoftmax.estimators import surveys
from csoftmax.estimators.classifier import SoftmaxClassifier
from csoftmax.estimators.sklearn import check_method_params, make_scorer

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


def scores(
    models: Array,
    classes: Array,
    X: Any,
    y: Array,
    folds: Any,
    scorer: Any,
    for_score: dict[str, Any],
    n_jobs: int | None,
) -> Array:
    """Score of each fold's models (n_folds, n_l1_ratios, n_Cs), on the rows that it holds out."""
    model = SoftmaxClassifier(n_jobs=n_jobs)
    model.classes_, model.n_features_in_ = classes, X.shape[1]
    found = np.empty(models.shape[:3])
    for fold, (_, test) in enumerate(folds):
        X_test, test = surveys.some(X, test)
        here, y_test = check_method_params(surveys.like(X), for_score, test), y[test]
        for at in np.ndindex(found.shape[1:]):
            coef = models[fold][at]
            model.coef_, model.intercept_ = coef[:, :-1], coef[:, -1]
            found[fold][at] = scorer(model, X_test, y_test, **here)
    return found


def best(scores: Array, Cs: Array, ratios: Array, *, refit: bool) -> tuple[Array, Array, str]:
    """Indices of C and l1_ratio of the best of the scores (n_folds, n_l1_ratios, n_Cs).

    And what to warn of, where scores are NaN.

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
    at = np.array(
        [np.flatnonzero(~no)[row[~no].argmax()] for row, no in zip(rows, missing, strict=True)]
    )
    return *np.divmod(at, len(ratios)), _of_missing(missing, Cs, ratios, refit)


def _of_missing(missing: Array, Cs: Array, ratios: Array, refit: bool) -> str:
    if not missing.any():
        return ""
    found = missing.any(axis=0).reshape(len(Cs), len(ratios))
    which = "; ".join(
        f"C = {', '.join(f'{C:g}' for C in Cs[some])}"
        + (f" with l1_ratio = {ratio:g}" if len(ratios) > 1 else "")
        for ratio, some in zip(ratios, found.T, strict=True)
        if some.any()
    )
    if refit:
        return f"scoring is NaN for {which}: not chosen, whatever it is in other folds"
    return f"scoring is NaN in some fold for {which}: not chosen there"
