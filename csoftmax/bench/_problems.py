"""The problems of the benchmark of fits: data, penalty, and how good a model is for them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from csoftmax import datasets, reference
from csoftmax.bench._peers import Array

BLOCK = 1 << 20  # numbers that become float64 at a time


class Model(NamedTuple):
    """Coefficients (D, C) and intercept (C,)."""

    W: Array
    b: Array


class Pixels(NamedTuple):
    """The same X as bytes: X = (raw - shift) * scale."""

    raw: Array
    shift: Array | None
    scale: Array


@dataclass
class Data:
    """Rows and labels in 0..C-1, as the contestants get them."""

    X: Any  # C-ordered or CSR
    y: Array
    pixels: Pixels | None = None


@dataclass
class Problem:
    """Fit softmax(X W + b) to labels.

        f(W, b) = mean_i L_i + l1 sum|W| + l2/2 sum(W**2)

    which is 1/(C N) times what LogisticRegression(C, l1_ratio) minimises.
    """

    data: Data
    C: float
    l1_ratio: float

    @cached_property
    def n_classes(self) -> int:
        return int(self.data.y.max()) + 1

    @property
    def l1(self) -> float:
        return self.l1_ratio / (self.C * len(self.data.y))

    @property
    def l2(self) -> float:
        return (1 - self.l1_ratio) / (self.C * len(self.data.y))

    @property
    def sparse(self) -> bool:
        return hasattr(self.data.X, "indptr")

    def key(self) -> str:
        """Name of the problem by its content."""
        X = self.data.X
        content = hashlib.sha256(repr((X.shape, self.C, self.l1_ratio)).encode())
        for part in (X.data, X.indices, X.indptr) if self.sparse else (X,):
            content.update(np.ascontiguousarray(part).data)
        content.update(np.ascontiguousarray(self.data.y).data)
        return content.hexdigest()[:16]

    def objective(self, model: Model) -> float:
        """f, in float64, with little memory."""
        W, b = (part.astype(np.float64) for part in model)
        X, y = self.data.X, self.data.y
        rows, total = max(1, BLOCK // X.shape[1]), 0.0
        for i in range(0, len(y), rows):
            logits = X[i : i + rows].astype(np.float64) @ W + b
            total += reference.cross_entropy(logits, y[i : i + rows], reduction="sum")
        penalty = self.l1 * np.abs(W).sum() + self.l2 / 2 * np.square(W).sum()
        return float(total / len(y) + penalty)

    def gap(self, model: Model) -> float:
        """How far f is above its minimum at most, by duality.

            f(W, b) >= d(P) = -mean_i sum_c P log P - sum(max(|G| - l1, 0)**2) / (2 l2)
            G = X'(P - Y)/N        P rows of probabilities with sum_i(P - Y) = 0

        P is the model's, moved so that it fulfils the condition and, without l2, |G| <= l1.
        """
        X, n = self.data.X, len(self.data.y)
        W, b = (part.astype(np.float64) for part in model)
        Y = np.eye(self.n_classes)[self.data.y]
        P = reference.softmax(X @ W + b, 1)
        have, want = P.mean(axis=0), Y.mean(axis=0)
        move = max(0.0, float(np.max((have - want) / have)))
        P = (1 - move) * P + (want - (1 - move) * have)
        G = X.T @ (P - Y) / n
        if not self.l2:
            shrink = min(1.0, self.l1 / float(np.abs(G).max()))
            P, G = Y + shrink * (P - Y), shrink * G
        over = np.square(np.maximum(np.abs(G) - self.l1, 0)).sum()
        entropy = -(P * np.log(np.where(P > 0, P, 1))).sum() / n
        return self.objective(model) - float(entropy - (over / (2 * self.l2) if self.l2 else 0))


# ---- data --------------------------------------------------------------------------------------


def mnist() -> Data:
    """60000 images of 28 x 28, in 0..1."""
    found = datasets.load_mnist(_folder() / "mnist")
    raw = np.ascontiguousarray(found.X_train)
    ready = raw / np.float32(255)
    return Data(ready, found.y_train, Pixels(raw, None, _per_255(raw)))


def mnist_float64() -> Data:
    """The same in float64, as scikit-learn's own loaders and pandas give numbers."""
    found = mnist()
    return Data(found.X.astype(np.float64), found.y)


def cifar() -> Data:
    """49000 images of 32 x 32 x 3, less their mean and divided by 255."""
    found = datasets.load_cifar10(_folder() / "cifar-10-batches-py")
    raw = np.ascontiguousarray(found.X_train[:49000])
    mean = raw.mean(axis=0, dtype=np.float64)
    ready = raw - mean.astype(np.float32)
    ready *= np.float32(1 / 255)
    return Data(ready, found.y_train[:49000], Pixels(raw, mean, _per_255(raw)))


def _per_255(raw: Array) -> Array:
    return np.full(raw.shape[1], 1 / 255)


