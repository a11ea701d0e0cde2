"""SoftmaxClassifierCV(checkpoint=...): a search that goes on from the last C that was fitted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import StratifiedKFold

from csoftmax import SoftmaxClassifierCV
from csoftmax.solvers.checkpoint import Keeper
from csoftmax.solvers.lockstep import Lockstep

pytestmark = [
    pytest.mark.usefixtures("a_checkpoint_each_iteration"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

X, y = load_iris(return_X_y=True)
SEARCH = SoftmaxClassifierCV(Cs=[1, 0.01, 10, 0.1], cv=3, max_iter=40)


class Killed(Exception):
    """In place of a signal."""


def stopped(model: Any, path: Path, after: int, *data: Any) -> Any:
    """The search, to go on from the checkpoint of so many Cs."""
    write = Keeper.write

    def write_and_stop(self: Keeper, done: int, state: Any) -> None:
        write(self, done, state)
        if done == after:
            raise Killed

    model = clone(model).set_params(checkpoint=path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Keeper, "write", write_and_stop)
        with pytest.raises(Killed):
            clone(model).fit(*(data or (X, y)))
    return model


def same(a: SoftmaxClassifierCV, b: SoftmaxClassifierCV) -> bool:
    names = ("coef_", "intercept_", "coefs_paths_", "scores_", "n_iter_", "classes_", "Cs_")
    return a.C_ == b.C_ and all(
        getattr(a, name).tobytes() == getattr(b, name).tobytes() for name in names
    )


@pytest.mark.parametrize(
    "options",
    [{}, {"l1_ratios": [0.0, 1.0]}, {"standardize": True, "refit": False}, {"sparse": True}],
    ids=str,
)
def test_same_bits_in_fewer_passes(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options = dict(options)
    rows = sp.csr_array(X) if options.pop("sparse", False) else X
    model = clone(SEARCH).set_params(**options)
    whole = clone(model).fit(rows, y)
    fitted: list[int] = []
    minimise = Lockstep.minimise

    def counted(self: Lockstep, *args: Any) -> Any:
        fitted.append(1)
        return minimise(self, *args)

    monkeypatch.setattr(Lockstep, "minimise", counted)
    for after in (1, 3, 4):
        again = stopped(model, tmp_path / str(after), after, rows, y)
        fitted.clear()
        assert same(again.fit(rows, y), whole)
        assert len(fitted) == 4 - after
        fitted.clear()
        assert same(again.fit(rows, y), whole)
        assert not fitted


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Cs", [1, 0.01, 10, 0.2]),
        ("l1_ratios", [0.5]),
        ("tol", 1e-6),
        ("max_iter", 41),
        ("fit_intercept", False),
        ("class_weight", "balanced"),
        ("label_smoothing", 0.1),
        ("standardize", True),
    ],
)
def test_another_search_is_named(name: str, value: Any, tmp_path: Path) -> None:
    model = stopped(SEARCH, tmp_path / "a", 2)
    with pytest.raises(ValueError, match=rf"a' is of another fit: {name} was .*, and is .* now"):
        clone(model).set_params(**{name: value}).fit(X, y)
    assert same(model.fit(X, y), clone(SEARCH).fit(X, y))


def test_other_folds_and_data_are_named(tmp_path: Path) -> None:
    model = stopped(SEARCH, tmp_path / "a", 2)
    with pytest.raises(ValueError, match="the number of folds was 3, and is 4 now"):
        clone(model).set_params(cv=4).fit(X, y)
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    with pytest.raises(ValueError, match="was made from other data"):
        clone(model).set_params(cv=folds).fit(X, y)
    with pytest.raises(ValueError, match="was made from other data"):
        clone(model).fit(X + 0.001, y)
    model.set_params(n_jobs=1, scoring="neg_log_loss").fit(X, y)


def test_a_damaged_entry_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    model = stopped(SEARCH, path, 1)
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    about = json.loads(arrays.pop("about").item())
    for name in arrays:
        np.savez(path, about=json.dumps(about).encode(), **arrays | {name: np.zeros(3)})
        with pytest.raises(
            ValueError, match=rf"a\.npz': {name} is float64 of shape \(3,\): wanted"
        ):
            clone(model).fit(X, y)
    for name in about["values"]:
        values = {key: value for key, value in about["values"].items() if key != name}
        np.savez(path, about=json.dumps(about | {"values": values}).encode(), **arrays)
        with pytest.raises(ValueError, match=rf"a\.npz': {name} is None: wanted a value"):
            clone(model).fit(X, y)


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = stopped(SEARCH, tmp_path / "a", 2)

    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OSError, match=r"of C number 3 could .* of C number 2, is still there"):
            clone(model).fit(X, y)
    assert same(model.fit(X, y), clone(SEARCH).fit(X, y))
