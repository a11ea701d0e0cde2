"""Training many linear models on the same mini-batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax._native import checks
from csoftmax.search import inputs
from csoftmax.search.models import Model, Models
from csoftmax.search.run import Run
from csoftmax.search.stack import LOSSES, Loss, Stack
from csoftmax.search.watch import bar, interrupts
from csoftmax.sources import Features

SCORES = 10  # how often models are scored, if not said


def train_many(
    X: Features,
    y: npt.ArrayLike,
    learning_rates: npt.ArrayLike,
    regs: npt.ArrayLike = 0.0,
    seeds: npt.ArrayLike = 0,
    *,
    loss: Loss = "softmax",
    X_val: Features | None = None,
    y_val: npt.ArrayLike | None = None,
    n_steps: int = 1500,
    batch_size: int = 200,
    fit_bias: bool = False,
    shift: npt.ArrayLike | None = None,
    scale: npt.ArrayLike | None = None,
    start: npt.ArrayLike | None = None,
    random_state: int | np.random.RandomState = 0,
    halving: int | None = None,
    score_every: int | None = None,
    score_rows: int = 0,
    callback: Callable[[int, npt.NDArray[np.float64]], object] | None = None,
    progress: bool = False,
    n_threads: int | None = None,
) -> Models:
    """Train a linear model for each learning rate, penalty and seed, on the same mini-batches.

        W -= learning_rate * dW         dW that of softmax_loss(W, X, y, reg), or svm_loss

    All models take each step together, from one copy of the batch, which takes a fraction of the
    time of one after the other. Each has the bits that it has alone.

    Parameters
    ----------
    X : (N, D) array or SciPy CSR
        float32, float64 and uint8 are read where they lie; other dtypes are copied once, to W's.
    y : (N,) labels in 0..C-1
        C is max(y) + 1, or that of `start`.
    learning_rates, regs, seeds : number, or sequence of numbers
        There is a model for each combination. `reg` is that of the penalty reg/2 sum(W**2). The
        first weights of a seed are 0.001 * RandomState(seed).randn(D, C).
    loss : "softmax" or "hinge"
        The hinge is multiclass, with margin 1.
    X_val, y_val : optional
        Validation rows, as X and y: they score the models.
    n_steps, batch_size : int
    fit_bias : bool
        Fit a bias beside W. It starts at zero and is not regularised.
    shift, scale : (D,) array_like, optional
        Train on (X - shift) * scale, which is never stored.
    start : (D, C) array_like of float32 or float64, optional
        First weights of all models, in the place of seeds.
    random_state : int or RandomState
        Draws the batches: N numbers below N for each step, by `randint`, with replacement.
    halving : int, optional
        Keep one model of so many again and again (successive halving): of K models, trained for
        n_steps / halving**r steps, the K / halving**r best by validation accuracy go on, for r
        from log(K) / log(halving) down to 1. Of equal ones the first goes on.
    score_every : int, optional
        Steps between scores; a tenth of n_steps if None. The end is scored, too.
    score_rows : int
        Rows of X that score the models beside the validation rows: evenly spaced, at most all.
    callback : callable, optional
        Called as ``callback(step, losses)`` after each step; `losses` are all models', NaN for
        those that have ended. True ends the training, and so does a KeyboardInterrupt that it
        raises; other errors are the caller's.
    progress : bool
        Show a bar with the best score so far, on a terminal or in a notebook, where tqdm is
        installed.
    n_threads : int, optional
        At most that many threads; None: all that the process may use, fewer for small work.

    Returns
    -------
    Models

    Raises
    ------
    ValueError, TypeError
        Naming the argument that is wrong, before any training.

    See Also
    --------
    Models : What comes back.
    csoftmax.SoftmaxClassifierCV : Chooses C of fits to the minimum.
    csoftmax.cs231n.classifiers.Softmax : One such model alone.

    Notes
    -----
    W has X's dtype where that is a float of 32 or 64 bits, else float32, or that of `start`.

    Ctrl-C ends the training after the step that it meets, and what there is then comes back: each
    model with the steps that it has made and its score, its status "stopped". (A second Ctrl-C is
    a KeyboardInterrupt at once.) It is so in the main thread, where no other handler is installed.

    Neither neighbours nor threads change a bit: `csoftmax.cs231n.classifiers.Softmax` and
    `LinearSVM`, trained on these batches from these weights, end at these W. A model whose W is
    all NaN is not trained further: its losses are NaN from there on.

    Memory: W and, of a batch, a copy (at most 64 MiB, else models are trained one by one); no dW.
    Sparse models are trained one by one, too.

    Examples
    --------
    >>> import numpy as np
    >>> from csoftmax.search import train_many
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(300) % 3
    >>> X = np.eye(3)[y] + 0.5 * rng.standard_normal((300, 3))
    >>> models = train_many(
    ...     X[:200], y[:200], [0.1, 1.0], [0.0, 0.1], X_val=X[200:], y_val=y[200:], n_steps=100
    ... )
    >>> models
    Models(4 softmax models, 100 steps, ... s, best validation 0.9... at learning_rate=..., seed=0)
    >>> [round(float(model.losses[-1]), 1) for model in models]
    [0.5, 0.7, 0.3, 0.7]
    >>> models.best.predict(X[:3])
    array([0, 1, 0])
    """
    begin = time.perf_counter()
    checks.choice("loss", loss, tuple(LOSSES))
    rows, index = inputs.data("X", X, "y", y, start)
    rates, strengths = inputs.reals("learning_rates", learning_rates), inputs.reals("regs", regs)
    first = inputs.first_weights(rows, index, seeds, start)
    n_steps = checks.integer("n_steps", n_steps, 1)
    batch_size = checks.integer("batch_size", batch_size, 1)
    validation = inputs.validation(X_val, y_val, first[0][1])
    every = max(1, n_steps // SCORES) if score_every is None else score_every
    every = checks.integer("score_every", every, 1)
    sample = inputs.sample(X, index, checks.integer("score_rows", score_rows, 0))
    settings = list(product(rates, strengths, first))
    rungs = inputs.rungs(halving, len(settings), n_steps, validation is not None)
    random = random_state
    if not isinstance(random, np.random.RandomState):
        random = np.random.RandomState(inputs.seed("random_state", random))
    stack = Stack(
        loss,
        rows,
        index,
        [W for *_, (_, W) in settings],
        np.array([rate for rate, *_ in settings]),
        np.array([reg for _, reg, _ in settings]),
        fit_bias=bool(fit_bias),
        shift=shift,
        scale=scale,
        batch_size=batch_size,
        n_threads=n_threads,
    )
    run, stopped = Run(stack, n_steps, validation, sample), False
    with interrupts() as asked, bar(n_steps, len(settings), show=progress) as move:
        while run.steps < n_steps and not stopped:
            drawn = random.randint(0, rows.shape[0], batch_size)  # on Windows 32 bits each
            losses = run.step(drawn.astype(np.int64, copy=False))
            if run.steps in rungs:
                run.drop(rungs[run.steps])
            elif run.steps % every == 0:
                run.score()
            try:
                stopped = callback is not None and callback(run.steps - 1, losses) is True
            except KeyboardInterrupt:
                stopped = True
            stopped = stopped or asked()
            move(_words(run.best, settings))
        run.score()
        stopped = stopped or asked()
    models = [
        Model(learning_rate=rate, reg=reg, seed=seed, shift=shift, scale=scale, **run.result(k))
        for k, (rate, reg, (seed, _)) in enumerate(settings)
    ]
    seconds = time.perf_counter() - begin
    return Models(loss=loss, models=tuple(models), stopped=stopped, seconds=seconds)


def _words(best: tuple[float, int] | None, settings: Sequence[tuple[float, float, Any]]) -> str:
    """The best score so far, and of which model."""
    if best is None:
        return ""
    rate, reg, _ = settings[best[1]]
    return f"best {best[0]:.3f} at {rate:g}, {reg:g}"
