"""Models handed to others by way of `to_sklearn`: ONNX Runtime, skops, joblib."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the estimators need scikit-learn")
from fitted_models import IRIS, SPECIES, classes, made, same
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from csoftmax import SoftmaxClassifier, SoftmaxClassifierCV

MODELS = ["three classes", "two classes", "float32", "soft labels", "no intercept", "search"]


def run(model, X):
    """Labels and probabilities by ONNX Runtime."""
    runtime = pytest.importorskip("onnxruntime")
    skl2onnx = pytest.importorskip("skl2onnx")
    from skl2onnx.common import data_types

    kind = data_types.FloatTensorType if X.dtype == np.float32 else data_types.DoubleTensorType
    exported = skl2onnx.convert_sklearn(
        model,
        initial_types=[("X", kind([None, X.shape[1]]))],
        options={"zipmap": False},
    )
    session = runtime.InferenceSession(
        exported.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"X": X})


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_onnx(name, dtype):
    model, X = made(name), IRIS.astype(dtype)
    labels, proba = run(model.to_sklearn(), X)
    assert proba.shape == (150, len(model.classes_))
    np.testing.assert_allclose(proba, model.predict_proba(X), rtol=1e-4, atol=2e-6)
    assert (labels == model.predict(X)).mean() > 0.98  # float32 there


@pytest.mark.parametrize("kind", ["<U9", "object"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_onnx_of_text(kind, n_classes):
    rows = n_classes > SPECIES
    model = SoftmaxClassifier().fit(IRIS[rows], classes(kind)[SPECIES[rows]])
    labels, _ = run(model.to_sklearn(), IRIS.astype(np.float32))
    assert (labels == model.predict(IRIS)).mean() > 0.98
    assert set(labels) == set(model.classes_)


def test_onnx_of_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), SoftmaxClassifier()).fit(IRIS, SPECIES)
    expected = pipeline.predict_proba(IRIS)
    pipeline.steps[-1] = ("softmax", pipeline[-1].to_sklearn())
    _, proba = run(pipeline, IRIS.astype(np.float32))
    np.testing.assert_allclose(proba, expected, rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize("name", [*MODELS, "sparsified", "partial_fit", "weights"])
def test_skops_trusts_all_of_it(name):
    skops = pytest.importorskip("skops.io")
    model = made(name).to_sklearn()
    data = skops.dumps(model)
    assert skops.get_untrusted_types(data=data) == []
    loaded = skops.loads(data)
    assert same(loaded.predict_proba(IRIS), model.predict_proba(IRIS))


@pytest.mark.parametrize("name", [*MODELS, "partial_fit"])
def test_skops_of_an_estimator_asks_for_its_class_alone(name):
    """Nothing inside a fitted model is of a class of ours."""
    skops = pytest.importorskip("skops.io")
    model = made(name)
    data = skops.dumps(model)
    cls = f"{type(model).__module__}.{type(model).__name__}"
    assert skops.get_untrusted_types(data=data) == [cls]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = skops.loads(data, trusted=[cls])
    assert all(same(vars(loaded)[attribute], value) for attribute, value in vars(model).items())
    if isinstance(model, SoftmaxClassifierCV):
        return
    labels = model.predict(IRIS)
    for each in (model, loaded):
        each.set_params(random_state=1).partial_fit(IRIS, labels)
    assert same(loaded.coef_, model.coef_)


@pytest.mark.parametrize("name", [*MODELS, "sparsified", "partial_fit"])
def test_joblib(name, tmp_path):
    joblib = pytest.importorskip("joblib")
    for model in (made(name), made(name).to_sklearn()):
        joblib.dump(model, tmp_path / "model", compress=3)
        loaded = joblib.load(tmp_path / "model")
        assert same(loaded.predict_proba(IRIS), model.predict_proba(IRIS))
        assert all(same(vars(loaded)[attribute], value) for attribute, value in vars(model).items())
