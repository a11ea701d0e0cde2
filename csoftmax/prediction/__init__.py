"""What a fitted linear model predicts for rows of any kind, by NumPy alone."""

from csoftmax.prediction.linear_model import LinearModel

__all__ = ["LinearModel"]
