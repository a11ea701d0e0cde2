"""Models saved and loaded where scikit-learn is: the same again, whatever the kind."""

from __future__ import annotations

import importlib
import io
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builds import needs_links, needs_pipes

pytest.importorskip("sklearn", reason="the estimators need scikit-learn")
from fitted_models import (
    IRIS,
    LABELS,
    METHODS,
    SPECIES,
    classes,
    made,
    names_of_all,
    same,
    with_labels,
)
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import csoftmax
from csoftmax import SGD, SoftmaxClassifier, SoftmaxClassifierCV, load_model, save_model


def again(model: Any, folder: Path) -> Any:
    path = folder / "model.safetensors"
    assert save_model(model, path) is None
    assert os.listdir(folder) == [path.name]
    return load_model(str(path))


@pytest.mark.parametrize("name", names_of_all())
def test_all_of_it_comes_back(name, tmp_path):
    if name == "names":
        pytest.importorskip("pandas")
    model = made(name)
    loaded = again(model, tmp_path)
    assert type(loaded) is type(model)
    here, there = vars(model), vars(loaded)
    assert set(here) == set(there)
    for attribute, value in here.items():
        assert same(there[attribute], value), attribute
    for array in vars(loaded).values():
        assert not isinstance(array, np.ndarray) or (array.flags.writeable and array.flags.owndata)
    X = IRIS.astype(model.coef_.dtype)
    if hasattr(model, "feature_names_in_"):
        import pandas

        X = pandas.DataFrame(X, columns=model.feature_names_in_)
    for method in METHODS:
        assert same(getattr(loaded, method)(X), getattr(model, method)(X))
    assert same(loaded.predict_top_k(X, 2), model.predict_top_k(X, 2))
    path = tmp_path / "model.safetensors"
    before = path.read_bytes()
    save_model(loaded, path)
    assert path.read_bytes() == before  # nothing but what the model is


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_every_type(kind, tmp_path):
    model = with_labels(kind)
    loaded = again(model, tmp_path)
    assert same(loaded.classes_, classes(kind))
    assert loaded.classes_.flags.owndata
    assert same(loaded.predict(IRIS), model.predict(IRIS))


@pytest.mark.parametrize("name", ["three classes", "partial_fit", "standardized", "far features"])
def test_partial_fit_goes_on_with_the_same_bits(name, tmp_path):
    model = made(name).set_params(random_state=1)
    loaded = again(model, tmp_path)
    for _ in range(2):
        model.partial_fit(IRIS, SPECIES)
        loaded.partial_fit(IRIS, SPECIES)
        assert same(loaded.coef_, model.coef_)
        loaded = again(loaded, tmp_path)


def test_warm_start_goes_on(tmp_path):
    model = SoftmaxClassifier(warm_start=True).fit(IRIS, SPECIES)
    loaded = again(model, tmp_path)
    assert same(loaded.fit(IRIS, SPECIES).coef_, model.fit(IRIS, SPECIES).coef_)


@pytest.mark.parametrize("classifier", ["Softmax", "LinearSVM"])
@pytest.mark.parametrize("parts", [{}, {"fit_bias": True, "shift": [1, 2, 3, 4], "scale": None}])
def test_the_course(classifier, parts, tmp_path):
    from csoftmax.cs231n import classifiers

    np.random.seed(0)
    model = getattr(classifiers, classifier)()
    model.train(IRIS.astype(np.float32), SPECIES, num_iters=5, **parts)
    loaded = again(model, tmp_path)
    assert type(loaded) is type(model)
    for name in ("W", "b", "shift", "scale"):
        was = getattr(model, name)
        assert same(getattr(loaded, name), None if was is None else np.asarray(was))
    assert same(loaded.predict(IRIS), model.predict(IRIS))
    np.random.seed(1)
    losses = model.train(IRIS, SPECIES, num_iters=3, **parts)
    np.random.seed(1)
    assert loaded.train(IRIS, SPECIES, num_iters=3, **parts) == losses


def test_on_dask(tmp_path):
    array = pytest.importorskip("dask.array")
    pytest.importorskip("distributed")
    from csoftmax.dask import SoftmaxClassifier as Lazy

    X = array.from_array(IRIS, chunks=(50, 4))
    model = Lazy(C=0.5).fit(X, SPECIES)
    assert not [name for name in vars(model) if name.startswith("_")]
    loaded = again(model, tmp_path)
    assert type(loaded) is Lazy
    assert all(same(vars(loaded)[name], value) for name, value in vars(model).items())
    assert same(loaded.predict(X).compute(), model.predict(X).compute())


