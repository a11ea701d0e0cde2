"""Many models at once: scores, halving, what is shown and what is refused."""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
import pytest
from many import RATES, REGS, SEEDS, train

from csoftmax import linear_predict
from csoftmax.search import train_many


def test_order_scores_and_the_best(data):
    models = train(data)
    settings = [(model.learning_rate, model.reg, model.seed) for model in models]
    assert settings == [(rate, reg, seed) for rate in RATES for reg in REGS for seed in SEEDS]
    for model in models:
        assert model.losses.shape == (60,)
        assert model.n_steps == 60
        assert model.status == "finished"
        assert not model.diverged
        assert list(model.scores) == list(range(6, 61, 6))
        right = linear_predict(model.W, data[2]) == data[3]
        assert model.val_accuracy == model.scores[60] == right.mean()
        assert (model.predict(data[2]) == linear_predict(model.W, data[2])).all()
    accuracies = [model.val_accuracy for model in models]
    assert models.best is models[int(np.argmax(accuracies))]
    assert models.best.val_accuracy > 0.7
    assert not models.stopped
    assert models.seconds > 0
    assert models[1:3] == models.models[1:3]


def test_scores_whenever_they_are_wanted(data):
    (model,) = train(data, 0.1, score_every=25)
    assert list(model.scores) == [25, 50, 60]
    (short,) = train(data, 0.1, n_steps=3)
    assert list(short.scores) == [1, 2, 3]


def test_seeds_and_start(data):
    X, y = data[:2]
    models = train_many(X, y, 0.0, 0.0, [5, 6], n_steps=1)
    for model in models:
        drawn = 0.001 * np.random.RandomState(model.seed).randn(3, 3)
        np.testing.assert_array_equal(model.W, drawn)
    start = np.ones((3, 4), np.float32)  # a class more than y shows
    kept = start.copy()
    (model,) = train_many(X, y, 0.1, start=start, n_steps=2)
    assert model.seed is None
    assert model.W.dtype == np.float32
    assert model.W.shape == (3, 4)
    np.testing.assert_array_equal(start, kept)
    assert "seed" not in model.setting


def test_random_state_goes_on(data):
    X, y = data[:2]
    random = np.random.RandomState(3)
    one = train_many(X, y, 0.1, n_steps=5, batch_size=7, random_state=random)
    again = np.random.RandomState(3)
    again.randint(0, 300, (5, 7))
    assert random.randint(2**31) == again.randint(2**31)
    other = train_many(X, y, 0.1, n_steps=5, batch_size=7, random_state=3)
    assert one[0].losses.tolist() == other[0].losses.tolist()
    global_state = np.random.get_state()[1].tolist()
    train_many(X, y, 0.1, n_steps=2)
    assert np.random.get_state()[1].tolist() == global_state


def test_draws_of_32_bits(data):
    """Those that NumPy makes where C's long has no more."""

    class Narrow(np.random.RandomState):
        def randint(self, *bounds: int) -> Any:
            return super().randint(*bounds).astype(np.int32)

    X, y = data[:2]
    one, other = (
        train_many(X, y, RATES, n_steps=5, random_state=kind(3))
        for kind in (Narrow, np.random.RandomState)
    )
    for narrow, wide in zip(one, other, strict=True):
        np.testing.assert_array_equal(narrow.W, wide.W)


def test_what_is_given_stays_as_it_was(data):
    before = [part.copy() for part in data]
    train(data, shift=np.ones(3), scale=np.ones(3), fit_bias=True)
    for one, other in zip(data, before, strict=True):
        np.testing.assert_array_equal(one, other)


