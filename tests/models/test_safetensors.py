"""The safetensors package reads what is written here, and the other way round."""

from __future__ import annotations

import json

import numpy as np
import pytest

from csoftmax.models import tensors

safetensors = pytest.importorskip("safetensors")
from safetensors.numpy import load_file, save_file  # noqa: E402

R = np.random.default_rng(0)
ARRAYS = {
    **{code: (R.random((3, 4)) * 100).astype(dtype) for code, dtype in tensors.DTYPES.items()},
    "number": np.array(2.5),
    "none": np.empty((0, 3), np.float32),
    "strided": np.arange(20, dtype=np.int16).reshape(4, 5).T[::2],
    "big-endian": np.arange(3.0).astype(">f4"),
    "read-only": np.broadcast_to(np.float32(1), (2, 2)),
    "é": np.arange(3, dtype=np.uint8),
}
TEXTS = {"a": "b", "json": json.dumps({"é": "\ud800"}), "雪": "cinéma"}


def check(found, written):
    assert set(found) == set(written)
    for name, array in written.items():
        assert found[name].dtype == array.dtype.newbyteorder("="), name
        assert found[name].shape == array.shape
        np.testing.assert_array_equal(found[name], array)


def test_theirs_reads_ours(tmp_path):
    path = tmp_path / "ours.safetensors"
    tensors.write(path, ARRAYS, TEXTS)
    check(load_file(path), ARRAYS)
    with safetensors.safe_open(path, "np") as file:
        assert file.metadata() == TEXTS
    found, texts = tensors.read(path)
    check(found, ARRAYS)
    assert texts == TEXTS


def test_ours_reads_theirs(tmp_path):
    path = tmp_path / "theirs.safetensors"
    plain = {name: np.array(array, array.dtype.newbyteorder("="), order="C")
             for name, array in ARRAYS.items()}  # fmt: skip
    save_file(plain, path, TEXTS)
    found, texts = tensors.read(path)
    check(found, plain)
    assert texts == TEXTS
    assert all(array.flags.aligned and array.flags.writeable for array in found.values())


def test_without_texts(tmp_path):
    save_file({"a": np.arange(3.0)}, path := tmp_path / "theirs.safetensors")
    assert tensors.read(path)[1] == {}


def test_a_model(tmp_path):
    pytest.importorskip("sklearn", reason="the estimators need scikit-learn")
    from fitted_models import made, names_of_all

    from csoftmax import save_model

    for name in names_of_all():
        if name == "names":
            continue
        model = made(name)
        save_model(model, path := tmp_path / "model.safetensors")
        found = load_file(path)
        np.testing.assert_array_equal(found["intercept_"], model.intercept_)
        if "coef_" in found:
            np.testing.assert_array_equal(found["coef_"], model.coef_)
        with safetensors.safe_open(path, "np") as file:
            texts = file.metadata()
        assert json.loads(texts["csoftmax.model"])["kind"] == type(model).__name__


def test_too_many_names(tmp_path, monkeypatch):
    monkeypatch.setattr(tensors, "MAX_HEADER", 100)
    with pytest.raises(ValueError, match=r"names and texts take .* bytes, more than 100"):
        tensors.write(tmp_path / "a", {"a": np.zeros(1)}, {"b": "c" * 100})
    assert not list(tmp_path.iterdir())
