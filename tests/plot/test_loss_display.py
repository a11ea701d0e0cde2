"""Losses, gradients and accuracies over passes and steps."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="pictures need matplotlib")
from matplotlib.figure import Figure

from csoftmax.plot import LossDisplay


def fitted(iris, **options):
    from csoftmax import SoftmaxClassifier

    return SoftmaxClassifier(**options).fit(*iris)


def labels(display):
    return [(axes.get_xlabel(), axes.get_ylabel()) for axes in display.axes_]


def test_a_fit(iris, drawn):
    model = fitted(iris)
    display = LossDisplay.from_estimator(model)
    loss, gradient = display.axes_
    assert labels(display) == [("passes over X", "loss"), ("passes over X", "largest of gradient")]
    np.testing.assert_array_equal(loss.lines[0].get_xydata()[:, 0], model.history_["passes"])
    np.testing.assert_array_equal(loss.lines[0].get_xydata()[:, 1], model.history_["loss"])
    assert gradient.get_yscale() == "log"
    assert "tol" in [text.get_text() for text in gradient.texts]
    assert f"{model.history_['passes'][-1]:g} passes" in display.description
    drawn(display)


@pytest.mark.parametrize(("x", "name"), [("seconds", "seconds"), ("iteration", "iteration")])
def test_over_something_else(iris, x, name):
    display = LossDisplay.from_estimator(fitted(iris), x=x)
    assert display.ax_.get_xlabel() == name
    with pytest.raises(ValueError, match="x is 'rows': wanted one of 'passes', 'seconds', 'iter"):
        LossDisplay.from_estimator(fitted(iris), x="rows")


def test_two_fits_in_one_picture(iris, drawn):
    first = LossDisplay.from_estimator(fitted(iris), name="lbfgs")
    other = fitted(iris, solver="newton-cg")
    second = LossDisplay.from_estimator(other, name="newton-cg", ax=first.axes_)
    assert second.figure_ is first.figure_
    legend = second.ax_.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["lbfgs", "newton-cg"]
    one, two = (line.get_color() for line in second.ax_.lines)
    assert one != two
    drawn(second)


def test_a_pipeline(iris):
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from csoftmax import SoftmaxClassifier

    pipeline = make_pipeline(StandardScaler(), SoftmaxClassifier()).fit(*iris)
    assert len(LossDisplay.from_estimator(pipeline).axes_) == 2


def test_a_fit_on_dask(iris):
    da = pytest.importorskip("dask.array", reason="needs Dask")
    from csoftmax.dask import SoftmaxClassifier

    model = SoftmaxClassifier().fit(da.from_array(iris[0], chunks=(50, 4)), iris[1])
    assert len(LossDisplay.from_estimator(model).axes_) == 2


def test_losses_of_steps_are_smoothed(blobs, drawn):
    from csoftmax.cs231n.classifiers import Softmax

    losses = Softmax().train(*blobs, learning_rate=0.1, num_iters=200)
    display = LossDisplay.from_history(losses)
    assert labels(display) == [("step", "loss, mean of 4 steps")]
    shown = display.ax_.lines[0].get_xydata()
    assert shown[0].tolist() == pytest.approx([4, np.mean(losses[:4])])
    assert shown[-1].tolist() == pytest.approx([200, np.mean(losses[-4:])])
    ends = f"{losses[0]:.4g} to {losses[-1]:.4g}"
    assert repr(display) == f"LossDisplay(loss {ends} over 200 steps)"
    drawn(display)


def test_what_does_not_converge_is_left_out(drawn):
    losses = [3.0, 60.0, 1e5, np.inf, np.nan]
    display = LossDisplay.from_history(losses)
    assert len(display.ax_.lines[0].get_xydata()) == 3
    assert display.ax_.get_yscale() == "log"
    drawn(display)
    drawn(LossDisplay.from_history([np.nan, np.nan]))


def test_the_courses_networks(blobs, drawn):
    from csoftmax.cs231n.classifiers.fc_net import TwoLayerNet
    from csoftmax.cs231n.classifiers.neural_net import TwoLayerNet as Older
    from csoftmax.cs231n.solver import Solver

    X, y = blobs
    data = {"X_train": X, "y_train": y, "X_val": X, "y_val": y}
    solver = Solver(TwoLayerNet(2, 5, 3), data, num_epochs=3, verbose=False)
    with pytest.raises(ValueError, match="loss is empty: wanted at least one number"):
        LossDisplay.from_estimator(solver)
    solver.train()
    stats = Older(2, 5, 3).train(X, y, X, y, num_iters=6)
    for display in (LossDisplay.from_estimator(solver), LossDisplay.from_history(stats)):
        assert labels(display) == [("step", "loss"), ("epoch", "accuracy")]
        names = [text.get_text() for text in display.axes_[1].get_legend().get_texts()]
        assert names == ["training", "validation"]
        drawn(display)


def test_a_model_of_a_search(blobs, drawn):
    from csoftmax.search import train_many

    X, y = blobs
    (model,) = train_many(X, y, 0.1, X_val=X, y_val=y, n_steps=20)
    display = LossDisplay.from_history(model)
    assert labels(display) == [("step", "loss"), ("step", "accuracy")]
    np.testing.assert_array_equal(display.accuracy_x, list(model.scores))
    assert set(display.accuracy) == {"validation"}
    (scored,) = train_many(X, y, 0.1, X_val=X, y_val=y, n_steps=20, score_rows=50)
    assert set(LossDisplay.from_history(scored).accuracy) == {"training", "validation"}
    (plain,) = train_many(X, y, 0.1, n_steps=20)
    assert len(LossDisplay.from_history(plain).axes_) == 1
    drawn(display)


def test_axes_for_the_loss_alone(iris):
    axes = Figure().add_subplot()
    assert LossDisplay.from_estimator(fitted(iris), ax=axes).axes_ == [axes]


def test_refusals(iris):
    from csoftmax import SoftmaxClassifier

    with pytest.raises(ValueError, match="this SoftmaxClassifier has no history_: wanted a Soft"):
        LossDisplay.from_estimator(SoftmaxClassifier())
    with pytest.raises(ValueError, match="history has a, b: wanted the loss"):
        LossDisplay.from_history({"a": [], "b": []})
    with pytest.raises(TypeError, match="history is int: wanted history_ of an estimator"):
        LossDisplay.from_history(3)
    with pytest.raises(ValueError, match="gradient has 1 numbers: wanted 2, as loss has"):
        LossDisplay([1.0, 2.0], gradient=[1.0])
    with pytest.raises(ValueError, match=r"loss has shape \(1, 2\): wanted a sequence of numbers"):
        LossDisplay([[1.0, 2.0]])
    with pytest.raises(ValueError, match="loss is empty: wanted at least one number"):
        LossDisplay([])
    with pytest.raises(ValueError, match="loss holds what is no number: wanted a sequence of numb"):
        LossDisplay.from_history([SoftmaxClassifier()])
    with pytest.raises(ValueError, match=r"accuracy has \[1, 2\] numbers: wanted 2 of each"):
        LossDisplay([1.0], accuracy={"training": [1.0], "validation": [0.0, 1.0]})
