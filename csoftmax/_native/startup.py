"""What a command line says where the package cannot be imported: one line, no traceback.

A wrong CSOFTMAX_ISA or CSOFTMAX_NUM_THREADS, or a broken build, is an exception of the import. In
Python that is as it should be. For `csoftmax` and `python -m csoftmax` it comes before any code of
`csoftmax.cli` can run: both import the package first.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

FAILED = 2  #: exit status after an error


@contextmanager
def one_line_for_commands() -> Iterator[None]:
    """Turn an error of the import into a line on stderr and exit status 2, for a command alone."""
    try:
        yield
    except (ImportError, ValueError) as error:
        if not _is_command():
            raise
        print(f"csoftmax: error: {' '.join(str(error).split())}", file=sys.stderr)
        raise SystemExit(FAILED) from None


def _is_command() -> bool:
    """Tell whether this process is `csoftmax ...` or `python -m csoftmax ...`."""
    argv = getattr(sys, "argv", None) or [""]  # an embedding program may have none
    if argv[0] == "-m":  # which it is until the module is found: -m, the module, its arguments
        module = sys.orig_argv[-len(argv)] if len(argv) <= len(sys.orig_argv) else ""
        return re.fullmatch(r"(-\w*m)?csoftmax", module) is not None
    return os.path.basename(argv[0]) in ("csoftmax", "csoftmax.exe")
