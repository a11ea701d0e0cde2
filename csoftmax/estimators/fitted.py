"""What a fitted estimator has beside its predictions: what scikit-learn's tools ask of it."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from csoftmax._native import checks
from csoftmax._version import DOCS, __version__
from csoftmax.estimators import checks as fit_checks
from csoftmax.estimators import namespaces
from csoftmax.estimators.sklearn import (
    UNUSED,
    InconsistentVersionWarning,
    LogisticRegression,
    SparseCoefMixin,
    check_is_fitted,
)
from csoftmax.prediction.linear import Predictions, dense
from csoftmax.sources import Features, Values, named, parts, source_of

Array = npt.NDArray[Any]

VERSION = "_csoftmax_version"  #: in pickles


class Fitted(Predictions, SparseCoefMixin):  # type: ignore[misc]
    """A classifier with coef_, intercept_, classes_ and n_jobs."""

    # `out` says where, not what: no metadata for scikit-learn to route
    __metadata_request__predict: ClassVar = {"out": UNUSED}
    __metadata_request__predict_proba: ClassVar = {"out": UNUSED}
    __metadata_request__predict_log_proba: ClassVar = {"out": UNUSED}
    __metadata_request__decision_function: ClassVar = {"out": UNUSED}

    # the page that scikit-learn's HTML leads to
    _doc_link_module = "csoftmax"
    _doc_link_template = f"{DOCS}api/{{name}}.html"
    _public_module = "csoftmax"  #: where users import the class from

    def _doc_link_url_param_generator(self) -> dict[str, str]:
        return {"name": f"{self._public_module}.{type(self).__name__}"}

    def _check_fitted(self) -> None:
        check_is_fitted(self)

    def _checked(self, X: Any, method: str) -> Any:
        namespaces.same(self, X, method)
        return fit_checks.features(self, X, reset=False)

    def _like(self, X: Any, found: Array) -> Any:
        return namespaces.like(X, found)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "coef_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def score(self, X: Features, y: Values = None, sample_weight: Values = None) -> float:
        """Share of the rows whose class is predicted.

        Parameters
        ----------
        X : (N, D) array_like, sparse, or source of blocks
            As for `fit`.
        y : (N,) array_like, or str
            Labels; as for `fit`, where X is a source of blocks.
        sample_weight : (N,) array_like or str, optional
            Weights of the rows.

        Returns
        -------
        float
        """
        source = source_of(X, y, sample_weight)
        if source is None:
            y, sample_weight = fit_checks.plain(y=y, sample_weight=sample_weight)
            return float(super().score(X, y, sample_weight))
        check_is_fitted(self)
        fit_checks.same_names(self, source)
        right = total = 0.0
        given = (None if isinstance(name, str) else name for name in (y, sample_weight))
        for part in parts(source, *given):
            fit_checks.has_target(self, part.y)
            with named(source, part):
                hit = self._labels(fit_checks.block_features(self, part.X)) == part.y
            weight = np.ones(len(hit)) if part.sample_weight is None else part.sample_weight
            right += float(np.sum(weight[hit], dtype=np.float64))
            total += float(np.sum(weight, dtype=np.float64))
        return right / total

    def to_sklearn(self) -> Any:
        """The same model as a LogisticRegression of scikit-learn.

        For all that knows that class and not this one: ONNX, PMML, skops without types to trust.

        Returns
        -------
        sklearn.linear_model.LogisticRegression
            Fitted: with copies of the coefficients, dense, and of `classes_`, `n_features_in_`,
            `feature_names_in_` and, of a single fit, `n_iter_`; and with the parameters that it
            has, too, so that fitting it again minimises the same function. What it has not is left
            out: `standardize`, `label_smoothing`, callbacks.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from csoftmax import SoftmaxClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = SoftmaxClassifier(C=0.5).fit(X, y)
        >>> model.to_sklearn()
        LogisticRegression(C=0.5...)
        >>> bool((model.to_sklearn().predict(X) == model.predict(X)).all())
        True
        """
        check_is_fitted(self)
        model = LogisticRegression(**self._parameters_of_theirs())
        model.coef_ = dense(self.coef_).copy()
        for name in ("intercept_", "classes_"):
            setattr(model, name, checks.as_array(name, getattr(self, name)).copy())
        model.n_features_in_ = self.n_features_in_
        if hasattr(self, "feature_names_in_"):
            model.feature_names_in_ = self.feature_names_in_.copy()
        n_iter = getattr(self, "n_iter_", None)
        if n_iter is not None and n_iter.ndim == 1:  # else of all folds
            model.n_iter_ = checks.as_array("n_iter_", n_iter).copy()
        return model

    def _parameters_of_theirs(self) -> dict[str, Any]:
        own = self.get_params(deep=False)
        names = ("tol", "fit_intercept", "class_weight", "max_iter", "warm_start", "random_state")
        given = {name: own[name] for name in names if name in own}
        C = getattr(self, "C_", own.get("C"))  # of the CV class, that which was chosen
        l1_ratio = getattr(self, "l1_ratio_", own.get("l1_ratio"))
        if l1_ratio:
            given["solver"] = "saga"
        if LogisticRegression().get_params()["penalty"] != "l2":
            return given | {"C": C, "l1_ratio": l1_ratio}
        # before scikit-learn 1.8 there was a name for each penalty
        given["penalty"] = self.penalty
        if self.penalty is not None:
            given["C"] = C
        return given | ({"l1_ratio": l1_ratio} if self.penalty == "elasticnet" else {})

    # ---- pickles --------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {**state, VERSION: __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        version = state.pop(VERSION, "unknown")
        if version != __version__:
            warnings.warn(OtherVersionWarning(type(self).__name__, version), stacklevel=2)
        super().__setstate__(state)


class OtherVersionWarning(InconsistentVersionWarning):  # type: ignore[misc]
    """A pickle holds an estimator of another version of csoftmax: its name, and that version."""

    def __init__(self, estimator_name: str, original_version: str) -> None:
        super().__init__(
            estimator_name=estimator_name,
            current_sklearn_version=__version__,
            original_sklearn_version=original_version,
        )

    def __str__(self) -> str:
        return (
            f"Trying to unpickle estimator {self.estimator_name} from version "
            f"{self.original_sklearn_version} of csoftmax when using version "
            f"{self.current_sklearn_version}. This might lead to breaking code or invalid results. "
            "Use at your own risk: fit it again, or keep models by csoftmax.save_model, whose "
            "files other versions read."
        )
