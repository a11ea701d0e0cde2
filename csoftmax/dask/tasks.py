"""What the workers do: functions of a group of chunks, in NumPy's arrays; Dask is not known here.

A group is what one task computes on. What it returns is small, or as large as the gradient: sums
over its rows, in float64 and in the order of its chunks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from csoftmax._native import checks
from csoftmax.estimators import SoftmaxClassifier, training
from csoftmax.estimators import checks as fit_checks
from csoftmax.estimators.scaling import Moments, Scaling
from csoftmax.over_blocks import Sums
from csoftmax.solvers.objective import Objective

Array = npt.NDArray[Any]

_NAME = SoftmaxClassifier()  # whose name stands in errors


class Chunk(NamedTuple):
    """Some rows with their targets, as they were given."""

    number: int
    X: Any  #: (n, D) array or CSR of floats, or of bytes
    y: Array  #: (n,) labels, or (n, C) probabilities
    sample_weight: Array | None


class Share(NamedTuple):
    """The loss of a chunk's rows, and what they weigh together."""

    number: int
    weight: float
    objective: Objective


@dataclass
class Group:
    """Chunks, or their shares. Dask sees how large it is, so that tasks go to it."""

    parts: list[Any]
    n_bytes: int

    def __sizeof__(self) -> int:
        return self.n_bytes


class Found(NamedTuple):
    """What a group's rows are."""

    first: int  #: number of the first chunk that has rows
    n_rows: int
    #: dtype, features, whether sparse; None without rows
    kind: tuple[np.dtype[Any], int, bool] | None
    nnz: int
    n_bytes: int
    n_columns: int  #: of probabilities; 0 for labels
    classes: Array | None
    weights: Array  #: of the classes' rows; of all rows, where there are probabilities
    moments: Moments | None


class Settings(NamedTuple):
    """What makes a loss of rows; the first three are called as the estimator's parameters are."""

    fit_intercept: bool
    label_smoothing: float
    n_jobs: int
    classes: Array
    factors: Array | None  #: weights of the classes
    scaling: Scaling


@contextmanager
def _named(number: int) -> Iterator[None]:
    """Have errors about some rows say in which chunk they are."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise type(error)(f"chunk {number} of X: {error}") from error


def as_array(frame: Any) -> Array:
    """Rows of a data frame, as the estimators see them."""
    if len(frame):
        return np.asarray(fit_checks.features(_NAME, frame, reset=True))
    return np.empty(frame.shape, fit_checks.frame_dtype(frame))


# ---- before the fit ----------------------------------------------------------------------------


def load(first: int, X: Sequence[Any], y: Sequence[Any], weights: Sequence[Any]) -> Group:
    """Chunks as a group, checked and converted; those without rows are left out."""
    chunks = []
    for number, parts in enumerate(zip(X, y, weights, strict=True), first):
        with _named(number):
            if any(part is not None and part.shape[0] for part in parts):
                chunks.append(Chunk(number, *_checked(*parts)))
    return Group(chunks, sum(_bytes(chunk) for chunk in chunks))


def _checked(X: Any, y: Any, sample_weight: Any) -> tuple[Any, Array, Array | None]:
    n_rows = X.shape[0]
    for name, values in (("y", y), ("sample_weight", sample_weight)):
        if values is not None and len(values) != n_rows:
            raise ValueError(f"{name} has {len(values)} rows there, but X has {n_rows}")
    if checks.is_sparse(X):
        X = X.tocsr()
    X = fit_checks.features(_NAME, X, reset=True)
    target, _ = fit_checks.labels_or_probabilities(_NAME, y, X)
    if sample_weight is None or np.any(sample_weight):
        return X, target, fit_checks.sample_weights(sample_weight, X)
    return X, target, np.zeros(n_rows)  # other chunks have weights


def survey(group: Group, standardize: bool) -> Found:
    """What the rows are."""
    chunks = group.parts
    first = chunks[0].number if chunks else 0
    kinds = {(chunk.X.dtype, chunk.X.shape[1], checks.is_sparse(chunk.X)) for chunk in chunks}
    columns = {chunk.y.shape[1] if chunk.y.ndim == 2 else 0 for chunk in chunks}
    for name, found in (("X", kinds), ("y", columns)):
        if len(found) > 1:
            raise ValueError(f"the chunks of {name} from {first} on differ: {found}")
    moments = Moments(chunks[0].X.shape[1]) if standardize and chunks else None
    classes, weights = [], []
    nnz = n_rows = 0
    for chunk in chunks:
        n_rows += chunk.X.shape[0]
        nnz += chunk.X.nnz if checks.is_sparse(chunk.X) else chunk.X.size
        if moments is not None:
            moments.add(chunk.X, chunk.sample_weight)
        row_weight = chunk.sample_weight
        if chunk.y.ndim == 1:
            labels, index = training.encode(chunk.y)
            classes.append(labels)
            weights.append(np.bincount(index, row_weight).astype(np.float64))
        else:
            total = len(chunk.y) if row_weight is None else row_weight.sum()
            weights.append(np.array([total], np.float64))
    return Found(
        first,
        n_rows,
        kinds.pop() if kinds else None,
        nnz,
        group.n_bytes,
        columns.pop() if columns else 0,
        *counted(classes, weights),
        moments,
    )


def counted(
    classes: list[Array], weights: list[Array], known: Array | None = None
) -> tuple[Array | None, Array]:
    """All classes, and the weights of each, in the order of the lists; of all rows without."""
    if known is None and not classes:
        return None, np.array([sum(float(w[0]) for w in weights)])
    known = np.unique(np.concatenate(classes)) if known is None else known
    total = np.zeros(len(known))
    for labels, of_labels in zip(classes, weights, strict=True):
        total[fit_checks.known_labels(labels, known)] += of_labels
    return known, total


def take(group: Group, rows: npt.NDArray[np.int64]) -> list[Chunk]:
    """Some rows, in order: whose numbers count from the group's first."""
    taken, start = [], 0
    for chunk in group.parts:
        stop = start + chunk.X.shape[0]
        at = rows[(rows >= start) & (rows < stop)] - start
        weights = None if chunk.sample_weight is None else chunk.sample_weight[at]
        taken.append(Chunk(chunk.number, chunk.X[at], chunk.y[at], weights))
        start = stop
    return taken


