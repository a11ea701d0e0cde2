"""Callbacks of scikit-learn (1.9 and newer), by `set_callbacks`, beside our own."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from csoftmax import SGD, SoftmaxClassifier, SoftmaxClassifierCV

callback = pytest.importorskip("sklearn.callback")

X, y = load_iris(return_X_y=True)


class Recorder:
    """Writes down what it is told; stops after so many iterations."""

    def __init__(self, stop=None):
        self.calls, self.stop = [], stop

    def setup(self, estimator, context):
        self.calls.append(("setup", context.task_name, context.max_subtasks))

    def teardown(self, estimator, context):
        self.calls.append(("teardown", context.task_name))

    def on_fit_task_begin(self, estimator, context, *, X, y, metadata, fitted_estimator):
        self.calls.append(("begin", context.task_name, context.task_id, fitted_estimator))

    def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
        self.calls.append(("end", context.task_name, context.task_id, fitted_estimator))
        self.told = X, y, metadata
        return context.task_name == "iteration" and context.task_id + 1 == self.stop

    def models(self, when):
        return [each[3] for each in self.calls if each[:2] == (when, "iteration")]


@pytest.mark.parametrize("keep", [2, 3])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"fit_intercept": False},
        {"l1_ratio": 1.0},
        {"solver": "newton-cg"},
        {"standardize": True},
    ],
)
def test_a_task_for_each_iteration(options, keep):
    recorder = Recorder()
    ours = []
    model = SoftmaxClassifier(**options, callbacks=lambda line: ours.append(line.coef.copy()))
    weight = np.ones(len(y))
    with_both = model.set_callbacks(recorder).fit(X[y < keep], y[y < keep], weight[y < keep])
    n_iter = with_both.n_iter_[0]
    assert recorder.calls[0] == ("setup", "fit", 1001)
    assert recorder.calls[-1] == ("teardown", "fit")
    tasks = [each[:3] for each in recorder.calls[2:-2]]
    assert tasks == [(when, "iteration", k) for k in range(n_iter + 1) for when in ("begin", "end")]
    begun, ended = recorder.models("begin"), recorder.models("end")
    assert not begun[0].coef_.any()
    assert ended[-1] is None  # no iteration
    assert recorder.told[2]["sample_weight"].shape == (np.sum(y < keep),)
    for before, after, coef in zip(begun[1:], ended, ours, strict=False):
        np.testing.assert_array_equal(before.coef_, coef)
        np.testing.assert_array_equal(after.coef_, coef)
        assert set(after.predict(X)) <= set(range(keep))
    alone = SoftmaxClassifier(**options).fit(X[y < keep], y[y < keep], weight[y < keep])
    np.testing.assert_array_equal(with_both.coef_, alone.coef_)


@pytest.mark.parametrize("options", [{}, {"solver": SGD()}])
def test_a_callback_stops_the_fit(options):
    model = SoftmaxClassifier(**options).set_callbacks(Recorder(), Recorder(stop=3)).fit(X, y)
    assert model.n_iter_[0] == 3
    assert model.stop_reason_ == "callback"


def test_no_iterations():
    recorder = Recorder()
    with pytest.warns(UserWarning, match="max_iter=0"):
        SoftmaxClassifier(max_iter=0).set_callbacks(recorder).fit(X, y)
    assert [each[0] for each in recorder.calls] == [
        *("setup", "begin", "begin", "end", "end", "teardown")
    ]


def test_torn_down_after_an_error():
    recorder = Recorder()
    model = SoftmaxClassifier().set_callbacks(recorder)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.full_like(X, np.nan), y)
    assert recorder.calls[-1] == ("teardown", "fit")
    model.fit(X, y)


def test_refused():
    with pytest.raises(TypeError, match="FitCallback"):
        SoftmaxClassifier().set_callbacks(print)


def test_kept_by_clone_and_by_pickle():
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = SoftmaxClassifier().set_callbacks(monitor)
    clone(model).fit(X, y)
    pickle.loads(pickle.dumps(model)).fit(X, y)
    model.set_callbacks().fit(X, y)


def test_scoring_monitor_and_progress_bar(capsys):
    pytest.importorskip("rich")
    model = SoftmaxClassifier().set_callbacks(callback.ProgressBar()).fit(X, y)
    assert "SoftmaxClassifier" in capsys.readouterr().out
    assert model.stop_reason_ == "gradient"


def test_scores_of_the_iterations():
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = SoftmaxClassifier().set_callbacks(monitor).fit(X, y)
    scores = [line["accuracy"] for line in monitor.get_logs().data if line["task_name"] != "fit"]
    assert len(scores) == model.n_iter_[0]
    assert scores[-1] == model.score(X, y)


def test_within_a_pipeline_and_a_search():
    monitor = callback.ScoringMonitor(scoring="accuracy")
    pipeline = make_pipeline(StandardScaler(), SoftmaxClassifier().set_callbacks(monitor))
    pipeline.fit(X, y)
    assert monitor.get_logs()
    GridSearchCV(pipeline, {"softmaxclassifier__C": [0.1, 1]}, cv=2).fit(X, y)


# --- The choice of C ------------------------------------------------------------------------------


@pytest.mark.parametrize("refit", [True, False])
def test_a_task_for_each_c(refit):
    recorder = Recorder(stop=1)  # stops nothing: all scores are needed
    weight = np.ones(len(y))
    options = {"Cs": [1.0, 0.01, 100.0], "cv": 3, "refit": refit}
    model = SoftmaxClassifierCV(**options).set_callbacks(recorder).fit(X, y, weight)
    parts = [("C", 0), ("C", 1), ("C", 2), *([("refit", 3)] if refit else [])]
    assert [each[:3] for each in recorder.calls] == [
        ("setup", "fit", len(parts)),
        ("begin", "fit", 0),
        *((when, *part) for part in parts for when in ("begin", "end")),
        ("end", "fit", 0),
        ("teardown", "fit"),
    ]
    assert recorder.told[0] is X
    assert recorder.told[2]["sample_weight"] is weight
    fitted = recorder.calls[-2][3]
    np.testing.assert_array_equal(fitted.predict(X), model.predict(X))
    alone = SoftmaxClassifierCV(**options).fit(X, y, weight)
    np.testing.assert_array_equal(model.coef_, alone.coef_)
    np.testing.assert_array_equal(model.scores_, alone.scores_)


def test_a_choice_that_goes_on_tells_of_all(tmp_path, a_checkpoint_each_iteration):
    class Stop(Recorder):
        def on_fit_task_end(self, estimator, context, **told):
            if context.task_id == 1:
                raise KeyboardInterrupt

    options = {"Cs": [0.01, 1.0, 100.0], "cv": 3, "checkpoint": tmp_path / "choice.npz"}
    stopped = Stop()
    with pytest.raises(KeyboardInterrupt):
        SoftmaxClassifierCV(**options).set_callbacks(stopped).fit(X, y)
    assert stopped.calls[-1] == ("teardown", "fit")
    recorder = Recorder()
    model = SoftmaxClassifierCV(**options).set_callbacks(recorder).fit(X, y)
    ended = [each[1:3] for each in recorder.calls if each[0] == "end"]
    assert ended == [("C", 0), ("C", 1), ("C", 2), ("refit", 3), ("fit", 0)]
    alone = SoftmaxClassifierCV(**(options | {"checkpoint": None})).fit(X, y)
    np.testing.assert_array_equal(model.coef_, alone.coef_)


def test_the_choice_of_c_under_a_progress_bar_and_in_a_search(capsys):
    pytest.importorskip("rich")
    model = SoftmaxClassifierCV(Cs=3, cv=3).set_callbacks(callback.ProgressBar()).fit(X, y)
    out = capsys.readouterr().out
    assert "SoftmaxClassifierCV" in out
    assert "100%" in out
    search = GridSearchCV(SoftmaxClassifierCV(Cs=2), {"cv": [2, 3]}, cv=2)
    search.set_callbacks(callback.ProgressBar()).fit(X, y)
    assert "refit" in capsys.readouterr().out
    assert clone(model).fit(X, y).C_ == model.C_


def test_scores_of_the_chosen_model():
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = SoftmaxClassifierCV(Cs=3, cv=3).set_callbacks(monitor).fit(X, y)
    assert [line["accuracy"] for line in monitor.get_logs().data] == [model.score(X, y)]


def test_a_choice_that_fails_is_torn_down():
    recorder = Recorder()
    with pytest.raises(ValueError, match="NaN"):
        SoftmaxClassifierCV().set_callbacks(recorder).fit(np.full_like(X, np.nan), y)
    assert recorder.calls[-1] == ("teardown", "fit")
