"""Predictions of a fitted linear model, in blocks of rows: memory beyond the result is bounded."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, TypeVar, cast

import numpy as np
import numpy.typing as npt

from csoftmax._native import checks
from csoftmax._native.threads import default
from csoftmax.estimators import checks as fit_checks
from csoftmax.estimators.sklearn import UNUSED, SparseCoefMixin, check_is_fitted
from csoftmax.functional import log_softmax
from csoftmax.linear import linear_predict, linear_predict_proba, linear_top_k
from csoftmax.over_blocks import row_results, rows_of_pairs
from csoftmax.solvers.blas import one_blas_thread
from csoftmax.sources import named, parts, source_of

Array = npt.NDArray[Any]
Method = TypeVar("Method", bound=Callable[..., Array])


def of_rows(method: Method) -> Method:
    """Have a method of checked features take X of any kind, sources of blocks too."""

    @functools.wraps(method)
    def whole(self: Any, X: Any, *, out: Array | None = None) -> Array:
        check_is_fitted(self)
        if (source := source_of(X)) is None:
            return method(self, fit_checks.features(self, X, reset=False), out=out)
        fit_checks.same_names(self, source)

        def of_block(block: Any) -> Array:
            return method(self, fit_checks.block_features(self, block))

        return row_results(of_block, source, out)

    return cast(Method, whole)


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

    @of_rows
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
        return self._labels(X, out)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
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

    @of_rows
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
        W, bias = self._rows()
        proba = self._result(out, (X.shape[0], len(bias)), W.dtype, X)
        n_threads = fit_checks.threads(self.n_jobs)
        linear_predict_proba(W, X, bias=bias, out=proba, n_threads=n_threads)
        # An infinity of X makes some probability NaN or, beside a finite score, 0.
        if not proba.min() > 0:
            fit_checks.finite_features(self, X)
        return proba

    def predict_top_k(self, X: Any, k: int) -> tuple[Array, Array]:
        """The k likeliest classes of each row, best first, and their probabilities.

        Without an array of all probabilities.

        Parameters
        ----------
        X : (N, D) array_like, sparse, or source of blocks
            As for `fit`.
        k : int
            How many classes, from 1 to all.

        Returns
        -------
        labels : (N, k) ndarray
            Labels; the first in `classes_` first of those with equal scores.
        probabilities : (N, k) ndarray
            Of these labels, as in `predict_proba`.
        """
        check_is_fitted(self)
        if (source := source_of(X)) is None:
            return self._top_k(fit_checks.features(self, X, reset=False), k)
        fit_checks.same_names(self, source)
        return rows_of_pairs(
            lambda block: self._top_k(fit_checks.block_features(self, block), k), source
        )

    @of_rows
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
        n_threads = fit_checks.threads(self.n_jobs)
        coef = dense(self.coef_)
        result = self._result(out, (X.shape[0], len(self.classes_)), coef.dtype, X)
        one_row = len(coef) == 1  # two classes with the scores 0 and z
        result[:, :one_row] = 0
        self._scores(coef, X, result[:, one_row:])
        log_softmax(result, axis=1, out=result, n_threads=n_threads)
        return result

    @of_rows
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
        coef = dense(self.coef_)
        n_scores = len(coef)
        shape = (X.shape[0],) if n_scores == 1 else (X.shape[0], n_scores)
        scores = self._result(out, shape, coef.dtype, X)
        self._scores(coef, X, scores if n_scores > 1 else scores[:, None])
        return scores

    def _labels(self, X: Any, out: Array | None = None) -> Array:
        labels = self._result(out, (X.shape[0],), self.classes_.dtype, X)
        W, bias = self._rows()
        index = linear_predict(W, X, bias=bias, n_threads=fit_checks.threads(self.n_jobs))
        fit_checks.finite_features(self, X)  # a label does not show what it was made from
        return np.take(self.classes_, index, out=labels, mode="clip")

    def _top_k(self, X: Any, k: int) -> tuple[Array, Array]:
        W, bias = self._rows()
        n_threads = fit_checks.threads(self.n_jobs)
        index, proba = linear_top_k(W, X, k, bias=bias, n_threads=n_threads)
        fit_checks.finite_features(self, X)  # as for `predict`
        return self.classes_[index], proba

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
