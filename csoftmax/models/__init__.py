"""Fitted models in files: saved, and loaded where NumPy alone is installed."""

from csoftmax.models.files import load_model, save_model

__all__ = ["load_model", "save_model"]
