"""Fitted models of every kind, small, and how to tell that two are the same."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

from csoftmax import SGD, SoftmaxClassifier, SoftmaxClassifierCV

IRIS, SPECIES = load_iris(return_X_y=True)
METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function")

#: labels of every type that a file can hold, in order
LABELS = {
    "bool": [False, True],
    **{
        f"{sign}int{bits}": [0, 1, np.iinfo(f"{sign}int{bits}").max]
        for sign in ("", "u")
        for bits in (8, 16, 32, 64)
    },
    "float16": [-1.0, 0.0, 2.0**10],
    "float32": [-1.0, 0.0, 2.0**24],
    "float64": [-1.0, 0.0, 2.0**53],
    "<U9": ["a", "cinéma", "雪"],
    "object": ["setosa", "versicolor and more", "virginica"],
    "datetime64[D]": ["1969-12-31", "2024-02-29", "2262-04-12"],
    "timedelta64[ms]": [-1, 0, 2**53 + 1],
}


def classes(kind: str) -> Any:
    return np.array(LABELS[kind], np.dtype(kind))


def with_labels(kind: str, **options: Any) -> Any:
    """A model of iris, or of two of its species, with such labels."""
    labels = classes(kind)
    rows = len(labels) > SPECIES
    return SoftmaxClassifier(**options).fit(IRIS[rows], labels[SPECIES[rows]])


def names_of_all() -> list[str]:
    return sorted(_MAKERS)


def made(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return _MAKERS[name]()


def _frame() -> Any:
    import pandas

    return pandas.DataFrame(IRIS.astype(np.float32), columns=["a", "b", "c", "d é"])


def _streamed() -> Any:
    model = SoftmaxClassifier(standardize=True, random_state=0)
    return model.partial_fit(IRIS[:90], SPECIES[:90], classes=[0, 1, 2]).partial_fit(IRIS, SPECIES)


def _soft() -> Any:
    votes = 0.7 * np.eye(3)[SPECIES] + 0.1
    return SoftmaxClassifier(label_smoothing=0.1).fit(IRIS, votes)


_TWO = SPECIES < 2
_GRID = {"Cs": np.array([0.01, 1.0], np.float32), "cv": 2, "l1_ratios": [0.0, 1]}
_MAKERS = {
    "three classes": lambda: SoftmaxClassifier().fit(IRIS, SPECIES),
    "two classes": lambda: SoftmaxClassifier().fit(IRIS[_TWO], SPECIES[_TWO]),
    "float32": lambda: SoftmaxClassifier().fit(IRIS.astype(np.float32), SPECIES),
    "names": lambda: SoftmaxClassifier().fit(_frame(), SPECIES),
    "sparsified": lambda: SoftmaxClassifier(C=0.05, l1_ratio=1).fit(IRIS, SPECIES).sparsify(),
    "sparsified, two classes": lambda: (
        SoftmaxClassifier(C=0.05, l1_ratio=1).fit(IRIS[_TWO], SPECIES[_TWO]).sparsify()
    ),
    "standardized": lambda: SoftmaxClassifier(standardize=True, C=np.inf).fit(IRIS, SPECIES),
    "far features": lambda: SoftmaxClassifier().fit(IRIS * [1, 1, 1e6, 1] + 1e4, SPECIES),
    "no intercept": lambda: SoftmaxClassifier(fit_intercept=False).fit(IRIS, SPECIES),
    "soft labels": _soft,
    "mini-batches": lambda: (
        SoftmaxClassifier(solver=SGD(batch_size=np.int64(20)), max_iter=5, random_state=0)
    ).fit(IRIS, SPECIES),
    "partial_fit": _streamed,
    "no iterations": lambda: SoftmaxClassifier(max_iter=0, n_jobs=2).fit(IRIS, SPECIES),
    "weights": lambda: (
        SoftmaxClassifier(class_weight={0: 1.0, np.int64(2): np.float32(0.1)}, verbose=False)
    ).fit(IRIS, SPECIES),
    "search": lambda: SoftmaxClassifierCV(**_GRID).fit(IRIS, SPECIES),
    "search, two classes": lambda: SoftmaxClassifierCV((1.0, np.inf), cv=2, refit=False).fit(
        IRIS[_TWO], SPECIES[_TWO]
    ),
}


def same(a: Any, b: Any) -> bool:
    """Whether two attributes or parameters are the same: types, dtypes and bits."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        if a.dtype != b.dtype or a.shape != b.shape:
            return False
        return a.tolist() == b.tolist() if a.dtype == object else a.tobytes() == b.tobytes()
    if hasattr(a, "tocsr"):
        return a.shape == b.shape and all(
            same(getattr(a, part), getattr(b, part)) for part in ("data", "indices", "indptr")
        )
    if isinstance(a, dict):
        return len(a) == len(b) and all(
            any(same(k, m) and same(v, w) for m, w in b.items()) for k, v in a.items()
        )
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)
