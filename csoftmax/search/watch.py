"""Who watches a training: Ctrl-C, and a bar."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interrupts() -> Iterator[Callable[[], bool]]:
    """Have Ctrl-C noted, where it would be a KeyboardInterrupt; give what says whether it was."""
    asked = False

    def note(*_: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    usual = signal.default_int_handler
    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is usual
    )
    if ours:
        signal.signal(signal.SIGINT, note)
    try:
        yield lambda: asked
    finally:
        if ours:
            signal.signal(signal.SIGINT, usual)


@contextmanager
def bar(n_steps: int, n_models: int, *, show: bool) -> Iterator[Callable[[str], None]]:
    """Show a bar, on a terminal or in a notebook, where tqdm is installed; give what moves it."""
    try:
        if not show:
            raise ImportError
        from tqdm import tqdm
    except ImportError:
        yield lambda best: None
        return
    disable = None if "ipykernel" not in sys.modules else False  # a notebook is no terminal
    with tqdm(total=n_steps, desc="search", unit="step", leave=False, disable=disable) as shown:

        def move(best: str) -> None:
            shown.set_postfix_str(f"{n_models} models, {best}" if best else "", refresh=False)
            shown.update()

        yield move
