"""Losses on logits: what they refuse, message by message, and that a refusal leaves no trace."""

from __future__ import annotations

import numpy as np
import pytest
from loss_problem import LOSSES, C, N, assert_refused, problem

import csoftmax

pytestmark = pytest.mark.usefixtures("isa")

INF, NAN = np.inf, np.nan
HUGE = 2**63 + 1
LONG = np.dtype(np.longdouble)


def masked(values, mask=True):
    """With all elements masked, but for those that `mask` leaves."""
    return np.ma.masked_array(values, mask)


NUMBERS = "wanted real numbers (bool, an integer type, float16, float32 or float64)"
NO_MASK = "is a masked array with "
RANGE = "wanted class indices from 0 to 3"
WHOLE = "wanted class indices, which are whole numbers"
FINITE = "wanted finite numbers, "
N_THREADS = "wanted a positive integer or None"


def shares():
    return np.full((N, C), 0.25)


def targets(first, *rest):
    return np.array([first, *rest, *[0] * (N - 1 - len(rest))])


# What replaces arguments of a problem that is in order; the exception; its message, with {z} for
# the name of the logits.
REFUSALS = {
    # logits
    "0-d": (
        {"z": 1.0, "target": 0},
        ValueError,
        "{z} has shape (): wanted (N, C), (N, C, d1, ...), or (C,) for one row, with at least one",
    ),
    "C = 0": (
        {"z": np.zeros((N, 0))},
        ValueError,
        "{z} has shape (3, 0): wanted (N, C), (N, C, d1, ...), or (C,) for one row, with at least",
    ),
    "C = 0 in one row": ({"z": []}, ValueError, "{z} has shape (0,): wanted (N, C), (N, C, d1"),
    "C = 0 at many places": (
        {"z": np.zeros((N, 0, 2))},
        ValueError,
        "{z} has shape (3, 0, 2): wanted (N, C), (N, C, d1, ...), or (C,)",
    ),
    "ragged logits": ({"z": [[0.0, 1.0], [0.0]]}, ValueError, "{z} is no array of numbers: "),
    "objects": ({"z": np.full((N, C), None)}, TypeError, "{z} has dtype object: " + NUMBERS),
    "none": ({"z": None}, TypeError, "{z} has dtype object: " + NUMBERS),
    "complex": (
        {"z": np.zeros((N, C), complex)},
        TypeError,
        "{z} has dtype complex128: " + NUMBERS,
    ),
    "strings": ({"z": [["1", "2"]]}, TypeError, "{z} has dtype <U1: " + NUMBERS),
    "dates": ({"z": np.zeros((N, C), "M8[s]")}, TypeError, "{z} has dtype datetime64[s]: "),
    "records": ({"z": np.zeros(N, [("x", "f8")])}, TypeError, "{z} has dtype [('x', "),
    "longdouble": ({"z": np.zeros((N, C), np.longdouble)}, TypeError, f"{{z}} has dtype {LONG}: "),
    "masked logits": ({"z": masked(np.zeros((N, C)))}, TypeError, "{z} " + NO_MASK),
    # target: shape
    "too many labels": (
        {"target": [0] * 5},
        ValueError,
        "target has shape (5,): wanted (3,) class indices or (3, 4) probabilities",
    ),
    "one label for all": ({"target": 1}, ValueError, "target has shape (): wanted (3,) class ind"),
    "labels as a column": (
        {"target": [[0], [1], [2]]},
        ValueError,
        "target has shape (3, 1): wanted (3,) class indices or (3, 4) probabilities",
    ),
    "probabilities of other classes": (
        {"target": np.zeros((3, 5))},
        ValueError,
        "target has shape (3, 5): wanted (3,) class indices or (3, 4) probabilities",
    ),
    "probabilities of other rows": (
        {"target": np.zeros((2, 4))},
        ValueError,
        "target has shape (2,",
    ),
    "3-d target": (
        {"target": np.zeros((3, 4, 1))},
        ValueError,
        "target has shape (3, 4, 1): wanted",
    ),
    "one row, many labels": (
        {"z": np.zeros(4), "target": [0, 1]},
        ValueError,
        "target has shape (2,): wanted () class indices or (4,) probabilities",
    ),
    "one row, probabilities of rows": (
        {"z": np.zeros(4), "target": np.zeros((1, 4))},
        ValueError,
        "target has shape (1, 4): wanted () class indices or (4,) probabilities",
    ),
    "one row, 3-d target": (
        {"z": np.zeros(4), "target": np.zeros((1, 4, 1))},
        ValueError,
        "target has shape (1, 4, 1): wanted () class indices or (4,) probabilities",
    ),
    # target: labels
    "negative": ({"target": targets(0, -1)}, ValueError, "target[1] is -1: " + RANGE),
    "too large": ({"target": targets(3, 0, 4)}, ValueError, "target[2] is 4: " + RANGE),
    "the first of two": ({"target": targets(0, 9, -5)}, ValueError, "target[1] is 9: " + RANGE),
    "after ignored ones": ({"target": targets(-100, 7)}, ValueError, "target[1] is 7: " + RANGE),
    "no longer ignored": (
        {"target": targets(-1, -100), "ignore_index": -1},
        ValueError,
        "target[1] is -100: " + RANGE,
    ),
    "int8": ({"target": targets(0, 0, 100).astype(np.int8)}, ValueError, "target[2] is 100: "),
    "past int32": ({"target": targets(0, 2**32 + 1)}, ValueError, "target[1] is 4294967297: "),
    "past uint32": ({"target": targets(-(2**32) + 1)}, ValueError, "target[0] is -4294967295: "),
    "least int64": (
        {"target": targets(-(2**63))},
        ValueError,
        "target[0] is -9223372036854775808:",
    ),
    "huge uint64": (
        {"target": np.array([1, HUGE, 0], np.uint64)},
        ValueError,
        f"target[1] is {HUGE}: wanted class indices, which are far smaller",
    ),
    "NaN": ({"target": targets(0.0, NAN)}, ValueError, "target[1] is nan: " + WHOLE),
    "infinite": ({"target": targets(0.0, 1.0, INF)}, ValueError, "target[2] is inf: " + WHOLE),
    "a half": ({"target": targets(0.5)}, ValueError, "target[0] is 0.5: " + WHOLE),
    "huge float": ({"target": targets(1e300)}, ValueError, "target[0] is 1e+300: " + WHOLE),
    "half of float16": (
        {"target": np.float16([0, 0.5, 1])},
        ValueError,
        "target[1] is 0.5: " + WHOLE,
    ),
    "a float past the classes": ({"target": targets(0.0, 5.0)}, ValueError, "target[1] is 5: "),
    "in one row": ({"z": np.zeros(4), "target": 4}, ValueError, "target[0] is 4: " + RANGE),
    "objects for labels": ({"target": np.full(3, None)}, TypeError, "target has dtype object: "),
    "labels past int64": ({"target": [0, 1, 2**70]}, TypeError, "target has dtype object: "),
    "complex labels": ({"target": [0j, 1, 2]}, TypeError, "target has dtype complex128: "),
    "names": ({"target": ["cat", "dog", "cat"]}, TypeError, "target has dtype <U3: " + NUMBERS),
    "no target": ({"target": None}, TypeError, "target has dtype object: " + NUMBERS),
    "ragged": ({"target": [[0.5, 0.5], [1.0]]}, ValueError, "target is no array of numbers: "),
    "masked target": ({"target": masked([0, 1, 2], [0, 1, 0])}, TypeError, "target " + NO_MASK),
    "masked probabilities": ({"target": masked(np.zeros((3, 4)))}, TypeError, "target " + NO_MASK),
    # ignore_index
    "ignore_index float": (
        {"ignore_index": 1.0},
        TypeError,
        "ignore_index is 1.0: wanted an integer",
    ),
    "ignore_index bool": (
        {"ignore_index": True},
        TypeError,
        "ignore_index is True: wanted an integer",
    ),
    "ignore_index None": (
        {"ignore_index": None},
        TypeError,
        "ignore_index is None: wanted an integer",
    ),
    "ignore_index past int64": ({"ignore_index": 2**70}, ValueError, "ignore_index is 118059"),
    "ignore_index of a class": (
        {"target": shares(), "ignore_index": 0},
        ValueError,
        "ignore_index is 0, but target is probabilities: wanted class indices with it",
    ),
    # other options
    "reduction": (
        {"reduction": "average"},
        ValueError,
        "reduction is 'average': wanted one of 'mean', 'sum', 'none'",
    ),
    "reduction None": (
        {"reduction": None},
        ValueError,
        "reduction is None: wanted one of 'mean', ",
    ),
    "smoothing < 0": (
        {"label_smoothing": -0.1},
        ValueError,
        "label_smoothing is -0.1: wanted a number from 0 to 1",
    ),
    "smoothing > 1": (
        {"label_smoothing": 1.5},
        ValueError,
        "label_smoothing is 1.5: wanted a number",
    ),
    "smoothing NaN": (
        {"label_smoothing": NAN},
        ValueError,
        "label_smoothing is nan: wanted a number",
    ),
    "smoothing inf": (
        {"label_smoothing": INF},
        ValueError,
        "label_smoothing is inf: wanted a number",
    ),
    "smoothing str": (
        {"label_smoothing": "0.1"},
        TypeError,
        "label_smoothing is '0.1': wanted a real",
    ),
    "smoothing bool": (
        {"label_smoothing": True},
        TypeError,
        "label_smoothing is True: wanted a real ",
    ),
    "smoothing None": (
        {"label_smoothing": None},
        TypeError,
        "label_smoothing is None: wanted a real ",
    ),
    "smoothing complex": (
        {"label_smoothing": 0j},
        TypeError,
        "label_smoothing is 0j: wanted a real ",
    ),
    "n_threads 0": ({"n_threads": 0}, ValueError, "n_threads is 0: " + N_THREADS),
    "n_threads -1": ({"n_threads": -1}, ValueError, "n_threads is -1: " + N_THREADS),
    "n_threads bool": ({"n_threads": True}, TypeError, "n_threads is True: " + N_THREADS),
    "n_threads float": ({"n_threads": 1.5}, TypeError, "n_threads is 1.5: " + N_THREADS),
    "n_threads str": ({"n_threads": "2"}, TypeError, "n_threads is '2': " + N_THREADS),
}
for value in (-1.0, np.float16(-1.0)):
    REFUSALS[f"sample_weight: {value!r}"] = (
        {"sample_weight": np.r_[np.ones(N - 1), value].astype(np.result_type(value))},
        ValueError,
        f"sample_weight[{N - 1}] is -1.0: {FINITE}none negative",
    )
