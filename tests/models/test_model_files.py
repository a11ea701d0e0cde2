"""Files that claim to be models: refused by name, with no code run and no memory for claims."""

from __future__ import annotations

import json
import os
import pickle
import re
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builds import needs_pipes
from model_files import MODEL_KEY, model_file, packed, parts_of, unpacked

from csoftmax import load_model
from csoftmax.models import fitted, tensors


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


def refused(path: Path, data: bytes, *words: str) -> str:
    """Refused where scikit-learn is, and where it is not, in the same words."""
    path.write_bytes(data)
    messages = []
    for find_spec in (lambda name: True, lambda name: None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("csoftmax.models.files.find_spec", find_spec)
            with pytest.raises(ValueError, match=re.escape(str(path))) as found:
                load_model(path)
        messages.append(str(found.value))
        assert type(found.value) is ValueError
    for message in messages:
        assert message.startswith(f"{path}")
        assert message.endswith("wanted a model as csoftmax.save_model writes it")
        for word in words:
            assert word in message, message
    return messages[0]


Change = Callable[[dict[str, Any], dict[str, Any]], None]


def changed(change: Change) -> bytes:
    """The file of a model whose header and whose account of itself were changed."""
    header, data = unpacked(model_file())
    about = json.loads(header["__metadata__"][MODEL_KEY])
    change(header, about)
    if MODEL_KEY in header.get("__metadata__", {}):
        header["__metadata__"][MODEL_KEY] = json.dumps(about)
    return packed(header, data)


def test_the_file_is_whole_before(path):
    path.write_bytes(changed(lambda header, about: None))
    pytest.importorskip("sklearn")
    assert load_model(path).predict([[5.0, 3.0, 1.0, 0.2]]).tolist() == ["a"]


def test_another_version_of_the_same_format(path):
    pytest.importorskip("sklearn")
    path.write_bytes(changed(of_metadata(csoftmax_version="99.9")))
    assert load_model(path).C == 2.0
    assert load_model(path).tol == 1e-4  # which the file does not say


def test_a_file_that_is_cut_short(path):
    whole = model_file()
    for n in [*range(1, 20), *range(20, len(whole), 37), len(whole) - 1]:
        refused(path, whole[:n])
    assert "is empty" in refused(path, b"")
    refused(path, whole + b"\0", "its arrays end at byte")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x80\x04\x95" + bytes(100), "no length of a header"),
        (pickle.dumps({"coef_": 1}), "no length of a header"),
        (b"PK\x03\x04" + bytes(60), "no length of a header"),
        (struct.pack("<Q", 2**63) + b"{}", "no length of a header in a file of 10 bytes"),
        (struct.pack("<Q", 3) + b"{}", "no length of a header"),
        (struct.pack("<Q", 2) + b"[]", "begins with '[]', not with a bracket"),
        (struct.pack("<Q", 2) + b"{}", "it has no csoftmax.format, and is of another program"),
        (struct.pack("<Q", 2) + b"{a", "JSONDecodeError"),
        (struct.pack("<Q", 2) + b"{\xff", "UnicodeDecodeError"),
        (struct.pack("<Q", 90_005) + b'{"a":' + b"[" * 90_000, "RecursionError"),
        (struct.pack("<Q", 16) + b'{"a": 1, "a": 2}', "'a' is there twice"),
        (struct.pack("<Q", 8) + b'{"a":NaN', "NaN is no number of JSON"),
        (struct.pack("<Q", 5_006) + b'{"a":' + b"9" * 5_000 + b"}", "integer string conversion"),
    ],
)
def test_headers_that_are_none(path, data, words):
    refused(path, data, words)


