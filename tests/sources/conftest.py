"""Blocks of some rows, and a bound on the time of each test: what waits for ever fails."""

from __future__ import annotations

import faulthandler
from collections.abc import Iterator

import numpy as np
import pytest

from csoftmax.sources import kinds, memory, protocol

SECONDS = 60


@pytest.fixture(autouse=True)
def bounded_time() -> Iterator[None]:
    faulthandler.dump_traceback_later(SECONDS, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 1000 bytes."""
    for module in (protocol, kinds):
        monkeypatch.setattr(module, "BLOCK_BYTES", 1000)


@pytest.fixture(params=["mapped", "read"])
def way(request, monkeypatch):
    """Whether files fit in memory, and so are mapped, or not, and so are read ahead."""
    monkeypatch.setattr(memory, "fits", lambda n_bytes: request.param == "mapped")
    return request.param


def matrix(dtype="float32", n_rows=103, n_features=7):
    """Numbers that differ from row to row, of any dtype."""
    values = np.random.default_rng(0).integers(
        0, 2 if dtype == "bool" else 100, (n_rows, n_features)
    )
    return values.astype(dtype)


@pytest.fixture
def X():
    return matrix()


@pytest.fixture
def check():
    return check_blocks


def check_blocks(source, X, dtype=None, passes=2):
    """The blocks are these rows, in this dtype, and the same in every pass; returns their sizes."""
    sizes = []
    for _ in range(passes):
        blocks = []
        for block in source.blocks():
            assert type(block.X) is np.ndarray
            assert block.X.dtype == source.dtype == (dtype or X.dtype)
            blocks.append(block.X.copy())
        np.testing.assert_array_equal(np.concatenate(blocks), X)
        sizes.append([len(block) for block in blocks])
    assert sizes[1:] == sizes[:-1]
    assert source.shape == X.shape
    return sizes[0]


@pytest.fixture
def matrix_of():
    return matrix
