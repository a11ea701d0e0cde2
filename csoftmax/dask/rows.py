"""All rows, as groups on the workers: what they are, a sample of them, and sums over them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax.dask import tasks
from csoftmax.dask.tasks import Chunk, Settings
from csoftmax.dask.workers import Local
from csoftmax.estimators.scaling import Moments, Scaling
from csoftmax.estimators.training import CheckedObjective
from csoftmax.sources import survey

Array = npt.NDArray[Any]


class Rows:
    """Rows that nobody has seen together.

    Attributes
    ----------
    shape, dtype, is_sparse, nnz
        Of X.
    classes : array or None
        Labels, sorted; None, where there are probabilities.
    n_columns : int
        Of probabilities; 0 for labels.
    weights : array
        Of the rows of each class; of all rows, where there are probabilities.
    moments : Moments or None
        Of the features, if they were asked for.
    n_bytes : int
        Bytes of rows that all passes have read so far.
    """

    def __init__(
        self, workers: Local, loads: list[Any], classes: Array | None, *, standardize: bool
    ) -> None:
        self.workers, self.groups = workers, workers.keep(loads)
        found = workers.gather(workers.each("survey", tasks.survey, self.groups, standardize))
        self._starts = np.cumsum([0, *(each.n_rows for each in found)])
        some = [each for each in found if each.n_rows]
        if not some:
            raise ValueError("X has no rows: wanted at least one")
        for each in some:
            if each.kind != some[0].kind or each.n_columns != some[0].n_columns:
                raise ValueError(
                    f"chunk {each.first} has {_words(each)}: wanted {_words(some[0])}, as chunk "
                    f"{some[0].first} has"
                )
        assert some[0].kind is not None
        self.dtype, width, self.is_sparse = some[0].kind
        self.shape, self.n_columns = (int(self._starts[-1]), width), some[0].n_columns
        self.nnz, self._all_bytes = (
            sum(values) for values in zip(*(e[3:5] for e in some), strict=True)
        )
        self.n_bytes = self._all_bytes
        labels = [each.classes for each in some if each.classes is not None]
        if classes is not None:
            self._known(labels, classes)
        self.classes, self.weights = tasks.counted(labels, [e.weights for e in some], classes)
        self.moments: Moments | None = None
        if standardize:
            self.moments = Moments(width)
            for each in some:
                assert each.moments is not None
                self.moments.merge(each.moments)

    def _known(self, labels: list[Array], classes: Array) -> None:
        if self.n_columns:
            raise ValueError(
                f"classes is given, but y is probabilities of the classes 0 to {self.n_columns - 1}"
                ": wanted None with it"
            )
        for unknown in np.setdiff1d(np.concatenate(labels), classes).tolist():
            raise ValueError(f"y has {unknown!r}: wanted one of the classes, {classes.tolist()}")

    def sample(self) -> Chunk:
        """Some rows, all alike likely to be there, in order; all rows where they fit."""
        n_rows = self.shape[0]
        n = max(1, survey.SAMPLE_BYTES * n_rows // max(1, self._all_bytes))
        rows = np.arange(n_rows)
        if n < n_rows:
            random = np.random.default_rng(0)
            rows = np.sort(random.choice(n_rows, n, replace=False, shuffle=False))
        starts = self._starts
        cuts = np.searchsorted(rows, starts)
        of_group = [rows[cuts[at] : cuts[at + 1]] - starts[at] for at in range(len(self.groups))]
        taken = self.workers.gather(self.workers.map("take", tasks.take, self.groups, of_group))
        chunks = [chunk for group in taken for chunk in group]
        weights = [chunk.sample_weight for chunk in chunks if chunk.sample_weight is not None]
        return Chunk(
            0,
            survey.stacked([chunk.X for chunk in chunks]),
            np.concatenate([chunk.y for chunk in chunks]),
            np.concatenate(weights) if weights else None,
        )

    def prepare(self, settings: Settings) -> None:
        """Have the losses of all groups ready."""
        self.groups = self.workers.each("prepare", tasks.prepare, self.groups, settings)

    def means(self, name: str, function: Any, *shared: Array) -> list[Any]:
        """Weighted means over all rows of what `function` sums up over those of a group."""
        self.n_bytes += self._all_bytes
        return self.workers.sums(name, function, self.groups, *shared).means("X")

    def not_finite(self) -> str:
        """What is not finite in X, as an error has it; empty if all is."""
        found = self.workers.gather(self.workers.map("look", tasks.not_finite, self.groups))
        return next(filter(None, found), "")


def _words(found: tasks.Found) -> str:
    assert found.kind is not None
    dtype, width, is_sparse = found.kind
    target = f"{found.n_columns} probabilities" if found.n_columns else "labels"
    return f"{width} features of {dtype}{', sparse,' if is_sparse else ''} and {target}"


class RowsObjective(CheckedObjective):
    """The loss of all rows, which is computed where they are.

    Parameters
    ----------
    rows : Rows
        Whose losses are prepared.
    sample : CheckedObjective
        Of the rows that can be drawn from, without a penalty.
    scaling, l2
        As of the objective of rows in memory.
    """

    def __init__(self, rows: Rows, sample: CheckedObjective, scaling: Scaling, l2: float) -> None:
        super().__init__(
            rows,
            sample.y[:0],
            sample.n_classes,
            sample.dtype,
            l2=l2,
            fit_intercept=sample.fit_intercept,
            one_row=sample.one_row,
            shift=scaling.shift,
            scale=scaling.scale,
            unit=scaling.unit,
            spread=scaling.spread,
            n_threads=sample.n_threads,
        )
        self._sample = sample

    @property
    def n_bytes(self) -> int:
        """Bytes of X that have been read."""
        return int(self.X.n_bytes)

    def loss_grad(self, theta: Array, rows: Array | None = None) -> tuple[float, Array]:
        """As of Objective, over all rows."""
        assert rows is None
        self.passes += 1
        loss, grad = self.X.means("loss-gradient", tasks.loss_grad, theta)
        penalty, of_w = self.ridge(theta, self.l2)
        grad[: self.n_features] += of_w
        total, grad = float(loss) + penalty, grad.astype(theta.dtype)
        if theta.dtype == self.dtype:  # float32 may be too narrow, and no more
            self.check(total, grad)
        return total, grad

    def hvp(self, theta: Array, direction: Array) -> Array:
        """As of Objective."""
        self.passes += 1.5
        (product,) = self.X.means("hessian-product", tasks.hvp, theta, direction)
        product[: self.n_features] += self.ridge(direction, self.l2)[1]
        return np.asarray(product, theta.dtype)

    def finite_features(self) -> None:
        """Raise ValueError that says where X is not finite, if it is not."""
        if message := self.X.not_finite():
            raise ValueError(message)
