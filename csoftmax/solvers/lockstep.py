"""Models of one set of data, each with its own rows and penalties, in lockstep.

In each round all that have not ended share one pass over X, which costs less than as many passes:
a block of X is read once for all, and its products have more columns. Models whose Hessians differ
only by the rows that they leave out share the sampled curvature, too.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from csoftmax.solvers.blas import one_blas_thread
from csoftmax.solvers.checkpoint import Keeper, Saved
from csoftmax.solvers.curvature import PAIRS, Curvature, Diagonal, curvature_of, pairs_of
from csoftmax.solvers.lbfgs import LBFGS
from csoftmax.solvers.loop import Solution, Stop
from csoftmax.solvers.objective import Array, Objective
from csoftmax.solvers.orthant import OrthantLBFGS
from csoftmax.solvers.passes import stack_loss_grad
from csoftmax.solvers.vectors import largest

#: columns of the models of a pass, at most: that bounds its memory
COLUMNS = 512

Found = tuple[float, Array]  # a loss and its gradient, without penalties


class Stack:
    """The losses of models with their own rows, without penalties.

    Parameters
    ----------
    objective : Objective
        The data with all rows. Its l2 does not count.
    masks : (n_masks, N) bool array
        Rows that count. Model k has the mask k, modulo their number.
    """

    def __init__(self, objective: Objective, masks: Array) -> None:
        self.objective, self.masks = objective, masks
        weight = objective.sample_weight
        self.weight = np.array(
            [mask.sum() if weight is None else weight[mask].sum(dtype=np.float64) for mask in masks]
        )

    def loss_grad(self, models: Sequence[int], thetas: Sequence[Array]) -> list[Found]:
        """The loss and the gradient of some models."""
        together = self._by_rows if self.objective.is_sparse else self._in_one_pass
        width = max(1, COLUMNS // self.objective.n_classes)
        found = []
        for at in range(0, len(models), width):
            masks = np.asarray(models[at : at + width]) % len(self.masks)
            found += together(masks, thetas[at : at + width])
        return found

    def _in_one_pass(self, mask_of: Array, thetas: Sequence[Array]) -> list[Found]:
        objective = self.objective
        W, bias = zip(*(objective.model(theta) for theta in thetas), strict=True)
        losses, *grads = stack_loss_grad(
            np.concatenate(W, axis=1),
            objective.X,
            objective.y,
            len(thetas),
            bias=np.concatenate(bias) if objective.fit_intercept else None,
            sample_weight=objective.sample_weight,
            mask=self.masks,
            mask_of_model=mask_of,
            normalizer=self.weight[mask_of],
            label_smoothing=objective.label_smoothing,
            **objective.view,
        )
        objective.passes += 1
        grad = np.vstack([part for part in grads if part is not None])
        grad = grad.reshape(len(grad), len(thetas), -1)[:, :, objective.one_row :]
        return [(float(loss), grad[:, k].copy()) for k, loss in enumerate(losses)]

    def _by_rows(self, mask_of: Array, thetas: Sequence[Array]) -> list[Found]:
        """One after the other, the masks as weights: CSR has no pass for many models."""
        objective, found = copy.copy(self.objective), []
        objective.l2 = 0.0
        for mask, theta in zip(self.masks[mask_of], thetas, strict=True):
            weight = self.objective.sample_weight
            objective.sample_weight = (
                mask.astype(objective.dtype) if weight is None else weight * mask
            )
            found.append(objective.loss_grad(theta))
        self.objective.passes = objective.passes
        return found


class Model:
    """One of the models: its solver, told of the penalties, and where it stands."""

    def __init__(self, theta: Array, metric: Curvature, l2: float, l1: float, stop: Stop) -> None:
        self.l2, self.stop, self.stop_reason = l2, stop, ""
        self.found: Found  # at the last iterate
        self.objective = objective = metric.objective
        if isinstance(metric, Diagonal) and l1:
            strength = objective.strength(l1, 1)
            self.steps: LBFGS = OrthantLBFGS(theta, metric, strength, objective.n_features)
        else:
            self.steps = LBFGS(theta, metric)
        # Exact, too, is not of its rows alone.
        self.steps.n_pairs = pairs_of(metric.objective, PAIRS)

    def tell(self, found: Found) -> bool:
        """Take what was found at `steps.trial`; True where it goes on in a new direction."""
        steps, (loss, grad) = self.steps, found
        penalty, of_w = self.objective.ridge(steps.trial, self.l2)
        grad = grad.copy()
        grad[: len(of_w)] += of_w
        if not steps.tell(loss + penalty, grad):
            return False
        if not steps.stuck:
            self.found = found
        self.stop_reason = self.stop.reason(steps, largest(steps.grad))
        return not self.stop_reason

    @property
    def solution(self) -> Solution:
        """Where it has ended."""
        return self.stop.solution(self.steps, self.stop_reason)


def _as_dicts(found: Sequence[Found]) -> list[dict[str, Any]]:
    return [{"loss": loss, "grad": grad} for loss, grad in found]


def _aim(model: Model) -> None:
    with one_blas_thread():
        model.steps.aim()


class Group:
    """Models with the same penalties, one for each mask, that share the curvature of all rows."""

    def __init__(self, metric: Curvature, models: Sequence[Model]) -> None:
        self.metric, self.models, self.renewed = metric, models, -1

    def renew(self) -> None:
        """Sample the curvature where the first of the models is that have come farthest."""
        live = [model.steps for model in self.models if not model.stop_reason]
        lead = max(live, key=lambda steps: steps.iteration, default=None)
        if lead is not None and lead.iteration > self.renewed:
            assert lead.theta is not None
            self.metric.update(lead.theta, lead.iteration)
            self.renewed = lead.iteration


class Lockstep:
    """All models of some data: penalty after penalty, each from where they have come.

    Parameters
    ----------
    objective : Objective
        The data with all rows. Its l2 does not count.
    masks : (n_masks, N) bool array
        Rows that count for one model of each group.
    n_groups : int
    tol, max_iter
        As for `solvers.minimise`.
    on_pass : callable, optional
        Called with a line for each pass.

    Attributes
    ----------
    thetas : list of Array
        The models of the groups, one after the other: zeros at first.
    found : list of (float, Array)
        Their losses and gradients.
    """

    def __init__(
        self,
        objective: Objective,
        masks: Array,
        n_groups: int,
        *,
        tol: float = 1e-4,
        max_iter: int = 1000,
        on_pass: Callable[[str], None] | None = None,
    ) -> None:
        self.start, self.on_pass = time.perf_counter(), on_pass
        self.tol, self.max_iter = tol, max_iter
        self.stack, self.n_masks = Stack(objective, masks), len(masks)
        zero = np.zeros(objective.shape, objective.dtype)
        # all groups are alike at 0, where there is no penalty
        self.found = self.stack.loss_grad(range(self.n_masks), [zero] * self.n_masks) * n_groups
        self.thetas = [zero] * len(self.found)

    def minimise(self, l2: Array, l1: Array) -> list[Solution]:
        """Take these penalties (n_groups, n_masks) beside the mean losses; weaker ones come later.

        From solution to solution it is not far: 10 penalties and 5 masks (20000 rows of MNIST, to
        1e-4) take 3 s so, and 10 s all at once from 0: weak penalties take 60 steps from there.
        """
        groups = [
            self._group(self.thetas[at : at + self.n_masks], *each)
            for at, *each in zip(range(0, len(self.thetas), self.n_masks), l2, l1, strict=True)
        ]
        models = [model for group in groups for model in group.models]
        live, found = list(range(len(models))), self.found
        with one_blas_thread(), ThreadPoolExecutor(self.stack.objective.threads) as pool:
            while True:
                turning = [
                    models[k] for k, each in zip(live, found, strict=True) if models[k].tell(each)
                ]
                for group in groups:
                    group.renew()
                list(pool.map(_aim, turning))
                live = [k for k in live if not models[k].stop_reason]
                if not live:
                    break
                found = self.stack.loss_grad(live, [models[k].steps.trial for k in live])
                if self.on_pass:
                    self.on_pass(self._line(len(live)))
        self.found = [model.found for model in models]
        self.thetas = [model.solution.theta for model in models]
        return [model.solution for model in models]

    def path(
        self,
        l2: Array,
        l1: Array,
        order: Sequence[int],
        keeper: Keeper | None = None,
        around: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> dict[int, list[Solution]]:
        """The solutions of `minimise(l2[c], l1[c])` for each c in this order, from zeros on.

        With a keeper there is a checkpoint after one or more of them, from which it goes on.
        Each is found within a context of `around`; those of a checkpoint, too, in no time.
        """
        first = self.found[: self.n_masks]
        solutions: list[list[Solution]] = []
        if keeper and (saved := keeper.saved()):
            solutions = self._restore(saved, first)
            saved.forget()
        for _ in solutions:
            with around():
                pass
        for c in order[len(solutions) :]:
            with around():
                solutions.append(self.minimise(l2[c], l1[c]))
            done = len(solutions)
            if keeper and keeper.due(done, last=done == len(order)):
                all_of = [[solution._asdict() for solution in each] for each in solutions]
                found = {"first": _as_dicts(first), "found": _as_dicts(self.found)}
                keeper.write(done, {"solutions": all_of, **found})
        return dict(zip(order, solutions, strict=True))

    def _restore(self, saved: Saved, first: Sequence[Found]) -> list[list[Solution]]:
        """Take the state of a checkpoint, if it is of these data; return the solutions in it."""
        kind = (self.thetas[0].shape, self.thetas[0].dtype)
        n_models, n_done = len(self.thetas), saved.number("iteration", int)

        def found(name: str, n: int) -> list[Found]:
            parts = saved.parts(name, n)
            return [(each.number("loss", float), each.array("grad", kind)) for each in parts]

        for here, there in zip(first, found("first", len(first)), strict=True):
            if here[0] != there[0] or not np.array_equal(here[1], there[1]):
                raise saved.other_data()
        self.found = found("found", n_models)
        models = [saved.parts(f"solutions.{c}", n_models) for c in range(n_done)]
        solutions = [
            [
                Solution(
                    each.array("theta", kind),
                    each.number("n_iter", int),
                    each.number("stop_reason", str),
                    each.number("far", bool),
                )
                for each in of_c
            ]
            for of_c in models
        ]
        self.thetas = [solution.theta for solution in solutions[-1]]
        return solutions

    def _group(self, thetas: Sequence[Array], l2: Array, l1: Array) -> Group:
        objective = copy.copy(self.stack.objective)
        objective.l2 = float(l2.mean())
        metric = Diagonal(objective) if l1.any() else curvature_of(objective)
        models = [
            Model(
                theta, metric, float(each2), float(each1), Stop(objective, self.tol, self.max_iter)
            )
            for theta, each2, each1 in zip(thetas, l2, l1, strict=True)
        ]
        return Group(metric, models)

    def _line(self, live: int) -> str:
        passes, seconds = self.stack.objective.passes, time.perf_counter() - self.start
        return f"{live:5d} of {len(self.thetas)} models  passes {passes:g}  {seconds:.3f} s"
