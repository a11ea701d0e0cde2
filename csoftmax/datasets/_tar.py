"""A tar from front to back, in memory: nothing is written, whatever its names and links say.

tarfile knows every field. It is asked for one header at a time: extended headers, which only long
names need here, take it time quadratic in their length (CVE-2024-6232), and sparse members grow.
"""

import tarfile
from collections.abc import Collection, Iterator
from pathlib import PurePosixPath
from typing import IO

from csoftmax.datasets._files import read_at_most

_BLOCK = 512  # bytes
_LONGEST = 1 << 16  # bytes of an extended header; a path has 4096 at most
_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_WITHOUT_CONTENTS = (
    tarfile.LNKTYPE,
    tarfile.SYMTYPE,
    tarfile.CHRTYPE,
    tarfile.BLKTYPE,
    tarfile.DIRTYPE,
    tarfile.FIFOTYPE,
)


def files(stream: IO[bytes], wanted: Collection[str]) -> Iterator[tuple[str, bytearray]]:
    """Yield name and contents of the files whose name, without folders, is wanted.

    Reads to the stream's end, where gzip keeps its checksum. Raises ValueError with a phrase on
    what is no tar.
    """
    long_name = b""
    while (member := _header(stream)) is not None:
        name = PurePosixPath(long_name.decode("latin-1") or member.name).name
        long_name = b""
        size = 0 if member.type in _WITHOUT_CONTENTS else member.size
        if member.type in _FILES and name in wanted:
            contents = read_at_most(stream, size)
            if len(contents) < size:
                raise ValueError(f"not a whole tar ({name} is cut short)")
            yield name, contents
            size = -size % _BLOCK
        else:
            size += -size % _BLOCK
            if size <= _LONGEST and member.type in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE):
                long_name = _long_name(bytes(read_at_most(stream, size)), member)
                size = 0
        _skip(stream, size)
    while stream.read(1 << 20):
        pass


def _header(stream: IO[bytes]) -> tarfile.TarInfo | None:
    """Return the next member's header, or None at the end."""
    block = bytes(read_at_most(stream, _BLOCK))
    if not block.strip(b"\0"):
        return None
    try:
        member = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise ValueError(f"not a whole tar ({error})") from error
    if member.size < 0:
        raise ValueError(f"not a whole tar (a member has {member.size} bytes)")
    return member


def _long_name(extended: bytes, member: tarfile.TarInfo) -> bytes:
    """Return the name that an extended header gives the next member, or nothing."""
    if member.type == tarfile.GNUTYPE_LONGNAME:
        return extended.partition(b"\0")[0]
    return extended.partition(b" path=")[2].partition(b"\n")[0]


def _skip(stream: IO[bytes], n_bytes: int) -> None:
    while n_bytes and (chunk := stream.read(min(1 << 20, n_bytes))):
        n_bytes -= len(chunk)
    if n_bytes:
        raise ValueError("not a whole tar (it ends within a member)")
