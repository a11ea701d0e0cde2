"""npz and npy: whole, damaged, foreign, with pickles inside."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest
from dataset_files import npy_of, npz_of, raises_naming, write_files

from csoftmax.datasets import load, load_npy, load_npz

RNG = np.random.default_rng(0)


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


FULL = {
    "X_train": RNG.random((5, 3)).astype(np.float32),
    "y_train": np.array([0, 1, 2, 1, 0], np.uint8),
    "X_test": RNG.random((2, 3)).astype(np.float32),
    "y_test": np.array([2, 0], np.int32),
    "class_names": np.array(["a", "b", "c"]),
}


def write_arrays(tmp_path, kind, arrays):
    if kind == "npz":
        path = tmp_path / "set.npz"
        path.write_bytes(npz_of(**arrays))
        return path
    folder = tmp_path / "set"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    return write_files(folder, {f"{name}.npy": npy_of(a) for name, a in arrays.items()})


@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_arrays(tmp_path, kind):
    path = write_arrays(tmp_path, kind, FULL | {"other": np.zeros(3)})
    for data in (load(path), {"npz": load_npz, "npy": load_npy}[kind](path)):
        assert data.name == "set"
        assert data.class_names == ("a", "b", "c")
        assert data.image_shape is None
        assert data.X_train.dtype == np.float32
        assert data.y_train.dtype == data.y_test.dtype == np.int64
        for key in ("X_train", "y_train", "X_test", "y_test"):
            np.testing.assert_array_equal(getattr(data, key), FULL[key])
        assert isinstance(data.X_train, np.memmap) == (kind == "npy")
        assert data.X_train.flags.writeable == (kind == "npz")


@pytest.mark.parametrize("kind", ["npz", "npy"])
@pytest.mark.parametrize("names", [("X", "y"), ("x", "y"), ("x_train", "y_train")])
def test_arrays_of_images_without_test_part(tmp_path, kind, names):
    images = RNG.integers(0, 256, (4, 2, 3, 3), np.uint8)
    path = write_arrays(tmp_path, kind, dict(zip(names, (images, [0, 1, 3, 0]), strict=True)))
    data = load(path)
    assert data.X_test is None
    assert data.y_test is None
    assert data.image_shape == (2, 3, 3)
    assert data.class_names == ("0", "1", "3")  # no class without a row
    np.testing.assert_array_equal(data.y_train, [0, 1, 2, 0])
    np.testing.assert_array_equal(data.X_train.reshape(4, 2, 3, 3), images)
    if kind == "npy":
        assert isinstance(data.X_train.base, np.memmap)  # reshaped without a copy


def test_class_names_as_bytes(tmp_path):
    arrays = FULL | {"class_names": np.array([b"a", b"b", b"c"])}
    assert load(write_arrays(tmp_path, "npz", arrays)).class_names == ("a", "b", "c")


@pytest.mark.parametrize("kind", ["npz", "npy"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X_train": None}, "no X_train among .'X_test'|no X_train among .'X_test.npy'"),
        ({"y_train": None}, "no y_train among"),
        ({"X_test": None}, "X_test is missing: wanted both"),
        ({"y_test": None}, "y_test is missing: wanted both"),
        ({"y_train": np.zeros(4, int)}, "y_train has 4 labels, but X_train has 5 rows"),
        ({"y_train": np.zeros(5)}, r"y_train is float64 of shape \(5,\): wanted integers"),
        ({"y_train": np.array(["a"] * 5)}, r"y_train is <U1 of shape \(5,\): wanted integers"),
        ({"y_train": np.zeros((5, 1), int)}, r"y_train is int64 of shape \(5, 1\): wanted"),
        ({"y_train": np.array([0, 1, 2, 3, 0])}, r"y_train\[3\] is 3: wanted a class number in"),
        ({"y_test": np.array([0, -1])}, r"y_test\[1\] is -1: wanted a class number in 0..2"),
        ({"y_test": np.array([0, 1 << 63], np.uint64)}, r"y_test\[1\] is 9223372036854775808"),
        ({"y_test": np.array([0, 1 << 40])}, r"y_test\[1\] is 1099511627776: wanted a class"),
        ({"X_train": np.zeros((5, 3), complex)}, "X_train is complex128 of shape"),
        ({"X_train": np.zeros(5)}, r"X_train is float64 of shape \(5,\): wanted real numbers"),
        ({"X_train": np.zeros((5, 0))}, r"X_train is float64 of shape \(5, 0\)"),
        ({"X_test": np.zeros((2, 4))}, "X_test has 4 columns, but X_train has 3"),
        ({"X_test": np.zeros((2, 3, 1))}, r"X_test has images of shape \(3, 1\), but X_train None"),
        (
            {"X_train": np.array([[None] * 3] * 5)},
            "Object arrays cannot be loaded|Python objects in dtype",
        ),
        (
            {"class_names": np.array(["a", None, "c"])},
            "Object arrays cannot be loaded|Python objects in dtype",
        ),
        ({"class_names": np.arange(3)}, r"class_names is int64 of shape \(3,\): wanted strings"),
        (
            {"class_names": np.array(["a", "b"])},
            r"y_train\[2\] is 2: wanted a class number in 0..1",
        ),
    ],
)
def test_arrays_that_do_not_fit(tmp_path, kind, change, message):
    arrays = {name: array for name, array in (FULL | change).items() if array is not None}
    path = write_arrays(tmp_path, kind, arrays)
    reader = {"npz": load_npz, "npy": load_npy}[kind]
    # an array that cannot be read is named by its own file
    with raises_naming(path, f"(?:{message}).*: wanted"):
        reader(path)


def test_arrays_run_no_pickle(tmp_path):
    marker = tmp_path / "marker"
    evil = np.array([[Call(os.system, f"touch {marker}")]], dtype=object)
    for kind in ("npz", "npy"):
        path = write_arrays(tmp_path, kind, {"X": evil, "y": np.array([0])})
        with raises_naming(path, "(?:Object arrays cannot be loaded|Python objects in dtype)"):
            load(path)
    whole = pickle.dumps(Call(os.system, f"touch {marker}"))
    path = write_files(tmp_path / "set", {"X.npy": whole})
    message = r": it starts with b'\\x80.*, not as an npy file does: wanted"
    with raises_naming(path / "X.npy", message):
        load(path)
    (tmp_path / "set.npz").write_bytes(whole)
    with raises_naming(tmp_path / "set.npz", r": it starts with b'\\x80.*: wanted an npz file"):
        load_npz(tmp_path / "set.npz")
    assert not marker.exists()


def test_truncated_npz(tmp_path):
    whole = npz_of(**FULL)
    path = tmp_path / "set.npz"
    for length in [3, 4, 10, 100, len(whole) // 2, len(whole) - 30, len(whole) - 1]:
        path.write_bytes(whole[:length])
        with raises_naming(path, ": wanted an npz file"):
            load_npz(path)


def test_npz_with_bytes_missing_or_added_before_its_index(tmp_path):
    whole = npz_of(**FULL)
    path = tmp_path / "set.npz"
    for data in (whole[:40] + whole[60:], whole[:40] + b"1234" + whole[40:]):
        path.write_bytes(data)
        with raises_naming(path, ": wanted an npz file"):
            load_npz(path)


def test_npz_whose_array_claims_a_huge_shape(tmp_path):
    path = tmp_path / "set.npz"
    header = {"descr": "|u1", "fortran_order": False, "shape": (1 << 40, 1 << 20)}
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, header)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("X.npy", out.getvalue() + b"abc")
        archive.writestr("y.npy", npy_of(np.array([0])))
    with raises_naming(path, ": wanted an npz file"):
        load(path)


def test_truncated_npy(tmp_path):
    folder = write_arrays(tmp_path, "npy", FULL)
    path = folder / "X_train.npy"
    whole = path.read_bytes()
    for length in [0, 3, 6, 8, 20, 100, 128, len(whole) - 1]:
        path.write_bytes(whole[:length])
        with raises_naming(path, ": wanted a folder of npy files"):
            load(folder)


def test_arrays_elsewhere(tmp_path):
    path = tmp_path / "one.npy"
    path.write_bytes(npy_of(np.eye(3)))
    with raises_naming(path, " holds one npy array: wanted a folder with X_train.npy and y_train"):
        load(path)
    with raises_naming(tmp_path, r": no X_train among \['one.npy'\]: wanted a folder of npy"):
        load_npy(tmp_path)
    with raises_naming(path, " is not a folder: wanted a folder of npy files"):
        load_npy(path)
    with raises_naming(tmp_path / "no.npz", " does not exist: wanted an npz", FileNotFoundError):
        load_npz(tmp_path / "no.npz")


@pytest.mark.parametrize("kind", ["npz", "npy"])
@pytest.mark.parametrize(
    ("train", "test", "names"),
    [
        (np.array([1, 26, 3, 1], np.uint8), None, ("1", "3", "26")),
        (np.array([-1, 1, 1, -1]), np.array([1, 5], np.int8), ("-1", "1", "5")),
        # which meet as float64 where NumPy puts them together
        (
            np.full(4, 2**63, np.uint64),
            np.array([2**62 + 1, -7]),
            ("-7", f"{2**62 + 1}", f"{2**63}"),
        ),
        (np.array([2, 0, 1, 2], ">i2"), np.array([0, 1]), ("0", "1", "2")),
    ],
)
def test_labels_without_names_become_class_numbers(tmp_path, kind, train, test, names):
    arrays = {"X_train": np.eye(4), "y_train": train}
    if test is not None:
        arrays |= {"X_test": np.eye(4)[:2], "y_test": test}
    data = load(write_arrays(tmp_path, kind, arrays))
    assert data.class_names == names
    assert [names[c] for c in data.y_train] == [str(y) for y in train.tolist()]
    assert data.y_train.dtype == np.int64
    if test is not None:
        assert [names[c] for c in data.y_test] == [str(y) for y in test.tolist()]


def test_named_classes_may_have_no_row(tmp_path):
    path = tmp_path / "set.npz"
    path.write_bytes(npz_of(X=np.eye(2), y=[2, 0], class_names=["a", "b", "c"]))
    data = load(path)
    assert data.class_names == ("a", "b", "c")
    np.testing.assert_array_equal(data.y_train, [2, 0])


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (3, ",  # brackets that stay open
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (3,) '''",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999,)}",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}",
        b"{[]: 1}",
        b"(" * 900,
        b"-" * 900 + b"1",
        b"{'descr': ('<f4',), 'fortran_order': False, 'shape': (3,)}",
        b"{'descr': '<U1', 'fortran_order': False, 'shape': (3,)}",  # code points there are not
        b"\xff\xfe\0",
    ],
)
@pytest.mark.filterwarnings("ignore:Reading")
def test_npy_headers_that_are_none(tmp_path, header):
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    data = b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header + b"\xff" * 12
    arrays = {"X.npy": npy_of(np.eye(3)), "y.npy": npy_of(np.arange(3)), "class_names.npy": data}
    folder = write_files(tmp_path / "set", arrays)
    path = tmp_path / "set.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in arrays.items():
            archive.writestr(name, content)
    for reader, source in ((load_npy, folder), (load_npz, path), (load, folder), (load, path)):
        with raises_naming(source, ": wanted") as refused:
            reader(source)
        assert type(refused.value) is ValueError  # and no subclass, which names no file
        assert refused.value.__cause__ is not None
