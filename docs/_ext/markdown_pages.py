"""How Markdown pages are read: files outside docs/ are pages, and links find them.

On GitHub the page `changes.md` is a link to CHANGELOG.md; on the site it is that file. Links in all
of these files are relative, as GitHub wants them, and lead to the pages here.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

#: Pages, and the files that they are.
PAGES = {
    "changes": "CHANGELOG.md",
    "contributing": "CONTRIBUTING.md",
    "fits": "benchmarks/FITS.md",
    "ladder": "ladder/README.md",
    "results": "benchmarks/RESULTS.md",
    "security": "SECURITY.md",
}
_TARGETS = {file: f"docs/{page}.md" for page, file in PAGES.items()}
_TARGETS |= {"README.md": "docs/index.md", "examples": "docs/howto/index.rst"}
_LINK = re.compile(r"(?<=\]\()([^)#\s]+)")
_END = re.compile(r"\n\n```$", re.MULTILINE)  # the empty line is doctest's


def on_site(target: str, folder: Path) -> str:
    """A link of a file in this folder, as it is from docs/."""
    if re.match(r"\w+:", target):
        return target
    path = os.path.relpath(folder / target, ROOT)
    script = re.fullmatch(r"examples/(tutorial|howto)/(\w+)\.py", path)
    path = f"docs/{script[1]}/{script[2]}.rst" if script else _TARGETS.get(path, path)
    return os.path.relpath(ROOT / path, ROOT / "docs")


def _read(app: Any, docname: str, source: list[str]) -> None:
    if "/" in docname or app.env.doc2path(docname).suffix != ".md":
        return
    file = ROOT / PAGES.get(docname, f"docs/{docname}.md")
    if docname in PAGES:
        app.env.note_dependency(str(file))
        source[0] = file.read_text(encoding="utf-8")
    source[0] = _LINK.sub(lambda link: on_site(link[0], file.parent), source[0])
    source[0] = _END.sub("\n```", source[0])


def setup(app: Any) -> dict[str, bool]:
    """Rewrite pages as they are read."""
    app.connect("source-read", _read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
