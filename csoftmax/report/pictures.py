"""Pictures as a page holds them: drawings of matplotlib, and arrays of pixels."""

from __future__ import annotations

import io
import struct
import zlib
from base64 import b64encode
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

PIXELS_PER_INCH = 96.0  # of CSS
SHARP = 1.5  # pixels for each of CSS, of WebP and of images within SVG
MOST_SVG = 80_000  #: bytes of a drawing, in base64
#: width at which an image of a few pixels is shown, about
SHOWN = 112
#: of its natural width, how small a drawing becomes before it is scrolled instead: text of 10
#: points is as high as that of 7.5 then
LEAST = 0.75
NARROW = 320  #: CSS pixels that a telephone shows beside its margins, about


class Figure(Protocol):
    """What is asked of matplotlib's figures."""

    def savefig(self, fname: Any, **options: Any) -> Any:
        """Write the figure."""

    def get_size_inches(self) -> Any:
        """Width and height."""

    def get_layout_engine(self) -> Any:
        """What places its parts."""

    def set_layout_engine(self, layout: Any) -> Any:
        """Change that."""


@dataclass(frozen=True)
class Picture:
    """A picture, with the words that stand for it where it cannot be seen.

    Made by `from_figure` or `from_pixels`.

    Attributes
    ----------
    source : str
        A data URI.
    alt : str
        What there is to see, in words.
    caption : str
        Shown below; empty for none.
    width, height : int
        At which it is shown, in CSS pixels.
    dark : str or None
        A data URI for dark screens.
    is_pixels : bool
        Whether pixels are to be seen as squares.

    See Also
    --------
    Gallery : Several beside each other.
    Section : Where it stands.
    """

    source: str = field(repr=False)
    alt: str
    caption: str = ""
    width: int = 0
    height: int = 0
    dark: str | None = field(default=None, repr=False)
    is_pixels: bool = False

    def __post_init__(self) -> None:
        if not self.alt.strip():
            raise ValueError("alt is empty: wanted words that say what there is to see")

    @property
    def least_width(self) -> int:
        """As small as it may become; below, it is scrolled."""
        return self.width if self.is_pixels else round(LEAST * self.width)

    @property
    def scrolls(self) -> bool:
        """Whether a narrow screen shows a part of it: the keyboard must reach it then."""
        return self.least_width > NARROW

    @classmethod
    def from_figure(
        cls,
        figure: Figure,
        *,
        alt: str,
        caption: str = "",
        night: Callable[[Any], AbstractContextManager[object]] | None = None,
        kind: Literal["svg", "webp"] | None = None,
    ) -> Picture:
        """Draw a figure of matplotlib.

        Parameters
        ----------
        figure : matplotlib.figure.Figure
        alt : str
            What there is to see, in words.
        caption : str
        night : callable, optional
            Within ``with night(figure):`` the figure has colours for dark screens. Without it, it
            has its white ground there too.
        kind : {None, "svg", "webp"}
            Words and a few lines are smallest and sharpest as SVG; images, surfaces and long lines
            as WebP, without loss. None: SVG, if that takes no more than 80 kB.

        Returns
        -------
        Picture

        Raises
        ------
        ValueError
            Where `alt` is empty.
        """
        width, height = (round(PIXELS_PER_INCH * size) for size in figure.get_size_inches())
        source, dark = _drawn(figure, kind or "svg"), None
        layout = figure.get_layout_engine()
        figure.set_layout_engine("none")  # it is laid out, which takes more time than to draw it
        if kind is None and len(source) > MOST_SVG:
            source, kind = _drawn(figure, "webp"), "webp"
        if night is not None:
            with night(figure):
                dark = _drawn(figure, kind or "svg")
        figure.set_layout_engine(layout)
        return cls(source, alt, caption, width, height, dark)

    @classmethod
    def from_pixels(
        cls,
        pixels: npt.ArrayLike,
        *,
        alt: str,
        caption: str = "",
        low: float | None = None,
        high: float | None = None,
    ) -> Picture:
        """Show an array, each of its entries as a square.

        Parameters
        ----------
        pixels : (H, W), (H, W, 1) or (H, W, 3) array_like
            Grey, or red, green and blue.
        alt : str
            What there is to see, in words.
        caption : str
        low, high : float, optional
            What is black, and what is white (or full red, green, blue): 0 and 255 for uint8, the
            least and the largest entry for other numbers.

        Returns
        -------
        Picture

        Raises
        ------
        ValueError
            For another shape, entries that are no finite numbers, and an empty `alt`.

        Examples
        --------
        >>> from csoftmax.report import Picture
        >>> Picture.from_pixels([[0, 1], [1, 0]], alt="A board of two by two fields.")
        Picture(alt='A board of two by two fields.', caption='', width=112, height=112, ...)
        """
        array = np.asarray(pixels)
        if not is_picture(array.shape):
            raise ValueError(f"pixels have shape {array.shape}: wanted (H, W) or (H, W, 3)")
        if array.shape[2:] == (1,):
            array = array[..., 0]
        height, width = array.shape[:2]
        scale = max(1, round(SHOWN / max(height, width)))
        content = png(_bytes(array, low, high))
        source = _uri("image/png", content)
        return cls(source, alt, caption, scale * width, scale * height, is_pixels=True)


def is_picture(shape: Sequence[int]) -> bool:
    """Whether pixels have such a shape: height and width, in grey or in three colours.

    Parameters
    ----------
    shape : sequence of int

    Returns
    -------
    bool

    See Also
    --------
    Picture : Made of such pixels by `from_pixels`.

    Examples
    --------
    >>> from csoftmax.report import is_picture
    >>> is_picture((28, 28)), is_picture((784,))
    (True, False)
    """
    return len(shape) in (2, 3) and tuple(shape[2:]) in ((), (1,), (3,)) and 0 not in shape


def png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Return grey or coloured pixels as a PNG file (W3C's recommendation, section 11.2)."""
    height, width = pixels.shape[:2]
    lines = np.zeros((height, 1 + pixels[0].size), np.uint8)  # of each, byte 0: no filter
    lines[:, 1:] = pixels.reshape(height, -1)
    colours = 2 if pixels.ndim == 3 else 0
    head = struct.pack(">IIBBBBB", width, height, 8, colours, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def _bytes(array: npt.NDArray[Any], low: float | None, high: float | None) -> npt.NDArray[np.uint8]:
    """Scale to 0 to 255."""
    if array.dtype == np.uint8 and low is None and high is None:
        return array
    values = array.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("pixels hold NaN or infinity: wanted finite numbers")
    low = float(values.min()) if low is None else low
    high = float(values.max()) if high is None else high
    scaled = (values - low) / (high - low or 1.0)
    return np.round(255 * scaled.clip(0, 1)).astype(np.uint8)


def _drawn(figure: Figure, kind: Literal["svg", "webp"]) -> str:
    """Save a figure, as a data URI."""
    file = io.BytesIO()
    dpi = SHARP * PIXELS_PER_INCH
    if kind == "svg":
        figure.savefig(file, format="svg", dpi=dpi, metadata={"Date": None})
        return _uri("image/svg+xml", file.getvalue())
    # less than half of what PNG takes
    figure.savefig(file, format="webp", dpi=dpi, pil_kwargs={"lossless": True})
    return _uri("image/webp", file.getvalue())


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{b64encode(content).decode('ascii')}"
