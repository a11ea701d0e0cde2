"""SoftmaxClassifier on real data: LogisticRegression's optimum, and the data as they lie there."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import logsumexp, softmax
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from csoftmax import SoftmaxClassifier, datasets

ROWS = 500  #: that are fitted
NEW_ROWS = 1000  #: that are predicted


@dataclass(frozen=True)
class Rows:
    """Rows to fit, and others to predict: in float64, dense or CSR."""

    X: Any
    y: np.ndarray
    new: Any


def colours(images):
    """Mean colours of an image's quarters, from 0 to 1: 12 features that separate no classes."""
    return images.reshape(-1, 2, 16, 2, 16, 3).mean(axis=(2, 4)).reshape(len(images), 12) / 255


def text(file):
    data = datasets.load_svmlight(file)
    return TfidfTransformer(sublinear_tf=True).fit_transform(data.X_train).tocsr(), data.y_train


@pytest.fixture(scope="module")
def real(data_dir):
    """Each data set by its name, with all its rows; bytes as "mnist bytes" and "cifar10 bytes"."""
    mnist = datasets.load_mnist(data_dir / "mnist")
    images, labels = datasets.read_cifar10_batch(data_dir / "cifar-10-batches-bin/data_batch_1.bin")
    pixels = images.reshape(len(images), -1)
    return {
        "mnist": (mnist.X_train[:10000] / 255, mnist.y_train[:10000]),
        "mnist bytes": (mnist.X_train, mnist.y_train),
        "cifar10": (pixels[:3000] / 255 - 0.5, labels[:3000]),
        "cifar10 bytes": (pixels, labels),
        "cifar10 colours": (colours(images), labels),
        "newsgroups": text(data_dir / "text/20news-bydate.train.svm"),
        "reuters": text(data_dir / "text/reuters-single.train.svm"),
    }


