"""CIFAR-100: the folder and the archive of either kind, by either label."""

import io
import pickle
import struct
import tarfile

import numpy as np
import pytest
from dataset_files import raises_naming, tar_of, write_files

from csoftmax.datasets import load, load_cifar10, load_cifar100

RNG = np.random.default_rng(0)


def random_part(n):
    pixels = RNG.integers(0, 256, (n, 3072), np.uint8)
    fine, coarse = RNG.integers(0, 100, n).tolist(), RNG.integers(0, 20, n).tolist()
    return pixels, fine, coarse


def string2(text):
    return b"U" + bytes([len(text)]) + text


def python2_pickle(pixels, fine, coarse):
    """A part, opcode for opcode as Python 2 wrote the official ones."""
    lists = [(b"fine_labels", fine), (b"coarse_labels", coarse)]
    numbers = [
        string2(key) + b"]q\x10(" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
        for key, labels in lists
    ]
    return b"".join(
        [
            b"\x80\x02}q\x01(" + string2(b"filenames") + b"q\x02]q\x03(",
            string2(b"bos_taurus_s_000507.png") * len(pixels) + b"e",
            string2(b"batch_label") + string2(b"training batch 1 of 1"),
            *numbers,
            string2(b"data"),
            b"cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\n",
            b"q\x08K\x00\x85U\x01b\x87Rq\t",
            b"(K\x01M" + struct.pack("<H", len(pixels)) + b"M\x00\x0c\x86cnumpy\ndtype\nq\n",
            b"U\x02u1K\x00K\x01\x87Rq\x0b(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb",
            b"\x89T" + struct.pack("<i", pixels.size) + pixels.tobytes() + b"tbu.",
        ]
    )


def python3_pickle(pixels, fine, coarse):
    batch = {"data": pixels, "fine_labels": fine, "coarse_labels": coarse, "filenames": ["f"]}
    return pickle.dumps({key.encode(): value for key, value in batch.items()}, protocol=5)


def binary(pixels, fine, coarse):
    """Published as <1 x coarse label><1 x fine label><3072 x pixel>."""
    labels = np.array([coarse, fine], np.uint8).T
    return np.column_stack([labels, pixels]).tobytes()


KINDS = {
    "python": (python2_pickle, "", {"meta": b"never read", "file.txt~": b""}),
    "python 3": (python3_pickle, "", {"meta": b"never read"}),
    "binary": (binary, ".bin", {"fine_label_names.txt": b"a\n", "coarse_label_names.txt": b"a\n"}),
}


def cifar_files(kind):
    """{name: contents} as published, and the train and test part."""
    encode, suffix, others = KINDS[kind]
    parts = {"train": random_part(5), "test": random_part(3)}
    return others | {name + suffix: encode(*part) for name, part in parts.items()}, parts


def check(data, parts, label="fine"):
    assert data.name == "CIFAR-100"
    assert data.image_shape == (32, 32, 3)
    assert len(data.class_names) == {"fine": 100, "coarse": 20}[label]
    for name, X, y in (("train", data.X_train, data.y_train), ("test", data.X_test, data.y_test)):
        pixels, fine, coarse = parts[name]
        np.testing.assert_array_equal(y, fine if label == "fine" else coarse)
        images = X.reshape(-1, 32, 32, 3)
        np.testing.assert_array_equal(images[..., 1], pixels[:, 1024:2048].reshape(-1, 32, 32))
        assert X.flags.c_contiguous
        assert X.dtype == np.uint8
        assert y.dtype == np.int64


