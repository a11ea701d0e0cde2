"""The only place that raises about input of the public functions.

Each message names the argument, what was seen and what was wanted. Every function returns its
argument in the form that the kernels take, without a copy where it has that form already. Nothing
here changes an argument.
"""

from csoftmax._native.checks.arrays import (
    array,
    arrays,
    as_array,
    axes,
    exp_dtype,
    kernel_dtype,
    native,
    numpy_out,
    out_array,
    overlaps,
    result_dtype,
    same_memory,
    vector,
    weights,
)
from csoftmax._native.checks.containers import present
from csoftmax._native.checks.foreign import is_sparse_table, table_dtype
from csoftmax._native.checks.linear import (
    affine,
    coefficients,
    columns_of_models,
    direction,
    features,
    masks,
    normalizers,
    readable,
    row_indices,
    total_weight,
    total_weights,
)
from csoftmax._native.checks.numbers import (
    choice,
    integer,
    n_threads,
    real,
)
from csoftmax._native.checks.sparse import (
    dense,
    is_sparse,
    parts,
    sparse_entries,
    sparse_features,
)
from csoftmax._native.checks.targets import (
    label_range,
    labels,
    row_targets,
    row_weights,
    scores,
    target,
)

__all__ = [
    "affine",
    "array",
    "arrays",
    "as_array",
    "axes",
    "choice",
    "coefficients",
    "columns_of_models",
    "dense",
    "direction",
    "exp_dtype",
    "features",
    "integer",
    "is_sparse",
    "is_sparse_table",
    "kernel_dtype",
    "label_range",
    "labels",
    "masks",
    "n_threads",
    "native",
    "normalizers",
    "numpy_out",
    "out_array",
    "overlaps",
    "parts",
    "present",
    "readable",
    "real",
    "result_dtype",
    "row_indices",
    "row_targets",
    "row_weights",
    "same_memory",
    "scores",
    "sparse_entries",
    "sparse_features",
    "table_dtype",
    "target",
    "total_weight",
    "total_weights",
    "vector",
    "weights",
]
