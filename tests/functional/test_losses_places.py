"""Losses on logits (N, C, d1, ...): a row of classes at each place, in any layout of memory."""

from __future__ import annotations

import itertools
import re
import tracemalloc

import numpy as np
import pytest

import csoftmax
from csoftmax import reference
from csoftmax._native import threads

pytestmark = pytest.mark.usefixtures("isa")

LOSSES = ("cross_entropy", "multiclass_hinge")
REDUCTIONS = ("mean", "sum", "none")
KINDS = ("index", "ignored", "probabilities")
# (N, C, d1, ...): fewer neighbours than a vector has lanes, more, and several runs in a strip;
# rows that are packed and rows that are taken one by one where their classes are neighbours
SHAPES = (
    (2, 3, 1),
    (3, 1, 5),
    (4, 7, 2),
    (3, 5, 3, 2),
    (2, 10, 17),
    (1, 64, 33),
    (5, 4, 7, 7),
    (2, 3, 4, 1, 9),
    (2, 2, 3, 2, 5, 3),
    (2, 100, 130),
)


def axes_in_order(*order):
    """Axes lie in memory in this order, the last one without gaps; others follow at the front."""

    def layout(a):
        full = [k for k in range(a.ndim) if k not in {o % a.ndim for o in order}]
        full += [o % a.ndim for o in order]
        return np.ascontiguousarray(a.transpose(full)).transpose(np.argsort(full))

    return layout


def cropped(a):
    """No two axes are one."""
    room = np.full([n + 3 for n in a.shape], 99, a.dtype)
    view = room[tuple(slice(1, n + 1) for n in a.shape)]
    view[...] = a
    return view


def every_second(a):
    room = np.full([2 * n for n in a.shape], 99, a.dtype)
    view = room[tuple(slice(None, None, 2) for _ in a.shape)]
    view[...] = a
    return view


def reversed_(a):
    flip = (slice(None, None, -1),) * a.ndim
    return a[flip].copy()[flip]


LAYOUTS = {
    "C": np.array,
    "Fortran": lambda a: np.array(a, order="F"),
    "channels last": axes_in_order(1),
    "classes first": axes_in_order(0, -1),
    "rows innermost": axes_in_order(0),
    "cropped": cropped,
    "every second": every_second,
    "reversed": reversed_,
}


def problem(kind, shape, dtype=np.float64, weighted=False, sampled=""):
    """Logits, target and options, of numbers that float16 holds: the same for all dtypes."""
    r = np.random.default_rng(7)
    of_rows = (shape[0], *shape[2:])
    logits = (r.integers(-160, 161, shape) / 32).astype(dtype)
    target = r.integers(0, shape[1], of_rows)
    options = {}
    if kind == "probabilities":
        target = np.moveaxis(r.dirichlet(np.ones(shape[1]), of_rows), -1, 1).astype(np.float16)
    elif kind == "ignored":
        target[r.random(of_rows) < 0.3] = -100
    if weighted:
        options["weight"] = r.integers(1, 33, shape[1]) / 16
    if sampled:
        options["sample_weight"] = r.integers(1, 33, of_rows if sampled == "rows" else shape[:1])
    return logits, target, options


def assert_close(got, want, dtype, k=8):
    """Equal to k units of `dtype`, of each number or of the largest."""
    tolerance = k * np.finfo(dtype).eps
    finite = np.abs(np.asarray(want)[np.isfinite(want)])
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance * finite.max(initial=0))


def matrix(a):
    """(N, C, d1, ...) as rows of classes, (N, d1, ...) as a vector."""
    return np.moveaxis(a, 1, -1).reshape(-1, a.shape[1])


