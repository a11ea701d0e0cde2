"""The data of the worksheet: rows split three ways, and the grid that suits them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csoftmax.datasets import Dataset

Array = NDArray[Any]

# The course's published settings for CIFAR-10, ten by ten. It regularises by reg * sum(W**2),
# csoftmax by half of that, so that csoftmax's number is twice the published one.
COURSE_LEARNING_RATES = tuple(np.linspace(1e-7, 5e-7, 10).tolist())
COURSE_REGS = tuple((2 * np.linspace(2.5e4, 5e4, 10)).tolist())


@dataclass(frozen=True)
class Data:
    """Rows split three ways, with the shift and scale that the kernels apply as they read."""

    name: str
    X_train: Array
    y_train: Array
    X_val: Array
    y_val: Array
    X_test: Array
    y_test: Array
    shift: Array
    scale: Array | None
    spread: float
    class_names: tuple[str, ...]
    image_shape: tuple[int, ...] | None
    is_course: bool
    split: str

    def __repr__(self) -> str:
        parts = {"training": self.y_train, "validation": self.y_val, "test": self.y_test}
        counts = ", ".join(f"{len(y)} {name}" for name, y in parts.items())
        row = f"{self.X_train.shape[1]} {self.X_train.dtype}"
        return f"Data({self.name!r}: {counts} rows of {row}; {self.n_classes} classes)"

    @property
    def n_classes(self) -> int:
        """Number of classes that the training rows show, as the models count them."""
        return int(self.y_train.max()) + 1

    @property
    def features(self) -> dict[str, Any]:
        """The keyword arguments by which a kernel centres (and scales) the rows it reads."""
        return {"shift": self.shift, "scale": self.scale}


@dataclass(frozen=True)
class Settings:
    """What the steps are asked to do; `regs` are in csoftmax's form, reg/2 * sum(W**2)."""

    learning_rates: tuple[float, ...]
    regs: tuple[float, ...]
    iterations: int = 1500
    batch_size: int = 200
    seed: int = 0

    def __repr__(self) -> str:
        rates, regs = ((len(v), min(v), max(v)) for v in (self.learning_rates, self.regs))
        return (
            "Settings({} learning rates {:.3g} to {:.3g}, ".format(*rates)
            + "{} regs {:.3g} to {:.3g}, ".format(*regs)
            + f"{self.iterations} steps of {self.batch_size} rows, seed {self.seed})"
        )


def prepare(dataset: Dataset, seed: int = 0) -> Data:
    """Split a dataset into training, validation and test rows, and find the mean of the first.

    CIFAR-10 is split as in the course: 49000, 1000, 1000 rows in file order. Other data lose a
    tenth of each class to validation and, where they bring no test rows, a fifth to the test.
    Rows that are no images are also divided by each feature's standard deviation.

    Parameters
    ----------
    dataset : Dataset
        As `csoftmax.datasets.load` returns it, with dense rows.
    seed : int
        Chooses the rows that are held out.

    Raises
    ------
    ValueError
        For sparse rows, a single class, too few rows to split, features that are not finite, or
        none that varies.
    """
    _check(dataset)
    is_course = (
        dataset.image_shape == (32, 32, 3)
        and len(dataset.X_train) == 50000
        and len(dataset.class_names) == 10
        and dataset.X_test is not None
    )
    parts, split = _course_split(dataset) if is_course else _shuffled_split(dataset, seed)
    X_train, y_train, X_val, y_val, X_test, y_test = parts
    with np.errstate(invalid="ignore", over="ignore"):  # told just below
        shift, deviation = _moments(X_train)
    if not np.isfinite(deviation).all():
        column = int(np.argmin(np.isfinite(deviation)))
        raise ValueError(f"{dataset.name}: feature {column} holds NaN or infinity")
    if not deviation.any():
        raise ValueError(
            f"{dataset.name}: all {len(deviation)} features are constant over the {len(X_train)} "
            "training rows: wanted features that vary"
        )
    scale = None
    if dataset.image_shape is None:
        scale = 1 / np.where(deviation > 0, deviation, 1.0)
        deviation = deviation * scale
    return Data(
        name=dataset.name,
        X_train=X_train,
        y_train=y_train,
        X_val=X_val,
        y_val=y_val,
        X_test=X_test,
        y_test=y_test,
        shift=shift,
        scale=scale,
        spread=float((deviation**2).sum()),
        class_names=dataset.class_names,
        image_shape=dataset.image_shape,
        is_course=is_course,
        split=split,
    )


