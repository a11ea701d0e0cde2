"""CIFAR-10: batches, folders and archives, whole, damaged and foreign."""

import gzip
import pickle
import struct

import numpy as np
import pytest
from dataset_files import raises_naming, tar_of, write_files

from csoftmax.datasets import load, load_cifar10, read_cifar10_batch

STEMS = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
HTML = b"<!DOCTYPE html><html><title>404 Not Found</title></html>\n" * 20
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4
RNG = np.random.default_rng(0)


def random_batch(n=4):
    return RNG.integers(0, 256, (n, 3072), np.uint8), RNG.integers(0, 10, n).tolist()


def string2(text):
    return b"U" + bytes([len(text)]) + text


def python2_pickle(pixels, labels):
    """A batch, opcode for opcode as Python 2 wrote the official ones."""
    n = len(pixels)
    return b"".join(
        [
            b"\x80\x02}q\x01(" + string2(b"batch_label") + b"q\x02",
            string2(b"training batch 1 of 5") + b"q\x03" + string2(b"labels") + b"q\x04]q\x05(",
            *(b"K" + bytes([label]) for label in labels),
            b"e" + string2(b"data") + b"q\x06",
            b"cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\n",
            b"q\x08K\x00\x85U\x01b\x87Rq\t",
            b"(K\x01M" + struct.pack("<H", n) + b"M\x00\x0c\x86cnumpy\ndtype\nq\n",
            b"U\x02u1K\x00K\x01\x87Rq\x0b(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb",
            b"\x89T" + struct.pack("<i", pixels.size) + pixels.tobytes() + b"tb",
            string2(b"filenames") + b"q\x0c]q\r(" + string2(b"leptodactylus_s_000004.png") * n,
            b"eu.",
        ]
    )


def binary_batch(pixels, labels):
    return np.column_stack([np.array(labels, np.uint8), pixels]).tobytes()


def cifar_files(kind, n=4):
    """{name: contents} of six batches, and the pixels and labels in the order of STEMS."""
    encode, suffix = {"py": (python2_pickle, ""), "bin": (binary_batch, ".bin")}[kind]
    batches = [random_batch(n) for _ in STEMS]
    files = {stem + suffix: encode(*batch) for stem, batch in zip(STEMS, batches, strict=True)}
    return files, np.concatenate([b[0] for b in batches]), np.concatenate([b[1] for b in batches])


def check_cifar(data, pixels, labels):
    """Rows are height, width, channel, against the definition of the file's order."""
    n = len(pixels) // 6
    assert data.X_train.shape == (5 * n, 3072)
    assert data.X_test.shape == (n, 3072)
    assert data.X_train.dtype == data.X_test.dtype == np.uint8
    assert data.X_train.flags.c_contiguous
    assert data.image_shape == (32, 32, 3)
    assert data.class_names[0] == "airplane"
    assert data.class_names[9] == "truck"
    rows = np.concatenate([data.X_train, data.X_test]).reshape(-1, 32, 32, 3)
    for channel in range(3):
        plane = pixels[:, channel * 1024 : (channel + 1) * 1024].reshape(-1, 32, 32)
        np.testing.assert_array_equal(rows[:, :, :, channel], plane)
    np.testing.assert_array_equal(np.concatenate([data.y_train, data.y_test]), labels)
    assert data.y_train.dtype == data.y_test.dtype == np.int64


@pytest.mark.parametrize("kind", ["py", "bin"])
@pytest.mark.parametrize("reader", [load, load_cifar10])
def test_cifar10_folder_and_folder_above(tmp_path, kind, reader):
    files, pixels, labels = cifar_files(kind)
    folder = write_files(tmp_path / f"cifar-10-batches-{kind}", files)
    (folder / "readme.html").write_bytes(HTML)
    check_cifar(reader(folder), pixels, labels)
    check_cifar(reader(str(tmp_path)), pixels, labels)


def test_cifar10_prefers_python_batches(tmp_path):
    files, pixels, labels = cifar_files("py")
    write_files(tmp_path, files)
    write_files(tmp_path, cifar_files("bin")[0])
    check_cifar(load_cifar10(tmp_path), pixels, labels)


@pytest.mark.parametrize("mode", ["w:gz", "w"])
@pytest.mark.parametrize("kind", ["py", "bin"])
@pytest.mark.parametrize("reader", [load, load_cifar10])
def test_cifar10_archive(tmp_path, kind, mode, reader):
    files, pixels, labels = cifar_files(kind)
    # As published: in a folder, in no order, with other files.
    members = {"cifar/readme.html": HTML, "cifar/batches.meta": b"never read"}
    members |= {f"cifar/{name}": files[name] for name in sorted(files, reverse=True)}
    path = tmp_path / "cifar-10.tar.gz"
    path.write_bytes(tar_of(members, mode))
    check_cifar(reader(path), pixels, labels)
    assert list(tmp_path.iterdir()) == [path]  # nothing unpacked


