"""Many models in one pass: the same as one by one."""

from __future__ import annotations

import itertools
import re
import sys

import numpy as np
import pytest
from closeness import assert_allclose
from hypothesis import given
from hypothesis import strategies as st
from once import once

from csoftmax import reference, softmax_loss
from csoftmax.solvers.passes import stack_loss_grad

pytestmark = pytest.mark.usefixtures("isa")

dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
READING = ["rows", "shift", "scale"]  # what changes how X is read
OPTIONS = [*READING, "bias", "sample_weight", "label_smoothing", "soft", "mask"]
LAYOUTS = {
    "c": lambda X: X,
    "fortran": np.asfortranarray,
    "both": lambda X: np.repeat(np.repeat(X, 2, 0), 3, 1)[::2, ::3],
    "negative": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
}


def draw(rng, N, D, C, K, dtype="float64", x=None, **wanted):
    """W, X, y and the options that are true."""
    W = (rng.normal(size=(D, K * C)) / np.sqrt(D)).astype(dtype)
    X = rng.normal(size=(N, D))
    X = (np.abs(3 * X) if np.dtype(x or dtype).kind in "bu" else X).astype(x or dtype)
    y = rng.dirichlet(np.ones(C), N).astype(dtype) if wanted.get("soft") else rng.integers(0, C, N)
    folds = rng.integers(0, 3, N) != np.arange(3)[:, None]
    folds[:, 0] = True
    options = {
        "bias": rng.normal(size=K * C).astype(dtype),
        "sample_weight": (rng.uniform(0, 2, N) + (np.arange(N) == 0)).astype(dtype),
        "label_smoothing": 0.125,
        "rows": np.append(rng.integers(-N, N, N + 3), 0),
        "shift": rng.normal(size=D),
        "scale": rng.uniform(0.5, 2, D),
        "mask": folds,
    }
    options = {name: value for name, value in options.items() if wanted.get(name)}
    if "mask" in options:
        options["mask_of_model"] = np.arange(K)[::-1] % 3
    return W, X, y, K, options


true_loss = once(reference.softmax_loss)


def one_by_one(loss, W, X, y, K, options):
    """Each model by `loss`, a mask as weights of 0 and 1."""
    C = W.shape[1] // K
    own = {k: v for k, v in options.items() if k not in ("mask", "mask_of_model", "normalizer")}
    for k in range(K):
        part = slice(k * C, (k + 1) * C)
        if "bias" in options:
            own["bias"] = options["bias"][part]
        if "mask" in options:
            counts = np.asarray(options["mask"])[options["mask_of_model"][k]]
            own["sample_weight"] = options.get("sample_weight", W.dtype.type(1)) * counts
        yield part, loss(W[:, part], X, y, **own)


