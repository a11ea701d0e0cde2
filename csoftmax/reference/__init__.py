"""What csoftmax computes, in plain NumPy and float64: the definition, and the oracle of the tests.

Every function here is its formula, line by line, and none is ever made faster. Input of any dtype
is converted to float64. Only what would silently give a wrong number is refused (labels out of
range, no rows); the full list of refusals belongs to the compiled functions of the same names.

    _course     softmax and hinge loss of a linear model, derived in the course's three stages
    _rows       softmax, log_softmax, logsumexp and the Jacobian
    _losses     cross-entropy on logits, with every option
    _hinge      multiclass hinge on scores, with the same options
    _boosting   gradient and Hessian's diagonal, with the options of `csoftmax.boosting`
    _linear     the linear losses with every option, and their Hessian
    _predictions    labels and probabilities of linear models
"""

from csoftmax.reference._boosting import softmax_grad_hess
from csoftmax.reference._course import (
    softmax_loss_half_vectorized,
    softmax_loss_naive,
    softmax_loss_vectorized,
    svm_loss_half_vectorized,
    svm_loss_naive,
    svm_loss_vectorized,
)
from csoftmax.reference._hinge import multiclass_hinge, multiclass_hinge_with_grad
from csoftmax.reference._linear import linear_cross_entropy, softmax_hvp, softmax_loss, svm_loss
from csoftmax.reference._losses import cross_entropy, cross_entropy_with_grad
from csoftmax.reference._predictions import linear_predict, linear_predict_proba, linear_top_k
from csoftmax.reference._rows import (
    log_softmax,
    logsumexp,
    softmax,
    softmax_backward,
    softmax_jacobian,
)

__all__ = [
    "cross_entropy",
    "cross_entropy_with_grad",
    "linear_cross_entropy",
    "linear_predict",
    "linear_predict_proba",
    "linear_top_k",
    "log_softmax",
    "logsumexp",
    "multiclass_hinge",
    "multiclass_hinge_with_grad",
    "softmax",
    "softmax_backward",
    "softmax_grad_hess",
    "softmax_hvp",
    "softmax_jacobian",
    "softmax_loss",
    "softmax_loss_half_vectorized",
    "softmax_loss_naive",
    "softmax_loss_vectorized",
    "svm_loss",
    "svm_loss_half_vectorized",
    "svm_loss_naive",
    "svm_loss_vectorized",
]
