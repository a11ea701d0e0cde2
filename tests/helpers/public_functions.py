"""The public functions that take arrays, each with all its arguments that are arrays."""

import numpy as np

X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)
MODEL = {"W": np.array([[1, 2], [3, -1], [0, 1]], np.float32), "X": X}
OPTIONS = {
    "bias": np.array([0.5, 0]),
    "rows": np.array([0, 3, 2, 1]),
    "shift": np.array([0.0, 1, 2]),
    "scale": np.array([1.0, 2, 1]),
}
ROWS = {"y": np.array([0, 1, 1, 0]), "sample_weight": np.array([1.0, 2, 3, 1])}
LOGITS = {
    "target": np.array([0, 1, 2, 0]),
    "weight": np.array([1.0, 2, 1]),
    "sample_weight": np.array([1.0, 2, 3, 1]),
}
FUNCTIONS = {
    "softmax": {"x": X, "axis": 1},
    "log_softmax": {"x": X, "axis": 1},
    "logsumexp": {"a": X, "b": X, "axis": 1},
    "softmax_backward": {"grad_output": X, "output": X},
    "cross_entropy": {"logits": X, **LOGITS},
    "cross_entropy_with_grad": {"logits": X, **LOGITS},
    "multiclass_hinge": {"scores": X, **LOGITS},
    "multiclass_hinge_with_grad": {"scores": X, **LOGITS},
    "softmax_loss": MODEL | OPTIONS | ROWS,
    "svm_loss": MODEL | OPTIONS | ROWS,
    "linear_predict": MODEL | OPTIONS,
    "linear_predict_proba": MODEL | OPTIONS,
    "linear_top_k": MODEL | OPTIONS | {"k": 2},
}
ARGUMENTS = [
    (function, name)
    for function, given in FUNCTIONS.items()
    for name, value in given.items()
    if isinstance(value, np.ndarray)
]
