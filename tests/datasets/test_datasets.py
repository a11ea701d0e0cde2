"""csoftmax.datasets: the Dataset, finding out what a path holds, real data."""

import bz2
import gzip
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from dataset_files import npy_of, npz_of, raises_naming, write_files

from csoftmax.datasets import Dataset, load, load_cifar10

HTML = b"<!DOCTYPE html><html><title>404 Not Found</title></html>\n" * 20
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4


X, Y = np.zeros((3, 4), np.uint8), np.array([0, 1, 1])
FULL = {"X_train": X, "y_train": Y, "class_names": ["no", "yes"]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"class_names": ()}, "class_names is empty: wanted one name a class"),
        ({"X_train": X[0]}, r"X_train has shape \(4,\): wanted \(N, D\) with N and D at least 1"),
        ({"X_train": X[:0]}, r"X_train has shape \(0, 4\): wanted"),
        ({"y_train": Y[:2]}, "y_train has 2 labels, but X_train has 3 rows"),
        ({"y_train": Y.astype(np.int32)}, r"y_train is int32 of shape \(3,\): wanted int64"),
        ({"y_train": Y[:, None]}, r"y_train is int64 of shape \(3, 1\): wanted int64 of shape"),
        ({"y_train": np.array([0, 2, 1])}, r"y_train\[1\] is 2: wanted a class number in 0..1"),
        ({"y_train": np.array([0, 1, -1])}, r"y_train\[2\] is -1: wanted a class number in 0..1"),
        ({"image_shape": (2, 3)}, r"image_shape \(2, 3\) has 6 values, but a row of X_train has 4"),
        ({"X_test": X}, "y_test is missing: wanted both X_test and y_test, or neither"),
        ({"y_test": Y}, "X_test is missing: wanted both X_test and y_test, or neither"),
        ({"X_test": X, "y_test": Y[1:]}, "y_test has 2 labels, but X_test has 3 rows"),
        ({"X_test": X[:, 1:], "y_test": Y}, "X_test has 3 columns, but X_train has 4"),
    ],
)
def test_dataset_refuses_parts_that_do_not_fit(change, message):
    parts = {"name": "n", "X_train": X, "y_train": Y, "X_test": None, "y_test": None}
    parts["class_names"] = ("no", "yes")
    Dataset(**parts)
    with pytest.raises(ValueError, match=f"^{message}"):
        Dataset(**(parts | change))


def test_import_needs_numpy_alone():
    code = (
        "import sys, csoftmax.datasets;"
        "print({'sklearn', 'scipy', 'matplotlib', 'tqdm', 'torch'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_folder_with_several_kinds(tmp_path):
    # In a folder the names tell; what the files hold is looked at when one is loaded.
    write_files(tmp_path / "cifar-10-batches-py", {"data_batch_1": b"", "test_batch": b""})
    write_files(tmp_path / "cifar-10-batches-bin", {"data_batch_2.bin": b""})
    write_files(tmp_path / "mnist", {"t10k-labels-idx1-ubyte.gz": b""})
    write_files(tmp_path / "text", {"a.train.svm": b"", "a.test.svm": b""})
    write_files(tmp_path / "saved", {"set.npz": npz_of(**FULL)})
    write_files(tmp_path / "more", {"X.npy": npy_of(X), "y.npy": npy_of(Y), "notes.txt": b"!"})
    write_files(tmp_path / "raw", {"cifar-10-python.tar.gz": HTML})
    names = [
        "cifar-10-batches-bin",
        "cifar-10-batches-py",
        "mnist",
        "more",
        "raw/cifar-10-python.tar.gz",
        "saved/set.npz",
        "text/a.train.svm",
    ]
    found = ", ".join(re.escape(str(tmp_path / name)) for name in names)
    with raises_naming(tmp_path, f" holds several data sets: {found}: name one of them$"):
        load(tmp_path)
    with raises_naming(tmp_path / "raw" / "cifar-10-python.tar.gz", ": not a whole tar"):
        load(tmp_path / "raw")
    assert load(tmp_path / "more").name == "more"
    with raises_naming(tmp_path / "mnist", " has no file of train images", FileNotFoundError):
        load(tmp_path / "mnist")


def test_folder_above_a_single_set(tmp_path):
    write_files(tmp_path / "a", {"notes.txt": b"nothing"})
    write_files(tmp_path / "b", {"set.npz": npz_of(**FULL)})
    assert load(tmp_path).name == "set"
    (tmp_path / "b" / "set.npz").unlink()
    with raises_naming(tmp_path, " holds no data set of a known kind: wanted 'digits', or"):
        load(tmp_path)


# No time of day in it: each process that runs tests must give them the same names.
PACKED = gzip.compress(HTML, mtime=0)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", " is empty: wanted 'digits', or the path"),
        (HTML, " holds no known kind, it starts with b'<!DOCTYPE html><': wanted 'digits'"),
        (PNG, r" holds no known kind, it starts with b'\\x89PNG.*': wanted 'digits'"),
        (PACKED, " holds no known kind, it starts with b'<!DOCTYPE html><': wanted"),
        (bz2.compress(HTML), " holds no known kind, it starts with b'<!DOCTYPE html><': wanted"),
        (gzip.compress(PNG, mtime=0)[:30], r" is cut short or damaged \(.*\): wanted 'digits'"),
        (b"\x1f\x8b\x08", r" is cut short or damaged \(.*\): wanted 'digits'"),
        (b"1 2 3\n4 5 6\n", " holds no known kind, it starts with b'1 2 3"),
        (b"a,b\n1,2\n", " holds no known kind"),
        (b"(dp0\n.", " holds no known kind"),
        (b"PK\x03\x04 and no zip", ": .*: wanted an npz file"),
        (b"\x80\x04K\x01.", r" is refused \(a int, not a dict\): wanted a CIFAR-10 batch"),
        (b"\0\0\x08\x01\0\0", " holds one idx array: wanted the folder"),
    ],
)
@pytest.mark.parametrize("name", ["data", "cifar-10-python.tar.gz", "data.npz"])
def test_foreign_files(tmp_path, data, message, name):
    path = tmp_path / name
    path.write_bytes(data)
    with raises_naming(path, message):
        load(path)


