"""The Hessian-vector product of the cross-entropy, against the reference and the gradient."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest
from closeness import assert_allclose
from hypothesis import given
from hypothesis import strategies as st
from once import once

from csoftmax import reference, softmax_loss
from csoftmax.solvers.passes import hvp

pytestmark = pytest.mark.usefixtures("isa")

dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
OPTIONS = ["bias", "sample_weight", "rows", "shift", "scale", "reg"]
X_DTYPES = ["float32", "float64", "uint8", "bool", "float16", "int32", ">f4"]


def inside(X, rows, columns):
    """X as every so many rows and columns of a larger array."""
    larger = np.full((X.shape[0] * rows, X.shape[1] * columns), 77).astype(X.dtype)
    larger[::rows, ::columns] = X
    return larger[::rows, ::columns]


LAYOUTS = {
    "c": lambda X: X,
    "fortran": np.asfortranarray,
    "columns": lambda X: inside(X, 1, 3),
    "both": lambda X: inside(X, 2, 2),
    "negative": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
}


def draw(rng, N, D, C, dtype="float64", x=None, **wanted):
    """W, X, V and the options that are true."""
    W, V = (rng.normal(size=(2, D, C)) / np.sqrt(D)).astype(dtype)
    X = rng.normal(size=(N, D))
    X = (np.abs(3 * X) if np.dtype(x or dtype).kind in "bu" else X).astype(x or dtype)
    options = {
        "bias": rng.normal(size=C).astype(dtype),
        "sample_weight": rng.uniform(0, 2, N) + (np.arange(N) == 0),
        "rows": np.append(rng.integers(-N, N, N + 3), 0),
        "shift": rng.normal(size=D),
        "scale": rng.uniform(0.5, 2, D),
        "reg": 0.25,
    }
    options = {name: value for name, value in options.items() if wanted.get(name)}
    if "bias" in options:
        options["vbias"] = rng.normal(size=C).astype(dtype)
    return W, X, V, options


true_hvp = once(reference.softmax_hvp)


@once
def terms(W, X, V, options):
    """Sums of the absolute terms of HV and Hvbias, and the largest of a row's scores."""
    F = np.asarray(X, float)[options.get("rows", slice(None))]
    F = np.abs((F - options.get("shift", 0)) * options.get("scale", 1))
    s = options.get("sample_weight", np.ones(len(X)))[options.get("rows", slice(None))]
    P = reference.linear_predict_proba(
        W, X, **{k: v for k, v in options.items() if k in ("bias", "rows", "shift", "scale")}
    )
    A = (F @ np.abs(W) + np.abs(options.get("bias", 0))).max(axis=1, keepdims=True)
    T = (F @ np.abs(V) + np.abs(options.get("vbias", 0))).max(axis=1, keepdims=True)
    H = s[:, None] * P * (1 + A) * T / s.sum()
    return F.T @ H + options.get("reg", 0) * np.abs(V), H.sum(axis=0)


def check(W, X, V, options, **extra):
    got = hvp(W, X, V, **options, **extra)
    want = true_hvp(W, X, V, **options)
    # and the reference's own: one chain of additions over the rows
    eps = 8 * np.finfo(W.dtype).eps + len(X) * np.finfo(float).eps
    assert (got[1] is not None) == ("bias" in options)
    for a, b, scale in zip(got, want, terms(W, X, V, options), strict=True):
        if a is None:
            continue
        assert a.dtype == W.dtype
        assert (np.abs(a - b) <= eps * scale).all()


# ---- against the reference ----------------------------------------------------------------------


@dtypes
@pytest.mark.parametrize("C", [1, 2, 3, 5, 6, 9, 10, 11, 20, 21, 100])
def test_every_width_with_every_number_of_features(C, dtype):
    rng = np.random.default_rng(C)
    sizes = itertools.cycle([1, 2, 15, 16, 17, 33, 300])
    for D in [1, 2, 7, 8, 15, 16, 17, 31, 33, 100, 512, 784]:
        check(*draw(rng, next(sizes), D, C, dtype, bias=D % 2, reg=True))


