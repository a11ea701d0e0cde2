"""Scores, labels and options of boosted trees, and stand-ins for the libraries' data sets."""

from __future__ import annotations

import numpy as np

#: options of softmax_objective and softmax_metric, each against the reference's
OPTIONS = {
    "plain": {},
    "classes": {"class_weight": True},
    "smooth": {"label_smoothing": 0.125},
    "smooth classes": {"label_smoothing": 0.125, "class_weight": True},
    "soft": {"soft_labels": True},
    "soft smooth classes": {"soft_labels": True, "label_smoothing": 0.5, "class_weight": True},
    "focal": {"gamma": 2.0},
    "focal 0.5": {"gamma": 0.5},
    "focal classes": {"gamma": 3.0, "class_weight": True},
    "focal smooth": {"gamma": 1.5, "label_smoothing": 0.25},
    "focal soft": {"gamma": 1.0, "soft_labels": True, "class_weight": True},
    "warm": {"temperature": 2.5},
    "all": {
        "class_weight": True,
        "soft_labels": True,
        "label_smoothing": 0.25,
        "gamma": 2.0,
        "temperature": 0.5,
    },
}


class Matrix:
    """As an xgboost.DMatrix, as far as objectives look at it."""

    def __init__(self, label, weight=None):
        self.label = np.asarray(label, np.float32)
        self.weight = np.asarray([] if weight is None else weight, np.float32)

    def num_row(self):
        return len(self.label)

    def get_label(self):
        return self.label.copy()

    def get_weight(self):
        return self.weight.copy()


class Dataset:
    """As a lightgbm.Dataset."""

    def __init__(self, label, weight=None):
        self.label = np.asarray(label, np.float32)
        self.weight = None if weight is None else np.asarray(weight, np.float32)

    def num_data(self):
        return len(self.label)

    def get_label(self):
        return self.label

    def get_weight(self):
        return self.weight


def problem(n_rows, n_classes, names, spread=3.0):
    """Scores, labels, row weights (numbers that float32 holds), and options with their arrays."""
    r = np.random.default_rng(n_rows * 1000 + n_classes)
    scores = (spread * r.standard_normal((n_rows, n_classes))).astype(np.float32)
    labels = r.integers(0, n_classes, n_rows)
    weights = (r.integers(1, 33, n_rows) / 16).astype(np.float32)
    options = dict(names)
    if options.get("class_weight"):
        options["class_weight"] = r.integers(1, 33, n_classes) / 16
    if options.get("soft_labels"):
        options["soft_labels"] = r.dirichlet(np.ones(n_classes), n_rows).astype(np.float32)
    return scores, labels, weights, options


def reference_arguments(labels, options):
    """(target, keywords) of reference.softmax_grad_hess."""
    options = dict(options)
    target = options.pop("soft_labels", None)
    if "class_weight" in options:
        options["weight"] = options.pop("class_weight")
    return labels if target is None else target, options
