"""Columns as features: the same numbers as scikit-learn's ColumnTransformer, element by element."""

from __future__ import annotations

import numpy as np
import pytest
from table_files import birds, part, write_csv, write_parquet

from csoftmax.tabular import Category, Number, Preparation, Tally
from csoftmax.tabular.columns import text_of

NUMBERS, CATEGORIES = ["bill", "mass"], ["island", "sex", "tagged"]


def theirs(**encoder):
    """A ColumnTransformer that does what `csoftmax train` does."""
    pytest.importorskip("sklearn")
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    return ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
            ("categories", OneHotEncoder(handle_unknown="ignore", **encoder), CATEGORIES),
        ],
        sparse_threshold=0,
    )


def frame(table):
    return pytest.importorskip("pandas").DataFrame(table)


def test_of_a_transformer_element_by_element():
    from csoftmax.tabular.sklearn import preparation_of

    table, new = birds(seed=1), birds(500, seed=2)
    new["island"][3], new["sex"][4], new["bill"][5] = "Atlantis", "unknown", None
    transformer = theirs().fit(frame(table))
    ours = preparation_of(transformer)
    for rows in (table, new):
        np.testing.assert_array_equal(ours.features(rows), transformer.transform(frame(rows)))
    assert ours.column_names == NUMBERS + CATEGORIES
    assert ours.feature_names[:5] == [*NUMBERS, "island=Biscoe", "island=Dream", "island=Torgersen"]
    assert ours.feature_names[5:] == [
        *("sex=female", "sex=male", "sex=missing", "tagged=false", "tagged=true")
    ]


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_what_is_learned_of_a_file_is_what_a_transformer_learns(write, tmp_path):
    pytest.importorskip("pyarrow")
    from csoftmax.tabular.learning import learn
    from csoftmax.tabular.reading import Table
    from csoftmax.tabular.survey import plan, survey

    given = birds(seed=3)
    suffix = "csv" if write is write_csv else "parquet"
    table = Table(write(tmp_path / f"birds.{suffix}", given))
    names = [name for name in table.columns if name != "species"]
    found = survey(table, "species", names)
    assert found.classes.tolist() == ["Adelie", "Chinstrap", "Gentoo"]
    assert [found.classes[code] for code in found.codes] == given["species"]
    chosen = plan(table.name, found.columns)
    assert chosen.numbers == NUMBERS
    assert chosen.categories == CATEGORIES
    assert chosen.left_out == {"rowid": "it numbers the rows", "planet": "always 'Earth'"}
    rows = np.arange(len(found.codes)) % 3 > 0
    learned = learn(table, chosen, rows)
    kept = frame(given)[rows]
    transformer = theirs().fit(kept)
    expected = transformer.transform(frame(given))
    ours = learned.preparation.features(given)
    encoder = transformer.named_transformers_["categories"]
    names = [*NUMBERS]
    for column, values in zip(CATEGORIES, encoder.categories_, strict=True):
        texts = ["missing" if v is None or v != v else text_of(v) for v in values]
        names += [f"{column}={text}" for text in texts]
    order = [learned.preparation.feature_names.index(name) for name in names]
    np.testing.assert_allclose(ours[:, order], expected, rtol=1e-12, atol=1e-12)
    assert learned.missing == {
        "bill": int(kept["bill"].isna().sum()), "sex": int(kept["sex"].isna().sum())
    }  # fmt: skip


def test_imputers_of_categories_and_medians():
    pytest.importorskip("sklearn")
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    from csoftmax.tabular.sklearn import preparation_of

    table, new = frame(birds(seed=4)), frame(birds(seed=5))
    encoder = OneHotEncoder(handle_unknown="ignore")
    for strategy in ("most_frequent", "constant"):
        transformer = ColumnTransformer(
            [
                ("sex", make_pipeline(SimpleImputer(strategy=strategy), encoder), ["sex"]),
                ("bill", SimpleImputer(strategy="median"), ["bill"]),
                ("mass", StandardScaler(with_mean=False), [4]),
                ("none", StandardScaler(), []),
                ("rest", "drop", ["planet"]),
            ],
            sparse_threshold=0,
        ).fit(table)
        ours = preparation_of(transformer)
        assert ours.column_names == ["sex", "bill", "mass"]
        np.testing.assert_array_equal(ours.features(new), transformer.transform(new))


def test_columns_that_are_chosen_in_any_way():
    pytest.importorskip("sklearn")
    from sklearn.compose import ColumnTransformer, make_column_selector
    from sklearn.preprocessing import StandardScaler

    from csoftmax.tabular.sklearn import preparation_of

    table = frame(birds(seed=4))[["species", "mass", "rowid"]]
    numbers = table.select_dtypes("number").columns
    for chosen in (
        numbers,
        numbers.to_numpy(),
        numbers.tolist(),
        make_column_selector(dtype_include="number"),
        slice(1, None),
        [1, 2],
        [False, True, True],
        table.columns != "species",
    ):
        transformer = ColumnTransformer([("numbers", StandardScaler(), chosen)]).fit(table)
        assert preparation_of(transformer).column_names == ["mass", "rowid"]


