"""Functions that return an iterator of blocks."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import sparse

from csoftmax.sources import source_of


def cut(X, *beside, step=10):
    """Blocks of X, and of what is beside it."""
    for start in range(0, len(X), step):
        parts = tuple(part[start : start + step] for part in (X, *beside))
        yield parts if beside else parts[0]


def listed(blocks):
    return list(source_of(lambda: iter(blocks)).blocks())


NAME = "X (the blocks of listed.<locals>.<lambda>)"


def refused(error, message, blocks):
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        listed(blocks)


def test_rows_alone(X, check):
    source = source_of(lambda: cut(X))
    assert (source.shape, source.dtype, source.feature_names) == ((None, None), None, None)
    assert check(source, X) == [10] * 10 + [3]


@pytest.mark.parametrize(
    ("dtype", "wanted"), [("float64", "float64"), ("bool", "uint8"), ("int16", "float32")]
)
def test_dtypes(dtype, wanted, check, matrix_of):
    X = matrix_of(dtype)
    check(source_of(lambda: cut(X)), X, wanted)


def test_what_comes_with_the_rows(X):
    y, weight = np.array(["a", "b"] * 52)[:103], np.linspace(0, 1, 103)
    for beside in ((y,), (y, weight)):
        blocks = list(source_of(lambda beside=beside: cut(X, *beside)).blocks())
        np.testing.assert_array_equal(np.concatenate([b.y for b in blocks]), y)
        if len(beside) > 1:
            np.testing.assert_array_equal(np.concatenate([b.sample_weight for b in blocks]), weight)
        else:
            assert all(b.sample_weight is None for b in blocks)
    soft = np.full((103, 3), 1 / 3)
    assert next(source_of(lambda: cut(X, soft)).blocks()).y.shape == (10, 3)


def test_lists_as_loaders_give_them(X):
    (block,) = listed([[X, list(range(103)), None]])
    np.testing.assert_array_equal(block.y, np.arange(103))
    assert block.sample_weight is None


@pytest.mark.parametrize("kind", ["csr_array", "csr_matrix", "coo_array"])
def test_sparse_blocks(X, kind):
    make = getattr(sparse, kind)
    source = source_of(lambda: (make(part) for part in cut(X)))
    for _ in range(2):
        blocks = [block.X for block in source.blocks()]
        assert all(block.format == "csr" and block.dtype == np.float32 for block in blocks)
        np.testing.assert_array_equal(sparse.vstack(blocks).toarray(), X)
    assert source.shape == X.shape


def test_tensors(X, check):
    torch = pytest.importorskip("torch")
    check(source_of(lambda: map(torch.from_numpy, cut(X))), X)


def test_empty_blocks_are_passed_over(X):
    assert [len(b.X) for b in listed([X[:0], X[:3], X[:0], X[3:4]])] == [3, 1]
    refused(ValueError, f"{NAME} are none: wanted at least one row", [])
    refused(ValueError, f"{NAME} are none: wanted at least one row", [X[:0]])


def test_one_block_at_a_time(X):
    """What is handed out may be written over by what makes the next one."""
    buffer = np.empty((10, 7), np.float32)

    def make():
        for part in cut(X[:100]):
            buffer[:] = part
            yield buffer

    found = [block.X.copy() for block in source_of(make).blocks()]
    np.testing.assert_array_equal(np.concatenate(found), X[:100])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda X: X[:, :5], "has 5 features, where the first has 7 features"),
        (lambda X: X.astype("f8"), "has dtype float64, where the first has dtype float32"),
        (sparse.csr_array, "has sparse rows, where the first has dense rows"),
        (lambda X: (X, X[:, 0]), "has a y, where the first has no y"),
        (lambda X: (X, None, X[:, 0]), "has a sample_weight, where the first has no sample_weight"),
    ],
)
def test_a_block_unlike_the_first(X, other, message):
    refused(ValueError, f"block 2 of {NAME} {message}", [X, X, other(X)])


@pytest.mark.parametrize(
    ("block", "error", "message"),
    [
        (3, TypeError, "block 0 of NAME is a int: wanted X, (X, y) or (X, y, sample_weight)"),
        ([[1, 2], [3, 4]], TypeError, "block 0 of NAME is a list: wanted X, (X, y) or"),
        ((), TypeError, "block 0 of NAME is a tuple: wanted X, (X, y) or"),
        (np.ones(3), ValueError, "block 0 of NAME has shape (3,): wanted (n, D)"),
        (np.ones((3, 1), "U1"), TypeError, "block 0 of NAME has dtype <U1: wanted real numbers"),
        (
            (np.ones((3, 1)), np.ones(2)),
            ValueError,
            "y of block 0 of NAME has shape (2,): wanted one for each of 3 rows",
        ),
        (
            (np.ones((3, 1)), None, np.ones(4)),
            ValueError,
            "sample_weight of block 0 of NAME has shape (4,): wanted one for each of 3 rows",
        ),
    ],
)
def test_refusals(block, error, message):
    refused(error, message.replace("NAME", NAME), [block])


def test_what_is_returned_is_iterated_over():
    with pytest.raises(
        TypeError, match=r"^the function of X .* returned a NoneType: wanted an iter"
    ):
        list(source_of(lambda: None).blocks())


def test_errors_of_the_function_are_its_own():
    def make():
        yield np.ones((2, 2))
        raise KeyError("shard 7")

    blocks = source_of(make).blocks()
    next(blocks)
    with pytest.raises(KeyError, match="shard 7"):
        next(blocks)


# ---- passes that differ -------------------------------------------------------------------------


def passes(*given):
    """A source that gives these blocks in its first pass, its second, ..."""
    left = iter(given)
    return source_of(lambda: iter(next(left)))


def second(source, message):
    list(source.blocks())
    with pytest.raises(ValueError, match=f"^{message}"):
        list(source.blocks())


def test_other_blocks_in_the_second_pass(X):
    first = list(cut(X))
    second(
        passes(first, first[:4]), r"X \(the blocks of .*\) ends after 4 blocks, .* had 11: wanted"
    )
    second(passes(first, [*first, X]), r"there is a block 11 of X .*, where an earlier pass had 11")
    second(passes(first, [X]), "block 0 of X .* has 103 rows, where an earlier pass had 10: wanted")
    second(passes(first, first[::-1]), "block 0 of X .* has 3 rows, where an earlier pass had 10")
    second(
        passes(first[:10], first[9::-1]), "block 0 of X .* has other rows than in an earlier pass"
    )
    second(
        passes(first, [*first[:7], X[:10] * 2]), "block 7 of X .* has other rows than in an earl"
    )
    sparse_first = [sparse.csr_array(x) for x in first]
    second(
        passes(sparse_first, [sparse.csr_array(2 * x) for x in first]), "block 0 of X .* has other"
    )


def test_an_iterator_that_is_used_up(X):
    once = cut(X)
    second(source_of(lambda: once), "X .* ends after 0 blocks, where an earlier pass had 11")


def test_after_a_pass_that_was_not_ended(X, check):
    source = source_of(lambda: cut(X))
    for n_blocks in (3, 5):
        for _ in zip(range(n_blocks), source.blocks(), strict=False):
            pass
    assert source.shape == (None, 7)
    check(source, X)
    first = list(cut(X))
    source = passes(first, first[:2])
    for _ in zip(range(5), source.blocks(), strict=False):
        pass
    with pytest.raises(ValueError, match="ends after 2 blocks, where an earlier pass had"):
        list(source.blocks())
