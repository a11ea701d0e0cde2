"""How much memory the process may use."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path

# The rest is for what a fit allocates itself.
_SHARE = 0.75

# Files of a control group, versions 1 and 2: limits, what is used, and what of that is files' pages
# that make room when asked for it (of this group and those in it).
_LIMITS = ("memory.max", "memory.high", "memory.limit_in_bytes")
_USED = ("memory.current", "memory.usage_in_bytes")
_PAGES = (("total_active_file", "total_inactive_file"), ("active_file", "inactive_file"))


def fits(n_bytes: int, root: Path = Path("/")) -> bool:
    """Whether so many bytes of a file would stay in memory from one pass to the next."""
    return n_bytes <= _SHARE * usable(root)


def usable(root: Path = Path("/")) -> int:
    """Bytes that are free, or used by pages of files, within the limits of all control groups."""
    found = [_available(root)]
    for folder in _groups(root):
        limits = [n for name in _LIMITS if (n := _number(folder / name)) is not None]
        used = [n for name in _USED if (n := _number(folder / name)) is not None]
        if limits and used:
            found.append(max(0, min(limits) - max(0, used[0] - _pages(folder))))
    return min(found)


def _available(root: Path) -> int:
    """As the system sees it: free memory and what it can get back."""
    for line in _lines(root / "proc/meminfo"):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        # MEMORYSTATUSEX: its own size and a percentage, all memory, what is available of it, ...
        status = (ctypes.c_uint64 * 8)(64)
        ctypes.windll.kernel32.GlobalMemoryStatusEx(status)
        return status[2]
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _groups(root: Path) -> Iterator[Path]:
    """Folders of this process's control groups that know of memory, up to the topmost in sight."""
    paths = {}
    for line in _lines(root / "proc/self/cgroup"):
        number, controllers, path = line.split(":", 2)
        if number == "0" or "memory" in controllers.split(","):
            paths["cgroup2" if number == "0" else "cgroup"] = path
    for line in _lines(root / "proc/self/mountinfo"):
        before, _, after = line.partition(" - ")
        kind, _, options = after.split()[:3]
        if kind not in paths or (kind == "cgroup" and "memory" not in options.split(",")):
            continue
        mounted, at = before.split()[3:5]
        # Within a container, the mount may show but a part of the tree, and the path all of it.
        path = paths[kind]
        inside = path.removeprefix(mounted) if mounted != "/" else path
        top = root / at.lstrip("/")
        folder = top / inside.lstrip("/")
        if ".." in folder.parts:
            folder = top
        while folder != top and top in folder.parents:
            yield folder
            folder = folder.parent
        yield top


def _pages(folder: Path) -> int:
    stat = dict(line.split() for line in _lines(folder / "memory.stat"))
    for names in _PAGES:
        if all(name in stat for name in names):
            return sum(int(stat[name]) for name in names)
    return 0


def _number(path: Path) -> int | None:
    """What a file says, but for "max"."""
    for line in _lines(path):
        if line.isdigit():
            return int(line)
    return None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
