"""idx files of every type and MNIST in them, whole, damaged and foreign."""

import gzip
import re
import struct

import numpy as np
import pytest
from dataset_files import raises_naming, write_files

from csoftmax.datasets import load, load_idx, load_mnist

HTML = b"<!DOCTYPE html><html><title>404 Not Found</title></html>\n" * 20
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4
RNG = np.random.default_rng(0)
PARTS = {"train": 7, "t10k": 4}


def idx_of(array):
    codes = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}
    big = array.astype(array.dtype.newbyteorder(">"))
    head = bytes([0, 0, codes[array.dtype.str[1:]], array.ndim])
    return head + struct.pack(f">{array.ndim}I", *array.shape) + big.tobytes()


def mnist_files():
    images = {part: RNG.integers(0, 256, (n, 5, 3), np.uint8) for part, n in PARTS.items()}
    labels = {part: (np.arange(n) % 3).astype(np.uint8) for part, n in PARTS.items()}
    files = {f"{p}-images-idx3-ubyte": idx_of(images[p]) for p in PARTS}
    files |= {f"{p}-labels-idx1-ubyte": idx_of(labels[p]) for p in PARTS}
    return files, images, labels


ARRAYS = {
    code: RNG.integers(-99, 99, shape).astype(code)
    for code, shape in {
        "u1": (3, 2, 4),
        "i1": (5,),
        "i2": (2, 3),
        "i4": (3, 1, 2, 2),
        "f4": (4, 2),
        "f8": (7,),
    }.items()
}


@pytest.mark.parametrize("code", ARRAYS)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_of_every_type(tmp_path, code, pack):
    path = tmp_path / "array"  # the contents tell whether it is gzip'd, not the name
    path.write_bytes(pack(idx_of(ARRAYS[code])))
    got = load_idx(path)
    assert got.dtype == ARRAYS[code].dtype
    assert got.dtype.isnative
    np.testing.assert_array_equal(got, ARRAYS[code])


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("code", ARRAYS)
def test_truncated_idx(tmp_path, code, pack):
    path = tmp_path / "array"
    whole = pack(idx_of(ARRAYS[code]))
    for length in range(1, len(whole)):
        path.write_bytes(whole[:length])
        with raises_naming(path, ": wanted an idx file"):
            load_idx(path)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_errors(tmp_path, pack):
    path = tmp_path / "array"
    whole = idx_of(ARRAYS["u1"])
    claims = [(1 << 32) - 1] * 8
    cases = {
        whole + b"\0": r" should have 24 bytes of values for shape \(3, 2, 4\), but has more",
        whole[:-1]: r" should have 24 bytes of values for shape \(3, 2, 4\), but has only 23",
        whole[:9]: " ends within its header",
        bytes([0, 0, 8, 8]) + struct.pack(">8I", *claims): "bytes of values.*but has only 0",
        bytes([0, 0, 8, 8]) + struct.pack(">8I", 0, *claims[1:]): r" has shape \(0, 42949",
        bytes([0, 0, 8, 0, 1]): r" starts with b'\\x00\\x00\\x08\\x00'",
        bytes([0, 0, 8, 99]) + bytes(400): r" starts with b'\\x00\\x00\\x08c'",
        bytes([0, 0, 10, 1]) + whole[4:]: r" starts with b'\\x00\\x00\\n\\x01'",
        b"\1" + whole[1:]: r" starts with b'\\x01\\x00\\x08\\x03'",
        HTML: " starts with b'<!DO'",
        PNG: r" starts with b'\\x89PNG'",
        b"\0\0": r" starts with b'\\x00\\x00'",
    }
    for data, message in cases.items():
        path.write_bytes(pack(data))
        with raises_naming(path, f"^{message}.*: wanted an idx file".removeprefix("^")):
            load_idx(path)


def test_damaged_gzip(tmp_path):
    path = tmp_path / "array.gz"
    whole = bytearray(gzip.compress(idx_of(ARRAYS["u1"])))
    whole[-6] ^= 1  # the checksum
    path.write_bytes(whole)
    with raises_naming(
        path, r" is cut short or damaged \(BadGzipFile: CRC check failed.*\): wanted an idx"
    ):
        load_idx(path)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("separator", ["-", "."])
@pytest.mark.parametrize("reader", [load, load_mnist])
def test_mnist(tmp_path, pack, separator, reader):
    files, images, labels = mnist_files()
    for name, data in files.items():
        name = name.replace("-idx", separator + "idx") + (".gz" if pack is not bytes else "")
        (tmp_path / name).write_bytes(pack(data))
    data = reader(tmp_path)
    assert data.name == "MNIST"
    assert data.image_shape == (5, 3)
    assert data.class_names == ("0", "1", "2")
    np.testing.assert_array_equal(data.X_train, images["train"].reshape(7, 15))
    np.testing.assert_array_equal(data.X_test, images["t10k"].reshape(4, 15))
    np.testing.assert_array_equal(data.y_train, labels["train"])
    np.testing.assert_array_equal(data.y_test, labels["t10k"])


