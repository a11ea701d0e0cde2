"""Which compiled kernels serve this process: one variant per instruction set, picked once.

The variants are the same source: "baseline", and "v3" and "v4", compiled for the whole of an x86-64
level; on aarch64 there is one, "neon". What this processor and this operating system can run is
known from `csoftmax._cpu` alone, so that no module is loaded which could hold an instruction too
many. A variant that is not in the build is not listed; one that is there but does not load is an
ImportError, because csoftmax that is silently slow helps nobody.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from types import ModuleType

try:
    import csoftmax._cpu as _cpu
except ModuleNotFoundError as error:
    raise ImportError(
        "csoftmax has no compiled modules here: this is its source tree, which is to be built and "
        "installed (pip install .) and then imported from another folder"
    ) from error

# Variant -> module and the x86-64 level it needs, slowest first.
_VARIANTS = {
    _cpu.BASELINE: ("csoftmax._kernels", 0),
    "v3": ("csoftmax._kernels_v3", 3),
    "v4": ("csoftmax._kernels_v4", 4),
}

#: The compiled module in use (_kernels.pyi); to be read at each call, for `select` replaces it.
kernels: ModuleType
_isa: str


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


def select(isa: str, asked_by: str = "") -> None:
    """Use the variant `isa` from now on; `asked_by` names who wants it, in an error.

    Raises
    ------
    ImportError
        If `isa` is unknown, not built, or not for this processor; or if its module does not load.
    """
    global _isa, kernels
    names = available()
    if isa not in names:
        raise ImportError(
            f"instruction set {isa!r}{asked_by} is not available here: "
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
    _isa, kernels = isa, module


def openmp() -> str | None:
    """Return the OpenMP runtime of the kernels and its version, or None where there is none."""
    if not kernels.OPENMP:
        return None
    runtime = "libomp" if compiler().startswith("clang") else "libgomp"
    return f"{runtime} ({kernels.OPENMP})"


def parallel() -> bool:
    """Return whether the kernels have threads: their own, or OpenMP's."""
    return bool(kernels.OWN_THREADS or kernels.OPENMP)


def compiler() -> str:
    """Return the compiler of this build and its version."""
    return _cpu.COMPILER


if _forced := os.environ.get("CSOFTMAX_ISA"):
    select(_forced, " (CSOFTMAX_ISA)")
else:
    select(available()[-1])
