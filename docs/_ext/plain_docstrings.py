"""What this package's docstrings are, in reStructuredText.

They are written to be read in a terminal: text, `names`, and formulas that are indented. In
reStructuredText an indented block would be a quotation, and the stars of W**2 and the underscore
of coef_ would be markup. So indented blocks become literal ones, and such signs are escaped.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

_LISTS = ("Parameters", "Other Parameters", "Attributes", "Returns", "Yields", "Raises", "Warns")
_LEFT_ALONE = ("See Also", "Examples", "References")  # numpydoc's own syntax
_CODE = re.compile(r"(``[^`]+``|`[^`]+`)")
_MARKUP = re.compile(r"[*|]|(?<=\w)_(?!\w)")


def _escaped(line: str) -> str:
    """A line of text without accidental markup; what stands in backquotes is as it was."""
    parts = _CODE.split(line)
    return "".join(
        part if index % 2 else _MARKUP.sub(lambda sign: "\\" + sign[0], part)
        for index, part in enumerate(parts)
    )


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def translated(lines: list[str]) -> list[str]:
    """The lines of a docstring, formulas as literal blocks and text without accidental markup."""
    out: list[str] = []
    section, literal = "", False
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if re.fullmatch(r"-{3,}", following) and line and not _indent(line):
            section, literal = line, False
        elif section not in _LEFT_ALONE and line.strip() and not re.fullmatch(r"-{3,}", line):
            base = 4 if section in _LISTS else 0
            if _indent(line) <= base:
                literal = False
            elif not literal and not out[-1].strip():
                out += [" " * base + ".. code-block:: none", ""]
                literal = True
            if section in _LISTS and not _indent(line):
                name, colon, kind = line.partition(" : ")  # numpydoc escapes names
                line = name + colon + _escaped(kind) if colon else line
            elif not literal:
                line = _escaped(line)
        out.append(line)
    return out


def _process(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    if str(name).startswith("csoftmax"):
        lines[:] = translated(lines)


def _skip(app: Any, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Leave out what a class has from scikit-learn or PyTorch: their documentation has it."""
    elsewhere = not (getattr(obj, "__module__", None) or "csoftmax").startswith("csoftmax")
    return True if inspect.isroutine(obj) and elsewhere else None


def _signature(
    app: Any, what: str, name: str, obj: Any, options: Any, signature: str | None, returns: Any
) -> tuple[str, Any] | None:
    """Show the arguments of `__init__` where a class passes them on by `*args`."""
    if what != "class" or signature != "(*args, **kwargs)":
        return None
    parameters = list(inspect.signature(obj.__init__).parameters.values())[1:]
    bare = [parameter.replace(annotation=parameter.empty) for parameter in parameters]
    return str(inspect.Signature(bare)), returns


def setup(app: Any) -> dict[str, bool]:
    """Work before numpydoc does."""
    app.connect("autodoc-process-docstring", _process, priority=400)
    app.connect("autodoc-skip-member", _skip)
    app.connect("autodoc-process-signature", _signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
