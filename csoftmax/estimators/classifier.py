"""Softmax regression as scikit-learn's estimators are: fit, predict and all that uses them."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from functools import partial
from numbers import Integral, Real
from typing import Any, Self, get_args

import numpy as np
import numpy.typing as npt

from csoftmax.estimators import checks as fit_checks
from csoftmax.estimators import namespaces, parameters, surveys, training
from csoftmax.estimators.callbacks import FitTask
from csoftmax.estimators.fitted import Fitted
from csoftmax.estimators.parameters import ClassWeight, Parameters, Solver
from csoftmax.estimators.scaling import Scaling
from csoftmax.estimators.sklearn import (
    BaseEstimator,
    CallbackSupportMixin,
    ClassifierMixin,
    Interval,
    StrOptions,
    check_random_state,
    with_callbacks,
)
from csoftmax.estimators.solving import solve
from csoftmax.estimators.training import Callback, CheckedObjective, Recorder, Seen
from csoftmax.estimators.warm_start import start
from csoftmax.solvers import Solution
from csoftmax.solvers.sgd import SGD, State, epoch
from csoftmax.sources import Features, Values

Array = npt.NDArray[Any]


class SoftmaxClassifier(
    Parameters,
    CallbackSupportMixin,  # type: ignore[misc]
    Fitted,
    ClassifierMixin,  # type: ignore[misc]
    BaseEstimator,  # type: ignore[misc]
):
    """Softmax (multinomial logistic) regression, with the model of LogisticRegression.

    It minimises, with the intercept free of penalty,

        C sum_i s_i L_i + (1 - l1_ratio)/2 sum(W**2) + l1_ratio sum(abs(W))
        L_i = lse(z_i) - z_i[y_i]        Z = X W + intercept        s_i = sample and class weight

    and at equal parameters has the optimum, shapes and predictions of
    `sklearn.linear_model.LogisticRegression`. Two classes have one row of coefficients z, that of
    the second: their scores are (0, z).

    Parameters
    ----------
    C : float, default=1.0
        Inverse strength of the penalty, above 0; `numpy.inf` for no penalty.
    l1_ratio : float, default=0.0
        Share of l1 in the penalty, from 0 (l2) to 1.
    tol : float, default=1e-4
        The fit ends when no element of the gradient is larger: that of the objective divided by
        C sum_i s_i (a mean), projected where l1 holds an element at 0. Features far from 0 beside
        their spread count as centred, and huge and tiny ones as of unit size (see Notes).
    fit_intercept : bool, default=True
        Whether the scores have an intercept.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class, 1 where the dictionary has none; "balanced":
        n_rows / (n_classes * rows of the class). Not for probabilities as targets.
    solver : {"auto", "lbfgs", "newton-cg", "sgd"} or SGD, default="auto"
        "lbfgs" and "newton-cg" work in the metric of a curvature that is sampled from the rows, and
        need few passes over X; "auto" is "lbfgs", with steps within orthants where `l1_ratio` is
        not 0 ("newton-cg" is for l2). "sgd" takes mini-batches, with the options of `SGD()`, or of
        the `csoftmax.SGD` that is given; it comes near the optimum and stops for other reasons.
    max_iter : int, default=1000
        Most iterations of the solver; with 0 the model is that which `fit` would start from.
    standardize : bool, default=False
        Fit on (X - mean) / std, which is never made: X stays as it is, CSR stays sparse. Mean and
        standard deviation are weighted by `sample_weight`; without an intercept there is no shift;
        constant features are not scaled. `coef_` and `intercept_` are for the raw X again, but the
        penalty acts on the coefficients of the scaled features, so that the optimum is that of
        LogisticRegression behind a StandardScaler.
    label_smoothing : float, default=0.0
        eps, from 0 to 1: the targets are (1 - eps) Y + eps / n_classes.
    warm_start : bool, default=False
        Start `fit` at the coefficients of the last one. Classes that stay keep theirs, new ones
        start at 0.
    random_state : int, RandomState instance or None, default=None
        For solvers that draw rows.
    verbose : int, default=0
        Above 0: print a line per iteration, which the logger "csoftmax" gets at level INFO anyway;
        and show a bar for each pass over what is not in memory (tqdm, on a terminal).
    n_jobs : int or None, default=None
        Threads, at most. None: all that the process may use, fewer for little work; -1: the same
        (CSOFTMAX_NUM_THREADS and OMP_NUM_THREADS count); -2: all but one. The result is the same.
    callbacks : callable or list of callables, default=None
        Each is called after an iteration with an object that has `iteration`, `loss`, `gradient`,
        `passes`, `seconds`, `bytes`, `coef` and `intercept`. If one returns True, the fit ends
        there. `set_callbacks` is for those of scikit-learn (from 1.9 on), which are told of the
        same iterations.
    checkpoint : path-like or None, default=None
        File in which `fit` keeps its state, every 30 seconds or so and at the end. If there is one
        of the same data and parameters, the fit goes on from it, whatever `warm_start` says (see
        Notes); that of another fit is refused.

    Attributes
    ----------
    coef_ : (n_classes, n_features) or (1, n_features) ndarray, or CSR after `sparsify`
        In the dtype of the arithmetic.
    intercept_ : (n_classes,) or (1,) ndarray
        Zeros without `fit_intercept`.
    classes_ : (n_classes,) ndarray
        Labels, sorted; 0 to n_classes - 1 for probabilities as targets.
    n_iter_ : (1,) ndarray of int32
        Iterations of the solver.
    stop_reason_ : str
        "gradient": at most `tol`; "loss": no more progress in this precision (with a warning where
        the gradient is well above `tol`); "max_iter"; "callback";
        "interrupted" (Ctrl-C or an OSError, with the last iterate kept, as start for `warm_start`);
        of "sgd" also "validation" and "not finite".
    history_ : dict of lists
        "loss" (the objective divided by C sum_i s_i), "gradient", "passes" over X, "seconds" and
        "bytes" of X read, after each iteration.
    seen_ : dict
        What `partial_fit` goes on from: numbers and arrays about the rows so far.
    n_features_in_ : int
        Features seen by `fit`.
    feature_names_in_ : (n_features_in_,) ndarray
        Their names, where X has names that are all strings.

    See Also
    --------
    SoftmaxClassifierCV : Chooses C by cross-validation.
    SGD : Options of mini-batches.
    csoftmax.dask.SoftmaxClassifier : The same on a cluster.
    save_model : Writes it to a file that runs no code.
    sklearn.linear_model.LogisticRegression : The model's original.

    Notes
    -----
    Arithmetic and coefficients are float32 for X of float32, uint8 and bool, which are read where
    they lie in any layout, memory-mapped too; else float64, to which other types are copied. CSR
    with int32 or int64 indices is used as it is (uint8 and bool as float32), other sparse formats
    are converted to it. Same bits for any number of threads.

    Features with a mean of more than 30 standard deviations are centred inside, if there is an
    intercept, and those with a size above 1e4 or below 1e-3 scaled, as some rows show it; the
    penalty, `coef_` and `intercept_` are those of the raw X.

    A fit that goes on from a checkpoint ends with the bits, and but for "seconds" the history, of
    one that was never stopped, given the same versions and a like processor. From the checkpoint
    of a finished fit it ends at once; or it goes on, with a smaller `tol` or larger `max_iter`,
    which may differ. The file is a NumPy archive (.npz) without pickles. A write that fails leaves
    the one before and raises an OSError; killed meanwhile, it leaves a file PATH.*.tmp.

    NaN and infinities are not looked for in advance: the first pass over X finds them. Where
    scikit-learn (from 1.9 on) dispatches on arrays, tensors of PyTorch or JAX on the CPU make
    attributes and predictions that are tensors, without a copy.
    Not here: `penalty` as a parameter (use `l1_ratio`, and `C=numpy.inf` for none), `dual`,
    `intercept_scaling`, `multi_class`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from csoftmax import SoftmaxClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SoftmaxClassifier().fit(X, y)
    >>> model.predict(X[::50])
    array([0, 1, 2])
    >>> model.predict_proba(X[:1]).round(2)
    array([[0.98, 0.02, 0.  ]])
    >>> model.stop_reason_
    'gradient'
    """

    seen_: dict[str, Any]

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012  # a name of scikit-learn
        "C": [Interval(Real, 0, None, closed="right")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "solver": [StrOptions(set(get_args(Solver))), SGD],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "standardize": ["boolean"],
        "label_smoothing": [Interval(Real, 0, 1, closed="both")],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "n_jobs": [Integral, None],
        "callbacks": [callable, list, tuple, None],
        "checkpoint": [str, os.PathLike, None],
    }

    def __init__(
        self,
        C: float = 1.0,
        *,
        l1_ratio: float = 0.0,
        tol: float = 1e-4,
        fit_intercept: bool = True,
        class_weight: ClassWeight = None,
        solver: Solver | SGD = "auto",
        max_iter: int = 1000,
        standardize: bool = False,
        label_smoothing: float = 0.0,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
        n_jobs: int | None = None,
        callbacks: Callback | Sequence[Callback] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> None:
        self.C = C
        self.l1_ratio = l1_ratio
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.solver = solver
        self.max_iter = max_iter
        self.standardize = standardize
        self.label_smoothing = label_smoothing
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.callbacks = callbacks
        self.checkpoint = checkpoint

    @property
    def penalty(self) -> str | None:
        """What LogisticRegression calls the penalty: "l1", "l2", "elasticnet" or None."""
        return parameters.penalty(self.C, self.l1_ratio)

    def fit(self, X: Features, y: Values = None, sample_weight: Values = None) -> Self:
        """Fit the model to rows X and their targets.

        Parameters
        ----------
        X : (N, D) array_like, data frame, sparse, or source of blocks
            Features. Data frames and tensors count as the arrays that NumPy makes of them: of
            float32 if their columns are. What is not in memory is read block by block, once more
            than there are passes; a sample of 64 MiB stays.
        y : (N,) or (N, n_classes) array_like, or str
            Labels of any type that sorts, or floating-point probabilities of the classes 0, 1,
            and so on, with sum 1. The name of a column, where X is a table that is not in memory;
            None, where the labels come with the blocks.
        sample_weight : (N,) array_like or str, optional
            Weights of the rows, none negative.

        Returns
        -------
        SoftmaxClassifier
            Itself.

        Raises
        ------
        ValueError
            For options out of range, data that do not fit together, NaN and infinities.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` iterations did not suffice for `tol`, or rounding ended the fit far from
            it.
        """
        callbacks = parameters.checked(self)
        if self._fit(X, y, sample_weight, callbacks).far:
            self._warn()
        return self

    def partial_fit(
        self, X: Features, y: npt.ArrayLike, classes: Values = None, sample_weight: Values = None
    ) -> Self:
        """Go on fitting with more rows: one pass over them, in mini-batches in random order.

        The steps are those of `solver` where that is an `SGD`, else of `SGD()`.

        The penalty is weighed against all rows passed so far; a row passed again counts again.
        With `standardize`, mean and standard deviation are those of all rows so far.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`; y may lack classes.
        classes : (n_classes,) array_like, optional
            All labels that may come. Needed at the first call, unless y is probabilities (whose
            columns they name) or the model is fitted.

        Returns
        -------
        SoftmaxClassifier
            Itself.
        """
        parameters.checked(self)
        first = not hasattr(self, "coef_")
        fit_checks.in_memory(self, X)
        rows = fit_checks.features(self, X, reset=first)
        target, soft = fit_checks.labels_or_probabilities(self, y, rows)
        fit_checks.no_class_weight(self.class_weight, soft=soft, partial=True)
        known = fit_checks.partial_classes(self, classes, target.shape[1] if soft else None)
        if not soft:
            target = fit_checks.known_labels(target, known)
        seen = Seen.of(copy.deepcopy(getattr(self, "seen_", None)))  # an error leaves it as it was
        weights = self._look(seen, rows, target, known, sample_weight)
        scaling = seen.scaling(rows, self.fit_intercept)

        l2, l1 = fit_checks.penalties(self.C, self.l1_ratio, seen.weight)
        objective = training.mean_loss(self, rows, target, len(known), weights, scaling, l2)
        theta = start(self, objective, known, scaling, warm=not first)
        options = self.solver if isinstance(self.solver, SGD) else SGD()
        if seen.solver is None or seen.solver.theta.shape != theta.shape:
            seen.solver = State(theta)
        random = check_random_state(self.random_state)
        epoch(objective, options, seen.solver, random, l1=l1)
        theta = seen.solver.result(l1)
        if not np.isfinite(theta).all():
            fit_checks.finite_features(self, rows)
            raise ValueError("the coefficients are not finite: scale X, or use standardize=True")
        self.classes_, self.seen_ = known, seen.state()
        self.coef_, self.intercept_ = scaling.raw(theta, self.fit_intercept)
        namespaces.give_back(self, X, y)
        return self

    @with_callbacks  # type: ignore[untyped-decorator]
    def _fit(
        self, X: Any, y: Any, sample_weight: Any, callbacks: list[Callback], **known: Any
    ) -> Solution:
        objective, l1, classes, seen, scaling = self._problem(X, y, sample_weight, **known)
        theta = start(self, objective, classes, scaling, warm=self.warm_start)
        model = partial(scaling.raw, fit_intercept=self.fit_intercept)
        task = FitTask(self, X, y, sample_weight, classes, partial(model, theta))
        recorder = Recorder(model, [*callbacks, task], self.verbose)
        try:
            solution = solve(self, objective, theta, l1, classes, recorder)
        except (KeyboardInterrupt, OSError):
            if recorder.theta is not None:
                n_iter = len(recorder.history["loss"])
                solution = Solution(recorder.theta, n_iter, "interrupted")
                self._keep(solution, recorder, classes, seen, X, y)
            raise
        if solution.stop_reason == "not finite":  # mini-batches do not look at all rows at first
            fit_checks.finite_features(self, objective.X)
            raise ValueError(
                f"the loss is not finite in epoch {solution.n_iter} of solver={self.solver!r}: "
                "wanted a smaller learning_rate, or standardize=True"
            )
        self._keep(solution, recorder, classes, seen, X, y)
        task.end()
        return solution

    # ---- from parameters and data to the solver -------------------------------------------------

    def _problem(
        self, X: Any, y: Any, sample_weight: Any
    ) -> tuple[CheckedObjective, float, Array, Seen, Scaling]:
        """What `fit` is to minimise: a loss, and the strength of l1."""
        seen = Seen()
        X, y, sample_weight = surveys.rows(self, X, y, sample_weight, seen)
        target, soft = fit_checks.labels_or_probabilities(self, y, X)
        fit_checks.no_class_weight(self.class_weight, soft=soft, partial=False)
        if soft:
            classes = np.arange(target.shape[1])
        else:
            classes, target = training.encode(target)
        fit_checks.several(self, classes)
        weights = self._look(seen, X, target, classes, sample_weight)
        scaling = seen.scaling(X, self.fit_intercept)
        l2, l1 = fit_checks.penalties(self.C, self.l1_ratio, seen.weight)
        objective = training.mean_loss(self, X, target, len(classes), weights, scaling, l2)
        objective.estimator = self
        return objective, l1, classes, seen, scaling

    def _look(
        self, seen: Seen, X: Any, target: Array, classes: Array, sample_weight: Any
    ) -> Array | None:
        """Count the rows of X among those seen; return their weights."""
        given = fit_checks.sample_weights(sample_weight, X)
        weights = training.row_weights(self.class_weight, classes, target, given)
        seen.weight += fit_checks.total_weight(weights, X.shape[0])
        seen.look(self, X, given)
        return weights

    def _keep(
        self, solution: Solution, recorder: Recorder, classes: Array, seen: Seen, X: Any, y: Any
    ) -> None:
        self.coef_, self.intercept_ = recorder.model(solution.theta)
        self.classes_, self.seen_ = classes, seen.state()
        self.n_iter_ = np.array([solution.n_iter], np.int32)
        self.stop_reason_ = solution.stop_reason
        self.history_ = recorder.history
        namespaces.give_back(self, X, y)

    def _warn(self) -> None:
        gradient = "".join(f" ({g:.2g})" for g in self.history_["gradient"][-1:])
        training.warn(type(self).__name__, self, self.stop_reason_, gradient, stacklevel=4)
