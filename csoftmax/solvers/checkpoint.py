"""Checkpoints: the whole state of a fit in a file, written now and then, for it to go on from.

The file is a NumPy archive (.npz, not compressed) with an entry for each array, and one more, JSON,
for all else: numbers, which JSON keeps to the last bit, and what the fit was of. There is nothing
in it that could be run. It is written beside the one before, and takes its place when it is whole
and on the disk: whenever a fit is killed, the last good checkpoint is there.
"""

from __future__ import annotations

import copy
import errno
import json
import math
import os
import reprlib
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
import numpy.typing as npt

from csoftmax._atomic import replacing
from csoftmax._native import dispatch
from csoftmax._version import __version__

Array = npt.NDArray[Any]
Kind = tuple[tuple[int, ...], npt.DTypeLike]  # shape and dtype
T = TypeVar("T", bool, int, float, str)

SECONDS = 30.0  #: between the end of a checkpoint and the next
SHARE = 20  #: and at least so many times what the last one took
FORMAT = 1  #: raised whenever what is written has another meaning
ABOUT = "about"  #: the entry that is JSON
#: Of generators: indices into their arrays, which NumPy does not check, and their largest values.
POSITIONS = {"pos": 624, "buffer_pos": 4}


class Keeper:
    """Writes the state of one fit to a file, and reads it for that fit to go on.

    Parameters
    ----------
    path : str or PathLike
    problem : dict
        What is fitted and how: JSON's values by names that errors can show. The checkpoint of
        another problem is refused.
    history : dict of lists of float, optional
        A number for each iteration: kept along, and filled when a fit goes on.
    step : str, optional
        What is counted, for errors.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        problem: Mapping[str, Any],
        history: Mapping[str, list[float]] | None = None,
        step: str = "iteration",
    ) -> None:
        self.path = Path(os.path.abspath(path))
        same_bits = {"csoftmax": __version__, "instruction set (CSOFTMAX_ISA)": dispatch.selected()}
        self.problem = json.loads(json.dumps(same_bits | dict(problem)))
        self.history, self.step = {} if history is None else history, step
        self.last = 0  # iteration of the file that there is
        self.began = time.monotonic()
        self.next = self.began + SECONDS
        folder = self.path.parent
        if not os.access(folder, os.W_OK):  # hours before it is needed
            code = errno.EACCES if folder.is_dir() else errno.ENOENT
            raise OSError(code, "checkpoint wants a folder that can be written to", str(folder))

    def saved(self) -> Saved | None:
        """The state to go on from, or None where there is no file."""
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return None
        with file:
            about, arrays = _read(file, self.path)
        problem = about["problem"]
        for name, here in self.problem.items():
            if (there := problem.get(name)) != here:
                raise ValueError(
                    f"checkpoint '{self.path}' is of another fit: {name} was "
                    f"{reprlib.repr(there)}, and is {reprlib.repr(here)} now. Wanted the same; "
                    "or take another path, or delete the file"
                )
        saved = Saved(about["values"] | arrays, self.path)
        self.last = saved.number("iteration", int)
        for name, values in self.history.items():
            kind = ((self.last,), np.float64)
            values[:] = saved.array(f"history.{name}", kind).tolist()
        return saved

    def due(self, iteration: int, *, last: bool) -> bool:
        """Whether to write after this iteration, which may be the last.

        Not before the first: that is a pass, as it takes to go on.
        """
        self.began = time.monotonic()
        return iteration > 0 and (last or self.began >= self.next)

    def write(self, iteration: int, state: Mapping[str, Any]) -> None:
        """Write the state after an iteration: arrays, numbers, texts, lists and dictionaries."""
        state = {"iteration": iteration, **state}
        state["history"] = {name: np.array(values) for name, values in self.history.items()}
        arrays: dict[str, Any] = {}
        values: dict[str, Any] = {}
        for name, value in _flat(state):
            (arrays if isinstance(value, np.ndarray) else values)[name] = value
        about = {"format": FORMAT, "problem": self.problem, "values": values}
        arrays[ABOUT] = np.array(json.dumps(about).encode())
        try:
            with replacing(self.path) as file:
                np.savez(file, **arrays)
        except OSError as error:
            there = f"the last good one, of {self.step} {self.last}, is still there"
            raise OSError(
                error.errno or errno.EIO,
                f"the checkpoint of {self.step} {iteration} could not be written "
                f"({error.strerror or error}); {there if self.last else 'there is none before it'}",
                str(self.path),
            ) from error
        now, self.last = time.monotonic(), iteration
        self.next = now + max(SECONDS, SHARE * (now - self.began))


class Saved:
    """Values of a checkpoint by their names, each of which is checked when it is taken."""

    def __init__(self, values: Mapping[str, Any], path: Path, start: str = "") -> None:
        self.values, self.path, self.start = values, path, start

    def forget(self) -> None:
        """All has been taken: what becomes of the arrays is the solver's matter."""
        self.values = {}

    def part(self, name: str) -> Saved:
        """What was written as a dictionary or a list."""
        start = f"{name}."
        inner = {k.removeprefix(start): v for k, v in self.values.items() if k.startswith(start)}
        return Saved(inner, self.path, self.start + start)

    def array(self, name: str, *kinds: Kind) -> Array:
        """An array of one of these shapes and dtypes."""
        value = self.values.get(name)
        if isinstance(value, np.ndarray):
            for shape, dtype in kinds:
                if value.shape == shape and value.dtype == dtype:
                    return value
        wanted = " or ".join(f"{np.dtype(dtype)} of shape {shape}" for shape, dtype in kinds)
        raise self._wrong(name, value, wanted)

    def arrays(self, name: str, kind: Kind) -> list[Array]:
        """A list of arrays of this shape and dtype."""
        each = self.part(name)
        return [each.array(str(i), kind) for i in range(len(each.values))]

    def parts(self, name: str, n: int) -> list[Saved]:
        """The first n of what was written as a list."""
        return [self.part(f"{name}.{i}") for i in range(n)]

    def number(self, name: str, kind: type[T]) -> T:
        """A bool, an integer, a float or a text."""
        value = self.values.get(name)
        if type(value) is not kind:
            raise self._wrong(name, value, f"a value of type {kind.__name__}")
        return value

    def set_random(self, name: str, random: np.random.Generator | np.random.RandomState) -> None:
        """Have a generator in the state that was written of one of its kind."""
        if isinstance(random, np.random.RandomState):
            state = self._like(name, random.get_state(legacy=False))
        else:
            state = self._like(name, random.bit_generator.state)
        try:
            if isinstance(random, np.random.RandomState):
                random.set_state(state)
            else:
                random.bit_generator.state = state
        except (OverflowError, ValueError) as error:
            raise self._wrong(name, state, f"the state of a generator ({error})") from error

    def random(self, name: str, like: np.random.RandomState) -> np.random.RandomState:
        """A generator like another one, which stays as it is."""
        random = copy.deepcopy(like)
        self.set_random(name, random)
        return random

    def other_data(self) -> ValueError:
        """What to raise where the loss and the gradient are not those that were written."""
        return ValueError(
            f"checkpoint '{self.path}' was made from other data: with this X, y and sample_weight "
            "the loss or its gradient has other bits. Give the same data; or take another path, or "
            "delete the file"
        )

    def _like(self, name: str, now: Mapping[str, Any]) -> dict[str, Any]:
        """The state of a generator that is now in the state `now`."""
        saved = self.part(name)
        state: dict[str, Any] = {}
        for key, value in now.items():
            if isinstance(value, Mapping):
                state[key] = saved._like(key, value)
            elif isinstance(value, np.ndarray):
                state[key] = saved.array(key, (value.shape, value.dtype))
            else:
                state[key] = saved.number(key, type(value))
            if isinstance(value, str) and state[key] != value:
                raise self._wrong(f"{name}.{key}", state[key], repr(value))
            if key in POSITIONS and not 0 <= state[key] <= POSITIONS[key]:
                raise self._wrong(f"{name}.{key}", state[key], f"0 to {POSITIONS[key]}")
        return state

    def _wrong(self, name: str, value: Any, wanted: str) -> ValueError:
        seen = reprlib.repr(value)
        if isinstance(value, np.ndarray):
            seen = f"{value.dtype} of shape {value.shape}"
        return ValueError(
            f"checkpoint '{self.path}': {self.start}{name} is {seen}: wanted {wanted}"
        )