# --- Every option, shape and layout ---------------------------------------------------------------


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LOSSES)
def test_every_option(name, kind, label_smoothing, reduction):
    options = {"label_smoothing": label_smoothing, "reduction": reduction}
    for weighted, sampled in itertools.product((False, True), ("", "N", "rows")):
        for shape in ((3, 5, 3, 2), (2, 10, 17)):
            z, t, more = problem(kind, shape, np.float64, weighted, sampled)
            want = getattr(reference, f"{name}_with_grad")(z, t, **more, **options)
            for dtype in (np.float16, np.float32, np.float64):
                loss, grad = getattr(csoftmax, f"{name}_with_grad")(
                    z.astype(dtype), t, **more, **options
                )
                assert_close(loss, want[0], dtype)
                assert_close(grad, want[1], dtype)
                assert np.shape(loss) == np.shape(want[0])
                assert (grad.shape, grad.dtype) == (shape, dtype)
                same = getattr(csoftmax, name)(z.astype(dtype), t, **more, **options)
                np.testing.assert_array_equal(same, loss)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LOSSES)
def test_layouts(name, dtype, layout):
    put = LAYOUTS[layout]
    for shape, kind in itertools.product(SHAPES, ("index", "probabilities")):
        if name == "multiclass_hinge" and kind == "probabilities" and shape[1] > 50:
            continue  # C**2 for each row
        z, t, options = problem(kind, shape, dtype, True, "rows")
        f = getattr(csoftmax, f"{name}_with_grad")
        want = getattr(reference, f"{name}_with_grad")(z, t, **options, reduction="none")
        there = put(z)
        places = {**options, "sample_weight": put(options["sample_weight"])}
        for logits, target, more in ((there, t, options), (z, put(t), options), (there, t, places)):
            loss, grad = f(logits, target, **more, reduction="none")
            assert_close(loss, want[0], dtype)
            assert_close(grad, want[1], dtype)
            np.testing.assert_array_equal(
                getattr(csoftmax, name)(logits, target, **more, reduction="none"), loss
            )
        np.testing.assert_array_equal(there, z)
        if layout in ("C", "Fortran", "channels last"):
            long = np.array(shape) > 1
            np.testing.assert_array_equal(
                np.array(grad.strides)[long], np.array(there.strides)[long]
            )


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", ["index", "probabilities"])
@pytest.mark.parametrize("name", LOSSES)
def test_out(name, kind, layout):
    put = LAYOUTS[layout]
    f = getattr(csoftmax, f"{name}_with_grad")
    for shape, dtype in itertools.product(SHAPES[1:-1], (np.float16, np.float32, np.float64)):
        z, t, options = problem(kind, shape, dtype, sampled="N")
        want = f(z, t, **options)
        out = put(np.full(shape, np.nan, dtype))
        loss, grad = f(z, t, **options, out=out)
        assert grad is out
        assert_close(loss, want[0], dtype)
        assert_close(out, want[1], dtype)
        there = put(z)
        loss, grad = f(there, t, **options, out=there)
        assert grad is there
        assert_close(loss, want[0], dtype)
        assert_close(there, want[1], dtype)


@pytest.mark.parametrize("layout", [cropped, every_second])
def test_out_writes_nothing_beside_it(layout):
    for shape in SHAPES:
        z, t, _ = problem("index", shape, np.float32)
        out = layout(np.zeros(shape, np.float32))
        room = out.base
        beside = room == 99
        csoftmax.cross_entropy_with_grad(z, t, out=out)
        assert beside.sum() == room.size - out.size
        assert (room[beside] == 99).all()


@pytest.mark.parametrize("name", LOSSES)
def test_places_are_rows(name):
    # to the bit: a row does not see its neighbours
    f = getattr(csoftmax, f"{name}_with_grad")
    for shape, dtype in itertools.product(((5, 4, 7, 7), (2, 10, 17)), (np.float32, np.float64)):
        z, t, _ = problem("ignored", shape, dtype)
        loss, grad = f(z, t, reduction="none")
        want_loss, want_grad = f(matrix(z), t.reshape(-1), reduction="none")
        np.testing.assert_array_equal(loss.reshape(-1), want_loss)
        np.testing.assert_array_equal(matrix(grad), want_grad)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_special_values_stay_in_their_row(bad):
    for shape, dtype in itertools.product(((3, 5, 3, 2), (2, 40, 17)), (np.float32, np.float64)):
        z, t, _ = problem("ignored", shape, dtype)
        z[1, 2, 1, ...] = bad
        for put in LAYOUTS.values():
            loss, grad = csoftmax.cross_entropy_with_grad(put(z), t, reduction="none")
            want = csoftmax.cross_entropy_with_grad(matrix(z), t.reshape(-1), reduction="none")
            assert_close(loss.reshape(-1), want[0], dtype)
            assert_close(matrix(grad), want[1], dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_further_from_the_truth_than_rows(dtype):
    # the bound of test_losses_properties.py, per element, for strips of places
    r = np.random.default_rng(5)
    z = (10 * r.standard_normal((3, 33, 40))).astype(dtype)
    t = r.integers(0, 33, (3, 40))
    loss, grad = csoftmax.cross_entropy_with_grad(z, t, reduction="none")
    want_loss, want_grad = csoftmax.cross_entropy_with_grad(
        matrix(z).astype(np.longdouble).astype(np.float64), t.reshape(-1), reduction="none"
    )
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(loss.reshape(-1), want_loss, rtol=4 * eps, atol=40 * eps)
    np.testing.assert_allclose(matrix(grad), want_grad, rtol=200 * eps, atol=4 * eps)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LOSSES)
