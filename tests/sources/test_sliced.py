"""What has [a:b]: h5py, Zarr, Dask, and classes that have no more than that."""

from __future__ import annotations

import os
import re

import numpy as np
import pytest

from csoftmax.sources import source_of

pytestmark = pytest.mark.usefixtures("small_blocks")

SOME = np.array([20, 3, 102, 4, 3, 101, 5, 0])  # rows


class Rows:
    """The least that is a source: shape, dtype and [a:b]."""

    def __init__(self, X):
        self.X, self.shape, self.dtype = X, X.shape, X.dtype
        self.asked = []

    def __getitem__(self, key):
        assert isinstance(key, slice)
        self.asked.append((key.start, key.stop))
        return self.X[key]


class Chunked(Rows):
    def __init__(self, X, chunks):
        super().__init__(X)
        self.chunks = chunks


def refused(error, message, X):
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        list(source_of(X).blocks())


@pytest.mark.parametrize(
    ("dtype", "wanted"),
    [("float32", "float32"), ("float64", "float64"), ("uint8", "uint8"), ("bool", "uint8"),
     ("int16", "float32"), (">i4", "float64")],
)  # fmt: skip
def test_any_class(dtype, wanted, check, matrix_of):
    X = matrix_of(dtype, 300)
    rows = Rows(X)
    source = source_of(rows)
    sizes = check(source, X, wanted)
    assert source.name == f"X (a {Rows.__module__.partition('.')[0]}.Rows)"
    assert (
        max(sizes) * 7 * np.dtype(max(dtype, wanted, key=lambda d: np.dtype(d).itemsize)).itemsize
        <= 1000
    )
    assert rows.asked == 2 * [(sum(sizes[:i]), sum(sizes[: i + 1])) for i in range(len(sizes))]


@pytest.mark.parametrize(
    ("chunks", "step"), [((10, 7), 30), ((35, 2), 35), ((36, 7), 35), ((1, 1), 35)]
)
def test_blocks_end_where_chunks_do(chunks, step, X, check):
    assert check(source_of(Chunked(X, chunks)), X)[0] == step


def test_a_block_of_another_shape(X):
    class Short(Rows):
        def __getitem__(self, key):
            return self.X[key][: -1 if key.start else None]

    name = source_of(Short(X)).name
    refused(
        ValueError, f"block 1 (rows 35 to 69) of {name} has shape (34, 7): wanted (35, 7)", Short(X)
    )


def test_a_block_of_another_dtype(X):
    class Other(Rows):
        def __getitem__(self, key):
            return self.X[key].astype("f8" if key.start else "f4")

    name = source_of(Other(X)).name
    refused(
        ValueError, f"block 1 (rows 35 to 69) of {name} has dtype float64: wanted float32", Other(X)
    )


def test_a_block_that_cannot_be_read(X):
    class Broken(Rows):
        def __getitem__(self, key):
            if key.start:
                raise OSError("inflate() failed")
            return self.X[key]

    name = source_of(Broken(X)).name
    message = f"block 1 (rows 35 to 69) of {name} cannot be read: inflate() failed"
    refused(ValueError, message, Broken(X))


def test_masked_blocks(X):
    masked = np.ma.masked_array(X)
    np.testing.assert_array_equal(next(source_of(Rows(masked)).blocks()).X, X[:35])
    masked[40, 2] = np.ma.masked
    rows = Rows(masked)
    refused(ValueError, f"block 1 (rows 35 to 69) of {source_of(rows).name} has masked", rows)


@pytest.mark.parametrize(
    ("chunk", "asked"),
    [(1, [(0, 1), (3, 6), (20, 21), (101, 103)]), (10, [(0, 6), (20, 21), (101, 103)]),
     (50, [(0, 21), (101, 103)])],
)  # fmt: skip
@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_rows_from_anywhere(dtype, chunk, asked, matrix_of):
    X = matrix_of(dtype)
    stored = Chunked(X, (chunk, 7))
    taken = source_of(stored).take(SOME)
    np.testing.assert_array_equal(taken, X[SOME].astype(np.float32))
    assert taken.dtype == np.float32
    assert stored.asked == asked  # each chunk once
    assert source_of(stored).take(np.empty(0, np.int64)).shape == (0, 7)


