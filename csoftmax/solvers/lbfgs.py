"""Limited-memory BFGS in the metric of a sampled curvature.

Solvers ask and are told: `trial` is where the loss is wanted next, `tell` gets it. So one loop
minimises one model (loop.py), and another many that share each pass over X (lockstep.py).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from csoftmax.solvers.blas import get_blas_funcs
from csoftmax.solvers.curvature import Curvature
from csoftmax.solvers.vectors import Array, as_kept, difference, dot, real, without_mean

ARMIJO = 1e-4
MAX_TRIALS = 12  #: of a line search


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
        self.pairs: list[tuple[Array, Array, float]] = []

    def tell(self, loss: float, grad: Array) -> bool:
        """Take the loss and the gradient at `trial`; True where that is the next iterate."""
        if self.theta is None:
            self.theta, self.loss, self.grad = self.trial, loss, grad
            return True
        slope = dot(grad, self.direction)
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
        self.trial = self.theta + real(self.step, grad) * self.direction
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
        self.slope = dot(self.grad, self.direction)
        self.step, self.trials = 1.0, 0
        self.trial = self.theta + self.direction

    def go_on_in(self, dtype: npt.DTypeLike) -> None:
        """Have the last iterate evaluated again, in another dtype, with all that was learnt."""
        theta = self.trial if self.theta is None else self.theta
        self.trial, self.theta, self.stuck = theta.astype(dtype), None, False
        self.pairs = [(as_kept(s, dtype), as_kept(y, dtype), rho) for s, y, rho in self.pairs]

    def _direction(self) -> Array:
        return without_mean(two_loops(self.grad, self.pairs, self.curvature.solve))

    def _remember(self, theta: Array, before: Array, after: Array) -> None:
        """Keep the step from theta to `trial`, and the gradient's change, if it grows along it."""
        if not self.n_pairs:
            return
        step, change = difference(self.trial, theta), difference(after, before)
        if (product := dot(step, change)) > 0:
            self.pairs.append((step, change, 1 / product))
            del self.pairs[: len(self.pairs) - self.n_pairs]


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
        factors.append(rho * dot(step, q))
        add(change.ravel(), q.ravel(), a=-factors[-1])
    _, change, rho = pairs[-1]
    size = 1 / (rho * dot(change, solve(change)))  # the curvature's, along the last step
    q = solve(q)
    q *= real(size, q)
    for (step, change, rho), factor in zip(pairs, reversed(factors), strict=True):
        add(step.ravel(), q.ravel(), a=factor - rho * dot(change, q))
    direction: Array = q.astype(grad.dtype, copy=False)
    return direction


def _shorter(loss0: float, slope0: float, loss1: float, slope1: float) -> float:
    """The minimum of the cubic through the values and slopes at 0 and 1, kept within [0.1, 0.7]."""
    if not np.isfinite(loss1) or not np.isfinite(slope1):
        return 0.1
    a = slope0 + slope1 - 3 * (loss1 - loss0)
    root = float(np.sqrt(max(a * a - slope0 * slope1, 0.0)))
    if (divisor := slope1 - slope0 + 2 * root) <= 0:
        return 0.5
    return float(min(max(1 - (slope1 + root - a) / divisor, 0.1), 0.7))
