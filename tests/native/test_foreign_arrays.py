"""Arrays of other packages are taken as every argument, with the results of NumPy's, in NumPy's."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import scipy.sparse
from foreign_arrays import BY_KIND, DTYPES, KINDS, of_kinds
from public_functions import ARGUMENTS, FUNCTIONS, MODEL, X

import csoftmax
from csoftmax._native import checks
from csoftmax.cs231n.classifiers import Softmax

EVERY = pytest.mark.parametrize("function", FUNCTIONS)


def same(found, expected):
    """Whether two results have the same bits, and both are NumPy's or Python's own."""
    if isinstance(expected, tuple):
        for a, b in zip(found, expected, strict=True):
            same(a, b)
        return
    assert type(found) is type(expected)
    assert np.asarray(found).dtype == np.asarray(expected).dtype
    np.testing.assert_array_equal(found, expected)


def taken(function, arguments):
    """The result, or None where NumPy's arrays are refused, too."""
    try:
        return getattr(csoftmax, function)(**arguments)
    except (TypeError, ValueError):
        return None


@BY_KIND
@EVERY
def test_each_argument(function, kind):
    tried = 0
    for name in [name for of, name in ARGUMENTS if of == function]:
        for dtype in DTYPES:
            value = np.abs(FUNCTIONS[function][name]).astype(dtype)
            arguments = FUNCTIONS[function] | {name: value}
            if kind.holds(value) and (expected := taken(function, arguments)) is not None:
                same(getattr(csoftmax, function)(**arguments | {name: kind.make(value)}), expected)
                tried += 1
    dims = {FUNCTIONS[function][name].ndim for of, name in ARGUMENTS if of == function}
    assert tried or not dims & set(kind.dims)


@BY_KIND
@EVERY
def test_all_arguments(function, kind):
    given = FUNCTIONS[function]
    made = {
        name: kind.make(given[name])
        for of, name in ARGUMENTS
        if of == function
        if kind.holds(given[name])
    }
    same(getattr(csoftmax, function)(**given | made), getattr(csoftmax, function)(**given))


@BY_KIND
def test_other_shapes(kind):
    for shape in [(), (3,), (2, 3), (2, 3, 4)]:
        value = np.linspace(0, 1, int(np.prod(shape))).astype(kind.dtypes[0]).reshape(shape)
        if kind.holds(value):
            same(csoftmax.softmax(kind.make(value), axis=-1), csoftmax.softmax(value, axis=-1))


@of_kinds(dims=(1,))
def test_no_elements(kind):
    value = np.empty(0, kind.dtypes[0])
    same(csoftmax.logsumexp(kind.make(value)), csoftmax.logsumexp(value))


@of_kinds("float32", dims=(2,))
def test_the_course_s_classifiers(kind):
    y = np.array([0, 1, 1, 0], np.uint8)
    model, other = Softmax(), Softmax()
    labels = kind.make(y) if kind.holds(y) else y
    np.random.seed(0)
    found = model.train(kind.make(X), labels, num_iters=3)
    np.random.seed(0)
    assert found == other.train(X, y, num_iters=3)
    same(model.predict(kind.make(X)), other.predict(X))


# ---- of which nothing is copied -----------------------------------------------------------------


@of_kinds("float32")
def test_what_is_copied(kind):
    for shape in [(6,), (4, 3)]:
        array = np.linspace(0, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)
        if kind.holds(array):
            value = kind.make(array)
            first, second = checks.as_array("x", value), checks.as_array("x", value)
            assert np.shares_memory(first, second) == (len(shape) in kind.in_place)


def test_no_copy_of_columns_side_by_side():
    polars = pytest.importorskip("polars")
    frame = polars.from_numpy(np.asfortranarray(X))
    assert np.shares_memory(checks.as_array("x", frame), checks.as_array("x", frame))


def test_one_copy_of_columns_that_lie_apart():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({k: np.ones(100_000, np.float32) for k in range(10)}).astype("Float32")
    W = np.ones((10, 2), np.float32)
    csoftmax.linear_predict(W, frame.head())
    tracemalloc.start()
    csoftmax.linear_predict(W, frame)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5 * 4 * frame.size  # in which the labels are 0.2


