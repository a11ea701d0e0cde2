"""The steps of the worksheet. Each returns plain numbers and neither prints nor draws."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from math import log
from typing import Any

import numpy as np

from csoftmax import linear, reference
from csoftmax._html import table
from csoftmax.cs231n.classifiers import LinearSVM, Softmax
from csoftmax.cs231n.gradient_check import eval_numerical_gradient
from csoftmax.search import train_many
from csoftmax.search.stack import Loss
from csoftmax.worksheet._data import (
    COURSE_LEARNING_RATES,
    COURSE_REGS,
    Array,
    Data,
    Settings,
)

LossGrad = Callable[..., tuple[Any, ...]]
SHOWN = 10  # trials, of the best, that a notebook shows

DEV_ROWS = 500  # the course's development rows: initial loss and timings
LOOP_TURNS = 50_000  # rows x classes that the two loops may take: fewer rows for many classes
CHECK_ROWS = 200  # rows of the gradient check
CHECKED_ENTRIES = 5  # entries of dW compared per gradient check
SCORES = 20  # how often the search measures accuracies on its way
SCORE_ROWS = 1000  # training rows for that, as many as the course has to validate
SMALL_WEIGHT = 1e-4  # standard deviation of W where scores must be near zero


@dataclass(frozen=True)
class Classifier:
    """What differs between the two classifiers of the worksheet."""

    name: str
    title: str
    model: type[Softmax] | type[LinearSVM]
    loss: Loss
    loss_grad: LossGrad
    stages: tuple[tuple[str, LossGrad], ...]
    expected: Callable[[int], float]
    expected_text: str


CLASSIFIERS = {
    "softmax": Classifier(
        "softmax",
        "Softmax",
        Softmax,
        "softmax",
        linear.softmax_loss,
        (
            ("two loops", reference.softmax_loss_naive),
            ("one loop", reference.softmax_loss_half_vectorized),
            ("NumPy, no loop", reference.softmax_loss_vectorized),
        ),
        lambda n_classes: log(n_classes),
        "log(C)",
    ),
    "svm": Classifier(
        "svm",
        "Linear SVM",
        LinearSVM,
        "hinge",
        linear.svm_loss,
        (
            ("two loops", reference.svm_loss_naive),
            ("one loop", reference.svm_loss_half_vectorized),
            ("NumPy, no loop", reference.svm_loss_vectorized),
        ),
        lambda n_classes: n_classes - 1.0,
        "C - 1",
    ),
}


@dataclass(frozen=True)
class InitialLoss:
    """The loss of small random weights, and what it must be near."""

    classifier: str
    loss: float
    expected: float


@dataclass(frozen=True)
class GradientCheck:
    """Central differences against the kernel's gradient, both in float64."""

    classifier: str
    reg: float
    numerical: tuple[float, ...]
    analytic: tuple[float, ...]
    relative_error: tuple[float, ...]


@dataclass(frozen=True)
class Timing:
    """One implementation on the development rows; `difference` is ||dW - dW of the loops||."""

    classifier: str
    implementation: str
    arithmetic: str
    seconds: float
    loss: float
    difference: float


@dataclass(frozen=True)
class Trial:
    """One model of the search.

    `scores` and `train_scores` are accuracies by steps: on the validation rows, and on up to 1000
    training rows.
    """

    learning_rate: float
    reg: float
    is_published: bool
    train_accuracy: float
    val_accuracy: float
    losses: tuple[float, ...] = field(repr=False)
    scores: dict[int, float] = field(repr=False)
    train_scores: dict[int, float] = field(repr=False)

    @property
    def diverged(self) -> bool:
        """Whether the loss left the finite numbers."""
        return not bool(np.isfinite(self.losses).all())


