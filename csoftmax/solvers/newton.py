"""Newton's method, whose steps conjugate gradients find in the metric of the curvature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from csoftmax.solvers.checkpoint import Saved
from csoftmax.solvers.curvature import Curvature
from csoftmax.solvers.lbfgs import LBFGS
from csoftmax.solvers.vectors import Array, dot, real, without_mean

MAX_PRODUCTS = 50  #: with the Hessian, for a step


class NewtonCG(LBFGS):
    """Newton's method; conjugate gradients in the metric of the curvature give its steps."""

    def __init__(
        self,
        theta: Array,
        curvature: Curvature,
        hvp: Callable[[Array, Array], Array],
    ) -> None:
        super().__init__(theta, curvature)
        self.hvp, self.n_pairs = hvp, 0
        self.first = 0.0  # squared norm of the first gradient

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return super().state() | {"first": self.first}

    def restore(self, saved: Saved) -> None:
        """Take a state."""
        super().restore(saved)
        self.first = saved.number("first", float)

    def _direction(self) -> Array:
        """Minus the inverse Hessian times the gradient, the better the smaller the gradient is."""
        assert self.theta is not None
        residual, step = -self.grad, np.zeros_like(self.grad)
        conjugate = without_mean(self.curvature.solve(residual.copy()))
        size = start = dot(residual, conjugate, self.n_threads)
        self.first = self.first or start
        wanted = start * min(0.25, (start / self.first) ** 0.5) if start > 0 else 0.0
        for _ in range(MAX_PRODUCTS):
            product = self.hvp(self.theta, conjugate)
            if not (curved := dot(conjugate, product, self.n_threads)) > 0:
                break
            step += real(size / curved, step) * conjugate
            residual -= real(size / curved, step) * product
            solved = without_mean(self.curvature.solve(residual.copy()))
            before, size = size, dot(residual, solved, self.n_threads)
            if size <= wanted:
                break
            conjugate = solved + real(size / before, step) * conjugate
        return step if step.any() else without_mean(self.curvature.solve(-self.grad))
