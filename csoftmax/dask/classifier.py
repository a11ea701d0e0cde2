"""The estimator whose rows lie with the workers of a Dask cluster."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from csoftmax import estimators
from csoftmax.dask import chunks, tasks
from csoftmax.dask.library import delayed
from csoftmax.dask.rows import Rows, RowsObjective
from csoftmax.dask.tasks import Settings
from csoftmax.dask.workers import Local, calls, workers
from csoftmax.estimators import checks as fit_checks
from csoftmax.estimators import parameters, training
from csoftmax.estimators.scaling import Scaling, automatic
from csoftmax.estimators.sklearn import check_is_fitted
from csoftmax.estimators.training import CheckedObjective, Seen
from csoftmax.solvers import SGD

Array = npt.NDArray[Any]


class SoftmaxClassifier(estimators.SoftmaxClassifier):
    """Softmax regression as `csoftmax.SoftmaxClassifier`, on Dask's arrays and data frames.

    The model, its parameters and attributes are those of `csoftmax.SoftmaxClassifier`, and X in
    memory is fitted as there. Of Dask's X each pass of the solver is one task for each group of
    chunks, on the cluster of the current `distributed.Client`; without one, in this process. The
    solver itself and its sampled curvature stay here, so that passes are as few as in memory.

    Parameters
    ----------
    C, l1_ratio, tol, fit_intercept, class_weight, solver, max_iter, standardize, label_smoothing, \
