"""The names of the course's first assignments, backed by csoftmax.

The cells about linear classifiers and fully connected networks in a notebook of Stanford's CS231n
run when `cs231n.` in their imports becomes `csoftmax.cs231n.`:

    classifiers          LinearClassifier, Softmax, LinearSVM, and the losses:
    classifiers.softmax  classifiers.linear_svm    naive, and vectorized (compiled here)
    classifiers.neural_net                         TwoLayerNet, which trains itself
    classifiers.fc_net   TwoLayerNet, FullyConnectedNet, for:
    solver               Solver, by the rules of optim
    layers  layer_utils  forward and backward halves; losses on scores (compiled here)
    gradient_check       numerical gradients
    data_utils           CIFAR-10 as float images
    vis_utils            visualize_grid

The rest of the course (nearest neighbours, features, convolutions) is in its own package.

The penalty is reg/2 sum(W**2), as in the course's first years. Its releases since then have
reg sum(W**2), with the gradient 2 reg W. One switch gives that meaning to the `reg` of all names
here, losses, classifiers and networks:

>>> import csoftmax.cs231n
>>> csoftmax.cs231n.full_penalty
False
>>> csoftmax.cs231n.full_penalty = True  # reg sum(W**2)
>>> csoftmax.cs231n.full_penalty = False  # reg/2 sum(W**2)

It is one for the whole process. Functions outside `csoftmax.cs231n` do not know of it.
"""

import sys as _sys
import typing as _typing

from csoftmax._lazy import on_first_use as _on_first_use
from csoftmax.cs231n._elsewhere import explain_missing as _explain_missing
from csoftmax.cs231n._penalty import CoursePackage as _CoursePackage

if _typing.TYPE_CHECKING:
    from csoftmax.cs231n import classifiers as classifiers
    from csoftmax.cs231n import data_utils as data_utils
    from csoftmax.cs231n import gradient_check as gradient_check
    from csoftmax.cs231n import layer_utils as layer_utils
    from csoftmax.cs231n import layers as layers
    from csoftmax.cs231n import optim as optim
    from csoftmax.cs231n import solver as solver
    from csoftmax.cs231n import vis_utils as vis_utils

full_penalty: bool  # a property of the class

_SUBMODULES = (
    "classifiers",
    "data_utils",
    "gradient_check",
    "layer_utils",
    "layers",
    "optim",
    "solver",
    "vis_utils",
)
if not _typing.TYPE_CHECKING:  # type checkers would take any name
    __getattr__ = _on_first_use(__name__, {name: f"{__name__}.{name}" for name in _SUBMODULES})

_sys.modules[__name__].__class__ = _CoursePackage
_explain_missing()


def __dir__() -> list[str]:
    return sorted({*_SUBMODULES, "full_penalty"})
