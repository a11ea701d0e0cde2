"""Containers that are no arrays in memory are refused by name, not loaded, in every argument.

The classes here have what those of the packages have; `__array__` is what must not be called.
"""

from __future__ import annotations

import re

import numpy as np
import pytest

import csoftmax
from csoftmax.cs231n.classifiers import Softmax

X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)


class Unread:
    """An array that has not been read."""

    def __init__(self, array):
        self.shape, self.dtype, self.nbytes = array.shape, array.dtype, array.nbytes

    def __getitem__(self, key):
        raise AssertionError("read")

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("read")


class Hdf5(Unread):
    chunks = None  # where it is contiguous in the file


class Zarr(Unread):
    chunks = (2, 3)


class PyTables(Unread):
    chunkshape = (2, 3)


class NetCdf(Unread):
    def chunking(self):
        return "contiguous"


class Dask(Unread):
    chunks = ((2, 2), (3,))

    def compute(self):
        raise AssertionError("computed")


class DaskFrame:
    shape = ("not known yet", 3)

    def __init__(self, array):
        self.columns = ["a", "b", "c"]

    @property
    def nbytes(self):
        raise NotImplementedError

    def compute(self):
        raise AssertionError("computed")


class XarrayOfDask(Dask):
    _in_memory = False


class XarrayOfFile(XarrayOfDask):
    chunks = None


class LazyFrame:
    def __init__(self, array):
        pass

    def collect(self):
        raise AssertionError("computed")


class ArrowDataset(LazyFrame):
    collect = None

    def to_table(self):
        raise AssertionError("read")


class ArrowReader(ArrowDataset):
    to_table = None

    def read_all(self):
        raise AssertionError("read")


SIZE = " of shape {shape} and {nbytes} bytes"
LAZY = {
    Hdf5: (SIZE, "[:]"),
    Zarr: (SIZE, "[:]"),
    PyTables: (SIZE, "[:]"),
    NetCdf: (SIZE, "[:]"),
    Dask: (SIZE, ".compute()"),
    DaskFrame: ("", ".compute()"),
    XarrayOfDask: (SIZE, ".compute()"),
    XarrayOfFile: (SIZE, ".compute()"),
    LazyFrame: ("", ".collect()"),
    ArrowDataset: ("", ".to_table()"),
    ArrowReader: ("", ".read_all()"),
}

MODEL = {"W": np.ones((3, 2), np.float32), "X": X}
OPTIONS = {"bias": np.zeros(2), "rows": np.arange(4), "shift": np.zeros(3), "scale": np.ones(3)}
ROWS = {"y": np.array([0, 1, 1, 0]), "sample_weight": np.ones(4)}
LOGITS = {"target": np.array([0, 1, 2, 0]), "weight": np.ones(3), "sample_weight": np.ones(4)}
FUNCTIONS = {
    "softmax": {"x": X},
    "log_softmax": {"x": X},
    "logsumexp": {"a": X},
    "softmax_backward": {"grad_output": X, "output": X},
    "cross_entropy": {"logits": X, **LOGITS},
    "cross_entropy_with_grad": {"logits": X, **LOGITS},
    "multiclass_hinge": {"scores": X, **LOGITS},
    "multiclass_hinge_with_grad": {"scores": X, **LOGITS},
    "softmax_loss": MODEL | OPTIONS | ROWS,
    "svm_loss": MODEL | OPTIONS | ROWS,
    "linear_predict": MODEL | OPTIONS,
    "linear_predict_proba": MODEL | OPTIONS,
}
EVERY = pytest.mark.parametrize(
    ("function", "name"), [(f, name) for f, given in FUNCTIONS.items() for name in given]
)


def refused(message, call, *arguments, **named):
    with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
        call(*arguments, **named)


def lazy_message(kind, name, array):
    size, loader = LAZY[kind]
    size = size.format(shape=array.shape, nbytes=array.nbytes)
    seen = f"{name} is a {kind.__module__.partition('.')[0]}.{kind.__name__}{size}, not in memory: "
    return f"{seen}wanted an array in memory ({name}{loader} loads it whole)"


@pytest.mark.parametrize("kind", LAZY)
@EVERY
def test_what_is_not_in_memory(function, name, kind):
    if name == "X" and hasattr(kind, "__getitem__"):
        pytest.skip("its rows are read block by block")
    value = FUNCTIONS[function][name]
    arguments = FUNCTIONS[function] | {name: kind(value)}
    refused(lazy_message(kind, name, value), getattr(csoftmax, function), **arguments)


