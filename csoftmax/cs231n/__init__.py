"""The names of the course's first assignment, backed by csoftmax.

A notebook of Stanford's CS231n runs when `cs231n.` in its imports becomes `csoftmax.cs231n.`:

    classifiers          LinearClassifier, Softmax, LinearSVM
    classifiers.softmax  classifiers.linear_svm    the losses: naive, and vectorized (compiled here)
    gradient_check       numerical gradients
    data_utils           CIFAR-10 as float64 images

The regulariser is reg/2 sum(W**2) everywhere. The course's newer notebooks use reg sum(W**2): pass
2 * reg for those.
"""

from csoftmax._lazy import on_first_use

_SUBMODULES = ("classifiers", "data_utils", "gradient_check")
__getattr__ = on_first_use(__name__, {name: f"{__name__}.{name}" for name in _SUBMODULES})
