"""Reports: one HTML file for a screen of any width, for paper, and for a screen reader.

    page = Page("Title", [Section("Data", [Text("..."), Table(...), Picture...])])
    write(page, "report.html")

The file needs no other one and no network, and runs no script. What a report says is made of the
parts here, which know nothing of models; `csoftmax.report.html`, the only file that imports Jinja2,
makes HTML of them.
"""

from typing import TYPE_CHECKING

from csoftmax._lazy import on_first_use
from csoftmax.report.host import facts, machine
from csoftmax.report.parts import Cell, Facts, Gallery, Page, Part, Section, Table, Text
from csoftmax.report.pictures import Picture, is_picture

if TYPE_CHECKING:
    from csoftmax.report.html import render, write

__all__ = [
    "Cell",
    "Facts",
    "Gallery",
    "Page",
    "Part",
    "Picture",
    "Section",
    "Table",
    "Text",
    "facts",
    "is_picture",
    "machine",
    "render",
    "write",
]

if not TYPE_CHECKING:  # type checkers would take any name
    __getattr__ = on_first_use(
        __name__, {"render": "csoftmax.report.html", "write": "csoftmax.report.html"}
    )
