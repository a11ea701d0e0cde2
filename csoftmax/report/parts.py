"""What a report is made of: words and numbers, and in which order they are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from csoftmax.report.pictures import Picture

NARROW = 3  #: columns that a telephone shows, about


class Cell(NamedTuple):
    """A cell that stands out, and the word that says why, such as "best".

    See Also
    --------
    Table : Where it stands.
    """

    text: str
    mark: str


@dataclass(frozen=True)
class Text:
    """Prose: paragraphs, with empty lines between them.

    See Also
    --------
    Section : Where it stands.
    """

    text: str

    @property
    def paragraphs(self) -> list[str]:
        """Each paragraph, on one line."""
        return [" ".join(part.split()) for part in self.text.split("\n\n") if part.strip()]


@dataclass(frozen=True)
class Facts:
    """Names and what they are: a short list of them.

    See Also
    --------
    Section : Where it stands.
    facts : Those of this machine.
    """

    facts: Mapping[str, str]


@dataclass(frozen=True)
class Table:
    """Rows under heads. The first cell of a row is its head.

    Raises
    ------
    ValueError
        Without a caption, by which a screen reader calls the table; for rows of other lengths than
        the header's.

    See Also
    --------
    Cell : A cell that stands out.
    Section : Where it stands.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str | Cell]]

    def __post_init__(self) -> None:
        if not self.caption.strip():
            raise ValueError("caption is empty: wanted words that say what the table holds")
        for k, row in enumerate(self.rows):
            if len(row) != len(self.header):
                raise ValueError(
                    f"rows[{k}] has {len(row)} cells: wanted {len(self.header)}, as the header"
                )

    @property
    def scrolls(self) -> bool:
        """Whether a narrow screen shows a part of it: the keyboard must reach it then."""
        return len(self.header) > NARROW

    @property
    def numeric(self) -> list[bool]:
        """Whether a column holds numbers, which are aligned at the right."""
        columns = zip(*self.rows, strict=True) if self.rows else ([] for _ in self.header)
        return [_is_numeric([_words(cell) for cell in column]) for column in columns]


@dataclass(frozen=True)
class Gallery:
    """Small pictures beside each other, as many as the screen is wide.

    See Also
    --------
    Picture : What it shows.
    """

    pictures: Sequence[Picture]


@dataclass(frozen=True)
class Section:
    """A heading and what belongs under it, sections within it included.

    See Also
    --------
    Page : Where it stands.
    Text : One of its parts.
    """

    title: str
    parts: Sequence[Part] = ()


Part: TypeAlias = Text | Facts | Table | Picture | Gallery | Section


@dataclass(frozen=True)
class Page:
    """A report: its title, a line below it, and its sections.

    See Also
    --------
    Section : What it is made of.
    write : Makes a file of it.
    """

    title: str
    sections: Sequence[Section] = field(default_factory=list)
    subtitle: str = ""


def _words(cell: str | Cell) -> str:
    return cell.text if isinstance(cell, Cell) else cell


def _is_numeric(cells: Sequence[str]) -> bool:
    """Whether these are numbers, or empty, and not all of them are empty."""
    for cell in cells:
        try:
            float(cell.strip().removesuffix("%") or 0)
        except ValueError:
            return False
    return any(cell.strip() for cell in cells)
