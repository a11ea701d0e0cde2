"""The course's layers: for each a forward half and a backward half.

    out, cache = layer_forward(x, ...)
    dx, ... = layer_backward(dout, cache)

`dout` is the gradient of a loss by `out`; the backward half returns its gradients by what the
forward half was given. The losses have both halves in one function: they return the loss and its
gradient by the scores.

Products are NumPy's, the losses on scores csoftmax's own. Convolutions, pooling and spatial
normalization stay in the course's package.
"""

from csoftmax.cs231n.layers.affine import (
    affine_backward,
    affine_forward,
    relu_backward,
    relu_forward,
)
from csoftmax.cs231n.layers.dropout import dropout_backward, dropout_forward
from csoftmax.cs231n.layers.losses import softmax_loss, svm_loss
from csoftmax.cs231n.layers.normalization import (
    batchnorm_backward,
    batchnorm_backward_alt,
    batchnorm_forward,
    layernorm_backward,
    layernorm_forward,
)

__all__ = [
    "affine_backward",
    "affine_forward",
    "batchnorm_backward",
    "batchnorm_backward_alt",
    "batchnorm_forward",
    "dropout_backward",
    "dropout_forward",
    "layernorm_backward",
    "layernorm_forward",
    "relu_backward",
    "relu_forward",
    "softmax_loss",
    "svm_loss",
]
