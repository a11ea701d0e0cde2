"""Which example scripts are run while the site is built: those whose packages are installed.

A script that imports one that is not is shown without its output. What it imports only where it
finds it (in an `if`) does not count.
"""

from __future__ import annotations

import ast
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parents[2] / "examples"
FOLDERS = ("tutorial", "howto")
_BEHIND = {"csoftmax.torch": "torch", "csoftmax.dask": "distributed"}


def wanted(script: Path) -> set[str]:
    """Packages without which a script cannot run."""
    names = set()
    for node in ast.parse(script.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {_BEHIND.get(name, name.split(".")[0]) for name in names}


class AsListed:
    """Pages in the order in which their folder's README.txt names them, others by name."""

    def __init__(self, folder: str) -> None:
        self._list = Path(folder, "README.txt")

    def __call__(self, script: str) -> tuple[int, str]:
        """What the pages are sorted by."""
        return self._list.read_text(encoding="utf-8").find(script), script


def _configure(app: Any, config: Any) -> None:
    scripts = [path for name in FOLDERS for path in sorted((EXAMPLES / name).glob("*.py"))]
    run = [path.name for path in scripts if all(map(find_spec, wanted(path)))]
    config.sphinx_gallery_conf = {
        "examples_dirs": [str(EXAMPLES / name) for name in FOLDERS],
        "gallery_dirs": list(FOLDERS),
        "filename_pattern": "/(" + "|".join(map(re.escape, run)) + ")$",
        "within_subsection_order": "gallery_scripts.AsListed",
        "download_all_examples": False,
        "show_signature": False,
        "show_memory": False,
        "remove_config_comments": True,
    }


def setup(app: Any) -> dict[str, bool]:
    """Tell sphinx-gallery, before it looks."""
    app.connect("config-inited", _configure, priority=1)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
