"""A fit of more rows than the process has memory for, beside the same fit in memory.

    python benchmarks/small_memory.py [--memory 700e6] [--times 3] [--width 3072] [--block 64e6]
                                      [--tol 1e-3] [--folder FOLDER]

Writes a file of pixels, --times as large as --memory. A process in a control group of so much
memory fits it; this one, which needs memory for all of the file, fits the same blocks from there.
Both must come to the same coefficients, to the last bit, or the script fails. The file is deleted,
whatever happens. A control group takes root, or a folder of /sys/fs/cgroup that is the user's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from csoftmax import SoftmaxClassifier
from csoftmax.sources import kinds, protocol, survey

CLASSES = 10
NO_GROUP = 3  # the exit status where no control group can be made
PAUSE = 5e-3  # seconds between two looks at the memory


def main() -> None:
    """Write the file, fit it twice, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memory", type=float, default=700e6, help="bytes of the control group")
    parser.add_argument("--times", type=float, default=3, help="the file, in times of that")
    parser.add_argument("--width", type=int, default=3072, help="features")
    parser.add_argument("--block", type=float, default=protocol.BLOCK_BYTES, help="bytes")
    parser.add_argument("--tol", type=float, default=1e-3, help="where a fit ends")
    parser.add_argument("--folder", type=Path, help="where the file goes")
    parser.add_argument("--within", action="store_true", help=argparse.SUPPRESS)  # the child
    options = parser.parse_args()
    block = int(options.block)
    protocol.BLOCK_BYTES = kinds.BLOCK_BYTES = survey.SAMPLE_BYTES = block
    if options.within:
        X, y = rows(options.folder)
        print(json.dumps(fitted(X, y, options.tol, options.folder / "small.npy")))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as name, group(options.memory) as within:
        folder = Path(name)
        write(folder, int(options.times * options.memory / options.width), options.width)
        again = [sys.executable, "-P", __file__, "--within", "--folder", folder]
        # In the group from its first byte on: what Python and the libraries take counts, too.
        command = ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', within, *again]
        command += ["--block", str(block), "--tol", str(options.tol)]
        found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        small = json.loads(found.stdout)
        X, y = rows(folder)
        held, n = np.array(X), max(1, block // options.width)
        blocks = lambda: (held[at : at + n] for at in range(0, len(held), n))  # noqa: E731
        large = fitted(blocks, y, options.tol, folder / "large.npy")
        equal = np.array_equal(np.load(folder / "small.npy"), np.load(folder / "large.npy"))
        print(f"{X.shape[0]} x {X.shape[1]} uint8, {X.nbytes / 1e6:.0f} MB; same bits: {equal}")
        print("\n| | memory, MB | most in use, MB | passes | reads of the file | seconds |")
        print("|---|---|---|---|---|---|")
        for what, limit, of in (
            ("in a control group", f"{options.memory / 1e6:.0f}", small),
            ("in memory", "", large),
        ):
            reads = of["bytes"] / X.nbytes
            print(
                f"| {what} | {limit} | {of['most'] / 1e6:.0f} | {of['passes']} | {reads:g} "
                f"| {of['seconds']:.2f} |"
            )
        if not equal or small["most"] > options.memory or small["bytes"] != large["bytes"]:
            raise SystemExit("not the same fit, or not within the memory")


def fitted(X: Any, y: Any, tol: float, path: Path) -> dict[str, float]:
    """Fit, keep the coefficients, and say what it took."""
    model = SoftmaxClassifier(C=1e-5, tol=tol, standardize=True)
    with watched() as most:
        start = time.perf_counter()
        model.fit(X, y)
        seconds = time.perf_counter() - start
    np.save(path, model.coef_)
    passes, n_bytes = (model.history_[name][-1] for name in ("passes", "bytes"))
    return {"passes": passes, "bytes": n_bytes, "seconds": seconds, "most": max(most)}


@contextmanager
def watched() -> Iterator[list[int]]:
    """The process's own memory, in bytes, looked at all the time: without the pages of files."""
    found, done = [own_memory()], threading.Event()

    def look() -> None:
        while not done.wait(PAUSE):
            found.append(own_memory())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()


def own_memory() -> int:
    """Bytes that are no file's."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) * 1024


@contextmanager
def group(memory: float) -> Iterator[Path]:
    """A control group, version 1 or 2, of so many bytes."""
    root = Path("/sys/fs/cgroup")
    old = (root / "memory").is_dir()
    folder = (root / "memory" if old else root) / f"csoftmax-{os.getpid()}"
    try:
        folder.mkdir()
        limit = "memory.limit_in_bytes" if old else "memory.max"
        (folder / limit).write_text(str(int(memory)))
        (folder / "cgroup.procs").open("w").close()
    except OSError as error:
        if folder.is_dir():
            folder.rmdir()
        print(f"no control group can be made here: {error}", file=sys.stderr)
        raise SystemExit(NO_GROUP) from error
    try:
        yield folder
    finally:
        folder.rmdir()


def write(folder: Path, n_rows: int, width: int) -> None:
    """Pixels that tell the classes apart, and labels; no longer in memory."""
    some = np.random.default_rng(0).integers(0, 256, (4096, width), np.uint8)
    y = np.arange(n_rows) % CLASSES
    X = np.lib.format.open_memmap(folder / "X.npy", "w+", np.uint8, (n_rows, width))
    for at in range(0, n_rows, len(some)):
        part = X[at : at + len(some)]
        part[...] = some[: len(part)]
        part[:, :CLASSES] = 200 * np.eye(CLASSES)[y[at : at + len(part)]]
        part[:, :CLASSES] += some[: len(part), :CLASSES] // 5
    X.flush()
    np.save(folder / "y.npy", y)
    with open(folder / "X.npy", "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def rows(folder: Path) -> tuple[Any, Any]:
    """The file, mapped, and its labels."""
    return np.load(folder / "X.npy", mmap_mode="r"), np.load(folder / "y.npy")


if __name__ == "__main__":
    main()