@pytest.mark.parametrize("kind", KINDS)
def test_folder_and_folder_above(tmp_path, kind):
    files, parts = cifar_files(kind)
    folder = write_files(tmp_path / f"cifar-100-{kind.split()[0]}", files)
    for source in (folder, tmp_path):
        check(load(source), parts)
        check(load_cifar100(source), parts)
        check(load_cifar100(str(source), labels="coarse"), parts, "coarse")


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w"])
@pytest.mark.parametrize("kind", KINDS)
def test_archive(tmp_path, kind, mode):
    files, parts = cifar_files(kind)
    path = tmp_path / "cifar-100-python.tar.gz"
    deep = "d/" * 80  # a name for which tar has extended headers
    path.write_bytes(tar_of({f"{deep}{name}": files[name] for name in sorted(files)}, mode))
    for source in (path, tmp_path):
        check(load(source), parts)
    check(load_cifar100(path, labels="coarse"), parts, "coarse")
    assert list(tmp_path.iterdir()) == [path]  # nothing unpacked


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_archive_with_long_names(tmp_path, form):
    files, parts = cifar_files("binary")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"{'a' * 40}/{'b' * 40}/{'c' * 40}/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    path = tmp_path / "c.tar"
    path.write_bytes(out.getvalue())
    check(load(path), parts)


@pytest.mark.parametrize("kind", KINDS)
def test_one_file(tmp_path, kind):
    files, parts = cifar_files(kind)
    name = "train" + KINDS[kind][1]
    data = load(write_files(tmp_path, files) / name)
    assert data.name == f"CIFAR-100 {name}"
    assert data.X_test is None
    np.testing.assert_array_equal(data.y_train, parts["train"][1])


def test_names_are_the_official_ones(tmp_path):
    files, _ = cifar_files("binary")
    write_files(tmp_path, files)
    fine, coarse = (load_cifar100(tmp_path, labels=k).class_names for k in ("fine", "coarse"))
    assert list(fine) == sorted(set(fine))  # both lists are in the order of the alphabet
    assert list(coarse) == sorted(set(coarse))
    assert [fine[c] for c in (0, 19, 50, 99)] == ["apple", "cattle", "mouse", "worm"]
    assert [coarse[c] for c in (0, 11, 19)] == [
        "aquatic_mammals",
        "large_omnivores_and_herbivores",
        "vehicles_2",
    ]


def test_a_folder_with_train_and_test_need_not_be_cifar(tmp_path):
    write_files(tmp_path, {"train": b"1 2 3", "test": b"4 5 6"})
    with raises_naming(tmp_path, " holds no data set of a known kind"):
        load(tmp_path)
    with raises_naming(tmp_path / "train", " has 5 bytes and starts with .*: wanted a CIFAR-100"):
        load_cifar100(tmp_path)


def test_errors(tmp_path):
    files, parts = cifar_files("binary")
    with pytest.raises(ValueError, match=r"^labels is 'both': wanted 'fine' or 'coarse'"):
        load_cifar100(tmp_path, labels="both")
    with raises_naming(
        tmp_path, " has no CIFAR-100 batches: wanted the folder or tar.gz of CIFAR-1"
    ):
        load_cifar100(tmp_path)
    write_files(tmp_path, files)
    (tmp_path / "test.bin").write_bytes(files["test.bin"][:-1])
    with raises_naming(tmp_path / "test.bin", " has 9221 bytes .* nor whole records of 3074 bytes"):
        load(tmp_path)
    pixels, fine, coarse = parts["test"]
    (tmp_path / "test.bin").write_bytes(binary(pixels, [0, 1, 100], coarse))
    with raises_naming(tmp_path / "test.bin", " has label 100 at record 2: wanted a CIFAR-100"):
        load(tmp_path)
    (tmp_path / "test.bin").write_bytes(binary(pixels, fine, [20, 0, 1]))
    with raises_naming(tmp_path / "test.bin", " has label 20 at record 0: wanted a CIFAR-100"):
        load(tmp_path)
    (tmp_path / "test.bin").unlink()
    with raises_naming(tmp_path / "test.bin", " does not exist: wanted", FileNotFoundError):
        load(tmp_path)
    path = tmp_path / "c.tar"
    path.write_bytes(tar_of({"train.bin": files["train.bin"]}))
    with raises_naming(path, " lacks test: wanted the folder or tar.gz of CIFAR-100"):
        load(path)
    with raises_naming(path, " lacks data_batch_1, .*: wanted the folder or tar.gz of CIFAR-10 "):
        load_cifar10(path)
    path.write_bytes(tar_of({"readme": b"?"}))
    with raises_naming(path, " has no batch of CIFAR-10 or CIFAR-100: wanted"):
        load(path)
