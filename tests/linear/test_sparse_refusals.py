"""Sparse X: what is refused, and that no index leads out of memory."""

from __future__ import annotations

import re

import numpy as np
import pytest

from csoftmax import (
    linear_predict,
    linear_predict_proba,
    softmax_loss,
    svm_loss,
)
from csoftmax._native import dispatch
from csoftmax._native.csr import Csr

sparse = pytest.importorskip("scipy.sparse", reason="sparse rows need SciPy")

pytestmark = pytest.mark.usefixtures("isa")

FOUR = pytest.mark.parametrize(
    "function", [softmax_loss, svm_loss, linear_predict, linear_predict_proba]
)


def refused(function, error, *message, W=None, shape=(4, 3), **parts):
    """A good matrix with some parts replaced; the words of the message must be there in order."""
    X = sparse.csr_array(np.arange(12.0).reshape(4, 3))
    X._shape = shape
    for name, part in parts.items():
        setattr(X, name, part)
    arguments = [np.ones((3, 2)) if W is None else W, X]
    if function in (softmax_loss, svm_loss):
        arguments.append(np.zeros(shape[0], int))
    with pytest.raises(error, match=".*".join(map(re.escape, message))):
        function(*arguments)


@FOUR
def test_refused_shapes(function):
    seen = "W has 3 rows, but X has 5 columns"
    refused(function, ValueError, seen, "wanted W of shape (5, C)", shape=(4, 5))
    refused(function, ValueError, "X has shape (4,)", "wanted (N, 3)", shape=(4,))
    pointers = np.array([0, 2, 5])
    wanted = "wanted 5, one more than rows of X"
    refused(function, ValueError, "X.indptr has 3 elements", wanted, indptr=pointers)
    seen = "X.data has 3 elements, but X.indices has 11"
    refused(function, ValueError, seen, "one of each", data=np.ones(3))
    for name in ("data", "indices", "indptr"):
        two = np.ones((1, 5), int)
        seen = f"X.{name} has shape (1, 5)"
        refused(function, ValueError, seen, "wanted a vector", **{name: two})


@FOUR
def test_refused_dtypes(function):
    for dtype in (complex, "U3"):
        data = np.ones(11).astype(dtype)
        seen = f"X.data has dtype {data.dtype}"
        refused(function, TypeError, seen, "wanted real numbers", data=data)
    for name in ("indices", "indptr"):
        part = np.ones(11)
        refused(function, TypeError, f"X.{name} has dtype float64", "integers", **{name: part})


@FOUR
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_refused_entries(function, index):
    good = sparse.csr_array(np.arange(12.0).reshape(4, 3))
    big = np.iinfo(index).max
    for bad in (-1, 3, big, -big):
        indices = good.indices.astype(index)
        indices[[4, 6]] = bad
        seen = f"X.indices[4] (in row 1) is {bad}:"
        pointers = good.indptr.astype(index)
        wanted = "indices of the 3 features, from 0 to 2"
        refused(function, ValueError, seen, wanted, indices=indices, indptr=pointers)
    for row, change in [(1, {2: 1}), (0, {0: -1}), (3, {4: 12}), (0, {1: big}), (3, {4: -big})]:
        pointers = good.indptr.astype(index)
        for at, value in change.items():
            pointers[at] = value
        seen = f"X.indptr[{row}] is {pointers[row]} and X.indptr[{row + 1}] is {pointers[row + 1]}"
        indices = good.indices.astype(index)
        refused(function, ValueError, seen, "do not fall", indices=indices, indptr=pointers)


def test_only_rows_in_use_are_looked_at():
    X = sparse.csr_array(np.arange(12.0).reshape(4, 3))
    X.indices[4] = 77  # in row 1
    W = np.ones((3, 2))
    assert linear_predict(W, X, rows=[0, 2, 3]).tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match=r"X.indices\[4\] \(in row 1\) is 77"):
        linear_predict(W, X, rows=[3, 1])


@pytest.mark.parametrize("name", ["data", "indices", "indptr"])
def test_out_over_part_of_x(name):
    memory = np.zeros(11)
    X = sparse.csr_array(np.arange(12.0).reshape(4, 3))
    good = getattr(X, name)
    view = memory.view(good.dtype)[: len(good)]
    view[:] = good
    setattr(X, name, view)
    with pytest.raises(ValueError, match=f"out overlaps X.{name} in memory"):
        softmax_loss(np.ones((3, 2)), X, [0, 1, 1, 0], out=memory[:6].reshape(3, 2))


def test_other_arguments_stay_dense():
    X = sparse.csr_array(np.ones((4, 3)))
    for name in ("W", "y", "sample_weight"):
        arguments = {"W": np.ones((3, 2)), "X": X, "y": [0, 1, 1, 0], name: sparse.csr_array(X)}
        with pytest.raises(TypeError, match=f"{name} is a sparse csr_array: wanted a dense array"):
            softmax_loss(**arguments)


@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_kernels_never_leave_the_arrays(index):
    """X that another thread changes after the check: what is out of range is left out."""
    data, W = np.ones(6), np.ones((3, 5))
    indices = np.array([-1, 0, 3, np.iinfo(index).min, 1, np.iinfo(index).max], index)
    for indptr, counts in ([0, 3, 6], [1, 1]), ([0, 7, 6], [0, 0]), ([-1, 1, 99], [0, 0]):
        X = Csr(data, indices, np.array(indptr, index), (2, 3))
        for n_threads in (1, 2):
            dW, y, coef = np.empty((3, 5)), np.zeros(2, np.int64), None
            kernels = dispatch.kernels
            arguments = (W, X, None, None, None, None, y, None, coef, 0.0, 0.0, 0.0, 1.0, dW, None)
            kernels.linear_loss_grad(kernels.LOSSES["cross_entropy"], *arguments, n_threads)
            np.testing.assert_allclose(dW[:, 1], 0.2 * np.array([*counts, 0]), atol=1e-15)
