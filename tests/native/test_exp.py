"""The kernels' exp and log1p against wider arithmetic: worst errors, special values, order."""

from __future__ import annotations

import numpy as np
import pytest

from csoftmax._native import dispatch

pytestmark = pytest.mark.usefixtures("isa")

TYPES = {"f": np.float32, "d": np.float64}
WIDER = {"f": np.float64, "d": np.longdouble}
HAS_WIDER = {"f": True, "d": np.finfo(np.longdouble).nmant >= 63}
BITS = {"f": 24, "d": 53}
SMALLEST_NORMAL = {"f": 2.0**-126, "d": 2.0**-1022}
ROUNDS_TO_0 = {"f": -150 * np.log(2), "d": -1075 * np.log(2)}  # half the smallest subnormal
INF, NAN = np.inf, np.nan

# Worst error in ULP of the exact result (of the subnormals' spacing below the normal numbers), with
# the argument that causes it, which is among the tests' samples. FMA: v3 and v4, which agree.
#                  baseline                           FMA
#   exp    float   0.989 at -0x1.b61052p+4            1.006 at -0x1.049e22p+4
#          double  1.005 at -0x1.0bb917036de4cp+9     1.036 at -0x1.59b3d31336dd5p+9
#   exp, subnormal results
#          float   0.747 at -0x1.5d5e22p+6            the same
#          double  0.757 at -0x1.623ad76e61068p+9     0.761 at -0x1.625f1a625f45ep+9
#   log1p  float   0.832 at 0x1.9c5a7ap-2             0.822 at 0x1.a82276p-2
#          double  0.875 at 0x1.a08681bb94383p-2      0.849 at 0x1.a535f8729c31bp-2
# Sought among every third float from -104 to -2^-25 (exp; 8e7), every ninth from 2^-30 to 2^30
# (log1p; 6e7), and 5e7 random doubles, most of them where the errors are large.
WITNESSES = {
    ("exp", "f"): ["-0x1.b61052p+4", "-0x1.049e22p+4", "-0x1.5d5e22p+6"],
    ("exp", "d"): ["-0x1.0bb917036de4cp+9", "-0x1.59b3d31336dd5p+9", "-0x1.625f1a625f45ep+9"],
    ("log1p", "f"): ["0x1.9c5a7ap-2", "0x1.a82276p-2"],
    ("log1p", "d"): ["0x1.a08681bb94383p-2", "0x1.a535f8729c31bp-2"],
}
BOUNDS = {"exp": 1.05, "subnormal": 0.77, "log1p": 0.89}


