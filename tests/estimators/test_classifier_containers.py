"""Data frames, tensors, lazy containers: the model has their dtype, or they are refused by name."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from foreign_arrays import Dlpack, Interface, Method, tensor

from csoftmax import SoftmaxClassifier, SoftmaxClassifierCV

rng = np.random.default_rng(5)
X = rng.normal(size=(60, 4)).astype(np.float32)
y = np.arange(60) % 3
NAMES = ["a", "b", "c", "d"]
METHODS = pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "predict_log_proba", "decision_function"]
)


def equal_models(model, other, given, array):
    """Whether both have the same bits, and so have their predictions of these."""
    assert model.coef_.dtype == other.coef_.dtype
    np.testing.assert_array_equal(model.coef_, other.coef_)
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        expected = getattr(other, method)(array)
        found = getattr(model, method)(given)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


# ---- data frames --------------------------------------------------------------------------------

MIXES = {
    "float32": "float32",
    "float64": "float64",
    "float32 and float64": "float64",
    "float16": "float64",
    "float16 and float32": "float32",
    "float32, uint8 and bool": "float32",
    "float32 and int16": "float32",
    "float32 and int32": "float64",
    "uint8": "uint8",
    "uint8 and bool": "uint8",
    "bool": "bool",
    "int64": "float64",
    "int8": "float64",
    "uint8 and int8": "float64",
    "object": "float64",
}
NULLABLE = {
    "Float32": "float32",
    "Float64": "float64",
    "Float32 and float32": "float32",
    "Float32, UInt8 and boolean": "float32",
    "Float32 and Int32": "float64",
    "UInt8": "uint8",
    "boolean": "bool",
    "uint8 and boolean": "uint8",
    "Int64": "float64",
}


def mixed(mix):
    """A frame whose columns have these dtypes in turn, of numbers that all of them hold."""
    dtypes = re.split(", | and ", mix)
    return pd.DataFrame(
        {
            name: pd.Series(X[:, k] > 0).astype(dtypes[k % len(dtypes)])
            for k, name in enumerate(NAMES)
        }
    )


class Frame:
    """As of Polars and Arrow: dtypes of its own, columns that lie apart."""

    def __init__(self, frame):
        self.frame, self.shape = frame, frame.shape
        self.dtypes = ["of its own"] * self.shape[1]

    @property
    def columns(self):
        return list(self.frame.columns)

    def __len__(self):
        return len(self.frame)

    def __getitem__(self, rows):
        assert isinstance(rows, slice)
        return Frame(self.frame[rows])

    def __array__(self, dtype=None, copy=None):
        common = np.result_type(*self.frame.dtypes)
        return self.frame.to_numpy(common).astype(dtype or common)


@pytest.mark.parametrize(("mix", "dtype"), [*MIXES.items(), *NULLABLE.items()])
def test_frames_of_pandas(mix, dtype):
    frame = mixed(mix)
    array = frame.to_numpy(dtype)
    model = SoftmaxClassifier().fit(frame, y)
    assert list(model.feature_names_in_) == NAMES
    equal_models(model, SoftmaxClassifier().fit(array, y), frame, array)


@pytest.mark.parametrize(("mix", "dtype"), [m for m in MIXES.items() if m[0] != "object"])
def test_frames_with_dtypes_of_their_own(mix, dtype):
    frame = mixed(mix)
    array = frame.to_numpy(dtype)
    given = Frame(frame)
    equal_models(SoftmaxClassifier().fit(given, y), SoftmaxClassifier().fit(array, y), given, array)


@pytest.mark.parametrize("dtype", ["Float32", "Float64", "UInt8", "boolean", "Int64"])
def test_missing_values_of_nullable_columns(dtype):
    frame = mixed(dtype)
    model = SoftmaxClassifier().fit(frame, y)
    frame.iloc[7, 2] = pd.NA
    message = r"^column 'c' of X has 1 missing value: wanted none \(fill them"
    for call in (lambda: SoftmaxClassifier().fit(frame, y), lambda: model.predict(frame)):
        with pytest.raises(ValueError, match=message):
            call()


def test_sparse_columns():
    frame = pd.DataFrame(np.maximum(X, 0)).astype(pd.SparseDtype("float32", 0))
    model = SoftmaxClassifier().fit(frame, y)
    other = SoftmaxClassifier().fit(sp.csr_array(np.maximum(X, 0)), y)
    equal_models(model, other, frame, sp.csr_array(np.maximum(X, 0)))


def test_a_frame_of_float32_is_read_where_it_lies():
    seen = []
    frame = pd.DataFrame(X)

    class Model(SoftmaxClassifier):
        def _labels(self, X, out=None):
            seen.append(X)
            return super()._labels(X, out)

    Model().fit(frame, y).predict(frame)
    assert np.shares_memory(seen[0], frame.to_numpy())


# ---- others that NumPy reads --------------------------------------------------------------------


def test_tensors_that_numpy_cannot_read():
    torch = pytest.importorskip("torch")
    for other in (tensor(X).clone().requires_grad_(), tensor(X).to(torch.bfloat16)):
        with pytest.raises(TypeError, match=r"^X is a torch.Tensor that NumPy cannot read"):
            SoftmaxClassifier().fit(other, y)


def test_dtypes_that_are_not_numpy_s():
    """JAX's bfloat16 is of this kind: bytes to NumPy, for which it has no number."""
    with pytest.raises(TypeError, match=r"^X has dtype .*: wanted real numbers"):
        SoftmaxClassifier().fit(np.zeros((60, 4), "V2"), y)


