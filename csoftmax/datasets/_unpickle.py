"""A reader of the pickles that CIFAR's python batches are, which cannot run anything.

pickle.Unpickler with a strict find_class is not used: it still takes 4 GB for an eight-byte file
(LONG_BINPUT with a large index), and it calls numpy with arguments that the file chooses. Here
the opcodes that such files contain are interpreted with values alone. A name such as
numpy.ndarray only selects an entry of a table, nothing is imported or called, and an array is a
view of the file's own bytes. Any other opcode or name is refused.

Read are protocol 2 as Python 2 wrote the official files, and protocols 2 to 5 as Python 3 with
NumPy 1 or 2 saves them again.
"""

import math
from collections.abc import Callable
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csoftmax.datasets._files import brief

# A batch of 10000 takes 40000, CIFAR-100's 50000 images 250000. Each opcode makes at most one
# object, so this bounds memory, too; and time, since none does work that grows with what others
# have made.
_MAX_OPCODES = 1_000_000
_MAX_DIMS = 32  # as many as every NumPy has


class _Name(Enum):
    """The functions and classes that a batch may name."""

    RECONSTRUCT = "numpy.core.multiarray._reconstruct"
    FROMBUFFER = "numpy.core.numeric._frombuffer"
    NDARRAY = "numpy.ndarray"
    DTYPE = "numpy.dtype"
    ENCODE = "_codecs.encode"


_NAMES = {name.value: name for name in _Name} | {
    "numpy._core.multiarray._reconstruct": _Name.RECONSTRUCT,
    "numpy._core.numeric._frombuffer": _Name.FROMBUFFER,
}


class _Uint8:
    """The dtype uint8."""


class _Array:
    """An array of uint8 under construction."""

    def __init__(self) -> None:
        self.pixels: NDArray[np.uint8] | None = None

    def fill(self, raw: object, dtype: object, shape: object, order: str) -> None:
        if not isinstance(dtype, _Uint8) or not isinstance(raw, bytes | memoryview):
            raise ValueError("an array that is not of uint8")
        # The memo can bring back one long shape at the cost of two bytes: the length goes first.
        if not isinstance(shape, tuple) or len(shape) > _MAX_DIMS:
            raise ValueError("an array of no proper shape")
        if not all(type(n) is int and n > 0 for n in shape):
            raise ValueError("an array of no proper shape")
        if math.prod(shape) != len(raw):
            raise ValueError(f"an array of shape {brief(shape)} with {len(raw)} bytes")
        flat = np.frombuffer(raw, np.uint8)
        self.pixels = flat.reshape(shape, order="F" if order == "F" else "C")


def _text(value: object) -> str:
    """Return a short string whichever way Python 2 or 3 pickled it."""
    if isinstance(value, bytes | memoryview | str) and len(value) > 255:
        raise ValueError(f"a string of {len(value)} where a short one belongs")
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("latin-1")
    if isinstance(value, str):
        return value
    raise ValueError(f"{type(value).__name__} where a string belongs")