def test_central_differences(name, kind, reduction):
    z, t, options = problem(kind, (2, 3, 2, 2), weighted=True, sampled="rows")
    z += np.linspace(0, 0.01, z.size).reshape(z.shape)  # off the hinge's corners
    options |= {"reduction": reduction, "label_smoothing": 0.1}
    _, grad = getattr(csoftmax, f"{name}_with_grad")(z, t, **options)
    for at in np.ndindex(z.shape):
        step = np.zeros_like(z)
        step[at] = 1e-6
        up, down = (np.sum(getattr(csoftmax, name)(x, t, **options)) for x in (z + step, z - step))
        assert (up - down) / 2e-6 == pytest.approx(grad[at], rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 3, 0), (0, 3, 0, 2)])
@pytest.mark.parametrize("name", LOSSES)
def test_no_places(name, shape):
    of_rows = (shape[0], *shape[2:])
    for target in (np.zeros(of_rows, int), np.zeros(shape)):
        for reduction, want in {"mean": np.nan, "sum": 0.0, "none": np.zeros(of_rows)}.items():
            loss, grad = getattr(csoftmax, f"{name}_with_grad")(
                np.zeros(shape, np.float32), target, reduction=reduction
            )
            np.testing.assert_array_equal(loss, want)
            assert np.shape(loss) == np.shape(want)
            assert (grad.shape, grad.dtype) == (shape, np.float32)


@pytest.mark.parametrize("layout", ["C", "Fortran", "channels last", "cropped"])
@pytest.mark.parametrize("name", LOSSES)
def test_no_transposed_copy(name, layout):
    z, t, _ = problem("index", (4, 32, 41, 40), np.float64)
    there, f = LAYOUTS[layout](z), getattr(csoftmax, f"{name}_with_grad")
    f(there[:1], t[:1])
    tracemalloc.start()
    try:
        f(there, t, out=there)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * 8 * t.size + 20_000  # losses, labels, and those in another order


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", LOSSES)
def test_the_number_of_threads_changes_no_bit(name, layout, monkeypatch):
    monkeypatch.setattr(threads, "WORK_PER_THREAD", 1e-6)  # use as many as are allowed
    f = getattr(csoftmax, f"{name}_with_grad")
    for shape, kind in itertools.product(((5, 4, 7, 7), (2, 40, 67)), ("index", "probabilities")):
        z, t, options = problem(kind, shape, np.float32, True, "rows")
        z = LAYOUTS[layout](z)
        want = f(z, t, **options, n_threads=1)
        for n_threads in (2, 3, 4):
            got = f(z, t, **options, n_threads=n_threads)
            assert got[0] == want[0]
            np.testing.assert_array_equal(got[1], want[1])


# --- Refusals -------------------------------------------------------------------------------------

Z, T = np.zeros((2, 3, 4, 5)), np.zeros((2, 4, 5), int)


def with_one(value, at=(1, 3, 2), like=T):
    a = like.astype(np.asarray(value).dtype)
    a[at] = value
    return a


