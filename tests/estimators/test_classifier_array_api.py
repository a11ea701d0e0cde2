"""Tensors come back where scikit-learn dispatches on arrays, as from LogisticRegression."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn
from sklearn import config_context
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import _array_api, estimator_checks

from csoftmax import SGD, SoftmaxClassifier, SoftmaxClassifierCV

torch = pytest.importorskip("torch")
if tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 9):
    pytest.skip("LogisticRegression dispatches from 1.9 on", allow_module_level=True)

X, y = load_iris(return_X_y=True)
T = torch.from_numpy(X)
METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function")
ESTIMATORS = pytest.mark.parametrize(
    "estimator",
    [
        SoftmaxClassifier(),
        SoftmaxClassifier(standardize=True, l1_ratio=0.5),
        SoftmaxClassifier(solver="sgd", random_state=0),
        SoftmaxClassifierCV(2, cv=2),
    ],
    ids=repr,
)
NUMPY, TORCH = ("numpy", None), ("torch", "cpu")


@pytest.fixture(autouse=True)
def dispatch(monkeypatch):
    """As a user has it, but for SciPy, which looks when it is imported, and is not asked here."""
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    with config_context(array_api_dispatch=True):
        yield


def same(tensor, array):
    assert type(tensor) is torch.Tensor
    np.testing.assert_array_equal(tensor.numpy(), array)
    assert tensor.numpy().dtype == array.dtype


# ---- scikit-learn's own checks ------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@ESTIMATORS
def test_scikit_learn_s_check(estimator, dtype):
    estimator_checks.check_array_api_input(
        type(estimator).__name__,
        estimator,
        array_namespace="torch",
        device_name="cpu",
        dtype_name=dtype,
        check_values=True,
        check_sample_weight=True,
    )


@pytest.mark.parametrize(("of_x", "of_y"), [(NUMPY, TORCH), (TORCH, NUMPY)])
@ESTIMATORS
def test_scikit_learn_s_check_of_mixed_inputs(estimator, of_x, of_y):
    estimator_checks.check_array_api_mixed_inputs(
        type(estimator).__name__,
        estimator,
        _array_api.NamespaceAndDevice(*of_x),
        _array_api.NamespaceAndDevice(*of_y),
        check_values=True,
    )


@ESTIMATORS
def test_scikit_learn_s_check_of_other_namespaces(estimator):
    name = type(estimator).__name__
    estimator_checks.check_array_api_same_namespace(name, estimator, *TORCH)
    tensors, arrays = estimator.fit(T, y), SoftmaxClassifier().fit(X, y)
    for model, rows in ((tensors, X), (arrays, T)):
        with pytest.raises(ValueError, match="must use the same namespace"):
            model.predict_top_k(rows, 1)


# ---- what comes back ----------------------------------------------------------------------------


@ESTIMATORS
def test_a_model_of_tensors(estimator):
    with config_context(array_api_dispatch=False):
        other = sklearn.base.clone(estimator).fit(X, y)
    model = sklearn.base.clone(estimator).fit(T, torch.from_numpy(y))
    arrays = {name for name, value in vars(other).items() if isinstance(value, np.ndarray)}
    assert {"coef_", "intercept_", "classes_", "n_iter_"} - arrays <= {"n_iter_"}
    for name in arrays:
        same(getattr(model, name), getattr(other, name))
    for method in METHODS:
        same(getattr(model, method)(T), getattr(other, method)(X))
    for found, expected in zip(model.predict_top_k(T, 2), other.predict_top_k(X, 2), strict=True):
        same(found, expected)
    found = model.score(T, torch.from_numpy(y))
    assert found == pytest.approx(other.score(X, y), rel=1e-6)  # scikit-learn's mean is float32


def test_kinds_as_of_logistic_regression():
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    for labels in (torch.from_numpy(y), y, y.tolist(), names, torch.from_numpy(y * 1.0), y > 0):
        kinds = []
        for estimator in (SoftmaxClassifier(), LogisticRegression(tol=0.1)):
            model = estimator.fit(T, labels)
            attributes = [getattr(model, name) for name in ("coef_", "intercept_", "classes_")]
            results = [getattr(model, method)(T) for method in METHODS]
            kinds.append([(type(a), a.dtype) for a in attributes + results])
        assert kinds[0] == kinds[1]


def test_numpy_s_arrays_stay_so():
    for rows in (X, X.tolist(), pytest.importorskip("pandas").DataFrame(X)):
        model = SoftmaxClassifier().fit(rows, torch.from_numpy(y))
        assert type(model.coef_) is np.ndarray
        assert type(model.classes_) is torch.Tensor  # as of LogisticRegression
        assert all(type(getattr(model, method)(rows)) is np.ndarray for method in METHODS)


def test_no_copies():
    model = SoftmaxClassifier().fit(T, y)
    seen = []

    class Model(SoftmaxClassifier):
        def _labels(self, X, out=None):
            seen.append(X)
            return super()._labels(X, out)

    Model().fit(T, y).predict(T)
    assert np.shares_memory(seen[0], X)
    assert model.predict_proba(T).is_contiguous()


def test_results_in_arrays_that_are_given():
    model = SoftmaxClassifier().fit(T, y)
    out = np.empty((len(X), 3))
    assert model.predict_proba(T, out=out) is out
    np.testing.assert_array_equal(out, model.predict_proba(T).numpy())
    with pytest.raises(TypeError, match=r"^out is a Tensor: wanted a numpy\.ndarray"):
        model.predict_proba(T, out=torch.from_numpy(out))


def test_arrays_of_jax():
    jax = pytest.importorskip("jax")
    rows, labels = jax.numpy.asarray(X.astype(np.float32)), jax.numpy.asarray(y)
    model, other = SoftmaxClassifier().fit(rows, labels), SoftmaxClassifier()
    other.fit(X.astype(np.float32), y)
    assert isinstance(model.coef_, jax.Array)
    for method in METHODS:
        found = getattr(model, method)(rows)
        assert isinstance(found, jax.Array)
        np.testing.assert_array_equal(found, getattr(other, method)(X.astype(np.float32)))


def test_refused_tensors():
    model = SoftmaxClassifier().fit(T, y)
    for wrong in (T.clone().requires_grad_(), T.bfloat16()):
        for call in (model.predict, lambda X: SoftmaxClassifier().fit(X, y)):
            with pytest.raises(TypeError, match=r"^X is a torch\.Tensor that NumPy cannot read"):
                call(wrong)


# ---- a model's life -----------------------------------------------------------------------------


def test_models_go_on():
    labels = torch.from_numpy(y)
    steps = SoftmaxClassifier(solver=SGD(), random_state=0), SoftmaxClassifier(random_state=0)
    for _ in range(2):
        steps[0].partial_fit(T, labels, classes=torch.arange(3))
        steps[1].partial_fit(X, y, classes=np.arange(3))
    same(steps[0].coef_, steps[1].coef_)
    warm = SoftmaxClassifier(warm_start=True), SoftmaxClassifier(warm_start=True)
    for k in (100, 150):
        warm[0].fit(T[:k], labels[:k])
        warm[1].fit(X[:k], y[:k])
    same(warm[0].coef_, warm[1].coef_)


def test_a_fit_that_is_interrupted():
    def stop(progress):
        raise KeyboardInterrupt

    model = SoftmaxClassifier(callbacks=stop)
    with pytest.raises(KeyboardInterrupt):
        model.fit(T, y)
    assert type(model.coef_) is type(model.predict(T)) is torch.Tensor


def test_warnings_count_iterations():
    with pytest.warns(ConvergenceWarning, match="max_iter=1 "):
        model = SoftmaxClassifier(max_iter=1).fit(T, y)
    same(model.n_iter_, np.array([1], np.int32))


def test_to_numpy_and_without_dispatch():
    model, other = SoftmaxClassifier().fit(T, y), SoftmaxClassifier().fit(X, y)
    moved = _array_api.move_estimator_to(model, np, "cpu")
    np.testing.assert_array_equal(moved.predict_proba(X), other.predict_proba(X))
    xp, _, device = _array_api.get_namespace_and_device(T)
    moved = _array_api.move_estimator_to(other, xp, device)
    same(moved.predict_proba(T), other.predict_proba(X))
    with config_context(array_api_dispatch=False):
        for rows in (T, X):
            found = model.predict_proba(rows)
            assert type(found) is np.ndarray
            np.testing.assert_array_equal(found, other.predict_proba(X))


def test_in_pipelines_and_searches():
    pipeline = make_pipeline(StandardScaler(), SoftmaxClassifier())
    search = GridSearchCV(pipeline, {"softmaxclassifier__C": [1e-3, 1.0]}, cv=3)
    found = search.fit(T, torch.from_numpy(y))
    assert found.best_params_ == {"softmaxclassifier__C": 1.0}
    assert type(found.predict(T)) is torch.Tensor


def test_sources_of_blocks_are_numpy_s():
    def blocks():
        yield X[:70], y[:70]
        yield X[70:], y[70:]

    model = SoftmaxClassifier(tol=1e-3).fit(blocks, None, np.ones(len(X)))
    assert type(model.coef_) is type(model.predict(blocks)) is np.ndarray
    assert model.score(blocks) == (model.predict(X) == y).mean()