def some(real, name, two=False, n=ROWS):
    """A sample of a data set's rows; of its two most frequent classes, if `two`."""
    X, y = real[name]
    order = np.random.default_rng(0).permutation(len(y))
    if two:
        order = order[np.isin(y[order], np.argsort(-np.bincount(y), kind="stable")[:2])]
    n = min(n, len(order) * 3 // 4)
    rows, new = order[:n], order[n : n + NEW_ROWS]
    return Rows(X[rows], y[rows], X[new])


def mean_objective(model, X, y, s, C, l1_ratio=0.0, coef=None, intercept=None):
    """Objective by C sum(s), and the largest element of its (projected) gradient, in float64."""
    W = np.asarray(model.coef_ if coef is None else coef, np.float64)
    Z = X.astype(np.float64) @ W.T + (model.intercept_ if intercept is None else intercept)
    if one_row := len(W) == 1:
        Z = np.hstack([np.zeros_like(Z), Z])
    at = np.searchsorted(model.classes_, y)
    strength = 1 / (C * s.sum())
    loss = s @ (logsumexp(Z, axis=1) - Z[np.arange(len(y)), at]) / s.sum()
    loss += strength * ((1 - l1_ratio) / 2 * (W**2).sum() + l1_ratio * np.abs(W).sum())

    error = softmax(Z, axis=1)
    error[np.arange(len(y)), at] -= 1
    error *= s[:, None] / s.sum()
    error = error[:, 1:] if one_row else error
    grad = (X.T @ error).T + (1 - l1_ratio) * strength * W
    l1 = l1_ratio * strength
    grad = np.where(
        W == 0, np.sign(grad) * np.maximum(np.abs(grad) - l1, 0), grad + l1 * np.sign(W)
    )
    largest = np.abs(grad).max()
    if model.fit_intercept:
        largest = max(largest, np.abs(error.sum(axis=0)).max())
    return loss, largest


# name, two classes, form, dtype, sample weights, class weights, intercept, C
L2 = [
    ("mnist", False, np.asarray, np.float64, False, None, True, 1.0),
    ("mnist", False, np.asarray, np.float32, True, None, True, 0.1),
    ("mnist", False, sp.csr_array, np.float64, True, "balanced", True, 0.1),
    ("mnist", True, np.asarray, np.float64, True, None, False, 1.0),
    ("mnist", True, sp.csr_array, np.float32, False, None, True, 0.1),
    ("mnist", True, np.asarray, np.float32, False, (0.5, 3.0), True, 0.01),
    ("cifar10", False, np.asarray, np.float64, False, None, True, 0.01),
    ("cifar10", False, np.asarray, np.float32, True, "balanced", False, 0.01),
    ("cifar10", True, np.asarray, np.float64, True, None, True, 0.01),
    ("cifar10", True, np.asarray, np.float32, False, "balanced", True, 0.01),
    ("cifar10 colours", False, np.asarray, np.float64, True, None, True, 10.0),
    ("cifar10 colours", False, np.asarray, np.float64, False, None, True, np.inf),
    ("cifar10 colours", True, sp.csr_array, np.float64, True, None, False, np.inf),
    ("cifar10 colours", True, np.asarray, np.float64, True, "balanced", True, np.inf),
    ("newsgroups", False, sp.csr_array, np.float64, False, None, True, 10.0),
    ("newsgroups", False, sp.csr_matrix, np.float32, True, "balanced", True, 1.0),
    ("newsgroups", True, sp.csr_array, np.float64, True, None, False, 10.0),
    ("newsgroups", True, sp.csr_array, np.float32, False, None, True, 10.0),
    ("reuters", False, sp.csr_array, np.float64, True, "balanced", True, 10.0),
    ("reuters", False, sp.csr_array, np.float32, False, None, False, 10.0),
    ("reuters", True, sp.csc_array, np.float64, False, None, True, 100.0),
    ("reuters", True, sp.csr_array, np.float32, True, None, True, 1.0),
]


# name, two classes, form, dtype, l1_ratio, C
L1 = [
    ("mnist", False, np.asarray, np.float64, 1.0, 0.1),
    ("mnist", True, np.asarray, np.float32, 0.5, 0.1),
    ("cifar10 colours", False, sp.csr_array, np.float64, 0.5, 0.1),
    ("cifar10 colours", True, np.asarray, np.float32, 1.0, 1.0),
    ("newsgroups", True, sp.csr_array, np.float64, 1.0, 10.0),
    ("reuters", False, sp.csr_array, np.float32, 0.5, 10.0),
    ("reuters", True, sp.csr_array, np.float64, 1.0, 10.0),
]


def label(part):
    return "-".join(str(getattr(x, "__name__", x)) for x in part)


def weights(rows, weighted, class_weight):
    """Sample weights to give, the class weights as a dictionary, and what both come to."""
    given = np.random.default_rng(1).uniform(0, 2, len(rows.y)) if weighted else None
    s = np.ones(len(rows.y)) if given is None else given
    labels, index = np.unique(rows.y, return_inverse=True)
    if class_weight == "balanced":
        s = s * (s.sum() / len(labels) / np.bincount(index, s))[index]
    elif class_weight:
        s = s * np.array(class_weight)[index]
        class_weight = dict(zip(labels.tolist(), class_weight, strict=True))
    return given, class_weight, s


def all_coefficients(model):
    """With intercepts, and mean 0 over classes: without penalty any mean is as good."""
    coef = np.column_stack([model.coef_, model.intercept_])
    return coef - coef.mean(axis=0) if len(coef) > 1 else coef


@pytest.mark.parametrize("case", L2, ids=label)
def test_l2_and_none(real, case):
    name, two, form, dtype, weighted, class_weight, intercept, C = case
    rows = some(real, name, two, ROWS if np.isfinite(C) else 3000)  # so many are not separable
    X, new = (form(part).astype(dtype) for part in (rows.X, rows.new))
    given, class_weight, s = weights(rows, weighted, class_weight)
    options = {"C": C, "fit_intercept": intercept}
    solver = "newton-cg" if np.isfinite(C) else "newton-cholesky"
    exact = 1e-8 if np.isfinite(C) else 1e-11  # the colours' curvature differs by 1e6
    rival = LogisticRegression(solver=solver, tol=exact, max_iter=1000, **options)
    rival.fit(X.astype(np.float64), rows.y, s)
    tol = exact if dtype == np.float64 else 2e-6
    ours = SoftmaxClassifier(tol=tol, max_iter=5000, class_weight=class_weight, **options)
    ours.fit(X, rows.y, given)

    if dtype == np.float64 and np.isfinite(C):  # else rounding may come first
        assert ours.stop_reason_ == "gradient"
    assert ours.coef_.dtype == dtype
    assert ours.coef_.shape == rival.coef_.shape
    np.testing.assert_array_equal(ours.classes_, rival.classes_)
    at, gradient = mean_objective(ours, X, rows.y, s, C)
    least, _ = mean_objective(rival, X, rows.y, s, C)
    same = ours.predict(new) == rival.predict(new.astype(np.float64))
    if dtype == np.float64:
        assert gradient <= max(1.01 * tol, 1e-9)
        assert at <= least * (1 + 1e-9)
        coef, expected = (all_coefficients(model) for model in (ours, rival))
        tolerance = 1e-4 * np.abs(expected).max()
        np.testing.assert_allclose(coef, expected, rtol=0, atol=tolerance)
        proba = ours.predict_proba(new), rival.predict_proba(new)
        np.testing.assert_allclose(*proba, rtol=0, atol=1e-4)
        assert same.all()
    else:
        assert gradient <= tol * 2
        assert at <= least * (1 + 1e-6)
        assert same.mean() >= 0.999


@pytest.mark.filterwarnings("ignore:The max_iter was reached")  # saga is far slower
@pytest.mark.parametrize("case", L1, ids=label)
def test_l1_and_elastic_net(real, case):
    name, two, form, dtype, l1_ratio, C = case
    rows = some(real, name, two, 500)
    X = form(rows.X).astype(dtype)
    tol = 1e-7 if dtype == np.float64 else 1e-5
    ours = SoftmaxClassifier(C, l1_ratio=l1_ratio, tol=tol, max_iter=20000).fit(X, rows.y)
    rival = LogisticRegression(
        C=C, l1_ratio=l1_ratio, solver="saga", tol=1e-6, max_iter=100, random_state=0
    ).fit(X.astype(np.float64), rows.y)
    assert ours.stop_reason_ == "gradient"
    s = np.ones(len(rows.y))
    at, gradient = mean_objective(ours, X, rows.y, s, C, l1_ratio)
    least, _ = mean_objective(rival, X, rows.y, s, C, l1_ratio)
    assert gradient <= tol * (1.01 if dtype == np.float64 else 3)
    assert at <= least * (1 + 1e-6)
    assert 0 < np.count_nonzero(ours.coef_) < ours.coef_.size


# ---- bytes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray])
def test_standardized_bytes_are_a_standard_scaler(real, form, two):
    """Of 784 pixels, more than 100 are black in all these images."""
    rows = some(real, "mnist bytes", two)
    assert (rows.X.max(axis=0) == 0).sum() > 100
    scaler = StandardScaler().fit(rows.X)
    scaled = scaler.transform(rows.X)
    rival = LogisticRegression(C=0.01, solver="newton-cg", tol=1e-8).fit(scaled, rows.y)
    ours = SoftmaxClassifier(0.01, standardize=True, tol=1e-5).fit(form(rows.X), rows.y)
    assert ours.coef_.dtype == np.float32
    s = np.ones(len(rows.y))
    least, _ = mean_objective(rival, scaled, rows.y, s, 0.01)
    at, gradient = mean_objective(
        ours,
        scaled,
        rows.y,
        s,
        0.01,
        coef=ours.coef_ * scaler.scale_,
        intercept=ours.intercept_ + ours.coef_.astype(np.float64) @ scaler.mean_,
    )
    assert gradient <= 2e-5
    assert at <= least * (1 + 1e-6)
    np.testing.assert_allclose(ours.coef_ * scaler.scale_, rival.coef_, rtol=0, atol=1e-3)
    same = ours.predict(form(rows.new)) == rival.predict(scaler.transform(rows.new))
    assert same.mean() >= 0.999


@pytest.mark.parametrize("standardize", [False, True])
def test_images_stay_where_they_are(real, data_dir, standardize):
    """A batch of CIFAR-10 in its file, of which each row is a label and 3072 bytes."""
    images, labels = real["cifar10 bytes"]
    file = data_dir / "cifar-10-batches-bin/data_batch_1.bin"
    records = np.memmap(file, np.uint8, "r", shape=(10000, 3073))
    mapped = records[:, 1:]
    forms = [mapped, np.ascontiguousarray(mapped), np.asfortranarray(mapped)]
    options = {"standardize": standardize, "C": 1e-3 if standardize else 1e-6, "tol": 1e-2}
    if not standardize:
        options["tol"] *= 255
    model = SoftmaxClassifier(**options)
    model.fit(mapped[:500], labels[:500])  # so that all is imported
    models = []
    for form in forms:
        tracemalloc.start()
        try:
            models.append(SoftmaxClassifier(**options).fit(form, records[:, 0]))
            models[-1].predict(form)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < images.size * 4 / 2  # half of a copy in float32
    for other in models[1:]:
        np.testing.assert_array_equal(models[0].coef_, other.coef_)
    assert models[0].score(mapped, labels) > 0.38


# ---- sparse -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "options", [{}, {"l1_ratio": 0.5}, {"standardize": True, "C": 0.01}], ids=str
)
def test_sparse_is_dense(real, dtype, options):
    rows = some(real, "reuters", n=400)
    X, new = rows.X.astype(dtype)[:, :3000], rows.new.astype(dtype)[:, :3000]
    options = {"tol": 1e-7 if dtype == np.float64 else 1e-5, "max_iter": 5000} | options
    sparse = SoftmaxClassifier(**options).fit(X, rows.y)
    dense = SoftmaxClassifier(**options).fit(X.toarray(), rows.y)
    assert sparse.stop_reason_ == dense.stop_reason_ == "gradient"
    tolerance = 1e-4 if dtype == np.float64 else 1e-2
    np.testing.assert_allclose(sparse.coef_, dense.coef_, rtol=tolerance, atol=tolerance)
    assert (sparse.predict(new) == dense.predict(new.toarray())).mean() >= 0.999
    for method in ("predict_proba", "decision_function"):
        a, b = getattr(sparse, method)(new), getattr(sparse, method)(new.toarray())
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_indices_of_64_bits(real):
    rows = some(real, "newsgroups")
    long = rows.X.copy()
    long.indices, long.indptr = (part.astype(np.int64) for part in (long.indices, long.indptr))
    models = [SoftmaxClassifier(10).fit(X, rows.y) for X in (rows.X, long)]
    np.testing.assert_array_equal(*(model.coef_ for model in models))