def text(name: str) -> Callable[[], Data]:
    """Sublinear tf-idf of word counts, CSR float64."""

    def load() -> Data:
        from sklearn.feature_extraction.text import TfidfTransformer

        found = datasets.load_svmlight(_folder() / "text" / f"{name}.train.svm")
        X = TfidfTransformer(sublinear_tf=True).fit_transform(found.X_train).tocsr()
        return Data(X, np.unique(found.y_train, return_inverse=True)[1])

    return load


def correlated() -> Data:
    """784 features that are mixtures of 784 factors, whose sizes span three powers of ten."""
    rng = np.random.default_rng(0)
    mix = rng.standard_normal((784, 784)).astype(np.float32)
    mix *= np.logspace(0, -3, 784).astype(np.float32)[:, None]
    X = rng.standard_normal((60000, 784), dtype=np.float32) @ mix
    X /= X.std(axis=0)
    logits = X @ rng.standard_normal((784, 10)).astype(np.float32)
    logits *= 3 / logits.std()
    return Data(X, _drawn(logits, rng))


def many_classes() -> Data:
    """10000 classes with 12000 documents of 8 words, 3 of them their class's, as 0 and 1 in CSR.

    The classes' sizes fall as 1/rank, but each class has a document.
    """
    import scipy.sparse

    rng = np.random.default_rng(2)
    rows, features, classes = 12000, 1000, 10000
    share = 1 / np.arange(1, classes + 1)
    more = rng.choice(classes, rows - classes, p=share / share.sum())
    y = np.concatenate([np.arange(classes), more])
    own = rng.integers(0, features, (classes, 3))
    words = np.hstack([own[y], (features * rng.random((rows, 5)) ** 3).astype(np.intp)])
    words = words.astype(np.int32)  # what all of scikit-learn's solvers take
    ends = np.arange(0, words.size + 1, words.shape[1], dtype=np.int32)
    ones = np.ones(words.size, np.float32)
    X = scipy.sparse.csr_array((ones, words.ravel(), ends), shape=(rows, features))
    X.sum_duplicates()
    X.data[:] = 1
    return Data(X, y)


def imbalanced() -> Data:
    """200000 rows of 10 numbers of unlike sizes and 44 rare flags; classes from 0.5 % to half."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((200000, 54)).astype(np.float32)
    X[:, 10:] = X[:, 10:] > 1.5
    X[:, :10] *= np.logspace(-0.5, 0.5, 10, dtype=np.float32)
    share = np.log([0.36, 0.49, 0.06, 0.005, 0.016, 0.03, 0.035])
    return Data(X, _drawn(X @ rng.standard_normal((54, 7)) + share, rng))


def _drawn(logits: Array, rng: np.random.Generator) -> Array:
    """Labels drawn from the softmax of logits."""
    y: Array = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    return y


def small(name: str) -> Callable[[], Data]:
    """One of scikit-learn's own data sets, as it comes."""

    def load() -> Data:
        import sklearn.datasets

        X, y = getattr(sklearn.datasets, f"load_{name}")(return_X_y=True)
        return Data(X, y)

    return load


def _folder() -> Path:
    folder = os.environ.get("CSOFTMAX_DATA")
    if not folder:
        raise FileNotFoundError("CSOFTMAX_DATA does not name a folder with the data sets")
    return Path(folder)


class Fit(NamedTuple):
    """A line of the table."""

    name: str
    load: Callable[[], Data]
    C: float
    goal: float  # how many times as fast as scikit-learn's fastest solver
    l1_ratio: float = 0.0
    counts: tuple[str, ...] = ("csoftmax",)  # who is to reach it
    small: bool = False  # whole fits are timed, as their fixed cost counts

    def __str__(self) -> str:
        penalty = ", l1" if self.l1_ratio else ""
        return f"{self.name}, C = {self.C:g}{penalty}"


NEWS, REUTERS = text("20news-bydate"), text("reuters-single")

FITS = (
    Fit("MNIST 60000 x 784 x 10", mnist, 1.0, 16, counts=("csoftmax", "uint8")),
    Fit("MNIST 60000 x 784 x 10", mnist, 0.01, 12),
    Fit("MNIST in float64 60000 x 784 x 10", mnist_float64, 1.0, 16),
    Fit("CIFAR-10 49000 x 3072 x 10", cifar, 0.01, 10, counts=("uint8",)),
    Fit("correlated 60000 x 784 x 10", correlated, 1.0, 50),
    Fit("imbalanced 200000 x 54 x 7", imbalanced, 1.0, 12),
    Fit("20 Newsgroups 11314 x 46818 x 20", NEWS, 20.0, 6),
    Fit("Reuters 6532 x 12163 x 52", REUTERS, 10.0, 6),
    Fit("sparse 12000 x 1000 x 10000", many_classes, 1.0, 2),
    Fit("MNIST 60000 x 784 x 10", mnist, 1.0, 5, l1_ratio=1.0),
    Fit("20 Newsgroups 11314 x 46818 x 20", NEWS, 20.0, 5, l1_ratio=1.0),
    Fit("digits 1797 x 64 x 10", small("digits"), 1.0, 2, small=True),
    Fit("iris 150 x 4 x 3", small("iris"), 1.0, 2, small=True),
    Fit("wine 178 x 13 x 3", small("wine"), 1.0, 2, small=True),
)
