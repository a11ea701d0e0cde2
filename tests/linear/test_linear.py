"""softmax_loss, svm_loss and the predictions against the reference, over everything they accept.

All numbers lie on a coarse grid of binary fractions: scores and margins are exact in float32, no
margin is 0, and labels must be equal, ties included. (Rounding is test_linear_accuracy.py's.)
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field

import numpy as np
import pytest
from closeness import assert_allclose
from hypothesis import given
from hypothesis import strategies as st
from once import once

from csoftmax import linear_predict, linear_predict_proba, reference, softmax_loss, svm_loss

pytestmark = pytest.mark.usefixtures("isa")

LADDER_N = [1, 2, 15, 16, 17, 33, 1000]
LADDER_D = [1, 2, 7, 8, 15, 16, 17, 31, 33, 100, 512, 784, 3073]
LADDER_C = [1, 2, 3, 5, 6, 7, 9, 10, 11, 20, 21, 100]
FLOATS = ["float32", "float64"]
X_DTYPES = ["float32", "float64", "uint8", "bool", "float16", "int32", ">f4", ">f8"]
LOSSES = {"softmax": softmax_loss, "svm": svm_loss}
TRUTHS = {name: once(getattr(reference, f"{name}_loss")) for name in LOSSES}

TOLERANCE = {"float32": 3e-6, "float64": 3e-14}  # of a sum over rows, beside that of its sizes


@dataclass
class Problem:
    """Arguments of one call, and how to check what it returns."""

    W: np.ndarray
    X: np.ndarray
    y: np.ndarray
    reg: float = 0.0
    options: dict = field(default_factory=dict)
    delta: float = 1.0

    def check(self, loss: str, **extra) -> None:
        """Call ours (with `extra`) and the reference, and compare."""
        options = self.options | ({"delta": self.delta} if loss == "svm" else {})
        got = LOSSES[loss](self.W, self.X, self.y, self.reg, **options, **extra)
        want = TRUTHS[loss](self.W, self.X, self.y, self.reg, **options)
        self.compare(got, want)

    def compare(self, got: tuple, want: tuple) -> None:
        assert len(got) == len(want) == (3 if "bias" in self.options else 2)
        tolerance = TOLERANCE[self.W.dtype.newbyteorder("=").name]
        C = self.W.shape[1]
        # the largest gradient that a row can have: C - 1 margins for the hinge
        grad = 2 * C * self.features()
        bounds = [abs(want[0]) + 1, grad + abs(self.reg * self.W).max(), 2 * C]
        assert type(got[0]) is float
        for a, b, bound in zip(got, want, bounds, strict=False):
            assert_allclose(a, b, rtol=0, atol=tolerance * bound)
        for grad in got[1:]:
            assert grad.dtype == self.W.dtype.newbyteorder("=")

    def features(self) -> float:
        """The largest feature."""
        F = self.X.astype(float) - self.options.get("shift", 0.0)
        return float(np.abs(F * self.options.get("scale", 1.0)).max(initial=0))

    def check_predictions(self, **extra) -> None:
        names = self.options.keys() & {"bias", "rows", "shift", "scale"}
        options = {name: self.options[name] for name in names}
        got = linear_predict(self.W, self.X, **options, **extra)
        assert got.dtype == np.int64
        np.testing.assert_array_equal(got, reference.linear_predict(self.W, self.X, **options))
        got = linear_predict_proba(self.W, self.X, **options, **extra)
        want = reference.linear_predict_proba(self.W, self.X, **options)
        dtype = self.W.dtype.newbyteorder("=")
        assert got.dtype == dtype
        assert_allclose(got, want, rtol=10 * TOLERANCE[dtype.name], atol=0)


def features(rng, shape, dtype):
    """Small whole numbers, which every dtype holds."""
    dtype = np.dtype(dtype)
    low, high = {"b": (0, 2), "u": (0, 6)}.get(dtype.kind, (-3, 4))
    return rng.integers(low, high, shape).astype(dtype)


def problem(rng, N, D, C, x="float32", w="float32", **wanted) -> Problem:
    """Draw a problem; `wanted` names the options, those that are true get a value."""
    on = {name for name, want in wanted.items() if want}
    p = math.ceil(math.log2(4 * math.sqrt(D)))  # scores of a few units, however many features
    W = np.ldexp(rng.integers(-8, 9, (D, C)), -p).astype(w)
    options = {}
    n_rows = N
    if "bias" in on:
        options["bias"] = np.ldexp(rng.integers(-8, 9, C), -2).astype(w)
    if "sample_weight" in on:
        options["sample_weight"] = rng.integers(0, 4, N) / 2 + (np.arange(N) % 5 == 0)
        options["sample_weight"][rng.integers(N)] = 2.0
    if "label_smoothing" in on:
        options["label_smoothing"] = 0.125
    if "rows" in on:
        n_rows = int(rng.integers(1, 2 * N + 1))
        options["rows"] = rng.integers(-N, N, n_rows)
        if "sample_weight" in on:  # one of those in use is not 0
            options["sample_weight"][options["rows"][0]] = 1.0
    if "shift" in on:
        options["shift"] = rng.integers(-2, 5, D) / 2
    if "scale" in on:
        options["scale"] = np.ldexp(1.0, rng.integers(-1, 2, D)) * rng.choice([-1, 1], D)
    y = rng.integers(0, C, N)
    if "soft" in on:
        y = rng.dirichlet(np.ones(C), N).astype(w)
        y[rng.integers(N), :] = np.eye(C)[rng.integers(C)]
    # no margin is on this half step of the grid
    delta = 1 + math.ldexp(1, -(p + 3))
    return Problem(W, features(rng, (N, D), x), y, 0.25 if "reg" in on else 0.0, options, delta)


# ---- shapes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("w", FLOATS)
@pytest.mark.parametrize("C", LADDER_C)
def test_every_width_with_every_number_of_features(C, w):
    rng = np.random.default_rng(C)
    sizes = itertools.cycle(LADDER_N[:-1])
    xs = itertools.cycle(["float32", "uint8", "float64"])
    losses = itertools.cycle(LOSSES if w == "float32" else reversed(LOSSES))
    for D, loss in zip(LADDER_D, losses, strict=False):
        made = problem(rng, next(sizes), D, C, next(xs), w, bias=C % 2, reg=True)
        made.check(loss)
        made.check_predictions()


@pytest.mark.parametrize("w", FLOATS)
@pytest.mark.parametrize("N", LADDER_N)
def test_every_number_of_rows(N, w):
    rng = np.random.default_rng(N)
    Ds, xs = itertools.cycle([1, 7, 16, 33]), itertools.cycle(["uint8", "float64", "float32"])
    for C in LADDER_C:
        made = problem(rng, N, next(Ds), C, next(xs), w, sample_weight=C % 2, reg=True)
        for loss in LOSSES:
            made.check(loss)
        made.check_predictions()


# Blocks are 16 rows of 4096 floats at least, 256 at most; slots are 1, 2, 4 .. 64 runs of blocks.
@pytest.mark.parametrize(
    ("N", "D"), [(255, 4), (256, 4), (257, 4), (1023, 4), (1024, 4), (70_001, 1), (16, 5000)]
)
def test_edges_of_blocks_and_slots(N, D):
    rng = np.random.default_rng(N)
    for w, x in [("float32", "float32"), ("float64", "uint8")]:
        made = problem(rng, N, D, 3, x, w)
        for loss in LOSSES:
            made.check(loss)
        made.check_predictions()


# ---- dtypes and layouts of X --------------------------------------------------------------------


def unaligned(X):
    raw = np.zeros(X.nbytes + 1, np.uint8)
    view = raw[1:].view(X.dtype).reshape(X.shape)
    view[...] = X
    return view


def packed(X):
    """A field of records whose size is no multiple of the field's."""
    records = np.zeros(X.shape, np.dtype([("x", X.dtype), ("odd", np.uint8)]))
    records["x"] = X
    return records["x"]


