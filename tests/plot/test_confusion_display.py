"""Which class is taken for which."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="pictures need matplotlib")

from csoftmax.plot import ConfusionDisplay


def cells(display):
    return [text.get_text() for text in display.ax_.texts]


def ticks(display):
    return [label.get_text() for label in display.ax_.get_yticklabels()]


def test_counts_are_those_of_scikit_learn(iris, drawn):
    from sklearn.metrics import confusion_matrix

    from csoftmax import SoftmaxClassifier

    X, y = iris
    names = np.array(["setosa", "versicolor", "virginica"])
    model = SoftmaxClassifier(C=0.01).fit(X, names[y])
    display = ConfusionDisplay.from_estimator(model, X, names[y])
    np.testing.assert_array_equal(display.counts, confusion_matrix(names[y], model.predict(X)))
    assert ticks(display) == names.tolist()
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("predicted", "true")
    assert "most often v" in display.description
    drawn(display)


def test_labels_that_were_not_trained_on_are_classes(iris):
    from csoftmax import SoftmaxClassifier

    X, y = iris
    model = SoftmaxClassifier().fit(X[:100], y[:100])
    display = ConfusionDisplay.from_estimator(model, X, y)
    assert display.counts.shape == (3, 3)
    assert display.counts.sum(axis=1).tolist() == [50, 50, 50]
    assert display.counts[:, 2].sum() == 0


def test_shares(drawn):
    counts = np.array([[3, 1], [2, 2]])
    display = ConfusionDisplay(counts, ["a", "b"])
    for normalize, shares in (
        ("true", ["0.75", "0.25", "0.50", "0.50"]),
        ("pred", ["0.60", "0.33", "0.40", "0.67"]),
        ("all", ["0.38", "0.12", "0.25", "0.25"]),
        (None, ["3", "1", "2", "2"]),
    ):
        assert cells(display.plot(normalize=normalize)) == shares
        drawn(display)


def test_the_courses_classifiers_have_numbers_as_classes(blobs):
    from csoftmax.cs231n.classifiers import Softmax

    X, y = blobs
    model = Softmax()
    model.train(X, y, learning_rate=0.1)
    display = ConfusionDisplay.from_estimator(model, X, y, class_names=["x", "y", "z"])
    assert display.counts.sum() == len(y)
    assert ticks(display) == ["x", "y", "z"]


@pytest.mark.parametrize("n_classes", [2, 20, 21, 100])
def test_any_number_of_classes(n_classes, drawn):
    rng = np.random.default_rng(0)
    y = rng.integers(n_classes, size=5000)
    wrong = np.where(rng.random(5000) < 0.3, rng.integers(n_classes, size=5000), y)
    names = [f"class number {k}" for k in range(n_classes)]
    display = ConfusionDisplay.from_predictions(y, wrong, class_names=names)
    assert bool(cells(display)) == (n_classes <= 20)
    assert len(ticks(display)) <= 30
    assert max(display.figure_.get_size_inches()) < 9
    drawn(display)


def test_a_class_without_rows(drawn):
    display = ConfusionDisplay.from_predictions([0, 1], [0, 1], classes=[0, 1, 2])
    assert display.counts[2].tolist() == [0, 0, 0]
    assert display.description == "2 rows of 3 classes, 1 are right"
    drawn(display)


def test_refusals():
    def refused(message, *arguments, **options):
        with pytest.raises(ValueError, match=message):
            ConfusionDisplay.from_predictions(*arguments, **options)

    refused("y_true has 2 labels, but y_pred 1", [0, 1], [0])
    refused(r"y_true has shape \(2, 1\): wanted \(N,\) labels", [[0], [1]], [0, 1])
    refused(r"y_pred has shape \(0,\): wanted \(N,\) labels, at least one", [0], [])
    refused("y_pred has labels such as .*'0'.*, but classes are such as", [0, 1], ["0", "1"])
    refused(r"y_true\[1\] is .*5.*, which is none of the 2 classes", [0, 5], [0, 1], classes=[0, 1])
    refused(
        "class_names has 1 names: wanted 2, one for each class", [0, 1], [0, 1], class_names="a"
    )
    refused("normalize is 'rows': wanted None, 'true', 'pred' or 'all'", [0], [0], normalize="rows")
    with pytest.raises(ValueError, match=r"counts has shape \(1, 2\): wanted \(C, C\)"):
        ConfusionDisplay([[1, 2]])
    with pytest.raises(ValueError, match=r"counts has float64 from 0.5: wanted whole numbers"):
        ConfusionDisplay([[0.5]])
