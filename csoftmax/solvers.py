"""Minimisers of an objective (objective.py). Each pass over the data is the unit of cost.

L-BFGS, with and without l1, and Newton's method with conjugate gradients, all in the metric of a
sampled curvature (_curvature.py). They ask and are told: `trial` is where the loss is wanted next,
`tell` gets it. So one loop minimises one model, and another many that share each pass over X.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg.blas import get_blas_funcs
from threadpoolctl import ThreadpoolController

from csoftmax import _curvature
from csoftmax.objective import Array, Objective

ARMIJO = 1e-4
MAX_PRODUCTS = 50  #: with the Hessian, for a step of Newton's method
MAX_TRIALS = 12  #: of a line search
#: elements from which L-BFGS remembers, and computes with, float32: such vectors exceed the caches,
#: where their bytes are what costs, and steps need not be exact
LARGE = 1 << 17
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


class LBFGS:
    """Limited-memory BFGS around the inverse of a sampled curvature.

    Attributes
    ----------
    trial : Array
        Where the loss and the gradient are wanted next.
    theta, loss, grad
        The last iterate.
    stuck : bool
        Whether the last line search found nothing lower.
    """

    def __init__(self, theta: Array, curvature: _curvature.Curvature) -> None:
        self.trial, self.curvature = theta, curvature
        self.n_pairs = curvature.pairs
        self.theta: Array | None = None
        self.iteration, self.stuck = 0, False
        self.pairs: list[tuple[Array, Array, float]] = []

    def tell(self, loss: float, grad: Array) -> bool:
        """Take the loss and the gradient at `trial`; True where that is the next iterate."""
        if self.theta is None:
            self.theta, self.loss, self.grad = self.trial, loss, grad
            return True
        slope = _dot(grad, self.direction)
        # Where the loss differs by rounding alone, the slopes tell (Hager and Zhang 2005, (4.1)).
        rounding = float(np.finfo(grad.dtype).eps) * abs(self.loss)
        lower = loss <= self.loss + ARMIJO * self.step * self.slope
        if lower or (loss <= self.loss + rounding and slope <= -0.8 * self.slope):
            self._remember(self.theta, self.grad, grad)
            self.theta, self.loss, self.grad = self.trial, loss, grad
            self.iteration += 1
            return True
        self.trials += 1
        self.stuck = self.trials >= MAX_TRIALS
        self.step *= _shorter(self.loss, self.slope * self.step, loss, slope * self.step)
        self.trial = self.theta + _real(self.step, grad) * self.direction
        return self.stuck

    def propose(self) -> None:
        """Set the next `trial`: a step of length 1 is tried first."""
        assert self.theta is not None
        self.curvature.update(self.theta, self.iteration)
        self.aim()

    def aim(self) -> None:
        """As `propose`, in the metric as it is."""
        assert self.theta is not None
        self.direction = self._direction()
        self.slope = _dot(self.grad, self.direction)
        self.step, self.trials = 1.0, 0
        self.trial = self.theta + self.direction

    def _direction(self) -> Array:
        return _without_mean(two_loops(self.grad, self.pairs, self.curvature.solve))

    def _remember(self, theta: Array, before: Array, after: Array) -> None:
        """Keep the step from theta to `trial`, and the gradient's change, if it grows along it."""
        if not self.n_pairs:
            return
        step, change = _difference(self.trial, theta), _difference(after, before)
        if (product := _dot(step, change)) > 0:
            self.pairs.append((step, change, 1 / product))
            del self.pairs[: len(self.pairs) - self.n_pairs]


class Stop:
    """Says after an iteration whether it was the last, and why."""

    def __init__(self, tol: float, max_iter: int) -> None:
        self.tol, self.max_iter = tol, max_iter
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


