"""The curvature of a softmax model's loss, from a sample of rows: it makes the solvers' passes few.

The Hessian of the mean loss is a mean over rows of (diag(p) - p p') (x) x x', with the row's
probabilities p and its features x, 1 for the intercept among them. Of its diagonal blocks,

    P_c = mean_i p_ic (1 - p_ic) x_i x_i' + l2 I        for each class c,

the mean is taken over rows drawn with chances in proportion to p (1 - p): a model that is sure of
most rows has its curvature from few. Before p is known, one block serves all classes, Boehning's
bound 1/2 mean_i x_i x_i' + l2 I.

The loss stays as it is when the same vector is added to the coefficients of all classes. Blocks do
not know that. But gradients have mean 0 over classes, and so must steps: solvers.py sees to it. On
MNIST (C = 1, to 1e-6 of the minimum) that takes 34 passes, without it 160, and one block for all
classes, which needs no such care, 191.

References
----------
D. Boehning, "Multinomial logistic regression algorithm", Ann. Inst. Stat. Math. 44, 1992.
"""

from __future__ import annotations

import functools
import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np

from csoftmax.solvers import blas
from csoftmax.solvers.checkpoint import Saved
from csoftmax.solvers.objective import Array, Objective
from csoftmax.solvers.vectors import LARGE

#: Parts of the diagonal that are added to it, for what the sample does not show: of each element,
#: and of the median (MNIST has pixels that are black in nearly all images).
RIDGE, FLOOR = 3e-3, 1e-2
#: of the median, where the sample has fewer rows than features (CIFAR-10, C = 0.01: 11 passes to
#: 1e-4 of the minimum, with FLOOR 15)
FLOOR_WIDE = 0.3
RIDGE_EXACT = 1e-6  #: of the diagonal; less lets rounding grow where rows are separable
CANDIDATES = 32768  #: rows whose probabilities are computed, to draw from
MIN_ROWS = 1500
BLOCK_BYTES = 64 << 20  #: of all blocks together
#: iterations after which blocks are sampled anew, and with how many rows for each feature: on
#: MNIST the two first cost 0.1 and 0.2 s, as much as 8 and 15 passes
REFRESH = {5: 2, 20: 3, 50: 4, 100: 4}
EXACT = 1e7  #: multiplications, up to which the whole Hessian is computed in each iteration
NARROW = 512  #: features, up to which sparse X has blocks, too
WIDE = 2048  #: features; where there are more, products of WIDE_ROWS rows are inverted, not D x D
WIDE_ROWS = 1500
#: of the diagonal: probabilities that are computed for it, and its elements at a time, in float64
SAMPLED, COLUMNS = 1 << 24, 1 << 21
#: Pairs; and of the diagonal metric, where vectors cost as much as a pass. (20 Newsgroups, 10, 3
#: and 1 pairs: 27, 26 and 36 passes to 1e-4, .55, .46 and .72 s; 68, 78, 78 to 1e-6, 1.5 to 1.2.)
PAIRS, FEW_PAIRS = 10, 3
#: Parameters from which there are fewer, since each has the memory of two models. (Three problems,
#: 20000 x 256 x 1000, to 1e-4: 39, 40 and > 70 passes of 10, 2 and 1; 14, 15, 15; 47, 45, 41.)
HUGE = ((1 << 26, 1), (1 << 22, 2))


class Curvature(Protocol):
    """An approximation P of the Hessian.

    Attributes
    ----------
    objective : Objective
        Of which it is.
    pairs : int
        Number of steps with which L-BFGS is to mend it.
    """

    objective: Objective
    pairs: int

    def update(self, theta: Array, iteration: int) -> None:
        """Take note of an iterate, the first of which has number 0."""

    def solve(self, grad: Array) -> Array:
        """P^-1 grad, which may overwrite grad."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""

    def restore(self, saved: Saved) -> None:
        """Take a state."""


def pairs_of(objective: Objective, most: int) -> int:
    """With how many pairs L-BFGS is to mend a curvature: `most`, but where the model is huge."""
    size = math.prod(objective.shape)
    return next((n for least, n in HUGE if size >= least), most)


class _MadeAnew:
    """A curvature that `update` makes from X and theta alone: a checkpoint keeps nothing of it."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {}

    def restore(self, saved: Saved) -> None:
        """Take a state."""


