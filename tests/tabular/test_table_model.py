"""Models that take tables: of any kind of table, in files, and where NumPy alone is installed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from model_files import MODEL_KEY, packed, unpacked
from table_files import birds

from csoftmax import load_model, save_model
from csoftmax.prediction import LinearModel
from csoftmax.tabular import Category, Number, Preparation, TableModel

COLUMNS = [
    Number("bill", 45.0, 5.0, fill=45.0),
    Category("island", ("Biscoe", "Dream", "Torgersen")),
    Category("sex", ("female", "male", "missing"), "missing"),
]
BIRDS = birds(50)


@pytest.fixture
def model():
    coef = np.random.default_rng(0).normal(size=(3, 7))
    return TableModel(
        Preparation(COLUMNS), LinearModel(coef, np.zeros(3), np.array(["A", "B", "C"]))
    )


def tables():
    yield "dict", BIRDS
    rows = [dict(zip(BIRDS, row, strict=True)) for row in zip(*BIRDS.values(), strict=True)]
    yield "rows", rows
    yield "lists", [[row[c.name] for c in COLUMNS] for row in rows]
    for name in ("pandas", "polars"):
        package = pytest.importorskip(name)
        yield name, package.DataFrame(BIRDS)
    yield "shuffled index", pytest.importorskip("pandas").DataFrame(BIRDS, index=range(50, 0, -1))
    yield "arrow", pytest.importorskip("pyarrow").table(BIRDS)


def test_tables_of_all_kinds(model):
    expected = model.model.predict_proba(model.preparation.features(BIRDS))
    for name, table in tables():
        np.testing.assert_array_equal(model.predict_proba(table), expected, err_msg=name)
        assert model.predict(table).tolist() == model.classes_[expected.argmax(1)].tolist()
    np.testing.assert_allclose(model.predict_log_proba(BIRDS), np.log(expected))
    assert model.decision_function(BIRDS).shape == (50, 3)
    assert model.features(BIRDS).shape == (50, 7)
    assert model.feature_names_in_.tolist() == ["bill", "island", "sex"]
    assert repr(model) == (
        "TableModel(Preparation(1 number, 2 categories, 7 features), "
        "LinearModel(3 classes, 7 features))"
    )


def test_in_blocks(model, monkeypatch):
    expected = model.predict_proba(BIRDS)
    monkeypatch.setattr("csoftmax.prediction.checks.BLOCK_BYTES", 8)
    monkeypatch.setattr("csoftmax.prediction.checks.MIN_ROWS", 7)
    for name, table in tables():
        np.testing.assert_array_equal(model.predict_proba(table), expected, err_msg=name)
    wrong = BIRDS | {"bill": [*BIRDS["bill"][:30], "x", *BIRDS["bill"][31:]]}
    with pytest.raises(ValueError, match="X, column 'bill', row 31: 'x' is no number"):
        model.predict(wrong)


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (np.eye(3), TypeError, "X is a ndarray: the model wants columns by their names ('bill', "),
        ([], TypeError, "X is a list: the model wants columns"),
        ({}, ValueError, "X has no column 'bill', 'island', 'sex', which the model was trained on"),
        ({"bill": [], "island": [], "sex": []}, ValueError, "X has no row"),
        ([{"bill": 1, "sex": "m"}], ValueError, "row 0 of X has no 'island'"),
        ([[1, 2]], ValueError, "row 0 of X has 2 values: wanted 3, bill, island, sex"),
        (
            {"bill": [1, 2], "island": ["a"], "sex": ["m"]},
            ValueError,
            "X has 1 values in column 'island', but 2 in 'bill'",
        ),
    ],
)
def test_tables_that_are_refused(X, error, message, model):
    with pytest.raises(error, match="X") as found:
        model.predict(X)
    assert message in str(found.value)


def test_two_columns_of_the_same_name(model):
    frame = pytest.importorskip("pandas").DataFrame(np.ones((2, 4)))
    frame.columns = ["bill", "bill", "island", "sex"]
    with pytest.raises(ValueError, match="X has several columns 'bill'"):
        model.predict(frame)


def test_widths_that_do_not_agree():
    linear = LinearModel(np.ones((3, 6)), np.zeros(3), np.array(["A", "B", "C"]))
    with pytest.raises(ValueError, match="the model has 6 features, but the preparation makes 7"):
        TableModel(Preparation(COLUMNS), linear)


# ---- in files ----------------------------------------------------------------------------------


@pytest.fixture
def fitted():
    pytest.importorskip("sklearn")
    from csoftmax import SoftmaxClassifier

    how = Preparation(COLUMNS, ["", "?"])
    return TableModel(how, SoftmaxClassifier().fit(how.features(BIRDS), BIRDS["species"]))


def test_a_file_and_back(fitted, tmp_path, monkeypatch):
    path = tmp_path / "birds.safetensors"
    save_model(fitted, path)
    again = load_model(path)
    assert type(again) is TableModel
    assert type(again.model) is type(fitted.model)
    assert again.preparation == fitted.preparation
    expected = fitted.predict_proba(BIRDS)
    np.testing.assert_array_equal(again.predict_proba(BIRDS), expected)
    monkeypatch.setattr("csoftmax.models.files.find_spec", lambda name: None)
    alone = load_model(path)
    assert type(alone.model) is LinearModel
    np.testing.assert_array_equal(alone.predict_proba(BIRDS), expected)
    assert alone.predict(BIRDS).tolist() == fitted.predict(BIRDS).tolist()


def test_a_pipeline_in_a_file(tmp_path):
    pytest.importorskip("sklearn")
    pandas = pytest.importorskip("pandas")
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    from csoftmax import SoftmaxClassifier

    frame = pandas.DataFrame(BIRDS)
    new = pandas.DataFrame(birds(30, seed=9))
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["bill", "mass"]),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["island", "sex"]),
    )
    for output in ("default", "pandas"):  # features without names, or with them
        columns.set_output(transform=output)
        pipeline = make_pipeline(columns, SoftmaxClassifier()).fit(frame, frame["species"])
        save_model(pipeline, tmp_path / "m.safetensors")
        again = load_model(tmp_path / "m.safetensors")
        np.testing.assert_allclose(
            again.predict_proba(new), pipeline.predict_proba(new), rtol=1e-12, atol=0
        )
        assert again.predict(new).tolist() == pipeline.predict(new).tolist()
        assert hasattr(pipeline[-1], "feature_names_in_") == (output == "pandas")
    for steps, message in (
        ([columns], "a pipeline of 1 steps: wanted a ColumnTransformer and an estimator"),
        ([StandardScaler(), SoftmaxClassifier()], "or no scaler and standardize=True"),
    ):
        with pytest.raises(TypeError) as found:
            save_model(make_pipeline(*steps), tmp_path / "no")
        assert message in str(found.value)
    assert not (tmp_path / "no").exists()


def changed(path, change):
    """The file, with something else in its account of itself or its arrays."""
    header, data = unpacked(path.read_bytes())
    about = json.loads(header["__metadata__"][MODEL_KEY])
    change(header, about)
    header["__metadata__"][MODEL_KEY] = json.dumps(about)
    path.write_bytes(packed(header, data))


def column(number, **values):
    return lambda header, about: about["preparation"]["columns"][number].update(values)


def text(name, value):
    return lambda header, about: header["__metadata__"].update({name: value})


CHANGES = [
    (lambda h, a: a.pop("preparation"), "its csoftmax.model is"),
    (lambda h, a: a.update(preparation=[]), "its preparation is [], not columns and missing"),
    (lambda h, a: a["preparation"].update(columns={}), "the columns of its preparation are {}"),
    (lambda h, a: a["preparation"].update(missing="x"), "what is missing is 'x', not text"),
    (lambda h, a: a["preparation"]["columns"].pop(), "the model has 7 features, but the"),
    (lambda h, a: a["preparation"]["columns"].pop(0), "of shape (1,), not float64 (0,)"),
    (column(1, more=1), "a column of its preparation is"),
    (column(0, name=3), "the name of a column is [3], not text"),
    (column(0, name="sex"), "column 'sex' is there twice"),
    (column(1, values=[]), "the values of 'island' are (): wanted each once"),
    (column(1, values=["a", "a", "b"]), "wanted each once"),
    (column(1, values=[1, 2, 3]), "the values of 'island' is [1, 2, 3], not text"),
    (column(1, missing=True), "missing of 'island' is True, not text"),
    (column(1, missing="x"), "missing of 'island' is 'x', none of its values"),
    (text("csoftmax.format", "3"), "its format is '3', by csoftmax"),
    (text("csoftmax.format", "1"), "its csoftmax.model is"),
    (lambda h, a: a.update(kind="cs231n.Softmax"), "it has "),
]


@pytest.mark.parametrize(("change", "message"), CHANGES, ids=[m for _, m in CHANGES])
def test_files_that_are_refused(change, message, fitted, tmp_path, monkeypatch):
    path = tmp_path / "birds.safetensors"
    save_model(fitted, path)
    changed(path, change)
    for find_spec in (lambda name: True, lambda name: None):
        monkeypatch.setattr("csoftmax.models.files.find_spec", find_spec)
        with pytest.raises(ValueError, match=r"birds\.safetensors") as found:
            load_model(path)
        assert message in str(found.value)


@pytest.mark.parametrize("name", ["mean", "scale", "fill"])
def test_numbers_that_are_refused(name, fitted, tmp_path):
    path = tmp_path / "birds.safetensors"
    save_model(fitted, path)
    whole = path.read_bytes()
    header, data = unpacked(whole)
    begin, end = header[f"preparation.{name}"]["data_offsets"]
    bad = {"mean": [np.nan, np.inf], "scale": [0.0, -1.0, np.nan], "fill": [np.inf]}[name]
    for value in bad:
        changed_data = data[:begin] + np.float64(value).tobytes() + data[end:]
        path.write_bytes(packed(header, changed_data))
        with pytest.raises(ValueError, match=f"preparation.{name}"):
            load_model(path)


def test_others_are_written_as_before(tmp_path):
    pytest.importorskip("sklearn")
    from csoftmax import SoftmaxClassifier

    save_model(SoftmaxClassifier().fit(np.eye(4), [0, 1, 0, 1]), tmp_path / "m")
    header, _ = unpacked((tmp_path / "m").read_bytes())
    assert header["__metadata__"]["csoftmax.format"] == "1"
