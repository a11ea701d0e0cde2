"""Time how long csoftmax and others take to come near the minimum of the same problem.

    python benchmarks/fit.py [--jobs TEXT] [--threads N] [--cap SECONDS] [--out FILE]

Without options: all problems, with all threads, half an hour, into benchmarks/FITS.md and
docs/img/fits.png. With --jobs the tables are printed only; --out writes them to a file. The data
sets lie in the folder that CSOFTMAX_DATA names. Minima are kept in build/minima.json.
"""

from __future__ import annotations

import argparse
import datetime
import json
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from csoftmax import bench
from csoftmax._native import threads
from csoftmax.bench import _choice, _solvers, _table, _timing
from csoftmax.bench._problems import FITS, Data, Fit, Problem, mnist
from csoftmax.bench._solvers import DISTANCES, SKLEARN, TINY, Fitted, Solver, Watch

ROOT = Path(__file__).parents[1]
RESULTS, PICTURE, MINIMA = (
    ROOT / "benchmarks/FITS.md",
    ROOT / "docs/img/fits.png",
    ROOT / "build/minima.json",
)
PACKAGES = ("scikit-learn", "scikit-learn-intelex", "torch", "scipy")
CAP = 300.0  # seconds
PATIENCE = 1.1  # a contestant gets so many times what would meet the goal,
BEHIND = 1.5  # but not more than so many times what the fastest of scikit-learn's took,
LEAST = 1.0  # and so many seconds anyway
SHORT, TURNS = 3.0, 3  # a fit that takes less is timed so often
TIGHT = 1e-11  # csoftmax's tolerance for the minimum
SURE = 1e-7  # relative: how exactly the minimum must be known
EPS = 1e-15  # nothing is known better
FLOOR = 1e-7  # of the picture

HOW = """\
Written by `make bench`; [docs/benchmarks.md](../docs/benchmarks.md#fits) says how it is measured.
Seconds until the objective, computed in float64, is within the relative distance of its minimum.
*> 12*: not within 12 s, when it was stopped. *at 3e-05*: it stopped there by itself, with the
smallest tolerance. *passes* over X are csoftmax's. *fastest* is the fastest of scikit-learn's
solvers, as multiple of csoftmax's time; with ≥ where the others were stopped before. Of csoftmax,
torch and intelex (scikit-learn-intelex) the last two do not count for the goal. *uint8*: csoftmax
on the pixels as bytes, with shift and scale; all others have them ready in float32."""

GROWTH = "Largest growth of the process's resident memory during a fit, MB."
CHOICE = "Choice of C, MNIST 20000 x 784 x 10"
CHOICES = f"""\
10 values of C, 5 folds, the best one fitted to all rows, at equal tolerance (1e-4), by log-loss:
SoftmaxClassifierCV, and LogisticRegressionCV with two solvers. Goal: {_choice.GOAL}x."""


@dataclass
class Way:
    """How one contestant came nearer to the minimum."""

    reached: dict[float, float] = field(default_factory=dict)  # distance -> seconds
    points: list[tuple[float, float]] = field(default_factory=list)  # seconds, distance
    passes: dict[float, float] = field(default_factory=dict)  # distance -> over X
    stopped: float | None = None  # seconds after which it had to stop
    memory: int | None = None

    def text(self, distance: float) -> str:
        """Return the cell of a table."""
        if distance in self.reached:
            return f"{self.reached[distance]:#.3g}".rstrip(".")
        if self.stopped is not None:
            return f"> {self.stopped:.3g}"
        return f"at {min(d for _, d in self.points):.0e}"

    def bound(self, distance: float) -> tuple[float, bool] | None:
        """Return the seconds it takes, at least, and whether that is all; None if it never does."""
        if distance in self.reached:
            return self.reached[distance], True
        return None if self.stopped is None else (self.stopped, False)


