"""The steps of the course's worksheet: each takes data and settings and returns plain numbers.

Nothing here prints or draws: `csoftmax.worksheet.report` turns the results into text and JSON,
`write_html` into a page, `csoftmax.plot` into pictures, and `csoftmax.cli` takes the steps in
order.
"""

from csoftmax._lazy import on_first_use
from csoftmax.worksheet._data import (
    Data,
    Settings,
    default_settings,
    prepare,
    published_settings,
)
from csoftmax.worksheet._steps import (
    CLASSIFIERS,
    Classifier,
    GradientCheck,
    InitialLoss,
    Score,
    Search,
    Sheet,
    Timing,
    Trial,
    dev_rows,
    gradient_check,
    initial_loss,
    score,
    search,
    timings,
)

__all__ = [
    "CLASSIFIERS",
    "Classifier",
    "Data",
    "GradientCheck",
    "InitialLoss",
    "Score",
    "Search",
    "Settings",
    "Sheet",
    "Timing",
    "Trial",
    "default_settings",
    "dev_rows",
    "gradient_check",
    "initial_loss",
    "prepare",
    "published_settings",
    "score",
    "search",
    "timings",
    "write_html",
]

__getattr__ = on_first_use(__name__, {"write_html": "csoftmax.worksheet.page"})
