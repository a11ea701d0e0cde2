"""Labels of all types: what LogisticRegression fits is fitted, in fit and all that follows."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from csoftmax import SoftmaxClassifier, SoftmaxClassifierCV
from csoftmax.estimators.training import encode

X, index = load_iris(return_X_y=True)

LABELS = {
    "uint64 above int64": np.array([2**63, 2**63 + 1, 2**64 - 1], np.uint64),
    "uint64 close": np.array([2**63, 2**63 + 1, 2**63 + 2], np.uint64),
    "uint64 around 2**63": np.array([2**63 - 1, 2**63, 2**63 + 1], np.uint64),
    "uint64 close to the end": np.array([2**64 - 3, 2**64 - 2, 2**64 - 1], np.uint64),
    "uint64 wide": np.array([0, 2**63, 2**64 - 1], np.uint64),
    "big-endian": np.array([2**63, 2**63 + 1, 2**63 + 2], ">u8"),
    "int64 low": np.array([-(2**63), -(2**63) + 1, -(2**63) + 5]),
    "int64 high": np.array([2**63 - 3, 2**63 - 2, 2**63 - 1]),
    "int64 wide": np.array([-(2**63), 0, 2**63 - 1]),
    "int8": np.array([-128, 0, 127], np.int8),
    "uint8": np.array([0, 128, 255], np.uint8),
    "float32": np.array([-1, 0, 2**20], np.float32),
    "float64": np.array([-1.0, 0.0, 2.0**52]),
    "str": np.array(["a", "b", "ä"]),
    "objects": np.array(["a", "b", "c"], object),
    "days": np.array(["2020-01-01", "2021-01-01", "2100-01-01"], "datetime64[D]"),
    "times": np.array(["1700-01-01", "2021-01-01", "2200-01-01"], "datetime64[ns]"),
    "spans": np.array([-(2**62), 0, 2**62], "timedelta64[s]"),
}


@pytest.fixture(params=LABELS, scope="module")
def classes(request):
    return LABELS[request.param]


@pytest.fixture(scope="module")
def plain():
    """The same with labels 0, 1 and 2."""
    return SoftmaxClassifier(random_state=0).fit(X, index)


def check(model, classes, predicted):
    np.testing.assert_array_equal(model.classes_, classes)
    assert model.classes_.dtype == classes.dtype
    found = model.predict(X)
    assert found.dtype == classes.dtype
    np.testing.assert_array_equal(found, classes[predicted])
    out = np.empty(len(X), classes.dtype)
    assert model.predict(X, out=out) is out
    np.testing.assert_array_equal(out, found)


def test_fit(classes, plain):
    model = SoftmaxClassifier().fit(X, classes[index])
    check(model, classes, plain.predict(X))
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    if classes.dtype.kind in "mM":  # refused by LogisticRegression, too
        return
    weights = {label: 1.0 + at for at, label in enumerate(classes)}
    weighted = SoftmaxClassifier(class_weight=weights).fit(X, classes[index])
    same = SoftmaxClassifier(class_weight={0: 1.0, 1: 2.0, 2: 3.0}).fit(X, index)
    np.testing.assert_array_equal(weighted.coef_, same.coef_)


def test_warm_start(classes, plain):
    model = SoftmaxClassifier(warm_start=True).fit(X, classes[index])
    coef = model.coef_
    model.set_params(max_iter=0)
    with pytest.warns(UserWarning, match="max_iter=0"):
        model.fit(X[50:], classes[index][50:])  # two classes of three, which keep what they know
    np.testing.assert_allclose(model.coef_[0], coef[2] - coef[1], rtol=1e-12)


def test_partial_fit(classes, plain):
    model = SoftmaxClassifier(random_state=0).partial_fit(X, classes[index], classes=classes)
    same = SoftmaxClassifier(random_state=0).partial_fit(X, index, classes=range(3))
    check(model, classes, same.predict(X))
    model.partial_fit(X[:60], classes[index][:60])
    model.partial_fit(X[:60], classes[index][:60], classes=classes)


def test_cross_validation(classes):
    options = {"Cs": [0.01, 1.0], "cv": 3}
    model = SoftmaxClassifierCV(**options).fit(X, classes[index])
    same = SoftmaxClassifierCV(**options).fit(X, index)
    check(model, classes, same.predict(X))
    np.testing.assert_array_equal(model.scores_, same.scores_)


@pytest.mark.parametrize("kind", ["int64 high", "uint64 close", "str", "int8"])
def test_as_logistic_regression(kind):
    y = LABELS[kind][index]
    theirs = LogisticRegression(max_iter=1000).fit(X, y)
    ours = SoftmaxClassifier().fit(X, y)
    assert theirs.classes_.dtype == ours.classes_.dtype
    np.testing.assert_array_equal(theirs.classes_, ours.classes_)
    np.testing.assert_array_equal(theirs.predict(X), ours.predict(X))
    assert ours.score(X, y) == theirs.score(X, y)


@pytest.mark.parametrize("model", [SoftmaxClassifier(), SoftmaxClassifierCV(Cs=2, cv=3)])
def test_two_classes_of_bool(model):
    check(model.fit(X, index > 0), np.array([False, True]), (index > 0).astype(int))


@pytest.mark.parametrize(
    "labels", [np.array([b"a", b"b", b"c"]), np.array([2**63, 2**64, 1], object)]
)
def test_refused_as_by_logistic_regression(labels):
    refusals = []
    for model in (SoftmaxClassifier(), SoftmaxClassifierCV(), LogisticRegression()):
        with pytest.raises((TypeError, ValueError)) as caught:
            model.fit(X, labels[index])
        refusals.append(caught.type)
    assert len(set(refusals)) == 1


@pytest.mark.parametrize("dtype", [*"bBhHiIlL", ">u8", ">i2"])
def test_encode_as_unique(dtype):
    """Close to either end of each type, and across its middle."""
    info = np.iinfo(dtype)
    random = np.random.default_rng(0)
    for low in (info.min, info.max - 255, info.max // 2 - 100):
        y = np.array([low + int(k) for k in random.integers(0, 256, 300)], object)
        y = y[(y >= info.min) & (y <= info.max)].astype(dtype)
        classes, at = encode(y)
        expected, where = np.unique(y, return_inverse=True)
        assert classes.dtype == expected.dtype
        np.testing.assert_array_equal(classes, expected)
        np.testing.assert_array_equal(at, where)


def test_labels_of_other_integer_types_at_partial_fit():
    """int64 and uint64 would meet in float64, where neighbours are the same number."""
    classes = np.array([2**60, 2**60 + 1, 2**60 + 2])
    model = SoftmaxClassifier(random_state=0).partial_fit(X, classes[index], classes=classes)
    same = SoftmaxClassifier(random_state=0).partial_fit(
        X, classes[index].astype(np.uint64), classes=classes
    )
    np.testing.assert_array_equal(model.coef_, same.coef_)
    negative = SoftmaxClassifier().partial_fit(X, index - 1, classes=[-1, 0, 1])
    with pytest.raises(ValueError, match="wanted one of the classes"):  # and not -1
        negative.partial_fit(X, np.where(index == 0, 2**64 - 1, 0).astype(np.uint64))