REFUSALS = {
    "places": (
        {"target": T[:, :2]},
        "target has shape (2, 2, 5): wanted (2, 4, 5) class indices or (2, 3, 4, 5) probabilities",
    ),
    "classes last": ({"target": np.zeros((2, 4, 5, 3))}, "target has shape (2, 4, 5, 3): wanted"),
    "one for each of N": ({"target": T[:, 0, 0]}, "target has shape (2,): wanted (2, 4, 5) class"),
    "no class": ({"target": with_one(3)}, "target[1, 3, 2] is 3: wanted class indices from 0 to 2"),
    "a half": ({"target": with_one(0.5)}, "target[1, 3, 2] is 0.5: wanted class indices, which"),
    "huge": ({"target": with_one(np.uint64(2**63 + 1))}, "target[1, 3, 2] is 9223372036854775809:"),
    "weight of classes": ({"weight": np.ones(4)}, "weight has shape (4,): wanted (3,), one for"),
    "sample_weight": (
        {"sample_weight": np.ones(4)},
        "sample_weight has shape (4,): wanted (2,), one for each of N, or (2, 4, 5), one for each",
    ),
    "sample_weight < 0": (
        {"sample_weight": with_one(-1.0)},
        "sample_weight[1, 3, 2] is -1.0: wanted finite numbers, none negative",
    ),
    "sample_weight of N": (
        {"sample_weight": [1.0, np.nan]},
        "sample_weight[1] is nan: wanted finite numbers, none negative",
    ),
    "ignore_index": (
        {"target": np.zeros(Z.shape), "ignore_index": 0},
        "ignore_index is 0, but target is probabilities",
    ),
}


@pytest.mark.parametrize("layout", ["C", "Fortran", "channels last"])
@pytest.mark.parametrize("case", REFUSALS)
@pytest.mark.parametrize("name", LOSSES)
def test_refusals(name, case, layout):
    arguments, message = REFUSALS[case]
    arguments = {"target": T} | arguments
    out = np.full(Z.shape, 7.0)
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        getattr(csoftmax, name)(LAYOUTS[layout](Z), **arguments)
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        getattr(csoftmax, f"{name}_with_grad")(LAYOUTS[layout](Z), **arguments, out=out)
    assert (out == 7).all()


@pytest.mark.parametrize("name", LOSSES)
def test_swapped_logits_and_target(name):
    called = "logits" if name == "cross_entropy" else "scores"
    for logits, target in (
        (np.zeros((3, 4)), [0, 1, 2]),
        (np.zeros((3, 4), np.float32), np.zeros(3)),
        (np.zeros((3, 4), int), [0, 1, 2]),
        (np.zeros(4), 1),
        (Z, T),
        (Z[:, :, 0], T[:, 0]),
        (np.zeros((0, 3, 2)), np.zeros((0, 2), int)),
    ):
        for f in (getattr(csoftmax, name), getattr(csoftmax, f"{name}_with_grad")):
            f(logits, target)
            message = (
                f"{called} has shape {np.shape(target)} and target {np.shape(logits)}: "
                f"they seem swapped, wanted the {called} first"
            )
            with pytest.raises(ValueError, match="^" + re.escape(message)):
                f(target, logits)
    with pytest.raises(ValueError, match=r"^target has shape \(3, 4\): wanted \(\) class"):
        getattr(csoftmax, name)(np.zeros(3), np.zeros((3, 4), int))  # real logits, whole targets


@pytest.mark.parametrize("name", LOSSES)
def test_out_in_the_memory_of_the_logits(name):
    f = getattr(csoftmax, f"{name}_with_grad")
    memory = np.zeros(2 * Z.size)
    z = memory[: Z.size].reshape(Z.shape)
    for out in (memory[1 : Z.size + 1].reshape(Z.shape), z[::-1], z.reshape(-1).reshape(Z.shape).T):
        if out.shape == Z.shape:
            with pytest.raises(ValueError, match=r"^out overlaps \w+ in memory: wanted \w+ itself"):
                f(z, T, out=out)
    with pytest.raises(ValueError, match=r"^out has shape \(2, 4, 5, 3\): wanted \(2, 3, 4, 5\)$"):
        f(z, T, out=np.zeros((2, 4, 5, 3)))
    assert (memory == 0).all()