def check(W, X, y, K, options, **extra):
    losses, dW, dbias = stack_loss_grad(W, X, y, K, **options, **extra)
    assert losses.shape == (K,)
    assert losses.dtype == np.float64
    assert dW.shape == W.shape
    assert dW.dtype == W.dtype
    assert (dbias is not None) == ("bias" in options)
    F = (np.asarray(X, float) - options.get("shift", 0)) * options.get("scale", 1)
    tolerance = 100 * np.finfo(W.dtype).eps
    for part, want in one_by_one(true_loss, W, X, y, K, options):
        bounds = [1 + want[0], 1 + np.abs(F).max(), 1]
        got = [losses[part.start * K // W.shape[1]], dW[:, part]]
        got += [] if dbias is None else [dbias[part]]
        for a, b, bound in zip(got, want, bounds, strict=False):
            assert_allclose(a, b, rtol=0, atol=tolerance * bound)


def same(got, want):
    for a, b in zip(got, want, strict=True):
        assert (a is None and b is None) or a.tobytes() == b.tobytes()


# ---- against the reference ----------------------------------------------------------------------


@dtypes
@pytest.mark.parametrize("C", [1, 2, 3, 5, 7, 10, 11, 21])
def test_every_number_of_classes_and_models(C, dtype):
    rng = np.random.default_rng(C)
    sizes = itertools.cycle([1, 2, 15, 16, 17, 33, 300])
    for K, D in itertools.product([1, 2, 3, 7, 50], [1, 8, 37]):
        check(*draw(rng, next(sizes), D, C, K, dtype, bias=K % 2, mask=D % 2))


@pytest.mark.parametrize(
    ("N", "D"), [(255, 4), (256, 4), (257, 4), (1023, 4), (1024, 4), (20_001, 1), (16, 5000)]
)
def test_edges_of_blocks_and_slots(N, D):
    for dtype, x in [("float32", "float32"), ("float64", "uint8")]:
        check(*draw(np.random.default_rng(N), N, D, 3, 4, dtype, x, mask=True))


@dtypes
def test_dtypes_layouts_and_options(dtype):
    """All options together; each dtype and layout of X with all of those that X is read by."""
    rng = np.random.default_rng(1)
    xs = list(itertools.product(["float32", "float64", "uint8", "bool", "int32"], LAYOUTS))
    assert len(xs) <= 2 ** (len(OPTIONS) - len(READING))
    every = itertools.product([False, True], repeat=len(OPTIONS))
    for chosen, (x, layout) in zip(every, itertools.cycle(xs), strict=False):
        wanted = dict(zip(OPTIONS, chosen, strict=True))
        W, X, y, K, options = draw(rng, 35, 19, 4, 3, dtype, x, **wanted)
        move = LAYOUTS[layout]
        try:
            check(move(W), move(X), y, K, options)
        except AssertionError as error:
            error.add_note(f"X in {x}, {layout}; {[name for name in OPTIONS if wanted[name]]}")
            raise


def test_central_differences():
    every = dict.fromkeys(OPTIONS, True)
    W, X, y, K, options = draw(np.random.default_rng(2), 30, 4, 3, 3, **every)
    _, dW, dbias = stack_loss_grad(W, X, y, K, **options)
    h = 1e-6
    for parameter, grad in ((W, dW), (options["bias"], dbias)):
        for at in np.ndindex(parameter.shape):
            before = parameter[at]
            parameter[at] = before + h
            above = stack_loss_grad(W, X, y, K, **options)[0]
            parameter[at] = before - h
            below = stack_loss_grad(W, X, y, K, **options)[0]
            parameter[at] = before
            change = (above - below) / (2 * h)
            assert_allclose(grad[at], change[at[-1] // 3], rtol=1e-6, atol=1e-8)
            assert (np.delete(change, at[-1] // 3) == 0).all()  # no other model moves


# ---- siblings -----------------------------------------------------------------------------------


@dtypes
@given(
    seed=st.integers(0, 2**32 - 1),
    N=st.integers(1, 600),
    D=st.integers(1, 100),
    C=st.integers(1, 12),
    K=st.integers(1, 6),
    on=st.sets(st.sampled_from(OPTIONS)),
)
def test_bits_are_those_of_single_models(dtype, seed, N, D, C, K, on):
    """Blocks and slots are the same for so few features, and so is each sum over them."""
    rng = np.random.default_rng(seed)
    W, X, y, K, options = draw(rng, N, D, C, K, dtype, **dict.fromkeys(on, True))
    losses, dW, dbias = stack_loss_grad(W, X, y, K, **options)
    for part, want in one_by_one(softmax_loss, W, X, y, K, options):
        got = [losses[part.start // C], np.ascontiguousarray(dW[:, part])]
        got += [] if dbias is None else [dbias[part]]
        same([np.asarray(a) for a in got], [np.asarray(b) for b in want])


@dtypes
def test_masks_are_subsets_of_the_rows(dtype):
    W, X, y, K, options = draw(np.random.default_rng(3), 500, 20, 4, 5, dtype, mask=True, bias=True)
    losses, dW, dbias = stack_loss_grad(W, X, y, K, **options)
    for k, f in enumerate(options["mask_of_model"]):
        rows, part = np.flatnonzero(options["mask"][f]), slice(4 * k, 4 * k + 4)
        want = softmax_loss(W[:, part], X, y, rows=rows, bias=options["bias"][part])
        tolerance = 20 * np.finfo(dtype).eps
        for a, b in zip((losses[k], dW[:, part], dbias[part]), want, strict=True):
            assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@dtypes
def test_bits_do_not_depend_on_the_number_of_threads(dtype):
    every = dict.fromkeys(["bias", "mask", "sample_weight"], True)
    W, X, y, K, options = draw(np.random.default_rng(4), 2001, 51, 11, 5, dtype, **every)
    for X_ in (X, np.asfortranarray(X)):
        want = stack_loss_grad(W, X_, y, K, n_threads=1, **options)
        for n_threads in (2, 3, 4, 5, None, 1):
            same(stack_loss_grad(W, X_, y, K, n_threads=n_threads, **options), want)


@dtypes
def test_normalizers(dtype):
    W, X, y, K, options = draw(np.random.default_rng(5), 60, 7, 3, 4, dtype, mask=True, bias=True)
    given = np.array([1.0, 2.0, 4.0, 0.5])
    totals = options["mask"].sum(axis=1)[options["mask_of_model"]]
    want = stack_loss_grad(W, X, y, K, **options)
    got = stack_loss_grad(W, X, y, K, normalizer=given, **options)
    by = totals / given
    assert_allclose(got[0], want[0] * by, rtol=1e-14)
    for a, b in zip(got[1:], want[1:], strict=True):
        assert_allclose(a, b * np.repeat(by, 3), rtol=4 * np.finfo(dtype).eps)


def test_forms_of_masks():
    W, X, y, K, options = draw(np.random.default_rng(6), 60, 7, 3, 4, mask=True)
    want = stack_loss_grad(W, X, y, K, **options)
    mask, of_model = options["mask"], options["mask_of_model"]
    for other in (mask.astype(np.uint8), np.asfortranarray(mask), mask.tolist(), mask[::-1][::-1]):
        same(stack_loss_grad(W, X, y, K, mask=other, mask_of_model=of_model), want)
    for other in (of_model.astype(np.uint8), of_model.tolist()):
        same(stack_loss_grad(W, X, y, K, mask=mask, mask_of_model=other), want)


# ---- NaN and infinities -------------------------------------------------------------------------


@dtypes
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite(dtype, bad):
    """What is wrong in one model stays there; a row is a row of all."""
    rng = np.random.default_rng(7)
    W, X, y, K, options = draw(rng, 35, 37, 3, 4, dtype, bias=True, mask=True)
    finite = stack_loss_grad(W, X, y, K, **options)
    for name, k in itertools.product(["W", "bias"], range(K)):
        changed = {"W": W.copy(), "bias": options["bias"].copy()}
        changed[name][..., 3 * k + 1] = bad
        got = stack_loss_grad(X=X, y=y, n_models=K, **(options | changed))
        others = np.delete(np.arange(3 * K), np.arange(3 * k, 3 * k + 3))
        same((got[1][:, others], got[2][others]), (finite[1][:, others], finite[2][others]))
        assert (np.delete(got[0], k) == np.delete(finite[0], k)).all()
        if not (name == "bias" and bad == -np.inf):  # a class of probability 0
            assert np.isnan(got[1][:, 3 * k : 3 * k + 3]).all()
    X[5] = np.nan
    options["mask"][:, 5] = [True, True, False]  # 0 * NaN is NaN
    got = stack_loss_grad(W, X, y, K, **options)
    assert all(np.isnan(a).all() for a in got)


# ---- memory -------------------------------------------------------------------------------------

MEMORY = """
import numpy as np
from csoftmax.solvers.passes import hvp, stack_loss_grad

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024

N, D, C, K = 300_000, 16, 5, 10
W, X, y = np.zeros((D, K * C), np.float32), np.ones((N, D), np.float32), np.zeros(N, np.int64)
mask, of_model = np.ones((2, N), bool), np.arange(K) % 2
stack_loss_grad(W, X[:1000], y[:1000], K)
before = peak()
stack_loss_grad(W, X, y, K, mask=mask, mask_of_model=of_model, n_threads=2)
hvp(W, X, W, n_threads=2)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_peak_memory(isa, run_python):
    """In MiB: scores of all rows would take 57."""
    done = run_python(MEMORY, CSOFTMAX_ISA=isa)
    assert float(done.stdout) < 9


# ---- refusals -----------------------------------------------------------------------------------


def refused(error, *message, **changed):
    rng = np.random.default_rng(8)
    arguments = {
        "W": rng.normal(size=(3, 6)),
        "X": rng.normal(size=(4, 3)),
        "y": [0, 1, 1, 0],
        "n_models": 3,
        "mask": np.ones((2, 4), bool),
        "mask_of_model": [0, 1, 1],
    }
    with pytest.raises(error, match=".*".join(map(re.escape, message))):
        stack_loss_grad(**(arguments | changed))


def test_refusals():
    refused(ValueError, "W has 6 columns", "each of the 4 models", n_models=4)
    refused(ValueError, "n_models is 0:", n_models=0)
    refused(TypeError, "n_models is 1.5:", n_models=1.5)
    refused(ValueError, "y[2] is 2:", "class indices from 0 to 1", y=[0, 1, 2, 0])
    refused(ValueError, "y has shape (4, 6)", "(4, 2) probabilities", y=np.ones((4, 6)))
    refused(ValueError, "bias has shape (2,)", "wanted (6,)", bias=np.ones(2))
    refused(ValueError, "X has no rows", rows=[])
    refused(ValueError, "label_smoothing is 2:", label_smoothing=2.0)
    refused(ValueError, "sample_weight[1] is -1.0", sample_weight=[1.0, -1.0, 1.0, 1.0])
    refused(ValueError, "sample_weight is 0 for all rows", sample_weight=np.zeros(4))
    refused(ValueError, "n_threads is 0:", n_threads=0)


def test_refusals_of_masks():
    refused(ValueError, "mask is None, but mask_of_model is not", mask=None)
    refused(ValueError, "mask_of_model is None, but mask is not", mask_of_model=None)
    refused(ValueError, "mask has shape (2, 3)", "wanted (F, 4)", mask=np.ones((2, 3), bool))
    refused(ValueError, "mask has shape (4,)", "wanted (F, 4)", mask=np.ones(4, bool))
    refused(TypeError, "mask has dtype int64", "wanted bool", mask=np.ones((2, 4), int))
    refused(TypeError, "mask has dtype uint8", "0 or 1", mask=np.full((2, 4), 2, np.uint8))
    refused(ValueError, "mask_of_model", "wanted (3,) integers", mask_of_model=[0, 1])
    refused(ValueError, "mask_of_model has dtype float64", mask_of_model=[0.0, 1.0, 1.0])
    for bad in (2, -1):
        refused(ValueError, f"mask_of_model[1] is {bad}:", "2 masks", mask_of_model=[0, bad, 1])
    none = np.array([[1, 1, 1, 1], [0, 0, 1, 0]], bool)
    refused(ValueError, "mask[1] leaves no row", mask=none, rows=[0, 1])
    refused(ValueError, "mask[1] leaves no row", mask=none, sample_weight=[1, 1, 0, 1])
    for bad in (0.0, -1.0, np.inf, np.nan):
        refused(ValueError, f"normalizer[1] is {bad}:", normalizer=[1.0, bad, 1.0])
    refused(ValueError, "normalizer has shape (2,)", "wanted (3,)", normalizer=[1.0, 1.0])
