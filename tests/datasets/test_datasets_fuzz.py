"""Damaged files of every format: read, or refused by name with a ValueError or OSError.

`python test_datasets_fuzz.py 5000 7` runs 5000 mutations a format from seed 7, with the slowest.
"""

from __future__ import annotations

import bz2
import faulthandler
import gzip
import io
import pickle
import random
import struct
import sys
import tarfile
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pytest

from csoftmax.datasets import (
    load,
    load_cifar10,
    load_cifar100,
    load_idx,
    load_mnist,
    load_npy,
    load_npz,
    load_svmlight,
    read_cifar10_batch,
)

MUTATIONS = 260
HANG = 60  # seconds for all mutations of a format, which take one or two

RNG = np.random.default_rng(0)
X, Y = RNG.random((4, 3)).astype(np.float32), np.array([0, 2, 1, 0])
IMAGES, LABELS = RNG.integers(0, 256, (3, 2, 2), np.uint8), np.array([1, 3, 1], np.uint8)
TEXT = b"-1 1:0.5 3:2 # c\n+1 qid:3 2:1e-3\n\n3 1:4 2:5 7:1\n"
PIXELS = RNG.integers(0, 256, (2, 3072), np.uint8)


class Format(NamedTuple):
    """The file that is damaged, those beside it, what reads them, and what packs the bytes."""

    name: str
    data: bytes
    readers: tuple[Callable[[Path], object], ...]
    beside: Mapping[str, bytes] = MappingProxyType({})
    pack: Callable[[bytes], bytes] = bytes
    of_folder: bool = False


def saved(save: Callable[..., None], *arrays: np.ndarray, **named: object) -> bytes:
    out = io.BytesIO()
    save(out, *arrays, **named)
    return out.getvalue()


def idx_of(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.data


def zipped(data: bytes) -> bytes:
    """The same bytes every time: a seed stands for its mutations."""
    return gzip.compress(data, mtime=0)


def tar_of(files: dict[str, bytes], mode: str = "w", form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=form) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def pickled(protocol: int, **labels: list[int]) -> bytes:
    batch = {"data": PIXELS, "batch_label": "b", "filenames": ["a.png", "b.png"], **labels}
    return pickle.dumps(batch, protocol=protocol)


BATCH = b"".join(bytes([7]) + row.tobytes() for row in PIXELS)
BATCH100 = b"".join(bytes([7, 70]) + row.tobytes() for row in PIXELS[:1])
PICKLE100 = pickled(4, fine_labels=[1, 99], coarse_labels=[0, 19])
CIFAR10 = {f"{n}.bin": BATCH for n in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]}
CIFAR100 = {"d/" * 60 + "train.bin": BATCH100, "d/test.bin": BATCH100}
FULL = {"X_train": X, "y_train": Y, "X_test": X, "y_test": Y, "class_names": np.array(list("abc"))}
MNIST = {
    f"{part}-{kind}-ubyte": idx_of(array)
    for part in ("train", "t10k")
    for kind, array in (("images-idx3", IMAGES), ("labels-idx1", LABELS))
}
NPY = {f"{name}.npy": saved(np.save, array) for name, array in FULL.items()}
PYTHON = (lambda path: load(path), read_cifar10_batch)

