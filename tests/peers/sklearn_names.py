"""A pytest plugin for scikit-learn's own tests: LogisticRegression and its CV become csoftmax's.

The adapters take scikit-learn's arguments and hand on those that mean the same here. Many tests
compare two fits more closely than tol says: scikit-learn's solvers often stop far below it, ours
does not, so that it gets a smaller one.

The outcomes are written as JSON to the file that CSOFTMAX_OUTCOMES names: for each test "" where it
passed, and else the first line of what went wrong.
"""

import inspect
import json
import os
from pathlib import Path

import numpy as np
import sklearn.linear_model
from sklearn.linear_model import _logistic
from sklearn.metrics import get_scorer

from csoftmax import SoftmaxClassifier, SoftmaxClassifierCV

outcomes = {}


def closer(tol):
    """What is handed on for a tolerance that is one."""
    return tol / 1000 if isinstance(tol, float) else tol


class LogisticRegression(SoftmaxClassifier):
    """SoftmaxClassifier with the arguments of LogisticRegression.

    Its solvers all find the same minimum: "newton-cg" is ours of that name, the others are "auto".
    """

    _parameter_constraints = _logistic.LogisticRegression._parameter_constraints
    penalty = "deprecated"  # an argument, and not ours, which cannot be set
    standardize, label_smoothing, callbacks, checkpoint = False, 0.0, None, None

    def __init__(
        self,
        penalty="deprecated",
        *,
        C=1.0,
        l1_ratio=0.0,
        dual=False,
        tol=1e-4,
        fit_intercept=True,
        intercept_scaling=1,
        class_weight=None,
        random_state=None,
        solver="lbfgs",
        max_iter=100,
        verbose=0,
        warm_start=False,
        n_jobs=None,
    ):
        names = inspect.signature(LogisticRegression).parameters
        given = locals()
        for name in names:
            setattr(self, name, given[name])

    @property
    def partial_fit(self):
        """Not a method of LogisticRegression, and other estimators look whether it is there."""
        raise AttributeError("'LogisticRegression' object has no attribute 'partial_fit'")

    def fit(self, X, y, sample_weight=None):
        C, l1_ratio, tol = self.C, self.l1_ratio, self.tol
        self.tol = closer(tol)
        if self.penalty is None:
            self.C = np.inf
        elif self.penalty != "deprecated":
            self.l1_ratio = {"l1": 1.0, "l2": 0.0}.get(self.penalty, l1_ratio)
        try:
            return super().fit(X, y, sample_weight)
        finally:
            self.C, self.l1_ratio, self.tol = C, l1_ratio, tol


class LogisticRegressionCV(SoftmaxClassifierCV):
    """SoftmaxClassifierCV with the arguments of LogisticRegressionCV."""

    _parameter_constraints = _logistic.LogisticRegressionCV._parameter_constraints
    penalty = "deprecated"
    standardize, label_smoothing, checkpoint = False, 0.0, None

    def __init__(
        self,
        *,
        Cs=10,
        l1_ratios="warn",
        fit_intercept=True,
        cv=None,
        dual=False,
        penalty="deprecated",
        scoring="warn",
        solver="lbfgs",
        tol=1e-4,
        max_iter=100,
        class_weight=None,
        n_jobs=None,
        verbose=0,
        refit=True,
        intercept_scaling=1.0,
        random_state=None,
        use_legacy_attributes="warn",
    ):
        names = inspect.signature(LogisticRegressionCV).parameters
        given = locals()
        for name in names:
            setattr(self, name, given[name])

    def fit(self, X, y, sample_weight=None, **params):
        l1_ratios, tol = self.l1_ratios, self.tol
        self.tol = closer(tol)
        if isinstance(l1_ratios, str) or l1_ratios is None:
            self.l1_ratios = (1.0,) if self.penalty == "l1" else (0.0,)
        try:
            super().fit(X, y, sample_weight, **params)
        finally:
            self.l1_ratios, self.tol = l1_ratios, tol
        if self.use_legacy_attributes:
            self._to_legacy(one_ratio=isinstance(l1_ratios, str) or l1_ratios is None)
        return self

    def _to_legacy(self, one_ratio):
        """The attributes in the shapes that scikit-learn gives them until 1.10."""
        labels = self.classes_ if len(self.coef_) > 1 else self.classes_[1:]
        paths = np.moveaxis(self.coefs_paths_, (3, 0, 2), (0, 1, 2))  # class, fold, C, ratio
        scores, n_iter = self.scores_.swapaxes(1, 2), self.n_iter_.swapaxes(1, 2)[None]
        if one_ratio:
            paths, scores, n_iter = paths[..., 0, :], scores[..., 0], n_iter[..., 0]
        self.coefs_paths_ = dict(zip(labels, paths, strict=True))
        self.scores_ = dict.fromkeys(labels, scores)
        self.n_iter_ = n_iter
        self.C_, self.l1_ratio_ = (np.full(len(labels), x) for x in (self.C_, self.l1_ratio_))

    def _scorer(self):
        return get_scorer("accuracy" if self.scoring in ("warn", None) else self.scoring)


for adapter in (LogisticRegression, LogisticRegressionCV):
    setattr(sklearn.linear_model, adapter.__name__, adapter)


def pytest_collection_modifyitems(config, items):
    """Leave out the tests that have nothing to do with it."""
    kept = [item for item in items if about(item)]
    config.hook.pytest_deselected(items=[item for item in items if not about(item)])
    items[:] = kept


def about(item):
    """Whether a test names LogisticRegression, in its body or as an argument."""
    if item.module.__name__.endswith("test_logistic"):
        return True
    body = inspect.getsource(item.function).partition("def ")[2]
    call = getattr(item, "callspec", None)
    return "LogisticRegression" in body + repr(call and call.params)


def pytest_runtest_logreport(report):
    if report.when == "call" or not report.passed:
        crash = getattr(report.longrepr, "reprcrash", None)
        message = "" if report.passed else crash.message if crash else str(report.longrepr)
        if not report.skipped:
            outcomes[report.nodeid] = message and message.splitlines()[0]


def pytest_sessionfinish():
    Path(os.environ["CSOFTMAX_OUTCOMES"]).write_text(json.dumps(outcomes, indent=1))
