"""SoftmaxClassifierCV: what it refuses, message by message."""

from __future__ import annotations

import re

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError

from csoftmax import SoftmaxClassifierCV

X, y = load_iris(return_X_y=True)


def refused(*message, X=X, y=y, sample_weight=None, **options):
    """All words of the message must be there, in this order."""
    with pytest.raises(ValueError, match="(?s)" + ".*".join(map(re.escape, message))):
        SoftmaxClassifierCV(**options).fit(X, y, sample_weight)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"Cs": 0}, ["'Cs' parameter of SoftmaxClassifierCV must be", "Got 0 instead"]),
        ({"Cs": [1.0, 0.0]}, ["Cs is [1.0, 0.0]: wanted a positive integer, or positive numbers"]),
        ({"Cs": []}, ["Cs is []"]),
        ({"Cs": [np.nan]}, ["Cs is [nan]"]),
        ({"Cs": [[1.0]]}, ["Cs is [[1.0]]"]),
        ({"Cs": ["a"]}, ["Cs is ['a']", "positive numbers"]),
        ({"l1_ratios": 0.5}, ["'l1_ratios'", "Got 0.5"]),
        ({"l1_ratios": (0, 1.1)}, ["l1_ratios is (0, 1.1): wanted numbers from 0 to 1"]),
        ({"l1_ratios": [None]}, ["l1_ratios is [None]"]),
        ({"cv": 1.5}, ["'cv'", "Got 1.5"]),
        ({"scoring": "best"}, ["'scoring'", "Got 'best'"]),
        ({"tol": -1}, ["'tol'", "Got -1"]),
        ({"max_iter": -1}, ["'max_iter'", "Got -1"]),
        ({"class_weight": "even"}, ["'class_weight'", "Got 'even'"]),
        ({"standardize": 2}, ["'standardize'", "Got 2"]),
        ({"label_smoothing": 1.01}, ["'label_smoothing'", "Got 1.01"]),
        ({"refit": None}, ["'refit'", "Got None"]),
        ({"n_jobs": 0}, ["n_jobs is 0"]),
        ({"verbose": -1}, ["'verbose'", "Got -1"]),
        ({"fit_intercept": "yes"}, ["'fit_intercept'", "Got 'yes'"]),
        ({"Cs": [1e-38]}, ["C is 1e-38", "weights 120", "at least 1e-30"]),
    ],
)
def test_refused_options(options, message):
    refused(*message, **options)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"y": None}, ["requires y to be passed, but the target y is None"]),
        ({"y": y[:-1]}, ["inconsistent numbers of samples", "[150, 149]"]),
        ({"y": np.zeros(150)}, ["needs samples of at least 2 classes", "only one class: ", "0.0"]),
        ({"y": X[:, 0]}, ["Unknown label type"]),
        ({"y": np.eye(3)[y]}, ["y should be a 1d array", "(150, 3)", "folds and scores"]),
        ({"class_weight": {7: 1.0}}, ["[0, 1, 2], are not in class_weight"]),
        ({"sample_weight": np.ones(3)}, ["sample_weight.shape == (3,), expected (150,)"]),
        ({"sample_weight": np.r_[np.ones(149), -1]}, ["sample_weight[149] is -1", "no negative"]),
        ({"sample_weight": np.zeros(150)}, ["eight", "zero"]),
        ({"sample_weight": np.arange(150) == 0}, ["eight", "zero"]),  # all of it in one fold
        ({"X": X[:, 0]}, ["Expected 2D array, got 1D array instead"]),
        ({"X": X[:, :0]}, ["0 feature(s)", "minimum of 1"]),
        ({"X": X[:2], "y": y[[0, 149]]}, ["n_splits=5"]),
        ({"cv": [([0, 0, 60], [3])]}, ["fold 0 of cv trains on 3 rows, of which 2 are different"]),
        ({"cv": [([], [3])]}, ["fold 0 of cv trains on 0 rows", "wanted at least one"]),
    ],
)
def test_refused_data(data, message):
    refused(*message, **data)


def spoiled(value, dtype=np.float64):
    data = X.astype(dtype)
    data[71, 2] = value
    return data


@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, sp.csr_array])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite(value, standardize, dtype, form):
    words = "contains NaN" if np.isnan(value) else "contains infinity or a value too large"
    data = form(spoiled(value, dtype))
    where = "row 71, column 2"
    refused("Input X " + words, where, X=data, standardize=standardize)
    unused = [([i for i in range(150) if i not in (71, test)], [test]) for test in (0, 149)]
    refused("Input X " + words, where, X=data, cv=unused, standardize=standardize)
    model = SoftmaxClassifierCV()
    with pytest.raises(ValueError, match="Input X"):
        model.fit(data, y)
    with pytest.raises(NotFittedError):
        model.predict(X)


def test_too_large_for_the_arithmetic():
    # huge features are scaled, where the rows that are looked at are so
    large, labels = np.tile(X, (32, 1)).astype(np.float32), np.tile(y, 32)
    seen = np.linspace(0, len(large) - 1, 1024).astype(int)
    large[np.setdiff1d(np.arange(len(large)), seen)] = 1e38
    words = ["not finite at the start, though X is", "float32", "standardize"]
    refused(*words, X=large, y=labels)
