"""One pass of softmax_loss over files, by each way of reading them, beside a plain read.

    python benchmarks/sources.py [--folder FOLDER] [--bytes 2e9] [--formats npy h5py zarr parquet]

Each pass begins with a file that is not in memory (posix_fadvise DONTNEED); for a machine with less
memory than the file, run it in a control group (systemd-run --scope -p MemoryMax=400M ...). Rates
are MB of rows a second, the best of --repeats rounds, in each of which all ways take their turn.
The files are deleted, whatever happens.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import csoftmax
from csoftmax.sources import cached, memory, source_of

SHAPES = (("uint8", 3072), ("float32", 784))
FORMATS = ("npy", "h5py", "zarr", "parquet")
CLASSES = 10
CHUNK = 1 << 20  # bytes that a plain read takes at a time


def main() -> None:
    """Write the files, read them in all ways, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="where the files go; on the disk to measure")
    parser.add_argument("--bytes", type=float, default=2e9, help="of rows in each file")
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=FORMATS)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    print(f"memory to use: {memory.usable() / 1e6:.0f} MB")
    print("| rows | way | MB/s | of the plain read |\n|---|---|---|---|")
    for dtype, width in SHAPES:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            n_rows = int(options.bytes / width / np.dtype(dtype).itemsize)
            measure(Path(folder), dtype, width, n_rows, options)


def measure(folder: Path, dtype: str, width: int, n_rows: int, options: Any) -> None:
    """One kind of rows."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 256, (4096, width)).astype(dtype)
    W = rng.normal(scale=1e-3, size=(width, CLASSES)).astype(np.float32)
    y = np.arange(n_rows) % CLASSES
    written = {name: WRITERS[name](folder, rows, n_rows) for name in options.formats}
    mapped: Callable[[], Any] = lambda: np.load(folder / "X.npy", mmap_mode="r")  # noqa: E731
    ways: dict[str, Callable[[], float]] = {}
    if "npy" in written:
        ways["plain read"] = lambda: plain(folder / "X.npy")
        ways["mapped"] = lambda: one_pass(source_of(mapped()), W, y, fits=True)
        ways["read ahead"] = lambda: one_pass(source_of(mapped()), W, y, fits=False)
    for name, opened in written.items():
        if name != "npy":
            source = source_of(opened)
            kept = source_of(cached(opened, folder / f"cache {name}"))
            one_pass(kept, W, y, fits=False)
            ways[name] = lambda source=source: one_pass(source, W, y, fits=False)
            ways[f"{name}, cached"] = lambda kept=kept: one_pass(kept, W, y, fits=False)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.repeats):
        for name, way in ways.items():
            forget(folder)
            seconds[name].append(way())
    n_bytes = n_rows * rows[0].nbytes
    base = min(seconds.get("plain read", [np.nan]))
    for name, found in seconds.items():
        time_ = min(found)
        print(f"| {dtype} x {width} | {name} | {n_bytes / time_ / 1e6:.0f} | {base / time_:.2f} |")


def one_pass(source: Any, W: Any, y: Any, *, fits: bool) -> float:
    """Seconds of the loss and gradient of all rows, where files fit in memory or not."""
    before, memory.fits = memory.fits, lambda n_bytes: fits
    start = time.perf_counter()
    row = 0
    for block in source.blocks():
        csoftmax.softmax_loss(W, block.X, y[row : row + len(block.X)])
        row += len(block.X)
    end = time.perf_counter()
    memory.fits = before
    if row != len(y):
        raise SystemExit(f"{source.name} gave {row} rows of {len(y)}")
    return end - start


def plain(path: Path) -> float:
    """Seconds of reading a file from its begin to its end, with nothing else to do."""
    buffer = bytearray(CHUNK)
    start = time.perf_counter()
    with open(path, "rb", buffering=0) as file:
        while file.readinto(buffer):
            pass
    return time.perf_counter() - start


def forget(folder: Path) -> None:
    """Have the system drop the pages of all files."""
    for path in folder.rglob("*"):
        if path.is_file():
            with open(path, "rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def parts(rows: Any, n_rows: int) -> Any:
    """The rows, over and over, and where each part begins."""
    for start in range(0, n_rows, len(rows)):
        yield start, rows[: n_rows - start]


def npy(folder: Path, rows: Any, n_rows: int) -> Path:
    """Write a .npy file."""
    path = folder / "X.npy"
    with open(path, "wb") as file:
        header = {"descr": rows.dtype.str, "fortran_order": False, "shape": (n_rows, rows.shape[1])}
        np.lib.format.write_array_header_1_0(file, header)
        for _, part in parts(rows, n_rows):
            file.write(part.data)
    return path


def hdf5(folder: Path, rows: Any, n_rows: int) -> Any:
    """Write a data set in chunks, gzipped."""
    import h5py

    with h5py.File(folder / "X.h5", "w") as file:
        options = {"chunks": (1024, rows.shape[1]), "compression": "gzip", "compression_opts": 1}
        data = file.create_dataset("X", (n_rows, rows.shape[1]), rows.dtype, **options)
        for start, part in parts(rows, n_rows):
            data[start : start + len(part)] = part
    return h5py.File(folder / "X.h5")["X"]


def zarr(folder: Path, rows: Any, n_rows: int) -> Any:
    """Write an array in chunks, with Zarr's own compressor."""
    import zarr

    shape = (n_rows, rows.shape[1])
    chunks = (4096, rows.shape[1])
    X = zarr.open(str(folder / "X.zarr"), mode="w", shape=shape, chunks=chunks, dtype=rows.dtype)
    for start, part in parts(rows, n_rows):
        X[start : start + len(part)] = part
    return X


def parquet(folder: Path, rows: Any, n_rows: int) -> Path:
    """Write a Parquet file with Arrow's own compression, in groups of some 16 MB."""
    import pyarrow
    from pyarrow import parquet as pq

    names = [f"x{i}" for i in range(rows.shape[1])]
    table = pyarrow.table([np.ascontiguousarray(column) for column in rows.T], names=names)
    with pq.ParquetWriter(folder / "X.parquet", table.schema) as writer:
        for _, part in parts(rows, n_rows):
            writer.write_table(table.slice(0, len(part)))
    return folder / "X.parquet"


WRITERS = {"npy": npy, "h5py": hdf5, "zarr": zarr, "parquet": parquet}

if __name__ == "__main__":
    main()
