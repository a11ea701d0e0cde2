"""What is predicted where, over two features."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="pictures need matplotlib")

from csoftmax.plot import RegionsDisplay


def fitted(X, y, **options):
    from csoftmax import SoftmaxClassifier

    return SoftmaxClassifier(**options).fit(X, y)


def test_what_is_predicted(blobs, drawn):
    X, y = blobs
    model = fitted(X, np.array(["a", "b", "c"])[y])
    display = RegionsDisplay.from_estimator(model, X, model.classes_[y], grid=40)
    assert display.predicted.shape == display.confidence.shape == (40, 40)
    assert display.x[0] < X[:, 0].min() < X[:, 0].max() < display.x[-1]
    for row, column in ((0, 0), (3, 39), (39, 3)):
        point = [[display.x[column], display.y[row]]]
        assert display.class_names[display.predicted[row, column]] == model.predict(point)[0]
        sure = model.predict_proba(point).max()
        assert display.confidence[row, column] == pytest.approx(sure, rel=1e-9)
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("feature 0", "feature 1")
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend == ["a", "b", "c"]
    assert sorted(text.get_text() for text in display.ax_.texts) == ["a", "b", "c"]
    drawn(display)


def test_without_labels_no_rows_are_shown(blobs, drawn):
    X, y = blobs
    display = RegionsDisplay.from_estimator(fitted(X, y), X, grid=20)
    assert display.points is None
    assert display.description == "regions of 3 classes over feature 0 and feature 1"
    drawn(display)


def test_without_probabilities(blobs, drawn):
    from csoftmax.cs231n.classifiers import LinearSVM

    X, y = blobs
    model = LinearSVM()
    model.train(X, y, learning_rate=0.1, num_iters=200, fit_bias=True)
    display = RegionsDisplay.from_estimator(model, X, y, grid=20, class_names=["x", "y", "z"])
    assert display.confidence is None
    assert len(np.unique(display.predicted)) == 3
    drawn(display)


def test_other_features_at_their_mean(iris, drawn):
    X, y = iris
    model = fitted(X, y)
    display = RegionsDisplay.from_estimator(model, X, y, features=(2, 3), others="mean", grid=30)
    mean = X.mean(axis=0)
    point = [[mean[0], mean[1], display.x[4], display.y[7]]]
    assert display.confidence[7, 4] == pytest.approx(model.predict_proba(point).max(), rel=1e-9)
    drawn(display)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames(library, iris, drawn):
    frames = pytest.importorskip(library, reason=f"needs {library}")
    frame = frames.DataFrame({name: iris[0][:, k] for k, name in enumerate("abcd")})
    model = fitted(frame, iris[1])
    options = {"features": ("c", "a"), "others": "mean", "grid": 20}
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of features without their names
        display = RegionsDisplay.from_estimator(model, frame, iris[1], **options)
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("c", "a")
    drawn(display)


def test_many_features_are_worked_on_in_parts(monkeypatch, iris):
    X, y = iris
    options = {"features": (2, 3), "others": "mean", "grid": 30}
    whole = RegionsDisplay.from_estimator(fitted(X, y), X, **options)
    monkeypatch.setattr("csoftmax.plot.regions.NUMBERS", 500)
    parts = RegionsDisplay.from_estimator(fitted(X, y), X, **options)
    np.testing.assert_array_equal(whole.predicted, parts.predicted)


def test_one_class_and_many(drawn):
    grid = np.arange(3.0)
    drawn(RegionsDisplay(grid, grid, np.zeros((3, 3), int), class_names=["a", "b"]).plot())
    many = RegionsDisplay(
        grid, grid, np.arange(9).reshape(3, 3), points=[[0, 1]], point_classes=[8]
    )
    assert many.plot().ax_.get_legend() is None
    assert len(many.ax_.texts) == 9
    drawn(many)


def test_thousands_of_rows_are_thinned(blobs, drawn):
    X, y = blobs
    X, y = np.tile(X, (20, 1)), np.tile(y, 20)
    display = RegionsDisplay.from_estimator(fitted(X, y), X, y, grid=20)
    shown = sum(
        len(each.get_offsets()) for each in display.ax_.collections if each.get_label()[0] != "_"
    )
    assert 1000 <= shown <= 2000
    drawn(display)


def test_refusals(iris, blobs):
    X, y = iris
    model = fitted(X, y)

    def refused(error, message, X=X, **options):
        with pytest.raises(error, match=message):
            RegionsDisplay.from_estimator(model, X, **options)

    refused(ValueError, "X has 4 features: wanted two, or others='mean'")
    refused(ValueError, "others is 'zero': wanted None or 'mean'", others="zero")
    refused(ValueError, r"features is \(1, 1\): wanted two different columns", features=(1, 1))
    refused(ValueError, "features has 4: wanted numbers from 0 to 3", features=(1, 4))
    refused(ValueError, "features has 'a': wanted some of feature 0, ", features=("a", 1))
    refused(ValueError, "grid is 1: wanted at least 2", grid=1, others="mean")
    refused(ValueError, r"X has shape \(2, 1\): wanted \(N, D\), at least two", X=[[1.0], [2.0]])
    refused(ValueError, "X holds what is no number", X=[["a", "b"]])
    refused(ValueError, "X holds NaN or infinity", X=[[1.0, np.nan], [2.0, 3.0]])
    sparse = pytest.importorskip("scipy.sparse", reason="needs SciPy")
    refused(TypeError, "X is sparse: wanted dense rows", X=sparse.eye_array(3).tocsr())
    with pytest.raises(ValueError, match=r"predicted has shape \(2, 2\): wanted \(2, 3\), from"):
        RegionsDisplay([0, 1, 2], [0, 1], [[0, 1], [0, 1]])
    with pytest.raises(ValueError, match=r"y\[1\] is .*9.*, which is none of the 3 classes"):
        RegionsDisplay.from_estimator(fitted(*blobs), blobs[0][:2], [0, 9], grid=3)
