"""The reader of pickled batches: what is no batch is refused, and nothing runs."""

import os
import pickle
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from dataset_files import raises_naming
from hypothesis import given, settings
from hypothesis import strategies as st

from csoftmax.datasets import load, read_cifar10_batch


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({"data": np.zeros((2, 3072), np.uint8)}, r"keys \['data'\]"),
        ({"data": [0], "labels": [1]}, r"keys \['data', 'labels'\]"),
        ({"data": np.zeros((2, 3072), np.uint8), "fine_labels": [1, 2]}, "fine_labels"),
        ({"data": np.zeros((2, 9), np.uint8), "labels": [1, 2]}, r"shape \(2, 9\) and 2 labels"),
        ({"data": np.zeros((2, 3072), np.uint8), "labels": [1]}, "and 1 labels"),
        ({"data": np.zeros((2, 3072), np.uint8), "labels": [1, 10]}, "label 10 at record 1"),
        ({"data": np.zeros((2, 3072), np.uint8), "labels": ["a", 1]}, "label -1 at record 0"),
        ({"data": np.zeros((2, 3072), np.int8), "labels": [1, 2]}, "dtype 'i1', not of uint8"),
        ({"data": np.zeros((2, 3072)), "labels": [1, 2]}, "dtype 'f8', not of uint8"),
        ({"data": np.array([None, {}]), "labels": [1, 2]}, "dtype 'O8', not of uint8"),
        ({"data": np.zeros(2, [("a", "u1")]), "labels": [1, 2]}, "dtype 'V1', not of uint8"),
        ([1, 2], "a list, not a dict"),
        ({"data": 0.5}, r"the opcode b'G'"),
        ({"data": {1, 2}}, r"the opcode b'\\x8f'"),
        ({"data": np.float32(1)}, r"the name 'numpy\._?core\.multiarray\.scalar'"),
    ],
)
@pytest.mark.parametrize("protocol", [4, 5])
def test_pickles_that_are_no_batch(tmp_path, batch, message, protocol):
    path = tmp_path / "data_batch_1"
    path.write_bytes(pickle.dumps(batch, protocol=protocol))
    with raises_naming(path, f"{message}.*: wanted a CIFAR-10 batch"):
        read_cifar10_batch(path)


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def hostile_pickles(marker):
    """{title: (pickle, what the refusal says)}; each that works would make the marker."""
    make = f"open({str(marker)!r}, 'w').close()"
    touch = f"echo > {marker}".encode()
    short = b"\x8c" + bytes([len(make)]) + make.encode()
    os_name = f"{os.system.__module__}.system"
    calls = {
        "os.system": (Call(os.system, touch.decode()), f"the name '{os_name}'"),
        "exec": (Call(exec, make), "the name 'builtins.exec'"),
        "eval": (Call(eval, make), "the name 'builtins.eval'"),
        "popen": (Call(subprocess.Popen, ["touch", str(marker)]), "the name 'subprocess.Popen'"),
        "getattr": (Call(getattr, os, "system"), "the name 'builtins.getattr'"),
        "numpy.save": (Call(np.save, str(marker), 1), "the name 'numpy.save'"),
        "numpy.load": (Call(np.load, str(marker)), "the name 'numpy.load'"),
        "array call": (Call(np.ndarray, (1 << 40,)), "a call other than the making of an array"),
    }
    found = {}
    for title, (call, message) in calls.items():
        if title == "getattr":  # os itself has no pickle
            call = Call(getattr, "os", "system")
        for protocol in (2, 3, 4, 5):
            data = pickle.dumps({"data": call, "labels": [0]}, protocol=protocol)
            for old, new in ((b"__builtin__", b"builtins"), (b"commands", b"subprocess")):
                data = data.replace(old, new)  # the names that Python 2 had for them
            found[f"{title} {protocol}"] = (data, message)
    text0 = pickle.dumps(Call(os.system, touch.decode()), protocol=0)
    reconstruct = b"cnumpy.core.multiarray\n_reconstruct\n"
    found |= {
        "protocol 0": (b"\x80\x00" + text0, "the name"),
        "INST": (b"\x80\x02(S'" + touch + b"'\nios\nsystem\n.", "the opcode b'S'"),
        "INST bare": (b"\x80\x02(ios\nsystem\n.", "the opcode b'i'"),
        "OBJ": (b"\x80\x02(cnumpy\nndarray\nK\x05o.", "the opcode b'o'"),
        "NEWOBJ": (b"\x80\x02cnumpy\nndarray\nK\x05\x85\x81.", r"the opcode b'\\x81'"),
        "NEWOBJ_EX": (b"\x80\x04cnumpy\nndarray\n)}\x92.", r"the opcode b'\\x92'"),
        "PERSID": (b"\x80\x02P0\n.", "the opcode b'P'"),
        "BINPERSID": (b"\x80\x02K\x01Q.", "the opcode b'Q'"),
        "EXT1": (b"\x80\x02\x82\x01.", r"the opcode b'\\x82'"),
        "NEXT_BUFFER": (b"\x80\x05\x97.", r"the opcode b'\\x97'"),
        "copyreg": (b"\x80\x02ccopy_reg\n_reconstructor\n.", "the name 'copy_reg._reconstructor'"),
        "dotted": (
            b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.",
            "the name 'numpy.ndarray.tofi",
        ),
        "globals": (
            b"\x80\x04\x8c\x16numpy._core.multiarray\x8c\x18_reconstruct.__globals__\x93.",
            "the name 'numpy._core.multiarray._reconstruct.__globals__'",
        ),
        "runstring": (
            b"\x80\x04cnumpy.testing._private.utils\nrunstring\n" + short + b"}\x86R.",
            "the name 'numpy.testing._private.utils.runstring'",
        ),
        "codec": (b"\x80\x04c_codecs\nencode\n" + short + b"\x8c\x03zip\x86R.", "a call other"),
        "subclass": (b"\x80\x02" + reconstruct + b"cnumpy\ndtype\nK\x00\x85U\x01b\x87R.", "a call"),
        "BUILD a name": (b"\x80\x02cnumpy\nndarray\n}U\x01aK\x01sb.", "a state other than an"),
        "BUILD a slot": (b"\x80\x02cnumpy\ndtype\nN}U\x01aK\x01s\x86b.", "a state other than an"),
        "call a value": (b"\x80\x02K\x01)R.", "a call other than the making of an array"),
        "no name": (b"\x80\x02c" + b"a" * 200, "a name without end"),
        "key": (b"\x80\x02}]K\x01s.", "list where a string belongs"),
        "empty stack": (b"\x80\x020.", "the opcode b'0'"),
        "underflow": (b"\x80\x02a.", "a stack or memo that lacks an item at byte 3"),
        "memo": (b"\x80\x02h\x05.", "a stack or memo that lacks an item at byte 4"),
        "utf-8": (b"\x80\x02X\x01\x00\x00\x00\xff.", "text in no proper encoding"),
        "append": (b"\x80\x02}K\x01a.", "items for what is not a list"),
        "setitem": (b"\x80\x02]K\x01K\x01s.", "items for what is not a dict"),
    }
    return found


