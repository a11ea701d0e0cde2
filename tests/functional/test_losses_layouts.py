"""Losses on logits: layouts and dtypes of the inputs, `out`, threads."""

from __future__ import annotations

import itertools
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import csoftmax
from csoftmax import reference
from csoftmax._native import threads

pytestmark = pytest.mark.usefixtures("isa")

LOSSES = ("cross_entropy", "multiclass_hinge")
SHAPES = ((19, 5), (6, 40))  # packed side by side; one by one where contiguous


def fortran(a):
    return np.asfortranarray(a)


def strided(a):
    room = np.full([2 * n + 1 for n in a.shape], 99, a.dtype)
    view = room[tuple(slice(1, None, 2) for _ in a.shape)]
    view[...] = a
    return view


def spaced_rows(a):
    """Rows are contiguous, but not one behind the other."""
    room = np.full((len(a), *(n + 3 for n in a.shape[1:])), 99, a.dtype)
    view = room[(slice(None), *(slice(1, n + 1) for n in a.shape[1:]))]
    view[...] = a
    return view


def reversed_(a):
    flip = (slice(None, None, -1),) * a.ndim
    return a[flip].copy()[flip]


def read_only(a):
    a = a.copy()
    a.setflags(write=False)
    return a


def swapped(a):
    return a.astype(a.dtype.newbyteorder("S"))


def unaligned(a):
    buffer = np.empty(a.nbytes + 1, np.uint8)
    view = buffer[1:].view(a.dtype).reshape(a.shape)
    view[...] = a
    return view


def field(a):
    """A field of records: strides that are no multiple of the item."""
    records = np.zeros(a.shape, [("x", a.dtype), ("y", np.uint8)])
    records["x"] = a
    return records["x"]


def repeated(a):
    """The first row over and over, with stride 0."""
    return np.broadcast_to(a[:1], a.shape)


LAYOUTS = (fortran, strided, spaced_rows, reversed_, read_only, swapped, unaligned, field)


def problem(kind, shape, dtype, seed=3):
    r = np.random.default_rng(seed)
    logits = (3 * r.standard_normal(shape)).astype(dtype)
    target = r.integers(0, shape[1], shape[0])
    if kind == "probabilities":
        target = r.dirichlet(np.ones(shape[1]), shape[0]).astype(dtype)
    return (
        logits,
        target,
        {"weight": r.uniform(0.5, 2, shape[1]), "sample_weight": r.random(shape[0])},
    )


def assert_close(got, want, dtype, k=8):
    tolerance = k * np.finfo(dtype).eps
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance * np.abs(want).max())


def assert_same(got, want, dtype):
    """Both losses and gradients are the same, up to the order of a sum over a row."""
    assert_close(got[0], want[0], dtype)
    assert_close(got[1], want[1], dtype)
    assert got[1].dtype == want[1].dtype
    assert got[1].shape == want[1].shape


# --- Inputs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["index", "probabilities"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("layout", [*LAYOUTS, repeated])
@pytest.mark.parametrize("name", LOSSES)
def test_layouts(name, layout, dtype, kind):
    f = getattr(csoftmax, f"{name}_with_grad")
    for shape in SHAPES:
        logits, target, options = problem(kind, shape, dtype)
        if layout is repeated:
            logits = np.repeat(logits[:1], len(logits), axis=0)
            target = np.repeat(target[:1], len(target), axis=0)
        want = f(logits, target, **options, reduction="none")
        z, t = layout(logits), layout(target)
        o = {k: np.copy(v) if layout is repeated else layout(v) for k, v in options.items()}
        for given, to, others in (
            (z, target, options),
            (logits, t, options),
            (logits, target, o),
            (z, t, o),
        ):
            assert_same(f(given, to, **others, reduction="none"), want, dtype)
            loss = getattr(csoftmax, name)(given, to, **others, reduction="none")
            assert_close(loss, want[0], dtype)
        np.testing.assert_array_equal(z, logits)  # the inputs are as they were
        np.testing.assert_array_equal(t, target)
        for key, array in options.items():
            np.testing.assert_array_equal(o[key], array)