def test_transformers_that_are_refused():
    pytest.importorskip("sklearn")
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler

    from csoftmax.tabular.sklearn import preparation_of

    table = frame(birds())
    cases = [
        (MinMaxScaler(), "mass", "is MinMaxScaler: wanted SimpleImputer, StandardScaler and"),
        ("passthrough", "mass", "'part' of the ColumnTransformer is "),
        (OneHotEncoder(), "sex", "handle_unknown='error': wanted 'ignore'"),
        (OneHotEncoder(handle_unknown="ignore", drop="first"), "sex", "drop='first': wanted None"),
        (
            OneHotEncoder(handle_unknown="ignore", min_frequency=2),
            "sex",
            "min_frequency=2: wanted None",
        ),
        (SimpleImputer(add_indicator=True), "bill", "add_indicator=True: wanted False"),
        (SimpleImputer(missing_values=-1), "mass", "SimpleImputer of -1: wanted that of NaN"),
        (SimpleImputer(strategy="most_frequent"), "sex", "and has no OneHotEncoder"),
        (make_pipeline(StandardScaler(), MinMaxScaler()), "mass", "StandardScaler, MinMaxScaler"),
    ]
    for part_, column, message in cases:
        transformer = ColumnTransformer([("part", part_, [column])]).fit(table)
        with pytest.raises(TypeError, match=r"OneHot|Imputer|Scaler|part") as found:
            preparation_of(transformer)
        assert message in str(found.value)
    with pytest.raises(ValueError, match="is not fitted"):
        preparation_of(theirs())
    with pytest.raises(ValueError, match="columns without names"):
        preparation_of(ColumnTransformer([("a", StandardScaler(), [0])]).fit(np.eye(3)))
    with pytest.raises(TypeError, match="the first step is a StandardScaler: wanted a Column"):
        preparation_of(StandardScaler())


HOW = Preparation(
    [
        Number("age", 40.0, 10.0, fill=45.0),
        Category("colour", ("blue", "red")),
        Number("height"),
        Category("sex", ("f", "m", "missing"), "missing"),
        Category("member", ("false", "true")),
    ]
)
ROWS = {
    "age": [50, None, "60"],
    "colour": ["red", "green", None],
    "height": [1.5, 2, 3],
    "sex": ["m", "", "x"],
    "member": [True, "FALSE", "no"],
}


def test_features_and_what_was_strange():
    tally = Tally()
    np.testing.assert_array_equal(
        HOW.features(ROWS, tally),
        [
            [1, 0, 1, 1.5, 0, 1, 0, 0, 1],
            [0.5, 0, 0, 2, 0, 0, 1, 1, 0],
            [2, 0, 0, 3, 0, 0, 0, 0, 0],
        ],
    )
    assert tally.lines() == [
        "age: 1 missing value filled",
        "colour: 2 values that the training did not have ('green', 'missing'), which count for "
        "none",
        "sex: 1 value that the training did not have ('x'), which count for none",
        "member: 1 value that the training did not have ('no'), which count for none",
    ]
    values, places = HOW.entries(ROWS)
    assert places.tolist() == [[0, 2, 3, 5, 8], [0, -1, 3, 6, 7], [0, -1, 3, -1, -1]]
    assert values[:, 0].tolist() == [1, 0.5, 2]
    assert repr(HOW) == "Preparation(2 numbers, 3 categories, 9 features)"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"age": [1, "x", 3]}, "X, column 'age', row 2: 'x' is no number, as the training had"),
        ({"age": [1, 2, np.inf]}, "X, column 'age', row 3: inf: wanted a finite number"),
        ({"height": [1, None, 2]}, "X, column 'height', row 2: a missing value: wanted a finite"),
        ({"sex": ["m"]}, "X has 1 values in column 'sex', but 3 in 'age'"),
    ],
)
def test_rows_that_are_refused(change, message):
    with pytest.raises(ValueError, match="X") as found:
        HOW.features(ROWS | change)
    assert message in str(found.value)


def test_columns_that_are_not_there():
    with pytest.raises(ValueError, match="X has no column 'age', 'sex', which the model was"):
        HOW.features({name: ROWS[name] for name in ("colour", "height", "member")})


def test_preparations_that_make_no_sense():
    with pytest.raises(ValueError, match="there is no column"):
        Preparation([])
    with pytest.raises(ValueError, match="column 'a' is there twice"):
        Preparation([Number("a"), Category("a", ("x",))])
    with pytest.raises(ValueError, match=r"the values of 'a' are .*: wanted each once"):
        Category("a", ("x", "x"))
    with pytest.raises(ValueError, match="missing of 'a' is 'y', none of its values"):
        Category("a", ("x",), "y")
    assert Preparation([Number("a")]) == Preparation([Number("a")])
    assert Preparation([Number("a")]) != Preparation([Number("b")])
    assert Preparation([Number("a")]) != "a"
    assert part(birds(), slice(3))["species"]