for name, length, of in (("weight", C, "class"), ("sample_weight", N, "row")):
    ones = np.ones(length)

    def one(value, length=length):
        return np.r_[np.ones(length - 1), value]

    REFUSALS |= {
        f"{name}: shape": (
            {name: np.ones(length + 1)},
            ValueError,
            f"{name} has shape ({length + 1},): wanted ({length},), one for each {of}",
        ),
        f"{name}: 2-d": (
            {name: ones[:, None]},
            ValueError,
            f"{name} has shape ({length}, 1): wanted",
        ),
        f"{name}: a number": (
            {name: 2.0},
            ValueError,
            f"{name} has shape (): wanted ({length},), one",
        ),
        f"{name}: NaN": ({name: one(NAN)}, ValueError, f"{name}[{length - 1}] is nan: {FINITE}"),
        f"{name}: inf": ({name: one(INF)}, ValueError, f"{name}[{length - 1}] is inf: {FINITE}"),
        **{
            f"{name}: {value} in float16": (
                {name: one(value).astype(np.float16)},
                ValueError,
                f"{name}[{length - 1}] is {value}: {FINITE}",
            )
            for value in (NAN, INF)
        },
        f"{name}: past float32": (
            {"z": np.zeros((N, C), np.float32), name: one(1e39), "reduction": "sum"},
            ValueError,
            f"{name}[{length - 1}] is 1e+39: {FINITE}",
        ),
        f"{name}: masked": ({name: masked(ones)}, TypeError, f"{name} {NO_MASK}"),
        f"{name}: objects": (
            {name: np.full(length, None)},
            TypeError,
            f"{name} has dtype object: ",
        ),
        f"{name}: complex": (
            {name: ones * 1j},
            TypeError,
            f"{name} has dtype complex128: {NUMBERS}",
        ),
        f"{name}: strings": ({name: ["1"] * length}, TypeError, f"{name} has dtype <U1: {NUMBERS}"),
    }

