"""How often a prediction is right, over its probability."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="pictures need matplotlib")
from matplotlib.figure import Figure

from csoftmax import softmax
from csoftmax.plot import CalibrationDisplay


@pytest.fixture(scope="module")
def drawn_labels():
    """Probabilities, and labels that are drawn with them."""
    rng = np.random.default_rng(0)
    proba = softmax(2 * rng.standard_normal((20_000, 4)), axis=1)
    return (proba.cumsum(axis=1) < rng.random((20_000, 1))).sum(axis=1), proba


def test_probabilities_that_are_right(drawn_labels, drawn):
    y, proba = drawn_labels
    display = CalibrationDisplay.from_predictions(y, proba)
    assert display.counts.sum() == len(y)
    assert display.error[0] < 0.015
    curve, rows = display.axes_
    assert curve.get_ylabel() == "share that is right"
    assert rows.get_ylabel() == "rows"
    assert sum(bar.get_height() for bar in rows.patches) == len(y)
    drawn(display)
    sure = CalibrationDisplay.from_predictions(y, softmax(4 * np.log(proba), axis=1))
    assert sure.error[0] > 0.1
    assert sure.description == f"20000 rows, expected calibration error {sure.error[0]:.3f}"


def test_bins_are_those_of_scikit_learn(drawn_labels):
    calibration = pytest.importorskip("sklearn.calibration", reason="needs scikit-learn")
    y, proba = drawn_labels
    display = CalibrationDisplay.from_predictions(y, proba, per_class=True, n_bins=7)
    for k in range(4):
        true, predicted = calibration.calibration_curve(y == k, proba[:, k], n_bins=7)
        full = display.counts[k] > 0
        np.testing.assert_allclose(display.observed[k][full], true)
        np.testing.assert_allclose(display.predicted[k][full], predicted)


def test_the_error_is_the_mean_distance():
    display = CalibrationDisplay([1, 0, 3], [0.2, np.nan, 0.9], [0.5, np.nan, 0.8])
    assert display.error[0] == pytest.approx((0.3 + 3 * 0.1) / 4)


def test_classes(drawn_labels, drawn):
    y, proba = drawn_labels
    names = ["red", "green", "blue", "a colour with a long name"]
    display = CalibrationDisplay.from_predictions(y, proba, per_class=True, class_names=names)
    assert len(display.axes_) == 4
    assert display.axes_[1].get_title() == f"green: {display.error[1]:.3f}"
    assert "of 4 classes" in display.description
    drawn(display)


def test_many_classes():
    rng = np.random.default_rng(0)
    proba = softmax(rng.standard_normal((500, 40)), axis=1)
    y = rng.integers(40, size=500)
    display = CalibrationDisplay.from_predictions(y, proba, per_class=True)
    assert len(display.axes_) == 24
    assert "first 24 of 40 classes" in display.figure_.get_suptitle()


def test_estimators(iris, drawn):
    from sklearn.linear_model import LogisticRegression

    from csoftmax import SoftmaxClassifier

    X, y = iris
    names = np.array(["a", "b", "c"])[y]
    for model in (SoftmaxClassifier(), LogisticRegression(max_iter=1000)):
        display = CalibrationDisplay.from_estimator(model.fit(X, names), X, names, n_bins=5)
        assert display.counts.sum() == 150
        drawn(display)
    each = CalibrationDisplay.from_estimator(model, X, names, per_class=True)
    assert each.names == ["a", "b", "c"]


def test_two_classes_by_one_column():
    y, p = np.array([0, 1, 1, 0]), np.array([0.1, 0.9, 0.8, 0.6])
    one = CalibrationDisplay.from_predictions(y, p)
    two = CalibrationDisplay.from_predictions(y, np.stack([1 - p, p], axis=1))
    np.testing.assert_array_equal(one.counts, two.counts)
    np.testing.assert_array_equal(one.observed, two.observed)


def test_axes_for_the_curve_alone(drawn_labels):
    axes = Figure().add_subplot()
    assert CalibrationDisplay.from_predictions(*drawn_labels, ax=axes).axes_ == [axes]


def test_refusals(blobs):
    from csoftmax.cs231n.classifiers import Softmax

    def refused(message, *arguments, **options):
        with pytest.raises(ValueError, match=message):
            CalibrationDisplay.from_predictions(*arguments, **options)

    half = np.full((2, 2), 0.5)
    refused("y_true has 1 labels, but y_proba 2 rows", [0], half)
    refused("y_proba holds what is no probability: wanted rows with", [0, 1], 2 * half)
    refused("y_proba holds what is no probability", [0, 1], np.full((2, 2), np.nan))
    refused(r"y_proba has shape \(2, 1\): wanted \(N, C\)", [0, 1], half[:, :1])
    refused("n_bins is 1: wanted at least 2", [0, 1], half, n_bins=1)
    refused("classes has 3 labels, but y_proba 2 columns", [0, 1], half, classes=[0, 1, 2])
    refused(
        r"y_true\[1\] is .*7.*, which is none of the 2 classes", [0, 7, 1], np.full((3, 2), 0.5)
    )
    with pytest.raises(TypeError, match="estimator is Softmax: wanted a classifier with predict_p"):
        CalibrationDisplay.from_estimator(Softmax(), *blobs)
    with pytest.raises(ValueError, match=r"counts of shape \(1, 2\) hold no row"):
        CalibrationDisplay([0, 0], [0, 0], [0, 0])
    with pytest.raises(ValueError, match=r"observed has shape \(1, 1\), but counts \(1, 2\)"):
        CalibrationDisplay([1, 1], [0, 0], [0])
    with pytest.raises(ValueError, match="there are 2 curves: wanted their names"):
        CalibrationDisplay([[1], [1]], [[0.5], [0.5]], [[0.5], [0.5]])
