"""The course's linear classifiers."""

from csoftmax.cs231n.classifiers import linear_svm, softmax
from csoftmax.cs231n.classifiers.linear_classifier import LinearClassifier, LinearSVM, Softmax

__all__ = ["LinearClassifier", "LinearSVM", "Softmax", "linear_svm", "softmax"]
