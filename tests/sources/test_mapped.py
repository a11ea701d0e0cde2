"""Memory-mapped files: the same blocks whether they are mapped or read, and files that change."""

from __future__ import annotations

import os
import re
import threading

import numpy as np
import pytest
from builds import free_files

from csoftmax.sources import memory, source_of

pytestmark = pytest.mark.usefixtures("small_blocks")


@pytest.fixture
def path(tmp_path, X):
    X.tofile(tmp_path / "rows")
    return tmp_path / "rows"


@pytest.fixture
def mapped(path, X):
    return np.memmap(path, X.dtype, "r", shape=X.shape)


@pytest.mark.parametrize(
    ("part", "reads"),
    [
        (np.s_[:], True),
        (np.s_[5:], True),
        (np.s_[3:100, :], True),
        (np.s_[:, 1:], True),
        (np.s_[:, :4], True),
        (np.s_[:, :3], False),  # what is between the rows is longer than they are
        (np.s_[:, :1], False),
        (np.s_[::2], True),
        (np.s_[::3], False),
        (np.s_[::-1], False),
        (np.s_[:, ::2], False),
    ],
)
def test_parts_of_a_file(mapped, X, part, reads, way, check, monkeypatch):
    monkeypatch.setattr("csoftmax.sources.kinds.BLOCK_BYTES", 100)
    source = source_of(mapped[part])
    sizes = check(source, X[part])
    assert source.name == f"X (the file {mapped.filename})"
    assert source._reads() == (reads and way == "read")
    assert len(set(sizes[:-1])) <= 1
    rows = np.array([20, 3, 3, 30, 0])
    taken = source.take(rows)
    np.testing.assert_array_equal(taken, X[part][rows])
    assert type(taken) is np.ndarray
    assert taken.flags.writeable


def test_columns_first(tmp_path, X, way, check):
    np.save(tmp_path / "X.npy", np.asfortranarray(X))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert mapped.flags.f_contiguous
    check(source_of(mapped), X)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    ("dtype", "wanted"),
    [
        ("float32", "float32"),
        (">f4", "float32"),
        ("float64", "float64"),
        ("float16", "float32"),
        ("uint8", "uint8"),
        ("bool", "uint8"),
        ("int8", "float32"),
        ("int16", "float32"),
        ("uint16", "float32"),
        ("int32", "float64"),
        ("int64", "float64"),
        (">i8", "float64"),
    ],
)
def test_dtypes(tmp_path, dtype, wanted, check, matrix_of):
    X = matrix_of(dtype, 300)
    mapped = np.memmap(tmp_path / "rows", dtype, "w+", shape=X.shape)
    mapped[:] = X
    check(source_of(mapped), X, wanted)


def test_a_header_before_the_rows(tmp_path, X, way, check):
    (tmp_path / "rows").write_bytes(b"123" + X.tobytes())
    check(source_of(np.memmap(tmp_path / "rows", X.dtype, "r", 3, X.shape)), X)


def test_npy_by_its_path(tmp_path, X, way, check):
    np.save(tmp_path / "X.npy", X)
    for path in (tmp_path / "X.npy", str(tmp_path / "X.npy")):
        check(source_of(path), X)
    check(source_of(tmp_path / "X.npy"), X)
    (tmp_path / "y.npy").write_bytes(b"no array")
    with pytest.raises(ValueError, match=r"^X is the file .*y\.npy, which cannot be mapped: "):
        source_of(tmp_path / "y.npy")
    with pytest.raises(FileNotFoundError, match=r"z\.npy"):
        source_of(tmp_path / "z.npy")


def test_small_ones_are_arrays(path, X, mapped):
    assert source_of(mapped[:35]) is None
    assert source_of(mapped[:36]) is not None
    assert source_of(mapped + 1) is None
    assert source_of(np.array(mapped)) is None
    assert source_of(mapped[np.arange(100)]) is None


def test_what_is_written_to_a_private_map_is_seen(path, X, way, check):
    mapped = np.memmap(path, X.dtype, "c", shape=X.shape)
    mapped[50] = 7
    check(source_of(mapped), np.asarray(mapped))


def test_what_this_process_writes_is_seen(path, X, way, check):
    mapped = np.memmap(path, X.dtype, "r+", shape=X.shape)
    source = source_of(mapped)
    check(source, X)
    mapped[50] = 7
    mapped.flush()
    check(source, np.asarray(mapped))


@free_files
def test_a_file_without_a_name(path, X, mapped, way, check):
    path.unlink()
    check(source_of(mapped), X)


@free_files
def test_another_file_in_its_place(path, X, mapped, way, check):
    path.rename(path.with_suffix(".old"))
    path.write_bytes(b"")
    check(source_of(mapped), X)


def refused(source, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        list(source.blocks())


@free_files
def test_a_truncated_file(path, X, mapped, way):
    source = source_of(mapped)
    list(source.blocks())
    os.truncate(path, X.nbytes - 40)
    refused(source, f"the file {path} has {X.nbytes - 40} bytes, where it had {X.nbytes} since")
    with pytest.raises(ValueError, match=re.escape(str(path))):
        source.take(np.array([102]))


@free_files
def test_a_file_truncated_within_a_pass(path, X, mapped, way):
    source = source_of(mapped)
    blocks = source.blocks()
    next(blocks)
    os.truncate(path, 0)
    with pytest.raises(ValueError, match=re.escape(str(path))):
        list(blocks)


@free_files
def test_a_file_truncated_before_the_first_pass(path, X, mapped):
    os.truncate(path, 0)
    message = f"X (the file {path}) has 0 bytes, where it had {X.nbytes} when it was mapped: wanted"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        source_of(mapped)


@free_files
def test_a_file_that_is_written_again(path, X, mapped, way):
    source = source_of(mapped)
    list(source.blocks())
    path.write_bytes((X + 1).tobytes())
    state = os.stat(path)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    refused(source, f"the file {path} has been written again since")


@free_files
def test_a_file_that_is_gone(path, mapped, way):
    source = source_of(mapped)
    path.unlink()
    refused(source, f"the file {path} is gone since")


def test_two_buffers_in_turn(mapped, monkeypatch):
    monkeypatch.setattr(memory, "fits", lambda n_bytes: False)
    places = [block.X.__array_interface__["data"][0] for block in source_of(mapped).blocks()]
    assert len(places) == 3
    assert places[0] == places[2] != places[1]


def test_the_thread_ends_with_the_pass(mapped, monkeypatch):
    monkeypatch.setattr(memory, "fits", lambda n_bytes: False)
    before = threading.active_count()
    blocks = source_of(mapped).blocks()
    next(blocks)
    assert threading.active_count() == before + 1
    blocks.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("shape", [(721,), (7, 1, 103)])
def test_two_dimensions(path, shape):
    mapped = np.memmap(path, np.float32, "r", shape=shape)
    message = f"X (the file {path}) has shape {shape}: wanted (N, D), rows by features"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        source_of(mapped)


@pytest.mark.parametrize("dtype", ["complex64", "S4", "datetime64[s]"])
def test_real_numbers(path, dtype):
    mapped = np.memmap(path, dtype, "r", shape=(300, 1) if dtype != "S4" else (700, 1))
    with pytest.raises(
        TypeError,
        match=rf"^X \(the file {re.escape(str(path))}\) has dtype .*: wanted real numbers",
    ):
        source_of(mapped)
