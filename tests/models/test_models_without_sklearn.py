"""What is loaded where scikit-learn is not installed: predictions of the same bits, by NumPy."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the estimators need scikit-learn")
from fitted_models import IRIS, LABELS, METHODS, SPECIES, made, names_of_all, same, with_labels

from csoftmax import SoftmaxClassifier, load_model, save_model
from csoftmax.models import files
from csoftmax.prediction import LinearModel

TWO_D = [
    "float64",
    "float32",
    "uint8",
    "bool",
    "int16",
    "float16",
    ">f8",
    "object",
]


@pytest.fixture
def light(tmp_path, monkeypatch):
    """Save a model, and load it as where scikit-learn is missing."""

    def loaded(model: Any) -> Any:
        save_model(model, tmp_path / "model")
        with monkeypatch.context() as patch:
            patch.setattr(files, "find_spec", lambda name: None)
            return load_model(tmp_path / "model")

    return loaded


def with_names(model: Any, X: Any) -> Any:
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        return X
    import pandas

    return pandas.DataFrame(X, columns=names)


@pytest.mark.parametrize("name", names_of_all())
def test_predictions_of_the_same_bits(name, light):
    if name == "names":
        pytest.importorskip("pandas")
    model = made(name)
    loaded = light(model)
    assert type(loaded) is LinearModel
    assert repr(loaded) == f"LinearModel({len(model.classes_)} classes, 4 features)"
    coef = model.coef_.toarray() if hasattr(model.coef_, "tocsr") else model.coef_
    assert same(loaded.coef_, coef)
    for attribute in ("intercept_", "classes_", "n_features_in_", "feature_names_in_", "n_jobs"):
        assert same(getattr(loaded, attribute, None), getattr(model, attribute, None))
    X = with_names(model, IRIS.astype(coef.dtype))
    for method in METHODS:
        assert same(getattr(loaded, method)(X), getattr(model, method)(X))
    assert same(loaded.predict_top_k(X, 2), model.predict_top_k(X, 2))
    out = np.empty_like(model.predict_proba(X))
    assert loaded.predict_proba(X, out=out) is out
    assert same(out, model.predict_proba(X))


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_every_type(kind, light):
    model = with_labels(kind)
    assert same(light(model).predict(IRIS), model.predict(IRIS))


@pytest.mark.parametrize("dtype", TWO_D)
@pytest.mark.parametrize("order", ["C", "F", "strided"])
def test_X_of_any_kind_is_seen_as_by_the_estimator(dtype, order, light):
    model = made("three classes")
    X = IRIS.astype(dtype)
    X = np.repeat(X, 2, axis=1)[:, ::2] if order == "strided" else np.array(X, order=order)
    for method in METHODS:
        assert same(getattr(light(model), method)(X), getattr(model, method)(X))


def test_containers(light):
    model = made("three classes")
    loaded = light(model)
    expected = model.predict_proba(IRIS)
    assert same(loaded.predict_proba(IRIS.tolist()), expected)
    assert same(loaded.predict_proba(memoryview(IRIS)), expected)
    torch = pytest.importorskip("torch")
    assert same(loaded.predict_proba(torch.tensor(IRIS)), expected)


@pytest.mark.parametrize("form", ["csr_array", "csc_matrix", "coo_array"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "uint8", "int64"])
def test_sparse(form, dtype, light):
    sparse = pytest.importorskip("scipy.sparse")
    model = made("three classes")
    X = getattr(sparse, form)(IRIS.astype(dtype))
    for method in METHODS:
        assert same(getattr(light(model), method)(X), getattr(model, method)(X))


def frames(X: Any, columns: list[str]) -> dict[str, Any]:
    found = {}
    if pandas := sys.modules.get("pandas"):
        found["pandas"] = frame = pandas.DataFrame(X, columns=columns)
        found["pandas, nullable"] = frame.astype("Float32")
        found["pandas, mixed"] = frame.astype({columns[0]: np.float32, columns[1]: np.int8})
        found["pandas, objects"] = frame.astype(object)
    if polars := sys.modules.get("polars"):
        found["polars"] = polars.DataFrame(X, schema=columns)
    if arrow := sys.modules.get("pyarrow"):
        found["arrow"] = arrow.table(dict(zip(columns, X.T, strict=True)))
    return found


def test_data_frames_and_their_names(light):
    pandas = pytest.importorskip("pandas")
    for name in ("polars", "pyarrow"):
        try:
            __import__(name)
        except ImportError:
            continue
    names = list("abcd")
    model = SoftmaxClassifier().fit(pandas.DataFrame(IRIS, columns=names), SPECIES)
    loaded = light(model)
    for kind, frame in frames(IRIS, names).items():
        assert same(loaded.predict_proba(frame), model.predict_proba(frame)), kind
    for kind, frame in frames(IRIS, ["a", "c", "b", "d"]).items():
        with pytest.raises(ValueError, match=r"X has 'c' as feature 1: wanted 'b'"):
            loaded.predict(frame)
        with pytest.raises(ValueError, match="feature names should match"):
            model.predict(frame)
        assert kind
    with pytest.raises(ValueError, match=r"X has nothing as feature 3: wanted 'd'"):
        loaded.predict(pandas.DataFrame(IRIS[:, :3], columns=list("abc")))
    no_names = r"X does not have valid feature names, but \w+ was fitted with feature names"
    for each in (model, loaded):
        with pytest.warns(UserWarning, match=no_names) as warned:
            each.predict(IRIS)
    assert warned[0].filename == __file__  # where the call is, not where it is noticed
    with pytest.warns(UserWarning, match=no_names) as warned:
        loaded.predict_top_k(IRIS, 1)
    assert warned[0].filename == __file__
    with pytest.warns(UserWarning, match=no_names):
        loaded.predict(pandas.DataFrame(IRIS))  # 0, 1, 2, 3 are no names
    with pytest.raises(TypeError, match=r"all input features have string names.*'int', 'str'"):
        loaded.predict(pandas.DataFrame(IRIS, columns=["a", 1, "c", "d"]))
    unnamed = light(made("three classes"))
    has_names = "X has feature names, but LinearModel was fitted without feature names"
    with pytest.warns(UserWarning, match=has_names):
        unnamed.predict(pandas.DataFrame(IRIS, columns=names))


def test_missing_values_of_data_frames(light):
    pandas = pytest.importorskip("pandas")
    loaded = light(made("three classes"))
    frame = pandas.DataFrame(IRIS).astype("Float64")
    frame.iloc[7, 2] = pandas.NA
    with pytest.raises(ValueError, match=r"column 2 of X has 1 missing value: wanted none"):
        loaded.predict(frame)
    with pytest.raises(ValueError, match=r"NaN[^$]*row 7, column 2"):
        loaded.predict(frame.astype("float64"))
    frame[2] = "text"
    with pytest.raises(ValueError, match="X has elements that are no real numbers"):
        loaded.predict(frame)


@pytest.mark.parametrize(
    ("X", "error", "words"),
    [
        (IRIS[:, :3], ValueError, "X has 3 features, but {} is expecting 4 features as input"),
        (IRIS[0], ValueError, "Expected 2D array, got 1D array instead"),
        (IRIS[None], ValueError, ""),
        (IRIS[:0], ValueError, "Found array with 0 sample(s) (shape=(0, 4)) while a minimum"),
        (np.where(IRIS == 7.9, np.nan, IRIS), ValueError, "Input X contains NaN.\n{} does not"),
        (np.where(IRIS == 7.9, np.inf, IRIS), ValueError, "contains infinity"),
        (np.ma.masked_equal(IRIS, 7.9), TypeError, "masked array"),
        ([["a", "b", "c", "d"]], (TypeError, ValueError), ""),
        (IRIS + 1j, (TypeError, ValueError), ""),
        (np.array([[1, 2, 3, None]], object), ValueError, ""),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_X_is_refused_as_by_the_estimator(X, error, words, method, light):
    model = made("three classes")
    for each in (model, light(model)):
        with pytest.raises(error) as found:
            getattr(each, method)(X)
        assert words.format(type(each).__name__) in str(found.value)


def test_sources_of_blocks(tmp_path, light, monkeypatch):
    monkeypatch.setattr("csoftmax.sources.kinds.BLOCK_BYTES", 100)
    model = made("three classes")
    path = tmp_path / "X.npy"
    np.save(path, IRIS)
    expected = model.predict_proba(IRIS)
    loaded = light(model)
    for X in (path, np.load(path, mmap_mode="r"), lambda: iter((IRIS[:70], IRIS[70:]))):
        np.testing.assert_allclose(loaded.predict_proba(X), expected, rtol=1e-12)
    assert same(loaded.predict_top_k(path, 1)[0][:, 0], model.predict(IRIS))
    with pytest.raises(ValueError, match="X has 3 features, but LinearModel is expecting 4"):
        loaded.predict(lambda: iter((IRIS[:, :3],)))


def test_threads(light):
    model = made("three classes").set_params(n_jobs=-2)
    loaded = light(model)
    assert loaded.n_jobs == -2
    assert same(loaded.predict_proba(IRIS), model.predict_proba(IRIS))
    loaded.n_jobs = 0
    with pytest.raises(ValueError, match="n_jobs is 0"):
        loaded.predict(IRIS)


def test_it_cannot_be_saved_again(light, tmp_path):
    with pytest.raises(TypeError, match=r"model is a csoftmax.prediction.*LinearModel: wanted"):
        save_model(light(made("three classes")), tmp_path / "again")


CODE = """
import sys
hidden = {hidden!r}
sys.modules.update(dict.fromkeys(hidden))
import numpy as np
from csoftmax import load_model
model, X = load_model({model!r}), np.load({X!r})
arrays = {{name: getattr(model, name)(X) for name in {methods!r}}}
arrays["top"] = model.predict_top_k(X, 2)[1]
loaded = {{name.partition(".")[0] for name, module in sys.modules.items() if module}}
assert not loaded & set(hidden)
print(type(model).__name__, *sorted(loaded & {{"sklearn", "scipy", "threadpoolctl"}}))
np.savez({out!r}, **arrays)
"""


NUMPY_ALONE = ["sklearn", "scipy", "threadpoolctl", "pandas"]


@pytest.mark.parametrize(
    ("name", "hidden", "seen"),
    [
        ("three classes", [], "SoftmaxClassifier scipy sklearn threadpoolctl"),
        ("three classes", ["sklearn"], "LinearModel scipy threadpoolctl"),
        ("three classes", NUMPY_ALONE, "LinearModel"),
        ("sparsified, two classes", NUMPY_ALONE, "LinearModel"),
    ],
)
def test_in_a_process_of_its_own(name, hidden, seen, tmp_path, run_python):
    model = made(name)
    paths = {part: str(tmp_path / part) for part in ("model", "X.npy", "out.npz")}
    save_model(model, paths["model"])
    np.save(paths["X.npy"], IRIS)
    code = CODE.format(
        hidden=hidden, model=paths["model"], X=paths["X.npy"], out=paths["out.npz"], methods=METHODS
    )
    assert run_python(code).stdout.split() == seen.split()
    found = np.load(paths["out.npz"])
    blas = hidden[1:]  # with as many threads as it likes
    for method in METHODS:
        expected = getattr(model, method)(IRIS)
        if blas and method in ("predict_log_proba", "decision_function"):
            np.testing.assert_allclose(found[method], expected, rtol=1e-13, atol=1e-13)
        else:
            assert same(found[method], expected)
    assert same(found["top"], model.predict_top_k(IRIS, 2)[1])


def test_the_course_without_scikit_learn(tmp_path, run_python):
    from csoftmax.cs231n.classifiers import Softmax

    model = Softmax()
    model.W = np.eye(3)
    save_model(model, path := Path(tmp_path / "W"))
    run_python(f"""if True:
        import sys
        sys.modules.update(dict.fromkeys(["sklearn", "scipy"]))
        import csoftmax
        model = csoftmax.load_model({str(path)!r})
        assert type(model) is csoftmax.cs231n.classifiers.Softmax
        assert model.predict([[0.0, 2.0, 1.0]]) == [1]
    """)
