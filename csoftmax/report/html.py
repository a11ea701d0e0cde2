"""Pages as HTML. The only file that imports Jinja2."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from csoftmax._atomic import replacing
from csoftmax.report.parts import Cell, Page

try:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup
except ImportError as error:
    raise ImportError(
        "the HTML report needs Jinja2, which is not installed: pip install jinja2"
    ) from error


def render(page: Page) -> str:
    """Return a page as the text of an HTML file.

    Parameters
    ----------
    page : Page

    Returns
    -------
    str
        All that the page's parts say is escaped: a label such as ``<script>`` is shown.

    Raises
    ------
    ImportError
        Where Jinja2 is missing.

    See Also
    --------
    write : To a file.
    Page : What is rendered.

    Examples
    --------
    >>> from csoftmax.report import Page, render
    >>> "<h1>Nothing</h1>" in render(Page("Nothing"))
    True
    """
    text: str = _environment().get_template("page.html.jinja").render(page=page)
    return text


def write(page: Page, path: str | os.PathLike[str]) -> None:
    """Write a page to a file, which is there as a whole or not at all.

    Parameters
    ----------
    page : Page
    path : str or path
        What was there is replaced.

    Raises
    ------
    ImportError
        Where Jinja2 is missing.
    OSError
        Where the file cannot be written.

    See Also
    --------
    render : As text.
    Page : What is written.

    Examples
    --------
    >>> import os, tempfile
    >>> from csoftmax.report import Page, Section, Text, write
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(Page("Of a model", [Section("Data", [Text("150 rows.")])]), f"{folder}/a.html")
    ...     os.listdir(folder)
    ['a.html']
    """
    text = render(page)
    with replacing(path) as file:
        file.write(text.encode("utf-8", "replace"))  # a lone surrogate, as of a file's odd name


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = _prose
    environment.tests["cell"] = lambda value: isinstance(value, Cell)
    environment.filters["kind"] = lambda part: type(part).__name__
    return environment


def _prose(text: str) -> Markup:
    """Escape a paragraph; what stands between backticks is code."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:  # one of them has no other
        return Markup.escape(text)
    code = Markup("<code>{}</code>")
    parts = [code.format(p) if k % 2 else Markup.escape(p) for k, p in enumerate(pieces)]
    return Markup("").join(parts)
