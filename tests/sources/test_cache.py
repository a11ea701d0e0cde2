"""Decoded rows that are kept: what is read again, and what is not believed."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from builds import free_files
from scipy import sparse

from csoftmax.sources import cached, source_of

pytestmark = pytest.mark.usefixtures("small_blocks")


class Decoder:
    """A function that gives blocks and counts how often it is asked, and for how many."""

    __qualname__ = "decode"

    def __init__(self, X, *beside):
        self.parts, self.calls, self.blocks = (X, *beside), 0, 0

    def __call__(self):
        self.calls += 1
        for start in range(0, len(self.parts[0]), 10):
            self.blocks += 1
            yield tuple(part[start : start + 10] for part in self.parts)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "caches" / "of this"


def left(folder):
    """What caches there are."""
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int16", "bool"])
def test_decoded_once(folder, way, dtype, check, matrix_of):
    X = matrix_of(dtype)
    decoder = Decoder(X)
    wanted = {"int16": "float32", "bool": "uint8"}.get(dtype)
    for calls in (1, 2):  # the second time, for a look at the first block
        source = source_of(cached(decoder, folder))
        assert check(source, X, wanted, passes=3) == [10] * 10 + [3]
        assert (decoder.calls, decoder.blocks) == (calls, 10 + calls)
    (name,) = left(folder)
    stored = np.load(folder / name / "X.npy")
    np.testing.assert_array_equal(stored, X)
    assert sorted(path.name for path in (folder / name).iterdir()) == [
        "X.npy",
        "cuts.npy",
        "key.json",
    ]
    assert json.loads((folder / name / "key.json").read_text())["name"] == source.name


@pytest.mark.parametrize(
    "y", [np.arange(103) % 5, np.array(["a", "bc"] * 52)[:103], np.full((103, 2), 0.5)]
)
def test_what_comes_with_the_rows(folder, X, y, way):
    weight = np.linspace(0, 1, 103)
    source = source_of(cached(Decoder(X, y, weight), folder))
    for _ in range(3):
        blocks = list(source.blocks())
        np.testing.assert_array_equal(np.concatenate([b.y for b in blocks]), y)
        np.testing.assert_array_equal(np.concatenate([b.sample_weight for b in blocks]), weight)


def test_a_pass_that_ends_early_leaves_nothing(folder, X, check):
    decoder = Decoder(X)
    source = source_of(cached(decoder, folder))
    for _ in zip(range(3), source.blocks(), strict=False):
        pass
    assert left(folder) == []
    decoder.parts = (X[:15],)
    with pytest.raises(ValueError, match=r"^block 1 of X .* has 5 rows"):
        list(source.blocks())
    decoder.parts = (X,)
    assert left(folder) == []
    check(source, X)
    assert decoder.calls == 3


def test_other_rows(folder, X):
    decoder = Decoder(X)
    list(source_of(cached(decoder, folder)).blocks())
    for parts in ((X + 1,), (X[5:],), (X, X[:, 0]), (X.astype("f8"),)):
        decoder.parts = parts
        source = source_of(cached(decoder, folder))
        message = f"the cache {folder / left(folder)[0]} has other rows in its first block than"
        with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
            list(source.blocks())


def test_not_a_number_is_the_same_as_itself(folder, X, check):
    X[3] = np.nan
    for _ in range(2):
        check(source_of(cached(Decoder(X), folder)), X)


def test_a_damaged_cache(folder, X):
    decoder = Decoder(X)
    list(source_of(cached(decoder, folder)).blocks())
    (name,) = left(folder)
    stored = folder / name / "X.npy"
    stored.write_bytes(stored.read_bytes()[:-100])
    with pytest.raises(
        ValueError, match=rf"^the cache {re.escape(str(folder))}.* is damaged, delete"
    ):
        list(source_of(cached(decoder, folder)).blocks())
    (folder / name / "cuts.npy").unlink()
    with pytest.raises(
        ValueError, match=rf"^the cache {re.escape(str(folder))}.* is damaged, delete"
    ):
        list(source_of(cached(decoder, folder)).blocks())


@free_files
def test_a_cache_that_changes_between_passes(folder, X):
    source = source_of(cached(Decoder(X), folder))
    list(source.blocks())
    stored = folder / left(folder)[0] / "X.npy"
    stored.write_bytes(stored.read_bytes()[:-100])
    with pytest.raises(ValueError, match=rf"^the file {re.escape(str(stored))} has"):
        list(source.blocks())


def test_two_that_write_at_once(folder, X, check):
    one, other = (source_of(cached(Decoder(X), folder)) for _ in range(2))
    passes = one.blocks(), other.blocks()
    for blocks in zip(*passes, strict=True):
        np.testing.assert_array_equal(blocks[0].X, blocks[1].X)
    assert len(left(folder)) == 1
    check(one, X)
    check(other, X)


def test_a_cache_for_each_x(folder, X, check):
    class Rows:
        def __init__(self, X):
            self.X, self.shape, self.dtype = X, X.shape, X.dtype

        def __getitem__(self, key):
            return self.X[key]

    for given in (X, X[:50], X.astype("f8"), X[:, :3]):
        for _ in range(2):
            check(source_of(cached(Rows(given), folder)), given)
    assert len(left(folder)) == 4


def test_sparse_blocks(folder, X):
    source = source_of(cached(lambda: iter([sparse.csr_array(X)]), folder))
    with pytest.raises(
        TypeError, match=r"^X \(the blocks of .*\) has sparse blocks, which no cache"
    ):
        list(source.blocks())
    assert left(folder) == []


def test_a_full_disk(folder, X, monkeypatch):
    list(source_of(cached(Decoder(X), folder)).blocks())
    shutil.rmtree(folder)

    class Full:
        def seek(self, _): ...
        def close(self): ...
        def write(self, _):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("csoftmax.sources.cache.open", lambda *_: Full(), raising=False)
    with pytest.raises(OSError, match="No space left on device: ") as raised:
        list(source_of(cached(Decoder(X), folder)).blocks())
    assert Path(raised.value.filename).parent == folder
    assert left(folder) == []


def test_what_needs_no_cache(folder, tmp_path, X, check):
    np.save(tmp_path / "X.npy", X)
    check(source_of(cached(tmp_path / "X.npy", folder)), X)
    check(source_of(cached(np.load(tmp_path / "X.npy", mmap_mode="r")[:5], folder)), X[:5])
    assert not folder.exists()
    with pytest.raises(
        TypeError, match=r"^X is a numpy\.ndarray, in memory, and cached: wanted it"
    ):
        source_of(cached(X, folder))
    with pytest.raises(NotADirectoryError, match=r"^folder is .*X\.npy, which is a file: wanted a"):
        cached(X, tmp_path / "X.npy")
    with pytest.raises(TypeError, match=r"^y is 'label', a column's name, but X is a "):
        source_of(cached(Decoder(X), folder), "label")


def test_parquet(tmp_path, folder, X, check):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    names = list("abcdefg")
    for rows in (X, X + 1):
        parquet.write_table(pyarrow.table(list(rows.T), names=names), path)
        for y in (None, "g", "f"):
            source = source_of(cached(path, folder), y)
            kept = [name != y for name in names]
            check(source, rows[:, kept], passes=3)
            assert source.feature_names == [name for name in names if name != y]
            if y:
                found = np.concatenate([block.y for block in source.blocks()])
                np.testing.assert_array_equal(found, rows[:, names.index(y)])
    assert len(left(folder)) == 6


def test_small_tables_in_memory(folder, X, check):
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table(list(X[:2].T), names=list("abcdefg"))
    assert source_of(table) is None
    check(source_of(cached(table, folder)), X[:2])
