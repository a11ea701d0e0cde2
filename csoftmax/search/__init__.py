"""Many linear models at once: learning rates, penalties and seeds, on the same mini-batches."""

from csoftmax.search.models import Model, Models
from csoftmax.search.train import train_many

__all__ = ["Model", "Models", "train_many"]
