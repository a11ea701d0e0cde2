"""The thread that reads ahead: when it reads, what it hands on, and how it ends."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from builds import needs_fork

from csoftmax.sources.ahead import ahead
from csoftmax.sources.protocol import Block

BLOCKS = [Block(np.full((2, 2), k)) for k in range(5)]


def test_all_blocks_in_order():
    assert list(ahead(block for block in BLOCKS)) == BLOCKS
    assert list(ahead(block for block in [])) == []


def test_one_block_ahead_and_no_more():
    begun, go_on = [], threading.Semaphore(0)

    def make():
        for index, block in enumerate(BLOCKS):
            begun.append((index, threading.current_thread() is threading.main_thread()))
            if index:
                go_on.acquire(timeout=30)
            yield block

    blocks = ahead(make())
    for k in range(5):
        assert next(blocks) is BLOCKS[k]
        go_on.release()
        # the next one is begun by itself, the one after that is not
        for _ in range(3000):
            if len(begun) == min(k + 2, 5):
                break
            threading.Event().wait(0.01)
        threading.Event().wait(0.05)
        assert begun == [(index, False) for index in range(min(k + 2, 5))]


def test_what_is_raised_is_carried_over():
    def make():
        yield BLOCKS[0]
        raise KeyError("here")

    before = threading.active_count()
    blocks = ahead(make())
    next(blocks)
    with pytest.raises(KeyError, match="here") as caught:
        next(blocks)
    assert "make" in [entry.name for entry in caught.traceback]
    assert threading.active_count() == before


def test_a_consumer_that_stops_or_raises():
    closed = []

    def make():
        try:
            yield from BLOCKS
        finally:
            closed.append(True)

    def consume(leave):
        for _ in ahead(make()):
            leave()

    def raise_():
        raise KeyError("consumer")

    before = threading.active_count()
    with pytest.raises(KeyError, match="consumer"):
        consume(raise_)
    for _ in ahead(make()):
        break
    assert closed == [True, True]
    assert threading.active_count() == before


def test_no_thread_to_be_had(monkeypatch):
    def refuse(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(ThreadPoolExecutor, "submit", refuse)
    assert list(ahead(block for block in BLOCKS)) == BLOCKS


def test_errors_do_not_keep_the_buffers():
    import gc
    import weakref

    class Buffer:
        pass

    kept = []

    def make():
        buffer = Buffer()
        kept.append(weakref.ref(buffer))
        yield BLOCKS[0]
        raise KeyError

    gc.disable()
    try:
        with pytest.raises(KeyError):
            list(ahead(make()))
        assert kept[0]() is None
    finally:
        gc.enable()


FORK = """
import os, warnings
import numpy as np
from csoftmax.sources.ahead import ahead
from csoftmax.sources.protocol import Block

warnings.simplefilter("ignore")
blocks = lambda: ahead(Block(np.full((2, 2), k)) for k in range(5))
mine = blocks()
next(mine)
child = os.fork()
if not child:
    assert len(list(blocks())) == 5
    try:
        next(mine)
    except RuntimeError as error:
        assert "begun by the process that forked this one" in str(error)
        os._exit(0)
    os._exit(1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert len(list(mine)) == 4
"""

UNENDED = """
import numpy as np
from csoftmax.sources.ahead import ahead
from csoftmax.sources.protocol import Block

blocks = ahead(Block(np.full((2, 2), k)) for k in range(5))
next(blocks)
"""


@pytest.mark.parametrize("script", [pytest.param(FORK, marks=needs_fork), UNENDED])
def test_processes_end(script, run_python):
    run_python(script)