def test_mnist_errors(tmp_path):
    files, images, labels = mnist_files()
    folder = tmp_path / "m"
    name = "train-labels-idx1-ubyte"
    swaps = {
        idx_of(labels["train"][:-1]): "m has 7 train images, but 6 train labels",
        idx_of(images["train"]): rf"{name} holds uint8 of shape \(7, 5, 3\): wanted uint8 in 1",
        idx_of(ARRAYS["i2"]): rf"{name} holds int16 of shape \(2, 3\): wanted uint8 in 1 dim",
        idx_of(labels["train"][:0]): rf"{name} holds uint8 of shape \(0,\): wanted",
        files[name][:-1]: f"{name}: it should have 7 bytes",
        HTML: f"{name}: it starts with",
    }
    for data, message in swaps.items():
        write_files(folder, files | {name: data})
        with raises_naming(tmp_path, f"^.{message}".replace("^", "")):
            load(folder)
    write_files(folder, files)
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx_of(images["t10k"][:, :4]))
    with raises_naming(folder, ": X_test has 12 columns, but X_train has 15"):
        load(folder)
    (folder / "t10k-images-idx3-ubyte").unlink()
    message = " has no file of t10k images: wanted the folder of MNIST with train-images-idx3"
    with raises_naming(folder, message, FileNotFoundError):
        load(folder)
    with raises_naming(
        folder / name, " is not a folder, nor a set's train images by its name: wanted"
    ):
        load_mnist(folder / name)
    with raises_naming(folder / name, " holds one idx array: wanted the folder of the four idx"):
        load(folder / name)  # labels do not stand for a set
    with raises_naming(folder / "x", " does not exist: wanted the folder", FileNotFoundError):
        load_mnist(folder / "x")


SPLITS = ["byclass", "bymerge", "balanced", "letters", "digits", "mnist"]


def emnist_files(split, labels):
    """The four files of a split, with these labels in the train and in the test part."""
    images = {part: RNG.integers(0, 256, (len(y), 4, 4), np.uint8) for part, y in labels.items()}
    files = {}
    for part, y in labels.items():
        files[f"emnist-{split}-{part}-images-idx3-ubyte"] = idx_of(images[part])
        files[f"emnist-{split}-{part}-labels-idx1-ubyte"] = idx_of(np.array(y, np.uint8))
    return files, images


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("reader", [load, load_mnist])
def test_emnist(tmp_path, pack, split, reader):
    files, images = emnist_files(split, {"train": [3, 1, 26, 1], "test": [26, 7]})
    gz = "" if pack is bytes else ".gz"
    write_files(tmp_path, {name + gz: pack(data) for name, data in files.items()})
    (tmp_path / f"emnist-{split}-mapping.txt").write_text("1 65 97\n")
    for source in (tmp_path, tmp_path / f"emnist-{split}-train-images-idx3-ubyte{gz}"):
        data = reader(source)
        assert data.name == f"EMNIST {split}"
        # no class 0 that has no row, and the labels are kept
        assert data.class_names == ("1", "3", "7", "26")
        np.testing.assert_array_equal(data.y_train, [1, 0, 3, 0])
        np.testing.assert_array_equal(data.y_test, [3, 2])
        np.testing.assert_array_equal(data.X_train, images["train"].reshape(4, 16))


@pytest.mark.parametrize("reader", [load, load_mnist])
def test_several_splits_in_a_folder_are_named_by_their_train_images(tmp_path, reader):
    for split in ("letters", "digits"):
        write_files(tmp_path, emnist_files(split, {"train": [1, 2], "test": [2, 1]})[0])
    write_files(tmp_path, mnist_files()[0])
    names = [tmp_path / f"{p}train-images-idx3-ubyte" for p in ("", "emnist-digits-")]
    first = re.escape(f"{names[0]}, {names[1]}, ")
    with raises_naming(tmp_path, f" holds several data sets: {first}.*: name one"):
        reader(tmp_path)
    assert [reader(path).name for path in names] == ["MNIST", "EMNIST digits"]
    (tmp_path / "emnist-digits-test-labels-idx1-ubyte").unlink()
    with raises_naming(tmp_path, " has no file of test labels: wanted", FileNotFoundError):
        reader(names[1])


def test_labels_with_gaps_of_a_set_in_mnists_files(tmp_path):
    files, _, labels = mnist_files()
    files["t10k-labels-idx1-ubyte"] = idx_of(np.array([9, 0, 9, 1], np.uint8))  # only in the test
    data = load(write_files(tmp_path, files))
    assert data.class_names == ("0", "1", "2", "9")
    np.testing.assert_array_equal(data.y_train, labels["train"])
    np.testing.assert_array_equal(data.y_test, [3, 0, 3, 1])
