"""Figures in colours for dark screens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from csoftmax.plot.drawing import FIXED, Figure, Line2D, Patch, Text, to_rgba

#: what has which colours
COLOURED = {
    Text: ("color",),
    Line2D: ("color", "markerfacecolor", "markeredgecolor"),
    Patch: ("facecolor", "edgecolor"),
}
DARKEST, LIGHTEST = 0.1, 0.9  #: of what is white and black by day


@contextmanager
def night(figure: Figure) -> Iterator[None]:
    """Give a figure colours for a dark screen, for as long as it is saved.

    Its ground is transparent, black words and lines are light, and all greys lie between. Colours
    stay, and so does what is written on them.

    Parameters
    ----------
    figure : matplotlib.figure.Figure

    Returns
    -------
    context manager
        At its end all colours are as they were.

    See Also
    --------
    ConfusionDisplay : Whose `figure_`, as that of each display, is such a figure.

    Examples
    --------
    >>> import io
    >>> from csoftmax.plot import ConfusionDisplay, night
    >>> display = ConfusionDisplay([[5, 1], [0, 4]]).plot()
    >>> with night(display.figure_):
    ...     display.figure_.savefig(io.BytesIO(), format="svg")
    >>> display.ax_.title.get_color()
    'black'
    """
    figure.draw_without_rendering()  # ticks are made when they are drawn
    grounds = [figure.patch, *(axes.patch for axes in figure.axes)]
    found = [
        (artist, name, getattr(artist, f"get_{name}")())
        for artist in figure.findobj()
        for kind, names in COLOURED.items()
        if isinstance(artist, kind) and artist.get_label() != FIXED
        for name in names
    ]
    try:
        for artist, name, before in found:
            is_ground = artist in grounds and name == "facecolor"
            getattr(artist, f"set_{name}")("none" if is_ground else _turned(before))
        yield
    finally:
        for artist, name, before in found:
            getattr(artist, f"set_{name}")(before)


def _turned(colour: Any) -> Any:
    """The grey that a grey becomes; what is no grey, or is not seen, as it is."""
    red, green, blue, alpha = to_rgba(colour)
    if not (red == green == blue and alpha > 0):
        return colour
    grey = LIGHTEST - (LIGHTEST - DARKEST) * red
    return grey, grey, grey, alpha
