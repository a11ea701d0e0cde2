"""Files of earlier versions load: `make_stored.py` wrote them, with what they predicted then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from csoftmax import load_model
from csoftmax.models import files

STORED = Path(__file__).parent / "stored"
EXPECTED = {
    folder.name: json.loads((folder / "expected.json").read_text())
    for folder in sorted(STORED.iterdir())
}
CASES = [(folder, name) for folder, found in EXPECTED.items() for name in found["models"]]


def test_all_are_tested():
    there = {(path.parent.name, path.stem) for path in STORED.glob("*/*.safetensors")}
    assert there == set(CASES)
    dtypes = {
        np.dtype(model["dtype"]).kind + str(np.dtype(model["dtype"]).itemsize)
        for model in EXPECTED["format-1"]["models"].values()
        if "dtype" in model
    }
    numbers = {f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)}
    assert numbers | {"b1", "f2", "f4", "f8", "U36", "O8", "M8", "m8"} <= dtypes


@pytest.mark.parametrize("found", ["sklearn", None])
@pytest.mark.parametrize(("folder", "name"), CASES)
def test_it_loads_and_predicts_as_it_did(folder, name, found, monkeypatch):
    if found:
        pytest.importorskip("sklearn")
    monkeypatch.setattr(files, "find_spec", lambda package: found)
    expected = EXPECTED[folder]["models"][name]
    X: Any = EXPECTED[folder]["X"]
    X = X if isinstance(X, dict) else np.array(X)
    model = load_model(STORED / folder / f"{name}.safetensors")
    if hasattr(model, "feature_names_in_"):
        X = pytest.importorskip("pandas").DataFrame(X, columns=model.feature_names_in_)
    labels = model.predict(X)
    plain = labels.view(np.int64) if labels.dtype.kind in "mM" else labels
    assert plain.tolist() == expected["labels"]
    if "proba" in expected:
        assert labels.dtype == expected["dtype"]
        coef = getattr(model, "model", model).coef_
        rtol = 1e-5 if coef.dtype == np.float32 else 1e-9
        np.testing.assert_allclose(model.predict_proba(X), expected["proba"], rtol=rtol)
    if found or "proba" not in expected or folder == "format-2":
        assert type(model).__name__ == expected["class"]
    if hasattr(model, "get_params"):
        params = model.get_params()
        assert {name: repr(params[name]) for name in expected["parameters"]} == (
            expected["parameters"]
        )
    if hasattr(model, "partial_fit"):
        y = model.classes_[np.arange(len(X)) % len(model.classes_)]
        model.partial_fit(X, y)
        assert np.isfinite(model.coef_).all()
