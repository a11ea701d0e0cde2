"""Predictions of a fitted linear model, in blocks of rows: memory beyond the result is bounded."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from csoftmax._native import checks
from csoftmax._native.threads import default
from csoftmax.estimators import checks as fit_checks
from csoftmax.estimators.sklearn import UNUSED, SparseCoefMixin, check_is_fitted
from csoftmax.functional import log_softmax
from csoftmax.linear import linear_predict, linear_predict_proba
from csoftmax.solvers.blas import one_blas_thread

Array = npt.NDArray[Any]


class Predictions(SparseCoefMixin):  # type: ignore[misc]
    """The methods that predict, of an estimator with coef_, intercept_, classes_ and n_jobs.

    After `sparsify` each call makes `coef_` dense anew, since the kernels and BLAS want it so.
    """

    # `out` says where, not what: no metadata for scikit-learn to route
    __metadata_request__predict: ClassVar = {"out": UNUSED}
    __metadata_request__predict_proba: ClassVar = {"out": UNUSED}
    __metadata_request__predict_log_proba: ClassVar = {"out": UNUSED}
    __metadata_request__decision_function: ClassVar = {"out": UNUSED}

    coef_: Any  # an Array, or CSR after `sparsify`
    intercept_: Array
    classes_: Array
    n_jobs: int | None

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "coef_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def predict(self, X: Any, *, out: Array | None = None) -> Array:
        """Class of the largest score of each row.

        Parameters
        ----------
        X : (N, D) array_like or sparse
            As for `fit`.
        out : (N,) ndarray, optional
            Where to put the labels: of the dtype of `classes_`.

        Returns
        -------
        (N,) ndarray
            Labels; the first in `classes_` of those with equal scores.
        """
        X = self._features(X)
        labels = self._result(out, (X.shape[0],), self.classes_.dtype, X)
        W, bias = self._rows()
        index = linear_predict(W, X, bias=bias, n_threads=fit_checks.threads(self.n_jobs))
        fit_checks.finite_features(self, X)  # a label does not show what it was made from
        return np.take(self.classes_, index, out=labels, mode="clip")

    def predict_proba(self, X: Any, *, out: Array | None = None) -> Array:
        """Probability of each class for each row.

            P = softmax(X coef_' + intercept_) by rows

        Parameters
        ----------
        X : (N, D) array_like or sparse
            As for `fit`.
        out : (N, n_classes) ndarray, optional
            Where to put them: of the dtype of `coef_`.

        Returns
        -------
        (N, n_classes) ndarray
            In the order of `classes_` and the dtype of `coef_`.
        """
        X = self._features(X)
        W, bias = self._rows()
        proba = self._result(out, (X.shape[0], len(bias)), W.dtype, X)
        n_threads = fit_checks.threads(self.n_jobs)
        linear_predict_proba(W, X, bias=bias, out=proba, n_threads=n_threads)
        # An infinity of X makes some probability NaN or, beside a finite score, 0.
        if not proba.min() > 0:
            fit_checks.finite_features(self, X)
        return proba

    def predict_log_proba(self, X: Any, *, out: Array | None = None) -> Array:
        """Logarithm of the probability of each class for each row.

        From the scores, so that also probabilities too small for the dtype have one.

        Parameters
        ----------
        X : (N, D) array_like or sparse
            As for `fit`.
        out : (N, n_classes) ndarray, optional
            Where to put them: of the dtype of `coef_`.

        Returns
        -------
        (N, n_classes) ndarray
            In the order of `classes_` and the dtype of `coef_`.
        """
        X = self._features(X)
        n_threads = fit_checks.threads(self.n_jobs)
        coef = dense(self.coef_)
        result = self._result(out, (X.shape[0], len(self.classes_)), coef.dtype, X)
        one_row = len(coef) == 1  # two classes with the scores 0 and z
        result[:, :one_row] = 0
        self._scores(coef, X, result[:, one_row:])
        log_softmax(result, axis=1, out=result, n_threads=n_threads)
        return result

    def decision_function(self, X: Any, *, out: Array | None = None) -> Array:
        """Scores X coef_' + intercept_ of each row.

        Parameters
        ----------
        X : (N, D) array_like or sparse
            As for `fit`.
        out : (N, n_classes) or (N,) ndarray, optional
            Where to put them: of the dtype of `coef_`.

        Returns
        -------
        (N, n_classes) ndarray, or (N,) for two classes
            One score per class, in the order of `classes_`; for two classes that of the second,
            which is predicted if its score is above 0.
        """
        X = self._features(X)
        coef = dense(self.coef_)
        n_scores = len(coef)
        shape = (X.shape[0],) if n_scores == 1 else (X.shape[0], n_scores)
        scores = self._result(out, shape, coef.dtype, X)
        self._scores(coef, X, scores if n_scores > 1 else scores[:, None])
        return scores

    def _features(self, X: Any) -> Any:
        check_is_fitted(self)
        return fit_checks.features(self, X, reset=False)

    def _rows(self) -> tuple[Array, Array]:
        """W (D, C) and bias (C,) with one column for each class."""
        coef = dense(self.coef_)
        if len(coef) > 1:
            return coef.T, self.intercept_
        W = np.zeros((coef.shape[1], 2), coef.dtype)
        W[:, 1] = coef[0]
        return W, np.array([0, self.intercept_[0]], coef.dtype)

    def _scores(self, coef: Array, X: Any, out: Array) -> None:
        """Scores of all rows, in blocks that Python threads share: BLAS has one for each."""
        blocks = list(fit_checks.row_blocks(X, len(coef)))
        n_threads = min(fit_checks.threads(self.n_jobs) or default(), len(blocks))
        with ThreadPoolExecutor(max(1, n_threads)) as pool:
            spread = pool.map if n_threads > 1 else map
            list(spread(lambda rows: self._score(coef, X[rows], out[rows]), blocks))
        if not fit_checks.all_finite(out):
            fit_checks.finite_features(self, X)

    def _score(self, coef: Array, block: Any, out: Array) -> None:
        with one_blas_thread(), np.errstate(over="ignore", invalid="ignore"):
            if checks.is_sparse(block):
                out[...] = block @ coef.T
            else:
                np.matmul(block.astype(coef.dtype, copy=False), coef.T, out=out)
            out += self.intercept_

    def _result(
        self, out: Array | None, shape: tuple[int, ...], dtype: np.dtype[Any], X: Any
    ) -> Array:
        """A result's array: `out`, if given, which overlaps neither X nor the model."""
        if out is None:
            return np.empty(shape, dtype)
        model = {"intercept_": self.intercept_, "classes_": self.classes_}
        inputs = checks.parts("X", X) | checks.parts("coef_", self.coef_) | model
        return checks.out_array(out, shape, dtype, inputs)


def dense(coef: Any) -> Array:
    """Coefficients as an array, also after `sparsify`."""
    array: Array = coef.toarray() if checks.is_sparse(coef) else coef
    return array