FORMATS = {
    "npz": Format("a.npz", saved(np.savez, **FULL), (load, load_npz)),
    "npz deflated": Format("a.npz", saved(np.savez_compressed, **FULL), (load, load_npz)),
    "npy": Format("X_train.npy", NPY["X_train.npy"], (load, load_npy), NPY, of_folder=True),
    "npy labels": Format("y_test.npy", NPY["y_test.npy"], (load_npy,), NPY, of_folder=True),
    "npy names": Format(
        "class_names.npy", NPY["class_names.npy"], (load_npy,), NPY, of_folder=True
    ),
    "idx": Format("a", idx_of(IMAGES), (load, load_idx)),
    "idx.gz": Format("a.gz", idx_of(IMAGES), (load, load_idx), pack=zipped),
    "mnist": Format(
        "train-labels-idx1-ubyte", idx_of(LABELS), (load, load_mnist), MNIST, of_folder=True
    ),
    "svmlight": Format("a.svm", TEXT, (load, load_svmlight)),
    "svmlight pair": Format("a.test.svm", TEXT, (load,), {"a.train.svm": TEXT}, of_folder=True),
    "svmlight.gz": Format("a.svm.gz", TEXT, (load, load_svmlight), pack=zipped),
    "svmlight.bz2": Format("a.svm.bz2", TEXT, (load, load_svmlight), pack=bz2.compress),
    "cifar-10 python 2": Format("data_batch_1", pickled(2, labels=[1, 9]), PYTHON),
    "cifar-10 python 5": Format("data_batch_1", pickled(5, labels=[1, 9]), PYTHON),
    "cifar-10 binary": Format("data_batch_1.bin", BATCH, PYTHON),
    "cifar-10 tar": Format("c.tar", tar_of(CIFAR10), (load, load_cifar10)),
    "cifar-10 tar.gz": Format("c.tar.gz", tar_of(CIFAR10), (load_cifar10,), pack=zipped),
    "cifar-100 python": Format(
        "train", PICKLE100, (load, load_cifar100), {"test": PICKLE100, "meta": b""}, of_folder=True
    ),
    "cifar-100 binary": Format(
        "train.bin", BATCH100, (load_cifar100,), {"test.bin": BATCH100}, of_folder=True
    ),
    "cifar-100 tar.gz": Format(
        "c.tar.gz", tar_of(CIFAR100, form=tarfile.GNU_FORMAT), (load, load_cifar100),
        pack=zipped,
    ),
}  # fmt: skip


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Flip, cut, insert, repeat or overwrite some bytes; near the ends more often."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        length = max(1, len(out))
        edge = min(length, 320)
        at = rng.choice(
            (rng.randrange(length), rng.randrange(edge), length - 1 - rng.randrange(edge))
        )
        span = rng.choice((1, 1, 2, 8, rng.randrange(1, 600)))
        kind = rng.randrange(6)
        if kind == 0 and out:
            out[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del out[at : at + span]
        elif kind == 2:
            out[at:at] = rng.randbytes(span)
        elif kind == 3:
            out[at:at] = out[at : at + span] * rng.choice((1, 1, 2, 200))
        elif kind == 4:
            out[at : at + span] = rng.choice((b"\0", b"\xff", b"9", b"(", b"-")) * span
        else:
            del out[at:]
    return bytes(out)


def damaged(form: Format, rng: random.Random) -> bytes:
    """Damage what is packed, so that the checksum is right, as often as the packed bytes."""
    if form.pack is not bytes and rng.random() < 0.5:
        return mutate(form.pack(form.data), rng)
    return form.pack(mutate(form.data, rng))


def check_refusal(error: Exception, source: Path, data: bytes) -> None:
    """No subclass such as UnicodeDecodeError, which cannot name a file, and the file is named."""
    assert type(error) in (ValueError, FileNotFoundError, OSError), data
    assert str(error).startswith(str(source)), (error, data)


def fuzz(form: Format, folder: Path, n_mutations: int, seed: int) -> tuple[int, float]:
    """Read damaged files; return how many were refused, and the longest time that one took."""
    for name, data in form.beside.items():
        (folder / name).write_bytes(data)
    path = folder / form.name
    source = folder if form.of_folder else path
    path.write_bytes(form.pack(form.data))
    form.readers[-1](source)  # imports what it needs, outside the times
    n_refused, slowest = 0, 0.0
    for number in range(n_mutations):
        rng = random.Random(f"{form.name} {seed} {number}")
        data = damaged(form, rng)
        path.unlink(missing_ok=True)  # a file that is mapped must not change
        path.write_bytes(data)
        start = time.process_time()  # of a machine that may be busy
        try:
            rng.choice(form.readers)(source)
        except (ValueError, OSError) as error:
            n_refused += 1
            check_refusal(error, source, data)
        except Exception as error:
            error.add_note(f"mutation {number}: {data!r}")
            raise
        slowest = max(slowest, time.process_time() - start)
    return n_refused, slowest


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.filterwarnings("ignore")  # of headers that Python 2 might have written
def test_damaged_files_are_read_or_refused(tmp_path, name):
    if "svmlight" in name:
        pytest.importorskip("sklearn", reason="scikit-learn reads svmlight files")
    faulthandler.dump_traceback_later(HANG, exit=True, file=sys.__stderr__)
    try:
        n_refused, _ = fuzz(FORMATS[name], tmp_path, MUTATIONS, seed=0)
    finally:
        faulthandler.cancel_dump_traceback_later()
    assert n_refused > MUTATIONS // 10  # most damage in pixels shows in no format


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_damaged_is_whole_before(tmp_path, name):
    if "svmlight" in name:
        pytest.importorskip("sklearn", reason="scikit-learn reads svmlight files")
    form = FORMATS[name]
    for other, data in form.beside.items():
        (tmp_path / other).write_bytes(data)
    path = tmp_path / form.name
    path.write_bytes(form.pack(form.data))
    for reader in form.readers:
        if name in ("idx", "idx.gz") and reader is load:
            continue  # refuses a single array, which is no data set
        reader(tmp_path if form.of_folder else path)


def main(n_mutations: int, seed: int) -> None:
    """Run for long, by hand."""
    warnings.simplefilter("ignore")
    for name, form in FORMATS.items():
        with tempfile.TemporaryDirectory() as folder:
            faulthandler.dump_traceback_later(20 * HANG, exit=True)
            n_refused, slowest = fuzz(form, Path(folder), n_mutations, seed)
        print(
            f"{name:20} {n_refused:6} of {n_mutations} refused, slowest {slowest:.3f} s", flush=True
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