def test_bytes_in_csr(real):
    rows = some(real, "mnist bytes")
    options = {"C": 1e-6, "tol": 1e-3}
    sparse = SoftmaxClassifier(**options).fit(sp.csr_array(rows.X), rows.y)
    dense = SoftmaxClassifier(**options).fit(rows.X, rows.y)
    np.testing.assert_allclose(sparse.coef_, dense.coef_, rtol=0, atol=1e-4)
    assert (sparse.predict(sp.csr_array(rows.new)) == dense.predict(rows.new)).mean() >= 0.999


# ---- targets ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mnist", "reuters"])
@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_probabilities_as_targets(real, name, two, smoothing):
    rows = some(real, name, two)
    classes, index = np.unique(rows.y, return_inverse=True)
    onehot = np.eye(len(classes))[index]
    soft = (1 - smoothing) * onehot + smoothing / len(classes)
    options = {"tol": 1e-7, "max_iter": 5000}
    hard = SoftmaxClassifier(label_smoothing=smoothing, **options).fit(rows.X, rows.y)
    same = SoftmaxClassifier(**options).fit(rows.X, soft)
    np.testing.assert_allclose(hard.coef_, same.coef_, rtol=0, atol=1e-3)
    np.testing.assert_allclose(
        hard.predict_proba(rows.new), same.predict_proba(rows.new), atol=1e-4
    )
    np.testing.assert_array_equal(hard.predict(rows.new), classes[same.predict(rows.new)])
