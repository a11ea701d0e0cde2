"""Time csoftmax beside its peers, and beside the machine's limits.

    python benchmarks/run.py [--machine NAME] [--jobs TEXT] [--isa NAME ...] [--threads N ...]
                             [--out FILE]

Without options: all jobs, all instruction sets, with all threads and with one, into the section of
--machine in benchmarks/RESULTS.md, and docs/img/benchmarks.png and speed.png. With any of --jobs,
--isa and --threads the tables are printed only; --out writes them to a file.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from csoftmax import bench
from csoftmax._native import dispatch, threads
from csoftmax.report import machine as host

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/RESULTS.md"
PICTURE, FEW = ROOT / "docs/img/benchmarks.png", ROOT / "docs/img/speed.png"
PACKAGES = ("scipy", "scikit-learn", "torch", "jax", "threadpoolctl")
NOISE = 0.95  # two medians as near as this are equal

#: the README's picture: a job, a peer, and what both are called there
BARS = (
    ("softmax_loss 49000x3073x10 float32", "numpy", "NumPy", "loss and gradient of\n49 000 images"),
    (
        "softmax_loss shift= scale= bias= 49000x3073x10 uint8",
        "numpy",
        "NumPy",
        "the same, from bytes",
    ),
    (
        "softmax_loss 60000x784x10 float32",
        "sklearn",
        "scikit-learn",
        "loss and gradient of\n60 000 digits",
    ),
    ("softmax out= 200000x10 float32", "scipy", "SciPy", "softmax of\n200 000 rows of 10"),
    (
        "cross_entropy_with_grad out= 200000x10 float32",
        "torch",
        "PyTorch",
        "cross-entropy with gradient of\n200 000 rows of 10",
    ),
)

HOW = """\
Each result is compared with `csoftmax.reference` (float64) before it is
timed. All contestants, variants and numbers of threads of a job take turns in one process; times
are medians of calls, ± half the distance between the quartiles. A peer's column says how many
times as long as csoftmax it takes. *of limit* is the time that the machine itself needs, as a
fraction of csoftmax's: for reading as many bytes as must be read and written, or for as many
fused multiplications and additions as the job has, whichever is more; both are measured in the same
turns, by kernels that do nothing else (`src/peaks.h`). Calls on less than a megabyte have no such
limit. *extra MB* is the largest growth of the process's memory during a call: csoftmax's, and that
of the first peer. NumPy has the uint8 pixels ready in float32; SciPy has no `out=`, PyTorch's
softmax uses it. JAX's functions are compiled, and its arrays are there; it takes part where the
number of threads is that of the processors."""


def reached(result: bench.Result, threads: int, isa: str) -> dict[str, bool | None]:
    """Return whether each goal of the job is met; None where the peer is not installed."""
    ours = result.seconds("csoftmax", threads, isa)
    found: dict[str, bool | None] = {}
    for name, goal in result.job.goals.items():
        if name == "MB":
            size = result.memory["csoftmax"]
            found[name] = None if size is None else size / 1e6 < goal
        elif name.startswith("limit"):
            limit = result.limit(threads, isa)
            if name == f"limit {isa}":
                found[name] = limit and limit[0] / ours >= goal
        else:
            theirs = result.seconds(name, threads)
            found[name] = theirs and theirs / ours >= goal
    return found


def goal_column(threads: int, isa: str) -> tuple[str, object]:
    """The column of the goals, those that are missed in bold."""

    def cell(result: bench.Result) -> str:
        met = reached(result, threads, isa)
        marks = {True: "{} met", False: "**{} missed**", None: "{} ?"}
        return ", ".join(
            marks[m].format(f"{name.removesuffix(isa).strip()} {result.job.goals[name]:g}")
            for name, m in met.items()
        )

    return "goal", cell


def variants(results: Sequence[bench.Result], isas: list[str], threads: list[int]) -> str:
    """Return the table of instruction sets and threads."""
    many, best = threads[0], isas[0]

    def ratio(slow: Callable[..., float | None], quick: Callable[..., float | None]) -> object:
        def cell(result: bench.Result) -> str:
            a, b = slow(result), quick(result)
            return f"{a / b:.2f}x" if a and b else ""

        return cell

    def ours(n: int, isa: str) -> Callable[..., float | None]:
        return lambda result: result.seconds("csoftmax", n, isa)

    def plain(result: bench.Result) -> float | None:
        return result.seconds("numpy", many) or result.seconds("scipy", many)

    def of_limit(isa: str) -> object:
        def cell(result: bench.Result) -> str:
            limit = result.limit(many, isa)
            return f"{limit[0] / result.seconds('csoftmax', many, isa):.2f}" if limit else ""

        return cell

    columns: list[tuple[str, object]] = [("job", lambda result: str(result.job))]
    columns += [
        (f"{n} thread / {many}", ratio(ours(n, best), ours(many, best))) for n in threads[1:]
    ]
    columns += [(f"{isa} / {best}", ratio(ours(many, isa), ours(many, best))) for isa in isas[1:]]
    columns += [(f"NumPy / {isa}", ratio(plain, ours(many, isa))) for isa in isas[1:]]
    columns += [(f"of limit, {isa}", of_limit(isa)) for isa in isas[1:]]
    return bench.table(results, columns)


def shortfalls(results: Sequence[bench.Result], isas: list[str], threads: list[int]) -> list[str]:
    """Return a line for each promise that is not kept."""
    many, best = threads[0], isas[0]
    lines = []
    for result in results:
        ours = result.seconds("csoftmax", many, best)
        missed = [name for name, met in reached(result, many, best).items() if met is False]
        if missed:
            lines.append(f"{result.job}: goal missed ({', '.join(missed)})")
        for isa in isas[1:]:
            if reached(result, many, isa).get(f"limit {isa}") is False:
                lines.append(f"{result.job}: goal missed (limit {isa})")
        one = result.seconds("csoftmax", 1, best)
        if one and many > 1:
            if one / ours < NOISE:
                lines.append(f"{result.job}: {many} threads are slower than one")
            elif (result.limit(many, best) or ("", ""))[1] == "flops" and one / ours < 0.85 * many:
                lines.append(f"{result.job}: {many} threads give {one / ours:.2f} times one")
        v3 = result.seconds("csoftmax", many, "v3")
        if best == "v4" and v3 and ours / v3 < 0.5:
            lines.append(f"{result.job}: v3 gives {ours / v3:.2f} of v4")
        baseline = result.seconds("csoftmax", many, "baseline")
        plain = result.seconds("numpy", many) or result.seconds("scipy", many)
        if baseline and plain and plain / baseline < NOISE:
            lines.append(f"{result.job}: baseline gives {plain / baseline:.2f} of NumPy")
    return lines


def document(results: Sequence[bench.Result], isas: list[str], threads: list[int]) -> str:
    """Return all tables, as Markdown."""
    parts = [
        f"{bench.machine(*PACKAGES)}; {datetime.date.today()}.",
        "### The machine's limits",
        bench.peak_lines([bench.peaks(isa, n) for isa in isas for n in threads]),
    ]
    for n in threads:
        parts.append(f"### {n} {'threads' if n > 1 else 'thread'}, {isas[0]}")
        columns = bench.columns(results, n, isas[0], spread=True)
        parts.append(bench.table(results, [*columns, *[goal_column(n, isas[0])] * (n > 1)]))
    if len(isas) + len(threads) > 2:
        parts += [
            "### Instruction sets and threads",
            f"Ratios of times, with {threads[0]} threads unless said; NumPy's, where it takes no "
            "part SciPy's, in the last columns.",
            variants(results, isas, threads),
        ]
    lines = [f"- {line}" for line in shortfalls(results, isas, threads)] or ["Nothing."]
    return "\n\n".join([*parts, "### What falls short", "\n".join(lines)])


def keep(page: Path, name: str, text: str) -> None:
    """Write a machine's section, and leave those of the others as they are."""
    _, mark, rest = (page.read_text("utf-8") if page.exists() else "").partition("\n<!-- ")
    sections, begin = mark + rest, f"\n<!-- {name}: begin -->\n"
    if begin not in sections:
        sections = f"{begin}<!-- {name}: end -->\n{sections}"
    page.write_text(f"# Benchmark results\n\n{HOW}\n{sections}", encoding="utf-8")
    bench.put(page, name, f"## {name}\n\n{text}")