@dataclass
class Result:
    """All contestants of a problem."""

    fit: Fit
    ways: dict[str, Way]
    gap: float  # relative: the minimum is known to that

    def ratio(self, who: str, distance: float) -> tuple[float, str, bool] | None:
        """Return how many times as long scikit-learn takes at least, its solver, and if exactly."""
        ours = self.ways[who].reached.get(distance)
        bounds = {name: self.ways[name].bound(distance) for name in SKLEARN if name in self.ways}
        known = [(*bound, name) for name, bound in bounds.items() if bound]
        if not ours or not known:
            return None
        seconds, sure, name = min(known)
        return seconds / ours, name, sure

    def met(self, distance: float) -> bool:
        """Whether csoftmax reaches its goal, in each of the forms that count."""
        ratios = [self.ratio(who, distance) for who in self.fit.counts]
        return all(ratio is not None and ratio[0] >= self.fit.goal for ratio in ratios)


# ---- measuring ---------------------------------------------------------------------------------


def warm_up() -> None:
    """Let everybody solve a tiny problem, so that no import is timed (1.5 s for torch.optim)."""
    import scipy.sparse

    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((90, 2)), np.arange(90) % 3
    for rows in (X, scipy.sparse.csr_array(X)):
        for l1_ratio in (0.0, 1.0):
            problem = Problem(Data(rows, y), 1.0, l1_ratio)
            for solve in (_solvers.ours(problem) | _solvers.rivals(problem)).values():
                solve(problem, 0.1)