# ---- halving ------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [2, 3, 12])
def test_halving(data, factor):
    every = train(data, n_steps=120)
    halved = train(data, n_steps=120, halving=factor)
    counts = {2: {15: 6, 30: 3, 60: 1}, 3: {13: 4, 40: 1}, 12: {10: 1}}[factor]
    live, full = list(range(12)), {k: every[k] for k in range(12)}
    for steps, kept in counts.items():
        scores = [halved[k].scores[steps] for k in live]
        order = np.argsort(-np.array(scores), kind="stable")
        for at in order[kept:]:
            model = halved[live[at]]
            assert (model.status, model.n_steps) == ("dropped", steps)
            assert model.val_accuracy == model.scores[steps]
            # to the last bit what it would have been on its way
            np.testing.assert_array_equal(model.losses, full[live[at]].losses[:steps])
        live = sorted(live[at] for at in order[:kept])
    (last,) = live
    assert (halved[last].status, halved[last].n_steps) == ("finished", 120)
    np.testing.assert_array_equal(halved[last].W, every[last].W)
    np.testing.assert_array_equal(halved[last].losses, every[last].losses)
    assert "60 steps" not in repr(halved)
    assert f"{min(counts)} to 120 steps" in repr(halved)


def test_halving_of_few_models_or_steps(data):
    (model,) = train(data, 0.1, halving=3)
    assert model.status == "finished"
    models = train(data, n_steps=2, halving=2)
    assert sorted(model.n_steps for model in models) == [1] * 11 + [2]


def test_a_model_that_diverges_is_dropped(data):
    models = train(data, [0.1, 1e200, 0.2], n_steps=40, halving=3)
    assert models[1].status == "dropped"
    assert models[1].diverged
    assert models.best.learning_rate != 1e200


# ---- what is shown ------------------------------------------------------------------------------


def test_repr(data):
    models = train(data, 0.1, 0.5, n_steps=10)
    best = f"best validation {models[0].val_accuracy:.3f} at learning_rate=0.1, reg=0.5, seed=0"
    assert repr(models) == f"Models(1 softmax model, 10 steps, {models.seconds:.2f} s, {best})"
    assert repr(models[0]) == (
        f"Model(learning_rate=0.1, reg=0.5, seed=0: 10 steps, loss {models[0].losses[-1]:.4g}, "
        f"validation {models[0].val_accuracy:.3f}, finished)"
    )
    plain = train_many(*data[:2], [0.1, 0.2], loss="hinge", n_steps=3)
    assert repr(plain).startswith("Models(2 hinge models, 3 steps, ")
    assert "best" not in repr(plain)
    assert "validation" not in repr(plain[0])
    assert np.isnan(plain[0].val_accuracy)
    with pytest.raises(ValueError, match="without X_val and y_val no model is the best"):
        _ = plain.best


def test_progress(data, monkeypatch):
    tqdm = pytest.importorskip("tqdm")
    shown: list[str] = []

    class Bar(tqdm.tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options | {"disable": False, "file": io.StringIO()})

        def set_postfix_str(self, s: str = "", refresh: bool = True) -> None:
            shown.append(s)
            super().set_postfix_str(s, refresh)

        def close(self) -> None:
            assert self.n == self.total == 60
            super().close()

    monkeypatch.setattr(tqdm, "tqdm", Bar)
    models = train(data, progress=True)
    assert len(shown) == 60
    assert shown[0] == ""
    highest = max(score for model in models for score in model.scores.values())
    assert shown[-1].startswith(f"12 models, best {highest:.3f} at ")


@pytest.mark.parametrize("notebook", [False, True])
def test_progress_in_a_notebook(notebook, data, monkeypatch, capsys):
    pytest.importorskip("tqdm")
    if notebook:
        monkeypatch.setitem(sys.modules, "ipykernel", None)
    else:
        monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    train(data, progress=True)
    assert ("0/60" in capsys.readouterr().err) == notebook