def with_entry(**entry: Any) -> bytes:
    def change(header: dict[str, Any], about: dict[str, Any]) -> None:
        header["coef_"] |= entry

    return changed(change)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"dtype": "BF16"}, "coef_ has dtype 'BF16', none of BOOL"),
        ({"dtype": 3}, "coef_ has dtype 3"),
        ({"dtype": "F32"}, "which do not fit F32"),
        ({"shape": [3, -4]}, "coef_ has shape [3, -4]"),
        ({"shape": [3, 4.0]}, "coef_ has shape [3, 4.0]"),
        ({"shape": [True, 4]}, "coef_ has shape [True, 4]"),
        ({"shape": [2**62, 4]}, "coef_ has shape"),
        ({"shape": [1] * 9}, "coef_ has shape"),
        ({"shape": "34"}, "coef_ has shape '34'"),
        ({"shape": [4, 3]}, "(4, 3), not float32 or float64 of shape (3, 4)"),
        ({"data_offsets": [96, 0]}, "which do not fit"),
        ({"data_offsets": [-96, 0]}, "coef_ has data_offsets [-96, 0]"),
        ({"data_offsets": [0]}, "coef_ has data_offsets [0]"),
        ({"data_offsets": [2**62, 2**62 + 96]}, "coef_ has data_offsets"),
        ({"more": 1}, "not dtype, shape and data_offsets"),
    ],
)  # fmt: skip
def test_entries_that_fit_nothing(path, entry, words):
    refused(path, with_entry(**entry), words)


def test_arrays_that_overlap_or_leave_bytes_out(path):
    for offsets in ([8, 104], [96, 192]):
        refused(path, with_entry(data_offsets=offsets), "of the arrays, not at")

    def twice(header: dict[str, Any], about: dict[str, Any]) -> None:
        header["Cs_"] = header["coef_"]

    refused(path, changed(twice), "begins at byte")


def drop(*names: str) -> Change:
    """Without these arrays, and what they lie in."""

    def change(header: dict[str, Any], about: dict[str, Any]) -> None:
        for name in names:
            entry = header.pop(name)
            header[f"unknown.{name}"] = entry

    return change


def of_about(**values: Any) -> Change:
    return lambda header, about: about.update(values)


def of_texts(**values: Any) -> Change:
    return lambda header, about: about["texts"].update(values)


def of_metadata(**values: Any) -> Change:
    return lambda header, about: header["__metadata__"].update(
        {name.replace("_", "."): value for name, value in values.items()}
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (of_metadata(csoftmax_format="3"), "its format is '3', by csoftmax '"),
        (of_metadata(csoftmax_format="3"), "reads formats '1' and '2'"),
        (of_metadata(csoftmax_more="2"), "its texts are "),
        (of_metadata(csoftmax_version=2), "not texts by their names"),
        (of_about(kind="Pickle"), "its kind is 'Pickle', which csoftmax"),
        (of_about(kind=["a"]), "its kind is ['a']"),
        (of_about(kind="SoftmaxClassifierCV"), "is nothing that such a model has"),
        (of_about(kind="cs231n.Softmax"), "it has parameters"),
        (of_about(more=1), f"its {MODEL_KEY} is "),
        (of_about(texts=[]), "its texts are []"),
        (of_about(parameters={"C": {"eval": "1"}}), "is no value that a parameter can have"),
        (of_about(parameters={"C": {"float": "1"}}), "is no value that a parameter can have"),
        (of_about(parameters={"C": {"SGD": {"rule": 1}, "b": 2}}), "no value with its kind"),
        (of_about(parameters={"C": {"scalar": ["object", 1]}}), "is no value that a parameter"),
        (of_about(parameters={"C": {"array": ["int8", [300]]}}), "out of bounds"),
        (of_about(parameters={"C": {"dict": [[[], 1]]}}), "unhashable"),
        (of_texts(stop_reason_=3), "stop_reason_ is 3, not text"),
        (of_texts(other_="a"), "other_ is no text that such a model has"),
        (of_texts(feature_names_in_=["a", "b"]), "feature_names_in_ has 2 names, not 4"),
        (of_texts(feature_names_in_=[1, 2, 3, 4]), "not a list of texts"),
        (of_texts(classes_=["a", "b", "b"]), "classes_ is there twice"),
        (of_texts(classes_="datetime64[D]"), "classes_ is uint32, not int64 for datetime64[D]"),
        (of_texts(classes_="datetime64[2D]"), "classes_ is there twice"),
        (of_texts(coef_="csr_array"), "coef_ is nothing that such a model has"),
        (of_texts(coef_="lil_array"), "coef_ is 'lil_array', not one of csr_array"),
        (drop("coef_"), "unknown.coef_ is nothing that such a model has"),
        (drop("classes_"), "classes_ is missing"),
        (drop("n_features_in_"), "n_features_in_ is missing"),
    ],
)
def test_models_that_are_none(path, change, words):
    refused(path, changed(change), words)


