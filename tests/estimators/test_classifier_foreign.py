"""Arrays of other packages as X, y and sample_weight: the models and results of NumPy's."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from foreign_arrays import KINDS, in_arrow, in_polars, of_kinds

from csoftmax import SoftmaxClassifier, SoftmaxClassifierCV

rng = np.random.default_rng(5)
y = np.arange(60) % 3
ROWS = {
    "X": rng.integers(0, 9, (60, 4)) + y[:, None],
    "y": y,
    "sample_weight": rng.integers(1, 4, 60),
}
X = ROWS["X"].astype(np.float32)
SPECIES = np.array(["setosa", "versicolor", "virginica"])[y]
NAMES = ["a", "b", "c", "d"]


def same(found, expected):
    assert type(found) is type(expected) is np.ndarray
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def cases(*dtypes):
    """A kind, the argument that is one, and a dtype that it has."""
    for kind, name, dtype in itertools.product(KINDS, ROWS, dtypes):
        if (name, kind) == ("y", "objects"):  # which scikit-learn takes for no classes
            continue
        if KINDS[kind].holds(ROWS[name].astype(dtype)):
            yield pytest.param(KINDS[kind], name, dtype, id=f"{kind}-{name}-{dtype}")


@pytest.mark.parametrize(("kind", "name", "dtype"), list(cases("float32", "float64", "uint8")))
def test_rows_of_any_kind(kind, name, dtype):
    array = ROWS[name].astype(dtype)
    rows, made = ROWS | {name: array}, ROWS | {name: kind.make(array)}
    model, other = (SoftmaxClassifier(max_iter=20, tol=0.01).fit(**r) for r in (made, rows))
    for attribute in ("coef_", "intercept_", "classes_"):
        same(getattr(model, attribute), getattr(other, attribute))
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        same(getattr(model, method)(made["X"]), getattr(other, method)(rows["X"]))
    for found, expected in zip(
        model.predict_top_k(made["X"], 2), other.predict_top_k(rows["X"], 2), strict=True
    ):
        same(found, expected)
    assert model.score(**made) == other.score(**rows)


@pytest.mark.parametrize(("kind", "name", "dtype"), list(cases("float64")))
def test_partial_fits_and_cross_validation(kind, name, dtype):
    array = ROWS[name].astype(dtype)
    rows, made = ROWS | {name: array}, ROWS | {name: kind.make(array)}
    model, other = (
        SoftmaxClassifier(random_state=0).partial_fit(classes=[0, 1, 2], **r) for r in (made, rows)
    )
    same(model.coef_, other.coef_)
    model, other = (SoftmaxClassifierCV(2, cv=2, tol=1).fit(**r) for r in (made, rows))
    same(model.coef_, other.coef_)
    same(model.scores_, other.scores_)
    assert model.score(**made) == other.score(**rows)


@of_kinds(dims=(1,))
def test_the_classes_of_partial_fits(kind):
    classes = np.arange(3).astype(kind.dtypes[0])
    model = SoftmaxClassifier().partial_fit(X, y, kind.make(classes))
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])


LABELS = {
    "list": lambda: SPECIES.tolist(),
    "series": lambda: pd.Series(SPECIES),
    "series of strings": lambda: pd.Series(SPECIES, dtype="string"),
    "series of objects": lambda: pd.Series(SPECIES, dtype=object),
    "series of categories": lambda: pd.Series(SPECIES, dtype="category"),
    "polars": lambda: in_polars(SPECIES),
    "polars of categories": lambda: in_polars(SPECIES).cast(
        pytest.importorskip("polars").Enum(["virginica", "setosa", "versicolor"])
    ),
    "arrow": lambda: in_arrow(SPECIES),
    "arrow of categories": lambda: in_arrow(SPECIES).dictionary_encode(),
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_labels_of_strings(labels):
    model, other = SoftmaxClassifier().fit(X, labels()), SoftmaxClassifier().fit(X, SPECIES)
    same(model.coef_, other.coef_)
    np.testing.assert_array_equal(model.predict(X), other.predict(X))
    assert model.score(X, labels()) == other.score(X, SPECIES)


@pytest.mark.parametrize("package", [pd.array, pd.Series, in_polars, in_arrow])
@pytest.mark.parametrize("values", [[*y[:-1].tolist(), None], [*SPECIES[:-1].tolist(), None]])
def test_labels_that_are_missing(package, values):
    options = {}
    if package is pd.Series:
        options["dtype"] = "category"
    elif package in (in_polars, in_arrow):
        values = np.array(values, object)
    with pytest.raises(ValueError, match=r"^y has 1 missing value: wanted none"):
        SoftmaxClassifier().fit(X, package(values, **options))


@pytest.mark.parametrize("package", [pd.DataFrame, in_polars, in_arrow])
def test_a_frame_of_probabilities(package):
    proba = np.eye(3)[y]
    expected = SoftmaxClassifier().fit(X, proba)
    same(SoftmaxClassifier().fit(X, package(proba)).coef_, expected.coef_)


def arrow_table(X, names):
    return pytest.importorskip("pyarrow").table(list(X.T.copy()), names)


def polars_frame(X, names):
    return pytest.importorskip("polars").DataFrame(X, names)


def pandas_frame(X, names):
    return pd.DataFrame(X, columns=names)


@pytest.mark.parametrize("package", [pandas_frame, polars_frame, arrow_table])
def test_names_of_columns(package):
    model = SoftmaxClassifier().fit(package(X, NAMES), y)
    assert list(model.feature_names_in_) == NAMES
    model.predict(package(X, NAMES))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(package(X, NAMES[::-1]))
    with pytest.warns(UserWarning, match="feature names"):
        model.predict(X)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_the_column_of_what_is_not_finite(value):
    rows = X.copy()
    rows[7, 2] = value
    model = SoftmaxClassifier().fit(pandas_frame(X, NAMES), y)
    for call in (lambda X: SoftmaxClassifier().fit(X, y), model.predict):
        with pytest.raises(ValueError, match=r"row 7, column 2 \('c'\)"):
            call(pandas_frame(rows, NAMES))
