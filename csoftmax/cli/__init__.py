"""The command line: `csoftmax COMMAND`, also `python -m csoftmax COMMAND`.

A command is a file of `commands` and an entry of `COMMANDS`. What a command needs beyond NumPy it
imports when it runs, so that `csoftmax --help`, `info` and `bench` work with nothing else
installed. That is why the parser is argparse, which every Python has, and not Typer or click; shtab
completes it, where that is installed.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
import warnings
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Any

from csoftmax._native.startup import FAILED
from csoftmax._version import __version__
from csoftmax.cli import arguments as readers
from csoftmax.cli.command import Formatter
from csoftmax.cli.commands import bench, evaluate, info, predict, train, worksheet

INTERRUPTED = 130  # what a shell reports of a program that Ctrl-C ends

COMMANDS = (
    train.COMMAND,
    predict.COMMAND,
    evaluate.COMMAND,
    worksheet.COMMAND,
    bench.COMMAND,
    info.COMMAND,
)

_EPILOG = """\
examples:
  csoftmax train flowers.csv --target species --model flowers.safetensors --report flowers.html
  csoftmax predict flowers.safetensors new.csv --out predictions.csv
  csoftmax evaluate flowers.safetensors checked.csv --target species

exit status: 0 if all went well; 2 after an error, which is one line on stderr; 130 after Ctrl-C
environment: CSOFTMAX_NUM_THREADS is the number of threads, CSOFTMAX_ISA the instruction set
"""


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
    name = "csoftmax"
    if sys.platform == "win32" and isinstance(sys.stdout, TextIOWrapper):
        # In a file or a pipe, too, where Windows' own code page lacks most letters, and line ends
        # would change within a column's text.
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    try:
        arguments = _parser().parse_args(argv)
        name = f"csoftmax {arguments.command}"
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: _say(f"{name}: warning", message)
            arguments.run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print(f"\n{name}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except (ValueError, OSError, ImportError) as error:
        if not _reader_has_gone(error):
            _say(f"{name}: error", error)
        _give_up_output()
        return FAILED
    return 0


def _reader_has_gone(error: Exception) -> bool:
    """Whether what reads stdout (head, less) has ended, of which nothing is to be said."""
    if sys.platform == "win32" and isinstance(error, OSError):
        # It has no number of its own there; an argument that is invalid would be a file's name.
        return error.errno in (errno.EPIPE, errno.EINVAL) and error.filename is None
    return isinstance(error, BrokenPipeError)


def _give_up_output() -> None:
    """Have Python not fail once more, at its end, to write what could not be written."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(what: str, message: Any) -> None:
    """One line on stderr."""
    print(f"{what}: {' '.join(str(message).split())}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="csoftmax",
        description="Softmax classifiers on a CPU: train on a table, predict, measure.",
        epilog=_EPILOG,
        formatter_class=Formatter,
    )
    parser.add_argument("--version", action="version", version=f"csoftmax {__version__}")
    parser.add_argument(
        "--print-completion",
        action=readers.Completion,
        choices=("bash", "zsh", "tcsh"),
        help="print what makes this shell complete the command line (wants shtab)",
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        subparser = subparsers.add_parser(
            command.name,
            help=command.help,
            description=command.help,
            epilog=command.examples,
            formatter_class=Formatter,
        )
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    return parser
