"""The loop that minimises one objective. Each pass over the data is the unit of cost.

Where X is float64, steps are made in float32 as long as that leads on: passes then take half of the
time, and so do the solver's vectors. What was learnt goes along to float64, which has the last
word: a fit ends with a gradient in float64.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from csoftmax.solvers.blas import one_blas_thread
from csoftmax.solvers.checkpoint import Keeper, Saved
from csoftmax.solvers.curvature import Diagonal, Exact, curvature_of
from csoftmax.solvers.lbfgs import LBFGS
from csoftmax.solvers.newton import NewtonCG
from csoftmax.solvers.objective import Objective
from csoftmax.solvers.orthant import OrthantLBFGS
from csoftmax.solvers.vectors import Array, largest

PATIENCE = 8  #: iterations without a new lowest loss or gradient: rounding is all that is left
#: the same in float32, where float64 will go on; and trials of a line search there
NARROW_PATIENCE, NARROW_TRIALS = 2, 4
WORTH = 1e7  #: multiplications of a product with X, from which on float32 pays


class Progress(NamedTuple):
    """One line of the history, after an iteration.

    See Also
    --------
    minimise : Tells it after each iteration.
    csoftmax.SoftmaxClassifier : Keeps it in `history_`.
    """

    iteration: int
    loss: float  #: mean loss and penalties
    gradient: float  #: largest element of the gradient, of the penalties too
    passes: float  #: over the data, so far
    seconds: float  #: since the start
    bytes: int  #: of X, read so far


class Solution(NamedTuple):
    """What a solver returns: the best iterate, and why it stopped.

    See Also
    --------
    minimise : Returns it.
    csoftmax.SoftmaxClassifier : Keeps its reason in `stop_reason_`.
    """

    theta: Array
    n_iter: int
    stop_reason: (
        str  #: "gradient", "loss" (rounding hides further progress), "max_iter", "callback"
    )
    far: bool = False  #: whether the solver ended far from where it was to


class Stop:
    """Says after an iteration whether it was the last, and why."""

    def __init__(
        self, objective: Objective, tol: float, max_iter: int, patience: int = PATIENCE
    ) -> None:
        self.objective, self.tol, self.max_iter = objective, tol, max_iter
        self.patience = patience
        self.lowest = self.smallest = np.inf
        self.since = 0

    def reason(self, steps: LBFGS, gradient: float) -> str:
        """As `Solution.stop_reason`; empty to go on."""
        lower = steps.loss < self.lowest or gradient < self.smallest
        self.since = 0 if lower else self.since + 1
        self.lowest, self.smallest = min(self.lowest, steps.loss), min(self.smallest, gradient)
        return self.last_reason(steps, gradient)

    def last_reason(self, steps: LBFGS, gradient: float) -> str:
        """The same once more, of the same iteration."""
        if gradient <= self.tol:
            return "gradient"
        if steps.stuck or self.since == self.patience:
            return "loss"
        return "max_iter" if steps.iteration >= self.max_iter else ""

    def solution(self, steps: LBFGS, reason: str) -> Solution:
        """Where the solver has ended."""
        assert steps.theta is not None
        far = reason == "max_iter" or (
            reason == "loss" and self.objective.far(steps.grad, self.tol)
        )
        theta = steps.theta.astype(self.objective.dtype, copy=False)
        return Solution(theta, steps.iteration, reason, far)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"lowest": self.lowest, "smallest": self.smallest, "since": self.since}

    def restore(self, saved: Saved) -> None:
        """Take a state."""
        self.lowest, self.smallest = saved.number("lowest", float), saved.number("smallest", float)
        self.since = saved.number("since", int)


def _solver(objective: Objective, theta: Array, newton: bool, l1: float) -> LBFGS:
    """The one for this penalty, about to begin at theta."""
    if l1:
        metric = Diagonal(objective)
        return OrthantLBFGS(theta, metric, objective.strength(l1, 1), objective.n_features)
    if newton:
        return NewtonCG(theta, curvature_of(objective), objective.hvp)
    return LBFGS(theta, curvature_of(objective))


def _goes_narrow(objective: Objective, steps: LBFGS) -> bool:
    """Whether float32 is to go as far as it leads: not Newton's steps, which end close to rounding.

    (Digits, to 1e-8: 322 passes in place of 197.)
    """
    wide = objective.dtype == objective.X.dtype == np.float64
    exact = isinstance(steps, NewtonCG) or isinstance(steps.curvature, Exact)
    return wide and objective.n_terms >= WORTH and not exact


def _leads_on(steps: LBFGS, stop: Stop, arrived: bool) -> bool:
    """Whether float32 has come closer, or may yet."""
    if not arrived:
        return steps.trials < NARROW_TRIALS
    return bool(np.isfinite(steps.loss)) and not stop.reason(steps, largest(steps.grad))


def _state(steps: LBFGS, stop: Stop, seconds: float) -> dict[str, Any]:
    passes = steps.curvature.objective.passes
    parts = {"steps": steps.state(), "stop": stop.state()}
    return {"passes": passes, "seconds": seconds, **parts}


def _restore(steps: LBFGS, saved: Saved) -> float:
    """Take the state of a checkpoint if it is of these data; return the seconds before it."""
    steps.restore(saved.part("steps"))
    objective = steps.curvature.objective
    if not steps.is_at(*objective.loss_grad(steps.trial)):
        raise saved.other_data()
    objective.passes = saved.number("passes", float)
    return saved.number("seconds", float)


def minimise(
    objective: Objective,
    theta: Array,
    *,
    newton: bool = False,
    l1: float = 0.0,
    tol: float = 1e-4,
    max_iter: int = 1000,
    on_iteration: Callable[[Array, Progress], bool] = lambda theta, progress: False,
    keeper: Keeper | None = None,
) -> Solution:
    """Minimise an objective, and l1 sum|unit W|, from theta on, until no |gradient| > tol.

    With a keeper that has a checkpoint, it goes on from that, and theta does not count.

    Parameters
    ----------
    objective : Objective
    theta : (D, C) or (D + 1, C) ndarray
        Where to begin; the last row is the intercept, if there is one.
    newton : bool
        Newton-CG in place of L-BFGS.
    l1 : float
        Strength of the l1 penalty; of Newton-CG 0.
    tol, max_iter
        As of `csoftmax.SoftmaxClassifier`.
    on_iteration : callable
        Called with theta and a `Progress` after each iteration; True ends the fit.
    keeper : Keeper, optional
        Writes checkpoints.

    Returns
    -------
    Solution

    See Also
    --------
    Objective : What is minimised.
    Solution : What comes back.
    csoftmax.SoftmaxClassifier : Checks its input, and calls this.

    Examples
    --------
    >>> import numpy as np
    >>> from csoftmax.solvers import Objective, minimise
    >>> objective = Objective(np.eye(3), np.arange(3), 3, np.float64, l2=0.1, fit_intercept=True)
    >>> minimise(objective, np.zeros(objective.shape)).stop_reason
    'gradient'
    """
    start = time.perf_counter()
    # The loss does not depend on the mean over classes, and steps leave it. Zeros that nobody has
    # written to take no memory yet.
    if theta.shape[1] > 1 and not l1 and theta.any():
        theta = theta - theta.mean(axis=1, keepdims=True)
    steps = _solver(objective, theta, newton, l1)
    saved = keeper.saved() if keeper else None
    if saved:
        start -= _restore(steps, saved)
        narrow = steps.trial.dtype != objective.dtype
    elif narrow := _goes_narrow(objective, steps):
        steps.trial = theta.astype(np.float32)
    stop = Stop(objective, tol, max_iter, NARROW_PATIENCE if narrow else PATIENCE)
    reported = steps.iteration
    with one_blas_thread():
        if saved:
            stop.restore(saved.part("stop"))
            saved.forget()
            if not narrow and (reason := stop.last_reason(steps, largest(steps.grad))):
                return stop.solution(steps, reason)
            steps.propose()
        while True:
            arrived = steps.tell(*objective.loss_grad(steps.trial))
            if narrow and not _leads_on(steps, stop, arrived):
                narrow, stop = False, Stop(objective, tol, max_iter)
                steps.go_on_in(objective.dtype)
                steps.trial = steps.trial if steps.iteration else theta
                continue
            if not arrived:
                continue
            assert steps.theta is not None
            gradient = largest(steps.grad)
            reason = "" if narrow else stop.reason(steps, gradient)
            if steps.iteration > reported:
                reported = steps.iteration
                seconds = time.perf_counter() - start
                line = Progress(
                    steps.iteration,
                    steps.loss,
                    gradient,
                    objective.passes,
                    seconds,
                    objective.n_bytes,
                )
                if on_iteration(steps.theta.astype(objective.dtype, copy=False), line):
                    reason = "callback"
            if keeper and keeper.due(steps.iteration, last=bool(reason)):
                keeper.write(steps.iteration, _state(steps, stop, time.perf_counter() - start))
            if reason:
                return stop.solution(steps, reason)
            steps.propose()
