"""Predictions of a fitted linear model, in blocks of rows: memory beyond the result is bounded.

What the estimators have of scikit-learn is not here: a model that was loaded predicts without.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from csoftmax._native import checks
from csoftmax._native.threads import default
from csoftmax.functional import log_softmax
from csoftmax.linear import linear_predict, linear_predict_proba, linear_top_k
from csoftmax.over_blocks import row_results, rows_of_pairs
from csoftmax.prediction import checks as row_checks
from csoftmax.sources import source_of

try:
    from csoftmax.solvers.blas import one_blas_thread

    BLAS_OBEYS = True
except ImportError:  # without SciPy and threadpoolctl BLAS has the threads that it has
    one_blas_thread = nullcontext  # type: ignore[assignment]
    BLAS_OBEYS = False

Array = npt.NDArray[Any]
Method = TypeVar("Method", bound=Callable[..., Array])


def of_rows(method: Method) -> Method:
    """Have a method of checked features take X of any kind, sources of blocks too."""

    @functools.wraps(method)
    def whole(self: Any, X: Any, *, out: Array | None = None) -> Array:
        self._check_fitted()
        if (source := source_of(X)) is None:
            found = method(self, self._checked(X, method.__name__), out=out)
            return found if out is not None else self._like(X, found)
        row_checks.same_names(self, source)

        def of_block(block: Any) -> Array:
            return method(self, row_checks.block_features(self, block))

        return row_results(of_block, source, out)

    return cast(Method, whole)


class Predictions:
    """The methods that predict, of a model with coef_, intercept_, classes_ and n_jobs.

    After `sparsify` each call makes `coef_` dense anew, since the kernels and BLAS want it so.
    """

    coef_: Any  # an Array, or CSR after `sparsify`
    intercept_: Array
    classes_: Array
    n_features_in_: int
    n_jobs: int | None

    def _check_fitted(self) -> None:
        """Refuse to predict before there are coefficients."""

    def _checked(self, X: Any, method: str) -> Any:
        """X in memory as an array of a dtype in `DENSE`, or as CSR: of the features of the fit."""
        return row_checks.features(self, X)

    def _like(self, X: Any, found: Array) -> Any:
        """A result as whoever gave X wants it."""
        return found

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
        n_threads = row_checks.threads(self.n_jobs)
        linear_predict_proba(W, X, bias=bias, out=proba, n_threads=n_threads)
        # An infinity of X makes some probability NaN or, beside a finite score, 0.
        if not proba.min() > 0:
            row_checks.finite_features(self, X)
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
        self._check_fitted()
        if (source := source_of(X)) is None:
            labels, proba = self._top_k(self._checked(X, "predict_top_k"), k)
            return self._like(X, labels), self._like(X, proba)
        row_checks.same_names(self, source)
        return rows_of_pairs(
            lambda block: self._top_k(row_checks.block_features(self, block), k), source
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
        n_threads = row_checks.threads(self.n_jobs)
        coef = dense(self.coef_)
        result = self._result(out, (X.shape[0], self.classes_.shape[0]), coef.dtype, X)
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
        classes = checks.as_array("classes_", self.classes_)
        labels = self._result(out, (X.shape[0],), classes.dtype, X)
        W, bias = self._rows()
        index = linear_predict(W, X, bias=bias, n_threads=row_checks.threads(self.n_jobs))
        row_checks.finite_features(self, X)  # a label does not show what it was made from
        return np.take(classes, index, out=labels, mode="clip")

    def _top_k(self, X: Any, k: int) -> tuple[Array, Array]:
        W, bias = self._rows()
        n_threads = row_checks.threads(self.n_jobs)
        index, proba = linear_top_k(W, X, k, bias=bias, n_threads=n_threads)
        row_checks.finite_features(self, X)  # as for `predict`
        return checks.as_array("classes_", self.classes_)[index], proba

    def _rows(self) -> tuple[Array, Array]:
        """W (D, C) and bias (C,) with one column for each class."""
        coef, intercept = dense(self.coef_), checks.as_array("intercept_", self.intercept_)
        if len(coef) > 1:
            return coef.T, intercept
        W = np.zeros((coef.shape[1], 2), coef.dtype)
        W[:, 1] = coef[0]
        return W, np.array([0, intercept[0]], coef.dtype)

    def _scores(self, coef: Array, X: Any, out: Array) -> None:
        """Scores of all rows, in blocks that Python threads share: BLAS has one for each."""
        blocks = list(row_checks.row_blocks(X, len(coef)))
        n_threads = min(row_checks.threads(self.n_jobs) or default(), len(blocks))
        n_threads = n_threads if BLAS_OBEYS else 1
        with ThreadPoolExecutor(max(1, n_threads)) as pool:
            spread = pool.map if n_threads > 1 else map
            list(spread(lambda rows: self._score(coef, X[rows], out[rows]), blocks))
        if not row_checks.all_finite(out):
            row_checks.finite_features(self, X)

    def _score(self, coef: Array, block: Any, out: Array) -> None:
        # "divide": BLAS's kernels for SME, as csoftmax.solvers.blas.product says
        with one_blas_thread(), np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            if checks.is_sparse(block):
                out[...] = block @ coef.T
            else:
                np.matmul(block.astype(coef.dtype, copy=False), coef.T, out=out)
            out += checks.as_array("intercept_", self.intercept_)

    def _result(
        self, out: Array | None, shape: tuple[int, ...], dtype: np.dtype[Any], X: Any
    ) -> Array:
        """A result's array: `out`, if given, which overlaps neither X nor the model."""
        if out is None:
            return np.empty(shape, dtype)
        inputs = checks.parts("X", X) | checks.parts("coef_", self.coef_)
        for name in ("intercept_", "classes_"):
            inputs[name] = checks.as_array(name, getattr(self, name))
        return checks.out_array(out, shape, dtype, inputs)


def dense(coef: Any) -> Array:
    """Coefficients as an array, also after `sparsify` and where they are those of another kind."""
    array: Array = coef.toarray() if checks.is_sparse(coef) else checks.as_array("coef_", coef)
    return array
