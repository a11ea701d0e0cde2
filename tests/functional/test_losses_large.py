"""Gradients and probabilities that are larger than the caches, where neighbours are rows."""

from __future__ import annotations

import numpy as np
import pytest

import csoftmax

pytestmark = pytest.mark.usefixtures("isa")


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["cross_entropy", "multiclass_hinge", "softmax"])
def test_results_past_the_caches(name, dtype, offset):
    # large results are written in another way; halves of them are not large
    shape = (1, 21, 2, 150000 if dtype == np.float64 else 250000)
    r = np.random.default_rng(7)
    z = (r.integers(-160, 161, shape) / 32).astype(dtype)
    t = r.integers(0, 21, (1, *shape[2:]))
    room = np.full(z.size + 2, 99, dtype)
    out = room[offset : offset + z.size].reshape(shape)
    if name == "softmax":
        csoftmax.softmax(z, axis=1, out=out)
        halves = [csoftmax.softmax(z[..., k, :], axis=1) for k in range(2)]
    else:
        f = getattr(csoftmax, f"{name}_with_grad")
        f(z, t, out=out, reduction="sum")
        halves = [f(z[..., k, :], t[..., k, :], reduction="sum")[1] for k in range(2)]
    np.testing.assert_array_equal(out, np.stack(halves, 2))
    assert (np.delete(room, np.s_[offset : offset + z.size]) == 99).all()