def curvature_of(objective: Objective) -> Curvature:
    """The approximation that suits an objective."""
    D, K = objective.shape
    everything = objective.at_hand.n_rows == objective.n_rows
    if everything and objective.n_rows * (D * max(2, K)) ** 2 <= EXACT:
        return Exact(objective)
    if objective.is_sparse and D > NARROW:
        return Diagonal(objective)
    return Wide(objective) if D > WIDE else Blocks(objective)


def _draw_rows(objective: Objective, n: int, random: np.random.Generator) -> tuple[Array, Array]:
    """About n rows of those at hand, in order, all alike, and their sample weights."""
    N = objective.at_hand.n_rows
    rows = np.arange(N) if n >= N else np.sort(random.choice(N, n, replace=False, shuffle=False))
    return rows, objective.at_hand.weights(rows)


def _draw_by_weight(weight: Array, n: int, random: np.random.Generator) -> tuple[Array, Array]:
    """Positions of about n elements, with chances in proportion to `weight`, and their chances."""
    total = weight.sum(dtype=np.float64)
    if n >= len(weight) or not total > 0:
        return np.arange(len(weight)), np.ones(len(weight), np.float32)
    factor = n / total
    for _ in range(4):  # those that are certain to be drawn leave the others more
        factor *= n / np.minimum(1, factor * weight).sum(dtype=np.float64)
    chance = np.minimum(1, factor * weight)
    drawn = np.flatnonzero(random.random(len(weight), np.float32) < chance)
    return drawn, chance[drawn]


def _scale_rows(rows: Array, weight: Array) -> Array:
    rows *= np.sqrt(weight, dtype=np.float32)[:, None]
    return rows


def _bound(objective: Objective) -> float:
    """Of Boehning's bound, the factor of mean_i x_i x_i'."""
    return 0.25 if objective.one_row else 0.5


def _ridge(objective: Objective, diagonal: Array, n: int, floor: float = FLOOR) -> Array:
    """What is added to a diagonal: the penalty, and something for rows that were not drawn."""
    typical = float(np.median(diagonal)) or float(diagonal.mean()) or 1.0
    unseen = max(0.0, 1 - n / objective.n_rows)
    ridge = np.asarray(RIDGE * diagonal + (floor * unseen + 1e-7) * typical, np.float64)
    ridge[: objective.n_features] += np.ravel(objective.strength(objective.l2, 2))
    return ridge


class Exact(_MadeAnew):
    """The Hessian itself, where data are so few that it costs less than the calls around it."""

    pairs = 0

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.squares: Array = np.empty((0, 0))

    def _set_up(self) -> None:
        objective, (D, K) = self.objective, self.objective.shape
        self.rows = np.arange(objective.n_rows)
        x = objective.at_hand.features(self.rows, np.float64)
        x *= np.sqrt(objective.at_hand.weights(self.rows) / objective.n_rows)[:, None]
        size = np.sqrt(np.square(x).sum(axis=0))
        unit = 1 / np.where(size > 0, size, 1)  # features of any scale
        x *= unit
        self.squares = (x[:, :, None] * x[:, None, :]).reshape(-1, D * D)
        self.unit = np.tile(unit, K)
        penalty = np.square(unit)
        penalty[: objective.n_features] *= np.ravel(objective.strength(objective.l2, 2))
        penalty[objective.n_features :] = 0
        self.penalty = np.tile(penalty, K) + 1e-300

    def update(self, theta: Array, iteration: int) -> None:
        """The Hessian at theta."""
        if not len(self.squares):
            self._set_up()
        D, K = self.objective.shape
        p = self.objective.at_hand.proba(theta, self.rows)
        # Between classes diag(p) - p p', and in the direction without curvature, which gradients
        # do not have, that of 1 / K.
        between = (1.0 / K**2 if K > 1 else 0.0) - p[:, :, None] * p[:, None, :]
        between = between.reshape(-1, K * K)
        between[:, :: K + 1] += p
        hessian: Array = blas.product(between.T, self.squares).reshape(K, K, D, D)
        hessian = hessian.transpose(0, 2, 1, 3).reshape(K * D, K * D)
        diagonal = hessian.ravel()[:: K * D + 1]
        diagonal *= 1 + RIDGE_EXACT
        diagonal += self.penalty
        self.factor = blas.dpotrf(hessian.T, overwrite_a=1, clean=0)[0]

    def solve(self, grad: Array) -> Array:
        """P^-1 grad."""
        step = blas.dpotrs(self.factor, self.unit * grad.T.ravel())[0]
        step *= self.unit
        return np.ascontiguousarray(step.reshape(grad.T.shape).T, grad.dtype)