def compute(function, x):
    """Return exp or log1p of a vector of any length as the variant in use computes it."""
    padded = np.zeros(-(-len(x) // 16) * 16, x.dtype)
    padded[: len(x)] = x
    out = np.full_like(padded, NAN)
    dispatch.kernels.vector_math(function == "log1p", padded, out)
    return out[: len(x)]


def samples(function, char):
    """Return arguments that cover the range of results, densely where the worst errors lie."""
    r = np.random.default_rng(5)
    n = 60_000
    if function == "log1p":
        parts = [r.uniform(0, 4, n), 2 ** r.uniform(-70, 70, n), r.uniform(0.35, 0.45, n)]
        parts.append(np.arange(5000.0))  # what a row of ties adds
    else:
        low = ROUNDS_TO_0[char] - 1
        steps = -np.arange(0.0, -low / np.log(2), 0.5) * np.log(2)  # where n changes, and r is 0
        parts = [r.uniform(low, 0, n), -(2 ** r.uniform(-30, 3, n)), np.linspace(-40, 0, n)]
        parts += [steps * (1 + k * 2.0 ** -BITS[char]) for k in range(-4, 5)]
        parts.append(r.uniform(low, np.log(SMALLEST_NORMAL[char]), n))
    parts.append(np.array([float.fromhex(text) for text in WITNESSES[function, char]]))
    return np.concatenate(parts).astype(TYPES[char])


def errors(function, x):
    """Return the errors in ULP, and where the exact results are subnormal."""
    char = x.dtype.char
    truth = getattr(np, function)(x.astype(WIDER[char]))
    normal = np.maximum(truth, WIDER[char](SMALLEST_NORMAL[char]))
    ulp = np.ldexp(np.ones_like(truth), np.frexp(normal)[1] - BITS[char])
    return np.abs(compute(function, x) - truth) / ulp, truth < SMALLEST_NORMAL[char]


@pytest.fixture(params="fd", ids=["float", "double"])
def char(request):
    return request.param


@pytest.fixture
def wide(char):
    if not HAS_WIDER[char]:
        pytest.skip("longdouble is no wider than float64 here")
    return char


def test_the_worst_error_of_exp(wide):
    x = samples("exp", wide)
    error, subnormal = errors("exp", x)
    assert error[~subnormal].max() < BOUNDS["exp"]
    assert subnormal.sum() > 10_000
    assert error[subnormal].max() < BOUNDS["subnormal"]


def test_subnormal_results_are_rounded_once(wide):
    """Below the last bits of a subnormal the error of the polynomial is nothing: half a spacing."""
    low = ROUNDS_TO_0[wide]
    x = np.linspace(low - 1, np.log(SMALLEST_NORMAL[wide]) - 12 * np.log(2), 50_000)
    error, subnormal = errors("exp", x.astype(TYPES[wide]))
    assert subnormal.all()
    assert error.max() < 0.5 + 2.0**-11


def test_the_worst_error_of_log1p(wide):
    error, _ = errors("log1p", samples("log1p", wide))
    assert error.max() < BOUNDS["log1p"]


@pytest.mark.parametrize("function", ["exp", "log1p"])
def test_the_samples_hold_bad_arguments(wide, function):
    """Samples that no longer come near the bounds would test little."""
    error, _ = errors(function, samples(function, wide))
    assert error.max() > 0.9 * BOUNDS[function]


def test_exact_values(char):
    real = TYPES[char]
    x = np.array(
        [0.0, -0.0, -1e-30, -INF, ROUNDS_TO_0[char] - 1e-3, -1e30, np.finfo(real).min], real
    )
    assert compute("exp", x).tolist() == [1, 1, 1, 0, 0, 0, 0]
    assert not np.signbit(compute("exp", x)).any()
    x = np.array([0.0, 1e-30, np.finfo(real).smallest_subnormal, INF], real)
    assert compute("log1p", x).tolist() == x.tolist()
    assert not np.signbit(compute("log1p", x)).any()


def test_the_last_result_above_0(char):
    real = TYPES[char]
    smallest = np.finfo(real).smallest_subnormal
    x = np.array([ROUNDS_TO_0[char] + 1e-3, np.log(1.4) + np.log(smallest)], real)
    assert compute("exp", x).tolist() == [smallest, smallest]


@pytest.mark.parametrize("function", ["exp", "log1p"])
def test_nan_in_each_lane(char, function):
    for lane in range(16):
        x = np.zeros(16, TYPES[char])
        x[lane] = NAN
        assert np.flatnonzero(np.isnan(compute(function, x))).tolist() == [lane]


def test_infinity_in_each_lane(char):
    for lane in range(16):
        x = np.zeros(16, TYPES[char])
        x[lane] = INF
        np.testing.assert_array_equal(compute("log1p", x), x)
        np.testing.assert_array_equal(compute("exp", -x), x == 0)


def test_a_lane_does_not_depend_on_the_others(char):
    r = np.random.default_rng(2)
    x = -(2 ** r.uniform(-8, 8, 160)).astype(TYPES[char])
    order = r.permutation(len(x))
    assert (compute("exp", x)[order] == compute("exp", x[order])).all()
    assert (compute("log1p", -x)[order] == compute("log1p", -x[order])).all()


def neighbours(center, real, count=400):
    """Return the numbers of the dtype next to `center`, in ascending order."""
    integer = np.int32 if real is np.float32 else np.int64
    bits = np.array(abs(center), real).view(integer) + np.arange(-count, count, dtype=integer)
    return np.sort(np.copysign(bits.view(real), center))


def test_exp_does_not_fall_where_its_parts_change(char):
    """At odd multiples of ln(2)/2 n jumps and r changes sign; near the ends, results become 0 or 1.

    Neighbours may differ by the error of one ULP in the wrong direction, no further.
    """
    centers = [(k + 0.5) * np.log(2) for k in (-140, -126, -100, -40, -11, -3, -2, -1)]
    for center in [*centers, ROUNDS_TO_0[char], np.log(SMALLEST_NORMAL[char]), -1e-6]:
        y = compute("exp", neighbours(center, TYPES[char]))
        assert (np.diff(y) >= -np.spacing(y[1:])).all()


def test_log1p_does_not_fall_where_its_parts_change(char):
    """At sqrt(2) 2^k - 1 the exponent jumps."""
    for center in [2**0.5 * 2.0**k - 1 for k in range(12)] + [1.0, 3.0, 1e-3, 2.0**30]:
        y = compute("log1p", neighbours(center, TYPES[char]))
        assert (np.diff(y) >= -np.spacing(y[1:])).all()


def test_coarse_order(char):
    real = TYPES[char]
    x = np.linspace(ROUNDS_TO_0[char] - 5, 0, 20_001).astype(real)
    assert (np.diff(compute("exp", x)) >= 0).all()
    x = np.linspace(0, 1e5, 20_001).astype(real)
    assert (np.diff(compute("log1p", x)) > 0).all()
