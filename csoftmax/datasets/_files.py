"""What the readers share: opening files, plain or gzip'd, and refusing them by name."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import IO, cast

GZIP_MAGIC = b"\x1f\x8b"
START = 512  # bytes that tell the kind of a file; the mark of a tar is at 257
_CHUNK = 1 << 20  # bytes


def brief(value: object) -> str:
    """Give the repr of what a file holds, short enough for an error message."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def check_file(path: str | PathLike[str], wanted: str) -> Path:
    """Return path as a Path to an existing, non-empty file, or raise an error that names it."""
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: wanted {wanted}")
    if not path.is_file():
        raise ValueError(f"{path} is not a file: wanted {wanted}")
    if not path.stat().st_size:
        raise ValueError(f"{path} is empty: wanted {wanted}")
    return path


def check_folder(path: str | PathLike[str], wanted: str) -> Path:
    """Return path as a Path to an existing folder, or raise an error that names it."""
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: wanted {wanted}")
    if not path.is_dir():
        raise ValueError(f"{path} is not a folder: wanted {wanted}")
    return path


@contextmanager
def unzipped(path: Path, wanted: str) -> Iterator[IO[bytes]]:
    """Open a file, through gzip where its first bytes say so; damaged gzip is a ValueError."""
    with path.open("rb") as raw:
        zipped = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        # GzipFile is an IO[bytes] in all that is used here, but not to the type checker.
        stream = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if zipped else raw
        try:
            yield stream
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(
                f"{path} is cut short or damaged ({error}): wanted {wanted}"
            ) from error


def start_of(path: Path, wanted: str) -> bytes:
    """Return the first bytes of a file, at most START, unzipped where it is gzip'd."""
    with unzipped(path, wanted) as stream:
        return stream.read(START)


def read_at_most(stream: IO[bytes], limit: int) -> bytearray:
    """Read up to limit bytes, with memory for what is there, not for what a header claims."""
    data = bytearray()
    while len(data) < limit:
        chunk = stream.read(min(_CHUNK, limit - len(data)))
        if not chunk:
            break
        data += chunk
    return data
