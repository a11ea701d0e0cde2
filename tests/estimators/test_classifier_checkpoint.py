"""SoftmaxClassifier(checkpoint=...): a fit that goes on where another one was stopped or killed."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import GridSearchCV

from csoftmax import SGD, SoftmaxClassifier

pytestmark = [
    pytest.mark.usefixtures("a_checkpoint_each_iteration"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

X, y = load_iris(return_X_y=True)
DIGITS, LABELS = (each[:300] for each in load_digits(return_X_y=True))


class Killed(Exception):
    """In place of a signal."""


def stop_at(iteration: int) -> Any:
    def stop(line: Any) -> None:
        if line.iteration == iteration:
            raise Killed

    return stop


def stopped(model: SoftmaxClassifier, path: Path, iteration: int, *data: Any) -> SoftmaxClassifier:
    """The model, to go on from the checkpoint of the iteration before."""
    model = clone(model).set_params(checkpoint=path)
    with pytest.raises(Killed):
        clone(model).set_params(callbacks=stop_at(iteration)).fit(*(data or (X, y)))
    return model


def same(a: SoftmaxClassifier, b: SoftmaxClassifier) -> bool:
    arrays = all(
        getattr(a, name).dtype == getattr(b, name).dtype
        and getattr(a, name).tobytes() == getattr(b, name).tobytes()
        for name in ("coef_", "intercept_", "classes_", "n_iter_")
    )
    history = all(a.history_[k] == b.history_[k] for k in ("loss", "gradient", "passes"))
    return arrays and history and a.stop_reason_ == b.stop_reason_


# ---- going on ----------------------------------------------------------------------------------

OPTIONS: list[dict[str, Any]] = [
    {},
    {"C": np.inf, "max_iter": 30},
    {"l1_ratio": 1, "C": 0.01},
    {"solver": "newton-cg", "C": 100},
    {"standardize": True},
    {"solver": "sgd", "random_state": 0, "max_iter": 9},
    {"solver": SGD(rule="momentum", early_stopping=True), "random_state": 3, "max_iter": 9},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", ["float64", "float32", "uint8", "csr"])
def test_same_bits_and_history(options: dict[str, Any], kind: str, tmp_path: Path) -> None:
    rows = sp.csr_array(DIGITS) if kind == "csr" else DIGITS.astype(kind)
    data = rows, LABELS, np.linspace(1, 2, len(LABELS))
    model = SoftmaxClassifier(**{"C": 0.1, "tol": 1e-3} | options)
    whole = clone(model).fit(*data)
    n_iter = int(whole.n_iter_[0])
    assert n_iter >= 4
    for iteration in {2, n_iter // 2 + 1, n_iter}:
        again = stopped(model, tmp_path / str(iteration), iteration, *data)
        seen: list[int] = []
        again.set_params(callbacks=lambda line, seen=seen: seen.append(line.iteration))
        assert same(again.fit(*data), whole)
        assert seen == list(range(iteration, n_iter + 1))
        seconds = again.history_["seconds"]
        assert all(np.diff(seconds) >= 0)


@pytest.mark.parametrize("target", ["two", "texts", "probabilities"])
def test_targets(target: str, tmp_path: Path) -> None:
    texts = np.array(["a", "b", "c"])[y]
    labels: Any = {"two": y > 0, "texts": texts, "probabilities": np.eye(3)[y]}
    model = SoftmaxClassifier(l1_ratio=0.1)
    again = stopped(model, tmp_path / "a", 4, X, labels[target])
    assert same(again.fit(X, labels[target]), model.fit(X, labels[target]))


def test_a_finished_fit_ends_at_once_and_predicts(tmp_path: Path) -> None:
    model = SoftmaxClassifier(checkpoint=str(tmp_path / "a.npz")).fit(X, y)
    again = clone(model).set_params(callbacks=stop_at(1)).fit(X, y)
    assert same(model, again)
    np.testing.assert_array_equal(model.predict_proba(X), again.predict_proba(X))
    assert [each.name for each in tmp_path.iterdir()] == ["a.npz"]


def test_a_smaller_tol_and_more_iterations_go_on(tmp_path: Path) -> None:
    model = SoftmaxClassifier(checkpoint=tmp_path / "a", max_iter=3).fit(X, y)
    assert model.stop_reason_ == "max_iter"
    model.set_params(max_iter=1000, tol=1e-8, n_jobs=1, verbose=0, random_state=3).fit(X, y)
    assert same(model, SoftmaxClassifier(tol=1e-8).fit(X, y))


def test_a_fit_that_a_callback_or_ctrl_c_ended_goes_on(tmp_path: Path) -> None:
    def interrupt(line: Any) -> bool:
        if line.iteration == 5:
            raise KeyboardInterrupt
        return bool(line.iteration == 2)

    model = SoftmaxClassifier(checkpoint=tmp_path / "a", callbacks=interrupt, tol=1e-8)
    assert model.fit(X, y).stop_reason_ == "callback"
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.stop_reason_ == "interrupted"
    assert model.n_iter_ == len(model.history_["loss"]) == 5
    model.set_params(callbacks=None).fit(X, y)
    assert same(model, SoftmaxClassifier(tol=1e-8).fit(X, y))


def test_it_goes_before_warm_start(tmp_path: Path) -> None:
    model = SoftmaxClassifier(warm_start=True)
    again = stopped(model, tmp_path / "a", 4)
    again.coef_, again.intercept_, again.classes_ = np.ones((3, 4)), np.ones(3), np.arange(3)
    assert same(again.fit(X, y), SoftmaxClassifier().fit(X, y))


def test_rows_are_drawn_as_they_would_have_been(tmp_path: Path) -> None:
    model = SoftmaxClassifier(solver=SGD(early_stopping=True), max_iter=8)
    np.random.seed(4)
    whole = clone(model).fit(X, y)
    np.random.seed(4)
    again = stopped(model, tmp_path / "a", 5)
    np.random.seed(5)
    assert same(again.fit(X, y), whole)
    after = np.random.random()
    np.random.seed(5)
    assert np.random.random() == after


def test_partial_fit_does_not_look_at_it(tmp_path: Path) -> None:
    SoftmaxClassifier(checkpoint=tmp_path / "a").partial_fit(X, y, classes=[0, 1, 2])
    assert not any(tmp_path.iterdir())


# ---- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("C", 2.0),
        ("l1_ratio", 0.5),
        ("fit_intercept", False),
        ("class_weight", "balanced"),
        ("class_weight", {0: 2.0}),
        ("solver", "newton-cg"),
        ("solver", SGD()),
        ("standardize", True),
        ("label_smoothing", 0.1),
    ],
)
def test_another_parameter_is_named(name: str, value: Any, tmp_path: Path) -> None:
    model = stopped(SoftmaxClassifier(), tmp_path / "a", 3)
    before = (tmp_path / "a").read_bytes()
    with pytest.raises(ValueError, match=rf"a' is of another fit: {name} was .*, and is .* now"):
        clone(model).set_params(**{name: value}).fit(X, y)
    assert (tmp_path / "a").read_bytes() == before
    assert same(model.fit(X, y), SoftmaxClassifier().fit(X, y))


def test_another_descent_is_named(tmp_path: Path) -> None:
    model = stopped(SoftmaxClassifier(solver="sgd", random_state=0, max_iter=5), tmp_path / "a", 3)
    with pytest.raises(ValueError, match=r"rule was 'adam', and is 'momentum' now"):
        clone(model).set_params(solver=SGD(rule="momentum")).fit(X, y)
    with pytest.raises(ValueError, match=r"random_state was 0, and is 1 now"):
        clone(model).set_params(random_state=1).fit(X, y)
    with pytest.raises(ValueError, match=r"random_state was 0, and is 'NoneType' now"):
        clone(model).set_params(random_state=None).fit(X, y)
    with pytest.raises(ValueError, match=r"solver was 'sgd', and is 'lbfgs' now"):
        clone(model).set_params(solver="auto").fit(X, y)
    model.set_params(solver=SGD(momentum=np.float64(0.9)), random_state=np.int64(0)).fit(X, y)


def test_other_data_are_named(tmp_path: Path) -> None:
    model = stopped(SoftmaxClassifier(), tmp_path / "a", 3)
    weight = np.r_[3.0, np.ones(149)]
    others: list[tuple[str, tuple[Any, ...]]] = [
        ("the number of rows was 150, and is 149 now", (X[1:], y[1:])),
        ("the number of features was 4, and is 3 now", (X[:, 1:], y)),
        ("the list of classes was .'0', '1', '2'., and is .'1', '2', '3'. now", (X, y + 1)),
        ("dtype was 'float64', and is 'float32' now", (X.astype(np.float32), y)),
        ("sparse X was False, and is True now", (sp.csr_array(X), y)),
        ("was made from other data", (X * 1.001, y)),
        ("was made from other data", (X[::-1] + 1, y)),
        ("was made from other data", (X, y, weight)),
        ("was made from other data", (X, np.roll(y, 1))),
    ]
    for message, data in others:
        with pytest.raises(ValueError, match=message):
            clone(model).fit(*data)
    assert same(model.fit(X, y), SoftmaxClassifier().fit(X, y))


def test_a_search_does_not_share_one(tmp_path: Path) -> None:
    search = GridSearchCV(
        SoftmaxClassifier(checkpoint=tmp_path / "a"), {"C": [1, 2]}, error_score="raise"
    )
    with pytest.raises(ValueError, match=r"is of another fit|from other data"):
        search.fit(X, y)


def test_nan_is_named_before_the_checkpoint(tmp_path: Path) -> None:
    model = stopped(SoftmaxClassifier(), tmp_path / "a", 3)
    bad = X.copy()
    bad[3, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        model.fit(bad, y)


def test_a_file_that_is_something_else_stays(tmp_path: Path) -> None:
    path = tmp_path / "X.npy"
    np.save(path, X)
    with pytest.raises(ValueError, match=r"X\.npy' is no checkpoint, or a damaged one"):
        SoftmaxClassifier(checkpoint=path).fit(X, y)
    np.testing.assert_array_equal(np.load(path), X)


def test_the_parameter(tmp_path: Path) -> None:
    model = SoftmaxClassifier(checkpoint=tmp_path / "a")
    assert clone(model).checkpoint == tmp_path / "a"
    assert SoftmaxClassifier().get_params()["checkpoint"] is None
    again = pickle.loads(pickle.dumps(model.fit(X, y)))
    assert same(again.fit(X, y), model)
    with pytest.raises(ValueError, match="'checkpoint' parameter of SoftmaxClassifier must be"):
        SoftmaxClassifier(checkpoint=3).fit(X, y)
    with pytest.raises(FileNotFoundError, match="checkpoint wants a folder"):
        SoftmaxClassifier(checkpoint=tmp_path / "no" / "a").fit(X, y)