def test_cifar10_archive_may_hold_any_path_since_none_is_written(tmp_path):
    files, pixels, labels = cifar_files("bin")
    path = tmp_path / "deep" / "c.tar.gz"
    path.parent.mkdir()
    path.write_bytes(tar_of({f"../{name}": data for name, data in files.items()}))
    check_cifar(load(path), pixels, labels)
    assert [p.name for p in tmp_path.rglob("*")] == ["deep", "c.tar.gz"]


def repickle(pixels, labels, protocol, *, keys=str, pack=np.asarray):
    batch = {"data": pack(pixels), "labels": labels, "batch_label": "b", "filenames": ["f.png"]}
    batch = {key.encode() if keys is bytes else key: value for key, value in batch.items()}
    return pickle.dumps(batch, protocol=protocol)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("keys", [str, bytes])
@pytest.mark.parametrize("pack", [np.asarray, np.asfortranarray, lambda x: np.repeat(x, 2, 0)[::2]])
def test_python_batch_saved_again(tmp_path, protocol, keys, pack):
    pixels, labels = random_batch()
    path = tmp_path / "data_batch_1"
    data = repickle(pixels, labels, protocol, keys=keys, pack=pack)
    for module in (b"numpy.core.", b"numpy._core."):  # NumPy 1 and 2
        other = b"numpy._core." if module == b"numpy.core." else b"numpy.core."
        path.write_bytes(rename(data, other, module))
        got_pixels, got_labels = read_cifar10_batch(path)
        assert got_pixels.shape == (4, 3, 32, 32)
        np.testing.assert_array_equal(got_pixels.reshape(4, 3072), pixels)
        np.testing.assert_array_equal(got_labels, labels)
        assert got_labels.dtype == np.int64


def rename(data, old, new):
    """Change a module's name in a pickle; protocol 4 writes the length before it."""
    for tail in (b"multiarray", b"numeric"):
        short = b"\x8c" + bytes([len(old + tail)]) + old + tail
        data = data.replace(short, b"\x8c" + bytes([len(new + tail)]) + new + tail)
        data = data.replace(b"c" + old + tail + b"\n", b"c" + new + tail + b"\n")
    return data


def test_python2_pickle_is_what_pickle_reads():
    pixels, labels = random_batch()
    data = python2_pickle(pixels, labels)
    truth = pickle.loads(data.replace(b"numpy.core", b"numpy._core"), encoding="latin1")
    np.testing.assert_array_equal(truth["data"], pixels)
    assert truth["labels"] == labels


@pytest.mark.parametrize("encode", [python2_pickle, binary_batch])
def test_one_batch(tmp_path, encode):
    pixels, labels = random_batch()
    path = tmp_path / ("data_batch_1" if encode is python2_pickle else "data_batch_1.bin")
    path.write_bytes(encode(pixels, labels))
    data = load(path)
    assert data.name == f"CIFAR-10 {path.name}"
    assert data.X_test is None
    rows = pixels.reshape(4, 3, 1024).transpose(0, 2, 1).reshape(4, 3072)
    np.testing.assert_array_equal(data.X_train, rows)
    np.testing.assert_array_equal(data.y_train, labels)
    got_pixels, _ = read_cifar10_batch(path)
    assert not got_pixels.flags.writeable


@pytest.mark.parametrize("encode", [python2_pickle, binary_batch])
def test_truncated_batch(tmp_path, encode):
    data = encode(*random_batch())
    path = tmp_path / "data_batch_2"
    for length in [1, 2, 10, 100, 3000, 3074, 6000, len(data) - 3073, len(data) - 1]:
        if length % 3073:
            path.write_bytes(data[:length])
            with raises_naming(path, "wanted a CIFAR-10 batch"):
                read_cifar10_batch(path)


def test_batch_with_bytes_after_its_end(tmp_path):
    path = tmp_path / "data_batch_1"
    path.write_bytes(python2_pickle(*random_batch()) + b"\0\0")
    with raises_naming(path, r" is refused \(2 bytes after the pickle's end\): wanted"):
        read_cifar10_batch(path)


@pytest.mark.parametrize("kind", ["py", "bin"])
@pytest.mark.parametrize("stem", ["data_batch_1", "data_batch_4", "test_batch"])
def test_missing_batch(tmp_path, kind, stem):
    files = cifar_files(kind)[0]
    name = next(name for name in files if name.startswith(stem))
    del files[name]
    folder = write_files(tmp_path / "c", files)
    for reader in (load, load_cifar10):
        missing = folder / name
        with raises_naming(missing, "does not exist: wanted a CIFAR-10", FileNotFoundError):
            reader(folder)
    path = tmp_path / "c.tar.gz"
    path.write_bytes(tar_of(files))
    with raises_naming(path, f" lacks {stem}: wanted the folder or tar.gz of CIFAR-10"):
        load(path)