@pytest.mark.parametrize(
    ("N", "D"), [(255, 4), (256, 4), (257, 4), (1023, 4), (1024, 4), (70_001, 1), (16, 5000)]
)
def test_edges_of_blocks_and_slots(N, D):
    for dtype, x in [("float32", "float32"), ("float64", "uint8")]:
        check(*draw(np.random.default_rng(N), N, D, 3, dtype, x))


@dtypes
@pytest.mark.parametrize("x", X_DTYPES)
def test_dtypes_layouts_and_options(x, dtype):
    rng = np.random.default_rng(1)
    layouts = itertools.cycle(LAYOUTS.values())
    for chosen in itertools.product([False, True], repeat=len(OPTIONS)):
        wanted = dict(zip(OPTIONS, chosen, strict=True))
        W, X, V, options = draw(rng, 35, 37, 4, dtype, x, **wanted)
        move = next(layouts)
        check(move(W), move(X), move(V), options)


@dtypes
def test_other_forms_of_the_other_arguments(dtype):
    W, X, V, options = draw(np.random.default_rng(2), 35, 9, 4, dtype, bias=True)
    want = hvp(W, X, V, **options)
    other = np.float64 if dtype == "float32" else ">f8"
    same(hvp(W, X, V.astype(other), **options), want)
    lists = {name: value.tolist() for name, value in options.items()}
    same(hvp(W, X, V.tolist(), **lists), want)
    for out in (np.full((9, 4), -1, dtype), np.full((18, 8), -1, dtype)[::2, ::-2]):
        got = hvp(W, X, V, out=out, **options)
        assert got[0] is out
        same(got, want)


@pytest.mark.parametrize(
    ("N", "D", "C"), [(33, 1, 2), (257, 17, 3), (1000, 100, 10), (100, 3073, 10), (60, 31, 100)]
)
def test_float32_is_as_exact_as_numpys(N, D, C):
    """By the rule of test_linear_accuracy.py, in units of a rounding of the terms."""
    for spread in (1e-3, 1, 30):
        W, X, V, _ = draw(np.random.default_rng(D), N, D, C, "float32")
        X *= np.float32(spread)
        Z, T = X @ W, X @ V
        e = np.exp(Z - Z.max(axis=1, keepdims=True))
        P = e / e.sum(axis=1, keepdims=True)
        numpy = X.T @ (P * (T - (P * T).sum(axis=1, keepdims=True))) / np.float32(N)
        truth, _ = reference.softmax_hvp(W, X, V)
        unit = terms(W, X, V, {})[0] * np.finfo(np.float32).eps / 2 + np.finfo(np.float32).tiny
        ours, theirs = (np.abs(a - truth) / unit for a in (hvp(W, X, V)[0], numpy))
        assert (ours <= theirs + 8).all()
        assert np.sqrt(np.mean(ours**2)) <= 2 * np.sqrt(np.mean(theirs**2)) + 1


# ---- the Hessian is the gradient's derivative ---------------------------------------------------


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_central_differences(soft, smoothing):
    """Whatever the targets are."""
    rng = np.random.default_rng(3)
    W, X, V, options = draw(rng, 40, 6, 4, **dict.fromkeys(OPTIONS, True))
    y = rng.dirichlet(np.ones(4), 40) if soft else rng.integers(0, 4, 40)
    vbias, h = options["vbias"], 1e-5

    def gradient(step):
        changed = {k: v for k, v in options.items() if k != "vbias"}
        changed["bias"] = options["bias"] + step * vbias
        return softmax_loss(W + step * V, X, y, label_smoothing=smoothing, **changed)[1:]

    for a, above, below in zip(hvp(W, X, V, **options), gradient(h), gradient(-h), strict=True):
        assert_allclose(a, (above - below) / (2 * h), rtol=1e-6, atol=1e-8)