def _check(dataset: Dataset) -> None:
    """Refuse what the worksheet cannot work on."""
    X, y = dataset.X_train, dataset.y_train
    if not isinstance(X, np.ndarray):
        seen = getattr(X, "format", type(X).__name__)
        raise ValueError(
            f"{dataset.name} holds sparse rows ({seen}, {X.shape[0]} x {X.shape[1]}): "
            "the worksheet wants dense rows, for example from .npz, .npy or image files"
        )
    n_classes = len(np.unique(y))
    if n_classes < 2:
        raise ValueError(f"{dataset.name} holds {n_classes} class: wanted two or more")
    if len(X) < 10 * n_classes:
        raise ValueError(
            f"{dataset.name} holds {len(X)} rows for {n_classes} classes: "
            "wanted at least ten a class, to hold some out"
        )


def _course_split(dataset: Dataset) -> tuple[tuple[Array, ...], str]:
    """Return 49000, 1000 and 1000 rows in file order, as views."""
    X, y, X_test, y_test = dataset.X_train, dataset.y_train, dataset.X_test, dataset.y_test
    assert y_test is not None  # a Dataset has both test arrays or neither
    parts = (X[:49000], y[:49000], X[49000:], y[49000:], X_test[:1000], y_test[:1000])
    return parts, "the course's: first 49000 rows, the next 1000, the first 1000 test rows"


def _shuffled_split(dataset: Dataset, seed: int) -> tuple[tuple[Array, ...], str]:
    """Hold out a tenth of each class to validate and, where no test rows come, a fifth to test."""
    X, y, X_test, y_test = dataset.X_train, dataset.y_train, dataset.X_test, dataset.y_test
    if X.dtype not in (np.uint8, np.float32, np.float64):
        X = X.astype(np.float32)  # once, here; the kernels would convert on every step
    text = f"one row in ten of each class validates (seed {seed})"
    if X_test is None or y_test is None or not len(y_test):
        kept, held = _hold_out(y, 5, seed)
        X, y, X_test, y_test = X[kept], y[kept], X[held], y[held]
        text = f"one row in five of each class tests, then {text}"
    kept, held = _hold_out(y, 10, seed)
    parts = (X[kept], y[kept], X[held], y[held], X_test.astype(X.dtype, copy=False), y_test)
    return parts, text


def _hold_out(y: Array, every: int, seed: int) -> tuple[Array, Array]:
    """Return the indices kept and one index in `every` of each class, both in row order."""
    order = np.random.default_rng(seed).permutation(len(y))
    by_class = order[np.argsort(y[order], kind="stable")]
    held = np.zeros(len(y), dtype=bool)
    held[by_class[every // 2 :: every]] = True
    return np.flatnonzero(~held), np.flatnonzero(held)


def _moments(X: Array, block: int = 1024) -> tuple[Array, Array]:
    """Return mean and standard deviation of each feature without a float copy of X."""
    mean = X.mean(axis=0, dtype=np.float64)
    squares = np.zeros(X.shape[1])
    for start in range(0, len(X), block):
        centred = X[start : start + block] - mean
        squares += np.einsum("ij,ij->j", centred, centred)
    return mean, np.sqrt(squares / len(X))


def default_settings(data: Data) -> Settings:
    """Return the grid to search: the course's for CIFAR-10, else one scaled to the data.

    A step is stable while learning_rate * (mean squared length of a centred row) is a few units,
    and reg acts beside the same number: so both follow it, rounded to one digit.
    """
    if data.is_course:
        # Ends of the published grid; 2.5e4 is its number read in csoftmax's form, and 5e3 and 1e-6
        # go beyond it.
        rates, regs = COURSE_LEARNING_RATES, COURSE_REGS
        return Settings((rates[0], rates[-1], 1e-6), (5e3, 2.5e4, regs[0], regs[-1]))
    spread = data.spread or 1.0
    return Settings(
        tuple(float(f"{steps / spread:.0e}") for steps in (1, 3, 10)),
        tuple(float(f"{share * spread:.0e}") for share in (1e-5, 1e-4, 1e-3)),
    )


def published_settings(data: Data) -> Settings:
    """Return the whole grid of the course's published sheet, ten by ten settings of CIFAR-10.

    Raises
    ------
    ValueError
        For other data.
    """
    if not data.is_course:
        raise ValueError(f"the published grid is that of CIFAR-10, and the data are {data.name}")
    return Settings(COURSE_LEARNING_RATES, COURSE_REGS)
