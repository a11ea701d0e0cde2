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


def _mathml(node: nodes.math | nodes.math_block, as_block: bool) -> str:
    formula = _LARGE.sub(r"\\\1l", node.astext())
    try:
        return latex2mathml.tex2mathml(formula, as_block=as_block)
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
