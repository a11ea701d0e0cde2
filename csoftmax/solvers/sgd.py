"""Stochastic gradient descent: a step for each mini-batch, with momentum or Adam.

Each epoch visits the rows once, in a new random order, cut into batches of nearly equal size:

    momentum    v = m v + (1 - m) g                        theta -= a / (1 - m) v
    adam        v as above,  s = r s + (1 - r) g**2        theta -= a v^ / (sqrt(s^) + tiny)

with v^ and s^ free of the bias of their start at 0. An l1 penalty is a soft threshold after the
step, by its strength times the factor of v (in Adam one for each coordinate). What is fitted is the
average of the iterates with weights that grow as t**3: it forgets the start, and the noise of the
steps cancels in it. The step size falls as 1 / (1 + t / 1000), slowly: digits after 200 epochs were
6e-4 from the minimum without, 9e-5 with it, and the average is 200 times nearer than its last
iterate. (A smaller step wherever the loss stalled lost on iris: it stalls by chance there.)

A step changes all of theta, also where the batch is sparse: that costs of order D K, beside the
batch's own rows. No bit depends on the number of threads.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from csoftmax._native import checks
from csoftmax.linear import linear_predict
from csoftmax.solvers.checkpoint import Keeper, Saved
from csoftmax.solvers.loop import Progress, Solution
from csoftmax.solvers.objective import Objective
from csoftmax.solvers.vectors import largest

Array = npt.NDArray[Any]
Rows = npt.NDArray[np.int64]

_DECAY = 0.999  # r, Adam's memory of squares
_HALF = 1000  # steps after which their size is half of the first
_POWER = 3  # of t, in the weights of the average
_SAMPLE = 256  # rows that the automatic step size looks at


@dataclass(frozen=True, kw_only=True)
class SGD:
    """How `SoftmaxClassifier(solver=SGD(...))` takes its steps; solver="sgd" is `SGD()`.

    Parameters
    ----------
    rule : "adam" or "momentum"
    learning_rate : float or "auto"
        Step size a at first; half of that after 1000 steps. "auto" fits it to the scale of the
        features: 2 / mean(sum|x|) for Adam, 2 / mean(sum x**2) for momentum, each row with a 1 for
        the intercept.
    momentum : float
        m, from 0 to 0.9999.
    batch_size : int or "auto"
        Rows for a step, about; "auto": a tenth of them, but from 16 to 200.
    early_stopping : bool
        Set rows aside, at random, and keep the parameters that predict most of these right.
    validation_fraction : float
        How many, as a share of the rows.
    n_iter_no_change : int
        Epochs without progress by `tol`, in the mean objective over the epoch or in the validation
        score, that end the fit.

    See Also
    --------
    csoftmax.SoftmaxClassifier : Takes it as `solver`.
    csoftmax.solvers.minimise : Full passes instead.

    Examples
    --------
    >>> from csoftmax import SGD, SoftmaxClassifier
    >>> SoftmaxClassifier(solver=SGD(batch_size=64)).solver.batch_size
    64
    """

    __module__ = "csoftmax"  # where users import it from; messages say so

    rule: Literal["adam", "momentum"] = "adam"
    learning_rate: float | Literal["auto"] = "auto"
    momentum: float = 0.9
    batch_size: int | Literal["auto"] = "auto"
    early_stopping: bool = False
    validation_fraction: float = 0.1
    n_iter_no_change: int = 5

    def __post_init__(self) -> None:
        checks.choice("rule", self.rule, ("adam", "momentum"))
        if isinstance(self.learning_rate, str):
            checks.choice("learning_rate", self.learning_rate, ("auto",))
        else:
            checks.real("learning_rate", self.learning_rate, 1e-12)
        checks.real("momentum", self.momentum, 0, 0.9999)
        if isinstance(self.batch_size, str):
            checks.choice("batch_size", self.batch_size, ("auto",))
        else:
            checks.integer("batch_size", self.batch_size, 1)
        if not isinstance(self.early_stopping, (bool, np.bool_)):
            raise TypeError(f"early_stopping is {self.early_stopping!r}: wanted True or False")
        checks.real("validation_fraction", self.validation_fraction, 0.001, 0.999)
        checks.integer("n_iter_no_change", self.n_iter_no_change, 1)


class State:
    """Where a descent stands; `partial_fit` keeps it from call to call, for the same (D, C)."""

    def __init__(self, theta: Array) -> None:
        self.theta, self.average = theta.copy(), theta.copy()
        self.velocity, self.squares = np.zeros_like(theta), np.zeros_like(theta)
        self.steps = 0
        self.rate = 0.0  # step size, known from the first epoch on

    def result(self, l1: float) -> Array:
        """A copy of the average; with an l1 penalty, 0 where the last iterate is."""
        return np.where(self.theta == 0, 0, self.average) if l1 else self.average.copy()

    def restore(self, saved: Saved) -> None:
        """Take the attributes, as a checkpoint has them."""
        kind = (self.theta.shape, self.theta.dtype)
        self.theta, self.average = saved.array("theta", kind), saved.array("average", kind)
        self.velocity, self.squares = saved.array("velocity", kind), saved.array("squares", kind)
        self.steps, self.rate = saved.number("steps", int), saved.number("rate", float)


class Run:
    """The epochs of a fit: what is the result so far, and how long it has been the best."""

    def __init__(self, theta: Array, l1: float) -> None:
        self.state = State(theta)
        self.kept, self.best = self.state.result(l1), math.inf
        self.n_iter = self.stalled = 0

    def reason(self, options: SGD, max_iter: int) -> str:
        """As `Solution.stop_reason`; empty to go on."""
        if self.stalled >= options.n_iter_no_change:
            return "validation" if options.early_stopping else "loss"
        return "max_iter" if self.n_iter >= max_iter else ""

    def restore(self, saved: Saved) -> None:
        """Take the attributes, as a checkpoint has them."""
        self.state.restore(saved.part("state"))
        self.kept = saved.array("kept", (self.kept.shape, self.kept.dtype))
        self.best = saved.number("best", float)
        self.n_iter, self.stalled = saved.number("n_iter", int), saved.number("stalled", int)


def epoch(
    objective: Objective,
    options: SGD,
    state: State,
    random: np.random.RandomState,
    *,
    l1: float = 0.0,
    rows: Rows | None = None,
) -> float:
    """Visit all rows (or these) once, changing `state`: what `partial_fit` does.

    Returns the mean over the epoch of the objective, as each step found it.
    """
    state.rate = state.rate or _rate(objective, options)
    n_rows = objective.n_rows if rows is None else len(rows)
    order = random.permutation(n_rows if rows is None else rows)
    given = options.batch_size
    size = min(max(n_rows // 10, 16), 200) if isinstance(given, str) else given
    strength = objective.strength(l1, 1) if l1 else None
    loss = 0.0
    for batch in np.array_split(order, math.ceil(n_rows / size)):
        value, grad = objective.loss_grad(state.theta, batch)
        loss += len(batch) / n_rows * value
        _step(options, state, grad, objective.n_features, strength)
    w = state.theta[: objective.n_features]
    return loss + (_sum(strength * np.abs(w)) if l1 else 0.0)


def minimise(
    objective: Objective,
    theta: Array,
    options: SGD,
    *,
    l1: float = 0.0,
    tol: float = 1e-4,
    max_iter: int = 1000,
    on_iteration: Callable[[Array, Progress], bool] = lambda theta, progress: False,
    random: np.random.RandomState,
    keeper: Keeper | None = None,
) -> Solution:
    """Epochs until there is no progress by `tol`.

    With a keeper that has a checkpoint, it goes on from that, and theta and `random` do not count.
    `stop_reason` is "loss", "validation" (theta is then the best one seen), "max_iter", "callback",
    or "not finite": the objective overflowed or the data have NaN, and theta is that before.
    """
    start, run = time.perf_counter(), Run(theta, l1)
    saved = keeper.saved() if keeper else None
    random = saved.random("first", random) if saved else random
    first = random.get_state(legacy=False)  # which rows are held out is drawn from it
    rows = held_out = None
    if options.early_stopping:
        rows, held_out = _split(objective.n_rows, options.validation_fraction, random)
    if saved:
        random = saved.random("random", random)
        start -= _restore(run, objective, saved, tol)
        saved.forget()
    reason = run.reason(options, max_iter)
    while not reason:
        loss = epoch(objective, options, run.state, random, l1=l1, rows=rows)
        run.n_iter += 1
        result = run.state.result(l1)
        if not (math.isfinite(loss) and np.isfinite(result).all()):
            return Solution(run.kept, run.n_iter, "not finite")
        cost = loss if held_out is None else -_accuracy(objective, result, held_out)
        run.stalled = run.stalled + 1 if cost > run.best - tol else 0
        if held_out is None or cost < run.best:
            run.kept = result
        run.best = min(run.best, cost)
        gradient = largest(run.state.velocity)  # of the mean of the last ones
        seconds = time.perf_counter() - start
        bytes_read = objective.n_bytes
        line = Progress(run.n_iter, loss, gradient, objective.passes, seconds, bytes_read)
        reason = "callback" if on_iteration(run.kept, line) else run.reason(options, max_iter)
        if keeper and keeper.due(run.n_iter, last=bool(reason)):
            drawn = {"first": first, "random": random.get_state(legacy=False)}
            more = {"tol": float(tol), "seconds": time.perf_counter() - start}
            keeper.write(run.n_iter, _state(run, objective) | drawn | more)
    return Solution(run.kept, run.n_iter, reason, far=reason == "max_iter")


def _state(run: Run, objective: Objective) -> dict[str, Any]:
    """What a checkpoint keeps of a run; and the gradient, by which the data are known again."""
    passes = objective.passes
    loss, grad = objective.loss_grad(run.state.theta)
    objective.passes = passes
    values = {name: value for name, value in vars(run).items() if name != "state"}
    return {"state": vars(run.state), "loss": loss, "grad": grad, "passes": passes, **values}


def _restore(run: Run, objective: Objective, saved: Saved, tol: float) -> float:
    """Take the state of a checkpoint if it is of these data; return the seconds before it."""
    run.restore(saved)
    loss, grad = objective.loss_grad(run.state.theta)
    same = np.array_equal(grad, saved.array("grad", (grad.shape, grad.dtype)))
    if not same or loss != saved.number("loss", float):
        raise saved.other_data()
    objective.passes = saved.number("passes", float)
    if tol < saved.number("tol", float):  # what was no progress may be some
        run.stalled = 0
    return saved.number("seconds", float)


def _step(
    options: SGD, state: State, grad: Array, n_features: int, l1: float | Array | None
) -> None:
    """Change `state` by the gradient of one batch, whose array is used up."""
    theta, v, m = state.theta, state.velocity, options.momentum
    state.steps = t = state.steps + 1
    rate = state.rate / (1 + t / _HALF)
    v *= m
    v += (1 - m) * grad
    step: Any  # on v: one number, or one for each coordinate
    if options.rule == "momentum":
        # the first gradients are the largest, and point one way
        step = rate / (1 - m) * min(1.0, t / 20)
    else:
        state.squares *= _DECAY
        np.square(grad, out=grad)
        grad *= 1 - _DECAY
        state.squares += grad
        step = np.sqrt(state.squares, out=grad)
        step *= (1 - m**t) / math.sqrt(1 - _DECAY**t) / rate
        step += np.finfo(theta.dtype).tiny ** 0.5
        np.reciprocal(step, out=step)
    theta -= step * v
    if l1 is not None:
        w = theta[:n_features]
        # v is short of the mean gradient at first, by 1 - m**t, and so is the threshold
        threshold = l1 * (1 - m**t) * (step if np.ndim(step) == 0 else step[:n_features])
        w -= np.clip(w, -threshold, threshold)
    state.average += (_POWER + 1) / (t + _POWER) * (theta - state.average)


def _rate(objective: Objective, options: SGD) -> float:
    """The step size: that asked for, or that which fits the scale of the features."""
    if not isinstance(options.learning_rate, str):
        return float(options.learning_rate)
    n_rows, total = objective.n_rows, 0.0
    sample = np.linspace(0, n_rows - 1, min(n_rows, _SAMPLE)).astype(np.int64)
    for rows in np.array_split(sample, math.ceil(len(sample) / 16)):
        some = objective.features(rows)  # few at a time: features may be many, and sparse
        total += _sum(np.abs(some) if options.rule == "adam" else np.square(some))
    return 2 * len(sample) / total if 0 < total < math.inf else 1.0


def _split(n_rows: int, fraction: float, random: np.random.RandomState) -> tuple[Rows, Rows]:
    """Rows to fit, and rows held out to validate: at least one of each."""
    n_held_out = round(fraction * n_rows)
    if not 0 < n_held_out < n_rows:
        raise ValueError(
            f"validation_fraction is {fraction:g}: of {n_rows} rows wanted some to validate, "
            "and some to fit"
        )
    order = random.permutation(n_rows)
    return order[n_held_out:], order[:n_held_out]


def _accuracy(objective: Objective, theta: Array, rows: Rows) -> float:
    """Share, by weight, of the rows whose class (the most probable one) is predicted."""
    W, bias = objective.model(theta)
    y, weights = objective.y[rows], objective.sample_weight
    labels = linear_predict(W, objective.X, bias=bias, rows=rows, **objective.view)
    right = labels == (y if y.ndim == 1 else y.argmax(axis=1))
    return float(np.average(right, weights=None if weights is None else weights[rows]))


def _sum(values: Array) -> float:
    return float(values.sum(dtype=np.float64))
