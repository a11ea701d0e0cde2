"""Uses without a mistake: type checkers find none, and know what comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, assert_type

import numpy as np
import numpy.typing as npt

import csoftmax
from csoftmax.boosting import softmax_metric, softmax_objective
from csoftmax.cs231n.classifiers import LinearSVM, Softmax
from csoftmax.cs231n.classifiers.fc_net import FullyConnectedNet
from csoftmax.cs231n.classifiers.softmax import softmax_loss_vectorized
from csoftmax.cs231n.solver import Solver
from csoftmax.datasets import Dataset
from csoftmax.evaluation import Measures
from csoftmax.prediction import LinearModel
from csoftmax.search import Model, train_many
from csoftmax.sources import cached
from csoftmax.tabular import Category, Number, Preparation, TableModel

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Any_ = npt.NDArray[Any]

Z = np.zeros((4, 3), np.float32)
W = np.zeros((3, 2), np.float32)
X = np.arange(12, dtype=np.uint8).reshape(4, 3)
Y = np.array([0, 1, 1, 0])


def _copy(array: Floats) -> Floats:
    return array.copy()


def rows_of_logits() -> None:
    assert_type(csoftmax.softmax(Z), Floats)
    assert_type(csoftmax.softmax(Z, axis=1), Floats)
    assert_type(csoftmax.softmax(Z, (0, 1), n_threads=2), Floats)
    assert_type(csoftmax.softmax(Z.astype(np.float64)), Doubles)
    assert_type(csoftmax.softmax(Z, out=_copy(Z)), Floats)
    assert_type(csoftmax.softmax([0.0, 1.0]), Any)
    assert_type(csoftmax.log_softmax(Z, 1, out=_copy(Z)), Floats)
    assert_type(csoftmax.log_softmax(Z, 1), Floats)
    assert_type(csoftmax.softmax_backward(Z, Z), Floats)
    assert_type(csoftmax.softmax_backward(Z, Z, axis=0, out=_copy(Z)), Floats)
    assert_type(csoftmax.softmax_backward([1.0], [1.0]), Any)


def sums_of_logits(keep: bool = True) -> None:
    assert_type(csoftmax.logsumexp(Z), np.float32)
    assert_type(csoftmax.logsumexp(Z, axis=1), Floats)
    assert_type(csoftmax.logsumexp(Z, 1, Z), Floats)
    assert_type(csoftmax.logsumexp(Z, 1, None, True), Floats)
    assert_type(csoftmax.logsumexp(Z, keepdims=True), Floats)
    assert_type(csoftmax.logsumexp(Z, return_sign=True), tuple[np.float32, np.float32])
    assert_type(csoftmax.logsumexp(Z, 0, return_sign=True), tuple[Floats, Floats])
    assert_type(csoftmax.logsumexp(Z, 1, keepdims=keep), Floats)
    assert_type(csoftmax.logsumexp([0.0, 1.0]), Any)
    assert_type(csoftmax.logsumexp([0.0], return_sign=True), tuple[Any, Any])


def losses_on_logits() -> None:
    target = [0, 1, 2, 0]
    assert_type(csoftmax.cross_entropy(Z, target), float)
    assert_type(csoftmax.cross_entropy([[0.0, 1.0]], [1], reduction="sum"), float)
    assert_type(csoftmax.cross_entropy(Z, target, reduction="none"), Floats)
    assert_type(csoftmax.cross_entropy_with_grad(Z, target), tuple[float, Floats])
    assert_type(csoftmax.cross_entropy_with_grad([[0.0, 1.0]], [1]), tuple[float, Any_])
    found = csoftmax.cross_entropy_with_grad(Z, target, reduction="none", out=_copy(Z))
    assert_type(found, tuple[Floats, Floats])
    assert_type(csoftmax.multiclass_hinge(Z, target, 2.0, weight=[1, 2, 1]), float)
    assert_type(csoftmax.multiclass_hinge(Z, target, reduction="none"), Floats)
    assert_type(csoftmax.multiclass_hinge_with_grad(Z, target), tuple[float, Floats])


def losses_of_linear_models(bias: npt.NDArray[np.float32] | None = None) -> None:
    assert_type(csoftmax.softmax_loss(W, X, Y), tuple[float, Floats])
    assert_type(csoftmax.softmax_loss(W, X, Y, 0.1, bias=[0, 1]), tuple[float, Floats, Floats])
    assert_type(csoftmax.softmax_loss(W.tolist(), X, Y, bias=None), tuple[float, Any_])
    assert_type(csoftmax.svm_loss(W, X, Y, delta=2.0, rows=[0, 1]), tuple[float, Floats])
    assert_type(csoftmax.svm_loss(W, X, Y, bias=np.zeros(2)), tuple[float, Floats, Floats])
    loss, dW, *_ = csoftmax.softmax_loss(W, X, Y, bias=bias)
    assert_type(loss, float)
    assert_type(csoftmax.linear_predict(W, X, shift=X.mean(axis=0)), Labels)
    assert_type(csoftmax.linear_predict_proba(W, X), Floats)
    assert_type(csoftmax.linear_top_k(W, X, 1), tuple[Labels, Floats])
    loss, dW = softmax_loss_vectorized(W, X, Y, 0.0)
    assert_type(dW, Floats)


def rows_from_elsewhere(folder: Path) -> None:
    def blocks() -> Iterator[tuple[npt.NDArray[np.uint8], Labels]]:
        yield X, Y

    csoftmax.softmax_loss(W, blocks, None)
    csoftmax.softmax_loss(W, cached(blocks, folder), None)
    np.save(folder / "X.npy", X)
    csoftmax.linear_predict(W, folder / "X.npy")
    csoftmax.linear_predict(W, str(folder / "X.npy"))


def the_reference() -> None:
    reference = csoftmax.reference
    assert_type(reference.cross_entropy(Z, [0, 1, 2, 0]), float)
    assert_type(reference.cross_entropy(Z, [0, 1, 2, 0], reduction="none"), Doubles)
    assert_type(reference.softmax_loss(W, X, Y), tuple[float, Doubles])
    assert_type(reference.softmax_loss(W, X, Y, bias=[0, 0]), tuple[float, Doubles, Doubles])
    assert_type(reference.logsumexp(Z, 1, return_sign=True), tuple[Doubles, Doubles])
    assert_type(reference.softmax(Z, 1), Doubles)


def estimators(folder: Path) -> None:
    model = csoftmax.SoftmaxClassifier(
        C=0.5, solver="newton-cg", class_weight="balanced", random_state=0, callbacks=[print]
    )
    assert_type(model.fit(X, Y), csoftmax.SoftmaxClassifier)
    model = model.set_params(C=1.0, class_weight={"a": 2.5}, callbacks=None).fit(
        X, ["a", "b", "b", "a"]
    )
    assert_type(model.predict_proba(X), Any_)
    assert_type(model.predict_top_k(X, 1), tuple[Any_, Any_])
    assert_type(model.score(X, ["a", "b", "b", "a"]), float)
    assert_type(model.penalty, str | None)
    step = csoftmax.SGD(rule="momentum", learning_rate=0.1, batch_size="auto")
    csoftmax.SoftmaxClassifier(solver=step).partial_fit(X, Y, classes=[0, 1])
    chosen = csoftmax.SoftmaxClassifierCV(Cs=[0.1, 1.0], cv=2, scoring="neg_log_loss")
    assert_type(chosen.fit(X, Y), csoftmax.SoftmaxClassifierCV)
    csoftmax.save_model(model, folder / "model.safetensors")
    labels: Any_ = csoftmax.load_model(folder / "model.safetensors").predict(X)
    assert labels.shape == (4,)


def tables() -> None:
    how = Preparation([Number("weight", 4.0, 0.5), Category("sex", ("f", "m"))])
    linear = LinearModel(np.array([[2.0, 0.5, -0.5]]), np.zeros(1), np.array(["A", "B"]))
    model = TableModel(how, linear)
    assert_type(model.predict({"weight": [3.4, 5.1], "sex": ["m", None]}), Any_)
    X = {"weight": np.array([3.4, 5.1, 4.0]), "sex": np.array(["m", "f", "m"])}
    assert_type(model.predict_proba(X), Any_)
    measures = Measures(model.classes_)
    measures.add(model.predict(X), model.predict_proba(X))
    assert_type(measures.evaluation().accuracy, float)


def the_course(folder: Path) -> None:
    model = Softmax()
    assert_type(model.train(X, Y, num_iters=2), list[float])
    assert_type(model.predict(X), Labels)
    csoftmax.save_model(model, folder / "course.safetensors")
    LinearSVM().train(X, Y, num_iters=2)
    net = FullyConnectedNet([5], input_dim=3, num_classes=2, normalization="layernorm")
    assert_type(net.loss(X), Any_)
    assert_type(net.loss(X, Y), tuple[float, dict[str, Any_]])
    data = {"X_train": X, "y_train": Y, "X_val": X, "y_val": Y}
    Solver(net, data, update_rule="adam", num_epochs=1, verbose=False).train()
    csoftmax.cs231n.full_penalty = False


def everything_else() -> None:
    many = train_many(X, Y, [0.1, 0.2], loss="hinge", X_val=X, y_val=Y, n_steps=2)
    assert_type(many[0], Model)
    assert_type(many[:1], tuple[Model, ...])
    assert_type(many.best.predict(X), Labels)
    found = softmax_objective(hessian="diagonal", class_weight={0: 2.0})([0, 1], Z[:2])
    assert_type(found, tuple[Floats, Floats])
    softmax_metric(gamma=2.0)([0, 1], Z[:2])
    assert_type(csoftmax.show_config("dicts"), dict[str, Any])
    data = Dataset("tiny", X, Y, None, None, ("no", "yes"))
    assert_type(data.y_train, Labels)
