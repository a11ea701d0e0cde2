"""How good predictions are: measured block by block, and shown on a page.

    measures = Measures(classes)
    for labels, probabilities in blocks:
        measures.add(labels, probabilities)
    evaluation = measures.evaluation()
    report.write(page(evaluation, title="...", facts={}), "report.html")

The measures need NumPy alone, and are those of `sklearn.metrics`. The page needs Jinja2, and its
pictures matplotlib.
"""

from typing import TYPE_CHECKING

from csoftmax._lazy import on_first_use
from csoftmax.evaluation.measures import Measures
from csoftmax.evaluation.results import Bin, ClassScores, Evaluation, Example

if TYPE_CHECKING:
    from csoftmax.evaluation.facts import summary
    from csoftmax.evaluation.pages import Weights, page, sections

__all__ = [
    "Bin",
    "ClassScores",
    "Evaluation",
    "Example",
    "Measures",
    "Weights",
    "page",
    "sections",
    "summary",
]

if not TYPE_CHECKING:  # type checkers would take any name
    __getattr__ = on_first_use(
        __name__,
        dict.fromkeys(("Weights", "page", "sections"), "csoftmax.evaluation.pages")
        | {"summary": "csoftmax.evaluation.facts"},
    )
