"""What the compiled module offers; _kernels_v3 and _kernels_v4 are the same, for other processors.

Functions trust their input (csoftmax/_native/checks): a wrong shape is undefined behaviour.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax._native.csr import Csr

_Reals = npt.NDArray[np.float32] | npt.NDArray[np.float64]  # in a call all of one dtype
_Int64 = npt.NDArray[np.int64]

OPENMP: int
OWN_THREADS: bool
MOST_THREADS: int
LOOKOUT_NS: int
ISA: str
ROW_FUNCTIONS: dict[str, int]
LOSSES: dict[str, int]

def bad_label(
    index: _Int64, rows: _Int64 | None, n_classes: int, may_ignore: bool, ignore_index: int
) -> tuple[int, int]: ...
def bad_entry(
    indptr: npt.NDArray[Any], indices: npt.NDArray[Any], rows: _Int64 | None, n_features: int
) -> tuple[int, int, bool]: ...
def row_function(
    function: int,
    x: _Reals,
    y: _Reals | None,
    out: _Reals,
    dims: tuple[int, ...],
    axes: tuple[int, ...] | None,
    n_threads: int,
) -> None: ...
def weighted_logsumexp(
    x: _Reals, b: _Reals, out: _Reals, sign: _Reals | None, n_threads: int
) -> None: ...
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
    layout: tuple[Any, ...] | None,
    n_threads: int,
) -> None: ...
def total(x: npt.NDArray[np.float64]) -> float: ...
def row_boost(
    z: _Reals,
    index: _Int64 | None,
    prob: _Reals | None,
    weight: _Reals | None,
    coef: _Reals | None,
    label_smoothing: float,
    gamma: float,
    scale: float,
    curvature: float,
    least: float,
    g: npt.NDArray[np.float32] | None,
    h: npt.NDArray[np.float32] | None,
    losses: npt.NDArray[np.float64] | None,
    n_threads: int,
) -> None: ...
def linear_loss_grad(
    loss: int,
    W: _Reals,
    X: npt.NDArray[Any] | Csr,
    rows: _Int64 | None,
    shift: npt.NDArray[Any] | None,
    scale: npt.NDArray[Any] | None,
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
def linear_stack_loss_grad(
    W: _Reals,
    X: npt.NDArray[Any],
    rows: _Int64 | None,
    shift: npt.NDArray[Any] | None,
    scale: npt.NDArray[Any] | None,
    bias: _Reals | None,
    index: _Int64 | None,
    prob: _Reals | None,
    coef: _Reals | None,
    mask: npt.NDArray[np.uint8] | None,
    mask_of_model: _Int64 | None,
    label_smoothing: float,
    normalizers: npt.NDArray[np.float64],
    losses: npt.NDArray[np.float64],
    dW: _Reals,
    dbias: _Reals | None,
    n_threads: int,
) -> None: ...
def linear_stack_size(
    W: _Reals,
    X: npt.NDArray[Any],
    rows: _Int64,
    shift: npt.NDArray[Any] | None,
    scale: npt.NDArray[Any] | None,
    group: int,
) -> int: ...
def linear_stack_copy(
    W: _Reals,
    X: npt.NDArray[Any],
    rows: _Int64,
    shift: npt.NDArray[Any] | None,
    scale: npt.NDArray[Any] | None,
    group: int,
    packed: _Reals,
    n_models: int,
    model: int,
    back: bool,
) -> bool: ...
def linear_stack_step(
    loss: int,
    W: _Reals,
    X: npt.NDArray[Any],
    rows: _Int64,
    shift: npt.NDArray[Any] | None,
    scale: npt.NDArray[Any] | None,
    group: int,
    packed: _Reals,
    bias: _Reals | None,
    index: _Int64,
    delta: float,
    rates: _Reals,
    regs: npt.NDArray[np.float64],
    losses: npt.NDArray[np.float64],
    far: npt.NDArray[np.bool_],
    n_threads: int,
) -> None: ...
def linear_hvp(
    W: _Reals,
    X: npt.NDArray[Any],
    rows: _Int64 | None,
    shift: npt.NDArray[Any] | None,
    scale: npt.NDArray[Any] | None,
    V: _Reals,
    bias: _Reals | None,
    coef: _Reals | None,
    reg: float,
    normalizer: float,
    HV: _Reals,
    Hvbias: _Reals | None,
    n_threads: int,
) -> None: ...
def linear_predictions(
    W: _Reals,
    X: npt.NDArray[Any] | Csr,
    rows: _Int64 | None,
    shift: npt.NDArray[Any] | None,
    scale: npt.NDArray[Any] | None,
    bias: _Reals | None,
    labels: _Int64 | None,
    best: _Reals | None,
    proba: _Reals | None,
    n_threads: int,
) -> None: ...
def layer_loss_grads(
    X: _Reals,
    W: _Reals,
    bias: _Reals | None,
    index: _Int64 | None,
    prob: _Reals | None,
    weight: _Reals | None,
    coef: _Reals | None,
    factor: float,
    label_smoothing: float,
    dX: _Reals | None,
    dW: _Reals | None,
    dbias: _Reals | None,
    losses: npt.NDArray[np.float64],
    n_threads: int,
) -> None: ...
def vector_math(log1p: bool, x: _Reals, out: _Reals) -> None: ...
def products(
    a: list[_Reals], b: list[_Reals], out: npt.NDArray[np.float64], n_threads: int
) -> None: ...
def weighted_sum(
    a: list[_Reals], factors: npt.NDArray[np.float64], out: _Reals, n_threads: int
) -> None: ...
def moments(
    X: npt.NDArray[Any],
    weight: npt.NDArray[np.float64] | None,
    mean: npt.NDArray[np.float64],
    squares: npt.NDArray[np.float64],
    n_threads: int,
) -> float: ...
def read_sum(x: _Reals, n_threads: int) -> float: ...
def multiply_add(itemsize: int, flops: float, n_threads: int) -> float: ...
