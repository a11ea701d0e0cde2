"""The estimator on Dask's arrays and data frames: any number of machines, the same bits.

`csoftmax.dask.SoftmaxClassifier` is `csoftmax.SoftmaxClassifier` for rows that lie with the workers
of a Dask cluster. docs/dask.md says what a pass costs.
"""

import typing as _typing

from csoftmax._lazy import on_first_use as _on_first_use

if _typing.TYPE_CHECKING:
    from csoftmax.dask.classifier import SoftmaxClassifier

__all__ = ["SoftmaxClassifier"]

if not _typing.TYPE_CHECKING:  # type checkers would take any name
    __getattr__ = _on_first_use(__name__, {"SoftmaxClassifier": "csoftmax.dask.classifier"})


def __dir__() -> list[str]:
    return __all__
