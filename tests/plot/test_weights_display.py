"""Coefficients as images, and the largest of them by name."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="pictures need matplotlib")

from csoftmax import load_model, save_model
from csoftmax.cs231n.classifiers import LinearSVM, Softmax
from csoftmax.plot import WeightsDisplay
from csoftmax.prediction import LinearModel


def names(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def widths(axes):
    return [bar.get_width() for bar in axes.patches]


def titles(display):
    return [axes.get_title() for axes in display.axes_]


def test_the_largest_by_name(drawn):
    weights = np.array([[0.1, -3.0, 2.0, 0.0], [0.5, 1.0, -0.2, 0.3]])
    display = WeightsDisplay(weights, ["no", "yes"], feature_names="abcd").plot(n_top=2)
    assert titles(display) == ["no", "yes"]
    assert [names(axes) for axes in display.axes_] == [["b", "c"], ["a", "b"]]
    assert [widths(axes) for axes in display.axes_] == [[-3.0, 2.0], [0.5, 1.0]]
    assert display.axes_[0].get_xlim() == display.axes_[1].get_xlim()
    assert display.description == "weights of 2 classes and 4 features; largest: b, c, a"
    drawn(display)


def test_names_come_from_a_frame_and_from_a_pipeline(iris):
    pd = pytest.importorskip("pandas", reason="needs pandas")
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from csoftmax import SoftmaxClassifier

    frame = pd.DataFrame(iris[0], columns=list("abcd"))
    model = SoftmaxClassifier().fit(frame, iris[1])
    assert set(names(WeightsDisplay.from_estimator(model).ax_)) == set("abcd")
    given = WeightsDisplay.from_estimator(model, feature_names="efgh", class_names=["x", "y", "z"])
    assert set(names(given.ax_)) == set("efgh")
    assert titles(given) == ["x", "y", "z"]
    scaled = make_pipeline(StandardScaler(), SoftmaxClassifier()).fit(frame, iris[1])
    assert set(names(WeightsDisplay.from_estimator(scaled).ax_)) == set("abcd")
    texts = ["a good day", "good work", "a bad day", "bad work"]
    words = make_pipeline(TfidfVectorizer(), SoftmaxClassifier()).fit(texts, [1, 1, 0, 0])
    display = WeightsDisplay.from_estimator(words, n_top=2)
    assert names(display.ax_) == ["bad", "good"]
    unnamed = make_pipeline(lambda_step(), SoftmaxClassifier()).fit(*iris)
    assert "feature 2" in names(WeightsDisplay.from_estimator(unnamed).ax_)


def lambda_step():
    from sklearn.preprocessing import FunctionTransformer

    return FunctionTransformer()  # which names nothing


def test_two_classes_have_one_row(iris, drawn):
    from csoftmax import SoftmaxClassifier

    X, y = iris
    model = SoftmaxClassifier().fit(X[:100], np.array(["no", "yes"])[y[:100]])
    display = WeightsDisplay.from_estimator(model)
    assert len(display.axes_) == 1
    assert display.ax_.get_title() == "weights of yes, against no"
    assert sorted(widths(display.ax_)) == pytest.approx(sorted(model.coef_[0]))
    assert "2 classes and 4 features" in display.description
    drawn(display)
    drawn(WeightsDisplay.from_estimator(model, image_shape=(2, 2)))


def test_what_load_model_returns(iris, tmp_path):
    from csoftmax import SoftmaxClassifier

    for model in (SoftmaxClassifier().fit(*iris), SoftmaxClassifier().fit(*iris).sparsify()):
        save_model(model, tmp_path / "model")
        loaded = load_model(tmp_path / "model")
        np.testing.assert_array_equal(
            WeightsDisplay.from_estimator(loaded).weights,
            WeightsDisplay.from_estimator(model).weights,
        )
    light = LinearModel(np.eye(3), np.zeros(3), np.array(list("abc")), feature_names=list("xyz"))
    assert "largest: x, y, z" in WeightsDisplay.from_estimator(light).description


@pytest.mark.parametrize("kind", [Softmax, LinearSVM])
def test_the_courses_classifiers(kind, drawn):
    model = kind()
    with pytest.raises(ValueError, match=f"this {kind.__name__} is not trained: its W is None"):
        WeightsDisplay.from_estimator(model)
    rng = np.random.default_rng(0)
    model.train(rng.standard_normal((60, 12)), np.arange(60) % 10, num_iters=3)
    display = WeightsDisplay.from_estimator(model, image_shape=(2, 2, 3), class_names="abcdefghij")
    assert titles(display) == list("abcdefghij")
    picture = display.ax_.images[0].get_array()
    assert picture.shape == (2, 2, 3)
    assert 0 <= picture.min() <= picture.max() <= 1
    drawn(display)


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 1)])
def test_grey_images(shape, drawn):
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((3, 12))
    display = WeightsDisplay(weights, image_shape=shape).plot()
    for row, axes in zip(weights, display.axes_, strict=True):
        (image,) = axes.images
        np.testing.assert_array_equal(image.get_array(), row.reshape(3, 4))
        limit = np.quantile(np.abs(weights), 0.97)
        assert image.get_clim() == (-limit, limit)
    assert titles(display) == ["class 0", "class 1", "class 2"]
    assert display.description == "weights of 3 classes and 12 features, as images of 3 x 4"
    drawn(display)


@pytest.mark.parametrize(("n_classes", "options", "shown"), [
    (100, {}, 24),
    (100, {"image_shape": (2, 3)}, 40),
    (5, {}, 5),
    (7, {"image_shape": (2, 3)}, 7),
])  # fmt: skip
def test_many_classes(n_classes, options, shown):
    weights = np.random.default_rng(0).standard_normal((n_classes, 6))
    display = WeightsDisplay(weights, **options).plot()
    assert len(display.axes_) == shown
    title = display.figure_.get_suptitle()
    assert (f"{shown} of {n_classes} classes" in title) == (shown < n_classes)
    few = WeightsDisplay(weights, **options).plot(classes=["class 3", "class 1"])
    assert titles(few) == ["class 3", "class 1"]


def test_a_model_that_diverged_and_one_of_zeros(drawn):
    weights = np.full((3, 4), np.nan)
    drawn(WeightsDisplay(weights).plot())
    drawn(WeightsDisplay(weights, image_shape=(2, 2)).plot())
    drawn(WeightsDisplay(np.zeros((3, 4)), image_shape=(2, 2)).plot())


def test_refusals(iris):
    from csoftmax import SoftmaxClassifier

    def refused(error, message, *arguments, **options):
        with pytest.raises(error, match=message):
            WeightsDisplay(*arguments, **options)

    refused(ValueError, r"weights has shape \(3,\): wanted \(C, D\)", [1.0, 2.0, 3.0])
    refused(ValueError, "class_names has 2 names: wanted 3, one for each class", np.eye(3), "ab")
    refused(ValueError, "feature_names has 2 names: wanted 3", np.eye(3), feature_names="ab")
    refused(ValueError, r"image_shape is \(3,\): wanted \(height", np.eye(3), image_shape=(3,))
    refused(ValueError, r"is \(1, 1, 2\): wanted", np.ones((2, 2)), image_shape=(1, 1, 2))
    refused(ValueError, r"\(2, 2\) has 4 values, but there are 3", np.eye(3), image_shape=(2, 2))
    display = WeightsDisplay(np.eye(3), "abc")
    with pytest.raises(ValueError, match="classes has 'z': wanted some of a, b, c"):
        display.plot(classes=["z"])
    with pytest.raises(ValueError, match="classes is empty: wanted at least one"):
        display.plot(classes=[])
    with pytest.raises(ValueError, match="n_top is 0: wanted at least 1"):
        display.plot(n_top=0)
    with pytest.raises(ValueError, match="this SoftmaxClassifier has no coef_: wanted a linear"):
        WeightsDisplay.from_estimator(SoftmaxClassifier())
    with pytest.raises(TypeError, match="estimator is int: wanted a linear model, with coef_ or W"):
        WeightsDisplay.from_estimator(3)
