"""Readers of real data files.

`load` takes ``"digits"`` or a path and finds out what lies there; each format also has its own
function. Nothing is downloaded, no reader runs code from a file, and a missing, truncated or
foreign file is a ValueError or OSError that names it and says what was wanted. What a compressed
file grows to has a limit, which ``max_bytes`` raises. Only digits and svmlight files need
scikit-learn.
"""

from csoftmax.datasets._arrays import load_npy, load_npz
from csoftmax.datasets._cifar import load_cifar10, load_cifar100, read_cifar10_batch
from csoftmax.datasets._dataset import Dataset
from csoftmax.datasets._idx import load_idx, load_mnist
from csoftmax.datasets._load import load
from csoftmax.datasets._sklearn import load_digits, load_svmlight

__all__ = [
    "Dataset",
    "load",
    "load_cifar10",
    "load_cifar100",
    "load_digits",
    "load_idx",
    "load_mnist",
    "load_npy",
    "load_npz",
    "load_svmlight",
    "read_cifar10_batch",
]
