"""Linear models, as in the course CS231n: their losses with gradient, and their predictions.

X is read once a call, block by block; scores and probabilities of a block live in scratch, so that
memory beyond X and W does not grow with the number of rows.
"""

from csoftmax.linear.losses import softmax_loss, svm_loss
from csoftmax.linear.predictions import linear_predict, linear_predict_proba, linear_top_k

__all__ = [
    "linear_predict",
    "linear_predict_proba",
    "linear_top_k",
    "softmax_loss",
    "svm_loss",
]
