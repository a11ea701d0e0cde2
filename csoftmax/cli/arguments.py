"""Readers of arguments: what each takes of the command line, and what it says of anything else."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import Any

_FILE = {"bash": "_shtab_compgen_files", "zsh": "_files", "tcsh": "f"}


def whole(least: int) -> Callable[[str], int]:
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


def _number(text: str, wanted: str, fits: Callable[[float], bool]) -> float:
    """Return a finite number that fits."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and fits(number)):
        raise argparse.ArgumentTypeError(f"{text!r}: wanted a finite number {wanted}")
    return number


def positive(text: str) -> float:
    """Read a number above 0."""
    return _number(text, "above 0", lambda number: number > 0)


def not_negative(text: str) -> float:
    """Read a number from 0 on."""
    return _number(text, "of at least 0", lambda number: number >= 0)


def share(text: str) -> float:
    """Read a number from 0 to 1."""
    return _number(text, "from 0 to 1", lambda number: 0 <= number <= 1)


def part(text: str) -> float:
    """Read a number between 0 and 1."""
    return _number(text, "between 0 and 1", lambda number: 0 < number < 1)


def is_file(action: argparse.Action) -> None:
    """Have completion offer files."""
    known: Any = action
    known.complete = _FILE


class Completion(argparse.Action):
    """Print what makes a shell complete the command line, and end."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Print the script for the shell that is named."""
        try:
            import shtab
        except ImportError:
            parser.error("shtab writes the completion, which is not installed: pip install shtab")
        print(shtab.complete(parser, values))
        parser.exit()
