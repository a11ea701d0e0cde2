"""What all pictures share: matplotlib, colours, and where they are drawn.

The one file that imports matplotlib, and without pyplot's state: a figure belongs to who asked for
it. (scikit-learn's displays import pyplot, and so nothing here is built upon them.)
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

try:
    from matplotlib import colormaps
    from matplotlib.axes import Axes
    from matplotlib.colors import PowerNorm, to_rgb, to_rgba
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch, Rectangle
    from matplotlib.text import Text
except ImportError as error:
    raise ImportError(
        "the pictures need matplotlib, which is not installed: pip install matplotlib"
    ) from error

__all__ = [
    "COLOURS",
    "FIXED",
    "MAP",
    "MARKERS",
    "MAX_TEXTS",
    "Axes",
    "Display",
    "Figure",
    "Line2D",
    "Patch",
    "Text",
    "colormaps",
    "heat_map",
    "line_style",
    "name_ticks",
    "short",
    "to_rgb",
    "to_rgba",
]

Array = NDArray[Any]

MAP = "cividis"  #: from dark to bright, for all colour vision and in grey; also for two signs
DPI = 110
NAME = 22  #: characters of a name beside an axis
MAX_TEXTS = 20  #: cells in a row of a heat map, beyond which they have no texts
MAX_TICKS = 30
FIXED = "_fixed"  #: label of what is drawn on colours, and keeps its own on dark screens

#: Okabe and Ito's, for all colour vision, beginning with those that differ most in grey.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#000000", "#F0E442")
DASHES = ("-", "--", "-.", ":")
MARKERS = "osD^vP*X"
LUMINANCE = (0.2126, 0.7152, 0.0722)  #: of red, green and blue


class Display:
    """A picture that `plot` draws, on axes of its own or on the caller's.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        After `plot`.
    axes_ : list of matplotlib.axes.Axes
        All of the picture, after `plot`; those of colour bars are not among them.
    ax_ : matplotlib.axes.Axes
        The first of them.
    """

    figure_: Figure
    axes_: list[Axes]
    _own: bool  # whether the figure is the display's

    @property
    def ax_(self) -> Axes:
        """The first of the axes."""
        return self.axes_[0]

    @property
    def description(self) -> str:
        """What is to be seen, in words: for those who see no picture."""
        raise NotImplementedError

    def plot(self, ax: Any = None) -> Any:
        """Draw it."""
        raise NotImplementedError

    def _begin(
        self, ax: Any, shape: tuple[int, int], size: tuple[float, float], **options: Any
    ) -> list[Axes]:
        """Note where to draw: a new figure with rows and columns of axes, or the caller's axes."""
        self._own = ax is None
        if ax is None:
            figure = Figure(figsize=size, layout="constrained")
            axes = list(figure.subplots(*shape, squeeze=False, **options).flat)
        else:
            axes = _given(ax, shape[0] * shape[1])
            figure = cast(Figure, axes[0].figure)  # or a part of one, which has what it has
        self.figure_, self.axes_ = figure, axes
        return axes

    def _title(self, text: str) -> None:
        """A title of the whole, where the figure is the display's; else of the first axes."""
        if self._own and len(self.axes_) > 1:
            self.figure_.suptitle(text)
        elif len(self.axes_) == 1:
            self.ax_.set_title(text)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.description})"

    def _repr_html_(self) -> str | None:
        """The picture, in a notebook; nothing where it is on the caller's axes, who shows them."""
        if not hasattr(self, "figure_"):
            self.plot()
        if not self._own:
            return None
        stream = io.BytesIO()
        self.figure_.savefig(stream, format="png", dpi=DPI)
        data = base64.b64encode(stream.getvalue()).decode("ascii")
        text = html.escape(self.description, quote=True)
        return f'<img alt="{text}" style="max-width: 100%" src="data:image/png;base64,{data}">'


def _given(ax: Any, wanted: int) -> list[Axes]:
    """The caller's axes: as many as wanted."""
    axes = list(np.asarray(ax, object).flat)
    for each in axes:
        if not isinstance(each, Axes):
            raise TypeError(f"ax is {type(each).__name__}: wanted axes of matplotlib")
    if len(axes) != wanted:
        raise ValueError(f"ax holds {len(axes)} axes: wanted {wanted}, one for each part")
    return axes


def line_style(k: int) -> dict[str, Any]:
    """How the k-th line looks: it differs from the others in colour, in dash and in marker."""
    return {
        "color": COLOURS[k % len(COLOURS)],
        "linestyle": DASHES[k % len(DASHES)],
        "marker": MARKERS[k % len(MARKERS)],
    }


def short(name: Any, width: int = NAME) -> str:
    """A name that is not too long to stand beside an axis."""
    text = str(name)
    return text if len(text) <= width else text[: width - 1] + "…"


def name_ticks(axis: Any, names: Sequence[Any], most: int = MAX_TICKS, **options: Any) -> None:
    """Name the ticks of an x or y axis: one of several, where there are more than so many."""
    step = -(-len(names) // most)
    axis.set_ticks(range(0, len(names), step), [short(name) for name in names[::step]], **options)


def heat_map(
    axes: Axes,
    values: Array,
    texts: Sequence[Sequence[str]] | None,
    limits: tuple[float, float],
    *,
    colours: str = MAP,
    power: float = 1.0,
    marked: tuple[int, int] | None = None,
    fontsize: Any = "small",
) -> Any:
    """Draw values as colours, with texts on them; return what a colour bar is made from.

    A power below 1 of the values' places in the limits tells small ones apart.
    """
    image = axes.imshow(
        values,
        cmap=colormaps[colours].with_extremes(bad="white"),
        norm=PowerNorm(power, *limits),
        aspect="auto",
    )
    ground = image.to_rgba(values)[..., :3] @ LUMINANCE
    for row, of_row in enumerate(texts or ()):
        for column, text in enumerate(of_row):
            axes.text(
                column,
                row,
                text,
                ha="center",
                va="center",
                fontsize=fontsize,
                fontweight="bold" if (row, column) == marked else "normal",
                color="black" if ground[row, column] > 0.4 else "white",
                label=FIXED,
            )
    if marked is not None:
        row, column = marked
        for color, width in (("white", 4.5), ("black", 2.5)):
            frame = Rectangle((column - 0.5, row - 0.5), 1, 1, label=FIXED)
            frame.set(fill=False, edgecolor=color, linewidth=width, zorder=3)
            axes.add_patch(frame)
    return image
