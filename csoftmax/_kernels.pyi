"""What the compiled module offers; _kernels_v3 and _kernels_v4 are the same, for other processors.

Functions trust their input (csoftmax/_checks.py): a wrong shape is undefined behaviour.
"""

from collections.abc import Callable
from typing import Any, Generic, Literal, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt

_P = ParamSpec("_P")
_R = TypeVar("_R")

_Reals = npt.NDArray[np.float32] | npt.NDArray[np.float64]  # in a call all of one dtype
_Int64 = npt.NDArray[np.int64]
_Bytes = npt.NDArray[np.uint8]

class _Fused(Generic[_P, _R]):
    """A function for float32 and for float64; the index picks one."""

    def __getitem__(self, type_name: Literal["float", "double"]) -> Callable[_P, _R]: ...
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R: ...

def _fused(function: Callable[_P, _R]) -> _Fused[_P, _R]: ...

OPENMP: int
ISA: str
ROW_FUNCTIONS: dict[str, int]
LOSSES: dict[str, int]

def bad_label(
    index: _Int64, rows: _Int64 | None, n_classes: int, may_ignore: bool, ignore_index: int
) -> tuple[int, int]: ...
@_fused
def row_function(
    function: int, x: _Reals, y: _Reals | None, out: _Reals, n_threads: int
) -> None: ...
@_fused
def row_losses(
    loss: int,
    z: _Reals,
    index: _Int64 | None,
    prob: _Reals | None,
    weight: _Reals | None,
    coef: _Reals | None,
    factor: float,
    label_smoothing: float,
    delta: float,
    g: _Reals | None,
    losses: npt.NDArray[np.float64],
    n_threads: int,
) -> None: ...
@_fused
def linear_loss_grad(
    loss: int,
    W: _Reals,
    X: npt.NDArray[Any],
    rows: _Int64 | None,
    shift: _Bytes | None,
    scale: _Bytes | None,
    bias: _Reals | None,
    index: _Int64 | None,
    prob: _Reals | None,
    coef: _Reals | None,
    label_smoothing: float,
    delta: float,
    reg: float,
    normalizer: float,
    dW: _Reals,
    dbias: _Reals | None,
    n_threads: int,
) -> float: ...
@_fused
def linear_predictions(
    W: _Reals,
    X: npt.NDArray[Any],
    rows: _Int64 | None,
    shift: _Bytes | None,
    scale: _Bytes | None,
    bias: _Reals | None,
    labels: _Int64 | None,
    proba: _Reals | None,
    n_threads: int,
) -> None: ...
@_fused
def vector_math(log1p: bool, x: _Reals, out: _Reals) -> None: ...
@_fused
def read_sum(x: _Reals, n_threads: int) -> float: ...
@_fused
def multiply_add(x: float, flops: float, n_threads: int) -> float: ...
