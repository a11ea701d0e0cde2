"""The command line: `csoftmax COMMAND`, also `python -m csoftmax COMMAND`.

A command is a function and a row of `COMMANDS`. What a command needs beyond NumPy it imports when
it runs, so that `csoftmax --help` works with nothing else installed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from csoftmax._native.config import show_config
from csoftmax._native.startup import FAILED

if TYPE_CHECKING:
    from csoftmax.worksheet import Settings, Sheet

INTERRUPTED = 130  # what a shell reports of a program that Ctrl-C ends


class Command(NamedTuple):
    """One subcommand: how it is called, what it takes, what it does."""

    name: str
    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], None]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments after the program's name; those of the process if None.

    Returns
    -------
    int
        0 where all went well; 2 after an error, which is one line on stderr; 130 after Ctrl-C.

    Examples
    --------
    >>> from csoftmax.cli import main
    >>> main(["info"])
    csoftmax ...
    0
    """
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print(f"\ncsoftmax {arguments.command}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has gone: nothing is left to say, not even while Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (ValueError, OSError, ImportError) as error:
        message = " ".join(str(error).split())
        print(f"csoftmax {arguments.command}: error: {message}", file=sys.stderr)
        return FAILED
    return 0


def _parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="csoftmax",
        description="Softmax and multiclass losses for the CPU.",
        epilog="CSOFTMAX_NUM_THREADS sets the number of threads, CSOFTMAX_ISA the instruction set.",
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        subparser = subparsers.add_parser(
            command.name,
            help=command.help,
            description=command.help,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    return parser


def _no_arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing."""


def _info(arguments: argparse.Namespace) -> None:
    """Print version, instruction set, threads and how they wait."""
    show_config()


def _bench_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the benchmarks' arguments."""
    add = parser.add_argument
    add("--jobs", default="", metavar="TEXT", help="all jobs that have TEXT in their line, instead")
    suppress = argparse.SUPPRESS  # the default is not known before NumPy and the kernels are loaded
    add(
        "--isa", metavar="NAME", default=suppress, help="instruction set; without it the one in use"
    )
    threads = "of every contestant; without it all that this process may use"
    add("--threads", type=_whole(1), metavar="N", default=suppress, help=threads)
    add("--json", action="store_true", help="print JSON in place of tables; times in seconds")


#: what the columns of the benchmarks' table mean
COLUMNS = """\
ms           time of a call of csoftmax: median of five turns
numpy, ...   how many times as long the others take; empty: they have no such function
of limit     the time that this machine needs to read the bytes or to do the flops, as a fraction
             of csoftmax's; nothing can be faster than 1.00
extra MB     memory that a call takes at its peak: csoftmax's, the next contestant's"""

BUSY = 0.2  # processors: from here on the figures suffer


def _bench(arguments: argparse.Namespace) -> None:
    """Time csoftmax beside the peers that are installed."""
    from csoftmax import bench

    asked, config = vars(arguments), show_config(mode="dicts")
    isa = asked.get("isa", config["instruction_set"])
    if isa not in config["available"]:
        raise ValueError(f"--isa is {isa!r}: wanted one of {', '.join(config['available'])}")
    threads = asked.get("threads", config["n_threads"])
    jobs = bench.select(arguments.jobs, short=True)
    if not arguments.json:
        print(f"{bench.machine()}\ninstruction set {isa}, threads: {threads}")
        if missing := bench.missing():
            print(
                "not installed, so not measured or not limited to these threads: "
                f"{', '.join(missing)}"
            )
    others = [bench.busy()]
    results = []
    for number, job in enumerate(jobs, 1):
        if sys.stderr.isatty():
            print(f"\r{number} of {len(jobs)}: {job!s:60}", end="", file=sys.stderr, flush=True)
        results.append(bench.measure(job, [isa], [threads], rounds=5))
    if sys.stderr.isatty():
        print(f"\r{'':76}\r", end="", file=sys.stderr)
    peaks = bench.peaks(isa, threads)
    others.append(bench.busy())
    most = max((x for x in others if x is not None), default=None)
    if arguments.json:
        print(
            json.dumps(
                {
                    "machine": bench.machine(),
                    "instruction_set": isa,
                    "threads": threads,
                    "processors_busy_with_others": most,
                    "limits_per_second": peaks._asdict(),
                    "jobs": [bench.as_dict(result, threads, isa) for result in results],
                },
                indent=2,
            )
        )
        return
    print(f"\n{bench.table(results, bench.columns(results, threads, isa))}\n")
    print(f"{COLUMNS}\n\n{bench.peak_lines([peaks])}")
    if most is not None and most > BUSY:
        print(
            f"\nThe machine is busy: others take {most:.1f} of its processors. Ratios are less "
            "exact, and times are longer."
        )


def _worksheet_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the worksheet's arguments."""
    add = parser.add_argument
    add(
        "--data",
        default="digits",
        metavar="digits|PATH",
        help="scikit-learn's digits, or a folder or file: CIFAR-10 (python or binary batches or "
        "their tar.gz), idx files (MNIST), npz, npy",
    )
    add("--classifier", choices=("softmax", "svm", "both"), default="both", help="what to train")
    add(
        "--out",
        type=Path,
        default=Path("worksheet-out"),
        metavar="FOLDER",
        help="where worksheet.txt, worksheet.json and the pictures go; made if missing, files of "
        "the same name are replaced",
    )
    add("--seed", type=_whole(0), default=0, metavar="N", help="chooses split, weights, batches")
    add("--iterations", type=_whole(1), default=1500, metavar="N", help="steps of each model")
    add("--batch-size", type=_whole(1), default=200, metavar="N", help="rows of each step")
    add(
        "--grid",
        choices=("default", "published"),
        default="default",
        help="the settings to search: a few, those of the course for CIFAR-10, else chosen from "
        "the spread of the data; or all 100 of the course's published sheet for CIFAR-10",
    )
    grid = "; without it those of --grid"
    add(
        "--learning-rates",
        type=_rate,
        nargs="+",
        metavar="X",
        default=argparse.SUPPRESS,
        help="learning rates to search" + grid,
    )
    add(
        "--regs",
        type=_reg,
        nargs="+",
        metavar="X",
        default=argparse.SUPPRESS,
        help="regularisation strengths to search, in reg/2 * sum(W**2)" + grid,
    )
    add("--quiet", action="store_true", help="print nothing; the text is in worksheet.txt")


def _worksheet(arguments: argparse.Namespace) -> None:
    """Load the data, work through the sheet, write everything to the folder."""
    from csoftmax import datasets, worksheet
    from csoftmax.worksheet import report

    try:
        from csoftmax import plot
    except ImportError as error:
        pictures, missing = None, str(error)
    else:
        pictures, missing = plot.write_all, ""
    data = worksheet.prepare(datasets.load(arguments.data), arguments.seed)
    published = arguments.grid == "published"
    grid = worksheet.published_settings(data) if published else worksheet.default_settings(data)
    settings = _settings(grid, arguments)
    names = ("softmax", "svm") if arguments.classifier == "both" else (arguments.classifier,)
    sheet = worksheet.Sheet(data, settings, [worksheet.CLASSIFIERS[name] for name in names])
    told: list[str] = []

    def tell(text: str) -> None:
        told.append(text)
        if not arguments.quiet:
            print(text, flush=True)

    with _all_or_nothing(arguments.out) as draft:
        tell(report.title(sheet))
        if missing:  # at once, for who wants the pictures and would wait for them
            tell(report.left_out(missing))
        _work(sheet, tell, quiet=arguments.quiet)
        files = pictures(sheet, draft) if pictures else []
        (draft / "worksheet.json").write_text(report.document(sheet), encoding="utf-8")
        tell(report.files(arguments.out, [*files, "worksheet.json", "worksheet.txt"]))
        (draft / "worksheet.txt").write_text("\n".join(told) + "\n", encoding="utf-8")


def _work(sheet: Sheet, tell: Callable[[str], None], *, quiet: bool) -> None:
    """Take the steps in order and tell each result as soon as it is there."""
    from csoftmax import worksheet
    from csoftmax.worksheet import report

    data, settings, seed = sheet.data, sheet.settings, sheet.settings.seed
    tell(report.data(sheet))
    tell(report.centring(sheet))
    sheet.initial = [worksheet.initial_loss(data, c, seed) for c in sheet.classifiers]
    tell(report.initial_loss(sheet))
    sheet.gradients = [
        worksheet.gradient_check(data, c, reg, seed)
        for c in sheet.classifiers
        for reg in (0.0, max(settings.regs))
    ]
    tell(report.gradient_check(sheet))
    sheet.timings = [worksheet.timings(data, c, seed) for c in sheet.classifiers]
    tell(report.timings(sheet))
    sheet.searches = [
        worksheet.search(data, c, settings, progress=not quiet) for c in sheet.classifiers
    ]
    tell(report.search(sheet))
    sheet.scores = [worksheet.score(data, found) for found in sheet.searches]
    tell(report.scores(sheet))


def _settings(settings: Settings, arguments: argparse.Namespace) -> Settings:
    """Put what the user asked for in the place of the defaults."""
    asked = {name: vars(arguments)[name] for name in ("iterations", "batch_size", "seed")}
    for name in ("learning_rates", "regs"):
        if name in vars(arguments):
            asked[name] = tuple(sorted(set(vars(arguments)[name])))
    return replace(settings, **asked)


@contextmanager
def _all_or_nothing(path: Path) -> Iterator[Path]:
    """Give a folder to write to; what it holds goes to `path` at the end, if the end is reached.

    So that what was stopped leaves no half of a sheet, nor new files among those of another run.
    """
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(f"--out is {str(path)!r}, which is a file: wanted a folder")
    is_new = not path.exists()
    path.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix=".worksheet-", dir=path) as draft:
            yield Path(draft)
            for file in sorted(Path(draft).iterdir()):  # worksheet.txt last
                file.replace(path / file.name)
    except BaseException:
        if is_new:
            with suppress(OSError):  # it holds something by now
                path.rmdir()
        raise


def _whole(least: int) -> Callable[[str], int]:
    """Return a reader of whole numbers of at least `least`."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number < 2**32:
            raise argparse.ArgumentTypeError(f"{text!r}: wanted a whole number from {least}")
        return number

    return read


def _number(text: str, *, least: str, above: Callable[[float], bool]) -> float:
    """Return a finite number that is large enough."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and above(number)):
        raise argparse.ArgumentTypeError(f"{text!r}: wanted a finite number {least}")
    return number


def _rate(text: str) -> float:
    """Read a learning rate."""
    return _number(text, least="above 0", above=lambda number: number > 0)


def _reg(text: str) -> float:
    """Read a regularisation strength."""
    return _number(text, least="of at least 0", above=lambda number: number >= 0)


COMMANDS = (
    Command(
        "worksheet",
        "the course's worksheet: load, check gradients, time, search, test, draw",
        _worksheet_arguments,
        _worksheet,
    ),
    Command(
        "bench",
        "time csoftmax beside NumPy, the peers that are installed, and the machine's limits",
        _bench_arguments,
        _bench,
    ),
    Command("info", "version, instruction set, threads and how they wait", _no_arguments, _info),
)
