"""What a person sees of a fit while it runs: lines, which are logged, too, and a bar for a pass."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from csoftmax.sources import Surveyed

LOG = logging.getLogger("csoftmax")


def tell(line: Any, verbose: int) -> None:
    """Log a line, and print it where that is asked for."""
    LOG.info("%s", line)
    if verbose > 0:
        print(line)


@contextmanager
def reading(X: Any, verbose: int) -> Iterator[None]:
    """Show how far each pass over a source is, on a terminal and where tqdm is installed."""
    if verbose <= 0 or not isinstance(X, Surveyed):
        yield
        return
    try:
        from tqdm import tqdm
    except ImportError:
        yield
        return
    with tqdm(
        total=X.shape[0], desc="pass", unit=" rows", unit_scale=True, leave=False, disable=None
    ) as bar:

        def show(n_rows: int) -> None:
            if n_rows <= bar.n:
                bar.reset()
            bar.update(n_rows - bar.n)

        X.on_rows = show
        try:
            yield
        finally:
            del X.on_rows