class _Machine:
    """The state of the interpreter: position in the file, stack, marks, memo."""

    def __init__(self, data: bytes | bytearray) -> None:
        self.data = memoryview(data).toreadonly()
        self.at = 0
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.encoded = 0

    def take(self, n_bytes: int) -> memoryview:
        end = self.at + n_bytes
        if end > len(self.data):
            raise ValueError(f"it ends at byte {len(self.data)}, within the pickle")
        self.at, taken = end, self.data[self.at : end]
        return taken

    def integer(self, n_bytes: int, *, signed: bool = False) -> int:
        return int.from_bytes(self.take(n_bytes), "little", signed=signed)

    def line(self) -> str:
        window = bytes(self.data[self.at : self.at + 100])
        line, newline, _ = window.partition(b"\n")
        if not newline:
            raise ValueError("a name without end")
        self.at += len(line) + 1
        return line.decode("latin-1")

    def pop_to_mark(self) -> list[Any]:
        mark = self.marks.pop()
        items = self.stack[mark:]
        del self.stack[mark:]
        return items

    def push_tuple(self, n_items: int) -> None:
        items = [self.stack.pop() for _ in range(n_items)]
        self.stack.append(tuple(reversed(items)))

    def push_name(self, module: str, name: str) -> None:
        try:
            self.stack.append(_NAMES[f"{module}.{name}"])
        except KeyError:
            raise ValueError(f"the name {f'{module}.{name}'[:80]!r}") from None

    def push_stack_name(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.push_name(_text(module), _text(name))

    def put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def extend(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise ValueError("items for what is not a list")
        self.stack[-1].extend(items)

    def update(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], dict) or len(items) % 2:
            raise ValueError("items for what is not a dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            self.stack[-1][_text(key)] = value

    def reduce(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        match function, arguments:
            case _Name.RECONSTRUCT, (_Name.NDARRAY, (0,), _):
                self.stack.append(_Array())
            case _Name.FROMBUFFER, (raw, dtype, shape, order):
                array = _Array()
                array.fill(raw, dtype, shape, _text(order))
                self.stack.append(array)
            case _Name.DTYPE, (code, *_) if _text(code) == "u1":
                self.stack.append(_Uint8())
            case _Name.DTYPE, (code, *_):
                raise ValueError(f"an array of dtype {_text(code)[:40]!r}, not of uint8")
            case _Name.ENCODE, (str() as text, "latin1"):
                self.stack.append(self.encode(text))
            case _:
                raise ValueError("a call other than the making of an array")

    def encode(self, text: str) -> bytes:
        # The one step that copies. A text that the memo repeats would otherwise fill memory.
        self.encoded += len(text)
        if self.encoded > len(self.data):
            raise ValueError("more bytes encoded than the file has")
        return text.encode("latin-1")

    def build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        match target, state:
            case _Uint8(), (_, order, None, None, None, *_) if _text(order) == "|":
                pass
            case _Array(), (1, shape, dtype, bool() as fortran, raw):
                target.fill(raw, dtype, shape, "F" if fortran else "C")
            case _:
                raise ValueError("a state other than an array's")

    def run(self) -> object:
        for _ in range(_MAX_OPCODES):
            code = bytes(self.take(1))
            if code == b".":
                if self.at != len(self.data):
                    raise ValueError(f"{len(self.data) - self.at} bytes after the pickle's end")
                return self.stack.pop()
            try:
                operation = _OPERATIONS[code]
            except KeyError:
                raise ValueError(f"the opcode {code!r} at byte {self.at - 1}") from None
            operation(self)
        raise ValueError(f"more than {_MAX_OPCODES} opcodes")


_OPERATIONS: dict[bytes, Callable[[_Machine], object]] = {
    b"\x80": lambda m: m.take(1),  # PROTO
    b"\x95": lambda m: m.take(8),  # FRAME: only a hint for buffering
    b"(": lambda m: m.marks.append(len(m.stack)),
    b"N": lambda m: m.stack.append(None),
    b"\x88": lambda m: m.stack.append(True),
    b"\x89": lambda m: m.stack.append(False),
    b"K": lambda m: m.stack.append(m.integer(1)),
    b"M": lambda m: m.stack.append(m.integer(2)),
    b"J": lambda m: m.stack.append(m.integer(4, signed=True)),
    b"\x8a": lambda m: m.stack.append(m.integer(m.integer(1), signed=True)),  # LONG1
    b"U": lambda m: m.stack.append(bytes(m.take(m.integer(1)))),  # SHORT_BINSTRING
    b"T": lambda m: m.stack.append(m.take(m.integer(4))),  # BINSTRING
    b"C": lambda m: m.stack.append(bytes(m.take(m.integer(1)))),  # SHORT_BINBYTES
    b"B": lambda m: m.stack.append(m.take(m.integer(4))),  # BINBYTES
    b"\x8e": lambda m: m.stack.append(m.take(m.integer(8))),  # BINBYTES8
    b"\x96": lambda m: m.stack.append(m.take(m.integer(8))),  # BYTEARRAY8
    b"\x8c": lambda m: m.stack.append(str(m.take(m.integer(1)), "utf-8")),  # SHORT_BINUNICODE
    b"X": lambda m: m.stack.append(str(m.take(m.integer(4)), "utf-8")),  # BINUNICODE
    b"]": lambda m: m.stack.append([]),
    b"}": lambda m: m.stack.append({}),
    b")": lambda m: m.stack.append(()),
    b"\x85": lambda m: m.push_tuple(1),
    b"\x86": lambda m: m.push_tuple(2),
    b"\x87": lambda m: m.push_tuple(3),
    b"t": lambda m: m.stack.append(tuple(m.pop_to_mark())),
    b"a": lambda m: m.extend([m.stack.pop()]),
    b"e": lambda m: m.extend(m.pop_to_mark()),
    b"s": lambda m: m.update([m.stack.pop(-2), m.stack.pop()]),
    b"u": lambda m: m.update(m.pop_to_mark()),
    b"q": lambda m: m.put(m.integer(1)),
    b"r": lambda m: m.put(m.integer(4)),
    b"\x94": lambda m: m.put(len(m.memo)),
    b"h": lambda m: m.stack.append(m.memo[m.integer(1)]),
    b"j": lambda m: m.stack.append(m.memo[m.integer(4)]),
    b"c": lambda m: m.push_name(m.line(), m.line()),
    b"\x93": lambda m: m.push_stack_name(),
    b"R": lambda m: m.reduce(),
    b"b": lambda m: m.build(),
}


def read_pickle(data: bytes | bytearray) -> dict[str, Any]:
    """Return the dict that a batch's pickle holds; its keys as str, its arrays as uint8 ndarrays.

    Raises ValueError with a phrase on what the pickle holds that a batch does not.
    """
    machine = _Machine(data)
    try:
        top = machine.run()
    except (IndexError, KeyError):
        raise ValueError(f"a stack or memo that lacks an item at byte {machine.at}") from None
    except UnicodeError:
        raise ValueError(f"text in no proper encoding before byte {machine.at}") from None
    if not isinstance(top, dict):
        raise ValueError(f"a {type(top).__name__}, not a dict")
    return {key: value.pixels if isinstance(value, _Array) else value for key, value in top.items()}
