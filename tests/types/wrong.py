"""Mistakes that type checkers find: one in each line that ends so, and in no other."""

from __future__ import annotations

import numpy as np

import csoftmax
from csoftmax import softmax_los  # noqa: F401  # error
from csoftmax.boosting import softmax_objective
from csoftmax.cs231n.classifiers.fc_net import FullyConnectedNet
from csoftmax.cs231n.solver import Solver
from csoftmax.datasets import load_cifar100
from csoftmax.search import train_many

X = np.zeros((4, 3))
Y = np.array([0, 1, 2, 0])
W = np.zeros((3, 3))


def options() -> None:
    csoftmax.cross_entropy(X, Y, reduction="avg")  # error
    csoftmax.cross_entropy_with_grad(X, Y, reduction="avg")  # error
    csoftmax.multiclass_hinge(X, Y, reduction="avg")  # error
    csoftmax.multiclass_hinge_with_grad(X, Y, reduction=None)  # error
    csoftmax.reference.cross_entropy(X, Y, reduction="avg")  # error
    csoftmax.SoftmaxClassifier(solver="saga")  # error
    csoftmax.SoftmaxClassifier(penalty="l1")  # error
    csoftmax.SoftmaxClassifier("l2")  # error
    csoftmax.SoftmaxClassifier(class_weight="balance")  # error
    csoftmax.SoftmaxClassifier(max_iter="many")  # error
    csoftmax.SoftmaxClassifierCV(solver="lbfgs")  # error
    csoftmax.SGD(rule="rmsprop")  # error
    csoftmax.SGD(learning_rate="fast")  # error
    csoftmax.show_config(mode="dict")  # error
    softmax_objective(hessian="exact")  # error
    train_many(X, Y, 0.1, loss="svm")  # error
    load_cifar100("cifar-100-python", labels="medium")  # error
    net = FullyConnectedNet([5], normalization="batch")  # error
    Solver(net, {}, update_rule="adamw")  # error
    csoftmax.plot.SearchDisplay.from_results(None, kind="heat")  # error
    csoftmax.plot.LossDisplay.from_estimator(None, x="hours")  # error
    csoftmax.plot.ConfusionDisplay([[1]]).plot(normalize="rows")  # error


def names() -> None:
    csoftmax.softmax(X, dim=1)  # error
    csoftmax.logsumexp(X, keep_dims=True)  # error
    csoftmax.softmax_loss(X=X, y=Y)  # error
    csoftmax.cross_entropi(X, Y)  # error
    csoftmax.cs231n.classifier.Softmax()  # error
    csoftmax.report.rite()  # error
    csoftmax.evaluation.pages_()  # error


def arguments() -> None:
    csoftmax.softmax(X, axis="rows")  # error
    csoftmax.softmax_loss(W, None, Y)  # error
    csoftmax.linear_predict(W, (row for row in X))  # error
    csoftmax.SoftmaxClassifier().fit((row for row in X), Y)  # error
    csoftmax.save_model(W, "model.safetensors")  # error


def results() -> None:
    _loss, _dW = csoftmax.softmax_loss(W, X, Y, bias=np.zeros(3))  # error
    _loss, _dW, _dbias = csoftmax.softmax_loss(W, X, Y)  # error
    csoftmax.cross_entropy(X, Y).mean()  # error
    float(csoftmax.cross_entropy_with_grad(X, Y))  # error
    csoftmax.logsumexp(X, axis=1).append(1.0)  # error
    csoftmax.show_config()["version"]  # error