class NewtonCG(LBFGS):
    """Newton's method; conjugate gradients in the metric of the curvature give its steps."""

    def __init__(
        self,
        theta: Array,
        curvature: _curvature.Curvature,
        hvp: Callable[[Array, Array], Array],
    ) -> None:
        super().__init__(theta, curvature)
        self.hvp, self.n_pairs = hvp, 0
        self.first = 0.0  # squared norm of the first gradient

    def _direction(self) -> Array:
        """Minus the inverse Hessian times the gradient, the better the smaller the gradient is."""
        assert self.theta is not None
        residual, step = -self.grad, np.zeros_like(self.grad)
        conjugate = _without_mean(self.curvature.solve(residual))
        size = start = _dot(residual, conjugate)
        self.first = self.first or start
        wanted = start * min(0.25, (start / self.first) ** 0.5) if start > 0 else 0.0
        for _ in range(MAX_PRODUCTS):
            product = self.hvp(self.theta, conjugate)
            if not (curved := _dot(conjugate, product)) > 0:
                break
            step += _real(size / curved, step) * conjugate
            residual -= _real(size / curved, step) * product
            solved = _without_mean(self.curvature.solve(residual))
            before, size = size, _dot(residual, solved)
            if size <= wanted:
                break
            conjugate = solved + _real(size / before, step) * conjugate
        return step if step.any() else _without_mean(self.curvature.solve(-self.grad))


class OrthantLBFGS(LBFGS):
    """L-BFGS for a loss and l1 sum|W|, in a diagonal metric.

    The loss is smooth as long as no coefficient changes its sign. So a step ends where it would: at
    0. In the place of the gradient stands the smallest subgradient; coefficients that are 0, and 0
    in it, are left out of the step, and of the pairs (s, y). Those that are not 0 may step against
    the subgradient's sign: forbidding that, as OWL-QN does, takes twice the passes.

    References
    ----------
    G. Andrew, J. Gao, "Scalable training of L1-regularized log-linear models", ICML 2007.
    """

    def __init__(
        self, theta: Array, curvature: _curvature.Diagonal, l1: float, n_features: int
    ) -> None:
        super().__init__(theta, curvature)
        self.diagonal, self.l1, self.n_features = curvature, l1, n_features
        self.smooth: Array  # the gradient without l1

    def tell(self, loss: float, grad: Array) -> bool:
        """Take the loss and the gradient at `trial`, both without l1."""
        loss += self.l1 * float(np.abs(self.trial[: self.n_features]).sum(dtype=np.float64))
        if self.theta is not None:
            step = self.trial - self.theta
            if not loss <= self.loss + ARMIJO * min(_dot(self.grad, step), 0.0):
                self.trials += 1
                if self.trials >= MAX_TRIALS and self.pairs:  # they lie beyond many kinks: anew
                    self.pairs = []
                    self.aim()
                    return False
                self.stuck = self.trials >= 2 * MAX_TRIALS
                self.step /= 2  # the loss has kinks along the path: no cubic
                self.trial = self._cut(self.theta + _real(self.step, step) * self.direction)
                return self.stuck
            self._remember(self.theta, self.smooth, grad)
            self.iteration += 1
        self.theta, self.loss, self.smooth = self.trial, loss, grad
        self.grad = self._subgradient()
        return True

    def aim(self) -> None:
        """As of LBFGS, but a step ends where a coefficient would change its sign."""
        super().aim()
        assert self.theta is not None
        self.side = np.where(self.theta == 0, -np.sign(self.grad), np.sign(self.theta))
        self.side[self.n_features :] = 0
        self.trial = self._cut(self.trial)

    def _subgradient(self) -> Array:
        assert self.theta is not None
        least = self.smooth.copy()
        w, grad = self.theta[: self.n_features], least[: self.n_features]
        at_zero = grad - np.clip(grad, -self.l1, self.l1)
        grad += _real(self.l1, grad) * np.sign(w)
        np.copyto(grad, at_zero, where=w == 0)
        return least

    def _cut(self, theta: Array) -> Array:
        """0 for what has changed its sign."""
        theta[theta * self.side < 0] = 0
        return theta

    def _direction(self) -> Array:
        """As of L-BFGS, in the free coefficients alone."""
        assert self.theta is not None
        free = (self.theta != 0) | (self.grad != 0)
        free[self.n_features :] = True
        at = np.flatnonzero(free)  # few in the end: it pays to gather them
        inverse = np.broadcast_to(self.diagonal.inverse, free.shape).ravel()[at]
        gradient, theta = self.grad.ravel()[at], self.theta.ravel()[at]
        pairs = []
        for step, change, _ in self.pairs:
            s, y = step.ravel()[at], change.ravel()[at]
            if (product := _dot(s, y)) > 1e-8 * (_dot(s, s) * _dot(y, y)) ** 0.5:
                pairs.append((s, y, 1 / product))
        q = two_loops(gradient, pairs, lambda v: inverse * v)
        q[(theta == 0) & (q * gradient >= 0) & (at < self.n_features * free.shape[1])] = 0
        if not _dot(q, gradient) < 0:
            self.pairs, q = [], -inverse * gradient
        direction = np.zeros_like(self.grad)
        direction.ravel()[at] = q
        return direction