@dtypes
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 300), st.integers(1, 40), st.integers(1, 25)),
    on=st.sets(st.sampled_from(OPTIONS)),
)
def test_symmetric_and_positive(dtype, seed, shape, on):
    rng = np.random.default_rng(seed)
    W, X, V, options = draw(rng, *shape, dtype, **dict.fromkeys(on, True))
    U, ubias = rng.normal(size=W.shape).astype(dtype), rng.normal(size=shape[2]).astype(dtype)
    HV, Hvbias = hvp(W, X, V, **options)
    scale = terms(W, X, V, options)
    eps = 20 * np.finfo(dtype).eps
    uHv, bound, vHv, own = np.sum(U * HV), np.sum(np.abs(U) * scale[0]), np.sum(V * HV), 0.0
    own = np.sum(np.abs(V) * scale[0])
    other = dict(options)
    if "bias" in on:
        other["vbias"] = ubias
        uHv, bound = uHv + ubias @ Hvbias, bound + np.abs(ubias) @ scale[1]
        vHv, own = vHv + options["vbias"] @ Hvbias, own + np.abs(options["vbias"]) @ scale[1]
    HU, Hubias = hvp(W, X, U, **other)
    vHu = np.sum(V * HU) + (options["vbias"] @ Hubias if "bias" in on else 0)
    back = np.sum(np.abs(V) * terms(W, X, U, other)[0])
    back += np.abs(options["vbias"]) @ terms(W, X, U, other)[1] if "bias" in on else 0
    assert abs(uHv - vHu) <= eps * (bound + back)
    assert vHv >= -eps * own


@dtypes
def test_the_same_change_of_all_classes_is_no_change(dtype):
    W, X, V, options = draw(np.random.default_rng(4), 500, 30, 9, dtype, bias=True)
    V = np.repeat(V[:, :1], 9, axis=1)
    options["vbias"] = np.repeat(options["vbias"][:1], 9)
    scale = terms(W, X, V, options)
    for a, bound in zip(hvp(W, X, V, **options), scale, strict=True):
        assert (np.abs(a) <= 8 * np.finfo(dtype).eps * bound).all()
    V, options["vbias"] = np.ones_like(V), np.ones(9)
    assert np.abs(hvp(W, X, V, 0.5, **options)[0] - 0.5).max() < 1e-4


@dtypes
def test_changes_of_all_classes_sum_to_0(dtype):
    W, X, V, options = draw(np.random.default_rng(5), 500, 30, 9, dtype, bias=True)
    for a in hvp(W, X, V, **options):
        assert_allclose(a.sum(axis=-1), 0, atol=50 * np.finfo(dtype).eps)


# ---- siblings -----------------------------------------------------------------------------------


def same(got, want):
    for a, b in zip(got, want, strict=True):
        assert (a is None and b is None) or a.tobytes() == b.tobytes()


@dtypes
def test_bits_do_not_depend_on_the_number_of_threads(dtype):
    W, X, V, options = draw(np.random.default_rng(6), 4001, 151, 11, dtype, bias=True)
    for X_ in (X, np.asfortranarray(X)):
        want = hvp(W, X_, V, n_threads=1, **options)
        for n_threads in (2, 3, 4, 5, None, 1):
            same(hvp(W, X_, V, n_threads=n_threads, **options), want)


@dtypes
def test_rows_shift_and_scale_are_those_of_the_features(dtype):
    W, X, V, options = draw(np.random.default_rng(7), 80, 9, 4, dtype, sample_weight=True)
    weight, rng = options["sample_weight"].astype(dtype), np.random.default_rng(7)
    rows = rng.integers(-80, 80, 50)
    want = hvp(W, X[rows], V, sample_weight=weight[rows])
    same(hvp(W, X, V, sample_weight=weight, rows=rows), want)
    W, X, V, _ = draw(rng, 80, 5, 4, dtype)  # rows shorter than a vector
    shift, scale = rng.normal(size=5).astype(dtype), rng.uniform(0.5, 2, 5).astype(dtype)
    same(hvp(W, X, V, shift=shift, scale=scale), hvp(W, (X - shift) * scale, V))
    W, X, V, _ = draw(rng, 80, 19, 4, dtype)
    shift = rng.normal(size=19).astype(dtype)
    powers = np.ldexp(np.ones(19, dtype), rng.integers(-9, 9, 19))  # which round nothing
    same(hvp(W, X, V, shift=shift, scale=powers), hvp(W, (X - shift) * powers, V))


