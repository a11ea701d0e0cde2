"""What this build is and what it uses here."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np

from csoftmax._native import dispatch, threads
from csoftmax._version import __version__


@overload
def show_config(mode: Literal["stdout"] = "stdout") -> None: ...
@overload
def show_config(mode: Literal["dicts"]) -> dict[str, Any]: ...
def show_config(mode: str = "stdout") -> dict[str, Any] | None:
    """Print the version, instruction set, OpenMP runtime and number of threads.

    Parameters
    ----------
    mode : {"stdout", "dicts"}
        "stdout" prints; "dicts" returns the same as a dictionary instead.

    Returns
    -------
    dict or None
        With mode="dicts": "version"; "numpy", its version; "compiler" of this build;
        "instruction_set" in use and "available" ones (the environment variable CSOFTMAX_ISA
        forces one of these); "openmp", the runtime, or None in a serial build; "n_threads",
        the most that a call uses if it is not told (CSOFTMAX_NUM_THREADS, else OMP_NUM_THREADS,
        else the cores that the process may use; 1 in a serial build and in a forked child).

    Raises
    ------
    ValueError
        If `mode` is something else.

    Examples
    --------
    >>> import csoftmax
    >>> config = csoftmax.show_config(mode="dicts")
    >>> config["instruction_set"] in config["available"]
    True
    """
    if mode not in ("stdout", "dicts"):
        raise ValueError(f"mode is {mode!r}: wanted 'stdout' or 'dicts'")
    config: dict[str, Any] = {
        "version": __version__,
        "numpy": np.__version__,
        "compiler": dispatch.compiler(),
        "instruction_set": dispatch.selected(),
        "available": list(dispatch.available()),
        "openmp": dispatch.openmp(),
        "n_threads": threads.default(),
    }
    if mode == "dicts":
        return config
    print(f"csoftmax {config['version']}")
    print(f"  numpy            {config['numpy']}")
    print(f"  compiler         {config['compiler']}")
    print(f"  instruction set  {config['instruction_set']} of {', '.join(config['available'])}")
    print(f"  OpenMP           {config['openmp'] or 'none: this build is serial'}")
    print(f"  threads          {config['n_threads']}")
    return None