def test_a_model_of_dask_where_dask_is_missing(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    from csoftmax.dask import SoftmaxClassifier as Lazy

    save_model(Lazy(C=0.5).fit(IRIS, SPECIES), tmp_path / "lazy")

    def import_module(name: str) -> Any:
        if name.startswith("csoftmax.dask"):
            raise ImportError(name)
        return importlib.import_module(name)

    monkeypatch.setattr("csoftmax.models.fitted.import_module", import_module)
    model = load_model(tmp_path / "lazy")
    assert type(model) is SoftmaxClassifier
    assert model.C == 0.5


def test_the_checkpoint_of_a_fit_is_not_kept(tmp_path):
    (folder := tmp_path / "fits").mkdir()
    model = SoftmaxClassifier(checkpoint=folder / "fit.npz").fit(IRIS, SPECIES)
    save_model(model, tmp_path / "a")
    assert load_model(tmp_path / "a").checkpoint is None


def refused(model: Any, tmp_path: Path, error: type[Exception], *words: str) -> None:
    with pytest.raises(error) as found:
        save_model(model, tmp_path / "refused")
    for word in words:
        assert word in str(found.value), found.value
    assert "refused" not in os.listdir(tmp_path)


def test_what_is_no_model_is_refused(tmp_path):
    class Mine(SoftmaxClassifier):
        pass

    fitted = LogisticRegression(max_iter=1000).fit(IRIS, SPECIES)
    for model in (fitted, None, RandomForestClassifier(), Mine().fit(IRIS, SPECIES)):
        refused(model, tmp_path, TypeError, "model is a ", "wanted one of SoftmaxClassifier, ")
    pipeline = make_pipeline(StandardScaler(), SoftmaxClassifier()).fit(IRIS, SPECIES)
    refused(pipeline, tmp_path, TypeError, "its last step alone can be")
    for model in (SoftmaxClassifier(), SoftmaxClassifierCV()):
        refused(model, tmp_path, ValueError, type(model).__name__, "not fitted")
    refused(csoftmax.cs231n.classifiers.Softmax(), tmp_path, ValueError, "W is None")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"callbacks": [print]}, "callbacks is <built-in function print>"),
        ({"random_state": np.random.RandomState(0)}, "random_state is RandomState"),
        ({"C": -1.0}, "'C' parameter of SoftmaxClassifier must be"),
    ],
)
def test_parameters_that_no_file_can_hold(options, words, tmp_path):
    model = SoftmaxClassifier().fit(IRIS, SPECIES).set_params(**options)
    error = ValueError if "C" in options else TypeError
    refused(model, tmp_path, error, "this SoftmaxClassifier cannot be saved", words)


def test_folds_that_are_objects(tmp_path):
    model = SoftmaxClassifierCV([1.0], cv=StratifiedKFold(2)).fit(IRIS, SPECIES)
    refused(model, tmp_path, TypeError, "cv is StratifiedKFold", "set_params(cv=None)")
    assert again(model.set_params(cv=None), tmp_path).C_ == 1.0


@pytest.mark.skipif(not hasattr(SoftmaxClassifier, "set_callbacks"), reason="scikit-learn < 1.9")
def test_callbacks_of_scikit_learn(tmp_path):
    from sklearn.callback import ScoringMonitor

    model = SoftmaxClassifier().set_callbacks(ScoringMonitor(scoring="accuracy"))
    refused(model.fit(IRIS, SPECIES), tmp_path, TypeError, "callbacks", "set_callbacks() leaves")
    assert same(again(model.set_callbacks(), tmp_path).coef_, model.coef_)