warm_start, random_state, verbose, callbacks
        As of `csoftmax.SoftmaxClassifier`; of the solvers not "sgd".
    n_jobs : int or None, default=None
        Threads here, and of each task, at most. None: a task has the cluster's threads divided by
        the number of groups, rounded up. The result does not depend on it.

    See Also
    --------
    csoftmax.SoftmaxClassifier : The same of rows on one machine; all parameters explained.
    csoftmax.save_model : Writes it to a file.

    Notes
    -----
    Chunks next to each other are one group up to 64 MiB, and there are at most 1024 groups, which
    depend on the chunks alone. Sums over a group are float64, and are added in the order of the
    groups: the same bits for any number of workers, whatever dies in between (on machines with one
    instruction set: `CSOFTMAX_ISA` sets it).

    A cluster keeps the rows in its workers' memory, as results of tasks, which are computed again
    where a worker dies. Without a client each pass computes the chunks anew, unless X is persisted.
    Rows, labels and weights stay on the workers, but for a sample of 64 MiB.

    Where the scheduler has gone, or no worker is left for a minute, `fit` raises ConnectionError.

    Examples
    --------
    >>> import dask.array as da
    >>> from sklearn.datasets import load_iris
    >>> from csoftmax.dask import SoftmaxClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> X = da.from_array(X, chunks=(50, 4))
    >>> model = SoftmaxClassifier().fit(X, y)
    >>> model.predict(X)
    dask.array<predicted, shape=(150,), dtype=int64, chunksize=(50,), chunktype=numpy.ndarray>
    >>> model.predict(X)[::50].compute()
    array([0, 1, 2])
    >>> round(model.score(X, y), 2)
    0.97
    """

    _public_module = "csoftmax.dask"

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, *, classes: Any = None) -> Self:
        """Fit the model to rows X and their targets.

        Parameters
        ----------
        X : (N, D) array or data frame of Dask
            Features; chunks may be dense, sparse or empty, and of unknown size. What is in memory
            is fitted as by `csoftmax.SoftmaxClassifier`.
        y : (N,) or (N, n_classes) array, data frame or column of Dask, array_like, or str
            Labels, or probabilities of the classes. In memory it is for chunks of known sizes. The
            name of a column, where X is a data frame.
        sample_weight : (N,) array or column of Dask, array_like, or str, optional
            Weights of the rows, none negative.
        classes : (n_classes,) array_like, optional
            All labels that may come. None: those that y has, which the first read finds.

        Returns
        -------
        SoftmaxClassifier
            Itself.

        Raises
        ------
        ValueError, TypeError
            As of `csoftmax.SoftmaxClassifier`; errors about rows name their chunk.
        ConnectionError
            If the cluster has gone.

        Warns
        -----
        ConvergenceWarning
            As of `csoftmax.SoftmaxClassifier`.
        """
        if not chunks.is_lazy(X):
            if classes is not None:
                raise TypeError("classes is given, but X is in memory: wanted an X of Dask with it")
            super().fit(X, y, sample_weight)
            return self
        callbacks = parameters.checked(self)
        if self.solver == "sgd" or isinstance(self.solver, SGD):
            raise TypeError(f"solver is {self.solver!r}, which draws rows from all over X: {_LAZY}")
        with workers() as where:
            known = {"workers": where, "classes": classes}
            far = self._fit(X, y, sample_weight, callbacks, **known).far
        if far:
            self._warn()
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """As of `csoftmax.SoftmaxClassifier`: for rows in memory."""
        if chunks.is_lazy(X):
            raise TypeError(f"X is for partial_fit, which draws rows from all over it: {_LAZY}")
        super().partial_fit(X, y, classes, sample_weight)
        return self

    def _problem(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        workers: Local | None = None,
        classes: Any = None,
    ) -> tuple[CheckedObjective, float, Array, Seen, Scaling]:
        """As in memory, of rows that are with the workers."""
        if workers is None:
            return super()._problem(X, y, sample_weight)
        fit_checks.has_target(self, y)
        classes = None if classes is None else np.unique(classes)
        loads, names = chunks.loads(X, y, sample_weight)
        rows = Rows(workers, loads, classes, standardize=self.standardize)
        fit_checks.no_class_weight(self.class_weight, soft=rows.n_columns > 0, partial=False)
        factors = None
        if rows.classes is None:
            classes = np.arange(rows.n_columns)
        else:
            classes = rows.classes
            fit_checks.several(self, classes)
            if self.class_weight is not None:
                factors = training.weights_of_classes(self.class_weight, classes, rows.weights)
        weights = rows.weights if factors is None else factors * rows.weights
        self.n_features_in_ = rows.shape[1]
        fit_checks.remember_names(self, names)

        seen, sample = Seen(), rows.sample()
        seen.weight = fit_checks.total_weight(weights, rows.shape[0])
        seen.moments = rows.moments
        if not self.standardize:
            seen.view = automatic(sample.X, sample.sample_weight, self.fit_intercept)
        scaling = seen.scaling(sample.X, self.fit_intercept)
        n_jobs = math.ceil(workers.n_threads / len(loads))
        n_jobs = min(n_jobs, fit_checks.threads(self.n_jobs) or n_jobs)
        settings = Settings(
            self.fit_intercept, self.label_smoothing, n_jobs, classes, factors, scaling
        )
        of_sample = self._of_sample(sample, settings, seen.weight / rows.shape[0])
        rows.prepare(settings)
        l2, l1 = fit_checks.penalties(self.C, self.l1_ratio, seen.weight)
        objective = RowsObjective(rows, of_sample, scaling, l2)
        objective.estimator = self
        return objective, l1, classes, seen, scaling

    def _of_sample(
        self, sample: tasks.Chunk, settings: Settings, mean_weight: float
    ) -> CheckedObjective:
        """The loss of the sample, whose weights are relative to the mean of all rows."""
        weight = sample.sample_weight
        if weight is None and settings.factors is not None:
            weight = np.ones(len(sample.y))
        weight = None if weight is None else weight / mean_weight
        objective, _ = tasks.loss_of(sample.X, sample.y, weight, settings)
        objective.mean_weight, objective.n_threads = 1.0, fit_checks.threads(self.n_jobs)
        return objective

    # ---- predictions ----------------------------------------------------------------------------

    def predict(self, X: Any, *, out: Array | None = None) -> Any:
        """Class of the largest score of each row.

        Parameters
        ----------
        X : (N, D) array or data frame of Dask, or as of `csoftmax.SoftmaxClassifier`
            As for `fit`.
        out : ndarray, optional
            For X in memory.

        Returns
        -------
        (N,) array of Dask
            Labels, which are computed when they are asked for; for X in memory an ndarray.
        """
        return self._predicted("predict", X, out)

    def predict_proba(self, X: Any, *, out: Array | None = None) -> Any:
        """Probability of each class for each row: (N, n_classes), as `predict`."""
        return self._predicted("predict_proba", X, out)

    def predict_log_proba(self, X: Any, *, out: Array | None = None) -> Any:
        """Logarithm of the probability of each class: (N, n_classes), as `predict`."""
        return self._predicted("predict_log_proba", X, out)

    def decision_function(self, X: Any, *, out: Array | None = None) -> Any:
        """Scores of each row: (N, n_classes), or (N,) for two classes, as `predict`."""
        return self._predicted("decision_function", X, out)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Share of the rows whose class is predicted.

        Chunk by chunk, where they are; a number, since searches and scorers want one.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.

        Returns
        -------
        float
        """
        if not chunks.is_lazy(X):
            return float(super().score(X, y, sample_weight))
        check_is_fitted(self)
        fit_checks.has_target(self, y)
        X, y, sample_weight = chunks.columns(X, y, sample_weight)
        self._features(X)
        loads, _ = chunks.loads(X, y, sample_weight)
        model = delayed(self._model(), pure=False)
        with workers() as where:
            hits = calls("score", tasks.hits, loads, [model] * len(loads))
            right, total = (sum(each) for each in zip(*where.gather(where.keep(hits)), strict=True))
        return float(right / total)

    def _predicted(self, method: str, X: Any, out: Array | None) -> Any:
        if not chunks.is_lazy(X):
            return getattr(super(), method)(X, out=out)
        check_is_fitted(self)
        if out is not None:
            raise TypeError(f"out is given, but {method} of an X of Dask is lazy: wanted out=None")
        X = self._features(X)
        tail: tuple[int, ...] = (len(self.classes_),)
        if method == "predict" or (method == "decision_function" and len(self.classes_) == 2):
            tail = ()
        dtype = self.classes_.dtype if method == "predict" else self.coef_.dtype
        like = np.empty((0, *tail), dtype)
        return X.map_blocks(
            tasks.predicted,
            delayed(self._model(), pure=False),
            method=method,
            like=like,
            dtype=dtype,
            meta=like,
            chunks=(X.chunks[0], *((n,) for n in tail)),
            drop_axis=() if tail else 1,
        )

    def _features(self, X: Any) -> Any:
        """X as an array of as many features as in the fit."""
        X, names = chunks.features(X)
        fit_checks.same_names(self, SimpleNamespace(name="X", feature_names=names))
        return fit_checks.block_features(self, X)

    def _model(self) -> estimators.SoftmaxClassifier:
        """The fitted model for rows in memory; Dask's tasks have a thread each."""
        model = estimators.SoftmaxClassifier(n_jobs=self.n_jobs or 1)
        for name in ("coef_", "intercept_", "classes_", "n_features_in_"):
            setattr(model, name, getattr(self, name))
        return model


_LAZY = "wanted X in memory, or another solver"
