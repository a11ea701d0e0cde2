"""Limited-memory BFGS in the metric of a sampled curvature.

Solvers ask and are told: `trial` is where the loss is wanted next, `tell` gets it. So one loop
minimises one model (loop.py), and another many that share each pass over X (lockstep.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax.solvers.checkpoint import Saved
from csoftmax.solvers.curvature import Curvature
from csoftmax.solvers.vectors import (
    Array,
    as_kept,
    dot,
    kept_dtype,
    products,
    weighted_sum,
    without_mean,
)

ARMIJO = 1e-4
MAX_TRIALS = 12  #: of a line search


class Pairs:
    """Some steps, and what each of them changed in the gradient.

    Attributes
    ----------
    products : (n, n) array
        [i, j] is steps[i] changes[j], of which j >= i counts.
    along : (n,) array
        The steps times the last gradient.
    """

    def __init__(self, steps: list[Array], changes: list[Array], n_threads: int | None) -> None:
        self.steps, self.changes, self.n_threads = steps, changes, n_threads
        self.products = products(steps, changes, n_threads) if steps else np.empty((0, 0))
        self.along = np.empty(0)

    def look(self, grad: Array) -> None:
        """Take note of a gradient."""
        if self.steps:
            grad = grad.astype(self.steps[0].dtype, copy=False)
            self.along = products(self.steps, [grad], self.n_threads)[:, 0]

    def make_room(self, most: int) -> None:
        """Let go of the oldest, if there are `most`: the next one's place is memory till then."""
        old = max(0, len(self.steps) + 1 - most)
        self.steps, self.changes = self.steps[old:], self.changes[old:]
        self.products, self.along = self.products[old:, old:], self.along[old:]

    def add(self, step: Array, change: Array, grad: Array) -> None:
        """Take a step along which the gradient, which is now `grad`, grows.

        How much the gradient has changed along older steps is known without reading the change.
        """
        before = self.along
        curved = dot(step, change, self.n_threads)
        if not curved > 0:
            self.look(grad)
            return
        self.steps = [*self.steps, step]
        self.changes = [*self.changes, change]
        self.look(grad)
        column = [*(self.along[:-1] - before), curved]
        grown = np.zeros((len(column), len(column)))
        grown[:-1, :-1], grown[:, -1] = self.products, column
        self.products = grown

    def convert(self, dtype: npt.DTypeLike) -> None:
        """Have them as of parameters in another dtype."""
        self.steps = [as_kept(step, dtype) for step in self.steps]
        self.changes = [as_kept(change, dtype) for change in self.changes]

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        names = ("steps", "changes", "products", "along")
        return {name: getattr(self, name) for name in names}

    def restore(self, saved: Saved, theta: Array) -> None:
        """Take a state, of parameters like theta."""
        kind = (theta.shape, kept_dtype(theta.size, theta.dtype))
        self.steps, self.changes = saved.arrays("steps", kind), saved.arrays("changes", kind)
        n = len(self.changes)
        self.products = saved.array("products", ((n, n), np.float64))
        self.along = saved.array("along", ((len(self.steps),), np.float64))


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

    def __init__(self, theta: Array, curvature: Curvature) -> None:
        self.trial, self.curvature = theta, curvature
        self.n_pairs = curvature.pairs
        self.theta: Array | None = None
        self.iteration, self.stuck = 0, False
        self.n_threads = curvature.objective.n_threads
        self.pairs = Pairs([], [], self.n_threads)

    def tell(self, loss: float, grad: Array) -> bool:
        """Take the loss and the gradient at `trial`; True where that is the next iterate."""
        if self.theta is None:
            self.theta, self.loss, self.grad = self.trial, loss, grad
            self.pairs.look(grad)
            return True
        slope = dot(grad, self.direction, self.n_threads)
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
        self.trial = self._at(self.step)
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
        self.pairs.make_room(self.n_pairs)
        self.slope = dot(self.grad, self.direction, self.n_threads)
        self.step, self.trials = 1.0, 0
        self.trial = self._at(self.step)

    def go_on_in(self, dtype: npt.DTypeLike) -> None:
        """Have the last iterate evaluated again, in another dtype, with all that was learnt."""
        theta = self.trial if self.theta is None else self.theta
        self.trial, self.theta, self.stuck = theta.astype(dtype), None, False
        self.pairs.convert(dtype)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps, after `tell` was True."""
        names = ("theta", "loss", "grad", "iteration", "stuck")
        parts = {"pairs": self.pairs.state(), "curvature": self.curvature.state()}
        return {name: getattr(self, name) for name in names} | parts

    def restore(self, saved: Saved) -> None:
        """Take a state; `propose` is next."""
        shape = self.trial.shape
        kinds = (shape, self.curvature.objective.dtype), (shape, np.float32)
        self.theta = self.trial = theta = saved.array("theta", *kinds)
        self.loss, self.grad = (
            saved.number("loss", float),
            saved.array("grad", (shape, theta.dtype)),
        )
        self.iteration, self.stuck = saved.number("iteration", int), saved.number("stuck", bool)
        self.pairs.restore(saved.part("pairs"), theta)
        self.curvature.restore(saved.part("curvature"))

    def is_at(self, loss: float, grad: Array) -> bool:
        """Whether `tell` was told these of the last iterate, to the last bit."""
        return loss == self.loss and np.array_equal(grad, self.grad)

    def _at(self, step: float) -> Array:
        assert self.theta is not None
        return weighted_sum([self.theta, self.direction], [1, step], self.n_threads)

    def _direction(self) -> Array:
        return without_mean(two_loops(self.grad, self.pairs, self.curvature.solve))

    def _remember(self, theta: Array, before: Array, after: Array) -> None:
        """Keep the step from theta to `trial`, and the gradient's change, if it grows along it.

        They take the places of the direction and of the gradient before, which are done with.
        """
        if self.n_pairs:
            step = weighted_sum([self.trial, theta], [1, -1], self.n_threads, out=self.direction)
            change = weighted_sum([before, after], [-1, 1], self.n_threads, out=before)
            step, change = as_kept(step, theta.dtype), as_kept(change, theta.dtype)
            self.pairs.add(step, change, after)


def two_loops(grad: Array, pairs: Pairs, solve: Callable[[Array], Array]) -> Array:
    """Minus the approximate inverse Hessian times the gradient, the last that the pairs look at.

    `solve` may overwrite what it is given. Its metric is scaled to the curvature along the last
    step. The two loops need products of vectors alone, of which most are known: each of the changes
    is read twice, and each of the steps once more.

    References
    ----------
    J. Nocedal, S. Wright, "Numerical Optimization", 2nd edition, 2006, algorithm 7.4.
    """
    if not pairs.steps:
        return solve(-grad)
    steps, changes, of_both = pairs.steps, pairs.changes, pairs.products
    n_threads, rho = pairs.n_threads, 1 / pairs.products.diagonal()
    size = 1 / (rho[-1] * dot(changes[-1], solve(changes[-1].copy()), n_threads))
    factors = -pairs.along
    for i in reversed(range(len(steps))):
        factors[i] = rho[i] * (factors[i] - of_both[i, i + 1 :] @ factors[i + 1 :])
    grad_kept = grad.astype(steps[0].dtype, copy=False)
    q = solve(weighted_sum([grad_kept, *changes], [-1, *-factors], n_threads))
    back = size * products(changes, [q], n_threads)[:, 0]
    for i in range(len(steps)):
        factors[i] -= rho[i] * (back[i] + of_both[:i, i] @ factors[:i])
    direction = weighted_sum([q, *steps], [size, *factors], n_threads, out=q)
    return direction.astype(grad.dtype, copy=False)


def _shorter(loss0: float, slope0: float, loss1: float, slope1: float) -> float:
    """The minimum of the cubic through the values and slopes at 0 and 1, kept within [0.1, 0.7]."""
    if not np.isfinite(loss1) or not np.isfinite(slope1):
        return 0.1
    a = slope0 + slope1 - 3 * (loss1 - loss0)
    root = float(np.sqrt(max(a * a - slope0 * slope1, 0.0)))
    if (divisor := slope1 - slope0 + 2 * root) <= 0:
        return 0.5
    return float(min(max(1 - (slope1 + root - a) / divisor, 0.1), 0.7))
