"""Gradients and probabilities that are larger than the caches, where neighbours are rows."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import csoftmax

pytestmark = pytest.mark.usefixtures("isa")


LARGE = 1 << 24  #: bytes of results, from which on they pass the caches: STREAM_STRIPS in strips.h


@functools.cache
def problem(dtype):
    """Logits of 21 classes, just so large that their halves are not, and labels."""
    shape = (1, 21, 2, 100_003 if dtype == np.float32 else 50_003)
    r = np.random.default_rng(7)
    z = (r.integers(-160, 161, shape, np.int16) / np.float32(32)).astype(dtype)
    assert z.nbytes / 2 < LARGE <= z.nbytes
    return z, r.integers(0, 21, (1, *shape[2:]))


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["cross_entropy", "multiclass_hinge", "softmax"])
def test_results_past_the_caches(name, dtype, offset):
    # large results are written in another way
    z, t = problem(dtype)
    room = np.full(z.size + 2, 99, dtype)
    out = room[offset : offset + z.size].reshape(z.shape)
    if name == "softmax":
        csoftmax.softmax(z, axis=1, out=out)
        halves = [csoftmax.softmax(z[..., k, :], axis=1) for k in range(2)]
    else:
        f = getattr(csoftmax, f"{name}_with_grad")
        f(z, t, out=out, reduction="sum")
        halves = [f(z[..., k, :], t[..., k, :], reduction="sum")[1] for k in range(2)]
    for k, half in enumerate(halves):
        np.testing.assert_array_equal(out[:, :, k], half)
    assert (room[:offset] == 99).all()
    assert (room[offset + z.size :] == 99).all()