def draw_few(results: Sequence[bench.Result], threads: int, isa: str, path: Path) -> None:
    """Write the picture of the README: how many times as fast, in five bars."""
    from matplotlib.figure import Figure

    of_job = {str(result.job): result for result in results}
    names, factors, peers = [], [], []
    for job, peer, called, name in reversed(BARS):
        theirs = of_job[job].seconds(peer, threads)
        if theirs:
            names.append(name)
            peers.append(called)
            factors.append(theirs / of_job[job].seconds("csoftmax", threads, isa))
    figure = Figure(figsize=(7.5, 3), layout="constrained")
    axes = figure.add_subplot()
    bars = axes.barh(names, factors, height=0.6, color="#3b75af")
    labels = [f"{x:.1f} x {peer}" for x, peer in zip(factors, peers, strict=True)]
    axes.bar_label(bars, labels, padding=4)
    axes.axvline(1, color="0.4", linewidth=1)
    axes.set_xlim(0, 1.3 * max(factors))
    axes.set_xlabel(f"times as fast, {threads} threads")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=90)


def draw(results: Sequence[bench.Result], threads: int, isa: str, path: Path) -> None:
    """Write the picture: times of all contestants relative to csoftmax's."""
    from matplotlib.figure import Figure

    shown = [result for result in results if result.limit(threads, isa)][::-1]
    figure = Figure(figsize=(9.5, 0.25 * len(shown) + 1.1), layout="constrained")
    axes = figure.add_subplot()
    looks = {"numpy": "o", "scipy": "s", "sklearn": "^", "torch": "D", "jax": "P"}
    for name, marker in looks.items():
        points = [(r.seconds(name, threads), i) for i, r in enumerate(shown)]
        ours = [r.seconds("csoftmax", threads, isa) for r in shown]
        points = [(theirs / ours[i], i) for theirs, i in points if theirs]
        if points:
            axes.plot(*zip(*points, strict=True), marker, label=name, alpha=0.85)
    limits = [r.limit(threads, isa)[0] / r.seconds("csoftmax", threads, isa) for r in shown]
    axes.barh(range(len(shown)), 1, height=0.55, color="0.85", label="csoftmax")
    axes.plot(limits, range(len(shown)), "k|", markersize=11, label="the machine's limit")
    axes.set_yticks(range(len(shown)), [str(r.job) for r in shown], fontsize="small")
    axes.set_xscale("log")
    axes.set_xlim(left=0.05)
    axes.set_ylim(-0.8, len(shown) - 0.2)
    ticks = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.grid(axis="x", alpha=0.3)
    axes.set_title(f"time relative to csoftmax, {threads} threads", fontsize="medium")
    figure.legend(loc="outside lower center", ncols=6, fontsize="small")
    figure.savefig(path, dpi=90)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", default="", metavar="TEXT", help="jobs whose line has this text")
    parser.add_argument("--isa", nargs="+", metavar="NAME", help="instruction sets, best first")
    parser.add_argument("--threads", nargs="+", type=int, metavar="N", help="numbers of threads")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the tables there")
    parser.add_argument(
        "--machine", default=host()["processor"], metavar="NAME", help="the section's name"
    )
    options = parser.parse_args()
    chosen = options.jobs or options.isa or options.threads
    isas = options.isa or list(dispatch.available()[::-1])
    counts = options.threads or list(dict.fromkeys((threads.default(), 1)))
    if missing := bench.missing():
        print(f'not installed: {", ".join(missing)} (pip install ".[bench,peers]")')
    started, results = time.perf_counter(), []
    for job in bench.select(options.jobs):
        results.append(bench.measure(job, isas, counts))
        print(f"{time.perf_counter() - started:4.0f} s  {job}", file=sys.stderr, flush=True)
    text = document(results, isas, counts)
    print(text)
    if options.out:
        keep(options.out, options.machine, text)
    elif not chosen:
        keep(RESULTS, options.machine, text)
    if not chosen:
        draw(results, counts[0], isas[0], PICTURE)
        draw_few(results, counts[0], isas[0], FEW)


if __name__ == "__main__":
    main()
