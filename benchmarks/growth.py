"""Show how time and memory of a linear softmax loss grow with the number of rows.

    python benchmarks/growth.py [--file-beyond-ram] [--folder FOLDER]

X is a memory-mapped float32 file of up to 1e7 rows: of 64 features (2.6 GB), and with
--file-beyond-ram of 784 (31 GB, some minutes). The table goes into docs/benchmarks.md, the picture
into docs/img/growth.png, and the files are deleted, whatever happens.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import csoftmax
from csoftmax import bench, reference
from csoftmax.bench import _peers, _timing

DOCS = Path(__file__).parents[1] / "docs"
C, CHUNK = 10, 1000  # the file is one chunk of rows over and over: its mean loss is the chunk's
SIZES = tuple(10**k for k in range(3, 8))


class Point(NamedTuple):
    """What one number of rows takes."""

    who: str
    rows: int
    seconds: float
    extra: int


class Data(NamedTuple):
    """A file, and what its rows are made of."""

    path: Path
    chunk: Any
    labels: Any
    W: Any
    truth: Any

    def rows(self, n: int) -> tuple[Any, Any]:
        """The first n rows, mapped, and their labels."""
        X = np.memmap(self.path, self.chunk.dtype, "r", shape=(n, self.chunk.shape[1]))
        return X, np.tile(self.labels, n // CHUNK)

    def check(self, result: Any) -> None:
        """Stop where a result is wrong."""
        if not _timing.difference(result, self.truth) < 1e-3:
            raise SystemExit("a loss or gradient differs from the reference")


def write(folder: Path, n_features: int) -> Data:
    """Write the largest file; none of it stays in the page cache."""
    rng = np.random.default_rng(0)
    chunk = rng.standard_normal((CHUNK, n_features), dtype=np.float32)
    labels = rng.integers(0, C, CHUNK)
    W = (0.1 * rng.standard_normal((n_features, C))).astype(np.float32)
    if shutil.disk_usage(folder).free < 1.1 * SIZES[-1] * chunk[0].nbytes:
        raise SystemExit(f"{folder} has no room for {SIZES[-1] * chunk[0].nbytes / 1e9:.0f} GB")
    path = folder / f"{n_features}.raw"
    many = np.tile(chunk, (100, 1)).tobytes()
    with open(path, "wb") as file:
        for _ in range(SIZES[-1] // CHUNK // 100):
            file.write(many)
            if file.tell() % (1 << 30) < len(many):
                forget(file)
        forget(file)
    return Data(path, chunk, labels, W, reference.softmax_loss(W, chunk, labels))


def forget(file: Any) -> None:
    """Have the file's pages dropped from memory."""
    file.flush()
    os.fsync(file.fileno())
    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def contestants(data: Data, n: int) -> dict[str, _peers.Run]:
    """Who works on the first n rows."""
    X, y = data.rows(n)
    X.max()  # maps the pages, which would count as extra memory
    W, out = data.W, np.empty_like(data.W)
    return {
        "csoftmax": lambda: csoftmax.softmax_loss(W, X, y, out=out),
        "csoftmax, 1 thread": lambda: csoftmax.softmax_loss(W, X, y, out=out, n_threads=1),
        "NumPy": lambda: _peers.numpy_softmax(W, X, y),
    }


def in_memory(data: Data) -> list[Point]:
    """Measure each size with its pages in memory: medians of five calls, quick ones repeated."""
    points = []
    for n in SIZES:
        for who, run in contestants(data, n).items():
            data.check(run())
            extra = _timing.extra_memory(run)
            times = []
            for _ in range(5):
                _timing._rest()
                once = _timing._seconds(run, 1)
                times.append(_timing._seconds(run, max(1, int(_timing.SAMPLE / once))))
            points.append(Point(who, n, float(np.median(times)), extra or 0))
    return points


def beyond_memory(data: Data) -> tuple[list[Point], float]:
    """Measure each size once, read from the disk; and the seconds of plainly reading a row."""
    points = []
    row = data.chunk[0].nbytes
    for n in SIZES:
        with open(data.path, "rb+") as file:
            forget(file)
        X, y = data.rows(n)
        out = np.empty_like(data.W)
        with Watch() as watch:
            started = time.perf_counter()
            result = csoftmax.softmax_loss(data.W, X, y, out=out)
            seconds = time.perf_counter() - started
        data.check(result)
        points.append(Point("csoftmax", n, seconds, watch.most - watch.before))
        del X
    buffer = bytearray(1 << 24)
    with open(data.path, "rb+", buffering=0) as file:
        forget(file)
        started, size = time.perf_counter(), 0
        while time.perf_counter() - started < 20 and (got := file.readinto(buffer)):
            size += got
        return points, (time.perf_counter() - started) / (size / row)


class Watch:
    """The most anonymous memory (not that of mapped files), looked at every few milliseconds."""

    def __enter__(self) -> Watch:
        self.before = self.most = _timing._status("RssAnon")
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        return self

    def look(self) -> None:
        """Until it is stopped."""
        while not self.stop.wait(2e-3):
            self.most = max(self.most, _timing._status("RssAnon"))

    def __exit__(self, *error: object) -> None:
        self.stop.set()
        self.thread.join()


def lines(points: list[Point]) -> str:
    """Return the table: nanoseconds a row and megabytes, a line for each number of rows."""
    names = list(dict.fromkeys(p.who for p in points))
    heads = [f"{name}: {unit}" for name in names for unit in ("ns a row", "extra MB")]
    table = [f"| rows | {' | '.join(heads)} |", "|---:" * (1 + len(heads)) + "|"]
    for n in SIZES:
        cells = [p for name in names for p in points if (p.who, p.rows) == (name, n)]
        texts = [f"{1e9 * p.seconds / n:.1f} | {p.extra / 1e6:.1f}" for p in cells]
        table.append(f"| {n:,} | {' | '.join(texts)} |")
    return "\n".join(table)


def draw(points: list[Point], path: Path) -> None:
    """Write the picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, style in {"csoftmax": "o-", "csoftmax, 1 thread": "o--", "NumPy": "s-"}.items():
        mine = [p for p in points if p.who == name]
        rows = [p.rows for p in mine]
        left.plot(rows, [1e9 * p.seconds / p.rows for p in mine], style, label=name)
        right.plot(rows, [p.extra / 1e6 for p in mine], style, label=name)
    left.set_ylabel("ns a row")
    left.set_ylim(bottom=0)
    right.set_ylabel("MB beyond X and W")
    right.set_yscale("symlog", linthresh=1)
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_xlabel("rows")
        axes.grid(alpha=0.3)
    left.legend()
    figure.suptitle("loss and gradient, 64 features, 10 classes, memory-mapped float32")
    figure.savefig(path, dpi=90)


def main() -> None:
    """Measure, and write the table and the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--file-beyond-ram", action="store_true", help="also 31 GB on the disk")
    parser.add_argument("--folder", type=Path, help="where the files are made")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        data = write(Path(folder), 64)
        points = in_memory(data)
        parts = [bench.machine() + ".", f"64 features, in memory:\n\n{lines(points)}"]
        data.path.unlink()
        if options.file_beyond_ram:
            disk, reading = beyond_memory(write(Path(folder), 784))
            parts.append(
                f"784 features, from the disk, which gives a row in {1e9 * reading:.0f} ns when it "
                f"is plainly read:\n\n{lines(disk)}"
            )
    text = "\n\n".join(parts)
    print(text)
    draw(points, DOCS / "img/growth.png")
    bench.put(DOCS / "benchmarks.md", "growth", text)


if __name__ == "__main__":
    main()
