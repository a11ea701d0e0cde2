"""predict_top_k of both estimators."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the estimators need scikit-learn")
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import NotFittedError

from csoftmax import SoftmaxClassifier, SoftmaxClassifierCV

X, y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])


@pytest.mark.parametrize("model", [SoftmaxClassifier(), SoftmaxClassifierCV(Cs=2, cv=2)])
def test_it_is_predict_proba_in_order(model):
    model.fit(X, NAMES[y])
    proba = model.predict_proba(X)
    for k in (1, 2, 3):
        labels, best = model.predict_top_k(X, k)
        assert labels.dtype == model.classes_.dtype
        order = np.argsort(-proba, axis=1)[:, :k]
        np.testing.assert_array_equal(labels, model.classes_[order])
        np.testing.assert_array_equal(best, np.take_along_axis(proba, order, axis=1))
    np.testing.assert_array_equal(model.predict_top_k(X, 1)[0][:, 0], model.predict(X))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_two_classes(dtype):
    model = SoftmaxClassifier().fit(X[y < 2].astype(dtype), NAMES[y[y < 2]])
    labels, best = model.predict_top_k(X.astype(dtype), 2)
    proba = model.predict_proba(X.astype(dtype))
    assert best.dtype == dtype
    np.testing.assert_array_equal(best, -np.sort(-proba, axis=1))
    np.testing.assert_array_equal(labels[:, 0], model.predict(X.astype(dtype)))
    np.testing.assert_array_equal(labels[:, 0] == "setosa", labels[:, 1] == "versicolor")


def test_equal_scores_come_in_the_order_of_the_classes():
    model = SoftmaxClassifier().fit(X, NAMES[y])
    model.coef_, model.intercept_ = np.zeros((3, 4)), np.zeros(3)
    labels, best = model.predict_top_k(X[:2], 3)
    np.testing.assert_array_equal(labels, [NAMES] * 2)
    np.testing.assert_allclose(best, 1 / 3)


def test_sparse_rows_and_coefficients():
    sparse = pytest.importorskip("scipy.sparse")
    digits, target = load_digits(return_X_y=True)
    model = SoftmaxClassifier(tol=1e-2).fit(digits, target)
    labels, best = model.predict_top_k(digits, 4)
    of_sparse = model.predict_top_k(sparse.csr_array(digits), 4)
    np.testing.assert_array_equal(of_sparse[0], labels)
    np.testing.assert_allclose(of_sparse[1], best, rtol=1e-10)
    model.sparsify()
    np.testing.assert_array_equal(model.predict_top_k(digits, 4)[1], best)


def test_refusals():
    model = SoftmaxClassifier()
    with pytest.raises(NotFittedError):
        model.predict_top_k(X, 1)
    model.fit(X, y)
    for k, error, message in [
        (4, ValueError, "k is 4: wanted at most 3, the number of classes"),
        (0, ValueError, "k is 0: wanted at least 1"),
        (1.5, TypeError, "k is 1.5: wanted an integer"),
    ]:
        with pytest.raises(error, match=f"^{message}$"):
            model.predict_top_k(X, k)
    with pytest.raises(ValueError, match="X has 3 features"):
        model.predict_top_k(X[:, :3], 1)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.predict_top_k(np.where(X[5, 2] == X, np.nan, X), 1)