def test_rows_from_anywhere_that_cannot_be_read(X):
    class Broken(Rows):
        def __getitem__(self, key):
            raise OSError("inflate() failed")

    with pytest.raises(ValueError, match=r"^rows 3 to 4 of X .*Broken\) cannot be read: inflate"):
        source_of(Broken(X)).take(np.array([4, 3]))


def test_other_rows_in_the_second_pass(X):
    rows = Rows(X)
    source = source_of(rows)
    list(source.blocks())
    rows.X = X + 1
    with pytest.raises(ValueError, match=r"^block 0 of X \(a .*Rows\) has other rows than in an"):
        list(source.blocks())


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (np.ones(5), ValueError, "has shape (5,): wanted (N, D), rows by features"),
        (np.ones((5, 2, 1)), ValueError, "has shape (5, 2, 1): wanted (N, D), rows by features"),
        (np.ones((5, 2), complex), TypeError, "has dtype complex128: wanted real numbers"),
        (np.ones((5, 2), "U1"), TypeError, "has dtype <U1: wanted real numbers"),
        (np.ones((5, 2), object), TypeError, "has dtype object: wanted real numbers"),
    ],
)
def test_refusals(given, error, message):
    with pytest.raises(error, match=rf"^X \(a .*Rows\) {re.escape(message)}"):
        source_of(Rows(given))


# ---- packages -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "storage", [{}, {"chunks": (10, 3)}, {"chunks": (10, 7), "compression": "gzip"}]
)
def test_h5py(tmp_path, X, storage, check):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("train", data=X, **storage)
    with h5py.File(tmp_path / "a.h5") as file:
        source = source_of(file["train"])
        assert source.name == f"X (the h5py.Dataset /train of the file {tmp_path / 'a.h5'})"
        assert check(source, X)[0] == (30 if storage else 35)
        np.testing.assert_array_equal(source.take(SOME), X[SOME])
        os.utime(tmp_path / "a.h5", (0, 0))
        for read in (lambda: list(source.blocks()), lambda: source.take(SOME)):
            with pytest.raises(ValueError, match=r"^the file .*a\.h5 has been written again since"):
                read()


def test_h5py_closed(tmp_path, X):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        source = source_of(file.create_dataset("train", data=X))
    with pytest.raises(ValueError, match=r"^block 0 .*a\.h5\) cannot be read: "):
        list(source.blocks())


def test_h5py_damaged(tmp_path, X):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "a.h5"
    noise = np.random.default_rng(0).normal(size=(3000, 7))
    with h5py.File(path, "w") as file:
        file.create_dataset("train", data=noise, chunks=(100, 7), compression="gzip")
    data = bytearray(path.read_bytes())
    data[-5000:-4000] = bytes(1000)
    path.write_bytes(data)
    with (
        h5py.File(path) as file,
        pytest.raises(ValueError, match=r"^block .*a\.h5\) cannot be read"),
    ):
        list(source_of(file["train"]).blocks())


def test_zarr(tmp_path, X, check):
    zarr = pytest.importorskip("zarr")
    array = zarr.open(str(tmp_path / "a.zarr"), mode="w", shape=X.shape, chunks=(10, 3), dtype="f4")
    array[:] = X
    source = source_of(array)
    assert source.name == f"X (the zarr.Array file://{(tmp_path / 'a.zarr').as_posix()})"
    assert check(source, X)[0] == 30
    np.testing.assert_array_equal(source.take(SOME), X[SOME])


def test_dask(X, check):
    array = pytest.importorskip("dask.array")
    assert check(source_of(array.from_array(X, chunks=(10, 3))), X)[0] == 30