# ---- what is not there --------------------------------------------------------------------------


class Lazy:
    """As a data set of HDF5."""

    chunks = (2, 4)

    def __init__(self, array):
        self.shape, self.dtype, self.nbytes = array.shape, array.dtype, array.nbytes

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, key):
        raise AssertionError("read")

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("read")


def masked(array):
    return np.ma.masked_array(array, np.arange(array.size).reshape(array.shape) == 1)


MISSING = pytest.mark.parametrize("kind", [Lazy, masked])


def refused(kind, name, array, call, *arguments, **named):
    message = f"{name} is a masked array with 1 of {array.size} elements masked: wanted"
    if kind is Lazy:
        package = Lazy.__module__.partition(".")[0]
        size = f"of shape {array.shape} and {array.nbytes} bytes"
        message = f"{name} is a {package}.Lazy {size}, not in memory: wanted"
    with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
        call(*arguments, **named)


@MISSING
@pytest.mark.parametrize("estimator", [SoftmaxClassifier(), SoftmaxClassifierCV(3)])
def test_fits(estimator, kind):
    weights = np.ones(60)
    if kind is not Lazy:  # whose rows are read block by block
        refused(kind, "X", X, estimator.fit, kind(X), y)
    refused(kind, "y", y, estimator.fit, X, kind(y))
    refused(kind, "sample_weight", weights, estimator.fit, X, y, sample_weight=kind(weights))


@MISSING
def test_probabilities_and_partial_fits(kind):
    proba = np.eye(3)[y]
    refused(kind, "y", proba, SoftmaxClassifier().fit, X, kind(proba))
    with pytest.raises(TypeError, match=r"X is a masked|is read block by block"):
        SoftmaxClassifier().partial_fit(kind(X), y, [0, 1, 2])
    refused(kind, "y", y, SoftmaxClassifier().partial_fit, X, kind(y), [0, 1, 2])


@METHODS
def test_predictions(method):
    model = SoftmaxClassifier().fit(X, y)
    refused(masked, "X", X, getattr(model, method), masked(X))


# ---- out ----------------------------------------------------------------------------------------


def frame(array):
    return pd.DataFrame(array, copy=False)


def fitted():
    """A model in float64, and its rows."""
    return SoftmaxClassifier().fit(X.astype(float), y), X.astype(float)


def in_memory(value, out, at):
    """Copies of both, of 8 bytes an element, in one memory: `out` begins at the element `at`."""
    memory = np.zeros(value.size + out.size + at)
    copy = memory.view(value.dtype)[: value.size].reshape(value.shape)
    copy[...] = value
    return memory, copy, memory.view(out.dtype)[at : at + out.size].reshape(out.shape)


@METHODS
@pytest.mark.parametrize("wrap", [memoryview, Interface, Method, Dlpack, tensor, frame])
def test_out_over_x(method, wrap):
    model, X = fitted()
    expected = getattr(model, method)(X)
    _, value, out = in_memory(X, expected, at=X.size)
    np.testing.assert_array_equal(getattr(model, method)(wrap(value), out=out), expected)
    memory, value, out = in_memory(X, expected, at=1)
    given, before = wrap(value), memory.copy()
    with pytest.raises(ValueError, match=r"^out overlaps X in memory"):
        getattr(model, method)(given, out=out)
    np.testing.assert_array_equal(memory, before)


@METHODS
@pytest.mark.parametrize("part", ["data", "indices", "indptr"])
def test_out_over_sparse_x(method, part):
    model, X = fitted()
    expected = getattr(model, method)(X)
    rows = sp.csr_array(X)
    rows.indices, rows.indptr = rows.indices.astype(np.int64), rows.indptr.astype(np.int64)
    memory, value, out = in_memory(getattr(rows, part), expected, at=1)
    setattr(rows, part, value)
    before = memory.view(np.int64).copy()
    with pytest.raises(ValueError, match=f"^out overlaps X.{part} in memory"):
        getattr(model, method)(rows, out=out)
    np.testing.assert_array_equal(memory.view(np.int64), before)


@METHODS
@pytest.mark.parametrize("name", ["coef_", "intercept_", "classes_"])
def test_out_over_the_model(method, name):
    model, X = fitted()
    expected = getattr(model, method)(X)
    _, value, out = in_memory(getattr(model, name), expected, at=1)
    setattr(model, name, value)
    with pytest.raises(ValueError, match=f"^out overlaps {name} in memory"):
        getattr(model, method)(X, out=out)