def prepare(group: Group, settings: Settings) -> Group:
    """The losses of a group's chunks, ready for passes."""
    shares = []
    for number, X, y, sample_weight in group.parts:
        with _named(number):
            objective, weight = loss_of(X, y, sample_weight, settings)
        shares.append(Share(number, weight, objective))
    labels = sum(share.objective.y.nbytes for share in shares)
    return Group(shares, group.n_bytes + labels)


def loss_of(
    X: Any, y: Array, sample_weight: Array | None, settings: Settings
) -> tuple[training.CheckedObjective, float]:
    """The mean loss of some rows without a penalty, and what they weigh together."""
    if y.ndim == 1:
        y = fit_checks.known_labels(y, settings.classes)
    weights = training.weights_of_rows(settings.factors, y, sample_weight)
    total = float(X.shape[0]) if weights is None else float(weights.sum())
    if not total > 0:
        weights = None  # such rows are looked at all the same
    n_classes = len(settings.classes)
    return training.mean_loss(settings, X, y, n_classes, weights, settings.scaling), total


# ---- passes ------------------------------------------------------------------------------------


def loss_grad(group: Group, theta: Array) -> Sums:
    """Sums of loss and gradient over a group's rows."""
    sums = Sums()
    for _, weight, objective in group.parts:
        sums.add(weight, list(objective.loss_grad(theta)))
    return sums


def hvp(group: Group, theta: Array, direction: Array) -> Sums:
    """Sums of the Hessians times a direction."""
    sums = Sums()
    for _, weight, objective in group.parts:
        sums.add(weight, [objective.hvp(theta, direction)])
    return sums


def added(sums: Sequence[Sums]) -> Sums:
    """Sums over several groups, in their order. What is given stays as it is."""
    total = Sums()
    for each in sums:
        total.merge(each)
    return total


def not_finite(group: Group) -> str:
    """What is not finite in X, as an error has it; empty if all is."""
    try:
        for number, _, objective in group.parts:
            with _named(number):
                fit_checks.finite_features(_NAME, objective.X)
    except ValueError as error:
        return str(error)
    return ""


# ---- predictions -------------------------------------------------------------------------------


def predicted(X: Any, model: Any, method: str, like: Array) -> Array:
    """What a method of a model in memory gives for a chunk; rows as those of `like`, also none."""
    return np.asarray(getattr(model, method)(X)) if X.shape[0] else like


def hits(group: Group, model: Any) -> tuple[float, float]:
    """Weight of the rows that are predicted right, and of all."""
    right = total = 0.0
    for number, X, y, sample_weight in group.parts:
        with _named(number):
            hit = model.predict(X) == fit_checks.labels(_NAME, y, X)
        weight = np.ones(len(hit)) if sample_weight is None else sample_weight
        right += float(weight[hit].sum())
        total += float(weight.sum())
    return right, total


def _bytes(chunk: Chunk) -> int:
    arrays = [*checks.parts("X", chunk.X).values(), chunk.y, chunk.sample_weight]
    return sum(array.nbytes for array in arrays if array is not None)
