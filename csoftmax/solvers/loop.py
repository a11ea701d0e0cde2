"""The loop that minimises one objective. Each pass over the data is the unit of cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from csoftmax.solvers.blas import one_blas_thread
from csoftmax.solvers.curvature import Diagonal, curvature_of
from csoftmax.solvers.lbfgs import LBFGS
from csoftmax.solvers.newton import NewtonCG
from csoftmax.solvers.objective import Objective
from csoftmax.solvers.orthant import OrthantLBFGS
from csoftmax.solvers.vectors import Array, largest

PATIENCE = 8  #: iterations without a new lowest loss or gradient: rounding is all that is left


class Progress(NamedTuple):
    """One line of the history, after an iteration."""

    iteration: int
    loss: float  #: mean loss and penalties
    gradient: float  #: largest element of the gradient, of the penalties too
    passes: float  #: over the data, so far
    seconds: float  #: since the start


class Solution(NamedTuple):
    """What a solver returns: the best iterate, and why it stopped."""

    theta: Array
    n_iter: int
    stop_reason: (
        str  #: "gradient", "loss" (rounding hides further progress), "max_iter", "callback"
    )
    far: bool = False  #: whether the solver ended far from where it was to


class Stop:
    """Says after an iteration whether it was the last, and why."""

    def __init__(self, objective: Objective, tol: float, max_iter: int) -> None:
        self.objective, self.tol, self.max_iter = objective, tol, max_iter
        self.lowest = self.smallest = np.inf
        self.since = 0

    def reason(self, steps: LBFGS, gradient: float) -> str:
        """As `Solution.stop_reason`; empty to go on."""
        since = 0 if steps.loss < self.lowest or gradient < self.smallest else self.since + 1
        self.lowest, self.smallest = min(self.lowest, steps.loss), min(self.smallest, gradient)
        self.since = since
        if gradient <= self.tol:
            return "gradient"
        if steps.stuck or since == PATIENCE:
            return "loss"
        return "max_iter" if steps.iteration >= self.max_iter else ""

    def solution(self, steps: LBFGS, reason: str) -> Solution:
        """Where the solver has ended."""
        assert steps.theta is not None
        far = reason == "max_iter" or (
            reason == "loss" and self.objective.far(steps.grad, self.tol)
        )
        return Solution(steps.theta, steps.iteration, reason, far)


def minimise(
    objective: Objective,
    theta: Array,
    *,
    newton: bool = False,
    l1: float = 0.0,
    tol: float = 1e-4,
    max_iter: int = 1000,
    on_iteration: Callable[[Array, Progress], bool] = lambda theta, progress: False,
) -> Solution:
    """Minimise an objective, and l1 sum|unit W|, from theta on, until no |gradient| > tol."""
    start = time.perf_counter()
    if theta.shape[1] > 1 and not l1:  # the loss does not depend on it, and steps leave it
        theta = theta - theta.mean(axis=1, keepdims=True)
    steps: LBFGS
    if l1:
        metric = Diagonal(objective)
        steps = OrthantLBFGS(theta, metric, objective.strength(l1, 1), objective.n_features)
    elif newton:
        steps = NewtonCG(theta, curvature_of(objective), objective.hvp)
    else:
        steps = LBFGS(theta, curvature_of(objective))
    stop = Stop(objective, tol, max_iter)
    with one_blas_thread():
        while True:
            if not steps.tell(*objective.loss_grad(steps.trial)):
                continue
            assert steps.theta is not None
            gradient = largest(steps.grad)
            if steps.iteration:
                seconds = time.perf_counter() - start
                line = Progress(steps.iteration, steps.loss, gradient, objective.passes, seconds)
                if on_iteration(steps.theta, line):
                    return stop.solution(steps, "callback")
            if reason := stop.reason(steps, gradient):
                return stop.solution(steps, reason)
            steps.propose()