def two_loops(
    grad: Array, pairs: list[tuple[Array, Array, float]], solve: Callable[[Array], Array]
) -> Array:
    """Minus the approximate inverse Hessian times the gradient.

    In place, for W may be larger than the caches: NumPy's temporaries cost more than a pass.
    """
    if not pairs:
        return solve(-grad)
    dtype = pairs[0][0].dtype
    add = get_blas_funcs("axpy", dtype=dtype)
    q, factors = np.negative(grad, dtype=dtype, casting="same_kind"), []
    for step, change, rho in reversed(pairs):
        factors.append(rho * _dot(step, q))
        add(change.ravel(), q.ravel(), a=-factors[-1])
    _, change, rho = pairs[-1]
    size = 1 / (rho * _dot(change, solve(change)))  # the curvature's, along the last step
    q = solve(q)
    q *= _real(size, q)
    for (step, change, rho), factor in zip(pairs, reversed(factors), strict=True):
        add(step.ravel(), q.ravel(), a=factor - rho * _dot(change, q))
    direction: Array = q.astype(grad.dtype, copy=False)
    return direction


def _without_mean(step: Array) -> Array:
    """The step without its mean over classes, as _curvature.py explains."""
    if step.shape[1] > 1:
        step -= step.mean(axis=1, keepdims=True)
    return step


def _difference(a: Array, b: Array) -> Array:
    out: Array = np.empty(a.shape, np.float32 if a.size >= LARGE else a.dtype)
    np.subtract(a, b, out=out, casting="same_kind")
    return out


def _dot(a: Array, b: Array) -> float:
    return float(np.vdot(a, b))


def largest(values: Array) -> float:
    """The largest |element|, without an array of them."""
    return float(max(values.max(), -values.min()))


def _real(x: float, like: Array) -> Any:
    """A number of an array's dtype, which keeps that of a product."""
    return like.dtype.type(x)


def _shorter(loss0: float, slope0: float, loss1: float, slope1: float) -> float:
    """The minimum of the cubic through the values and slopes at 0 and 1, kept within [0.1, 0.7]."""
    if not np.isfinite(loss1) or not np.isfinite(slope1):
        return 0.1
    a = slope0 + slope1 - 3 * (loss1 - loss0)
    root = float(np.sqrt(max(a * a - slope0 * slope1, 0.0)))
    if (divisor := slope1 - slope0 + 2 * root) <= 0:
        return 0.5
    return float(min(max(1 - (slope1 + root - a) / divisor, 0.1), 0.7))


@functools.cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def one_blas_thread() -> AbstractContextManager[Any]:
    """BLAS's threads wait for work in a loop of their own, 60 ms long, on the kernels' cores."""
    limiter: AbstractContextManager[Any] = _libraries().limit(limits=1, user_api="blas")
    return limiter


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
    """Minimise an objective, and l1 sum|W|, from theta on, until no |gradient| is above tol."""
    start = time.perf_counter()
    if theta.shape[1] > 1 and not l1:  # the loss does not depend on it, and steps leave it
        theta = theta - theta.mean(axis=1, keepdims=True)
    steps: LBFGS
    if l1:
        metric = _curvature.Diagonal(objective)
        steps = OrthantLBFGS(theta, metric, l1, objective.n_features)
    elif newton:
        steps = NewtonCG(theta, _curvature.of(objective), objective.hvp)
    else:
        steps = LBFGS(theta, _curvature.of(objective))
    stop = Stop(tol, max_iter)
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
                    return Solution(steps.theta, steps.iteration, "callback")
            if reason := stop.reason(steps, gradient):
                return Solution(steps.theta, steps.iteration, reason)
            steps.propose()
