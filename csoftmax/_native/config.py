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
    """Print the version, the instruction set, and the threads: how many, whose, how they wait.

    Parameters
    ----------
    mode : {"stdout", "dicts"}
        "stdout" prints; "dicts" returns the same as a dictionary instead.

    Returns
    -------
    dict or None
        With mode="dicts": "version"; "numpy", its version; "compiler" of this build;
        "instruction_set" in use and "available" ones (the environment variable CSOFTMAX_ISA
        forces one of these); "openmp", the runtime in a build that uses one, else None: the kernels
        have threads of their own; "n_threads", the most that a call uses if it is not told
        (CSOFTMAX_NUM_THREADS, else OMP_NUM_THREADS, else the cores that the process may use);
        "waiting", how threads wait for the next call (OMP_WAIT_POLICY=passive: they sleep at once,
        active: they look out for it for 10 ms).

    Raises
    ------
    ValueError
        If `mode` is something else.

    See Also
    --------
    csoftmax.bench : What this machine makes of it.

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
        "waiting": threads.waiting(),
    }
    if mode == "dicts":
        return config
    print(f"csoftmax {config['version']}")
    print(f"  numpy            {config['numpy']}")
    print(f"  compiler         {config['compiler']}")
    print(f"  instruction set  {config['instruction_set']} of {', '.join(config['available'])}")
    own = "the kernels' own" if dispatch.parallel() else "this build is serial"
    print(f"  threads          {config['n_threads']}, {config['openmp'] or own}")
    print(f"  waiting threads  {config['waiting']}")
    return None