def test_batches_of_unequal_length(tmp_path):
    """A binary batch cut at the end of a record shows by its length alone."""
    files = cifar_files("bin")[0]
    files["data_batch_3.bin"] = files["data_batch_3.bin"][:-3073]
    with raises_naming(tmp_path, ": data_batch_3 has 3 images, but other batches have 4: wanted"):
        load_cifar10(write_files(tmp_path, files))


def test_archive_with_a_batch_twice(tmp_path):
    files = cifar_files("bin")[0]
    path = tmp_path / "c.tar.gz"
    path.write_bytes(tar_of({f"{folder}/{k}": v for folder in "ab" for k, v in files.items()}))
    with raises_naming(path, " has data_batch_1 twice: wanted"):
        load(path)


@pytest.mark.parametrize("mode", ["w:gz", "w"])
def test_truncated_archive(tmp_path, mode):
    whole = tar_of(cifar_files("bin", 1)[0], mode)
    used = len(whole.rstrip(b"\0")) if mode == "w" else len(whole)
    path = tmp_path / "c.tar.gz"
    for length in [1, 2, 9, 11, 100, 300, 513, 4000, used // 2, used - 9, used - 1]:
        path.write_bytes(whole[:length])
        with raises_naming(path, ": wanted .*CIFAR-10"):
            load_cifar10(path)


def test_archive_with_damaged_bytes(tmp_path):
    whole = bytearray(tar_of(cifar_files("bin", 1)[0]))
    path = tmp_path / "c.tar.gz"
    for at in range(20, len(whole), len(whole) // 23):
        whole[at] ^= 0x40
        path.write_bytes(whole)
        with raises_naming(path, ": wanted .*CIFAR-10"):
            load_cifar10(path)
        whole[at] ^= 0x40


def test_hostile_pickle_in_an_archive(tmp_path):
    marker = tmp_path / "marker"
    hostile = b"\x80\x02cos\nsystem\nX" + struct.pack("<I", len(str(marker)) + 6)
    files = dict.fromkeys(STEMS, hostile + f"touch {marker}".encode() + b"\x85R.")
    path = tmp_path / "c.tar.gz"
    path.write_bytes(tar_of(files))
    with raises_naming(path, r", data_batch_1 is refused \(the name"):
        load(path)
    assert not marker.exists()


def test_archive_that_unpacks_to_too_much(tmp_path):
    path = tmp_path / "c.tar.gz"
    batches = cifar_files("bin", 1)[0]
    # The sum is bounded, so that neither headers nor other members fill memory.
    for files in ({"data_batch_1": bytes(1 << 21)}, {"other": bytes(1 << 21), **batches}):
        path.write_bytes(tar_of(files))
        for reader in (load, load_cifar10):
            with raises_naming(path, ": it grows to more than 1048576 bytes.* raise max_bytes"):
                reader(path, max_bytes=1 << 20)
    assert load(path, max_bytes=1 << 22).X_train.shape == (5, 3072)


def test_cifar10_foreign_files(tmp_path):
    path = tmp_path / "cifar-10-python.tar.gz"
    for data in (HTML, PNG, gzip.compress(HTML)):
        path.write_bytes(data)
        with raises_naming(path, r": not a whole tar \(.*\): wanted the folder or tar.gz"):
            load_cifar10(path)
    path.write_bytes(b"")
    with raises_naming(path, " is empty: wanted the folder or tar.gz of CIFAR-10"):
        load_cifar10(path)
    with raises_naming(tmp_path, " has no CIFAR-10 batches: wanted the folder or tar.gz"):
        load_cifar10(tmp_path)
    with raises_naming(tmp_path / "no", " does not exist: wanted the folder", FileNotFoundError):
        load_cifar10(tmp_path / "no")
    for data in (HTML, PNG):
        path.write_bytes(data)
        with raises_naming(
            path, f" has {len(data)} bytes and starts with .*, neither a pickle nor"
        ):
            read_cifar10_batch(path)
    path.write_bytes(bytes([4, *bytes(3072), 10, *bytes(3072)]))
    with raises_naming(path, " has label 10 at record 1: wanted a CIFAR-10 batch"):
        read_cifar10_batch(path)
    with raises_naming(tmp_path, " is a folder, not a file: wanted a CIFAR-10 batch"):
        read_cifar10_batch(tmp_path)
    with path.open("wb") as stream:
        stream.truncate(1 << 40)  # sparse: takes no disk
    with raises_naming(path, ": it grows to more than 1048576 bytes.*: wanted a CIFAR-10 batch"):
        read_cifar10_batch(path, max_bytes=1 << 20)