def inside(X, *, rows, columns):
    """X as every so many rows and columns of a larger array, which holds poison between them."""
    N, D = X.shape
    larger = np.full((N * rows, D * columns), 77).astype(X.dtype)
    larger[::rows, ::columns] = X
    return larger[::rows, ::columns]


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


LAYOUTS = {
    "c": lambda X: X,
    "fortran": np.asfortranarray,
    "columns": lambda X: inside(X, rows=1, columns=3),
    "rows": lambda X: inside(X, rows=3, columns=1),
    "both": lambda X: inside(X, rows=2, columns=2),
    "fortran rows": lambda X: inside(X.T, rows=1, columns=2).T,
    "negative": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "negative rows": lambda X: X[::-1].copy()[::-1],
    "row, repeated": lambda X: np.broadcast_to(X[0], X.shape),
    "column, repeated": lambda X: np.broadcast_to(X[:, :1], X.shape),
    "number, repeated": lambda X: np.broadcast_to(X[0, 0], X.shape),
    "windows": lambda X: np.lib.stride_tricks.sliding_window_view(X[0], 5),
    "read-only": read_only,
    "unaligned": unaligned,
    "packed": packed,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("x", X_DTYPES)
def test_dtypes_and_layouts_of_x(x, layout):
    rng = np.random.default_rng(1)
    for w, loss in itertools.product(FLOATS, LOSSES):
        made = problem(rng, 35, 37, 4, x, w)
        made.X = LAYOUTS[layout](made.X)
        made.W, made.y = made.W[: made.X.shape[1]], made.y[: made.X.shape[0]]
        before = made.X.copy()
        made.check(loss)
        made.check_predictions()
        made.options = {"shift": np.arange(made.X.shape[1]) / 2, "rows": [3, 3, -1, 0]}
        made.check(loss)
        made.check_predictions()
        np.testing.assert_array_equal(made.X, before)


@pytest.mark.parametrize("x", ["float32", "float64", "uint8", ">f4", "int16"])
def test_memory_mapped_x(x, tmp_path):
    rng = np.random.default_rng(2)
    made = problem(rng, 40, 21, 5, x, bias=True, rows=True)
    np.save(tmp_path / "X.npy", made.X)
    made.X = np.load(tmp_path / "X.npy", mmap_mode="r")
    for loss in LOSSES:
        made.check(loss)
    made.check_predictions()


@pytest.mark.parametrize("layout", [k for k in LAYOUTS if not k.endswith(("repeated", "windows"))])
def test_layouts_of_all_other_arrays(layout):
    rng = np.random.default_rng(3)
    every = dict.fromkeys(["bias", "sample_weight", "rows", "shift", "scale"], True)
    for w, soft in itertools.product(FLOATS, [False, True]):
        made = problem(rng, 35, 37, 4, "float32", w, soft=soft, **every)
        move = LAYOUTS[layout]
        made.W = move(made.W)
        made.y = move(made.y) if soft else move(made.y[:, None])[:, 0]
        made.options = {k: move(v[:, None])[:, 0] for k, v in made.options.items()}
        for loss in LOSSES:
            made.check(loss)
        made.check_predictions()


@pytest.mark.parametrize(
    "dtype", ["int8", "uint8", "int16", ">i4", "int64", "uint64", "bool", "float16", "float64"]
)
def test_dtypes_of_labels(dtype):
    made = problem(np.random.default_rng(4), 40, 5, 2)
    want = reference.softmax_loss(made.W, made.X, made.y)
    made.compare(softmax_loss(made.W, made.X, made.y.astype(dtype)), want)


def test_lists():
    made = problem(np.random.default_rng(4), 40, 5, 2, "float64", "float64", bias=True, rows=True)
    lists = {name: value.tolist() for name, value in made.options.items()}
    W, X, y = made.W.tolist(), made.X.tolist(), made.y.tolist()
    want = reference.softmax_loss(made.W, made.X, made.y, **made.options)
    made.compare(softmax_loss(W, X, y, **lists), want)
    np.testing.assert_array_equal(
        linear_predict(W, X, **lists), linear_predict(made.W, made.X, **made.options)
    )


@pytest.mark.parametrize("dtype", ["float16", "float32", ">f8", "int64", "bool"])
def test_dtypes_of_options(dtype):
    rng = np.random.default_rng(5)
    for w in FLOATS:
        made = problem(rng, 40, 5, 2, "uint8", w)
        for name, size in {"bias": 2, "sample_weight": 40, "shift": 5, "scale": 5}.items():
            made.options[name] = rng.integers(0, 2, size).astype(dtype)
        made.y = np.eye(2)[made.y].astype(dtype)
        made.check("softmax")
        made.check_predictions()


@pytest.mark.parametrize("w", [">f4", ">f8"])
def test_big_endian_coefficients(w):
    made = problem(np.random.default_rng(6), 40, 5, 3, "float32", w, bias=True, reg=True)
    made.check("softmax")
    made.check_predictions()


# ---- options ------------------------------------------------------------------------------------

OPTIONS = ["bias", "sample_weight", "label_smoothing", "soft", "rows", "shift", "scale"]


@pytest.mark.parametrize("w", FLOATS)
@pytest.mark.parametrize("loss", LOSSES)
def test_all_combinations_of_options(loss, w):
    rng = np.random.default_rng(7)
    xs = itertools.cycle(["float32", "uint8", "float64"])
    for chosen in itertools.product([False, True], repeat=len(OPTIONS)):
        made = problem(rng, 37, 19, 6, next(xs), w, **dict(zip(OPTIONS, chosen, strict=True)))
        try:
            made.check(loss)
            made.check_predictions()
        except AssertionError as error:
            error.add_note(f"{made.X.dtype}, {sorted(made.options)}, y {made.y.shape}")
            raise


@pytest.mark.parametrize(
    "rows",
    [
        [0],
        [5] * 50,
        [-1, -40, 39, 0],
        np.random.default_rng(8).permutation(40),
        np.arange(40)[::-3],
        np.arange(4, dtype=np.uint8),
        np.arange(4, dtype=">i2"),
        range(7, 20),
    ],
    ids=["one", "repeated", "negative", "permuted", "strided", "uint8", "big-endian", "range"],
)
def test_rows(rows):
    for x in ("float32", "uint8"):
        made = problem(np.random.default_rng(9), 40, 9, 4, x, bias=True)
        made.options |= {"rows": rows, "sample_weight": 1 + np.arange(40.0)}
        for loss in LOSSES:
            made.check(loss)
        made.check_predictions()


@pytest.mark.parametrize("delta", [-0.7, 0.0, 0.3, 100])
def test_margins(delta):
    made = problem(np.random.default_rng(10), 40, 9, 4)
    made.delta = delta if delta == 100 else delta + 2.0**-12
    made.check("svm")


@pytest.mark.parametrize("label_smoothing", [0, 0.5, 1, np.float32(0.25)])
def test_smoothing(label_smoothing):
    for soft in (False, True):
        made = problem(np.random.default_rng(11), 40, 9, 4, soft=soft)
        made.options["label_smoothing"] = label_smoothing
        for loss in LOSSES:
            made.check(loss)


# ---- out ----------------------------------------------------------------------------------------

OUTS = {
    "c": lambda shape, dtype: np.full(shape, np.nan, dtype),
    "fortran": lambda shape, dtype: np.full(shape, np.nan, dtype, order="F"),
    "strided": lambda shape, dtype: np.full((shape[0] * 2, shape[1] * 3), np.nan, dtype)[::2, 1::3],
    "negative": lambda shape, dtype: np.full(shape, np.nan, dtype)[::-1, ::-1],
}


@pytest.mark.parametrize("kind", OUTS)
@pytest.mark.parametrize("w", FLOATS)
def test_out_of_the_losses(w, kind):
    made = problem(np.random.default_rng(12), 40, 37, 6, "float32", w, bias=True, reg=True)
    for loss, ours in LOSSES.items():
        delta = {"delta": made.delta} if loss == "svm" else {}
        out = OUTS[kind](made.W.shape, w)
        owner = out if out.base is None else out.base
        got = ours(made.W, made.X, made.y, made.reg, **made.options, **delta, out=out)
        assert got[1] is out
        want = TRUTHS[loss](made.W, made.X, made.y, made.reg, **made.options, **delta)
        made.compare(got, want)
        out[...] = np.nan
        assert np.isnan(owner).all()  # nothing beside it was written


# ---- all together, at random --------------------------------------------------------------------


@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 300), st.integers(1, 70), st.integers(1, 25)),
    x=st.sampled_from(X_DTYPES),
    w=st.sampled_from(FLOATS),
    layout=st.sampled_from([k for k in LAYOUTS if k != "windows"]),
    loss=st.sampled_from(list(LOSSES)),
    on=st.sets(st.sampled_from([*OPTIONS, "reg"])),
    out=st.sampled_from([None, *OUTS]),
    n_threads=st.sampled_from([None, 1, 2, 3]),
)
def test_at_random(seed, shape, x, w, layout, loss, on, out, n_threads):
    made = problem(np.random.default_rng(seed), *shape, x, w, **dict.fromkeys(on, True))
    made.X = LAYOUTS[layout](made.X)
    extra = {} if out is None else {"out": OUTS[out](made.W.shape, w)}
    made.check(loss, n_threads=n_threads, **extra)
    made.check_predictions(n_threads=n_threads)