def test_parameters_are_checked_where_the_estimator_is_made(path):
    pytest.importorskip("sklearn")
    for parameters, words in [
        ({"C": -1.0}, "The 'C' parameter of SoftmaxClassifier must be"),
        ({"checkpoint": "/etc/fit.npz"}, "checkpoint is no parameter that a file of"),
        ({"penalty": "l2"}, "penalty is no parameter"),
        ({"solver": {"SGD": {"rule": "no"}}}, "rule is 'no'"),
        ({"solver": {"SGD": {"exec": "no"}}}, "exec"),
    ]:
        path.write_bytes(changed(of_about(parameters=parameters)))
        with pytest.raises(ValueError, match=re.escape(str(path))) as found:
            load_model(path)
        assert words in str(found.value)


def with_arrays(**arrays: Any) -> bytes:
    """The file of a model some of whose arrays are others, or None: not there."""
    found, texts = parts_of(model_file())
    found |= {name.replace("__", "."): array for name, array in arrays.items()}
    return model_file({n: np.asarray(a) for n, a in found.items() if a is not None}, texts)


NAN = np.ones((3, 4))
NAN[2, 1] = np.nan


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"coef_": NAN}, "coef_[2, 1] is nan, not a finite number"),
        ({"coef_": np.ones((2, 4))}, "coef_ is float64 of shape (2, 4)"),
        ({"coef_": np.ones((3, 4), np.float16)}, "coef_ is float16"),
        ({"coef_": None}, "coef_ is missing"),
        ({"coef_": np.ones((3, 4), np.float32)}, "coef_ is float32, but intercept_ is not"),
        ({"intercept_": None}, "intercept_ is missing"),
        ({"intercept_": np.full(3, np.inf)}, "intercept_[0] is inf"),
        ({"intercept_": np.zeros((3, 1))}, "intercept_ is float64 of shape (3, 1)"),
        ({"n_features_in_": 5}, "coef_ is float64 of shape (3, 4)"),
        ({"n_features_in_": 0}, "n_features_in_ is 0"),
        ({"n_features_in_": -4}, "n_features_in_ is -4"),
        ({"n_features_in_": 4.0}, "n_features_in_ is float64"),
        ({"n_features_in_": [4]}, "n_features_in_ is int64 of shape (1,), not int64 of shape ()"),
        ({"classes_": [0, 1, 1]}, "np.int64(1) after np.int64(1), not in order"),
        ({"classes_": [0, 2, 1]}, "not in order"),
        ({"classes_": [0.0, np.nan, 1.0]}, "not in order"),
        ({"classes_": [0]}, "classes_ has shape (1,), not at least 2 labels"),
        ({"classes_": np.zeros((3, 2))}, "classes_ has shape (3, 2)"),
        ({"classes_": np.zeros((3, 0), np.uint32)}, "classes_ has shape (3, 0)"),
        ({"classes_": np.full((3, 2), 0x110000, np.uint32)}, "code points that are none"),
        ({"classes_": np.full((3, 2), 97, np.uint32)}, "np.str_('aa') after np.str_('aa')"),
        ({"history_.loss": None}, "history_.loss is missing"),
        ({"seen_.weight": None}, "seen_.weight is missing"),
        ({"seen_.view.spread": np.ones(5)}, "seen_.view.spread is float64 of shape (5,), not"),
        ({"seen_.view.unit": np.ones(4)}, "seen_.view.scale is missing"),
        ({"seen_.moments.mean": np.ones(4)}, "seen_.moments.n_rows is missing"),
        ({"seen_.solver.steps": 3}, "seen_.solver.theta is missing"),
        ({"seen_": np.ones(3)}, "seen_ is nothing that such a model has"),
        ({"scores_": np.ones(3)}, "scores_ is nothing that such a model has"),
    ],
)
def test_arrays_that_fit_nothing(path, arrays, words):
    refused(path, with_arrays(**arrays), words)


