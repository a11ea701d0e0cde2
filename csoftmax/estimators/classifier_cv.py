"""Softmax regression whose penalty is chosen by cross-validation, in passes that models share."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from csoftmax import solvers
from csoftmax.estimators import checks as fit_checks
from csoftmax.estimators import parameters, selection, sklearn, solving, surveys, training
from csoftmax.estimators.callbacks import SearchTask
from csoftmax.estimators.fitted import Fitted
from csoftmax.estimators.namespaces import give_back
from csoftmax.estimators.progress import tell
from csoftmax.estimators.scaling import Scaling
from csoftmax.estimators.sklearn import BaseEstimator, ClassifierMixin, Interval, StrOptions
from csoftmax.estimators.training import CheckedObjective, Seen
from csoftmax.solvers.checkpoint import Keeper
from csoftmax.solvers.lockstep import Lockstep
from csoftmax.sources import Features, Values

Array = npt.NDArray[Any]


class SoftmaxClassifierCV(
    parameters.Parameters,
    sklearn.CallbackSupportMixin,  # type: ignore[misc]
    Fitted,
    ClassifierMixin,  # type: ignore[misc]
    BaseEstimator,  # type: ignore[misc]
):
    """SoftmaxClassifier that chooses C and l1_ratio by cross-validation, as LogisticRegressionCV.

    For each fold, each share of l1 and each C there is a model of the fold's training rows, which
    is scored on its held-out rows. The models of all folds and shares are fitted side by side: they
    share each pass over X, in which a model gives weight 0 to the rows that its fold holds out, and
    the folds share the sampled curvature. From the smallest C on, each fit starts where that of the
    C before has ended, as in LogisticRegressionCV. The choice of the best mean score is fitted to
    all rows, from the mean over folds on.

    Parameters
    ----------
    Cs : int or list of floats, default=10
        Inverse strengths of the penalty; an integer n stands for `numpy.logspace(-4, 4, n)`.
    l1_ratios : list of floats, default=(0.0,)
        Shares of l1 in the penalty, from 0 (l2) to 1, each of which is tried with each C.
    fit_intercept : bool, default=True
        Whether the scores have an intercept.
    cv : int, cross-validation generator or iterable, default=None
        Folds, as for LogisticRegressionCV: None for 5, a number is that of stratified folds. No
        row may be drawn twice for the same training part.
    scoring : str, callable or None, default=None
        How held-out rows are scored; None for accuracy. NaN is never the best: with `refit` in no
        fold, else not in its own; a UserWarning names the C.
    tol : float, default=1e-4
        Each fit ends when no element of the gradient is larger: that of the objective divided by
        C times the sum of the weights (a mean), projected where l1 holds an element at 0.
    max_iter : int, default=1000
        Most iterations of each fit.
    class_weight : dict, "balanced" or None, default=None
        As for SoftmaxClassifier; "balanced" counts all rows, not those of a fold.
    standardize : bool, default=False
        As for SoftmaxClassifier, with mean and standard deviation of all rows, also for the models
        of the folds: of what they hold out, they see the scale.
    label_smoothing : float, default=0.0
        As for SoftmaxClassifier.
    refit : bool, default=True
        Whether the model is fitted to all rows with the best C and share of l1. False:
        coefficients, C and share are means over folds, of each fold's best.
    n_jobs : int or None, default=None
        Threads, as for SoftmaxClassifier. The result does not depend on it.
    verbose : int, default=0
        Above 0: print a line for each pass.
    random_state : int, RandomState instance or None, default=None
        As for LogisticRegressionCV: for solvers that draw rows, which the one here does not, and
        not for the folds. Those are shuffled by `cv=StratifiedKFold(shuffle=True, random_state=0)`.
    checkpoint : path-like or None, default=None
        As for SoftmaxClassifier, written when the models of another C are fitted.

    Attributes
    ----------
    C_, l1_ratio_ : float
        The best, the first of equals; means without `refit`.
    Cs_, l1_ratios_ : (n_Cs,) and (n_l1_ratios,) ndarray
        All that were tried.
    scores_ : (n_folds, n_l1_ratios, n_Cs) ndarray
        Of each fold's held-out rows.
    coefs_paths_ : (n_folds, n_l1_ratios, n_Cs, n_classes, n_features + 1) ndarray
        Coefficients of all models and, with `fit_intercept`, intercepts; of two classes one row.
    n_iter_ : (n_folds, n_l1_ratios, n_Cs) ndarray of int32
        Iterations of each; also 1 where the model of the C before was good enough for `tol`.
    coef_, intercept_, classes_
        As of SoftmaxClassifier.
    n_features_in_ : int
        Features seen by `fit`.
    feature_names_in_ : (n_features_in_,) ndarray
        Their names, where X has names that are all strings.

    See Also
    --------
    SoftmaxClassifier : One C; its parameters explained.
    csoftmax.search.train_many : Grids of mini-batch models.
    sklearn.linear_model.LogisticRegressionCV : The model's original.

    Notes
    -----
    X and its arithmetic are as for SoftmaxClassifier, and y is labels. Names and shapes of
    attributes are those that LogisticRegressionCV has with `use_legacy_attributes=False`. Not here:
    `solver` (the models of all folds need one that goes in step: it is SoftmaxClassifier's "auto"),
    `penalty` as a parameter (use `l1_ratios`), `dual`, `intercept_scaling`.

    Scores of large C depend on `tol`, here as there: where a weaker penalty changes the gradient by
    less, the model stays as it is.

    Memory beside X: a byte per row and fold; for the solvers about 30 times the coefficients of a
    model (with l1: 50) for each fold and share of l1; three times `coefs_paths_`; 200 MB or less
    for the curvature, or 1500 rows of X as float32 where those are more; and a copy of one fold's
    held-out rows at a time, to be scored. A pass has at most 512 // n_classes models, so that many
    folds and shares take several.

    Sparse X is passed once for each model, as for models fitted one after the other. Callbacks of
    scikit-learn (`set_callbacks`, from 1.9 on) are told of each C and of `refit`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from csoftmax import SoftmaxClassifierCV
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SoftmaxClassifierCV(Cs=[0.01, 1, 100], cv=5, scoring="neg_log_loss").fit(X, y)
    >>> model.C_
    100.0
    >>> model.scores_.mean(axis=(0, 1)).round(2)
    array([-0.64, -0.14, -0.06])
    >>> model.predict(X[::50])
    array([0, 1, 2])
    """

    __metadata_request__score: ClassVar = {"sample_weight": sklearn.UNUSED}

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012  # a name of scikit-learn
        "Cs": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "l1_ratios": ["array-like"],
        "fit_intercept": ["boolean"],
        "cv": ["cv_object"],
        "scoring": [StrOptions(set(sklearn.get_scorer_names())), callable, None],
        "tol": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "standardize": ["boolean"],
        "label_smoothing": [Interval(Real, 0, 1, closed="both")],
        "refit": ["boolean"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
        "checkpoint": [str, os.PathLike, None],
    }

    def __init__(
        self,
        Cs: int | npt.ArrayLike = 10,
        *,
        l1_ratios: npt.ArrayLike = (0.0,),
        fit_intercept: bool = True,
        cv: Any = None,
        scoring: str | Callable[..., float] | None = None,
        tol: float = 1e-4,
        max_iter: int = 1000,
        class_weight: parameters.ClassWeight = None,
        standardize: bool = False,
        label_smoothing: float = 0.0,
        refit: bool = True,
        n_jobs: int | None = None,
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> None:
        self.Cs = Cs
        self.l1_ratios = l1_ratios
        self.fit_intercept = fit_intercept
        self.cv = cv
        self.scoring = scoring
        self.tol = tol
        self.max_iter = max_iter
        self.class_weight = class_weight
        self.standardize = standardize
        self.label_smoothing = label_smoothing
        self.refit = refit
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state
        self.checkpoint = checkpoint

    @property
    def penalty(self) -> str | None:
        """What LogisticRegressionCV calls the penalty of the best C and share of l1."""
        return parameters.penalty(self.C_, self.l1_ratio_)

    def fit(
        self, X: Features, y: Values = None, sample_weight: Values = None, **params: Any
    ) -> Self:
        """Choose C, and fit the model to rows X and their labels.

        Parameters
        ----------
        X : (N, D) array_like, data frame, sparse, or source of blocks
            Features. What is not in memory is read once for each pass, and once for each model
            that is scored.
        y : (N,) array_like, or str
            Labels of any type that sorts; as for `SoftmaxClassifier.fit`.
        sample_weight : (N,) array_like or str, optional
            Weights of the rows, none negative, in the fits and (with metadata routing: if the
            scorer requests them) in the scores.
        **params : dict
            For the splitter and the scorer, with metadata routing.

        Returns
        -------
        SoftmaxClassifierCV
            Itself.

        Raises
        ------
        ValueError
            For options out of range, data that do not fit together, NaN and infinities.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` iterations did not suffice for `tol` in some of the fits, or rounding
            ended them far from it.
        """
        parameters.options(self)
        solutions, missing = self._fit(X, y, sample_weight, params)
        if missing:
            warnings.warn(missing, UserWarning, stacklevel=2)
        if far := [solution.stop_reason for solution in solutions if solution.far]:
            subject = f"{len(far)} of {len(solutions)} fits of {type(self).__name__}"
            training.warn(subject, self, max(far), stacklevel=3)  # max_iter before loss
        return self

    @sklearn.with_callbacks  # type: ignore[untyped-decorator]
    def _fit(self, X: Any, y: Any, sample_weight: Any, params: dict[str, Any]) -> Any:
        """Fit, and return all solutions, and what to say of missing scores."""
        Cs, ratios = fit_checks.inverse_strengths(self.Cs), fit_checks.l1_ratios(self.l1_ratios)
        task = SearchTask(self, X, y, sample_weight, len(Cs))
        seen, as_given = Seen(), (X, y)
        X, y, sample_weight = surveys.rows(self, X, y, sample_weight, seen)
        y = fit_checks.labels(self, y, X)
        classes, index = training.encode(y)
        fit_checks.several(self, classes)
        given = fit_checks.sample_weights(sample_weight, X)
        for_split, for_score = self._routed(given, params, "fit")
        splitter = sklearn.check_cv(self.cv, y, classifier=True)
        folds = list(splitter.split(surveys.like(X), y, **for_split))
        masks = fit_checks.training_masks(folds, X.shape[0])
        weights = training.row_weights(self.class_weight, classes, index, given)
        seen.look(self, X, given)
        objective, scaling = self._objective(X, index, classes, weights, seen)
        l2, l1 = selection.penalties(Cs, ratios, masks, weights)

        keeper = self._keeper(objective, classes, Cs, ratios, len(folds))
        solutions = self._solutions(objective, masks, Cs, l2, l1, keeper, task)
        thetas = np.array([solution.theta for solution in solutions])
        thetas = thetas.reshape(*l2.shape, *objective.shape).swapaxes(0, 2)
        models = self._raw(thetas, scaling)
        scorer = selection.with_labels(self._scorer(), classes)
        scores = selection.scores(models, classes, X, y, folds, scorer, for_score, self.n_jobs)
        c, r, missing = selection.best(scores, Cs, ratios, refit=self.refit)
        self.C_, self.l1_ratio_ = float(Cs[c].mean()), float(ratios[r].mean())
        if self.refit:
            start = thetas[:, r[0], c[0]].mean(axis=0)
            with task.part("refit"):
                solutions.append(self._final(objective, start, weights))
            coef = self._raw(solutions[-1].theta, scaling)
        else:
            coef = models[np.arange(len(folds)), r, c].mean(axis=0)

        self.coef_, self.intercept_ = np.ascontiguousarray(coef[:, :-1]), coef[:, -1].copy()
        self.classes_, self.Cs_, self.l1_ratios_, self.scores_ = classes, Cs, ratios, scores
        self.coefs_paths_ = models[..., : None if self.fit_intercept else -1]
        n_iter = [min(max(1, solution.n_iter), self.max_iter) for solution in solutions[: l2.size]]
        self.n_iter_ = np.array(n_iter, np.int32).reshape(l2.shape).swapaxes(0, 2)
        give_back(self, *as_given)
        task.end()
        return solutions, missing

    def score(
        self, X: Features, y: Values = None, sample_weight: Values = None, **params: Any
    ) -> float:
        """Score of predictions for X, by `scoring`.

        Parameters
        ----------
        X : (N, D) array_like or sparse
            As for `fit`.
        y : (N,) array_like
            Labels.
        sample_weight : (N,) array_like, optional
            Weights of the rows.
        **params : dict
            For the scorer, with metadata routing.

        Returns
        -------
        float
        """
        y, sample_weight = fit_checks.plain(y=y, sample_weight=sample_weight)
        for_score = self._routed(sample_weight, params, "score")[1]
        return float(self._scorer()(self, X, y, **for_score))

    def get_metadata_routing(self) -> Any:
        """What of the parameters goes to the splitter, and what to the scorer.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRouter
        """
        split = sklearn.MethodMapping().add(caller="fit", callee="split")
        score = sklearn.MethodMapping().add(caller="fit", callee="score")
        score.add(caller="score", callee="score")
        router = sklearn.MetadataRouter(owner=self).add_self_request(self)
        router.add(splitter=self.cv, method_mapping=split)
        return router.add(scorer=self._scorer(), method_mapping=score)

    def _scorer(self) -> Any:
        return sklearn.get_scorer(self.scoring or "accuracy")

    def _routed(self, sample_weight: Any, params: dict[str, Any], method: str) -> tuple[Any, Any]:
        """Arguments of `method` for the splitter and for the scorer."""
        sklearn.raise_for_params(params, self, method)
        weight = {} if sample_weight is None else {"sample_weight": sample_weight}
        if not sklearn.routing_enabled():
            return {}, weight
        routed = sklearn.process_routing(self, method, **weight, **params)
        return routed.splitter.get("split", {}), routed.scorer.score

    def _objective(
        self, X: Any, index: Array, classes: Array, weights: Array | None, seen: Seen
    ) -> tuple[CheckedObjective, Scaling]:
        """The loss over all rows."""
        scaling = seen.scaling(X, self.fit_intercept)
        fit_checks.total_weight(weights, X.shape[0])
        objective = training.mean_loss(self, X, index, len(classes), weights, scaling)
        objective.estimator = self
        return objective, scaling

    def _keeper(
        self, objective: CheckedObjective, classes: Array, Cs: Array, ratios: Array, n_folds: int
    ) -> Keeper | None:
        if self.checkpoint is None:
            return None
        own = {"Cs": Cs.tolist(), "l1_ratios": ratios.tolist(), "the number of folds": n_folds}
        own |= {"tol": float(self.tol), "max_iter": int(self.max_iter)}
        problem = own | solving.common(self, objective, classes)
        return Keeper(self.checkpoint, problem, step="C number")

    def _solutions(
        self,
        objective: CheckedObjective,
        masks: Array,
        Cs: Array,
        l2: Array,
        l1: Array,
        keeper: Keeper | None,
        task: SearchTask,
    ) -> list[solvers.Solution]:
        """The models of each C, l1_ratio and fold."""
        lockstep = Lockstep(
            objective,
            masks,
            l2.shape[1],
            tol=self.tol,
            max_iter=self.max_iter,
            on_pass=lambda line: tell(line, self.verbose),
        )
        losses, grads = zip(*lockstep.found, strict=True)
        objective.check(sum(losses), np.array(grads))
        order = np.argsort(Cs, kind="stable").tolist()
        found = lockstep.path(l2, l1, order, keeper, lambda: task.part("C"))
        return [solution for c in range(len(Cs)) for solution in found[c]]

    def _final(
        self, objective: CheckedObjective, theta: Array, weights: Array | None
    ) -> solvers.Solution:
        """The model of all rows, with the best penalty."""
        total = fit_checks.total_weight(weights, objective.n_rows)
        objective.l2, l1 = fit_checks.penalties(self.C_, self.l1_ratio_, total)
        return solvers.minimise(objective, theta, l1=l1, tol=self.tol, max_iter=self.max_iter)

    def _raw(self, thetas: Array, scaling: Scaling) -> Array:
        """Coefficients of models, and intercepts as last column, for the raw X."""
        flat = thetas.reshape(-1, *thetas.shape[-2:])
        raw = [np.column_stack(scaling.raw(theta, self.fit_intercept)) for theta in flat]
        return np.array(raw).reshape(*thetas.shape[:-2], *raw[0].shape)
