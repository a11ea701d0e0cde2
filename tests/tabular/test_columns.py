"""A column as numbers or texts, whatever it is made of."""

from __future__ import annotations

import datetime

import numpy as np
import pytest

from csoftmax.tabular.columns import NotANumber, numbers, text_of, texts

NUMBERS = [3.5, None, -1.0, 2.0]


def containers(values, names=("list", "object", "pandas", "polars", "arrow", "chunked")):
    """The column in each container that is installed."""
    for name in names:
        if name == "list":
            yield name, list(values)
        elif name == "object":
            yield name, np.array(values, object)
        elif name == "pandas":
            pandas = pytest.importorskip("pandas")
            yield name, pandas.Series(values, index=np.arange(len(values)) + 0.5)
        elif name == "polars":
            yield name, pytest.importorskip("polars").Series(values)
        elif name == "arrow":
            yield name, pytest.importorskip("pyarrow").array(values)
        else:
            pyarrow = pytest.importorskip("pyarrow")
            yield (
                name,
                pyarrow.chunked_array([pyarrow.array(values[:2]), pyarrow.array(values[2:])]),
            )


@pytest.mark.parametrize("name", ["list", "object", "pandas", "polars", "arrow", "chunked"])
def test_numbers(name):
    for values in (NUMBERS, ["3.5", "", "-1", "2"], ["3.5", "NA", "-1e0", "2.0"]):
        ((_, column),) = containers(values, [name])
        np.testing.assert_array_equal(numbers(column), [3.5, np.nan, -1, 2])
    ((_, column),) = containers([True, None, False, True], [name])
    np.testing.assert_array_equal(numbers(column), [1, np.nan, 0, 1])


@pytest.mark.parametrize("name", ["list", "object", "pandas", "polars", "arrow", "chunked"])
def test_texts(name):
    cases = [
        (["b", None, "a", "b"], ["a", "b"], [1, -1, 0, 1]),
        (["b", "", "NA", "a"], ["a", "b"], [1, -1, -1, 0]),
        ([True, None, False, False], ["false", "true"], [1, -1, 0, 0]),
        ([2.0, None, 10.5, 2.0], ["10.5", "2"], [1, -1, 0, 1]),
        ([2, 10, 2, 10], ["10", "2"], [1, 0, 1, 0]),
    ]
    for values, names, codes in cases:
        ((_, column),) = containers(values, [name])
        found = texts(column)
        assert found.values == names
        assert found.codes.tolist() == codes


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.float32, bool, np.int64])
def test_arrays_of_numbers(dtype):
    column = np.array([1, 0, 1], dtype)
    assert numbers(column).tolist() == [1.0, 0.0, 1.0]
    assert texts(column).values == (["false", "true"] if dtype is bool else ["0", "1"])


def test_pandas_categories_and_what_is_missing():
    pandas = pytest.importorskip("pandas")
    column = pandas.Series(["x", None, "y"]).astype("category")
    assert texts(column).codes.tolist() == [0, -1, 1]
    nullable = pandas.array([1, None, 3], dtype="Int64")
    np.testing.assert_array_equal(numbers(pandas.Series(nullable)), [1, np.nan, 3])
    assert texts(pandas.Series(nullable)).codes.tolist() == [0, -1, 1]
    assert texts(pandas.Series([pandas.NaT, pandas.NA, "a"], dtype=object)).codes.tolist() == [
        -1,
        -1,
        0,
    ]


def test_arrow_dictionaries():
    pyarrow = pytest.importorskip("pyarrow")
    column = pyarrow.array(["b", None, "a"]).dictionary_encode()
    assert texts(column).codes.tolist() == [1, -1, 0]
    assert texts(pyarrow.chunked_array([column, column])).codes.tolist() == [1, -1, 0] * 2
    np.testing.assert_array_equal(
        numbers(pyarrow.array(["1", None, "2.5"]).dictionary_encode()), [1, np.nan, 2.5]
    )
    np.testing.assert_array_equal(numbers(pyarrow.nulls(2)), [np.nan, np.nan])


@pytest.mark.parametrize(
    ("column", "row", "value"),
    [
        (["1", "x"], 1, "x"),
        ([1.0, datetime.date(2020, 1, 1)], 1, datetime.date(2020, 1, 1)),
        ([[1]], 0, [1]),
        (np.array(["2020-01-01"], "M8[D]"), 0, np.datetime64("2020-01-01")),
    ],
)
def test_what_is_no_number(column, row, value):
    with pytest.raises(NotANumber) as found:
        numbers(column)
    assert (found.value.row, found.value.value) == (row, value)


def test_what_is_no_number_in_arrow():
    pyarrow = pytest.importorskip("pyarrow")
    with pytest.raises(NotANumber, match="row 2: 'x' is no number"):
        numbers(pyarrow.array(["1", None, "x"]))
    with pytest.raises(NotANumber, match="row 0"):
        numbers(pyarrow.array([[1.0]]))


def test_values_as_texts():
    given = [True, np.bool_(False), 3, np.int8(4), 3.0, np.float32(0.5), 1e300, " a b "]
    assert [text_of(value) for value in given] == [
        "true", "false", "3", "4", "3", "0.5", str(int(1e300)), "a b"
    ]  # fmt: skip


def test_a_column_has_one_dimension():
    with pytest.raises(ValueError, match=r"a column has shape \(2, 2\): wanted one value a row"):
        numbers(np.eye(2))