def test_attributes_that_no_file_can_hold(tmp_path):
    def model(**attributes: Any) -> Any:
        result = SoftmaxClassifier().fit(IRIS, SPECIES)
        vars(result).update(attributes)
        return result

    spoiled = np.ones((3, 4))
    spoiled[1, 2] = np.nan
    objects = np.array([(), "b", "c"], object)
    cases = [
        (ValueError, {"coef_": spoiled}, "coef_[1, 2] is nan, not a finite number"),
        (ValueError, {"intercept_": np.array([0, np.inf, 0])}, "intercept_[1] is inf"),
        (ValueError, {"coef_": np.ones((3, 5))}, "coef_ is float64 of shape (3, 5), not"),
        (ValueError, {"coef_": np.ones((3, 4), int)}, "coef_ is int64 of shape (3, 4), not"),
        (ValueError, {"coef_": np.ones((3, 4), np.float32)}, "intercept_ is not"),
        (ValueError, {"classes_": np.array([0, 2, 1])}, "1) after np.int64(2), not in order"),
        (ValueError, {"classes_": np.array([0, 1, "NaT"], "M8[s]")}, "not in order"),
        (TypeError, {"classes_": np.arange(3).astype("M8[2D]")}, "classes_ has dtype datetime64["),
        (ValueError, {"classes_": np.arange(2)}, "not float32 or float64 of shape (1, 4)"),
        (ValueError, {"note_": 3}, "note_ is nothing that such a model has"),
        (ValueError, {"note_": "abc"}, "note_ is no text that such a model has"),
        (TypeError, {"note_": print}, "note_ is <built-in function print>, which no file"),
        (TypeError, {"classes_": objects}, "classes_[0] is (), which no file can hold"),
        (TypeError, {"classes_": np.arange(3) * 1j}, "classes_ has dtype complex128"),
        (TypeError, {"classes_": np.array(list("abc"), "S1")}, "classes_ has dtype |S1"),
    ]
    for error, attributes, words in cases:
        refused(model(**attributes), tmp_path, error, words)


def test_sgd_and_nothing_else_of_ours_is_a_parameter(tmp_path):
    options = SGD(rule="momentum", learning_rate=np.float32(0.1), early_stopping=True)
    model = SoftmaxClassifier(solver=options, max_iter=2000, random_state=0, tol=1e-2)
    assert same(again(model.fit(IRIS, SPECIES), tmp_path).solver, options)


def test_a_failure_leaves_the_file_that_was_there(tmp_path, monkeypatch):
    path = tmp_path / "model"
    save_model(SoftmaxClassifier().fit(IRIS, SPECIES), path)
    before = path.read_bytes()

    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_model(SoftmaxClassifier(C=2).fit(IRIS, SPECIES), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model"]


def test_a_file_that_another_program_reads_for_a_moment(tmp_path):
    """A virus scanner, for one: Windows then does not let it be replaced."""
    path = tmp_path / "model"
    save_model(SoftmaxClassifier().fit(IRIS, SPECIES), path)
    model = SoftmaxClassifier(C=2).fit(IRIS, SPECIES)
    reader = path.open("rb")
    end = threading.Timer(0.2, reader.close)
    end.start()
    save_model(model, path)
    end.join()
    assert same(load_model(path).coef_, model.coef_)
    assert os.listdir(tmp_path) == ["model"]


def test_places(tmp_path):
    model = SoftmaxClassifier().fit(IRIS, SPECIES)
    with pytest.raises(FileNotFoundError, match="no is no folder"):
        save_model(model, tmp_path / "no" / "model")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError, match="folder cannot be written: it is a folder"):
        save_model(model, tmp_path / "folder")


@needs_pipes
def test_a_special_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="fifo cannot be written: it is no regular file"):
        save_model(SoftmaxClassifier().fit(IRIS, SPECIES), tmp_path / "fifo")
    assert (tmp_path / "fifo").is_fifo()


def test_files_have_names():
    for path in (io.BytesIO(), b"model", None, 3):
        message = f"path is a {type(path).__name__}: wanted a file's path, str or PathLike"
        for call in (load_model, lambda path: save_model(SoftmaxClassifier(), path)):
            with pytest.raises(TypeError, match=message):
                call(path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_who_may_read_a_file_stays_so(tmp_path):
    model, path = SoftmaxClassifier().fit(IRIS, SPECIES), tmp_path / "model"
    save_model(model, path)
    as_usual = path.stat().st_mode
    (tmp_path / "other").touch()
    assert as_usual == (tmp_path / "other").stat().st_mode
    path.chmod(0o600)
    save_model(model, path)
    assert path.stat().st_mode & 0o777 == 0o600


@needs_links
def test_a_link_stays_one(tmp_path):
    model = SoftmaxClassifier().fit(IRIS, SPECIES)
    os.symlink("model", tmp_path / "link")
    save_model(model, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["link", "model"]
    assert same(load_model(tmp_path / "link").coef_, model.coef_)
