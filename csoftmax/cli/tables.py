"""Tables on a terminal. The only file that imports tabulate, for which `results.check` looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tabulate import tabulate

from csoftmax.evaluation import Evaluation

_MOST = 30  # classes


def classes(evaluation: Evaluation) -> str:
    """How good the predictions of each class are: of the largest ones, where there are many."""
    found = sorted(evaluation.per_class, key=lambda scores: -scores.support)[:_MOST]
    if len(found) == len(evaluation.per_class):
        found = list(evaluation.per_class)
    rows = [(str(s.label), s.precision, s.recall, s.f1, s.support) for s in found]
    left = len(evaluation.per_class) - len(found)
    more = f"\n... and {left} smaller classes" if left else ""
    return _table(("class", "precision", "recall", "F1", "rows"), rows, words=[0]) + more


def mistakes(evaluation: Evaluation) -> str:
    """The most frequent mistakes; nothing where there are none."""
    rows = evaluation.mistakes(5)
    return _table(("class", "taken for", "rows"), rows, words=[0, 1]) if rows else ""


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]], words: list[int]) -> str:
    """A table; of columns that are words, numbers stay as they are written."""
    return str(tabulate(rows, header, "simple", floatfmt=".3f", disable_numparse=words))
