"""Between what a user gives an estimator and what the solvers minimise, on arrays alone."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax._native import checks
from csoftmax.estimators import checks as fit_checks
from csoftmax.estimators.progress import tell
from csoftmax.estimators.scaling import Moments, Scaling, automatic
from csoftmax.estimators.sklearn import ConvergenceWarning, compute_class_weight
from csoftmax.solvers import Progress
from csoftmax.solvers.objective import Objective
from csoftmax.solvers.sgd import State
from csoftmax.sources import Surveyed

Array = npt.NDArray[Any]


def encode(y: Array) -> tuple[Array, npt.NDArray[np.int64]]:
    """The classes in y, sorted, and the index of each label among them."""
    if y.dtype.kind in "iu" and y.size:
        low, high = int(y.min()), int(y.max())
        if high - low < max(1000, len(y)):  # counting is 10 times sooner than sorting
            # Modulo 2**64, where differences of all integer types are right: low may be beyond
            # int64, and high - low beyond y's own type.
            start = np.uint64(low % 2**64)
            offset = y.astype(np.uint64)
            offset = np.subtract(offset, start, out=offset).view(np.int64)
            seen = np.bincount(offset) > 0
            classes = (np.flatnonzero(seen).astype(np.uint64) + start).astype(y.dtype)
            return classes, (np.cumsum(seen) - 1)[offset]
    return np.unique(y, return_inverse=True)


def row_weights(
    class_weight: Any, classes: Array, index: Array, sample_weight: Array | None
) -> Array | None:
    """Weights of rows and classes together, in float64."""
    if class_weight is None:
        return sample_weight
    count = np.bincount(index, sample_weight, minlength=len(classes))
    return weights_of_rows(weights_of_classes(class_weight, classes, count), index, sample_weight)


def weights_of_classes(class_weight: Any, classes: Array, count: Array) -> Array:
    """The factor of each class, whose rows weigh `count`.

    "balanced": n_rows / (n_classes * rows of the class), all counted by their weights.
    """
    if isinstance(class_weight, str):
        weight = np.zeros(len(classes))  # of a class whose rows have no weight
        np.divide(count.sum() / len(classes), count, out=weight, where=count > 0)
    else:
        weight = compute_class_weight(class_weight, classes=classes, y=classes)
        if not (np.isfinite(weight).all() and weight.min() >= 0):
            raise ValueError(f"class_weight is {class_weight!r}: wanted finite, none negative")
    return np.asarray(weight, np.float64)


def weights_of_rows(
    factors: Array | None, index: Array, sample_weight: Array | None
) -> Array | None:
    """Weights of rows, times those of their classes."""
    if factors is None:
        return sample_weight
    rows: Array = factors[index]
    return rows if sample_weight is None else rows * sample_weight


# ---- what was seen -----------------------------------------------------------------------------


class Seen:
    """What an estimator remembers of the rows that it was fitted to, for partial_fit."""

    def __init__(self) -> None:
        #: sum of their weights
        self.weight = 0.0
        self.moments: Moments | None = None
        #: how the features are seen that are not standardised
        self.view: Scaling | None = None
        self.solver: State | None = None

    @classmethod
    def of(cls, state: dict[str, Any] | None) -> Seen:
        """What `state` returned; of None: nothing seen. Arrays are taken, not copied."""
        seen = cls()
        if state is None:
            return seen
        seen.weight = state["weight"]
        if (moments := state["moments"]) is not None:
            seen.moments = Moments(0)
            vars(seen.moments).update(moments)
        if (view := state["view"]) is not None:
            seen.view = Scaling(**view)
        if (solver := state["solver"]) is not None:
            seen.solver = State(solver["theta"])
            vars(seen.solver).update(solver)
        return seen

    def state(self) -> dict[str, Any]:
        """All of it as numbers and arrays, so that a pickle needs no class of ours for it."""
        return {
            "weight": self.weight,
            "moments": self.moments and dict(vars(self.moments)),
            "view": self.view and self.view._asdict(),
            "solver": self.solver and dict(vars(self.solver)),
        }

    def look(self, estimator: Any, X: Any, sample_weight: Array | None) -> None:
        """Take note of the features' offsets and scales."""
        if isinstance(X, Surveyed):  # whose moments were added block by block
            rows = X.sample_rows
            X, sample_weight = X.sample, None if sample_weight is None else sample_weight[rows]
        elif estimator.standardize:
            self.moments = self.moments or Moments(X.shape[1])
            self.moments.add(X, sample_weight, fit_checks.threads(estimator.n_jobs))
        if not estimator.standardize and self.view is None:
            self.view = automatic(X, sample_weight, estimator.fit_intercept)

    def scaling(self, X: Any, fit_intercept: bool) -> Scaling:
        """How the solver is to see the features of X."""
        known = self.moments.scaling(fit_intercept) if self.moments else self.view
        return Scaling() if known is None else known.of(X.sample if isinstance(X, Surveyed) else X)


# ---- warm start --------------------------------------------------------------------------------


def carry_over(
    coef: Array, intercept: Array, old: Array, new: Array, one_row: bool
) -> tuple[Array, Array]:
    """Coefficients of a fitted model for other classes: those that stay keep theirs, new have 0.

    One row z of two classes stands for the rows -z/2 and z/2, to which the penalty drives them.
    """
    model = np.column_stack([coef, intercept]).astype(np.float64)
    if len(model) == 1:
        model = np.concatenate([-0.5 * model, 0.5 * model])
    place = {label: i for i, label in enumerate(old.tolist())}
    result = np.zeros((len(new), model.shape[1]))
    for i, label in enumerate(new.tolist()):
        if label in place:
            result[i] = model[place[label]]
    if one_row:
        result = result[1:] - result[:1]
    return result[:, :-1], result[:, -1]