@BY_KIND
def test_inputs_stay_as_they_are(kind):
    value = np.linspace(0, 1, 6, dtype=kind.dtypes[0] if "float32" not in kind.dtypes else "f4")
    value = value if kind.holds(value) else value.reshape(2, 3)
    before, given = value.copy(), kind.make(value)
    csoftmax.log_softmax(given, axis=-1)
    np.testing.assert_array_equal(checks.as_array("x", given), before)


# ---- frames of several dtypes -------------------------------------------------------------------

MIXES = {
    "float32 and bool": (["float32", "bool"], "float32"),
    "float32 and int16": (["float32", "int16"], "float32"),
    "float32 and int64": (["float32", "int64"], "float64"),
    "uint8 and bool": (["uint8", "bool"], "uint8"),
    "uint8 and int8": (["uint8", "int8"], "int16"),
}


@pytest.mark.parametrize("package", ["pandas", "nullable", "pandas of Arrow", "polars", "pyarrow"])
@pytest.mark.parametrize(("dtypes", "common"), MIXES.values(), ids=MIXES)
def test_mixed_columns(package, dtypes, common):
    columns = {dtype: np.array([1, 0, 1]).astype(dtype) for dtype in dtypes}
    if package == "polars":
        frame = pytest.importorskip("polars").DataFrame(columns)
    elif package == "pyarrow":
        frame = pytest.importorskip("pyarrow").table(columns)
    else:
        pandas = pytest.importorskip("pandas")
        series = {
            name: values if package == "pandas" else KINDS[NAMES[package]].make(values)
            for name, values in columns.items()
        }
        frame = pandas.DataFrame(series)
    expected = np.column_stack(list(columns.values())).astype(common)
    found = checks.as_array("x", frame)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    same(csoftmax.softmax(frame, axis=1), csoftmax.softmax(expected, axis=1))


NAMES = {"nullable": "pandas, nullable", "pandas of Arrow": "pandas of Arrow"}

# ---- sparse -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "bsr", "dia", "dok", "lil"])
@pytest.mark.parametrize("container", ["matrix", "array"])
def test_sparse_formats(form, container):
    X = np.abs(FUNCTIONS["softmax_loss"]["X"])
    sparse = getattr(scipy.sparse, f"{form}_{container}")(X)
    for function in ("softmax_loss", "svm_loss", "linear_predict_proba", "linear_top_k"):
        given = FUNCTIONS[function] | {"X": sparse}
        expected = getattr(csoftmax, function)(**given | {"X": scipy.sparse.csr_array(X)})
        same(getattr(csoftmax, function)(**given), expected)
    with pytest.raises(TypeError, match=rf"^x is a sparse {form}_{container}: wanted a dense"):
        csoftmax.softmax(sparse)


# ---- out ----------------------------------------------------------------------------------------

WITH_OUT = {
    "softmax": X.shape,
    "log_softmax": X.shape,
    "softmax_backward": X.shape,
    "cross_entropy_with_grad": X.shape,
    "multiclass_hinge_with_grad": X.shape,
    "softmax_loss": MODEL["W"].shape,
    "svm_loss": MODEL["W"].shape,
    "linear_predict_proba": (len(X), 2),
}


@of_kinds("float32", dims=(2,), but=["matrix"])
@pytest.mark.parametrize("function", WITH_OUT)
def test_out_is_numpy_s(function, kind):
    out = kind.make(np.ones(WITH_OUT[function], np.float32))
    with pytest.raises(TypeError, match=rf"^out is a {type(out).__name__}: wanted a numpy.ndarray"):
        getattr(csoftmax, function)(**FUNCTIONS[function], out=out)
    np.testing.assert_array_equal(checks.as_array("out", out), 1)


@of_kinds("int64", dims=(1,), but=["objects"])
def test_out_of_labels_is_numpy_s(kind):
    out = kind.make(np.zeros(len(X), np.int64))
    for rows in (X, lambda: iter([X])):
        with pytest.raises(TypeError, match=rf"^out is a {type(out).__name__}: wanted a numpy"):
            csoftmax.linear_predict(MODEL["W"], rows, out=out)


def test_out_in_a_matrix():
    memory = np.zeros((2, 3))
    out = memory.view(np.matrix)
    assert csoftmax.softmax([[1.0, 2, 3]] * 2, axis=1, out=out) is out
    assert memory.any()
