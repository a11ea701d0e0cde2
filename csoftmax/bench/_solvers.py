"""csoftmax and other solvers of the same problem; the others are watched while they run.

Of each of those, one run gives the whole way to the minimum: what evaluates its loss is wrapped,
and a `Watch` is told of every point.
"""

from __future__ import annotations

import inspect
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

from csoftmax.bench import _timing
from csoftmax.bench._peers import Array, optional
from csoftmax.bench._problems import Model, Problem

#: Relative distances from the minimum that are timed.
DISTANCES = (1e-4, 1e-6)
#: A solver's own loss may be off by so much, in float32; what counts is computed in float64.
ROUNDING = 2e-6
LIMIT = 5000  # iterations of csoftmax
ENDLESS, TINY = 10**7, 1e-300  # iterations, and a tolerance that nobody reaches
HESSIAN_BYTES = 1e9  # newton-cholesky has it in memory

SKLEARN = ("lbfgs", "newton-cg", "newton-cholesky", "sag", "saga")


class Enough(BaseException):
    """Ends a solver's run: all distances are reached, or its time is over."""


class Watch:
    """Clock and memory of a solver's run; both stand still while a point is looked at."""

    def __init__(self, problem: Problem, minimum: float, cap: float) -> None:
        self.problem, self.minimum, self.cap = problem, minimum, cap
        self.seconds = 0.0
        self.points: list[tuple[float, float]] = []  # seconds, relative distance
        self.reached: dict[float, float] = {}  # distance -> seconds
        self.looks: dict[float, int] = {}  # distance -> number of the point
        self.timed_out = False
        self.memory: int | None = None

    def __enter__(self) -> Watch:
        _timing._rest()
        self._before = _timing.memory_before()
        self._handler = signal.signal(signal.SIGALRM, self._time_out)
        self._go_on()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        self._stop()
        signal.signal(signal.SIGALRM, self._handler)
        self._note_memory()
        return kind is not None and issubclass(kind, Enough)

    def look(self, loss: float | None, model: Callable[[], Model]) -> None:
        """Note a point, whose loss the solver may know."""
        self._stop()
        exact = self._exact(model) if loss is None else None
        distance = (loss if exact is None else exact) / self.minimum - 1  # type: ignore[operator]
        self.points.append((self.seconds, distance))
        for wanted in DISTANCES:
            if wanted not in self.reached and distance <= wanted + ROUNDING:
                exact = self._exact(model) if exact is None else exact
                if exact / self.minimum - 1 <= wanted:
                    self.reached[wanted], self.looks[wanted] = self.seconds, len(self.points)
        if exact is not None:  # float32 solvers' own losses may be below the minimum
            self.points[-1] = self.seconds, exact / self.minimum - 1
        if len(self.reached) == len(DISTANCES):
            raise Enough
        self._go_on()

    def _exact(self, model: Callable[[], Model]) -> float:
        self._note_memory()
        exact = self.problem.objective(model())
        if exact < self.minimum * (1 - 1e-8):
            raise _timing.WrongResult(f"{exact!r} is less than the minimum, {self.minimum!r}")
        if self._before is not None:
            _timing.CLEAR.write_text("5")
        return exact

    def _note_memory(self) -> None:
        if self._before is not None:
            self.memory = max(self.memory or 0, _timing.most_memory() - self._before)

    def _go_on(self) -> None:
        if self.seconds >= self.cap:
            self._time_out()
        self._since = time.perf_counter()
        signal.setitimer(signal.ITIMER_REAL, self.cap - self.seconds)

    def _stop(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.seconds += time.perf_counter() - self._since if self._since else 0.0
        self._since = 0.0

    def _time_out(self, *_: object) -> None:
        self.timed_out = True
        raise Enough


# ---- the solvers -------------------------------------------------------------------------------


class Fitted(NamedTuple):
    """A model, and csoftmax's history of it: loss and passes after each iteration."""

    model: Model
    history: Mapping[str, list[float]] = {}


#: solve(problem, tol, watch) fits until its own criterion is met, or the watch has seen enough.
Solver = Callable[..., Fitted]


def ours(problem: Problem) -> dict[str, Solver]:
    """Return csoftmax's contestants, which take max_iter, too."""
    pixels = problem.data.pixels and not problem.l1
    return {"csoftmax": csoftmax} | ({"uint8": csoftmax_pixels} if pixels else {})


def csoftmax(
    problem: Problem, tol: float, watch: Watch | None = None, max_iter: int = LIMIT
) -> Fitted:
    """The estimator."""
    from csoftmax import SoftmaxClassifier

    def look(progress: Any) -> None:
        assert watch
        watch.look(progress.loss, lambda: Model(progress.coef.T, progress.intercept))

    model = SoftmaxClassifier(
        problem.C,
        l1_ratio=problem.l1_ratio,
        tol=tol,
        max_iter=max_iter,
        callbacks=look if watch else None,
    )
    model.fit(problem.data.X, problem.data.y)
    return Fitted(Model(model.coef_.T, model.intercept_), model.history_)


def csoftmax_pixels(
    problem: Problem, tol: float, watch: Watch | None = None, max_iter: int = LIMIT
) -> Fitted:
    """What is below the estimator, on pixels as bytes, in float32."""
    from csoftmax.solvers import minimise
    from csoftmax.solvers.objective import Objective

    assert problem.data.pixels
    raw, shift, scale = problem.data.pixels
    objective = Objective(
        raw, problem.data.y, problem.n_classes, np.float32, l2=problem.l2, shift=shift, scale=scale
    )

    history: dict[str, list[float]] = {"loss": [], "passes": []}

    def look(theta: Array, progress: Any) -> bool:
        for name, values in history.items():
            values.append(getattr(progress, name))
        if watch:
            watch.look(progress.loss, lambda: Model(theta[:-1], theta[-1]))
        return False

    start = np.zeros(objective.shape, np.float32)
    theta = minimise(
        objective, start, l1=problem.l1, tol=tol, max_iter=max_iter, on_iteration=look
    ).theta
    return Fitted(Model(theta[:-1], theta[-1]), history)


def rivals(problem: Problem) -> dict[str, Solver]:
    """Return the solvers that are installed and work on the problem."""
    found: dict[str, Solver] = {}
    hessian = (problem.n_classes * (problem.data.X.shape[1] + 1)) ** 2 * 8
    for name in SKLEARN:
        if (name == "saga" or not problem.l1) and (
            name != "newton-cholesky" or hessian < HESSIAN_BYTES
        ):
            found[name] = partial(sklearn, name)
    if optional("torch") and not problem.l1:
        found["torch"] = torch_lbfgs
    if optional("sklearnex.linear_model") and not problem.l1 and not problem.sparse:
        found["intelex"] = intelex
    return found


def sklearn(solver: str, problem: Problem, tol: float, watch: Watch | None = None) -> Fitted:
    """One of LogisticRegression's solvers."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(
        solver=solver,
        C=problem.C,
        l1_ratio=problem.l1_ratio,
        tol=tol,
        max_iter=ENDLESS,
        random_state=0,
    )
    if solver in ("sag", "saga"):
        spies = _epochs(watch)
    else:
        spies = _losses(watch) if watch else nullcontext()
    with spies:
        model.fit(problem.data.X, problem.data.y)
    return Fitted(Model(model.coef_.T, model.intercept_))


def sklearn_objective(problem: Problem, model: Model) -> float:
    """The objective by the code that LogisticRegression uses, in float64."""
    from sklearn._loss import HalfMultinomialLoss
    from sklearn.linear_model._linear_loss import LinearModelLoss

    X, y = problem.data.X.astype(np.float64), problem.data.y.astype(np.float64)
    coef = np.vstack([model.W, model.b]).astype(np.float64).T
    loss = LinearModelLoss(HalfMultinomialLoss(n_classes=problem.n_classes), fit_intercept=True)
    smooth = loss.loss(coef, X, y, l2_reg_strength=problem.l2)
    return float(smooth + problem.l1 * np.abs(model.W).sum())


def _losses(watch: Watch) -> Any:
    """Have the watch look at what lbfgs and the Newton methods evaluate."""
    from sklearn.linear_model._linear_loss import LinearModelLoss

    def spied(name: str) -> Any:
        evaluate = getattr(LinearModelLoss, name)

        def run(self: Any, coef: Array, *args: Any, **options: Any) -> Any:
            result = evaluate(self, coef, *args, **options)
            loss = result if name == "loss" else result[0]
            watch.look(float(loss), lambda: _unravelled(coef, watch.problem))
            return result

        return run

    names = ("loss", "loss_gradient")
    return mock.patch.multiple(LinearModelLoss, **{name: spied(name) for name in names})


def _unravelled(coef: Array, problem: Problem) -> Model:
    both = coef.reshape((problem.n_classes, -1), order="F").T
    return Model(both[:-1], both[-1])


def _epochs(watch: Watch | None) -> Any:
    """Have sag and saga stop now and then, and go on with the gradients that they keep: one run.

    They stop after each epoch where a watch wants to look; without one after each hundredth, as no
    alarm ends their loop, and return what they would.
    """
    from sklearn.linear_model import _logistic

    solve, epochs = _logistic.sag_solver, 1 if watch else 100
    order = tuple(inspect.signature(solve).parameters)

    def run(*args: Any, **options: Any) -> Any:
        given = dict(zip(order, args, strict=False)) | options
        given |= {"max_iter": epochs, "random_state": np.random.RandomState(0)}
        while True:
            coef, n_iter, given["warm_start_mem"] = solve(**given)
            if watch:
                watch.look(None, partial(Model, coef[:, :-1].T, coef[:, -1]))
            elif n_iter < epochs:
                return coef, n_iter, given["warm_start_mem"]

    return mock.patch.object(_logistic, "sag_solver", run)


def intelex(problem: Problem, tol: float, watch: Watch | None = None) -> Fitted:
    """LogisticRegression of scikit-learn-intelex: lbfgs with oneDAL's loss."""
    logistic_path = optional("daal4py.sklearn.linear_model.logistic_path")
    LogisticRegression = optional("sklearnex.linear_model").LogisticRegression
    evaluate, unit = logistic_path._daal4py_loss_and_grad, []

    def run(coef: Array, *args: Any) -> Any:
        loss, grad = evaluate(coef, *args)
        if watch:
            unit.append(np.log(problem.n_classes) / loss)  # the first point is zero
            both = coef.reshape((problem.n_classes, -1)).T
            watch.look(float(loss * unit[0]), lambda: Model(both[1:], both[0]))
        return loss, grad

    model = LogisticRegression(C=problem.C, tol=tol, max_iter=ENDLESS)
    with mock.patch.object(logistic_path, "_daal4py_loss_and_grad", run):
        model.fit(problem.data.X, problem.data.y)
    return Fitted(Model(model.coef_.T, model.intercept_))


def torch_lbfgs(problem: Problem, tol: float, watch: Watch | None = None) -> Fitted:
    """PyTorch's LBFGS with a line search, on a loss by autograd."""
    torch = optional("torch")
    X, y = problem.data.X, torch.from_numpy(problem.data.y)
    if problem.sparse:
        parts = (torch.from_numpy(part) for part in (X.indptr, X.indices, X.data))
        rows = torch.sparse_csr_tensor(*parts, size=X.shape)
    else:
        rows = torch.from_numpy(X)
    W = torch.zeros(X.shape[1], problem.n_classes, dtype=rows.dtype, requires_grad=True)
    b = torch.zeros(problem.n_classes, dtype=rows.dtype, requires_grad=True)
    method = torch.optim.LBFGS(
        [W, b],
        max_iter=ENDLESS,
        max_eval=ENDLESS,
        tolerance_grad=tol,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Any:
        method.zero_grad()
        loss = torch.nn.functional.cross_entropy(rows @ W + b, y)
        loss = loss + problem.l2 / 2 * W.square().sum()
        loss.backward()
        if watch:
            watch.look(loss.item(), lambda: Model(W.detach().numpy(), b.detach().numpy()))
        return loss

    method.step(closure)
    return Fitted(Model(W.detach().numpy(), b.detach().numpy()))
