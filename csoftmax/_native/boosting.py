"""A softmax over the scores of boosted trees, and its options: from the caller to the kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax._native import checks, dispatch, threads

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Problem:
    """Scores and targets as the kernel takes them."""

    scores: Array
    index: Array | None
    prob: Array | None
    class_weight: Array | None
    weight: Array | None


class Softmax:
    """The options that objective and metric share."""

    def __init__(
        self,
        class_weight: Any,
        soft_labels: Any,
        label_smoothing: float,
        gamma: float,
        temperature: float,
        n_threads: int | None,
    ) -> None:
        self.class_weight = _class_weight(class_weight)
        self.soft_labels = None if soft_labels is None else _soft_labels(soft_labels)
        self.label_smoothing = checks.real("label_smoothing", label_smoothing, 0, 1)
        self.gamma = checks.real("gamma", gamma, 0)
        self.temperature = checks.real("temperature", temperature)
        if self.temperature <= 0:
            raise ValueError(f"temperature is {temperature}: wanted a positive number")
        self.n_threads = None if n_threads is None else checks.n_threads(n_threads)

    def options(self) -> str:
        """Return the options that are set, as a call has them: searches show their candidates."""
        none = {"label_smoothing": 0.0, "gamma": 0.0, "temperature": 1.0}
        return ", ".join(
            f"{name}={f'<{value.shape}>' if isinstance(value, np.ndarray) else value}"
            for name, value in vars(self).items()
            if value is not None and (name not in none or value != none[name])
        )

    def problem(self, predictions: Array, labels: Any, weight: Any) -> Problem:
        """Check what came, which is done before anything is computed."""
        labels = checks.array("labels", labels) if self.soft_labels is None else self.soft_labels
        scores = _by_row(predictions, len(labels) if labels.ndim else 0)
        dtype = checks.kernel_dtype(checks.result_dtype(scores.dtype))
        n_rows, n_classes = scores.shape
        index = prob = None
        if labels.shape == scores.shape:
            prob = checks.native(labels, dtype)
        elif labels.shape == (n_rows,) and self.soft_labels is None:
            index = checks.labels("labels", labels)
            checks.label_range("labels", index, n_classes)
        else:
            wanted = f"{scores.shape} as the predictions, row by row"
            if self.soft_labels is None:
                wanted = f"({n_rows},) class indices or {scores.shape} probabilities"
            name = "labels have" if self.soft_labels is None else "soft_labels has"
            raise ValueError(f"{name} shape {labels.shape}: wanted {wanted}")
        class_weight = self.class_weight
        if isinstance(class_weight, dict):
            class_weight = _of_classes(class_weight, n_classes)
        if weight is not None and np.size(weight) == 0 and n_rows:  # XGBoost's way to have none
            weight = None
        return Problem(
            checks.native(scores, dtype),
            index,
            prob,
            checks.weights("class_weight", class_weight, n_classes, dtype, "class"),
            checks.weights("weights", weight, n_rows, dtype, "row"),
        )

    def grad_hess(self, problem: Problem, curvature: float, least: float) -> tuple[Array, Array]:
        """Gradient and Hessian's diagonal in float32, which lie as the scores do."""
        scores = problem.scores
        grad, hess = (np.empty_like(scores, np.float32, subok=False) for _ in range(2))
        self._run(problem, curvature, least, grad, hess, None)
        return grad, hess

    def mean_loss(self, problem: Problem) -> float:
        """The weighted mean of the rows' losses."""
        losses, counts = np.zeros(len(problem.scores)), np.ones(len(problem.scores))
        self._run(problem, 1.0, 0.0, None, None, losses)
        if problem.index is not None and problem.class_weight is not None:
            counts[:] = problem.class_weight[problem.index]
        if problem.weight is not None:
            counts *= problem.weight
            # 0 * inf is NaN, and past float64 is inf: results like others
            with np.errstate(invalid="ignore", over="ignore"):
                losses *= problem.weight
        total = dispatch.kernels.total(counts)
        return float(dispatch.kernels.total(losses) / total) if total else float("nan")

    def _run(
        self,
        problem: Problem,
        curvature: float,
        least: float,
        grad: Array | None,
        hess: Array | None,
        losses: Array | None,
    ) -> None:
        dispatch.kernels.row_boost(
            problem.scores,
            problem.index,
            problem.prob,
            problem.class_weight,
            problem.weight,
            self.label_smoothing,
            self.gamma,
            1 / self.temperature,
            curvature,
            least,
            grad,
            hess,
            losses,
            threads.resolve(self.n_threads, problem.scores.size * threads.NS_PER_LOGIT),
        )


def _by_row(predictions: Array, n_rows: int) -> Array:
    """(N, C) scores: as they are, or a view of those that are flat by class."""
    shape = predictions.shape
    if len(shape) == 1 and n_rows and shape[0] > n_rows and shape[0] % n_rows == 0:
        return predictions.reshape((n_rows, -1), order="F")
    if len(shape) != 2 or shape[1] < 2:
        raise ValueError(
            f"predictions have shape {shape}: wanted (N, C), a score for each of two or more "
            "classes (num_class is the libraries' parameter; of two classes, their binary "
            "objectives have one score)"
        )
    return predictions


def _class_weight(value: Any) -> Any:
    """A dictionary or a vector, checked as far as it can be without knowing the classes."""
    if value is None:
        return None
    if isinstance(value, str):
        raise TypeError(
            f"class_weight is {value!r}: wanted numbers, one for each class "
            "(sklearn.utils.class_weight.compute_class_weight makes them)"
        )
    if isinstance(value, Mapping):
        return {
            checks.integer("a class of class_weight", label, 0): checks.real(
                f"class_weight[{label!r}]", weight, 0
            )
            for label, weight in value.items()
        }
    vector = checks.array("class_weight", value)
    if vector.ndim != 1:
        raise ValueError(f"class_weight has shape {vector.shape}: wanted (C,), one for each class")
    return checks.weights("class_weight", vector, len(vector), np.dtype(np.float64), "class")


def _of_classes(weights: dict[int, float], n_classes: int) -> Array:
    """A dictionary's weights as a vector."""
    result = np.ones(n_classes)
    for label, weight in weights.items():
        if label >= n_classes:
            raise ValueError(
                f"class_weight has class {label}: wanted classes from 0 to {n_classes - 1}"
            )
        result[label] = weight
    return result


def _soft_labels(value: Any) -> Array:
    """(N, C) probabilities."""
    found = checks.array("soft_labels", value)
    if found.ndim != 2:
        raise ValueError(f"soft_labels has shape {found.shape}: wanted (N, C) probabilities")
    if found.size and not (found.min() >= 0 and found.max() < np.inf):
        raise ValueError(
            f"soft_labels are from {found.min()} to {found.max()}: "
            "wanted finite numbers, none negative"
        )
    return found
