"""The course's classifiers as contents of a file, and back: arrays by the attributes' names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from csoftmax.cs231n.classifiers import LinearSVM, Softmax
from csoftmax.cs231n.classifiers._linear_files import PARTS, fitting
from csoftmax.models.layout import finite

Array = npt.NDArray[Any]

KINDS = {"cs231n.LinearSVM": LinearSVM, "cs231n.Softmax": Softmax}
"""By the names in files."""


def contents(model: Any) -> dict[str, Array]:
    """What to write of a trained classifier; TypeError or ValueError if it cannot be."""
    if model.W is None:
        raise ValueError("its W is None: it is not trained")
    return _checked({name: part for name in PARTS if (part := getattr(model, name)) is not None})


def classifier(kind: str, arrays: Mapping[str, Array]) -> Any:
    """The classifier again."""
    model = KINDS[kind]()
    for name, part in _checked(arrays).items():
        setattr(model, name, part)
    return model


def _checked(parts: Mapping[str, Any]) -> dict[str, Array]:
    found = fitting(dict(parts))
    for name, part in found.items():
        finite(name, part)
    return found