def minimum(fit: Fit, problem: Problem) -> tuple[float, float]:
    """Return the minimum, and how far it may be from the true one, relative; both are kept.

    With l1, duality's bound is loose: what the second half of the iterations lowered is another.
    """
    kept = json.loads(MINIMA.read_text()) if MINIMA.exists() else {}
    key = problem.key()
    if key not in kept:
        data = Data(problem.data.X.astype(np.float64), problem.data.y)
        exact = Problem(data, problem.C, problem.l1_ratio)
        model, found = _solvers.csoftmax(exact, TIGHT)
        least, theirs = problem.objective(model), _solvers.sklearn_objective(problem, model)
        if abs(least / theirs - 1) > 1e-12:
            raise bench.WrongResult(f"the objective is {least!r}, scikit-learn's {theirs!r}")
        gap = problem.gap(model)
        if problem.l1:
            gap = min(gap, found["loss"][len(found["loss"]) // 2] - least)
        kept[key] = [str(fit), least, max(gap / least, EPS)]
        MINIMA.parent.mkdir(exist_ok=True)
        MINIMA.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    _, least, gap = kept[key]
    if gap > SURE:
        raise bench.WrongResult(f"the minimum, {least!r}, is not known better than to {gap:.1e}")
    return least, gap


def measure(fit: Fit, cap: float) -> Result:
    """Let all contestants of a problem solve it, one after the other, csoftmax first."""
    problem = Problem(fit.load(), fit.C, fit.l1_ratio)
    least, gap = minimum(fit, problem)
    if fit.small:
        return Result(fit, whole_fits(problem, least, cap), gap)
    ways = {
        name: history(solve, problem, least, cap) for name, solve in _solvers.ours(problem).items()
    }
    for name, solve in _solvers.rivals(problem).items():
        ways[name] = watched(solve, problem, least, patience(fit, ways, cap))
    return Result(fit, ways, gap)


def patience(fit: Fit, ways: dict[str, Way], cap: float) -> float:
    """Return how many seconds the next contestant gets."""
    last = DISTANCES[-1]
    ours = max(ways[who].reached.get(last, np.inf) for who in fit.counts)
    theirs = [way.reached.get(last, np.inf) for name, way in ways.items() if name in SKLEARN]
    limits = [PATIENCE * fit.goal * ours, *(BEHIND * seconds for seconds in theirs)]
    return min(cap, max(LEAST, min(limits)))


def history(solve: Solver, problem: Problem, least: float, cap: float) -> Way:
    """Time csoftmax's whole fits that end, by max_iter, where they reach each distance.

    A first fit, watched, tells where that is.
    """
    with Watch(problem, least, cap) as watch:
        solve(problem, TINY, watch)
    way = Way(points=watch.points, stopped=watch.seconds if watch.timed_out else None)
    for distance, n_iter in watch.looks.items():
        run = partial(solve, problem, TINY, max_iter=n_iter)
        way.reached[distance], fitted = repeated(run)
        if not problem.objective(fitted.model) / least - 1 <= distance:
            raise bench.WrongResult(f"{fitted} is not what was watched")
        way.passes[distance] = fitted.history["passes"][-1]
    if way.reached:
        way.memory = _timing.extra_memory(run)
    return way


def repeated(run: Callable[[], Fitted]) -> tuple[float, Fitted]:
    """Return the median seconds of a fit, and what it gave."""
    times: list[float] = []
    while not times or (times[0] < SHORT and len(times) < TURNS):
        _timing._rest()
        started = time.perf_counter()
        fitted = run()
        times.append(time.perf_counter() - started)
    return statistics.median(times), fitted


def watched(solve: Solver, problem: Problem, least: float, cap: float) -> Way:
    """Watch another solver until it has reached all distances; again, if that was quick."""
    watches: list[Watch] = []
    while not watches or (watches[0].seconds < SHORT and len(watches) < TURNS):
        with Watch(problem, least, cap) as watch:
            solve(problem, TINY, watch)
        watches.append(watch)
    reached = {
        d: statistics.median(w.reached[d] for w in watches if d in w.reached)
        for d in watches[0].reached
    }
    first = watches[0]
    stopped = first.seconds if first.timed_out else None
    return Way(reached, first.points, stopped=stopped, memory=first.memory)


def whole_fits(problem: Problem, least: float, cap: float) -> dict[str, Way]:
    """Time whole fits with the loosest tolerance, of powers of ten, that reaches each distance."""
    solvers = _solvers.ours(problem) | _solvers.rivals(problem)
    ways, turns = {}, {}
    for name, solve in solvers.items():
        way = ways[name] = Way()
        for tol in 10.0 ** -np.arange(13):
            with Watch(problem, least, min(cap, LEAST)) as watch:
                model = solve(problem, tol).model
            if watch.timed_out:
                way.stopped = watch.seconds
                break
            away = problem.objective(model) / least - 1
            way.points.append((watch.seconds, away))
            for distance in DISTANCES:
                if away <= distance and (name, distance) not in turns:
                    turns[name, distance] = partial(solve, problem, tol)
            if (name, DISTANCES[-1]) in turns:
                break
        way.memory = watch.memory
    named = {_timing.Turn(f"{n} {d}", threads.default(), ""): run for (n, d), run in turns.items()}
    times = _timing._times(named, _timing._pools(), _timing.ROUNDS, {}, set())
    for (name, distance), seconds in zip(turns, times.values(), strict=True):
        ways[name].reached[distance] = statistics.median(seconds)
    return ways


# ---- the tables --------------------------------------------------------------------------------


def document(results: Sequence[Result], choices: dict[str, _choice.Choice]) -> str:
    """Return all tables, as Markdown."""
    parts = [
        "# Results of the fits",
        f"{bench.machine(*PACKAGES)}, {threads.default()} threads; {datetime.date.today()}.",
        HOW,
    ]
    short = [f"- {r.fit}: goal missed at {d:g}" for r in results for d in DISTANCES if not r.met(d)]
    if results:
        for distance in DISTANCES:
            parts += [f"## To {distance:g}", times(results, distance)]
        gap = max(result.gap for result in results)
        parts += [f"The minima are known to a relative {gap:.0e} or better.", "## Memory", GROWTH]
        parts.append(memory(results))
    if choices:
        parts += [f"## {CHOICE}", CHOICES, _choice.table(choices)]
        short += [] if _choice.met(choices) else [f"- {CHOICE}: goal missed"]
    parts += ["## What falls short", "\n".join(short) or "Nothing."]
    return "\n\n".join(parts) + "\n"


def took_part(results: Sequence[Result]) -> list[str]:
    """Return the names of all contestants."""
    return list(dict.fromkeys(name for result in results for name in result.ways))


def times(results: Sequence[Result], distance: float) -> str:
    """Return the table of seconds."""
    names = took_part(results)
    cells = [["problem", *names[:1], "passes", *names[1:], "fastest", "goal"]]
    for result in results:
        texts = [result.ways[n].text(distance) if n in result.ways else "" for n in names]
        passes = result.ways["csoftmax"].passes.get(distance)
        ratios = {who: result.ratio(who, distance) for who in result.fit.counts}
        fastest = ", ".join(
            f"{'' if sure else '≥ '}{ratio:.3g}x" + (f" {solver}" if sure else "")
            for ratio, solver, sure in filter(None, ratios.values())
        )
        goal = (
            f"{result.fit.goal:g} met"
            if result.met(distance)
            else f"**{result.fit.goal:g} missed**"
        )
        count = "" if passes is None else f"{passes:.3g}"
        cells.append([str(result.fit), texts[0], count, *texts[1:], fastest, goal])
    return _table._grid(cells)


def memory(results: Sequence[Result]) -> str:
    """Return the table of memory."""
    names = took_part(results)
    cells = [["problem", *names]]
    for result in results:
        ways = [result.ways.get(name) for name in names]
        cells.append(
            [str(result.fit), *("" if w is None else _table._megabytes(w.memory) for w in ways)]
        )
    return _table._grid(cells)


def draw(results: Sequence[Result], path: Path) -> None:
    """Write the picture: distance from the minimum over the seconds, a panel for each problem."""
    from matplotlib.figure import Figure

    shown = [result for result in results if not result.fit.small]
    rows = -(-len(shown) // 3)
    figure = Figure(figsize=(10.5, 2.8 * rows + 0.5), layout="constrained")
    panels = figure.subplots(rows, 3, squeeze=False).ravel()
    names = took_part(shown)
    for axes, result in zip(panels, shown, strict=False):
        for name, way in result.ways.items():
            seconds, distance = np.array(way.points).T
            nearest = np.maximum(np.minimum.accumulate(distance), FLOOR)
            style = {"linewidth": 2.2, "zorder": 3} if name in ("csoftmax", "uint8") else {}
            color = f"C{names.index(name)}"
            axes.plot(seconds, nearest, color=color, label=name, **style)
        axes.set(xscale="log", yscale="log", ylim=(FLOOR, 1))
        axes.set_title(str(result.fit), fontsize="small")
        axes.tick_params(labelsize="small")
        axes.grid(alpha=0.3)
    for axes in figure.axes[len(shown) - 3 :]:
        axes.set_xlabel("seconds", fontsize="small")
    for axes in panels[len(shown) :]:
        axes.remove()
    handles = {
        text: h
        for axes in figure.axes
        for h, text in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        handles.values(), handles, loc="outside lower center", ncols=len(handles), fontsize="small"
    )
    figure.supylabel("relative distance from the minimum", fontsize="medium")
    figure.savefig(path, dpi=90)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", default="", metavar="TEXT", help="problems whose line has this")
    parser.add_argument("--threads", type=int, default=threads.default(), metavar="N")
    parser.add_argument("--cap", type=float, default=CAP, help="seconds for each contestant")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the tables there")
    options = parser.parse_args()
    lines = [*map(str, FITS), CHOICE]
    chosen = [fit for fit in FITS if options.jobs in str(fit)]
    if not any(options.jobs in line for line in lines):
        parser.error(f"no problem has {options.jobs!r} in its line: {', '.join(lines)}")
    warnings.simplefilter("ignore")  # what did not converge is in the table
    started, results, choices = time.perf_counter(), [], {}
    out = options.out or (None if options.jobs else RESULTS)
    everybody = _timing.Turn("", options.threads, "")
    with _timing._in_force(everybody, _timing._pools()):
        warm_up()
        for fit in chosen:
            results.append(measure(fit, options.cap))
            print(f"{time.perf_counter() - started:4.0f} s  {fit}", file=sys.stderr, flush=True)
            if out:  # half an hour of measurements does not wait for the last contestant
                out.write_text(document(results, choices), encoding="utf-8")
        if options.jobs in CHOICE:
            data = mnist()
            choices = _choice.choose(Data(data.X[:20000], data.y[:20000]), options.cap)
            print(f"{time.perf_counter() - started:4.0f} s  {CHOICE}", file=sys.stderr, flush=True)
        text = document(results, choices)
    print(text)
    if out:
        out.write_text(text, encoding="utf-8")
    if not options.jobs:
        draw(results, PICTURE)


if __name__ == "__main__":
    main()
