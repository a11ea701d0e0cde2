"""Files that are there as a whole or not at all."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import IO

# Windows refuses to rename what another program has open, be it for a moment: to look for viruses,
# to index or synchronise it.
_WAITS = tuple(0.01 * 2**k for k in range(7)) if sys.platform == "win32" else ()  # 1.3 seconds


def patient(rename: Callable[[Path], object], place: Path) -> None:
    """Call a path's rename or replace, on Windows again where another program is in the way."""
    for wait in _WAITS:
        try:
            rename(place)
        except PermissionError:
            time.sleep(wait)
        else:
            return
    rename(place)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A file to write, which takes the place of `path` when it is whole and on the disk.

    Until then, and whatever is raised, there is what was there before. A link stays one, and who
    may read and write a file stays as it was. Killed meanwhile, the process leaves a file
    PATH.*.tmp.
    """
    place = Path(os.path.realpath(path))
    if not place.parent.is_dir():
        raise FileNotFoundError(f"{place} cannot be written: {place.parent} is no folder")
    if place.is_dir():
        raise IsADirectoryError(f"{place} cannot be written: it is a folder")
    if place.exists() and not place.is_file():  # root's /dev/null would become one
        raise OSError(f"{place} cannot be written: it is no regular file")
    temporary = place.with_name(f"{place.name}.{token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            with suppress(OSError):  # a new file, or a file system without modes
                temporary.chmod(stat.S_IMODE(place.stat().st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        patient(temporary.replace, place)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
