"""Submodules that are imported when they are first used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def on_first_use(package: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """A package's `__getattr__`.

    `names` maps each name to the module that defines it, or, for a submodule, to itself.
    """

    def getattr_(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(names[name])
        return module if module.__name__ == f"{package}.{name}" else getattr(module, name)

    return getattr_
