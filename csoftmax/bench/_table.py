"""Results as tables that read well on a terminal and as Markdown, and what the machine is."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from csoftmax._native.config import show_config
from csoftmax.bench._peers import PEERS
from csoftmax.bench._timing import Peaks, Result
from csoftmax.report import machine as host

Column = tuple[str, Callable[[Result], str]]


def table(results: Sequence[Result], columns: Sequence[Column]) -> str:
    """Return a Markdown table, padded so that it can be read as it is."""
    cells = [[name for name, _ in columns]]
    cells += [[cell(result) for _, cell in columns] for result in results]
    return _grid(cells)


def columns(
    results: Sequence[Result], threads: int, isa: str, *, spread: bool = False
) -> list[Column]:
    """Return the columns of a table: time, peers that took part, limit, memory.

    Parameters
    ----------
    results : sequence of Result
    threads : int
    isa : str
        Which times of csoftmax.
    spread : bool, optional
        Also half the distance between the quartiles, behind the time.
    """

    def ours(result: Result) -> float:
        return result.seconds("csoftmax", threads, isa) or np.nan

    def time(result: Result) -> str:
        width = f" ±{100 * result.spread('csoftmax', threads, isa):.0f}%" if spread else ""
        return f"{1e3 * ours(result):#.3g}".rstrip(".") + width

    def ratio(peer: str) -> Callable[[Result], str]:
        def cell(result: Result) -> str:
            theirs = result.seconds(peer, threads)
            return f"{theirs / ours(result):.2f}x" if theirs else ""

        return cell

    def limit(result: Result) -> str:
        found = result.limit(threads, isa)
        return f"{found[0] / ours(result):.2f} {found[1]}" if found else ""

    def memory(result: Result) -> str:
        return ", ".join(_megabytes(n) for n in list(result.memory.values())[:2])

    took_part = {turn.name for result in results for turn in result.times}
    return [
        ("job", lambda result: str(result.job)),
        ("ms", time),
        *((peer, ratio(peer)) for peer in PEERS if peer in took_part),
        ("of limit", limit),
        ("extra MB, peer's", memory),
    ]


def as_dict(result: Result, threads: int, isa: str) -> dict[str, Any]:
    """Return a job's medians in seconds, its limit and its memory, for JSON."""
    limit = result.limit(threads, isa)
    took_part = [turn.name for turn in result.times if turn.name in ("csoftmax", *PEERS)]
    return {
        "job": result.job.name,
        "shape": result.job.shape,
        "dtype": result.job.dtype,
        "seconds": {
            name: result.seconds(name, threads, isa if name == "csoftmax" else "")
            for name in took_part
        },
        "spread": result.spread("csoftmax", threads, isa),
        "limit": {"seconds": limit[0], "of": limit[1]} if limit else None,
        "extra_bytes": result.memory,
    }


def peak_lines(found: Sequence[Peaks]) -> str:
    """Return the table of the machine's limits."""
    cells = [["variant", "threads", "reads, GB/s", "float32, GFLOP/s", "float64, GFLOP/s"]]
    for peak in found:
        rates = peak.bytes, peak.flops, peak.double_flops
        cells.append([peak.isa, str(peak.threads), *(f"{rate / 1e9:.0f}" for rate in rates)])
    return _grid(cells)


def put(page: Path, name: str, text: str) -> None:
    """Replace what stands on a page between `<!-- name: begin -->` and `<!-- name: end -->`."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    head, _, rest = page.read_text(encoding="utf-8").partition(begin)
    tail = rest.partition(end)[2]
    page.write_text(f"{head}{begin}\n{text}\n{end}{tail}", encoding="utf-8")


def machine(*packages: str) -> str:
    """Return the machine and the versions, of these packages too, as one line."""
    config, where = show_config(mode="dicts"), host()
    return (
        f"{where['processor']}, {where['cores']} cores, {where['system']}; csoftmax "
        f"{config['version']} ({config['compiler']}), Python {where['python']}, "
        f"NumPy {config['numpy']}" + "".join(f", {name} {_version(name)}" for name in packages)
    )


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _megabytes(size: int | None) -> str:
    return "?" if size is None else f"{size / 1e6:.1f}"


def _grid(cells: list[list[str]]) -> str:
    widths = [max(3, *(len(row[k]) for row in cells)) for k in range(len(cells[0]))]
    lines = [
        " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in cells
    ]
    rule = "|".join(["-" * (widths[0] + 2), *("-" * (w + 1) + ":" for w in widths[1:])])
    return "\n".join([f"| {lines[0]} |", f"|{rule}|", *(f"| {line} |" for line in lines[1:])])
