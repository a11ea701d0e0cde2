"""Pages with examples for a package that is not installed are left out."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("torch") else ["pytorch.md"]
