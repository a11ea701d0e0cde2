"""What evaluate and train tell of a model: in a line, and in a report."""

from __future__ import annotations

import argparse
import os
import sys
import webbrowser
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from csoftmax.cli import data
from csoftmax.prediction import LinearModel

if TYPE_CHECKING:
    from csoftmax.evaluation import Evaluation

_MODULES = {"scikit-learn": "sklearn"}  # of packages with another name


def check(arguments: argparse.Namespace, *packages: str) -> None:
    """Refuse what cannot be read or written before any work is done.

    Of packages that are not installed all are named at once: one by one they would take as many
    tries.
    """
    data.check_folder("--report", arguments.report)
    if arguments.open and not arguments.report:
        raise ValueError("--open shows the report: wanted --report, too")
    wanted = list(packages)
    if data.is_table(arguments.data):
        wanted.append("pyarrow")
    if not arguments.json and not getattr(arguments, "quiet", False):
        wanted.append("tabulate")
    if arguments.report:
        wanted.append("jinja2")
    if missing := [name for name in wanted if not find_spec(_MODULES.get(name, name))]:
        raise ImportError(
            f"{arguments.command} of {arguments.data} needs {', '.join(missing)}: "
            f"pip install {' '.join(missing)}"
        )


def report(
    arguments: argparse.Namespace,
    evaluation: Evaluation,
    *,
    title: str,
    facts: Mapping[str, str],
    **parts: Any,
) -> None:
    """Write the page of an evaluation, say where it is, and show it if that is asked for."""
    from csoftmax import evaluation as pages
    from csoftmax import report as reports

    page = pages.page(evaluation, title=title, facts={**facts, **reports.facts()}, **parts)
    reports.write(page, arguments.report)
    say_where(arguments, arguments.report)


def say_where(arguments: argparse.Namespace, path: Path) -> None:
    """Say in a line where a report is; with --open, show it in the browser or say why not."""
    if arguments.open and not _show(path):
        print(f"report: {path} (there is no display to show it)", file=sys.stderr)
    elif not arguments.json and not getattr(arguments, "quiet", False):
        print(f"\nreport: {path}")


def _show(path: Path) -> bool:
    """Open a file in the browser, if there is a display."""
    has_display = sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    return has_display and webbrowser.open(path.resolve().as_uri())


def linear(model: Any, path: str) -> Any:
    """The linear model within, which takes features."""
    inner = getattr(model, "model", model)
    if not hasattr(inner, "predict_proba"):
        raise ValueError(
            f"{path} holds a {type(inner).__name__} of the course: wanted a model with "
            "probabilities, such as csoftmax train makes"
        )
    if hasattr(inner, "feature_names_in_"):  # which were looked for in the file's columns
        coef = inner.coef_.toarray() if hasattr(inner.coef_, "toarray") else inner.coef_
        return LinearModel(coef, inner.intercept_, inner.classes_)
    return inner


def weights(model: Any, inner: Any, image_shape: Any = None) -> Any:
    """The coefficients, with names."""
    from csoftmax.evaluation import Weights

    names = getattr(model, "feature_names_in_", None)
    if hasattr(model, "preparation"):
        names = model.preparation.feature_names
    coef = inner.coef_.toarray() if hasattr(inner.coef_, "toarray") else inner.coef_
    return Weights(coef, image_shape, None if names is None else list(names))


def in_short(evaluation: Evaluation) -> str:
    """Accuracy, beside that of who knows nothing, and log-loss: two lines."""
    low, high = evaluation.accuracy_interval
    rows = "1 row" if evaluation.n_rows == 1 else f"{evaluation.n_rows} rows"
    return (
        f"accuracy {evaluation.accuracy:.3f} on {rows} "
        f"({low:.3f} to {high:.3f} on all such rows, with 95 % confidence)\n"
        f"log-loss {evaluation.log_loss:.3f}; always the most frequent class: accuracy "
        f"{evaluation.majority:.3f}"
    )
