"""`csoftmax bench`: csoftmax beside the peers that are installed."""

from __future__ import annotations

import argparse
import json
import sys

from csoftmax._native.config import show_config
from csoftmax.cli import arguments as readers
from csoftmax.cli.command import Command

#: what the columns of the benchmarks' table mean
COLUMNS = """\
ms           time of a call of csoftmax: median of five turns
numpy, ...   how many times as long the others take; empty: they have no such function
of limit     the time that this machine needs to read the bytes or to do the flops, as a fraction
             of csoftmax's; nothing can be faster than 1.00
extra MB     memory that a call takes at its peak: csoftmax's, the next contestant's"""

BUSY = 0.2  # processors: from here on the figures suffer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the benchmarks' arguments."""
    add = parser.add_argument
    add("--jobs", default="", metavar="TEXT", help="all jobs that have TEXT in their line, instead")
    suppress = argparse.SUPPRESS  # the default is not known before NumPy and the kernels are loaded
    add(
        "--isa", metavar="NAME", default=suppress, help="instruction set; without it the one in use"
    )
    threads = "of every contestant; without it all that this process may use"
    add("--threads", type=readers.whole(1), metavar="N", default=suppress, help=threads)
    add("--json", action="store_true", help="print JSON in place of tables; times in seconds")


def run(arguments: argparse.Namespace) -> None:
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


COMMAND = Command(
    "bench",
    "time csoftmax beside NumPy, the peers that are installed, and the machine's limits",
    add_arguments,
    run,
    """\
examples:
  csoftmax bench                               under a minute
  csoftmax bench --jobs softmax_loss --threads 1
  csoftmax bench --json > figures.json
""",
)
