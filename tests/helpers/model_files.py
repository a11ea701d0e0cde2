"""Files of models, made and taken apart without the code that is tested."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

import csoftmax

MODEL_KEY = "csoftmax.model"
_CODES = {
    "bool": "BOOL",
    **{f"int{bits}": f"I{bits}" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": f"U{bits}" for bits in (8, 16, 32, 64)},
    **{f"float{bits}": f"F{bits}" for bits in (16, 32, 64)},
}
_DTYPES = {code: name for name, code in _CODES.items()}

_LABELS = np.array(["a", "bc", "d"])
ARRAYS = {
    "coef_": np.array([[0.5, 1.0, -2.0, -1.0], [0.25, -0.5, 0.0, -0.75], [-0.75, -0.5, 2.0, 1.75]]),
    "intercept_": np.array([8.0, 2.0, -10.0]),
    "classes_": _LABELS.view(np.uint32).reshape(3, 2),
    "n_features_in_": np.array(4),
    "n_iter_": np.array([7], np.int32),
    "seen_.weight": np.array(150.0),
    "seen_.view.spread": np.ones(4),
    **{f"history_.{n}": np.arange(7.0) for n in ("loss", "gradient", "passes", "seconds", "bytes")},
}
ABOUT = {
    "kind": "SoftmaxClassifier",
    "parameters": {"C": 2.0, "random_state": 0, "n_jobs": None},
    "texts": {"stop_reason_": "gradient"},
}


def packed(header: dict[str, Any], data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def unpacked(file: bytes) -> tuple[dict[str, Any], bytes]:
    (length,) = struct.unpack("<Q", file[:8])
    return json.loads(file[8 : 8 + length]), file[8 + length :]


def model_file(
    arrays: dict[str, np.ndarray] | None = None, texts: dict[str, str] | None = None
) -> bytes:
    """A model of three classes, or that of these arrays and texts."""
    texts = texts or {
        "csoftmax.version": csoftmax.__version__,
        "csoftmax.format": "1",
        MODEL_KEY: json.dumps(ABOUT),
    }
    header: dict[str, Any] = {"__metadata__": texts}
    data = b""
    for name, array in (arrays or ARRAYS).items():
        offsets = [len(data), len(data) + array.nbytes]
        header[name] = {
            "dtype": _CODES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": offsets,
        }
        data += array.tobytes()
    return packed(header, data)


def parts_of(file: bytes) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    header, data = unpacked(file)
    texts = header.pop("__metadata__")
    arrays = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = np.frombuffer(data[begin:end], _DTYPES[entry["dtype"]])
        arrays[name] = values.reshape(entry["shape"])
    return arrays, texts
