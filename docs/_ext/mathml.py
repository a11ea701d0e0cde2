"""Formulas as MathML, which browsers show by themselves and screen readers read.

Sphinx's own way is a script from another server, which neither a machine without a network nor
a reader without scripts has.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError, latex2mathml
from sphinx.util import logging

logger = logging.getLogger(__name__)


#: TeX's large delimiters, of which docutils knows those with a side.
_LARGE = re.compile(r"\\([bB]igg?)(?![a-zA-Z])")
#: A fraction of two digits, which docutils takes for a number: 12 over what follows.
_DIGITS = re.compile(r"\\frac(\d)(\d)")
#: The name of a function before what is no parenthesis, from which browsers keep no distance.
_NAME = re.compile(
    r"(<mi>(?:log|exp)</mi>\s*<mo>&ApplyFunction;</mo>)(?!\s*<mo stretchy=\"false\">\()"
)
#: The sign of a transposed matrix, which many fonts have far above the line.
_TRANSPOSED = "<mi>\N{DOWN TACK}</mi>", '<mi mathvariant="normal">T</mi>'


def mathml(tex: str, *, as_block: bool) -> str:
    """A formula of TeX as MathML."""
    tex = _DIGITS.sub(r"\\frac{\1}{\2}", _LARGE.sub(r"\\\1l", tex))
    found = latex2mathml.tex2mathml(tex, as_block=as_block).replace(*_TRANSPOSED)
    return _NAME.sub(r'\1<mspace width="0.17em"/>', found)


def _mathml(node: nodes.math | nodes.math_block, as_block: bool) -> str:
    try:
        return mathml(node.astext(), as_block=as_block)
    except MathError as error:
        logger.warning("%s in the formula %s", error, node.astext(), location=node)
        return node.astext()


def _inline(writer: Any, node: nodes.math) -> None:
    writer.body.append(_mathml(node, as_block=False))
    raise nodes.SkipNode


def _block(writer: Any, node: nodes.math_block) -> None:
    writer.body.append(f'<div class="math">{_mathml(node, as_block=True)}</div>')
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    """Offer it to Sphinx as `html_math_renderer`."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