MARKER = Path("marker")  # in the current folder, whose name may hold anything
HOSTILE = hostile_pickles(MARKER)


@pytest.mark.parametrize("title", HOSTILE)
def test_hostile_pickle_is_refused_and_runs_nothing(tmp_path, monkeypatch, title):
    monkeypatch.chdir(tmp_path)  # where a side effect would show
    data, message = HOSTILE[title]
    path = tmp_path / "data_batch_1"
    path.write_bytes(data)
    before = set(sys.modules)
    for reader in (read_cifar10_batch, load):
        with raises_naming(path, rf" is refused \({message}.*\): wanted a CIFAR-10 batch"):
            reader(path)
    assert list(tmp_path.iterdir()) == [path]
    assert set(sys.modules) - before <= {"numpy.testing"}  # nothing imported on its word


def test_the_hostile_pickles_do_bite(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for title in ("os.system 2", "exec 4", "protocol 0", "runstring"):
        data = HOSTILE[title][0].replace(b"\x80\x00", b"")
        pickle.loads(data)
        assert MARKER.exists(), title
        MARKER.unlink()


MINUS_1 = b"J\xff\xff\xff\xff"


def array_pickle(shape, raw):
    """An array's pickle with a shape as opcodes and raw bytes that need not fit."""
    head = b"\x80\x02}U\x04datacnumpy.core.multiarray\n_reconstruct\n"
    empty = b"cnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    dtype = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNN" + MINUS_1 * 2 + b"K\x00tb"
    return head + empty + b"(K\x01" + shape + dtype + b"\x89" + raw + b"tbs."


HUGE = b"\x8a\x08" + (1 << 40).to_bytes(8, "little")
BOMBS = {
    "shape": (array_pickle(HUGE + HUGE + b"\x86", b"U\x01a"), "with 1 bytes"),
    "shape with 0": (array_pickle(HUGE + b"K\x00\x86", b"U\x00"), "an array of no proper shape"),
    "negative": (array_pickle(MINUS_1 + b"\x85", b"U\x01a"), "an array of no proper shape"),
    "objects": (array_pickle(b"K\x02\x85", b"]"), "an array that is not of uint8"),
    "memo index": (b"\x80\x02}r\xff\xff\xff\x7f.", r"keys \[\]"),
    "BINSTRING": (b"\x80\x02T\xff\xff\xff\x7faa", "it ends at byte 9, within the pickle"),
    "BINBYTES8": (b"\x80\x04\x8e" + b"\xff" * 8 + b"aa.", "it ends at byte 14, within the pickle"),
    "FRAME": (b"\x80\x04\x95" + b"\xff" * 8 + b"].", "a list, not a dict"),
    "LONG1": (b"\x80\x02\x8a\xffaa.", "it ends at byte 7, within the pickle"),
    "encoding": (
        b"\x80\x04c_codecs\nencode\n\x94X\x00\x00\x01\x00"
        + b"a" * (1 << 16)
        + b"\x94\x8c\x06latin1\x94"
        + b"h\x00h\x01h\x02\x86R" * 2000,
        "more bytes encoded than the file has",
    ),
    "keys": (
        b"\x80\x04}X\x00\x00\x01\x00" + b"a" * (1 << 16) + b"K\x01s.",
        "a string of 65536 where a short one belongs",
    ),
}


@pytest.mark.parametrize("title", BOMBS)
def test_pickle_that_claims_much_takes_little(tmp_path, title):
    data, message = BOMBS[title]
    path = tmp_path / "data_batch_1"
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with raises_naming(path, f"{message}.*wanted a CIFAR-10 batch"):
            read_cifar10_batch(path)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_pickle_with_too_many_opcodes(tmp_path):
    path = tmp_path / "data_batch_1"
    path.write_bytes(b"\x80\x02" + b")" * 1_000_001 + b".")
    with raises_naming(path, "more than 1000000 opcodes"):
        read_cifar10_batch(path)


SMALL = array_pickle(b"K\x01M\x00\x0c\x86", b"T\x00\x0c\x00\x00" + bytes(3072))
SMALL = SMALL[:-1] + b"U\x06labels]K\x03as."


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.integers(0, len(SMALL)), st.binary(max_size=3)), min_size=1, max_size=3)
)
def test_damaged_pickle_is_read_or_refused(tmp_path_factory, changes):
    data = bytearray(SMALL)
    for at, new in changes:
        # Most bytes are pixels: hit the structure around them as often.
        at = at if at % 2 else (at % 300 if at % 4 else len(data) - at % 60)
        data[at : at + len(new)] = new
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(data)
    try:
        pixels, labels = read_cifar10_batch(path)
    except ValueError as error:
        assert str(error).startswith(str(path))  # noqa: PT017
    else:
        assert pixels.shape == (1, 3, 32, 32)
        assert 0 <= labels[0] <= 9
