"""Functions of logits: rows as in `scipy.special`, losses as in `torch.nn.functional`."""

from csoftmax.functional.entropy import cross_entropy, cross_entropy_with_grad
from csoftmax.functional.hinge import multiclass_hinge, multiclass_hinge_with_grad
from csoftmax.functional.log_sums import logsumexp
from csoftmax.functional.rows import log_softmax, softmax, softmax_backward

__all__ = [
    "cross_entropy",
    "cross_entropy_with_grad",
    "log_softmax",
    "logsumexp",
    "multiclass_hinge",
    "multiclass_hinge_with_grad",
    "softmax",
    "softmax_backward",
]
