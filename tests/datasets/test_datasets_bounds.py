"""What no reader may do: wait for a special file, fill memory from a small one, work for ever."""

import bz2
import contextlib
import errno
import faulthandler
import gzip
import io
import os
import re
import socket
import struct
import sys
import tarfile
import zipfile

import numpy as np
import pytest
from dataset_files import raises_naming

from csoftmax.datasets import (
    _files,
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

FILE_READERS = [
    load,
    load_cifar10,
    load_cifar100,
    load_idx,
    load_mnist,
    load_npz,
    load_svmlight,
    read_cifar10_batch,
]
HANG = 60  # seconds; what is tested here takes milliseconds, or for ever


@pytest.fixture(autouse=True)
def watchdog():
    """End the run, and say where it was, if a reader hangs."""
    faulthandler.dump_traceback_later(HANG, exit=True, file=sys.__stderr__)
    yield
    faulthandler.cancel_dump_traceback_later()


# --- special files ------------------------------------------------------------------------------


def make_special(path, kind):
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "socket":
        # a socket's path has at most 107 bytes
        with socket.socket(socket.AF_UNIX) as server, contextlib.chdir(path.parent):
            server.bind(path.name)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()


POSIX = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX has these")
OF_POSIX = [pytest.param(kind, marks=POSIX) for kind in ("FIFO", "socket", "device")]


@pytest.mark.parametrize("kind", ["folder", *OF_POSIX])
@pytest.mark.parametrize("reader", FILE_READERS)
def test_special_files_are_refused_unopened(tmp_path, monkeypatch, kind, reader):
    if kind == "folder" and reader not in (load_idx, load_npz, read_cifar10_batch):
        pytest.skip("a folder is what this reader may take")
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    make_special(tmp_path / "x", kind)
    with raises_naming("x", f" is a {kind}, not a file: wanted"):
        reader("x")


@pytest.mark.parametrize("reader", FILE_READERS)
def test_the_device_that_every_system_has(reader):
    with raises_naming(os.devnull, " is a device, not a file: wanted"):
        reader(os.devnull)


IN_FOLDERS = {
    "X.npy": load_npy,
    "train-images-idx3-ubyte": load_mnist,
    "emnist-letters-train-images-idx3-ubyte": load_mnist,
    "data_batch_1": load_cifar10,
    "data_batch_1.bin": load_cifar10,
    "train": load_cifar100,
    "train.bin": load_cifar100,
    "a.svm": load_svmlight,
    "a.npz": load,
    "cifar-10-python.tar.gz": load,
    "cifar-100-binary.tar.gz": load,
}


@pytest.mark.parametrize("kind", OF_POSIX)
@pytest.mark.parametrize("name", IN_FOLDERS)
def test_special_files_in_folders(tmp_path, monkeypatch, kind, name):
    monkeypatch.chdir(tmp_path)
    make_special(tmp_path / name, kind)
    np.save(tmp_path / "y.npy", [0, 1]) if name == "X.npy" else None
    marks = {"train": "meta", "train.bin": "fine_label_names.txt"}
    if name in marks:
        (tmp_path / marks[name]).touch()
    for reader in {load, IN_FOLDERS[name]}:
        with raises_naming(name, f" is a {kind}, not a file: wanted"):
            reader(".")


@POSIX
def test_a_special_test_file_is_not_passed_over(tmp_path):
    path = tmp_path / "n.train.svm"
    path.write_text("1 1:1\n")
    os.mkfifo(tmp_path / "n.test.svm")
    for call in (lambda: load(path), lambda: load_svmlight(path, tmp_path / "n.test.svm")):
        with raises_naming(tmp_path / "n.test.svm", " is a FIFO, not a file"):
            call()


# --- growth -------------------------------------------------------------------------------------

GREAT = 1 << 22


def zip_of(method=zipfile.ZIP_DEFLATED, **arrays):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, array in arrays.items():
            npy = io.BytesIO()
            np.save(npy, array)
            archive.writestr(f"{name}.npy", npy.getvalue())
    return out.getvalue()


def tar_of_zeros(mode):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name in ("data_batch_1", "train"):
            member = tarfile.TarInfo(name)
            member.size = GREAT
            archive.addfile(member, io.BytesIO(bytes(GREAT)))
    return out.getvalue()


IDX = bytes([0, 0, 8, 1]) + struct.pack(">I", GREAT) + bytes(GREAT)
SVM = b"1 1:1\n" + b"# " + b" " * GREAT + b"\n"
GROWING = {
    "idx.gz": (gzip.compress(IDX), [load_idx]),
    "idx.bz2": (bz2.compress(IDX), [load_idx]),
    "svmlight.gz": (gzip.compress(SVM), [load, load_svmlight]),
    "svmlight.bz2": (bz2.compress(SVM), [load, load_svmlight]),
    "npz": (zip_of(X=np.zeros((GREAT // 8, 1)), y=np.arange(GREAT // 8) % 2), [load, load_npz]),
    "tar.gz": (tar_of_zeros("w:gz"), [load, load_cifar10, load_cifar100]),
    "tar.bz2": (tar_of_zeros("w:bz2"), [load, load_cifar10]),
}


@pytest.mark.parametrize("name", GROWING)
def test_what_a_compressed_file_grows_to_is_bounded(tmp_path, name):
    if "svmlight" in name:
        pytest.importorskip("sklearn", reason="scikit-learn reads svmlight files")
    data, readers = GROWING[name]
    assert len(data) < GREAT // 100
    path = tmp_path / "small"
    path.write_bytes(data)
    for reader in readers:
        message = (
            ".*: it grows to more than 1000000 bytes, the limit: .* raise max_bytes .*: wanted"
        )
        with raises_naming(path, message):
            reader(path, max_bytes=1_000_000)
        if "tar" not in name:  # zeros are no batches
            assert reader(path, max_bytes=1 << 28) is not None
            assert reader(path) is not None


@pytest.mark.parametrize("pack", [gzip.compress, bytes])
def test_what_mnist_grows_to_is_bounded(tmp_path, pack):
    images, labels = np.zeros((3, 400, 400), np.uint8), np.array([1, 2, 1], np.uint8)
    for part in ("train", "t10k"):
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
            (tmp_path / f"{part}-{kind}-ubyte").write_bytes(pack(head + array.tobytes()))
    if pack is bytes:  # what is not compressed does not grow
        assert load(tmp_path, max_bytes=10_000).X_train.shape == (3, 160000)
        return
    for reader in (load, load_mnist):
        with raises_naming(tmp_path / "train-images-idx3-ubyte", ": it grows to more than 10000 "):
            reader(tmp_path, max_bytes=10_000)
    assert load_mnist(tmp_path).y_train.tolist() == [0, 1, 0]


def test_what_is_not_compressed_has_no_limit(tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(zip_of(zipfile.ZIP_STORED, X=np.zeros((1000, 10)), y=np.arange(1000) % 2))
    assert load(path, max_bytes=1).X_train.shape == (1000, 10)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_npz_compressed_as_numpy_never_does(tmp_path, method):
    path = tmp_path / "a.npz"
    path.write_bytes(zip_of(method, X=np.zeros((100, 10)), y=np.arange(100) % 2))
    with raises_naming(path, ": it is compressed in a way that NumPy does not use: wanted"):
        load(path)


@pytest.mark.parametrize("reader", FILE_READERS)
def test_max_bytes_is_checked(tmp_path, reader):
    for wrong, error in ((0, ValueError), (-1, ValueError), (True, ValueError), (1e9, TypeError)):
        with pytest.raises(error, match=f"^max_bytes is {wrong}: wanted a positive integer"):
            reader(tmp_path / "x", max_bytes=wrong)


# --- time ---------------------------------------------------------------------------------------

UINT8 = (
    b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNN" + 2 * b"J\xff\xff\xff\xff" + b"K\x00tb"
)
ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
HUGE = b"\x8a\xff" + b"\xff" * 254 + b"\x7f"  # an integer of 2039 bits
SHAPES = {
    "a product of many huge sizes": b"(" + HUGE + b"q\x01" + b"h\x01" * 200_000 + b"t",
    "few huge sizes": b"(" + HUGE + b"q\x01" + b"h\x01" * 31 + b"t",
    "many ones": b"(" + b"K\x01" * 200_000 + b"t",
}


@pytest.mark.parametrize("title", SHAPES)
def test_a_pickle_with_a_shape_that_takes_long(tmp_path, title):
    path = tmp_path / "data_batch_1"
    state = b"(K\x01" + SHAPES[title] + b"q\x02" + UINT8 + b"\x89U\x01atb"
    path.write_bytes(b"\x80\x02}U\x04data" + ARRAY + state + b"s.")
    with raises_naming(path, r" is refused \(an array of (no proper )?shape.*\): wanted"):
        load(path)


def test_a_long_shape_that_the_memo_repeats(tmp_path):
    """Each repetition takes few bytes, and must not look at the whole shape again."""
    shape = b"(" + b"K\x01" * 200_000 + b"tq\x02"
    again = b"(K\x01h\x02" + UINT8 + b"\x89U\x01atb"
    path = tmp_path / "data_batch_1"
    path.write_bytes(b"\x80\x02" + shape + ARRAY + again * 1000 + b".")
    with raises_naming(path, r" is refused \(an array of no proper shape\)"):
        load(path)


def test_a_tar_with_an_extended_header_of_digits(tmp_path):
    """In tarfile a search takes time quadratic in its length."""
    out = io.BytesIO()
    for name, kind, data in (("x", tarfile.XHDTYPE, b"1" * (1 << 22)), ("train", b"0", b"1" * 9)):
        member = tarfile.TarInfo(name)
        member.type, member.size = kind, len(data)
        out.write(member.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % 512))
    path = tmp_path / "c.tar.gz"
    path.write_bytes(gzip.compress(out.getvalue() + bytes(1024)))
    with raises_naming(path, ", train has 9 bytes"):
        load(path)


# --- errors of the system -----------------------------------------------------------------------


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOMEM])
def test_a_disk_that_fails_stays_an_os_error_and_names_the_file(number):
    error, message = OSError, r"'a\.npz'"
    if sys.platform == "win32" and number == errno.ENOMEM:  # of a map longer than its file, too
        error, message = ValueError, r"^a\.npz is cut short or damaged .*: wanted an npz file"
    with pytest.raises(error, match=message) as raised, _files.reading("a.npz", "an npz file"):
        raise OSError(number, os.strerror(number))
    assert error is ValueError or raised.value.errno == number


@pytest.mark.skipif(os.name == "nt", reason="chmod takes no reading away on Windows")
@pytest.mark.skipif(os.name != "nt" and os.geteuid() == 0, reason="root may read all")
@pytest.mark.parametrize("reader", FILE_READERS)
def test_a_file_that_may_not_be_read(tmp_path, reader):
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(b"\0" * 100)
    path.chmod(0)
    with pytest.raises(PermissionError, match=re.escape(str(path))):
        reader(path)