@dataclass(frozen=True)
class Search:
    """All trials of one classifier, how long they took together, and the best one's model."""

    classifier: str
    seconds: float
    trials: tuple[Trial, ...]
    best: Trial
    model: Softmax | LinearSVM = field(repr=False)

    def __repr__(self) -> str:
        best = self.best
        return (
            f"Search({self.classifier}: {len(self.trials)} settings in {self.seconds:.2f} s, best "
            f"validation {best.val_accuracy:.3f} at learning rate {best.learning_rate:.3g}, "
            f"reg {best.reg:.3g})"
        )

    def _repr_html_(self) -> str:
        order = sorted(self.trials, key=lambda trial: -trial.val_accuracy)[:SHOWN]
        rows = [
            [f"{x:.3g}" for x in (t.learning_rate, t.reg, t.train_accuracy, t.val_accuracy)]
            for t in order
        ]
        return table(repr(self), rows, ("learning rate", "reg", "training", "validation"))


@dataclass(frozen=True)
class Score:
    """The chosen model on rows that had no part in its choice."""

    classifier: str
    accuracy: float
    class_accuracy: tuple[float, ...]


@dataclass
class Sheet:
    """The whole worksheet: what it works on, and the results as the steps bring them."""

    data: Data
    settings: Settings
    classifiers: list[Classifier]
    initial: list[InitialLoss] = field(default_factory=list)
    gradients: list[GradientCheck] = field(default_factory=list)
    timings: list[tuple[Timing, ...]] = field(default_factory=list)
    searches: list[Search] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)

    def __repr__(self) -> str:
        names = " and ".join(classifier.name for classifier in self.classifiers)
        steps = ("initial", "gradients", "timings", "searches", "scores")
        done = [step for step in steps if getattr(self, step)]
        return f"Sheet({names} on {self.data!r}; done: {', '.join(done) or 'nothing'})"