def _flat(state: Mapping[str, Any], start: str = "") -> Iterator[tuple[str, Any]]:
    """The values in dictionaries and lists, each by the names on the way to it."""
    for name, value in state.items():
        if isinstance(value, list):
            value = {str(i): each for i, each in enumerate(value)}
        if isinstance(value, Mapping):
            yield from _flat(value, f"{start}{name}.")
        else:
            yield start + name, value


def _read(file: IO[bytes], path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    """What the JSON says, and the arrays, of a file that may be anything."""
    try:
        arrays = _entries(file)
        about = json.loads(arrays.pop(ABOUT).tobytes())
        if about["format"] != FORMAT:
            raise ValueError(f"its format is {about['format']!r}: wanted {FORMAT}")
        for name in ("problem", "values"):
            if not isinstance(about[name], dict):
                raise ValueError(f"{name} is {reprlib.repr(about[name])}: wanted a dictionary")
    except Exception as error:
        raise ValueError(
            f"checkpoint '{path}' is no checkpoint, or a damaged one "
            f"({type(error).__name__}: {error}): wanted one, or a path where there is no file"
        ) from error
    return about, arrays


def _entries(file: IO[bytes]) -> dict[str, Array]:
    """The arrays of an archive. None is larger than the file, whatever it claims."""
    size = file.seek(0, os.SEEK_END)
    arrays = {}
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > size:
            raise ValueError(f"it has {size} bytes, and claims more")
        for entry in entries:
            if entry.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{entry.filename} is compressed")
            with archive.open(entry) as head:
                version = np.lib.format.read_magic(head)
                shape, _, dtype = np.lib.format.read_array_header_1_0(head)
                claimed = math.prod(shape) * dtype.itemsize
                if version != (1, 0) or dtype.hasobject or claimed != entry.file_size - head.tell():
                    raise ValueError(f"{entry.filename} is no array of {dtype} {shape}")
            with archive.open(entry) as whole:  # its check sum counts from the start
                array = np.lib.format.read_array(whole, allow_pickle=False)
            arrays[entry.filename.removesuffix(".npy")] = array
    return arrays
