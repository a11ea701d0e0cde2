"""Small tables in HTML, which notebooks show in the place of a repr."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any


def table(
    caption: str, rows: Iterable[Sequence[Any]], head: Sequence[str] = (), link: str = ""
) -> str:
    """A table; without a head, the first cell of each row is its heading.

    `link` is the address of a page about it, behind the caption.
    """
    text = escape(caption)
    if link:
        text += f' <a rel="noreferrer" target="_blank" href="{escape(link)}">documentation</a>'
    lines = [f'<caption style="text-align: left">{text}</caption>']
    if head:
        lines.append("<tr>" + "".join(f'<th scope="col">{escape(h)}</th>' for h in head) + "</tr>")
    for first, *others in rows:
        kind = "<td>{}</td>" if head else '<th scope="row" style="text-align: left">{}</th>'
        cells = [kind.format(escape(str(first)))]
        cells += [f'<td style="text-align: left">{escape(str(cell))}</td>' for cell in others]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return f"<table>{''.join(lines)}</table>"


def few(names: Iterable[Any], most: int = 5) -> str:
    """The first of several names, with dots for the others."""
    known = [str(name) for name in names]
    return ", ".join(known[:most]) + (", ..." if len(known) > most else "")
