"""Files in the safetensors format: named arrays and texts, and nothing that could be run.

    8 bytes     n, the length of the header: unsigned, little-endian
    n bytes     JSON: {"name": {"dtype": "F64", "shape": [2, 3], "data_offsets": [begin, end]},
                ..., "__metadata__": {"name": "text", ...}}
    the rest    the arrays in C order, little-endian, one after the other without gaps

They are read and written here, and not by the safetensors package, so that a model loads where
nothing but NumPy is installed; the tests have that package read what is written here.

References
----------
https://huggingface.co/docs/safetensors
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt

from csoftmax._atomic import replacing
from csoftmax.datasets._files import brief

Array = npt.NDArray[Any]

METADATA = "__metadata__"
MAX_HEADER = 100_000_000  #: bytes, as in the safetensors package
MAX_DIMENSIONS = 8
DTYPES = {
    "BOOL": "?",
    "I8": "<i1",
    "I16": "<i2",
    "I32": "<i4",
    "I64": "<i8",
    "U8": "<u1",
    "U16": "<u2",
    "U32": "<u4",
    "U64": "<u8",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
}
NAMES = {np.dtype(code): name for name, code in DTYPES.items()}


class Entry(NamedTuple):
    """Where an array lies among the bytes after the header."""

    begin: int
    end: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


# ---- writing -----------------------------------------------------------------------------------


def write(
    path: str | os.PathLike[str], arrays: Mapping[str, Array], texts: Mapping[str, str]
) -> None:
    """Write a file as a whole, in place of the one that is there."""
    plain = {name: _plain(array) for name, array in arrays.items()}
    header: dict[str, Any] = {METADATA: dict(texts)}
    end = 0
    order = sorted(plain, key=lambda name: (-plain[name].itemsize, name))  # all are aligned, then
    for name in order:
        begin, end = end, end + plain[name].nbytes
        header[name] = {
            "dtype": NAMES[plain[name].dtype],
            "shape": list(plain[name].shape),
            "data_offsets": [begin, end],
        }
    data = json.dumps(header, separators=(",", ":")).encode()
    data += b" " * (-len(data) % 8)
    if len(data) > MAX_HEADER:
        raise ValueError(f"names and texts take {len(data)} bytes, more than {MAX_HEADER}")
    with replacing(path) as file:
        file.write(len(data).to_bytes(8, "little") + data)
        for name in order:
            file.write(_bytes(plain[name]))


def _plain(array: Array) -> Array:
    """The array as the file has it; its dtype must be one of those above."""
    return np.asarray(array, array.dtype.newbyteorder("<"), order="C")


def _bytes(array: Array) -> memoryview:
    """The same memory."""
    return array.reshape(-1).view(np.uint8).data


# ---- reading -----------------------------------------------------------------------------------


def read(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """Arrays and texts of a file that may be anything.

    What is raised says what was seen, without the file's name. No more memory is asked for than the
    file has bytes.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        header = _header(file, size)
        texts = header.pop(METADATA, {})
        if not isinstance(texts, dict) or not all(isinstance(t, str) for t in texts.values()):
            raise ValueError(f"its {METADATA} is {brief(texts)}, not texts by their names")
        start = file.tell()
        entries = {name: _entry(name, given, size) for name, given in header.items()}
        _without_gaps(entries, size - start)
        arrays = {}
        for name, entry in sorted(entries.items(), key=lambda item: item[1][:2]):
            array = np.empty(entry.shape, entry.dtype)
            if file.readinto(_bytes(array)) != array.nbytes:
                raise ValueError(f"it ends within {name}")
            if entry.dtype == np.bool_ and array.view(np.uint8).max(initial=0) > 1:
                raise ValueError(f"{name} is of bool, and has bytes that are neither 0 nor 1")
            arrays[name] = array.astype(entry.dtype.newbyteorder("="), copy=False)
    return arrays, texts


def _header(file: IO[bytes], size: int) -> dict[str, Any]:
    first = file.read(8)
    length = int.from_bytes(first, "little")
    if len(first) < 8 or length > min(size - 8, MAX_HEADER):
        raise ValueError(
            f"its first 8 bytes are {first!r}, no length of a header in a file of {size} bytes"
        )
    text = file.read(length).decode()
    if not text.startswith("{"):
        raise ValueError(f"its header begins with {brief(text[:9])}, not with a bracket")
    header = parse(text)
    assert isinstance(header, dict)
    return header


def parse(text: str) -> Any:
    """JSON in which no name comes twice, and every number is one."""
    return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{brief(twice)} is there twice")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")


def _entry(name: str, given: Any, size: int) -> Entry:
    if not isinstance(given, dict) or set(given) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{name} is {brief(given)}, not dtype, shape and data_offsets")
    code, shape, offsets = given["dtype"], given["shape"], given["data_offsets"]
    if not isinstance(code, str) or code not in DTYPES:
        raise ValueError(f"{name} has dtype {brief(code)}, none of {', '.join(DTYPES)}")
    if not _whole(shape, size) or len(shape) > MAX_DIMENSIONS:
        raise ValueError(f"{name} has shape {brief(shape)} in a file of {size} bytes")
    if not _whole(offsets, size) or len(offsets) != 2:
        raise ValueError(f"{name} has data_offsets {brief(offsets)} in a file of {size} bytes")
    dtype = np.dtype(DTYPES[code])
    begin, end = offsets
    if end - begin != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{name} has data_offsets {offsets}, which do not fit {code} {shape}")
    return Entry(begin, end, dtype, tuple(shape))


def _whole(values: Any, most: int) -> bool:
    """Whether this is a list of numbers from 0 to `most`."""
    return isinstance(values, list) and all(type(n) is int and 0 <= n <= most for n in values)


def _without_gaps(entries: Mapping[str, Entry], n_bytes: int) -> None:
    """Refuse arrays that overlap, leave bytes out, or end elsewhere than the file."""
    last = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1][:2]):
        if entry.begin != last:
            raise ValueError(f"{name} begins at byte {entry.begin} of the arrays, not at {last}")
        last = entry.end
    if last != n_bytes:
        raise ValueError(f"its arrays end at byte {last}, but it has {n_bytes} of them")
