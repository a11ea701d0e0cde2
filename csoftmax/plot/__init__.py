"""Pictures of fits and models, as display objects like those of scikit-learn. They need matplotlib.

Each class has `from_estimator` and its like, which draw at once, and `plot(ax=None)`, which draws
again; then the picture is `figure_`, whose axes are `ax_` and `axes_`.

    LossDisplay         loss and gradient over the passes or steps of a fit
    WeightsDisplay      the coefficients of each class: images, or the largest by name
    SearchDisplay       scores over C, or over learning rate and penalty
    ConfusionDisplay    which class is taken for which
    CalibrationDisplay  how often a prediction is right, over its probability
    RegionsDisplay      what is predicted where, in two dimensions

`night` gives a figure colours for dark screens. `write_all` writes the pictures of the course's
worksheet, and `softmax_surface` is one of them.
"""

from csoftmax.plot.calibration import CalibrationDisplay
from csoftmax.plot.confusion import ConfusionDisplay
from csoftmax.plot.loss import LossDisplay
from csoftmax.plot.night import night
from csoftmax.plot.regions import RegionsDisplay
from csoftmax.plot.search import SearchDisplay
from csoftmax.plot.weights import WeightsDisplay
from csoftmax.plot.worksheet import softmax_surface, write_all

__all__ = [
    "CalibrationDisplay",
    "ConfusionDisplay",
    "LossDisplay",
    "RegionsDisplay",
    "SearchDisplay",
    "WeightsDisplay",
    "night",
    "softmax_surface",
    "write_all",
]
