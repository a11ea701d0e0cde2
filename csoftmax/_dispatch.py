"""Which compiled kernels serve this process: one variant per instruction set, picked once.

The variants are the same source, compiled for the whole of an x86-64 level. What this processor and
this operating system can run is known from `csoftmax._cpu` alone, so that no module is loaded
which could hold an instruction too many. A variant that is not in the build is not listed; one that
is there but does not load is an ImportError, because csoftmax that is silently slow helps nobody.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

try:
    import csoftmax._cpu as _cpu
except ModuleNotFoundError as error:
    raise ImportError(
        "csoftmax has no compiled modules here: this is its source tree, which is to be built and "
        "installed (pip install .) and then imported from another folder"
    ) from error

# Variant -> module and the x86-64 level it needs, slowest first.
_VARIANTS = {
    "baseline": ("csoftmax._kernels", 0),
    "v3": ("csoftmax._kernels_v3", 3),
    "v4": ("csoftmax._kernels_v4", 4),
}
_TYPES = {"f": "float", "d": "double"}

_isa: str
_module: ModuleType
_kernels: dict[tuple[str, str], Callable[..., Any]] = {}


def available() -> tuple[str, ...]:
    """Return the variants that are built and that can run here, slowest first."""
    level = _cpu.level()
    return tuple(
        isa
        for isa, (module, needs) in _VARIANTS.items()
        if level >= needs and importlib.util.find_spec(module) is not None
    )


def selected() -> str:
    """Return the name of the variant in use."""
    return _isa


def select(isa: str) -> None:
    """Use the variant `isa` from now on.

    Raises
    ------
    ImportError
        If `isa` is unknown, not built, or not for this processor; or if its module does not load.
    """
    global _isa, _module
    names = available()
    if isa not in names:
        raise ImportError(
            f"instruction set {isa!r} (CSOFTMAX_ISA) is not available here: "
            f"wanted one of {', '.join(names)}"
        )
    path = _VARIANTS[isa][0]
    try:
        module = importlib.import_module(path)
    except Exception as error:
        others = ", ".join(name for name in names if name != isa) or "none"
        raise ImportError(
            f"{path} is there but does not load: {error}. Reinstall csoftmax "
            f"(CSOFTMAX_ISA forces another instruction set; there are: {others})"
        ) from error
    _kernels.clear()
    _isa, _module = isa, module


def kernel(name: str, char: str) -> Callable[..., Any]:
    """Return the compiled function `name` for the dtype.char 'f' or 'd'.

    Looked up once: the choice by the arguments' types that Cython makes in each call of a fused
    function costs 0.4 us more.
    """
    try:
        return _kernels[name, char]
    except KeyError:
        function: Callable[..., Any] = getattr(_module, name)[_TYPES[char]]
        _kernels[name, char] = function
        return function


def function(name: str) -> Callable[..., Any]:
    """Return the compiled function `name`, one that is not fused."""
    found: Callable[..., Any] = getattr(_module, name)
    return found


def constant(name: str) -> Any:
    """Return a constant of the kernels."""
    return getattr(_module, name)


def openmp() -> str | None:
    """Return the OpenMP runtime of the kernels and its version, or None in a serial build."""
    if not _module.OPENMP:
        return None
    runtime = "libomp" if compiler().startswith("clang") else "libgomp"
    return f"{runtime} ({_module.OPENMP})"


def compiler() -> str:
    """Return the compiler of this build and its version."""
    return _cpu.COMPILER


select(os.environ.get("CSOFTMAX_ISA") or available()[-1])