class Blocks:
    """D x D blocks: one for all classes, or one for each where that is worth it."""

    def __init__(self, objective: Objective) -> None:
        self.objective, self.random = objective, np.random.default_rng(0)  # same bits in each run
        self.pairs = pairs_of(objective, PAIRS)
        D, K = objective.shape
        # D**2 <= 48 N: the blocks cost as much as about 20 passes, then, or less
        self.per_class = 4 * K * D * D <= BLOCK_BYTES and 48 * objective.n_rows >= D * D
        self.since = 0
        self.inverse = np.empty((0, D, D), np.float32)

    def update(self, theta: Array, iteration: int) -> None:
        """Boehning's bound at 0, then now and again the blocks at theta."""
        if iteration == 0:
            self.since = min(REFRESH) if theta.any() else 0  # a warm start is past the bound
        iteration += self.since
        if iteration == 0:
            n = max(MIN_ROWS, 3 * self.objective.shape[0])
            rows, weight = _draw_rows(self.objective, n, self.random)
            self._sample([(rows, weight * (_bound(self.objective) / len(rows)))], n)
        elif iteration in REFRESH:
            n = max(MIN_ROWS, REFRESH[iteration] * self.objective.shape[0])
            self._sample(self._draw(theta, n), n)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        random = self.random.bit_generator.state
        return {"since": self.since, "inverse": self.inverse, "random": random}

    def restore(self, saved: Saved) -> None:
        """Take a state."""
        D, K = self.objective.shape
        saved.set_random("random", self.random)
        self.since = saved.number("since", int)
        self.inverse = saved.array("inverse", ((1, D, D), np.float32), ((K, D, D), np.float32))

    def _draw(self, theta: Array, n: int) -> list[tuple[Array, Array]]:
        """For each block about n rows, and their weights in the curvature at theta."""
        rows, weight = _draw_rows(self.objective, CANDIDATES, self.random)
        step = len(rows) if self.per_class else max(1, COLUMNS // self.objective.shape[1])
        parts = []
        for first in range(0, len(rows), step):
            some = slice(first, first + step)
            proba = self.objective.at_hand.proba(theta, rows[some])
            part = proba * (1 - proba) * weight[some, None]
            parts.append(part if self.per_class else part.mean(axis=1, keepdims=True))
        curvature = np.concatenate(parts)
        drawn = []
        for w in curvature.T:
            at, chance = _draw_by_weight(w, n, self.random)
            drawn.append((rows[at], w[at] / (chance * np.float32(len(rows)))))
        return drawn

    def _sample(self, drawn: list[tuple[Array, Array]], n: int) -> None:
        """Invert a block of each list of rows and weights, over what there was."""
        D = self.objective.shape[0]
        if len(drawn) != len(self.inverse):
            self.inverse = np.empty((len(drawn), D, D), np.float32)

        def invert(k: int) -> None:
            with blas.one_blas_thread():
                self._invert(self.inverse[k], *drawn[k], n)

        with ThreadPoolExecutor(self.objective.threads) as pool:
            list(pool.map(invert, range(len(drawn))))

    def _invert(self, block: Array, rows: Array, weight: Array, n: int) -> None:
        block[...] = 0
        for at in range(0, len(rows), MIN_ROWS):
            some = slice(at, at + MIN_ROWS)
            A = _scale_rows(self.objective.at_hand.features(rows[some]), weight[some])
            block += blas.gram(A)  # not SciPy's ssyrk: that lets no other thread work
        diagonal = block.diagonal().astype(np.float64)
        diagonal += _ridge(self.objective, diagonal, n)
        block.flat[:: len(block) + 1] = diagonal
        unit = (1 / np.sqrt(diagonal)).astype(np.float32)  # features of any scale fit float32
        block *= unit[:, None]
        block *= unit
        factor = blas.spotrf(block.T, overwrite_a=1, clean=0)[0]
        blas.spotri(factor, overwrite_c=1)  # the lower triangle
        for i in range(1, len(block)):
            block[:i, i] = block[i, :i]
        block *= unit[:, None]
        block *= unit

    def solve(self, grad: Array) -> Array:
        """P^-1 grad."""
        if len(self.inverse) == 1:
            step = blas.product(self.inverse[0], grad)
        else:
            step = blas.product(self.inverse, grad.T[:, :, None])[:, :, 0].T
        return np.ascontiguousarray(step, grad.dtype)


class Wide(_MadeAnew):
    """Boehning's bound of many features from n rows, inverted by products of n x n.

    (U + A'A)^-1 = U^-1 - U^-1 A' (I + A U^-1 A')^-1 A U^-1        U diagonal (Woodbury)
    """

    def __init__(self, objective: Objective) -> None:
        self.objective, self.pairs = objective, pairs_of(objective, PAIRS)
        self.rows = np.empty((0, 0), np.float32)

    def update(self, theta: Array, iteration: int) -> None:
        """The bound, once. Later curvature saved no pass (CIFAR-10, C = 1 and 0.01)."""
        if len(self.rows):
            return
        rows, weight = _draw_rows(self.objective, WIDE_ROWS, np.random.default_rng(0))
        weight *= _bound(self.objective) / len(rows)
        A = _scale_rows(self.objective.at_hand.features(rows), weight)
        ridge = _ridge(self.objective, np.einsum("nd,nd->d", A, A), len(A), FLOOR_WIDE)
        self.unit = (1 / np.sqrt(ridge)).astype(np.float32)[:, None]
        A *= self.unit.T
        inner = blas.gram(A.T)
        inner.flat[:: len(A) + 1] += 1
        self.rows, self.factor = A, blas.spotrf(inner.T, overwrite_a=1)[0]

    def solve(self, grad: Array) -> Array:
        """P^-1 grad."""
        step = self.unit * grad.astype(np.float32, copy=False)
        inner = blas.spotrs(self.factor, blas.product(self.rows, step))[0]
        step -= blas.product(self.rows.T, inner)
        step *= self.unit
        return step.astype(grad.dtype, copy=False)


class Diagonal:
    """The square root of the blocks' diagonals, for sparse X and for l1.

    The root, because words come together: with the diagonal itself 20 Newsgroups (C = 20) takes 127
    passes to 1e-4 of the minimum, with its root 38. Diagonals of the curvature at theta do not help
    there; Reuters (C = 10) takes 37 passes in place of 53. The largest models, which have one pair,
    keep the first, which has one number for each feature: one vector less. (Sparse 12000 x 1000 x
    10000: 35 passes to 1e-4 in place of 38.)
    """

    def __init__(self, objective: Objective) -> None:
        size = math.prod(objective.shape)
        self.pairs = pairs_of(objective, PAIRS if size < LARGE else FEW_PAIRS)
        self.objective, self.random = objective, np.random.default_rng(0)
        self.inverse: Array

    def update(self, theta: Array, iteration: int) -> None:
        """The curvature at the start, then now and again at theta."""
        objective, (D, K) = self.objective, self.objective.shape
        if iteration and (iteration not in REFRESH or self.pairs == 1):
            return
        n = min(CANDIDATES, max(MIN_ROWS, SAMPLED // K))
        rows, weight = _draw_rows(objective, n, self.random)
        if theta.any() and self.pairs > 1:
            chances = objective.at_hand.proba(theta, rows)
        else:  # all classes are alike
            chances = np.full((len(rows), 1), 1 / objective.n_classes, theta.dtype)
        K = chances.shape[1]
        width = max(1, COLUMNS // max(D, len(rows)))

        @functools.lru_cache(1)  # a second look at the only columns is free
        def diagonal(at: int) -> Array:
            p = chances[:, at : at + width].astype(np.float64)
            return objective.at_hand.mean_squares(rows, p * (1 - p) * weight[:, None])

        total, most = 0.0, np.zeros((D, 1))
        for at in range(0, K, width):
            total += diagonal(at).sum()
            np.maximum(most, diagonal(at).max(axis=1, keepdims=True), out=most)
        # pixels that are black in nearly all images step far too wide without
        ridge = np.full((D, 1), (1e-7 if objective.is_sparse else 1e-3) * total / (D * K))
        ridge[: objective.n_features] += objective.strength(objective.l2, 2)
        # Its size is L-BFGS's matter. The first step is that of the largest element.
        largest = (most + ridge).max()
        self.inverse = np.empty((D, K), np.float32)
        for at in range(0, K, width):
            some = np.sqrt(largest / (diagonal(at) + ridge)) / largest
            self.inverse[:, at : at + width] = some

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"inverse": self.inverse, "random": self.random.bit_generator.state}

    def restore(self, saved: Saved) -> None:
        """Take a state."""
        D, K = self.objective.shape
        saved.set_random("random", self.random)
        self.inverse = saved.array("inverse", ((D, 1), np.float32), ((D, K), np.float32))

    def solve(self, grad: Array) -> Array:
        """P^-1 grad, in its place."""
        grad *= self.inverse
        return grad
