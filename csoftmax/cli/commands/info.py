"""`csoftmax info`: what this build is and what it uses here."""

from __future__ import annotations

import argparse
import json

from csoftmax._native.config import show_config
from csoftmax.cli.command import Command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the one that there is."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> None:
    """Print version, instruction set, threads and how they wait."""
    if arguments.json:
        print(json.dumps(show_config(mode="dicts"), indent=2))
    else:
        show_config()


COMMAND = Command(
    "info",
    "version, instruction set, threads and how they wait",
    add_arguments,
    run,
    """\
examples:
  csoftmax info
  CSOFTMAX_ISA=baseline CSOFTMAX_NUM_THREADS=1 csoftmax info --json
""",
)