def test_a_bias_is_one_more_feature():
    W, X, V, _ = draw(np.random.default_rng(8), 80, 9, 4)
    got = hvp(W[:-1], X[:, :-1], V[:-1], bias=W[-1], vbias=V[-1])
    X[:, -1] = 1
    assert_allclose(np.vstack(got), hvp(W, X, V)[0], rtol=1e-12, atol=1e-14)


# ---- NaN and infinities -------------------------------------------------------------------------


@dtypes
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite(dtype, bad):
    for N, D, C in [(35, 37, 4), (35, 16, 11), (3, 1, 2)]:
        made = draw(np.random.default_rng(9), N, D, C, dtype, bias=True)
        for name, at in itertools.product(["W", "X", "V", "bias", "vbias"], [0, 0.5, 1]):
            arguments = dict(zip("WXV", made, strict=False)) | made[3]
            changed = arguments[name] = arguments[name].copy()
            changed.flat[int(at * (changed.size - 1))] = bad
            with np.errstate(invalid="ignore"):
                want = reference.softmax_hvp(**arguments)
            for a, b in zip(hvp(**arguments), want, strict=True):
                assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_rows_of_one_sure_class_have_no_curvature():
    W, X = np.array([[1e30, -1e30, 0]], np.float32), np.array([[1], [-1]], np.float32)
    assert (hvp(W, X, np.ones_like(W) * [1, 2, 3])[0] == 0).all()


# ---- refusals -----------------------------------------------------------------------------------


def refused(error, *message, **changed):
    W, X, V, _ = draw(np.random.default_rng(10), 4, 3, 2)
    with pytest.raises(error, match=".*".join(map(re.escape, message))):
        hvp(**({"W": W, "X": X, "V": V} | changed))


def test_refusals():
    refused(ValueError, "V has shape (2, 3)", "wanted (3, 2)", V=np.ones((2, 3)))
    refused(TypeError, "V has dtype complex128", V=np.ones((3, 2)) * 1j)
    refused(TypeError, "W has dtype int64", W=np.ones((3, 2), int))
    refused(ValueError, "vbias is None", "both or neither", bias=np.ones(2))
    refused(ValueError, "bias is None", "both or neither", vbias=np.ones(2))
    refused(ValueError, "vbias has shape (3,)", "wanted (2,)", bias=[1, 2], vbias=np.ones(3))
    refused(ValueError, "reg is -1:", "at least 0", reg=-1.0)
    refused(ValueError, "sample_weight is 0 for all rows", sample_weight=np.zeros(4))
    refused(ValueError, "X has no rows", rows=[])
    refused(ValueError, "rows[1] is 4:", rows=[0, 4])
    refused(ValueError, "n_threads is 0:", n_threads=0)
    refused(ValueError, "out has shape (2, 3)", out=np.ones((2, 3)))
    V = np.ones((3, 2))
    refused(ValueError, "out overlaps V in memory", V=V, out=V)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_classes", [1, 2, 7, 17, 52])
@pytest.mark.parametrize("options", ["plain", "all"])
def test_csr_is_dense(isa: str, dtype: Any, n_classes: int, options: str) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    rng = np.random.default_rng(n_classes)
    X = sparse.random(90, 23, density=0.2, format="csr", dtype=dtype, random_state=0)
    W, V = (rng.standard_normal((23, n_classes)).astype(dtype) for _ in range(2))
    more: dict[str, Any] = {}
    if options == "all":
        more = {
            "bias": rng.standard_normal(n_classes),
            "vbias": rng.standard_normal(n_classes),
            "sample_weight": rng.uniform(0, 2, 90),
            "rows": rng.integers(0, 90, 70),
            "shift": rng.standard_normal(23),
            "scale": rng.uniform(0.5, 2, 23),
        }
    found = [hvp(W, data, V, 0.3, **more) for data in (X, X.toarray())]
    tolerance = 1e-4 if dtype == np.float32 else 1e-11
    for of_csr, of_dense in zip(*found, strict=True):
        if of_dense is None:
            assert of_csr is None
        else:
            assert_allclose(of_csr, of_dense, rtol=tolerance, atol=tolerance)
    again = [hvp(W, X, V, 0.3, n_threads=n, **more)[0].tobytes() for n in (1, 2, 3)]
    assert len(set(again)) == 1