@pytest.mark.parametrize("kind", LAZY)
def test_the_course_s_classifiers(kind):
    y = ROWS["y"]
    refused(lazy_message(kind, "y", y), Softmax().train, X, kind(y))
    if not hasattr(kind, "__getitem__"):  # else read block by block
        refused(lazy_message(kind, "X", X), Softmax().train, kind(X), y)
        model = Softmax()
        model.train(X, y, num_iters=1)
        refused(lazy_message(kind, "X", X), model.predict, kind(X))


def test_a_scalar_that_is_not_in_memory():
    x = np.float64(1)
    refused(
        lazy_message(Hdf5, "x", x).replace("x[:]", "x[()]"), csoftmax.softmax, Hdf5(np.asarray(x))
    )


# ---- GPUs ---------------------------------------------------------------------------------------


class OnGpu(Unread):
    __cuda_array_interface__ = {"version": 3}  # noqa: RUF012 - as CuPy's


class OnCpu:
    """As PyTorch's and JAX's arrays, whose class has the attribute wherever they are."""

    def __array__(self, dtype=None, copy=None):
        return X

    @property
    def __cuda_array_interface__(self):
        raise AttributeError


class Unreadable:
    """As those of packages that refuse to be made an array of NumPy's, in their own words."""

    def __init__(self, error):
        self.error = error

    def __array__(self, dtype=None, copy=None):
        raise self.error


@EVERY
def test_a_gpu_s_memory(function, name):
    arguments = FUNCTIONS[function] | {name: OnGpu(FUNCTIONS[function][name])}
    message = f"{name} is a {OnGpu.__module__.partition('.')[0]}.OnGpu in a GPU's memory: wanted "
    refused(message, getattr(csoftmax, function), **arguments)


def test_the_cpu_s_memory():
    np.testing.assert_array_equal(csoftmax.softmax(OnCpu()), csoftmax.softmax(X))


@EVERY
@pytest.mark.parametrize(
    "error", [TypeError("use .get()"), RuntimeError("detach()"), BufferError("elsewhere")]
)
def test_what_numpy_cannot_read(function, name, error):
    arguments = FUNCTIONS[function] | {name: Unreadable(error)}
    package = Unreadable.__module__.partition(".")[0]
    message = f"{name} is a {package}.Unreadable that NumPy cannot read: {error}"
    refused(message, getattr(csoftmax, function), **arguments)


def test_pytorch_s_tensors():
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(X)
    np.testing.assert_array_equal(csoftmax.softmax(tensor), csoftmax.softmax(X))
    for other, seen in [
        (tensor.clone().requires_grad_(), "detach()"),
        (tensor.to(torch.bfloat16), "BFloat16"),
        (tensor.to("meta"), "meta device"),
        (tensor.to_sparse(), "Sparse layout"),
    ]:
        message = rf"^X is a torch.Tensor that NumPy cannot read: .*{re.escape(seen)}"
        with pytest.raises(TypeError, match=message):
            csoftmax.linear_predict(MODEL["W"], other)


# ---- what is in memory --------------------------------------------------------------------------


class Xarray:
    """In memory: it has the methods of one of Dask's all the same."""

    chunks = None
    _in_memory = True
    shape, dtype = X.shape, X.dtype

    def __array__(self, dtype=None, copy=None):
        return X

    def __getitem__(self, key):
        return X[key]

    def compute(self):
        return self


def test_an_array_of_xarray_in_memory():
    np.testing.assert_array_equal(csoftmax.softmax(Xarray()), csoftmax.softmax(X))


def test_memory_maps(tmp_path):
    mapped = np.memmap(tmp_path / "X", X.dtype, "w+", shape=X.shape)
    mapped[:] = X
    np.testing.assert_array_equal(csoftmax.softmax(mapped), csoftmax.softmax(X))


@pytest.mark.parametrize("column", ["chunks", "compute", "collect", "tocsr", "to_table", "shape"])
def test_columns_of_any_name(column):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=[column, "dtype", "nbytes"])
    expected = csoftmax.linear_predict_proba(**MODEL)
    found = csoftmax.linear_predict_proba(MODEL["W"], frame)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", ["Float32", "boolean", "UInt8"])
def test_nullable_columns(dtype):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X > 0).astype(dtype)
    wanted = "wanted real numbers (bool, an integer type, float16, float32 or float64); "
    hint = "X.to_numpy('float32') makes them of mixed or nullable columns"
    refused(f"X has dtype object: {wanted}{hint}", csoftmax.linear_predict, MODEL["W"], frame)
    expected = csoftmax.linear_predict_proba(MODEL["W"], X > 0)
    found = csoftmax.linear_predict_proba(MODEL["W"], frame.to_numpy("float32"))
    np.testing.assert_array_equal(found, expected)
