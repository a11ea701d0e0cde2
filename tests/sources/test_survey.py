"""The first read of a source: what it finds, what it keeps, and what it notices later."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.sparse

from csoftmax.sources import survey
from csoftmax.sources.protocol import Block
from csoftmax.sources.survey import Surveyed


class Rows:
    """Blocks from a list, which a test may change between passes."""

    name, shape, dtype, feature_names = "X (a test)", (None, None), None, None

    def __init__(self, *found):
        self.found = list(found)

    def blocks(self):
        yield from (Block(*each) for each in self.found)


def numbers(n, width=3, dtype=np.float32, start=0):
    return (np.arange(start, start + n * width).reshape(n, width)).astype(dtype)


def test_what_it_finds():
    source = Rows(
        (numbers(5), np.arange(5), np.ones(5)), (numbers(4, start=15), np.arange(4), np.ones(4))
    )
    seen = []
    found = Surveyed(source, each=lambda part: seen.append((part.number, part.rows)))
    assert (found.shape, found.dtype, found.is_sparse) == ((9, 3), np.float32, False)
    assert found.nnz == 27
    assert found.n_bytes == 27 * 4
    np.testing.assert_array_equal(found.y, [0, 1, 2, 3, 4, 0, 1, 2, 3])
    np.testing.assert_array_equal(found.sample_weight, np.ones(9))
    np.testing.assert_array_equal(found.sample, numbers(9))
    np.testing.assert_array_equal(found.sample_rows, np.arange(9))
    assert seen == [(0, slice(0, 5)), (1, slice(5, 9))]
    assert [block.X.shape for block in found.blocks()] == [(5, 3), (4, 3)]
    assert found.n_bytes == 2 * 27 * 4


def test_given_targets_are_kept():
    y, weight = np.arange(5), np.ones(5)
    found = Surveyed(Rows((numbers(5),)), y, weight)
    assert found.y is y
    assert found.sample_weight is weight
    none = Surveyed(Rows((numbers(5),)))
    assert none.y is None
    assert none.sample_weight is None


@pytest.mark.parametrize("sparse", [False, True])
def test_sample_is_of_all_rows_alike(monkeypatch, sparse):
    n = 20000
    X = np.ones((n, 2))
    X[:, 0] = np.arange(n)
    monkeypatch.setattr(survey, "SAMPLE_BYTES", 16 * 500)
    cuts = [0, 7, 300, 9000, n]
    pieces = [X[a:b] for a, b in itertools.pairwise(cuts)]
    if sparse:
        pieces = [scipy.sparse.csr_array(piece) for piece in pieces]
    found = Surveyed(Rows(*((piece,) for piece in pieces)))
    sample = found.sample.toarray() if sparse else found.sample
    rows = found.sample_rows
    assert 100 < len(rows) <= 500
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(sample, X[rows])
    # each quarter has its share, within five standard deviations
    counts = np.bincount(rows * 4 // n, minlength=4)
    assert np.abs(counts - len(rows) / 4).max() < 5 * np.sqrt(len(rows) * 3 / 16)
    again = Surveyed(Rows(*((piece,) for piece in pieces)))
    np.testing.assert_array_equal(again.sample_rows, rows)


def test_blocks_may_be_overwritten():
    buffer = np.empty((4, 3), np.float32)

    class Overwriting(Rows):
        def blocks(self):
            for start in (0, 12):
                buffer[...] = numbers(4, start=start)
                y = np.full(4, start)
                yield Block(buffer, y)
                y[:] = -1
                buffer[...] = -1

    found = Surveyed(Overwriting())
    np.testing.assert_array_equal(found.sample, numbers(8))
    np.testing.assert_array_equal(found.y, [0] * 4 + [12] * 4)
    assert len(list(found.blocks())) == 2


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ((numbers(4, 2),), "block 1 of X .a test. has 2 features of float32: wanted 3 features"),
        ((numbers(4, dtype=np.float64),), "block 1 .* has 3 features of float64: wanted .*float32"),
        ((scipy.sparse.csr_array(numbers(4)),), "block 1 .* float32, sparse: wanted"),
    ],
)
def test_blocks_of_one_kind(block, message):
    with pytest.raises(ValueError, match=message):
        Surveyed(Rows((numbers(5),), block))
    source = Rows((numbers(5),), (numbers(4),))
    found = Surveyed(source)
    source.found[1] = block
    with pytest.raises(ValueError, match=message):
        list(found.blocks())


@pytest.mark.parametrize("name", ["y", "sample_weight"])
def test_what_comes_with_the_rows_stays_the_same(name):
    first, second = (numbers(5), np.arange(5), np.ones(5)), (numbers(4), np.arange(4), np.ones(4))
    source = Rows(first, second)
    found = Surveyed(source)
    assert len(list(found.blocks())) == 2
    source.found[1] = Block(*second)._replace(**{name: np.full(4, 7)})
    with pytest.raises(ValueError, match=f"block 1 of X .a test. has another {name} than in the"):
        list(found.blocks())


def test_no_rows():
    for source in (Rows(), Rows((numbers(0),))):
        with pytest.raises(ValueError, match="has no rows: wanted at least one"):
            Surveyed(source)
