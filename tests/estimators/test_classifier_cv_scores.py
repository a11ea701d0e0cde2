"""SoftmaxClassifierCV where scores are NaN, and other limits of the choice."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from csoftmax import SoftmaxClassifier, SoftmaxClassifierCV
from csoftmax.estimators.selection import best

X, y = load_iris(return_X_y=True)
Cs = [1e-3, 1.0, 1e3]
folds = list(StratifiedKFold(3).split(X, y))


class Scorer:
    """Accuracy, but NaN where coefficients are large, in some folds."""

    def __init__(self, largest, in_folds=(0, 1, 2)):
        self.largest = largest
        self.rows = {len(X[folds[k][1]]) + X[folds[k][1]].sum() for k in in_folds}

    def __call__(self, model, X, y):
        spoiled = len(X) + X.sum() in self.rows
        return np.nan if spoiled and np.abs(model.coef_).max() > self.largest else model.score(X, y)


@pytest.mark.parametrize("l1_ratios", [(0.0,), (0.0, 0.5)])
@pytest.mark.parametrize("in_folds", [(0, 1, 2), (1,)])
def test_nan_is_never_the_best(l1_ratios, in_folds):
    model = SoftmaxClassifierCV(Cs, l1_ratios=l1_ratios, cv=folds, scoring=Scorer(3, in_folds))
    with pytest.warns(UserWarning, match=r"scoring is NaN for C = 1000\b.*not chosen") as seen:
        model.fit(X, y)
    assert seen[0].filename == __file__
    assert np.isnan(model.scores_[in_folds[0], 0, 2])
    assert model.C_ == 1.0
    with pytest.warns(UserWarning, match="non-finite"):
        search = GridSearchCV(
            SoftmaxClassifier(), {"C": Cs}, cv=folds, scoring=Scorer(3, in_folds)
        ).fit(X, y)
    assert search.best_params_["C"] == model.C_
    assert ("l1_ratio = 0.5" in str(seen[0].message)) == (len(l1_ratios) > 1)


def test_nan_without_refit():
    model = SoftmaxClassifierCV(Cs, cv=folds, scoring=Scorer(3, [1]), refit=False)
    with pytest.warns(UserWarning, match=r"NaN in some fold for C = 1000: not chosen there"):
        model.fit(X, y)
    with np.errstate(invalid="ignore"):
        numbers = np.where(np.isnan(model.scores_), -np.inf, model.scores_)[:, 0]
    assert np.take(Cs, numbers.argmax(axis=1)).mean() == model.C_


def test_nan_everywhere():
    every = Scorer(-1)
    with pytest.raises(ValueError, match="scoring is NaN in some fold for every C and l1_ratio"):
        SoftmaxClassifierCV(Cs, cv=folds, scoring=every).fit(X, y)
    with pytest.raises(ValueError, match="scoring is NaN in fold 1 for every C and l1_ratio"):
        SoftmaxClassifierCV(Cs, cv=folds, scoring=Scorer(-1, [1]), refit=False).fit(X, y)


def test_infinite_scores():
    """-inf is a score, and better than NaN; inf and -inf have no mean."""
    inf, nan = np.inf, np.nan
    for scores, expected in (
        ([[-inf, nan]], 0),
        ([[nan, -inf]], 1),
        ([[nan, -inf, -5]], 2),
        ([[1.0, inf]], 1),
        ([[inf, 0.0], [-inf, 0.0]], 1),
    ):
        Cs = np.arange(3.0)[: len(scores[0])]
        c, r, missing = best(np.array(scores)[:, None], Cs, np.zeros(1), refit=True)
        assert (c.tolist(), r.tolist()) == ([expected], [0])
        with np.errstate(invalid="ignore"):  # infinities of both signs have no sum
            assert bool(missing) == np.isnan(np.sum(scores, axis=0)).any()


@pytest.mark.parametrize("refit", [False, True])
def test_no_iterations(refit):
    model = SoftmaxClassifierCV(Cs, cv=3, max_iter=0, refit=refit)
    with pytest.warns(ConvergenceWarning, match="max_iter=0"):
        model.fit(X, y)
    assert not model.coef_.any()
    assert not model.n_iter_.any()


def test_random_state_is_taken_and_does_not_shuffle_the_folds():
    model = SoftmaxClassifierCV(Cs, cv=3, random_state=3)
    assert clone(model).get_params()["random_state"] == 3
    plain = SoftmaxClassifierCV(Cs, cv=3).fit(X, y)
    np.testing.assert_array_equal(model.fit(X, y).scores_, plain.scores_)
    with pytest.raises(ValueError, match="'random_state'"):
        SoftmaxClassifierCV(random_state="x").fit(X, y)
