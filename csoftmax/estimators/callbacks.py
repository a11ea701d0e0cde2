"""scikit-learn's own callbacks (`set_callbacks`, from scikit-learn 1.9 on).

To them a fit is a task, and its parts are the iterations. When one has ended nobody knows whether
another follows: it begins all the same and, if none did, ends empty, as with LogisticRegression.
A choice of C is a task with a part for each C, and one for the model of all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy.typing as npt

from csoftmax.estimators.training import FitProgress

Array = npt.NDArray[Any]


class FitTask:
    """Tells scikit-learn's callbacks of a fit: itself a callback, called after each iteration.

    Parameters
    ----------
    estimator : CallbackSupportMixin
        That which is fitted. Before scikit-learn 1.9 it has no callbacks, and nobody is told.
    X, y, sample_weight
        As given to `fit`.
    classes : ndarray
        As `classes_` will be.
    start : callable
        Returns coefficients and intercept before the first iteration.
    """

    def __init__(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        sample_weight: Any,
        classes: Array,
        start: Callable[[], tuple[Array, Array]],
    ) -> None:
        self.estimator, self.classes = estimator, classes
        self.told = _told(estimator, X, y, sample_weight)
        self.fit: Any = None
        self.iteration: Any = None
        if hasattr(estimator, "_init_callback_context"):
            # one more than there are, for that which ends empty
            self.fit = estimator._init_callback_context(max_subtasks=estimator.max_iter + 1)
            self.fit.call_on_fit_task_begin(**self.told)
            if hasattr(estimator, "_skl_callbacks"):
                self._begin(start)

    def __call__(self, progress: FitProgress) -> bool:
        """End an iteration and begin the next. Whether a callback wants to stop."""
        if self.iteration is None:
            return False

        def model() -> tuple[Array, Array]:
            return progress.coef, progress.intercept

        stop = self.iteration.call_on_fit_task_end(
            reconstruction_attributes=self._attributes(model), **self.told
        )
        self._begin(model)
        return bool(stop)

    def end(self) -> None:
        """The estimator is fitted."""
        if self.iteration is not None:
            self.iteration.call_on_fit_task_end(estimator=self.estimator)
        if self.fit is not None:
            self.fit.call_on_fit_task_end(reconstruction_attributes={}, **self.told)

    def _begin(self, model: Callable[[], tuple[Array, Array]]) -> None:
        self.iteration = self.fit.subcontext(task_name="iteration")
        self.iteration.call_on_fit_task_begin(
            reconstruction_attributes=self._attributes(model), **self.told
        )

    def _attributes(self, model: Callable[[], tuple[Array, Array]]) -> Callable[[], dict[str, Any]]:
        """What makes a copy of the estimator one that predicts; made when asked for."""

        def attributes() -> dict[str, Any]:
            coef, intercept = model()
            return {"coef_": coef, "intercept_": intercept, "classes_": self.classes}

        return attributes


class SearchTask:
    """Tells scikit-learn's callbacks of a choice of C.

    Parameters
    ----------
    estimator : CallbackSupportMixin
        As for `FitTask`; here with `refit`.
    X, y, sample_weight
        As given to `fit`.
    n_Cs : int
    """

    def __init__(self, estimator: Any, X: Any, y: Any, sample_weight: Any, n_Cs: int) -> None:
        self.told = _told(estimator, X, y, sample_weight)
        self.fit: Any = None
        if hasattr(estimator, "_init_callback_context"):
            self.fit = estimator._init_callback_context(max_subtasks=n_Cs + bool(estimator.refit))
            self.fit.call_on_fit_task_begin(**self.told)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """What happens within is a part. No callback stops it: all scores are needed."""
        if self.fit is None:
            yield
            return
        part = self.fit.subcontext(task_name=name)
        part.call_on_fit_task_begin(**self.told)
        yield
        part.call_on_fit_task_end(**self.told)

    def end(self) -> None:
        """The estimator is fitted."""
        if self.fit is not None:
            self.fit.call_on_fit_task_end(reconstruction_attributes={}, **self.told)


def _told(estimator: Any, X: Any, y: Any, sample_weight: Any) -> dict[str, Any]:
    metadata = None if sample_weight is None else {"sample_weight": sample_weight}
    return {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
