"""Scores of the settings that were tried."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="pictures need matplotlib")

from csoftmax.plot import SearchDisplay
from csoftmax.search import train_many


def searched(iris, **options):
    from csoftmax import SoftmaxClassifierCV

    return SoftmaxClassifierCV(Cs=[0.01, 1, 100], cv=3, scoring="neg_log_loss", **options).fit(
        *iris
    )


def cells(display):
    return [text.get_text() for text in display.ax_.texts]


def test_a_search_of_C(iris, drawn):
    model = searched(iris)
    display = SearchDisplay.from_estimator(model)
    line = display.ax_.lines[0].get_xydata()
    np.testing.assert_array_equal(line[:, 0], model.Cs_)
    np.testing.assert_allclose(line[:, 1], model.scores_.mean(axis=(0, 1)))
    np.testing.assert_allclose(display.spread[0], model.scores_[:, 0].std(axis=0))
    assert display.ax_.get_xscale() == "log"
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("C", "neg log loss")
    assert "chosen: C = 100" in cells(display)[0]
    assert display.description.startswith("neg log loss of 3 settings: -0.0")
    assert "at C = 100, worst -0." in display.description
    drawn(display)


def test_shares_of_l1_have_lines_of_their_own(iris, drawn):
    model = searched(iris, l1_ratios=[0.0, 0.5], max_iter=2000)
    display = SearchDisplay.from_estimator(model)
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend == ["l1_ratio = 0", "l1_ratio = 0.5"]
    assert f"l1_ratio = {model.l1_ratio_:g}" in display.description
    drawn(display)
    drawn(display.plot(kind="map"))
    assert len(cells(display)) == 6


def test_without_refit_the_choice_is_a_mean(iris, drawn):
    model = searched(iris, refit=False)
    model.C_ = 12.0
    display = SearchDisplay.from_estimator(model)
    assert display.chosen is None
    assert not cells(display)
    drawn(display)


def test_the_counterpart_of_scikit_learn(iris):
    from sklearn.linear_model import LogisticRegressionCV

    try:
        theirs = LogisticRegressionCV(
            Cs=[0.1, 1],
            cv=2,
            l1_ratios=(0.0,),
            use_legacy_attributes=False,
            max_iter=10_000,
            scoring="accuracy",
        )
    except TypeError:
        pytest.skip("this scikit-learn has other attributes")
    assert SearchDisplay.from_estimator(theirs.fit(*iris)).mean.shape == (1, 2)


def test_many_models(blobs, drawn):
    X, y = blobs
    models = train_many(X, y, [1e-3, 1e-1], [0, 0.1, 1], X_val=X, y_val=y, n_steps=30)
    display = SearchDisplay.from_results(models)
    assert display.mean.shape == (2, 3)
    assert cells(display) == [f"{m.val_accuracy:.3f}" for m in models]
    best = models.models.index(models.best)
    assert display.chosen == divmod(best, 3)
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("reg", "learning rate")
    drawn(display)
    drawn(SearchDisplay.from_results(models, kind="lines"))


def test_seeds_are_repeats_and_what_is_missing_is_left_out(blobs, drawn):
    X, y = blobs
    options = {"X_val": X, "y_val": y, "n_steps": 30}
    models = train_many(X, y, [1e-3, 1e-1], 0.1, seeds=[0, 1, 2], **options)
    display = SearchDisplay.from_results(models)
    assert display.scores.shape == (2, 1, 3)
    assert display.mean[0, 0] == pytest.approx(np.mean([m.val_accuracy for m in models[:3]]))
    drawn(display)
    scores = [[np.nan, 0.5], [0.25, 1.0]]
    names = {"row_name": "a", "column_name": "b"}
    some = SearchDisplay(scores, [1, 2], [0, np.inf], **names).plot(kind="map")
    assert cells(some) == ["none", "0.500", "0.250", "1.000"]
    drawn(some)
    drawn(some.plot(kind="lines"))
    assert [label.get_text() for label in some.ax_.get_xticklabels()] == ["0", "inf"]


def test_large_maps_have_no_texts(drawn):
    rng = np.random.default_rng(0)
    names = {"row_name": "a", "column_name": "b", "kind": "map"}
    whole = SearchDisplay(rng.random((10, 10)), range(10), range(10), **names).plot()
    assert len(cells(whole)) == 100
    large = SearchDisplay(rng.random((40, 50)), range(40), range(50), **names).plot()
    assert not cells(large)
    assert len(large.ax_.get_xticklabels()) <= 30
    for display in (whole, large):
        drawn(display)
    with pytest.raises(
        ValueError, match=r"40 values of a are too many lines .*: wanted kind='map'"
    ):
        large.plot(kind="lines")


def test_refusals(iris, blobs):
    from csoftmax import SoftmaxClassifier, SoftmaxClassifierCV

    for model in (SoftmaxClassifier(), SoftmaxClassifierCV()):
        with pytest.raises(ValueError, match=f"this {type(model).__name__} has no scores_ of each"):
            SearchDisplay.from_estimator(model)
    with pytest.raises(
        TypeError, match=r"results is int: wanted what csoftmax\.search\.train_many"
    ):
        SearchDisplay.from_results(3)
    plain = train_many(*blobs, 0.1, n_steps=2)
    with pytest.raises(ValueError, match="without X_val and y_val no model is the best"):
        SearchDisplay.from_results(plain)
    names = {"row_name": "a", "column_name": "b"}
    with pytest.raises(ValueError, match=r"scores has shape \(2,\): wanted \(1, 2\), for rows and"):
        SearchDisplay([1.0, 2.0], [1], [1, 2], **names)
    with pytest.raises(ValueError, match="scores are all NaN: wanted at least one"):
        SearchDisplay([[np.nan]], [1], [1], **names)
    with pytest.raises(ValueError, match="kind is 'bars': wanted 'lines' or 'map'"):
        SearchDisplay([[1.0]], [1], [1], kind="bars", **names)
    with pytest.raises(ValueError, match=r"train_scores has shape \(1,\): wanted \(1, 1\)"):
        SearchDisplay([[1.0]], [1], [1], train_scores=[1.0], **names)