DELTAS = {
    "NaN": (NAN, ValueError, "delta is nan: wanted a finite number"),
    "inf": (INF, ValueError, "delta is inf: wanted a finite number"),
    "bool": (True, TypeError, "delta is True: wanted a real number"),
    "str": ("1", TypeError, "delta is '1': wanted a real number"),
    "None": (None, TypeError, "delta is None: wanted a real number"),
    "array": (np.ones(3), TypeError, "delta is array([1., 1., 1.]): wanted a real number"),
    "object": (slice(1), TypeError, "delta is slice(None, 1, None): wanted a real number"),
}


@pytest.mark.parametrize("case", REFUSALS)
@pytest.mark.parametrize("name", LOSSES)
def test_refusals(name, case):
    arguments, error, message = REFUSALS[case]
    if case == "longdouble" and LONG.itemsize == 8:
        pytest.skip("a longdouble is a double here")
    arguments = problem() | arguments
    if case.startswith("one row"):
        arguments |= {"sample_weight": [1.0]}
    assert_refused(name, arguments, error, message)


@pytest.mark.parametrize("case", DELTAS)
def test_deltas(case):
    delta, error, message = DELTAS[case]
    assert_refused("multiclass_hinge", problem() | {"delta": delta}, error, message)


@pytest.mark.parametrize("argument", ["z", "target", "weight", "sample_weight"])
@pytest.mark.parametrize("name", LOSSES)
def test_sparse(name, argument):
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy has the sparse arrays")
    for kind in (sparse.csr_matrix, sparse.coo_array):
        given = kind(np.eye(3))
        arguments = problem() | {argument: given}
        z, target = arguments.pop("z"), arguments.pop("target")
        seen = {"z": "logits" if name == "cross_entropy" else "scores"}.get(argument, argument)
        message = rf"^{seen} is a sparse {kind.__name__}: wanted a dense array$"
        for function in (name, f"{name}_with_grad"):
            with pytest.raises(TypeError, match=message):
                getattr(csoftmax, function)(z, target, **arguments)


@pytest.mark.parametrize("name", LOSSES)
def test_missing_and_unknown_arguments(name):
    f = getattr(csoftmax, name)
    with pytest.raises(TypeError, match="target"):
        f(np.zeros((N, C)))
    with pytest.raises(TypeError, match="out"):
        f(np.zeros((N, C)), [0, 1, 2], out=np.zeros((N, C)))
    with pytest.raises(TypeError, match="positional"):
        f(np.zeros((N, C)), [0, 1, 2], None, np.ones(N))
