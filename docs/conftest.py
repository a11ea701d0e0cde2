"""Pages with examples for a package that is not installed are left out, and what Sphinx needs."""

from importlib.util import find_spec

NEEDED = {"torch": "pytorch.md", "matplotlib": "plots.md"}
collect_ignore = [page for package, page in NEEDED.items() if not find_spec(package)]
collect_ignore += ["conf.py", "_ext", "howto", "tutorial"]  # the last two are made of examples/
