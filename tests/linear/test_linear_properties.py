"""Memory, threads and the laws that the linear losses obey."""

from __future__ import annotations

import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from csoftmax import linear_predict, linear_predict_proba, reference, softmax_loss, svm_loss

pytestmark = pytest.mark.usefixtures("isa")

LOSSES = [softmax_loss, svm_loss]
both = pytest.mark.parametrize("loss", LOSSES)
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


def draw(seed, N, D, C, dtype="float32"):
    rng = np.random.default_rng(seed)
    W = (rng.normal(size=(D, C)) / np.sqrt(D)).astype(dtype)
    return W, rng.normal(size=(N, D)).astype(dtype), rng.integers(0, C, N)


def close(got, want):
    """All of two results, in units of the largest element, or of 0.1: sums may cancel to less."""
    for a, b in zip(got, want, strict=True):
        a, b = np.asarray(a), np.asarray(b)
        eps = np.finfo(np.float32 if np.float32 in (a.dtype, got[1].dtype) else np.float64).eps
        np.testing.assert_allclose(a, b, rtol=0, atol=100 * eps * max(np.abs(b).max(), 0.1))


def same(got, want):
    """Bit for bit."""
    for a, b in zip(got, want, strict=True):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


# ---- memory -------------------------------------------------------------------------------------

# VmHWM is the peak of this very process: ru_maxrss would start with that of the parent.
MEMORY = """
import numpy as np
from csoftmax import linear_predict, linear_predict_proba, softmax_loss, svm_loss

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024

N, D, C = 300_000, 16, 50
W = np.zeros((D, C), np.float32)
y = np.zeros(N, np.int64)
shift, scale = np.ones(D), np.ones(D)
rows = np.arange(0, N, 3)
labels, proba = np.zeros(N, np.int64), np.ones((N, C), np.float32)
sources = [
    np.ones((N, D), np.float32),
    np.ones((N, D), np.uint8),
    np.ones((N, D), np.float32, order="F"),
    np.ones((N, 2 * D), np.float32)[:, ::2],
]
softmax_loss(W, sources[0][:1000], y[:1000])
before = peak()
for X in sources:
    softmax_loss(W, X, y, label_smoothing=0.1, shift=shift, scale=scale, n_threads=2)
    svm_loss(W, X, y, bias=W[0], rows=rows, n_threads=2)
    linear_predict(W, X, out=labels, n_threads=2)
    linear_predict_proba(W, X, out=proba, n_threads=2)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_peak_memory(isa, run_python):
    """In MiB: N x C scores would take 57, a float32 copy of X 18; the indices `rows` are 0.8."""
    done = run_python(MEMORY, CSOFTMAX_ISA=isa)
    assert float(done.stdout) < 9


@both
def test_nothing_of_the_size_of_x_is_made_by_numpy(loss):
    W, X, y = draw(0, 20_000, 10, 3)
    X, weight, shift = np.asfortranarray(X), np.ones(20_000, np.float32), np.ones(10)
    loss(W, X, y)  # imports are not counted
    tracemalloc.start()
    try:
        loss(W, X, y, shift=shift, bias=W[0], sample_weight=weight)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 * len(y) < X.nbytes  # some arrays of flags, one byte a row


# ---- threads ------------------------------------------------------------------------------------


def calls(W, X, y):
    """Several ways through the kernels, all with work for five threads."""
    return [
        lambda **threads: softmax_loss(W, X, y, 0.1, **threads),
        lambda **threads: softmax_loss(W, X, y, 0.1, bias=W[0], shift=W[:, 0], **threads),
        lambda **threads: svm_loss(W, np.asfortranarray(X), y, rows=np.arange(len(y)), **threads),
        lambda **threads: (linear_predict(W, X, **threads),),
        lambda **threads: (linear_predict_proba(W, X, **threads),),
    ]


@dtypes
def test_bits_do_not_depend_on_the_number_of_threads(dtype):
    for call in calls(*draw(1, 4001, 151, 11, dtype)):
        want = call(n_threads=1)
        for n_threads in (2, 3, 4, 5, None, 1):
            same(call(n_threads=n_threads), want)


def test_bits_under_threadpoolctl():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    for call in calls(*draw(2, 4001, 151, 11)):
        want = call()
        for limit in (1, 2, 4):
            with threadpoolctl.threadpool_limits(limits=limit):
                same(call(n_threads=4), want)


def test_bits_in_another_process(isa, run_python):
    code = """