@pytest.mark.parametrize("mode", ["r", "c"])
@pytest.mark.parametrize("name", LOSSES)
def test_memory_maps(name, mode, tmp_path):
    logits, target, _ = problem("index", (19, 5), np.float32)
    files = {"logits": logits, "target": target}
    for key, array in files.items():
        np.save(tmp_path / f"{key}.npy", array)
    maps = {key: np.load(tmp_path / f"{key}.npy", mmap_mode=mode) for key in files}
    f = getattr(csoftmax, f"{name}_with_grad")
    got = f(maps["logits"], maps["target"])
    want = f(logits, target)
    assert got[0] == want[0]
    np.testing.assert_array_equal(got[1], want[1])
    assert type(got[1]) is np.ndarray


@pytest.mark.parametrize("name", LOSSES)
def test_lists_and_other_dtypes_are_float64(name):
    f = getattr(csoftmax, f"{name}_with_grad")
    logits = np.array([[3, 0, 1], [0, 1, 1]])
    want = f(logits.astype(np.float64), np.array([2, 1]))
    assert want[1].dtype == np.float64
    for same in (
        logits.tolist(),
        tuple(map(tuple, logits)),
        logits.astype(">i2"),
        np.uint8(logits),
    ):
        assert_same(f(same, [2, 1]), want, np.float64)
    flags = f(logits > 0, [2, 1])
    assert_same(flags, f((logits > 0).astype(np.float64), [2, 1]), np.float64)


INDICES = [f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)]
INDICES += [">i4", ">i8", ">u2", "<i8", "f2", "f4", "f8", ">f4"]


@pytest.mark.parametrize("dtype", INDICES)
@pytest.mark.parametrize("name", LOSSES)
def test_types_of_class_indices(name, dtype):
    f = getattr(csoftmax, f"{name}_with_grad")
    for shape in SHAPES:
        logits, target, _ = problem("index", shape, np.float32)
        want = f(logits, target, reduction="none")
        for layout in (np.copy, strided, reversed_, read_only, unaligned):
            got = f(logits, layout(target.astype(dtype)), reduction="none")
            np.testing.assert_array_equal(got[0], want[0])
            np.testing.assert_array_equal(got[1], want[1])
    if np.dtype(dtype).kind in "if":  # and one to ignore
        got = f(logits[:3], np.array([1, -100, 0], dtype))
        assert_same(got, f(logits[:3], [1, -100, 0]), np.float32)


@pytest.mark.parametrize("name", LOSSES)
def test_bool_class_indices(name):
    f = getattr(csoftmax, name)
    assert f([[0.0, 2.0], [1.0, 0.0]], [True, False]) == f([[0.0, 2.0], [1.0, 0.0]], [1, 0])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
@pytest.mark.parametrize("name", LOSSES)
def test_one_row(name, dtype, reduction):
    f = getattr(csoftmax, f"{name}_with_grad")
    for n_classes in (1, 3, 40):
        row = np.arange(n_classes)[::-1].astype(dtype)
        share = np.full(n_classes, 1 / n_classes)
        for target in (0, np.int8(0), np.array(0), 0.0, share, share.tolist()):
            options = {"reduction": reduction, "sample_weight": [0.5], "label_smoothing": 0.1}
            loss, grad = f(row, target, **options)
            want_loss, want_grad = f(row[None], np.array(target)[None], **options)
            assert np.ndim(loss) == 0
            assert loss == np.squeeze(want_loss)
            assert loss == getattr(csoftmax, name)(row, target, **options)
            assert grad.shape == row.shape
            np.testing.assert_array_equal(grad, want_grad[0])
            if reduction == "none":
                assert loss.dtype == grad.dtype


@pytest.mark.parametrize("name", LOSSES)
def test_one_ignored_row(name):
    loss, grad = getattr(csoftmax, f"{name}_with_grad")([1.0, 2.0], -100)
    assert np.isnan(loss)
    np.testing.assert_array_equal(grad, [0, 0])


# --- out ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["index", "probabilities"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("layout", [np.copy, fortran, strided, spaced_rows, reversed_])
@pytest.mark.parametrize("name", LOSSES)
def test_out(name, layout, dtype, kind):
    f = getattr(csoftmax, f"{name}_with_grad")
    for shape, options in itertools.product(SHAPES, ({}, {"label_smoothing": 0.1})):
        logits, target, weights = problem(kind, shape, dtype)
        want = f(logits, target, **weights, **options)
        out = layout(np.full(shape, np.nan, dtype))
        loss, grad = f(logits, target, **weights, **options, out=out)
        assert grad is out
        assert_same((loss, out), want, dtype)
        z = layout(logits)  # in place
        loss, grad = f(z, target, **weights, **options, out=z)
        assert grad is z
        assert_same((loss, z), want, dtype)


