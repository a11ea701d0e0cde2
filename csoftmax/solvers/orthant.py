"""L-BFGS for a loss and an l1 penalty, which has kinks where coefficients are 0."""

from __future__ import annotations

from typing import Any

import numpy as np

from csoftmax.solvers.checkpoint import Saved
from csoftmax.solvers.curvature import Diagonal, pairs_of
from csoftmax.solvers.lbfgs import ARMIJO, LBFGS, MAX_TRIALS, Pairs, two_loops
from csoftmax.solvers.vectors import Array, dot, products, real

PAIRS, SPARSE_PAIRS = 20, 10  #: where kinks end steps, few do not pay


class OrthantLBFGS(LBFGS):
    """L-BFGS for a loss and sum(l1 |W|), in a diagonal metric; l1 is a number, or one a feature.

    The loss is smooth as long as no coefficient changes its sign. So a step ends where it would: at
    0. In the place of the gradient stands the smallest subgradient; coefficients that are 0, and 0
    in it, are left out of the step, and of the pairs (s, y). Those that are not 0 may step against
    the subgradient's sign: forbidding that, as OWL-QN does, takes twice the passes.

    References
    ----------
    G. Andrew, J. Gao, "Scalable training of L1-regularized log-linear models", ICML 2007.
    """

    def __init__(
        self, theta: Array, curvature: Diagonal, l1: float | Array, n_features: int
    ) -> None:
        super().__init__(theta, curvature)
        objective = curvature.objective
        self.n_pairs = pairs_of(objective, SPARSE_PAIRS if objective.is_sparse else PAIRS)
        self.diagonal, self.l1, self.n_features = curvature, l1, n_features
        self.smooth: Array  # the gradient without l1

    def tell(self, loss: float, grad: Array) -> bool:
        """Take the loss and the gradient at `trial`, both without l1."""
        loss = self._penalised(loss)
        if self.theta is not None:
            step = self.trial - self.theta
            if not loss <= self.loss + ARMIJO * min(dot(self.grad, step, self.n_threads), 0.0):
                self.trials += 1
                if self.trials >= MAX_TRIALS and self.pairs.steps:
                    # they lie beyond many kinks: anew
                    self.pairs = Pairs([], [], self.n_threads)
                    self.aim()
                    return False
                self.stuck = self.trials >= 2 * MAX_TRIALS
                self.step /= 2  # the loss has kinks along the path: no cubic
                self.trial = self._cut(self._at(self.step))
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

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return super().state() | {"smooth": self.smooth}

    def restore(self, saved: Saved) -> None:
        """Take a state."""
        super().restore(saved)
        self.smooth = saved.array("smooth", (self.grad.shape, self.grad.dtype))

    def is_at(self, loss: float, grad: Array) -> bool:
        """As of LBFGS."""
        return self._penalised(loss) == self.loss and np.array_equal(grad, self.smooth)

    def _penalised(self, loss: float) -> float:
        """The loss at `trial`, with l1."""
        sizes = np.abs(self.trial[: self.n_features]).sum(axis=1, dtype=np.float64, keepdims=True)
        return loss + float(np.sum(self.l1 * sizes))

    def _subgradient(self) -> Array:
        assert self.theta is not None
        least = self.smooth.copy()
        w, grad = self.theta[: self.n_features], least[: self.n_features]
        l1 = real(self.l1, grad)
        at_zero = grad - np.clip(grad, -l1, l1)
        grad += l1 * np.sign(w)
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
        steps, changes = [], []
        for step, change in zip(self.pairs.steps, self.pairs.changes, strict=True):
            s, y = step.ravel()[at], change.ravel()[at]
            (sy, ss), (yy, _) = products([s, y], [y, s], self.n_threads)
            if sy > 1e-8 * (ss * yy) ** 0.5:
                steps.append(s)
                changes.append(y)
        pairs = Pairs(steps, changes, self.n_threads)
        pairs.look(gradient)
        q = two_loops(gradient, pairs, lambda v: inverse * v)
        q[(theta == 0) & (q * gradient >= 0) & (at < self.n_features * free.shape[1])] = 0
        if not dot(q, gradient, self.n_threads) < 0:
            self.pairs, q = Pairs([], [], self.n_threads), -inverse * gradient
        direction = np.zeros_like(self.grad)
        direction.ravel()[at] = q
        return direction