def test_load_refuses_other_sources(tmp_path):
    with raises_naming(tmp_path / "no", " does not exist: wanted 'digits'", FileNotFoundError):
        load(tmp_path / "no")
    with pytest.raises(TypeError, match=r"^source is int: wanted 'digits', or the path of CIFAR"):
        load(3)
    with pytest.raises(TypeError, match=r"^source is NoneType: wanted"):
        load(None)


def test_a_folder_called_digits(tmp_path, monkeypatch):
    pytest.importorskip("sklearn", reason="scikit-learn has the digits")
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path / "digits", {"set.npz": npz_of(**FULL)})
    assert load("digits").name == "digits"
    assert load("./digits").name == "set"
    assert load(Path("digits")).name == "set"


def test_real_cifar10(data_dir):
    python = load(data_dir / "cifar-10-batches-py")
    binary = load_cifar10(data_dir / "cifar-10-batches-bin")
    assert python.X_train.shape == (50000, 3072)
    for key in ("X_train", "y_train", "X_test", "y_test"):
        np.testing.assert_array_equal(getattr(python, key), getattr(binary, key))
    np.testing.assert_array_equal(np.bincount(python.y_train), [5000] * 10)
    np.testing.assert_array_equal(np.bincount(python.y_test), [1000] * 10)
    # The first image is a frog; neighbouring pixels of a photograph are alike in this order only.
    assert python.class_names[python.y_train[0]] == "frog"
    images = python.X_train[:500].reshape(-1, *python.image_shape).astype(float)
    for axis in (1, 2):
        assert (
            np.abs(np.diff(images, axis=axis)).mean() < 20
        )  # and 50 where the channels are mixed up


def test_real_mnist(data_dir):
    data = load(data_dir / "mnist")
    assert data.X_train.shape == (60000, 784)
    assert data.X_test.shape == (10000, 784)
    np.testing.assert_array_equal(data.y_train[:5], [5, 0, 4, 1, 9])
    assert data.class_names == tuple("0123456789")
    # Digits stand in the middle.
    images = data.X_train.reshape(-1, *data.image_shape)
    assert images[:, 0].mean() < 1
    assert images[:, 14, 14].mean() > 80


def test_real_text(data_dir):
    pytest.importorskip("sklearn", reason="scikit-learn reads svmlight files")
    data = load(data_dir / "text" / "reuters-single.train.svm")
    assert data.name == "reuters-single"
    assert data.X_train.shape == (6532, 12163)
    assert data.X_test.shape == (2568, 12163)
    assert len(data.class_names) == 52
    assert data.class_names[0] == "1"


def test_real_folder_asks_to_name_one(data_dir):
    with raises_naming(data_dir, " holds several data sets: .*cifar-10-batches-bin, .*mnist"):
        load(data_dir)
