"""The next block is read by a thread while the present one is worked on."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from csoftmax.sources.protocol import Block


def ahead(blocks: Generator[Block, None, None]) -> Iterator[Block]:
    """These blocks, each asked for when the one before is handed out, and no sooner.

    So there are two at most: what makes the blocks may use two buffers in turn. The thread lives as
    long as the pass: it ends when the consumer stops, early or not, or raises. What is raised in it
    is raised here. A forked child may begin passes of its own, but not go on with its parent's.
    """
    process = os.getpid()
    coming: Future[Block | None] | None
    pool = ThreadPoolExecutor(1, "csoftmax-ahead")
    try:
        try:
            coming = pool.submit(next, blocks, None)
        except RuntimeError:  # the system has no thread left: as fast as one after the other is
            yield from blocks
            return
        while (block := coming.result()) is not None:
            coming = pool.submit(next, blocks, None)
            yield block
            if os.getpid() != process:
                raise RuntimeError(
                    "this pass was begun by the process that forked this one, where its thread "
                    "has stayed: wanted a pass of the child's own"
                )
    finally:
        coming = None  # it holds what it has raised, which holds this frame
        if os.getpid() == process:
            pool.shutdown()  # waits for the block that is being read
            blocks.close()
