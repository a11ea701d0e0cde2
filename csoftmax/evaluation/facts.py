"""The measures of all rows together, in words."""

from __future__ import annotations

import numpy as np

from csoftmax.evaluation.results import Evaluation
from csoftmax.report import Facts, Part


def summary(evaluation: Evaluation) -> list[Part]:
    """Return the measures of all rows together.

    Parameters
    ----------
    evaluation : Evaluation

    Returns
    -------
    list of parts of csoftmax.report

    See Also
    --------
    sections : All that is shown.

    Examples
    --------
    >>> from csoftmax.evaluation import Measures, summary
    >>> measures = Measures(["no", "yes"])
    >>> measures.add(["no", "yes"], [[0.9, 0.1], [0.2, 0.8]])
    >>> (facts,) = summary(measures.evaluation())
    >>> facts.facts["Rows"]
    '2, of 2 classes'
    """
    low, high = evaluation.accuracy_interval
    facts = {
        "Rows": f"{evaluation.n_rows}, of {len(evaluation.classes)} classes",
        "Accuracy": f"{evaluation.accuracy:.4f}; of all such rows {low:.3f} to {high:.3f}, "
        "with 95 % confidence",
        "Most frequent class": f"{evaluation.majority:.4f}, the accuracy of always saying it",
        "Balanced accuracy": f"{evaluation.balanced_accuracy:.4f}, the mean over classes",
    }
    if evaluation.log_loss is not None:
        facts["Log-loss"] = (
            f"{evaluation.log_loss:.4f}, the mean of -log(probability of the right class)"
        )
        if np.isinf(evaluation.log_loss):
            facts["Log-loss"] = "infinite: the right class of some row has probability 0"
    if evaluation.calibration_error is not None:
        facts["Calibration error"] = (
            f"{evaluation.calibration_error:.4f}, how far probabilities are from what came true"
        )
    return [Facts(facts)]
