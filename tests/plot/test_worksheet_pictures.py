"""The worksheet's pictures of a search."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("matplotlib", reason="pictures need matplotlib")

from csoftmax import worksheet
from csoftmax.datasets import Dataset
from csoftmax.plot import worksheet as pictures


@pytest.fixture(scope="module")
def found(blobs):
    X, y = blobs
    data = worksheet.prepare(Dataset("blobs", X, y, None, None, ("a", "b", "c")))
    settings = replace(worksheet.default_settings(data), iterations=60)
    return worksheet.search(data, worksheet.CLASSIFIERS["softmax"], settings)


def test_each_setting_has_a_panel_before_all_others(found):
    axes = pictures.loss_curves(found).axes
    assert len(axes) == len(found.trials) == 9
    assert all(len(each.lines) == len(found.trials) + 1 for each in axes)
    (best,) = (each for each in axes if each.get_title().startswith("best: "))
    assert best.get_title() == f"best: {found.best.val_accuracy:.3f}"
    assert axes.index(best) == found.trials.index(found.best)


def test_of_large_grids_some_settings_have_panels(found):
    trials = tuple(
        replace(found.trials[0], learning_rate=float(rate), reg=float(reg))
        for rate in range(10)
        for reg in range(10)
    )
    large = replace(found, trials=trials, best=trials[27])
    figure = pictures.loss_curves(large)
    assert len(figure.axes) == 25
    assert all(len(each.lines) == 26 for each in figure.axes)
    assert "25 of 100 settings" in figure.get_suptitle()
    assert sum(each.get_title().startswith("best: ") for each in figure.axes) == 1


def test_accuracies_over_the_steps(found):
    assert pictures.has_accuracies(found)
    axes = pictures.accuracy_curves(found).axes
    assert len(axes) == len(found.trials)
    for trial, each in zip(found.trials, axes, strict=True):
        training, validation = each.lines[-2:]
        assert training.get_xydata().tolist() == [[*pair] for pair in trial.train_scores.items()]
        assert validation.get_xydata().tolist() == [[*pair] for pair in trial.scores.items()]
