"""Draw the README's picture of fits and kernels from the tables that the benchmarks have written.

    python benchmarks/lines.py

Fits are those of benchmarks/FITS.md, losses over rows those of docs/benchmarks.md (growth.py), and
softmax over classes that of the first machine in benchmarks/RESULTS.md. Nothing is timed. The
picture is docs/img/lines.png.
"""

from __future__ import annotations

import re
import statistics
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
FITS, RESULTS = ROOT / "benchmarks/FITS.md", ROOT / "benchmarks/RESULTS.md"
PAGE, PICTURE = ROOT / "docs/benchmarks.md", ROOT / "docs/img/lines.png"
SKLEARN = ("lbfgs", "newton-cg", "newton-cholesky", "sag", "saga")
SHOWN = (
    "MNIST 60000 x 784 x 10, C = 1",
    "CIFAR-10 49000 x 3072 x 10, C = 0.01",
    "correlated 60000 x 784 x 10, C = 1",
    "imbalanced 200000 x 54 x 7, C = 1",
    "20 Newsgroups 11314 x 46818 x 20, C = 20",
    "Reuters 6532 x 12163 x 52, C = 10",
)
SOFTMAX = re.compile(r"softmax out= (\d+)x(\d+) float32")
LEAST = 1000  # rows: fewer are a question of microseconds
OURS, THEIRS = "#0072B2", {"NumPy": "#E69F00", "SciPy": "#E69F00", "PyTorch": "#D55E00"}
MARKERS = {"NumPy": "s", "SciPy": "s", "PyTorch": "D"}

Table = list[dict[str, str]]


class Fit(NamedTuple):
    """Seconds of csoftmax and of scikit-learn's fastest solver, which may have been stopped."""

    name: str
    ours: float
    theirs: float
    is_whole: bool


def tables(text: str) -> list[Table]:
    """All Markdown tables of a page: a dictionary for each line, by the heads of its columns."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        head, _, *lines = (
            [c.strip() for c in line.split("|")[1:-1]] for line in block.splitlines()
        )
        found.append([dict(zip(head, line, strict=True)) for line in lines])
    return found


def fits() -> list[Fit]:
    """Return the fits to a relative 1e-4 of the minimum that both took part in."""
    lines = {line["problem"]: line for line in tables(FITS.read_text("utf-8"))[0]}
    found = []
    for name in SHOWN:
        line = lines[name]
        bounds = [bound(line[solver]) for solver in SKLEARN if line.get(solver)]
        theirs, is_whole = min(each for each in bounds if each)
        found.append(Fit(name, float(line["csoftmax"]), theirs, is_whole))
    return found


def bound(text: str) -> tuple[float, bool] | None:
    """Return the seconds of a cell, and whether it was done then; None if it never is."""
    if text.startswith("at "):
        return None
    return float(text.removeprefix("> ")), not text.startswith("> ")


def growth() -> dict[str, list[tuple[float, float]]]:
    """Return the seconds of a loss with its gradient over the rows, by who computes it."""
    section = PAGE.read_text("utf-8").partition("<!-- growth: begin -->")[2]
    table, names = tables(section)[0], ("csoftmax", "NumPy")
    rows = [int(line["rows"].replace(",", "")) for line in table]
    return {
        name: [
            (n, 1e-9 * n * float(line[f"{name}: ns a row"]))
            for n, line in zip(rows, table, strict=True)
            if n >= LEAST
        ]
        for name in names
    }


def softmax() -> dict[str, list[tuple[float, float]]]:
    """Return the nanoseconds of each number of a softmax over the classes, by who computes it."""
    found: dict[str, list[tuple[float, float]]] = {"csoftmax": [], "SciPy": [], "PyTorch": []}
    table = next(t for t in tables(RESULTS.read_text("utf-8")) if "job" in t[0] and "ms" in t[0])
    for line in table:
        if not (match := SOFTMAX.fullmatch(line["job"])):
            continue
        n_rows, n_classes = map(int, match.groups())
        ours = 1e6 * float(line["ms"].split()[0]) / (n_rows * n_classes)
        found["csoftmax"].append((n_classes, ours))
        for name, column in (("SciPy", "scipy"), ("PyTorch", "torch")):
            found[name].append((n_classes, ours * float(line[column].removesuffix("x"))))
    return found


def draw_fits(axes: Any, found: list[Fit]) -> None:
    """Draw a line for each fit, from csoftmax's time to that of scikit-learn."""
    for place, fit in enumerate(found):
        axes.plot([fit.ours, fit.theirs], [place, place], color="0.6", linewidth=2, zorder=1)
        axes.plot(fit.ours, place, "o", color=OURS, markersize=9)
        marker = "s" if fit.is_whole else ">"
        axes.plot(fit.theirs, place, marker, color=THEIRS["NumPy"], markersize=9)
        ratio = fit.theirs / fit.ours
        text = f"  {ratio:.0f}x" if fit.is_whole else f"  over {ratio:.0f}x"
        axes.text(fit.theirs, place, text, va="center")
    names = [re.sub(r" (\d+) x (\d+) x (\d+),.*", r"\n\1 x \2, \3 classes", f.name) for f in found]
    axes.set_yticks(range(len(found)), names, fontsize="small")
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(right=4 * max(fit.theirs for fit in found))
    axes.set_xlabel(
        "seconds to a loss within 1e-4 of the least (arrow: stopped there, not done yet)"
    )
    middle = statistics.median(fit.theirs / fit.ours for fit in found)
    axes.set_title(
        f"Fits: half of them at least {middle:.0f} times sooner than scikit-learn's fastest solver",
        fontsize="medium",
        loc="left",
    )
    axes.plot([], [], "o", color=OURS, label="csoftmax")
    axes.plot([], [], "s", color=THEIRS["NumPy"], label="scikit-learn, the fastest of 5 solvers")
    axes.legend(loc="lower center", bbox_to_anchor=(0.4, -0.36), ncols=2, fontsize="small")


def draw_lines(axes: Any, found: dict[str, list[tuple[float, float]]]) -> None:
    """Draw a line for each who computes it, named at its end."""
    for name, points in found.items():
        x, y = zip(*points, strict=True)
        style = {"color": THEIRS.get(name, OURS), "marker": MARKERS.get(name, "o")}
        axes.plot(x, y, linewidth=2.2 if name == "csoftmax" else 1.6, label=name, **style)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")


def times(found: dict[str, list[tuple[float, float]]], name: str) -> str:
    """Return how many times as long the other takes, from the least to the most."""
    ratios = [b / a for (_, a), (_, b) in zip(found["csoftmax"], found[name], strict=True)]
    return f"{min(ratios):.0f} to {max(ratios):.0f}"


def main() -> None:
    """Read, draw, write."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 7.6), layout="constrained")
    top, below = figure.subfigures(2, 1, height_ratios=(1.15, 1))
    draw_fits(top.subplots(), fits())
    left, right = below.subplots(1, 2)
    rows, classes = growth(), softmax()
    draw_lines(left, rows)
    left.set_xlabel("rows, of 64 features")
    left.set_ylabel("seconds")
    left.set_title(
        f"Loss and gradient: {times(rows, 'NumPy')} times\nas fast as NumPy, however many rows",
        fontsize="medium",
        loc="left",
    )
    draw_lines(right, classes)
    right.set_xlabel("classes")
    right.set_ylabel("nanoseconds a number")
    right.set_title(
        f"Softmax: {times(classes, 'SciPy')} times\nas fast as SciPy, in place",
        fontsize="medium",
        loc="left",
    )
    figure.savefig(PICTURE, dpi=110)


if __name__ == "__main__":
    main()
