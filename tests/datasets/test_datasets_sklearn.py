"""svmlight files and the digits, which scikit-learn reads."""

import bz2
import gzip
import re
import sys

import numpy as np
import pytest
from dataset_files import raises_naming, write_files

from csoftmax.datasets import load, load_digits, load_svmlight

HTML = b"<!DOCTYPE html><html><title>404 Not Found</title></html>\n" * 20
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4


TRAIN = "# a comment\n-1 1:0.5 3:2 # another\n+1 2:1e-3\n\n-1\n"
TEST = "1 5:4\n-1 1:1\n3 2:2\n"


@pytest.fixture
def sklearn():
    return pytest.importorskip("sklearn", reason="scikit-learn reads svmlight and has the digits")


@pytest.mark.usefixtures("sklearn")
@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("n.train.svm", "n.test.svm"),
        ("n.train", "n.test"),
        ("n.svm", "n.svm.t"),
        ("n", "n.t"),
        ("n.train.libsvm.gz", "n.test.libsvm.gz"),
    ],
)
def test_svmlight_pair(tmp_path, train, test):
    pack = gzip.compress if train.endswith(".gz") else bytes
    (tmp_path / train).write_bytes(pack(TRAIN.encode()))
    (tmp_path / test).write_bytes(pack(TEST.encode()))
    sources = [tmp_path / train] + ([tmp_path] if "svm" in train else [])
    for source in sources:
        data = load(source)
        assert data.name == "n"
        assert data.class_names == ("-1", "1", "3")
        assert data.X_train.dtype == np.float64
        assert data.X_train.shape == (3, 5)
        assert data.X_test.shape == (3, 5)
        np.testing.assert_array_equal(data.y_train, [0, 1, 0])
        np.testing.assert_array_equal(data.y_test, [1, 0, 2])
        expected = [[0.5, 0, 2, 0, 0], [0, 1e-3, 0, 0, 0], [0, 0, 0, 0, 0]]
        np.testing.assert_array_equal(data.X_train.toarray(), expected)


@pytest.mark.usefixtures("sklearn")
def test_svmlight_alone_and_with_a_test_file_by_name(tmp_path):
    path, test = tmp_path / "a.svm", tmp_path / "b.svm"
    path.write_text("2.5 1:1\n7 1:2\n")
    test.write_text("7 4:1\n")
    data = load_svmlight(path)
    assert data.class_names == ("2.5", "7")
    assert data.X_test is None
    assert data.X_train.shape == (2, 1)
    data = load_svmlight(path, test)
    assert data.X_train.shape == (2, 4)
    np.testing.assert_array_equal(data.y_test, [1])


@pytest.mark.usefixtures("sklearn")
def test_svmlight_recognised_by_contents(tmp_path):
    path = tmp_path / "data"
    path.write_text("1 " + " ".join(f"{i}:{i / 7}" for i in range(1, 500)) + "\n2 3:nan\n")
    assert load(path).X_train.shape == (2, 499)


@pytest.mark.usefixtures("sklearn")
@pytest.mark.parametrize(
    "data",
    [
        TRAIN.encode() + b"1 2:",
        TRAIN.encode() + b"1 2",
        TRAIN.encode() + b"1 2:x",
        TRAIN.encode() + b"1,2 3:4",
        TRAIN.encode() + b"1 99999999999999999999:1",
        b"nan 1:1\n",
        b"# nothing\n",
        b"1\n2\n",
        HTML,
        PNG,
    ],
)
def test_svmlight_damaged_or_foreign(tmp_path, data):
    good, path = tmp_path / "n.train.svm", tmp_path / "n.test.svm"
    good.write_text(TRAIN)
    path.write_bytes(data)
    with raises_naming(path, ": wanted svmlight text"):
        load_svmlight(path)
    if data not in (b"# nothing\n", b"1\n2\n"):  # no rows, no columns: of the train file's shape
        with raises_naming(path, ": wanted svmlight text"):
            load(good)


