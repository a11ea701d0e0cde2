"""What users of scikit-learn see."""

from csoftmax.estimators.classifier import SoftmaxClassifier
from csoftmax.estimators.classifier_cv import SoftmaxClassifierCV

__all__ = ["SoftmaxClassifier", "SoftmaxClassifierCV"]