def test_progress_without_tqdm(data, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    train(data, progress=True)


# ---- what is refused ----------------------------------------------------------------------------

WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"learning_rates": []}, ValueError, "learning_rates is empty: wanted at least one number"),
    ({"learning_rates": [0.1, -1]}, ValueError, r"learning_rates\[1\] is -1: wanted a finite"),
    ({"learning_rates": "fast"}, TypeError, "learning_rates is 'fast': wanted a real number"),
    ({"regs": [np.nan]}, ValueError, r"regs\[0\] is nan: wanted a finite number of at least 0"),
    ({"regs": True}, TypeError, "regs is True: wanted a real number"),
    ({"seeds": []}, ValueError, "seeds is empty"),
    ({"seeds": [1.5]}, TypeError, "seeds is 1.5: wanted an integer"),
    ({"seeds": 2**32}, ValueError, r"seeds is 4294967296: wanted a number below 2\*\*32"),
    ({"seeds": [0, 1], "start": np.ones((3, 3))}, ValueError, "seeds are 2, but start is given"),
    ({"start": np.ones((2, 3))}, ValueError, r"start has shape \(2, 3\): wanted \(3, C\)"),
    ({"start": np.ones((3, 3), int)}, TypeError, "start has dtype int64: wanted float32 or"),
    ({"start": np.ones((3, 2))}, ValueError, r"y\[\d+\] is 2: wanted class indices from 0 to 1"),
    ({"loss": "svm"}, ValueError, "loss is 'svm': wanted one of 'softmax', 'hinge'"),
    ({"n_steps": 0}, ValueError, "n_steps is 0: wanted at least 1"),
    ({"batch_size": 0}, ValueError, "batch_size is 0: wanted at least 1"),
    ({"score_every": 0}, ValueError, "score_every is 0: wanted at least 1"),
    ({"halving": 1}, ValueError, "halving is 1: wanted at least 2"),
    ({"halving": 2}, ValueError, "halving is 2, but X_val is None: wanted rows that score"),
    ({"random_state": -1}, ValueError, "random_state is -1: wanted at least 0"),
    ({"random_state": "x"}, TypeError, "random_state is 'x': wanted an integer"),
    ({"n_threads": 0}, ValueError, "n_threads is 0: wanted a positive integer"),
    ({"shift": np.ones(2)}, ValueError, "shift has shape"),
    ({"X": np.ones(300)}, ValueError, r"X has shape \(300,\): wanted \(N, D\)"),
    ({"X": np.ones((0, 3))}, ValueError, r"X has shape \(0, 3\)"),
    ({"X": np.ones((300, 3), complex)}, TypeError, "X has dtype complex128"),
    ({"y": np.zeros(7, int)}, ValueError, r"y has shape \(7,\): wanted \(300,\), a label for"),
    ({"y": np.full(300, -1)}, ValueError, r"y\[0\] is -1: wanted class indices"),
    ({"y": np.full(300, 0.5)}, ValueError, r"y\[0\] is 0.5: wanted class indices"),
    ({"X_val": np.ones((4, 3))}, ValueError, "y_val is None, but X_val is not"),
    ({"y_val": [0]}, ValueError, "X_val is None, but y_val is not"),
    (
        {"X_val": np.ones((4, 2)), "y_val": [0] * 4},
        ValueError,
        r"X_val has shape \(4, 2\): wanted \(N, 3\), features as X's",
    ),
    ({"X_val": np.ones((4, 3)), "y_val": [0, 0, 3, 0]}, ValueError, r"y_val\[2\] is 3: wanted"),
    ({"X_val": np.ones((4, 3)), "y_val": [0]}, ValueError, r"y_val has shape \(1,\): wanted \(4"),
]


@pytest.mark.parametrize(("wrong", "kind", "message"), WRONG)
def test_refusals(data, wrong, kind, message):
    given: dict[str, Any] = {"X": data[0], "y": data[1], "learning_rates": 0.1} | wrong
    called: list[int] = []
    given["callback"] = lambda step, losses: called.append(step)
    with pytest.raises(kind, match=message):
        train_many(**given)
    assert not called