@pytest.mark.usefixtures("sklearn")
def test_truncated_svmlight_gz(tmp_path):
    path = tmp_path / "n.svm.gz"
    whole = gzip.compress(TRAIN.encode())
    for length in [5, 15, len(whole) - 9, len(whole) - 1]:
        path.write_bytes(whole[:length])
        with raises_naming(path, "wanted svmlight text"):
            load_svmlight(path)


@pytest.mark.usefixtures("sklearn")
def test_svmlight_folders(tmp_path):
    with raises_naming(tmp_path, " has no file .svm, .svmlight, .libsvm: wanted svmlight text"):
        load_svmlight(tmp_path)
    files = {f"{n}.{part}.svm": TRAIN.encode() for n in "ab" for part in ("train", "test")}
    write_files(tmp_path, files)
    message = r" has several: \S.+a.train.svm, \S.+b.train.svm: name one of them"
    with raises_naming(tmp_path, message):
        load_svmlight(tmp_path)
    with raises_naming(tmp_path / "no", " does not exist: wanted svmlight", FileNotFoundError):
        load_svmlight(tmp_path / "no")
    with raises_naming(tmp_path / "no", " does not exist: wanted svmlight", FileNotFoundError):
        load_svmlight(tmp_path / "a.train.svm", tmp_path / "no")


def test_digits(sklearn):
    data = load("digits")
    truth = pytest.importorskip("sklearn.datasets").load_digits()
    assert data.X_train.dtype == np.uint8
    assert data.y_train.dtype == np.int64
    assert data.X_train.max() == 16
    assert data.image_shape == (8, 8)
    assert data.class_names == tuple("0123456789")
    assert data.X_test is None
    assert data.y_test is None
    np.testing.assert_array_equal(data.X_train, truth.data)
    np.testing.assert_array_equal(data.y_train, truth.target)


def test_without_scikit_learn(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    message = r"^scikit-learn reads {}: pip install scikit-learn$"
    for source in (load_digits, lambda: load("digits")):
        with pytest.raises(ImportError, match=message.format("digits")):
            source()
    path = tmp_path / "n.svm"
    path.write_text(TRAIN)
    with pytest.raises(ImportError, match=message.format("svmlight files")):
        load(path)


@pytest.mark.usefixtures("sklearn")
@pytest.mark.parametrize("line", ["1 2:x", "1,2 3:4", "1 2", "1 5:1 4:1", "1 -3:1", "x 1:1"])
@pytest.mark.parametrize("name", ["a.svm", "a.libsvm.gz", "a.svmlight.bz2", "a"])
def test_a_parse_error_names_file_and_line(tmp_path, line, name):
    pack = {".gz": gzip.compress, ".bz2": bz2.compress}.get((tmp_path / name).suffix, bytes)
    path = tmp_path / name
    path.write_bytes(pack(f"{TRAIN}{line}\n{TEST}".encode()))
    message = rf", line 6, b'{re.escape(line)}'.*: wanted svmlight text"
    for reader in (load, load_svmlight):
        with raises_naming(path, message):
            reader(path)


@pytest.mark.usefixtures("sklearn")
def test_a_parse_error_in_the_first_line_or_in_the_test_file(tmp_path):
    path = tmp_path / "n.train.svm"
    path.write_text("1 2:x\n")  # which no longer looks like svmlight but by its name
    with raises_naming(path, ", line 1, b'1 2:x': could not convert string to float"):
        load(path)
    path.write_text(TRAIN)
    test = tmp_path / "n.test.svm"
    test.write_text("1 2:3\n1 3:\n")
    with raises_naming(test, ", line 2, b'1 3:': "):
        load(path)


@pytest.mark.usefixtures("sklearn")
def test_zipped_svmlight_is_known_by_its_contents(tmp_path):
    for pack in (gzip.compress, bz2.compress):
        path = tmp_path / "data"
        path.write_bytes(pack(b"-1 1:0.5 3:2\n+1 2:1\n"))
        for reader in (load, load_svmlight):
            assert reader(path).X_train.shape == (2, 3)
