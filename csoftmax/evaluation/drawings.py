"""The pictures of pages: those of `csoftmax.plot`, or none where matplotlib is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from csoftmax.report import Picture, Text

NO_MATPLOTLIB = "its pictures need matplotlib, which is not installed: pip install matplotlib"


def drawn(
    draw: Callable[[Any], Any],
    what: str,
    *,
    caption: str = "",
    kind: Literal["svg", "webp"] | None = None,
) -> list[Picture]:
    """Return the picture of a display; none where matplotlib is missing.

    Parameters
    ----------
    draw : callable
        Takes `csoftmax.plot` and returns one of its displays.
    what : str
        What kind of picture it is: with the display's description, it stands for the picture where
        this is not seen.
    """
    plot = displays()
    if plot is None:
        return []
    display = draw(plot)
    alt = f"{what}: {display.description}."
    options: Any = {"caption": caption, "night": plot.night, "kind": kind}
    return [Picture.from_figure(display.figure_, alt=alt, **options)]


def displays() -> Any:
    """Return `csoftmax.plot`, or None where matplotlib is missing."""
    try:
        from csoftmax import plot
    except ImportError:
        return None
    return plot


def left_out() -> list[Text]:
    """Say what a page goes without."""
    return [] if displays() else [Text(f"This page has no drawings: {NO_MATPLOTLIB}.")]
