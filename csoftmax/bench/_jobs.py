"""The jobs of the benchmarks: their data, their contestants and what csoftmax is to reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from csoftmax.bench._case import Case, Shape
from csoftmax.bench._linear_cases import (
    batches,
    labels,
    pixels_loss,
    probabilities,
    softmax_loss,
    sure_softmax_loss,
    svm_loss,
    top_k,
    training,
)
from csoftmax.bench._logit_cases import (
    boosting,
    cross_entropy,
    logsumexp,
    softmax,
    softmax_of_columns,
    sure_cross_entropy,
    sure_softmax,
    weighted_logsumexp,
)


class Job(NamedTuple):
    """A line of the table."""

    name: str
    shape: Shape
    dtype: str
    make: Callable[[Shape, str], Case]
    #: how many times as fast as a peer; "limit v3": the fraction of it, with that instruction set;
    #: "MB": memory at most
    goals: Mapping[str, float]
    short: bool = False  # also in the table of `csoftmax bench`

    def __str__(self) -> str:
        return f"{self.name} {'x'.join(map(str, self.shape))} {self.dtype}"


def select(text: str = "", *, short: bool = False) -> list[Job]:
    """Return the jobs whose line has this text; without one all, or those of the short table."""
    jobs = [job for job in JOBS if text in str(job) and (text or job.short or not short)]
    if not jobs:
        names = ", ".join(dict.fromkeys(job.name for job in JOBS))
        raise ValueError(f"no job has {text!r} in its line: wanted part of one, such as {names}")
    return jobs


CIFAR, MNIST, WIDE = (49000, 3073, 10), (60000, 784, 10), (20000, 512, 1000)
MANY, ROWS, VOCABULARY = (200000, 10), (20000, 1000), (2048, 50257)
WORDS = (2048, 512, 50257)
SINGLE, DOUBLE = "float32", "float64"


def _limits(v4: float, v3: float, **others: float) -> dict[str, float]:
    return {"limit v4": v4, "limit v3": v3} | others


JOBS = (
    Job("softmax_loss", CIFAR, SINGLE, softmax_loss, _limits(0.75, 0.65)),
    Job("softmax_loss", CIFAR, DOUBLE, softmax_loss, _limits(0.7, 0.65)),
    Job("softmax_loss shift= scale= bias=", CIFAR, "uint8", pixels_loss, _limits(0.75, 0.65)),
    Job("softmax_loss", (500, 3073, 10), SINGLE, softmax_loss, _limits(0.55, 0.55), True),
    # lines of rows 4 KiB apart crowd in the first-level cache
    Job("softmax_loss", (40000, 1024, 10), SINGLE, softmax_loss, {}),
    Job("softmax_loss", (20000, 2048, 10), SINGLE, softmax_loss, {}),
    Job("softmax_loss", (10000, 4096, 10), SINGLE, softmax_loss, {}),
    Job("softmax_loss", MNIST, SINGLE, softmax_loss, _limits(0.75, 0.68), True),
    Job("softmax_loss", MNIST, DOUBLE, softmax_loss, _limits(0.75, 0.68)),
    Job("softmax_loss, sure", MNIST, SINGLE, sure_softmax_loss, _limits(0.75, 0.68)),
    Job("softmax_loss", (200000, 54, 7), SINGLE, softmax_loss, _limits(0.4, 0.35), True),
    Job("softmax_loss", (200000, 54, 7), DOUBLE, softmax_loss, _limits(0.4, 0.35)),
    # MB: less than the array of 20000 x 1000 would take
    Job("softmax_loss", WIDE, SINGLE, softmax_loss, _limits(0.85, 0.75, MB=80)),
    Job("softmax_loss", WIDE, DOUBLE, softmax_loss, _limits(0.85, 0.75, MB=160)),
    Job("softmax_loss", (100000, 100, 100), SINGLE, softmax_loss, _limits(0.7, 0.65)),
    # MB: W and 64
    Job("softmax_loss", WORDS, SINGLE, softmax_loss, {"numpy": 1.1, "MB": 167}),
    Job("softmax_loss", (1, 64, 10), DOUBLE, softmax_loss, {"numpy": 1}, True),
    Job("softmax_loss, 20 x rows= of 200", CIFAR, SINGLE, batches, _limits(0.5, 0.45)),
    Job("Softmax.train, 1500 steps of 200", CIFAR, SINGLE, training, {"numpy": 4}),
    Job("svm_loss", CIFAR, SINGLE, svm_loss, _limits(0.75, 0.65)),
    Job("svm_loss", MNIST, SINGLE, svm_loss, _limits(0.75, 0.68), True),
    Job("labels of a linear model", MNIST, SINGLE, labels, {"numpy": 3}, True),
    Job("probabilities of a linear model", MNIST, SINGLE, probabilities, {"numpy": 3}),
    Job("top 5 of a linear model", WIDE, SINGLE, top_k, {"numpy": 1.5}),
    Job("top 5 of a linear model", WORDS, SINGLE, top_k, {"numpy": 1.5}),
    Job("softmax out=", MANY, SINGLE, softmax, {"scipy": 14, "torch": 9, "jax": 2.5}, True),
    Job("softmax out=, sure", MANY, SINGLE, sure_softmax, {}),
    Job("softmax out=", MANY, DOUBLE, softmax, {"scipy": 8, "torch": 5}, True),
    Job("softmax out=", ROWS, SINGLE, softmax, {"scipy": 9, "torch": 1.2}, True),
    Job("softmax out=", VOCABULARY, SINGLE, softmax, {"torch": 2.5}),
    Job("softmax out=", (1, 10), DOUBLE, softmax, {"scipy": 2}, True),
    Job("softmax of columns out=", (1000, 20000), SINGLE, softmax_of_columns, {"scipy": 4}),
    Job("logsumexp", MANY, SINGLE, logsumexp, {"scipy": 10}, True),
    Job("logsumexp", MANY, DOUBLE, logsumexp, {"scipy": 10}),
    Job("logsumexp", ROWS, SINGLE, logsumexp, {"scipy": 10}),
    Job("logsumexp", VOCABULARY, SINGLE, logsumexp, {"scipy": 10}),
    Job("logsumexp b=", MANY, SINGLE, weighted_logsumexp, {"scipy": 5}),
    Job("logsumexp b=", MANY, DOUBLE, weighted_logsumexp, {"scipy": 5}),
    Job("logsumexp b=", ROWS, SINGLE, weighted_logsumexp, {"scipy": 5}),
    Job("logsumexp b=", ROWS, DOUBLE, weighted_logsumexp, {"scipy": 5}),
    Job(
        "cross_entropy_with_grad out=",
        MANY,
        SINGLE,
        cross_entropy,
        {"numpy": 8, "torch": 8, "jax": 2.5},
        True,
    ),
    Job("cross_entropy_with_grad out=, sure", MANY, SINGLE, sure_cross_entropy, {}),
    Job("cross_entropy_with_grad out=", ROWS, SINGLE, cross_entropy, {"numpy": 5, "torch": 8}),
    Job("softmax_objective", MANY, SINGLE, boosting, {"numpy": 2.5}),
)