def dev_rows(data: Data) -> int:
    """Return how many rows the small steps take: 500, as the course, or fewer for many classes."""
    return min(DEV_ROWS, len(data.X_train), max(1, LOOP_TURNS // data.n_classes))


def initial_loss(data: Data, classifier: Classifier, seed: int = 0) -> InitialLoss:
    """Return the loss of small random weights on the development rows, in float64."""
    rows, W, bias = _start(data, DEV_ROWS, seed)
    loss, *_ = classifier.loss_grad(
        W, data.X_train, data.y_train, bias=bias, rows=rows, **data.features
    )
    return InitialLoss(classifier.name, float(loss), classifier.expected(data.n_classes))


def gradient_check(data: Data, classifier: Classifier, reg: float, seed: int = 0) -> GradientCheck:
    """Compare the kernel's float64 gradient with central differences at random entries of W.

    The entries belong to features that vary over the rows, where there are such: elsewhere both
    gradients may be zero.
    """
    rows, W, bias = _start(data, CHECK_ROWS, seed)
    rng = np.random.default_rng(seed)
    varying = np.flatnonzero(np.ptp(data.X_train[rows], axis=0))
    if not varying.size:
        varying = np.arange(len(W))
    # Each entry once: of one that stands twice, a difference would move only the last.
    n_entries = varying.size * data.n_classes
    chosen = rng.choice(n_entries, min(CHECKED_ENTRIES, n_entries), replace=False)
    entries = varying[chosen // data.n_classes], chosen % data.n_classes

    def loss_grad(values: Array) -> tuple[Any, ...]:
        W[entries] = values
        return classifier.loss_grad(
            W, data.X_train, data.y_train, reg, bias=bias, rows=rows, **data.features
        )

    start = W[entries]
    analytic = loss_grad(start)[1][entries]
    numerical = eval_numerical_gradient(lambda values: loss_grad(values)[0], start, verbose=False)
    size = np.abs(numerical) + np.abs(analytic)
    error = np.abs(numerical - analytic) / np.where(size > 0, size, 1.0)
    return GradientCheck(
        classifier.name,
        reg,
        tuple(map(float, numerical)),
        tuple(map(float, analytic)),
        tuple(map(float, error)),
    )


def timings(data: Data, classifier: Classifier, seed: int = 0) -> tuple[Timing, ...]:
    """Time loss and gradient on the development rows: loops, NumPy, and the compiled kernel.

    The stages of the course get what they ask for, centred float64 rows with a column of ones.
    The last line is how the worksheet trains: the kernel on the data as they are stored.
    """
    rows, W, bias = _start(data, DEV_ROWS, seed)
    X, y = data.X_train[rows], data.y_train[rows]
    centred = (X - data.shift) * (1.0 if data.scale is None else data.scale)
    extended = np.hstack([centred, np.ones((len(X), 1))])
    W1 = np.vstack([W, bias])
    W32, bias32 = W.astype(np.float32), bias.astype(np.float32)
    explicit = [*classifier.stages, ("compiled", classifier.loss_grad)]
    jobs: list[tuple[str, str, Callable[[], tuple[Any, ...]]]] = [
        (name, "float64", partial(stage, W1, extended, y, 0.0)) for name, stage in explicit
    ]
    implicit = partial(classifier.loss_grad, W32, X, y, bias=bias32, **data.features)
    jobs.append((f"compiled, {X.dtype} rows", "float32", implicit))
    results = []
    truth: Array | None = None
    for name, arithmetic, job in jobs:
        seconds, (loss, *gradients) = _best_time(job)
        gradient = np.vstack(gradients)
        truth = gradient if truth is None else truth
        difference = float(np.linalg.norm(gradient - truth))
        results.append(Timing(classifier.name, name, arithmetic, seconds, float(loss), difference))
    return tuple(results)


def search(
    data: Data, classifier: Classifier, settings: Settings, *, progress: bool = False
) -> Search:
    """Train one model per learning rate and reg, all on the same batches, and keep the best.

    The best is the first with the highest validation accuracy. `progress` shows a bar, on a
    terminal and where tqdm is installed.
    """
    if not (settings.learning_rates and settings.regs):
        raise ValueError("learning_rates and regs hold no setting: wanted at least one of each")
    # the course's draws: first the weights, and then batch after batch
    random = np.random.RandomState(settings.seed)
    X, shape = data.X_train, (data.X_train.shape[1], data.n_classes)
    start = (0.001 * random.randn(*shape)).astype(X.dtype if X.dtype.kind == "f" else np.float32)
    models = train_many(
        X,
        data.y_train,
        settings.learning_rates,
        settings.regs,
        loss=classifier.loss,
        X_val=data.X_val,
        y_val=data.y_val,
        n_steps=settings.iterations,
        batch_size=settings.batch_size,
        fit_bias=True,
        start=start,
        random_state=random,
        score_every=max(1, settings.iterations // SCORES),
        score_rows=SCORE_ROWS,
        progress=progress,
        **data.features,
    )
    if models.stopped:
        raise KeyboardInterrupt
    trials = tuple(
        Trial(
            learning_rate=model.learning_rate,
            reg=model.reg,
            is_published=data.is_course
            and model.learning_rate in COURSE_LEARNING_RATES
            and model.reg in COURSE_REGS,
            train_accuracy=float((model.predict(X) == data.y_train).mean()),
            val_accuracy=model.val_accuracy,
            losses=tuple(model.losses.tolist()),
            scores=model.scores,
            train_scores=model.train_scores,
        )
        for model in models
    )
    best = models.best
    found = classifier.model()
    found.W, found.b, found.shift, found.scale = best.W, best.b, best.shift, best.scale
    return Search(classifier.name, models.seconds, trials, trials[models.models.index(best)], found)


def score(data: Data, found: Search) -> Score:
    """Return the accuracy of the best model on the test rows, overall and by class."""
    right = found.model.predict(data.X_test) == data.y_test
    by_class = [right[data.y_test == c] for c in range(data.n_classes)]
    return Score(
        found.classifier,
        float(right.mean()),
        tuple(float(r.mean()) if len(r) else float("nan") for r in by_class),
    )


def _start(data: Data, n_rows: int, seed: int) -> tuple[Array, Array, Array]:
    """Return random training rows, small random weights and a bias of zeros."""
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(len(data.X_train), min(n_rows, dev_rows(data)), replace=False))
    W = SMALL_WEIGHT * rng.standard_normal((data.X_train.shape[1], data.n_classes))
    return rows, W, np.zeros(data.n_classes)


def _best_time(job: Callable[[], tuple[Any, ...]]) -> tuple[float, tuple[Any, ...]]:
    """Return the shortest of several runs and the result: fewer runs of a slow job."""
    times: list[float] = []
    while len(times) < 200 and sum(times) < 0.3:
        start = time.perf_counter()
        result = job()
        times.append(time.perf_counter() - start)
    return min(times), result