import numpy as np
from csoftmax import softmax_loss
X = np.sin(np.arange(3000 * 70.0)).reshape(3000, 70).astype(np.float32)
W = np.cos(np.arange(70 * 11.0)).reshape(70, 11).astype(np.float32)
loss, dW = softmax_loss(W, X, np.arange(3000) % 11, 0.1)
found = loss.hex() + dW.tobytes().hex()
"""
    here = {}
    exec(code, here)
    one = run_python(code + "print(found)", CSOFTMAX_ISA=isa, CSOFTMAX_NUM_THREADS="1")
    assert one.stdout.strip() == here["found"]


def test_many_python_threads_share_their_input():
    for call in calls(*draw(3, 2001, 101, 7)):
        want = call(n_threads=1)
        with ThreadPoolExecutor(8) as pool:
            for got in pool.map(lambda k, call=call: call(n_threads=1 + k % 3), range(24)):
                same(got, want)


# ---- siblings: one loss, said in two ways -------------------------------------------------------


@both
@dtypes
def test_the_course(loss, dtype):
    W, X, y = draw(4, 50, 12, 5, dtype)
    for stage in ("naive", "half_vectorized", "vectorized"):
        want = getattr(reference, f"{loss.__name__}_{stage}")(W, X, y, 0.2)
        close(loss(W, X, y, 0.2), want)


@both
@dtypes
def test_one_hot_targets_are_indices(loss, dtype):
    W, X, y = draw(5, 50, 12, 5, dtype)
    close(loss(W, X, np.eye(5, dtype=dtype)[y], bias=W[0]), loss(W, X, y, bias=W[0]))


@both
def test_ways_to_read_the_same_features(loss):
    """In place, by way of scratch, or widened: sums over features are in the same order."""
    W, X, y = draw(6, 300, 37, 5)
    X = np.round(X * 8).clip(0, 255)
    want = loss(W, X, y)
    wider = np.zeros((300, 74), np.float32)
    wider[:, ::2] = X
    for same_features in (X.astype(np.uint8), X.astype(float), np.asfortranarray(X), wider[:, ::2]):
        same(loss(W, same_features, y), want)
    same(loss(W, X, y, rows=np.arange(300)), want)
    same(loss(W, X, y, shift=np.zeros(37)), want)
    same(loss(W, X, y, scale=np.ones(37)), want)


@both
def test_rows_are_those_of_x(loss):
    W, X, y = draw(7, 80, 9, 4)
    weight = np.random.default_rng(7).uniform(1, 2, 80).astype(np.float32)
    for rows in ([3, 3, -1, 70, 0], np.arange(80)[::-2], np.arange(80) % 7):
        want = loss(W, X[rows], y[rows], 0.1, sample_weight=weight[rows])
        same(loss(W, X, y, 0.1, sample_weight=weight, rows=rows), want)
        for predict in (linear_predict, linear_predict_proba):
            same([predict(W, X, rows=rows)], [predict(W, X[rows])])


@both
@dtypes
@pytest.mark.parametrize("n_classes", [4, 30])  # centred in registers, and in scratch
def test_shift_and_scale_are_those_of_the_features(loss, dtype, n_classes):
    W, X, y = draw(8, 80, 19, n_classes, dtype)
    rng = np.random.default_rng(8)
    shift, scale = rng.normal(size=19).astype(dtype), rng.uniform(0.5, 2, 19).astype(dtype)
    same(loss(W, X, y, shift=shift), loss(W, X - shift, y))
    powers = np.ldexp(np.ones(19, dtype), rng.integers(-9, 9, 19))  # which round nothing
    same(loss(W, X, y, shift=shift, scale=powers), loss(W, (X - shift) * powers, y))
    close(loss(W, X, y, shift=shift, scale=scale), loss(W, (X - shift) * scale, y))
    close(loss(W, X, y, scale=scale), loss(W, X * scale, y))


@both
@dtypes
def test_rows_shorter_than_a_vector_are_rounded_as_numpy_rounds_them(loss, dtype):
    W, X, y = draw(8, 80, 5, 4, dtype)
    rng = np.random.default_rng(8)
    shift, scale = rng.normal(size=5).astype(dtype), rng.uniform(0.5, 2, 5).astype(dtype)
    same(loss(W, X, y, shift=shift, scale=scale), loss(W, (X - shift) * scale, y))
    same(loss(W, X, y, scale=scale), loss(W, X * scale, y))


@both
@dtypes
@pytest.mark.parametrize("x_dtype", [np.uint8, None])
def test_what_cannot_be_folded_into_the_model_is_not(loss, dtype, x_dtype):
    """(x - shift) scale is an ordinary number, though scale W is none of the dtype."""
    W, X, y = draw(8, 80, 19, 4, dtype)
    X = (X * 40 + 120).astype(x_dtype or dtype)
    far = np.ldexp(W.dtype.type(1), 61 if dtype == "float32" else 501)
    shift, scale = np.full(19, 120, dtype), np.full(19, 1 / far, dtype)
    value, dW = loss(W * far, X, y, shift=shift, scale=scale)
    same((value, dW * far), loss(W, X - shift, y))
    W[0] = [np.inf, -np.inf, 1, 2]
    shift[:2] = 100.5, np.inf
    same(loss(W, X, y, shift=shift), loss(W, X - shift, y))


@both
def test_a_bias_is_one_more_feature(loss):
    W, X, y = draw(9, 80, 9, 4, "float64")
    value, dW, dbias = loss(W[:-1], X[:, :-1], y, bias=W[-1])
    X[:, -1] = 1
    close((value, np.vstack([dW, dbias])), loss(W, X, y))


@both
@dtypes
def test_a_bias_of_0_changes_nothing_else(loss, dtype):
    W, X, y = draw(9, 80, 9, 4, dtype)
    same(loss(W, X, y, bias=np.zeros(4))[:2], loss(W, X, y))


# ---- laws ---------------------------------------------------------------------------------------


@both
@dtypes
@given(seed=st.integers(0, 2**32 - 1), N=st.integers(1, 60), C=st.integers(1, 12))
def test_copies_of_a_row_are_its_weight(loss, dtype, seed, N, C):
    W, X, y = draw(seed, N, 5, C, dtype)
    copies = np.random.default_rng(seed).integers(0, 4, N)
    copies[0] = 1
    rows = np.repeat(np.arange(N), copies)
    want = loss(W, X, y, 0.1, bias=W[0], sample_weight=copies)
    close(loss(W, X, y, 0.1, bias=W[0], rows=rows), want)
    close(loss(W, X, y, 0.1, bias=W[0], sample_weight=copies * 8), want)  # a factor cancels


@both
@dtypes
def test_the_order_of_rows_and_classes_does_not_matter(loss, dtype):
    W, X, y = draw(10, 700, 20, 6, dtype)
    value, dW = loss(W, X, y)
    order = np.random.default_rng(10).permutation(700)
    close(loss(W, X[order], y[order]), (value, dW))
    order = np.array([3, 1, 5, 0, 2, 4])
    close(loss(W[:, order], X, np.argsort(order)[y]), (value, dW[:, order]))


@both
@pytest.mark.parametrize("C", [1, 2, 10, 100])
def test_loss_of_no_model(loss, C):
    _, X, y = draw(11, 100, 7, C)
    W = np.zeros((7, C))
    want = np.log(C) if loss is softmax_loss else C - 1
    assert loss(W, X, y)[0] == pytest.approx(want, rel=1e-14)
    assert loss(W.astype("f"), X, y)[0] == pytest.approx(want, rel=1e-6)


@both
@dtypes
def test_the_regulariser(loss, dtype):
    W, X, y = draw(12, 60, 7, 4, dtype)
    value, dW, dbias = loss(W, X, y, bias=W[0])
    regularised = loss(W, X, y, 3.5, bias=W[0])
    wide = W.astype(float)
    want = value + 3.5 / 2 * np.sum(wide**2), dW + 3.5 * wide, dbias
    close(regularised, want)
    assert regularised[2].tobytes() == dbias.tobytes()


@dtypes
def test_gradients_of_all_classes_sum_to_0(dtype):
    W, X, y = draw(13, 500, 30, 9, dtype)
    for loss in LOSSES:
        _, dW, dbias = loss(W, X, y, bias=W[0])
        np.testing.assert_allclose(dW.sum(axis=1), 0, atol=50 * np.finfo(dtype).eps)
        np.testing.assert_allclose(dbias.sum(), 0, atol=50 * np.finfo(dtype).eps)


@dtypes
def test_a_constant_added_to_all_scores_does_not_matter(dtype):
    W, X, y = draw(14, 500, 6, 9, dtype)
    added = np.round(np.random.default_rng(14).normal(size=6)).astype(dtype)[:, None]
    for loss in LOSSES:
        close(loss(W + added, X, y), loss(W, X, y))


@dtypes
def test_two_classes_are_logistic_regression(dtype):
    W, X, y = draw(15, 200, 11, 2, dtype)
    loss, dW = softmax_loss(W, X, y)
    wide = X.astype(float)
    margin = wide @ (W[:, 1] - W[:, 0]).astype(float) * np.where(y, 1, -1)
    want = np.log1p(np.exp(-margin)).mean()
    slope = -np.where(y, 1, -1) / (1 + np.exp(margin)) @ wide / 200
    close((loss, dW), (want, np.stack([-slope, slope], axis=1)))


@dtypes
def test_two_classes_are_the_binary_svm(dtype):
    W, X, y = draw(16, 200, 11, 2, dtype)
    loss, dW = svm_loss(W, X, y, delta=0.5)
    wide, sign = X.astype(float), np.where(y, 1, -1)
    margin = 0.5 - wide @ (W[:, 1] - W[:, 0]).astype(float) * sign
    slope = -(sign * (margin > 0)) @ wide / 200
    close((loss, dW), (np.maximum(0, margin).mean(), np.stack([-slope, slope], axis=1)))


def test_ties_go_to_the_first_class():
    X = np.ones((40, 3), np.float32)
    for C in (1, 2, 17, 40):
        assert (linear_predict(np.ones((3, C)), X) == 0).all()
        bias = (np.arange(C) >= C // 2).astype(float)
        assert (linear_predict(np.ones((3, C)), X, bias=bias) == C // 2).all()


# ---- out of the labels --------------------------------------------------------------------------


def test_out_of_the_labels():
    W, X, _ = draw(17, 40, 9, 6)
    beside = np.full(80, -1)
    for out in (np.full(40, -1), beside[::2], np.full(40, -1)[::-1]):
        assert linear_predict(W, X, out=out) is out
        np.testing.assert_array_equal(out, reference.linear_predict(W, X))
    assert (beside[1::2] == -1).all()


def test_out_of_the_probabilities():
    W, X, _ = draw(17, 40, 9, 6)
    want = linear_predict_proba(W, X)
    beside = np.full((40, 12), -1, W.dtype)
    fortran = np.full((40, 6), -1, W.dtype, order="F")
    for out in (np.full((40, 6), -1, W.dtype), beside[:, ::2], beside[::-1, ::2], fortran):
        assert linear_predict_proba(W, X, out=out) is out
        np.testing.assert_array_equal(out, want)
    assert (beside[:, 1::2] == -1).all()


@dtypes
def test_probabilities_sum_to_1_and_are_largest_at_the_label(dtype):
    for C in (1, 2, 16, 17, 1000):
        W, X, _ = draw(18, 70, 20, C, dtype)
        proba = linear_predict_proba(W, X)
        np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=8 * np.finfo(dtype).eps)
        np.testing.assert_array_equal(proba.argmax(axis=1), linear_predict(W, X))


def test_predictions_of_no_rows():
    for predict, shape in ((linear_predict, (0,)), (linear_predict_proba, (0, 2))):
        assert predict(np.ones((3, 2)), np.ones((0, 3))).shape == shape
        assert predict(np.ones((3, 2)), np.ones((4, 3)), rows=[]).shape == shape