CSR = {
    "coef_": None,
    "coef_.data": np.ones(3),
    "coef_.indices": np.array([0, 1, 3], np.int32),
    "coef_.indptr": np.array([0, 1, 1, 3], np.int32),
}


def sparse_file(**arrays: Any) -> bytes:
    found, texts = parts_of(with_arrays(**(CSR | arrays)))
    about = json.loads(texts[MODEL_KEY])
    about["texts"]["coef_"] = "csr_array"
    return model_file(found, texts | {MODEL_KEY: json.dumps(about)})


@pytest.mark.parametrize(
    "arrays",
    [
        {"coef_.indices": np.array([0, 1, 4], np.int32)},
        {"coef_.indices": np.array([0, -1, 3], np.int32)},
        {"coef_.indices": np.array([0, 1, 3], np.int64)},
        {"coef_.indices": np.array([0, 1], np.int32)},
        {"coef_.indptr": np.array([0, 3, 1, 3], np.int32)},
        {"coef_.indptr": np.array([1, 1, 1, 3], np.int32)},
        {"coef_.indptr": np.array([0, 1, 1, 4], np.int32)},
        {"coef_.indptr": np.array([0, 1, 3], np.int32)},
    ],
)
def test_sparse_coefficients_that_are_none(path, arrays):
    refused(path, sparse_file(**arrays), "coef_ is no CSR matrix of shape (3, 4)")
    refused(path, sparse_file(**{"coef_.data": NAN.ravel()[7:10]}), "coef_[2] is nan")
    refused(path, sparse_file(**{"coef_.data": None}), "coef_ is not whole")


def test_no_memory_for_what_a_file_claims(path):
    huge = 2**40
    entry = {"dtype": "F64", "shape": [huge, 4], "data_offsets": [0, 32 * huge]}
    claims = [
        struct.pack("<Q", 99_999_999) + b"{" * 1000,
        packed({"__metadata__": {}, "coef_": entry}, b""),
        packed({"__metadata__": {}, "coef_": entry | {"shape": [0, huge]}}, b""),
        packed({"__metadata__": {}, "coef_": entry | {"shape": [2**60] * 3_000}}, b""),
        packed({"coef_": entry | {"shape": [0], "data_offsets": [0, 0]}}, b""),
    ]
    tracemalloc.start()
    try:
        for data in claims:
            refused(path, data)
        # of that many features all but 3 have coefficients of 0
        unseen = {"seen_.weight": None, "seen_.view.spread": None}
        path.write_bytes(sparse_file(n_features_in_=huge, **unseen))
        for make in (fitted.predictor, fitted.estimator):
            if make is fitted.estimator:
                pytest.importorskip("sklearn")
            arrays, texts = tensors.read(path)
            about = json.loads(texts[MODEL_KEY])
            found = fitted.Contents(arrays, about["texts"], about["parameters"])
            model = make(fitted.KINDS["SoftmaxClassifier"], found)
            with pytest.raises(ValueError, match=rf"X has 4 features, .* expecting {huge}"):
                model.predict(np.ones((1, 4)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 50e6


def test_what_is_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no does not exist: wanted a model as csoftmax"):
        load_model(tmp_path / "no")
    with pytest.raises(ValueError, match=r"is a folder, not a file"):
        load_model(tmp_path)


@needs_pipes
def test_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")  # which would be waited for
    with pytest.raises(ValueError, match=r"is a FIFO, not a file"):
        load_model(tmp_path / "pipe")


def test_a_file_that_shrinks_while_it_is_read(path, monkeypatch):
    path.write_bytes(model_file()[:-8])
    size = len(model_file())
    status = os.stat_result([0o100644, 0, 0, 1, 0, 0, size, 0, 0, 0])
    monkeypatch.setattr(os, "fstat", lambda file: status)
    with pytest.raises(ValueError, match="it ends within"):
        load_model(path)


def test_bool_of_other_bytes(path):
    header, data = unpacked(with_arrays(classes_=np.array([False, True]), coef_=np.ones((1, 4)),
                                        intercept_=np.ones(1)))  # fmt: skip
    begin, _ = header["classes_"]["data_offsets"]
    refused(path, packed(header, data[:begin] + b"\0\2" + data[begin + 2 :]), "neither 0 nor 1")
