"""What is no whole array in memory is refused by name, not loaded, in every argument.

The classes here have what those of the packages have; `__array__` is what must not be called.
"""

from __future__ import annotations

import re

import numpy as np
import pytest
from foreign_arrays import Dlpack
from public_functions import ARGUMENTS, FUNCTIONS, MODEL, ROWS, X

import csoftmax
from csoftmax.cs231n.classifiers import Softmax


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

EVERY = pytest.mark.parametrize(("function", "name"), ARGUMENTS)


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
    """As CuPy's and Numba's arrays."""

    __cuda_array_interface__ = {"version": 3}  # noqa: RUF012 - as CuPy's


class InMetal(Unread):
    """As PyTorch's tensors on a Mac, and what has DLPack alone."""

    def __dlpack_device__(self):
        return 8, 0


class CudfFrame(Unread):
    """As cuDF's, which would be copied by `to_numpy`."""

    columns = ("a", "b")

    def to_cupy(self):
        raise AssertionError("read")


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

    def __dlpack_device__(self):
        raise self.error


def on_device(name, value):
    """The beginning of what is said of it."""
    package = type(value).__module__.partition(".")[0]
    where = "in the memory of a GPU or another device: wanted an array in the CPU's"
    return f"{name} is a {package}.{type(value).__name__} {where} ({name}.get() or {name}.cpu() "


@EVERY
@pytest.mark.parametrize("kind", [OnGpu, InMetal, CudfFrame])
def test_a_device_s_memory(function, name, kind):
    value = kind(FUNCTIONS[function][name])
    message = on_device(name, value)
    refused(message, getattr(csoftmax, function), **FUNCTIONS[function] | {name: value})


@pytest.mark.parametrize("device", [(2, 0), (8, 0), (10, 1), (14, 0)])
def test_devices_of_dlpack(device):
    value = Dlpack(X, device)
    refused(on_device("X", value), csoftmax.linear_predict, MODEL["W"], value)


def test_the_cpu_s_memory():
    np.testing.assert_array_equal(csoftmax.softmax(OnCpu()), csoftmax.softmax(X))


@EVERY
@pytest.mark.parametrize("error", [TypeError("use .get()"), RuntimeError("detach()")])
def test_what_numpy_cannot_read(function, name, error):
    arguments = FUNCTIONS[function] | {name: Unreadable(error)}
    package = Unreadable.__module__.partition(".")[0]
    message = f"{name} is a {package}.Unreadable that NumPy cannot read: {error}"
    refused(message, getattr(csoftmax, function), **arguments)


def test_pytorch_s_tensors():
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(X)
    for other, seen in [
        (tensor.clone().requires_grad_(), "(X.detach() is the values alone; csoftmax.torch has "),
        (torch.nn.Parameter(tensor.clone()), "(X.detach() is the values alone; csoftmax.torch "),
        (tensor.to(torch.bfloat16), "BFloat16 (X.float() makes float32 of it)"),
        (tensor.to("meta"), "meta device"),
        (tensor.to_sparse(), "Sparse layout"),
    ]:
        message = rf"^X is a torch\.\w+ that NumPy cannot read: .*{re.escape(seen)}"
        with pytest.raises(TypeError, match=message):
            csoftmax.linear_predict(MODEL["W"], other)


def test_jax_s_arrays():
    jax = pytest.importorskip("jax")
    array = jax.numpy.asarray(X)
    with pytest.raises(TypeError, match=r"^x is a jax\.\w+ that NumPy cannot read: .*traced"):
        jax.jit(csoftmax.softmax)(array)
    with pytest.raises(TypeError, match=r"^x has dtype bfloat16: .* x\.astype\('float32'\) makes"):
        csoftmax.softmax(array.astype("bfloat16"))


def test_bfloat16_of_numpy():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    with pytest.raises(TypeError, match=r"^x has dtype bfloat16: .* x\.astype\('float32'\) makes"):
        csoftmax.softmax(X.astype(ml_dtypes.bfloat16))


# ---- what is missing ----------------------------------------------------------------------------

FILL = "wanted none (fill them, or leave the rows out)"


def of_polars(values):
    return pytest.importorskip("polars").Series(values)


def of_arrow(values):
    return pytest.importorskip("pyarrow").array(values)


def of_pandas(values):
    return pytest.importorskip("pandas").array(values)  # its dtype is nullable


VECTORS = [(function, name) for function, name in ARGUMENTS if FUNCTIONS[function][name].ndim == 1]


@pytest.mark.parametrize("make", [of_pandas, of_polars, of_arrow])
@pytest.mark.parametrize(("function", "name"), VECTORS)
def test_missing_elements(function, name, make):
    values = FUNCTIONS[function][name].tolist()
    value = make([*values[:-1], None])
    with pytest.raises(ValueError, match=re.escape(f"{name} has 1 missing value: {FILL}")):
        getattr(csoftmax, function)(**FUNCTIONS[function] | {name: value})


@pytest.mark.parametrize("make", ["pandas", "polars", "pyarrow", "record batch"])
def test_missing_elements_of_columns(make):
    columns = {"one": [1, 2, 3], "two": [1, None, None], "three": [None, 0.5, 1.5]}
    if make == "pandas":
        pandas = pytest.importorskip("pandas")
        table = pandas.DataFrame({name: of_pandas(values) for name, values in columns.items()})
    elif make == "polars":
        table = pytest.importorskip("polars").DataFrame(columns)
    else:
        table = pytest.importorskip("pyarrow").table(columns)
        table = table if make == "pyarrow" else table.to_batches()[0]
    message = f"column 'two' of X has 2 missing values: {FILL}"
    for function in ("softmax_loss", "linear_predict"):
        arguments = FUNCTIONS[function] | {"X": table}
        with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
            getattr(csoftmax, function)(**arguments)


def test_nan_is_not_missing():
    pandas = pytest.importorskip("pandas")
    column = pandas.Series([0.0, np.nan])
    for given in (column, of_polars([0.0, np.nan]), of_arrow([0.0, np.nan])):
        assert np.isnan(csoftmax.softmax(given)).all()


@EVERY
def test_masked_elements(function, name):
    value = FUNCTIONS[function][name]
    masked = np.ma.masked_array(value, np.arange(value.size).reshape(value.shape) == 1)
    message = f"{name} is a masked array with 1 of {value.size} elements masked: {FILL}"
    refused(message, getattr(csoftmax, function), **FUNCTIONS[function] | {name: masked})


@pytest.mark.parametrize("wrong", [None, "1", 1j, [1, 2, 3], 2**70])
def test_objects_that_are_no_numbers(wrong):
    objects = np.array([1.5, 2, 3], object)
    objects[1] = wrong
    place = "" if wrong == 2**70 else f"; x[1] is {wrong!r}"
    message = "x has dtype object: wanted real numbers (bool, an integer type, float16, float32 or "
    refused(f"{message}float64){place}", csoftmax.softmax, objects)


def test_sparse_columns():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(np.abs(X)).astype(pandas.SparseDtype("float32", 0))
    message = "X is a pandas.DataFrame of sparse columns: wanted an array (X.sparse.to_dense() is "
    refused(message, csoftmax.linear_predict, MODEL["W"], frame)
    expected = csoftmax.linear_predict_proba(MODEL["W"], np.abs(X))
    for given in (frame.sparse.to_coo(), frame.sparse.to_dense()):
        found = csoftmax.linear_predict_proba(MODEL["W"], given)
        np.testing.assert_allclose(found, expected, rtol=1e-6)


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
