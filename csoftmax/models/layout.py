"""What the file of a model holds: its attributes by their names, as arrays and as texts.

Attributes within attributes have dots in their names (`history_.loss`), lists of numbers and
numbers are arrays, too. Labels that are texts of NumPy are arrays of code points, (n_classes,
width) of uint32; dates and times are int64, with their dtype in the JSON; labels that are Python's
strings, and names of features, are lists there. Everything that is read is held against the tables
here, whose shapes are sizes by name: K rows of coefficients for C classes, D features, E = D + 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from csoftmax._native.checks import is_sparse
from csoftmax._native.csr import Csr
from csoftmax.datasets._files import brief
from csoftmax.models.tensors import NAMES

Array = npt.NDArray[Any]

_FLOAT = "float32 float64"
_LAST = 0x10FFFF  #: code point
_TIME = re.compile(r"(datetime|timedelta)64\[(Y|M|W|D|h|m|s|ms|us|ns)\]")  #: dtypes' names


class Leaf(NamedTuple):
    """An array: shapes that it may have, dtypes, and what it becomes."""

    shapes: str
    dtypes: str
    make: Callable[[Any], Any] = np.asarray


_LINEAR = {"coef_": Leaf("K D", _FLOAT), "intercept_": Leaf("K", _FLOAT)}
_CSR = {
    "coef_.data": Leaf("*", _FLOAT),
    "coef_.indices": Leaf("*", "int32 int64"),
    "coef_.indptr": Leaf("*", "int32 int64"),
}
_NUMBER = Leaf("", "float64", float)
_COUNT = Leaf("", "int64", int)
_OF_FEATURES = Leaf("D", "float64")
_THETA = Leaf("D K|E K", _FLOAT)

#: of SoftmaxClassifier, here and on Dask
SINGLE = {
    **_LINEAR,
    "n_iter_": Leaf("1", "int32"),
    **{
        f"history_.{name}": Leaf("*", "float64", np.ndarray.tolist)
        for name in ("loss", "gradient", "passes", "seconds", "bytes")
    },
    "seen_.weight": _NUMBER,
    "seen_.moments.n_rows": _COUNT,
    "seen_.moments.weight": _NUMBER,
    "seen_.moments.mean": _OF_FEATURES,
    "seen_.moments.squares": _OF_FEATURES,
    "seen_.view.shift": _OF_FEATURES,
    "seen_.view.scale": _OF_FEATURES,
    "seen_.view.unit": _OF_FEATURES,
    "seen_.view.spread": _OF_FEATURES,
    "seen_.solver.theta": _THETA,
    "seen_.solver.average": _THETA,
    "seen_.solver.velocity": _THETA,
    "seen_.solver.squares": _THETA,
    "seen_.solver.steps": _COUNT,
    "seen_.solver.rate": _NUMBER,
}
#: of SoftmaxClassifierCV
SEARCH = {
    **_LINEAR,
    "C_": _NUMBER,
    "l1_ratio_": _NUMBER,
    "Cs_": Leaf("a", "float64"),
    "l1_ratios_": Leaf("r", "float64"),
    "scores_": Leaf("f r a", "float64"),
    "coefs_paths_": Leaf("f r a K D|f r a K E", _FLOAT),
    "n_iter_": Leaf("f r a", "int32"),
}
#: of which there are all or none; `seen_.view` has any
_TOGETHER = ("history_.", "seen_.moments.", "seen_.solver.")
_SEEN: dict[str, None] = dict.fromkeys(("weight", "moments", "view", "solver"))
_VIEW: dict[str, None] = dict.fromkeys(("shift", "scale", "unit", "spread"))
#: SciPy's classes of sparse coefficients, as `sparsify` makes them
SPARSE = ("csr_array", "csr_matrix")
_TEXTS = ("classes_", "coef_", "feature_names_in_", "stop_reason_")


# ---- from attributes ---------------------------------------------------------------------------


def flat(attributes: Mapping[str, Any]) -> tuple[dict[str, Array], dict[str, Any]]:
    """Attributes as arrays and texts; TypeError for what no file can hold."""
    arrays: dict[str, Array] = {}
    texts: dict[str, Any] = {}
    for name, value in _leaves(attributes):
        if name == "classes_":
            _put_classes(value, arrays, texts)
        elif name == "feature_names_in_":
            texts[name] = _strings(name, value)
        elif isinstance(value, str):
            texts[name] = value
        elif is_sparse(value) and type(value).__name__ in SPARSE:
            texts[name] = type(value).__name__
            for part in ("data", "indices", "indptr"):
                arrays[f"{name}.{part}"] = getattr(value, part)
        elif isinstance(value, (list, float, int, np.ndarray, np.generic)):
            array = np.asarray(value)
            if array.dtype.newbyteorder("=") not in NAMES:
                raise TypeError(f"{name} has dtype {array.dtype}, which no file can hold")
            whole = isinstance(value, (int, np.integer))
            arrays[name] = array.astype(np.int64) if whole else array
        else:
            raise TypeError(f"{name} is {brief(value)}, which no file can hold")
    return arrays, texts


def _leaves(attributes: Mapping[str, Any], start: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in attributes.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{start}{name}.")
        elif value is not None:
            yield start + name, value


def _put_classes(classes: Array, arrays: dict[str, Array], texts: dict[str, Any]) -> None:
    if classes.dtype.kind == "O":
        texts["classes_"] = _strings("classes_", classes)
    elif classes.dtype.kind == "U":
        native = np.ascontiguousarray(classes, classes.dtype.newbyteorder("="))
        arrays["classes_"] = native.view(np.uint32).reshape(len(native), -1)
    elif _TIME.fullmatch(classes.dtype.name):
        texts["classes_"] = classes.dtype.name
        arrays["classes_"] = classes.astype(classes.dtype.name).view(np.int64)
    elif classes.dtype.newbyteorder("=") in NAMES:
        arrays["classes_"] = classes
    else:
        raise TypeError(
            f"classes_ has dtype {classes.dtype}, which no file can hold: wanted text, bool, "
            "integers, floating point up to float64, dates or times"
        )


def _strings(name: str, values: Array) -> list[str]:
    for i, value in enumerate(values):
        if not isinstance(value, str):
            raise TypeError(f"{name}[{i}] is {value!r}, which no file can hold: wanted text")
    return [str(value) for value in values]


# ---- to attributes -----------------------------------------------------------------------------


def attributes(
    leaves: Mapping[str, Leaf], arrays: Mapping[str, Array], texts: Mapping[str, Any]
) -> dict[str, Any]:
    """The attributes, of arrays and texts that may be anything; coef_ may be Csr."""
    if unknown := sorted(set(texts) - set(_TEXTS)):
        raise ValueError(f"{unknown[0]} is no text that such a model has")
    arrays = dict(arrays)
    classes = _classes(arrays.pop("classes_", None), texts.get("classes_"))
    n_features = int(_fitting("n_features_in_", _COUNT, arrays.pop("n_features_in_", None), {}))
    if n_features < 1:
        raise ValueError(f"n_features_in_ is {n_features}, not a number of features")
    n_rows = 1 if len(classes) == 2 else len(classes)
    sizes = {"1": 1, "C": len(classes), "K": n_rows, "D": n_features, "E": n_features + 1}
    wanted = dict(leaves)
    if "coef_" in texts:
        if texts["coef_"] not in SPARSE:
            raise ValueError(f"coef_ is {brief(texts['coef_'])}, not one of {', '.join(SPARSE)}")
        del wanted["coef_"]
        wanted |= _CSR
    if unknown := sorted(set(arrays) - set(wanted)):
        raise ValueError(f"{unknown[0]} is nothing that such a model has")
    found = {
        name: _fitting(name, leaf, arrays[name], sizes)
        for name, leaf in wanted.items()
        if name in arrays
    }
    if "coef_" in texts:
        found["coef_"] = _csr([found.pop(name, None) for name in _CSR], n_rows, n_features)
    _complete(leaves, found)
    found |= {"classes_": classes, "n_features_in_": n_features}
    if "feature_names_in_" in texts:
        names = _list_of_text("feature_names_in_", texts["feature_names_in_"], n_features)
        found["feature_names_in_"] = np.array(names, object)
    if "stop_reason_" in texts:
        if not isinstance(texts["stop_reason_"], str):
            raise ValueError(f"stop_reason_ is {brief(texts['stop_reason_'])}, not text")
        found["stop_reason_"] = texts["stop_reason_"]
    return _nested(found)


def _fitting(name: str, leaf: Leaf, array: Array | None, sizes: dict[str, int]) -> Any:
    """The attribute of an array of the right shape and dtype; `sizes` learns those it shows."""
    if array is None:
        raise ValueError(f"{name} is missing")
    for shape in leaf.shapes.split("|"):
        symbols = shape.split()
        if len(symbols) != array.ndim or array.dtype.name not in leaf.dtypes.split():
            continue
        known = [sizes.get(symbol, n) for symbol, n in zip(symbols, array.shape, strict=True)]
        if tuple(known) == array.shape:
            shown = dict(zip(symbols, array.shape, strict=True))
            shown.pop("*", None)
            sizes |= shown
            return leaf.make(array)
    shapes = (" or ").join(
        "(" + ", ".join(str(sizes.get(symbol, symbol)) for symbol in shape.split()) + ")"
        for shape in leaf.shapes.split("|")
    )
    raise ValueError(
        f"{name} is {array.dtype} of shape {array.shape}, not "
        f"{leaf.dtypes.replace(' ', ' or ')} of shape {shapes}"
    )


def _classes(array: Array | None, given: Any) -> Array:
    is_time = isinstance(given, str) and _TIME.fullmatch(given) is not None
    if (array is not None) + (given is not None and not is_time) != 1:
        raise ValueError(f"classes_ is {'missing' if array is None else 'there twice'}")
    if array is None:
        classes = np.array(_list_of_text("classes_", given), object)
    elif is_time:
        if array.dtype != np.int64:
            raise ValueError(f"classes_ is {array.dtype}, not int64 for {given}")
        classes = array.view(given).copy()
    elif array.ndim == 2 and array.dtype == np.uint32 and array.size:
        if array.max() > _LAST:
            raise ValueError("classes_ has code points that are none")
        classes = array.view(f"U{array.shape[1]}")[:, 0].copy()
    else:
        classes = array
    if classes.ndim != 1 or len(classes) < 2:
        raise ValueError(f"classes_ has shape {classes.shape}, not at least 2 labels")
    rising = classes[1:] > classes[:-1]
    if not rising.all():
        at = int(rising.argmin())
        raise ValueError(f"classes_ has {classes[at + 1]!r} after {classes[at]!r}, not in order")
    return classes


def _list_of_text(name: str, given: Any, length: int | None = None) -> list[str]:
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise ValueError(f"{name} is {brief(given)}, not a list of texts")
    if length is not None and len(given) != length:
        raise ValueError(f"{name} has {len(given)} names, not {length}")
    return given


def _csr(parts: list[Array | None], n_rows: int, n_features: int) -> Csr:
    """Coefficients that were sparsified: a matrix whose entries are in order and in range."""
    data, indices, indptr = parts
    if data is None or indices is None or indptr is None:
        raise ValueError("coef_ is not whole: data, indices, indptr")
    if (
        len(indices) != len(data)
        or len(indptr) != n_rows + 1
        or indices.dtype != indptr.dtype
        or indptr[0] != 0
        or indptr[-1] != len(data)
        or np.any(indptr[1:] < indptr[:-1])
        or np.any((indices < 0) | (indices >= n_features))
    ):
        raise ValueError(f"coef_ is no CSR matrix of shape {(n_rows, n_features)}")
    return Csr(data, indices, indptr, (n_rows, n_features))


def _complete(leaves: Mapping[str, Leaf], found: Mapping[str, Any]) -> None:
    """Refuse parts of what makes sense as a whole, and coefficients that are not finite."""
    wanted = [name for name in leaves if "." not in name and name != "n_iter_"]
    for start in _TOGETHER:
        if any(name.startswith(start) for name in found):
            wanted += [name for name in leaves if name.startswith(start)]
    if any(name.startswith("seen_.") for name in found):
        wanted.append("seen_.weight")
    for one, other in (("scale", "unit"), ("unit", "scale")):
        if f"seen_.view.{one}" in found:
            wanted.append(f"seen_.view.{other}")
    for name in wanted:
        if name not in found:
            raise ValueError(f"{name} is missing")
    coef = found["coef_"]
    for name, values in (
        ("coef_", coef.data if isinstance(coef, Csr) else coef),
        ("intercept_", found["intercept_"]),
    ):
        finite(name, values)
        if values.dtype != found["intercept_"].dtype:
            raise ValueError(f"coef_ is {values.dtype}, but intercept_ is not")


def finite(name: str, values: Array) -> None:
    """Refuse NaN and infinities."""
    good = np.isfinite(values)
    if not good.all():
        at = np.unravel_index(int(good.argmin()), values.shape)
        raise ValueError(f"{name}{[int(i) for i in at]} is {values[at]}, not a finite number")


def _nested(found: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes within attributes, of names with dots."""
    result: dict[str, Any] = {}
    for name, value in found.items():
        *outer, last = name.split(".")
        within = result
        for each in outer:
            within = within.setdefault(each, {})
        within[last] = value
    if "seen_" in result:
        seen = result["seen_"] = _SEEN | result["seen_"]
        if seen["view"] is not None:
            seen["view"] = _VIEW | seen["view"]
    return result
