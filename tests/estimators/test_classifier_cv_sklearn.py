"""SoftmaxClassifierCV as an estimator: scikit-learn's own checks, copies, names, what it prints."""

from __future__ import annotations

import pickle
import re
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning, SkipTestWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks, estimator_html_repr

from csoftmax import SoftmaxClassifierCV

X, y = load_iris(return_X_y=True)


def ours(**options):
    return SoftmaxClassifierCV(**{"Cs": [1e-3, 0.1, 10.0], "tol": 1e-8, "cv": 3} | options)


VARIANTS = [
    {},
    {"cv": 3, "Cs": 2, "l1_ratios": (0.0, 0.5), "scoring": "neg_log_loss"},
    {"cv": 3, "Cs": 2, "standardize": True, "class_weight": "balanced", "refit": False},
]


def checks():
    for options in VARIANTS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SkipTestWarning)
            found = estimator_checks.estimator_checks_generator(SoftmaxClassifierCV(**options))
            for instance, check in found:
                name = check.func.__name__
                if name == "check_sparsify_coefficients" and "cv" not in options:
                    continue  # three rows of each class are too few for the five folds
                if name != "check_array_api_input":  # test_classifier_sklearn.py's
                    words = "-".join(options) or "default"
                    yield pytest.param(instance, check, id=f"{words}-{name}")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_estimator_checks(estimator, check):
    check(estimator)


def test_clone_pickle_and_html():
    model = ours(Cs=[1.0]).fit(X, y)
    assert clone(model).get_params() == model.get_params()
    assert repr(SoftmaxClassifierCV(Cs=3)) == "SoftmaxClassifierCV(Cs=3)"
    assert "SoftmaxClassifierCV" in estimator_html_repr(model)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict_proba(X), model.predict_proba(X))


def test_set_output_and_feature_names():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcd"))
    pipeline = make_pipeline(StandardScaler(), ours()).set_output(transform="pandas")
    assert pipeline.fit(frame, pandas.Series(y))[-1].feature_names_in_.tolist() == list("abcd")
    model = ours().fit(frame, pandas.Series(y))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[list("bacd")])


def test_verbose(capsys):
    model = ours(verbose=1, l1_ratios=(0, 1)).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= model.n_iter_.max(axis=(0, 1)).sum()
    assert re.fullmatch(r" +6 of 6 models  passes 2  \d+\.\d{3} s", lines[0])
    ours().fit(X, y)
    assert not capsys.readouterr().out


def test_convergence_warning():
    words = r"1?[0-9] of 10 fits of SoftmaxClassifierCV .*max_iter=2 .*tol=1e-08"
    with pytest.warns(ConvergenceWarning, match=words) as seen:
        model = ours(max_iter=2).fit(X, y)
    assert seen[0].filename == __file__
    assert model.n_iter_.max() == 2