@pytest.mark.parametrize("layout", [strided, spaced_rows])
@pytest.mark.parametrize("name", LOSSES)
def test_out_writes_nothing_beside_it(name, layout):
    for shape, dtype in itertools.product(SHAPES, (np.float16, np.float32, np.float64)):
        logits, target, _ = problem("index", shape, dtype)
        out = layout(np.zeros(shape, dtype))
        room = out.base
        out[...] = 0
        beside = room == 99
        assert beside.sum() == room.size - out.size
        getattr(csoftmax, f"{name}_with_grad")(logits, target, out=out)
        assert (room[beside] == 99).all()


@pytest.mark.parametrize("name", LOSSES)
def test_out_of_integers_lists_and_one_row(name):
    f = getattr(csoftmax, f"{name}_with_grad")
    for logits in (np.arange(40), list(range(5)), np.arange(40, dtype=">f4")):
        want = f(logits, 1)
        out = np.empty_like(want[1])
        loss, grad = f(logits, 1, out=out)
        assert grad is out
        assert loss == want[0]
        np.testing.assert_array_equal(out, want[1])
    z = np.arange(40.0)
    f(z, 1, out=z)
    np.testing.assert_array_equal(z, f(np.arange(40.0), 1)[1])


@pytest.mark.parametrize("name", LOSSES)
def test_out_of_no_rows(name):
    f = getattr(csoftmax, f"{name}_with_grad")
    for out in (np.empty((0, 3)), np.ones((4, 3))[:0], np.ones((4, 6))[4:, ::2]):
        assert f(np.empty((0, 3)), [], out=out)[1] is out
        assert f(out, [], out=out)[1] is out


@pytest.mark.parametrize("shape", [(50_000, 10), (500, 1000)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LOSSES)
def test_in_place_allocates_nothing_of_the_size_of_the_logits(name, dtype, shape):
    z, y, _ = problem("index", shape, dtype)
    f = getattr(csoftmax, f"{name}_with_grad")
    f(z[:2], y[:2])
    tracemalloc.start()
    try:
        f(z, y, out=z)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        f(z, y)
        fresh = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    per_row = 3 * 8 * shape[0]  # the rows' losses, and labels
    assert peak < per_row + 20_000
    assert peak < z.nbytes / 1.5
    assert z.nbytes < fresh < z.nbytes + per_row + 20_000


# --- Threads --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["index", "probabilities"])
@pytest.mark.parametrize("name", LOSSES)
def test_the_number_of_threads_changes_no_bit(name, kind, dtype, monkeypatch):
    monkeypatch.setattr(threads, "WORK_PER_THREAD", 1e-6)  # use as many as are allowed
    f = getattr(csoftmax, f"{name}_with_grad")
    for shape in ((1, 3), (5, 40), (999, 10), (301, 67)):
        logits, target, options = problem(kind, shape, dtype)
        for reduction in ("mean", "none"):
            want = f(logits, target, **options, reduction=reduction, n_threads=1)
            for n_threads in (2, 3, 4, None):
                got = f(logits, target, **options, reduction=reduction, n_threads=n_threads)
                np.testing.assert_array_equal(got[0], want[0])
                np.testing.assert_array_equal(got[1], want[1])
            loss = getattr(csoftmax, name)(
                logits, target, **options, reduction=reduction, n_threads=3
            )
            np.testing.assert_array_equal(loss, want[0])


@pytest.mark.parametrize("name", LOSSES)
def test_large_inputs_use_threads_and_give_the_same_bits(name):
    logits, target, _ = problem("index", (12_000, 10), np.float32)
    f = getattr(csoftmax, f"{name}_with_grad")
    want = f(logits, target, n_threads=1)
    for n_threads in (2, 3, 4):
        got = f(logits, target, n_threads=n_threads)
        assert got[0] == want[0]
        np.testing.assert_array_equal(got[1], want[1])
    assert_close(want[0], getattr(reference, name)(logits, target), np.float32)


@pytest.mark.parametrize("kind", ["index", "probabilities"])
@pytest.mark.parametrize("name", LOSSES)
def test_python_threads_share_inputs(name, kind):
    logits, target, options = problem(kind, (500, 40), np.float32)
    f = getattr(csoftmax, f"{name}_with_grad")
    want = f(logits, target, **options)
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(f, logits, target, **options, n_threads=1 + k % 2) for k in range(24)]
        for job in jobs:
            loss, grad = job.result()
            assert loss == want[0]
            np.testing.assert_array_equal(grad, want[1])