# ---- during the fit ----------------------------------------------------------------------------


class CheckedObjective(Objective):
    """An objective whose first evaluation finds what is not finite in X.

    A NaN or infinity of X makes the loss or the gradient NaN (0 * inf is): while they are finite,
    X is.
    """

    estimator: Any = None

    def loss_grad(self, theta: Array, rows: Array | None = None) -> tuple[float, Array]:
        """As of Objective."""
        loss, grad = super().loss_grad(theta, rows)
        if rows is None and theta.dtype == self.dtype:  # float32 may be too narrow, and no more
            self.check(loss, grad)
        return loss, grad

    def check(self, loss: float, grad: Array) -> None:
        """Refuse what is not finite, the first time."""
        if self.estimator is None:
            return
        if not (np.isfinite(loss) and np.isfinite(grad).all()):
            self.finite_features()
            raise ValueError(
                "the loss or its gradient is not finite at the start, though X is: its values "
                f"are too large for {self.dtype}. Scale them, or use standardize=True."
            )
        self.estimator = None

    def finite_features(self) -> None:
        """Raise ValueError that says where X is not finite, if it is not."""
        fit_checks.finite_features(self.estimator, self.X)


def mean_loss(
    estimator: Any,
    X: Any,
    target: Array,
    n_classes: int,
    weights: Array | None,
    scaling: Scaling,
    l2: float = 0.0,
) -> CheckedObjective:
    """The objective that an estimator's parameters ask for."""
    dtype = fit_checks.arithmetic(X)
    return CheckedObjective(
        X,
        target.astype(dtype, copy=False) if target.ndim == 2 else target,
        n_classes,
        dtype,
        l2=l2,
        fit_intercept=estimator.fit_intercept,
        one_row=n_classes == 2,
        sample_weight=checks.weights(
            "weights", weights, X.shape[0], dtype, "row of X", relative=True
        ),
        label_smoothing=estimator.label_smoothing,
        shift=scaling.shift,
        scale=scaling.scale,
        unit=scaling.unit,
        spread=scaling.spread,
        n_threads=fit_checks.threads(estimator.n_jobs),
    )


class FitProgress:
    """What a callback is called with after each iteration.

    Attributes
    ----------
    iteration : int
        1 for the first.
    loss : float
        The objective: weighted mean of the rows' losses, and the penalty divided by C sum(s).
    gradient : float
        Largest element of the objective's (projected) gradient.
    passes : float
        Passes over X so far.
    seconds : float
        Since the solver started.
    bytes : int
        Of X, read so far.
    coef, intercept : ndarray
        The model after this iteration, made when asked for.
    """

    def __init__(self, progress: Progress, model: Callable[[], tuple[Array, Array]]) -> None:
        self.iteration, self.loss, self.gradient, self.passes, self.seconds, self.bytes = progress
        self._model = model

    @property
    def coef(self) -> Array:
        """As `coef_` would be."""
        return self._model()[0]

    @property
    def intercept(self) -> Array:
        """As `intercept_` would be."""
        return self._model()[1]

    def __str__(self) -> str:
        return (
            f"iteration {self.iteration:5d}  loss {self.loss:.9g}  gradient {self.gradient:.3e}  "
            f"passes {self.passes:g}  {self.bytes / 1e6 / max(self.seconds, 1e-9):.0f} MB/s  "
            f"{self.seconds:.3f} s"
        )


Callback = Callable[[FitProgress], Any]


class Recorder:
    """Keeps the history and the last iterate, prints, and asks the callbacks."""

    def __init__(
        self,
        model: Callable[[Array], tuple[Array, Array]],
        callbacks: Sequence[Callable[[FitProgress], Any]],
        verbose: int,
    ) -> None:
        self.model, self.callbacks, self.verbose = model, callbacks, verbose
        self.theta: Array | None = None
        names = ("loss", "gradient", "passes", "seconds", "bytes")
        self.history: dict[str, list[float]] = {name: [] for name in names}

    def __call__(self, theta: Array, progress: Progress) -> bool:
        """Whether a callback wants to stop; all of them are called."""
        self.theta = theta
        for name, values in self.history.items():
            values.append(float(getattr(progress, name)))
        line = FitProgress(progress, lambda: self.model(theta))
        tell(line, self.verbose)
        answers = [callback(line) for callback in self.callbacks]
        return any(answers)


def warn(subject: str, estimator: Any, reason: str, gradient: str = "", *, stacklevel: int) -> None:
    """Say, as a ConvergenceWarning, that a fit ended for this reason far from the minimum."""
    if reason == "max_iter":
        where, what = f"after max_iter={estimator.max_iter} iterations", "raise max_iter, "
    else:
        where = "where rounding hides further progress"
        what = "give X as float64 if it is not, "
    message = (
        f"{subject} stopped {where}, before the gradient{gradient} was at most "
        f"tol={estimator.tol:g}. Scale the features (standardize=True does it without a copy), "
        f"{what}or take a larger tol or a smaller C."
    )
    warnings.warn(message, ConvergenceWarning, stacklevel=stacklevel)
