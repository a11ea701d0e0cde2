"""What the readers share: which files they open, how far these may grow, how they are refused.

No more than a ValueError or an OSError leaves a reader, and it names the file: `reading` stands
around all that other people's code does with a file's bytes.
"""

import errno
import gzip
import io
import stat
import struct
import sys
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from operator import index
from os import PathLike
from pathlib import Path
from typing import IO, Any, cast

GZIP_MAGIC = b"\x1f\x8b"
BZIP_MAGIC = b"BZh"
START = 512  # bytes that tell the kind of a file; the mark of a tar is at 257

#: What a file may grow to where the caller says nothing. EMNIST's largest, 698 thousand images of
#: 28 x 28, takes 547 MB.
MAX_BYTES = 1 << 30

_CHUNK = 1 << 20  # bytes

# What the libraries below raise about a file that is damaged, foreign or made to harm.
DAMAGE = (
    ValueError,
    ArithmeticError,  # sizes that no integer of C holds
    LookupError,
    MemoryError,  # shapes that no machine holds
    EOFError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
    NotImplementedError,  # zip: a method that nobody knows
    RuntimeError,  # zip: a password is wanted; npy: brackets too deep
    # NumPy reads the header of an npy file as a Python expression.
    SyntaxError,
    TypeError,
    tokenize.TokenError,
    SystemError,  # npy: text of code points that do not exist
)

# And numbers that an OSError then has. gzip and bz2 give none, zipfile looks for a place before the
# file's start, and Windows has not enough memory for a map that is longer than its file. Other
# numbers are the disk's.
_DAMAGE_NUMBERS = (None, errno.EINVAL, *((errno.ENOMEM,) if sys.platform == "win32" else ()))

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def brief(value: object) -> str:
    """Give the repr of what a file holds, short enough for an error message."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def check_file(path: str | PathLike[str], wanted: str) -> Path:
    """Return path as a Path to an existing, non-empty file, or raise an error that names it.

    What is no regular file is refused here, before it is opened: to open a FIFO is to wait until
    somebody writes.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: wanted {wanted}")
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise ValueError(f"{path} is {kind}, not a file: wanted {wanted}")
    if not status.st_size:
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


def check_max_bytes(max_bytes: int) -> int:
    """Return max_bytes as an int, or raise an error that says what was wanted."""
    try:
        number = index(max_bytes)
    except TypeError:
        raise TypeError(f"max_bytes is {brief(max_bytes)}: wanted a positive integer") from None
    if number < 1 or isinstance(max_bytes, bool):
        raise ValueError(f"max_bytes is {brief(max_bytes)}: wanted a positive integer")
    return number


@contextmanager
def reading(where: object, wanted: str) -> Iterator[None]:
    """Name the file, and what was wanted, in all that is raised about its contents.

    What is raised inside says only what was seen: where such guards nest, the file is named twice.
    """
    try:
        yield
    except (*DAMAGE, OSError) as error:
        raise refusal(error, where, wanted) from error


def refusal(error: BaseException, where: object, wanted: str) -> Exception:
    """Return the error that a reader raises in the place of one that some library raised."""
    if isinstance(error, OSError) and error.errno not in _DAMAGE_NUMBERS:
        return OSError(error.errno, error.strerror, str(where))
    if type(error) is ValueError:  # ours, or one that was written for people
        return ValueError(f"{where}: {error}: wanted {wanted}")
    seen = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return ValueError(f"{where} is cut short or damaged ({seen}): wanted {wanted}")


def check_growth(n_bytes: int, max_bytes: int) -> None:
    """Refuse to take more than max_bytes into memory from one file; to be called in `reading`."""
    if n_bytes > max_bytes:
        raise ValueError(
            f"it grows to more than {max_bytes} bytes, the limit: unpack it yourself, or raise "
            "max_bytes where you trust it"
        )


class _Bounded(io.RawIOBase):
    """What comes out of a compressed file, up to a limit."""

    def __init__(self, stream: IO[bytes], max_bytes: int) -> None:
        self.stream, self.max_bytes, self.n_bytes = stream, max_bytes, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.stream.read(len(buffer))
        self.n_bytes += len(data)
        check_growth(self.n_bytes, self.max_bytes)
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def unzipped(path: Path, max_bytes: int = MAX_BYTES) -> Iterator[IO[bytes]]:
    """Open a file, through gzip or bz2 where its first bytes say so; to be used in `reading`."""
    with path.open("rb") as raw:
        start = raw.read(3)
        raw.seek(0)
        if start.startswith(GZIP_MAGIC):
            stream = cast(IO[bytes], gzip.GzipFile(fileobj=raw))
        elif start == BZIP_MAGIC:
            from bz2 import BZ2File  # not every Python is built with it

            stream = cast(IO[bytes], BZ2File(raw))
        else:
            yield raw
            return
        with io.BufferedReader(_Bounded(stream, max_bytes), 1 << 16) as bounded:
            yield bounded


def start_of(path: Path, wanted: str) -> bytes:
    """Return the first bytes of a file, at most START, unzipped where it is zipped."""
    with reading(path, wanted), unzipped(path) as stream:
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
