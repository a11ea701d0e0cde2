"""The update rules: the numbers that the course's notebook expects, defaults, dtypes, errors."""

import numpy as np
import pytest

from csoftmax.cs231n import optim
from csoftmax.cs231n.optim import adam, rmsprop, sgd, sgd_momentum


def ramp(first, last):
    return np.linspace(first, last, num=20).reshape(4, 5)


@pytest.mark.parametrize(
    ("rule", "config", "next_w", "states"),
    [
        (
            sgd_momentum,
            {"learning_rate": 1e-3, "velocity": ramp(0.6, 0.9)},
            [
                [0.1406, 0.20738947, 0.27417895, 0.34096842, 0.40775789],
                [0.47454737, 0.54133684, 0.60812632, 0.67491579, 0.74170526],
                [0.80849474, 0.87528421, 0.94207368, 1.00886316, 1.07565263],
                [1.14244211, 1.20923158, 1.27602105, 1.34281053, 1.4096],
            ],
            {"velocity": (0.5406, 0.8096)},
        ),
        (
            rmsprop,
            {"learning_rate": 1e-2, "cache": ramp(0.6, 0.9)},
            [
                [-0.39223849, -0.34037513, -0.28849239, -0.23659121, -0.18467247],
                [-0.132737, -0.08078555, -0.02881884, 0.02316247, 0.07515774],
                [0.12716641, 0.17918792, 0.23122175, 0.28326742, 0.33532447],
                [0.38739248, 0.43947102, 0.49155973, 0.54365823, 0.59576619],
            ],
            {"cache": (0.5976, 0.8926)},
        ),
        (
            adam,
            {"learning_rate": 1e-2, "m": ramp(0.6, 0.9), "v": ramp(0.7, 0.5), "t": 5},
            [
                [-0.40094747, -0.34836187, -0.29577703, -0.24319299, -0.19060977],
                [-0.1380274, -0.08544591, -0.03286534, 0.01971428, 0.0722929],
                [0.1248705, 0.17744702, 0.23002243, 0.28259667, 0.33516969],
                [0.38774145, 0.44031188, 0.49288093, 0.54544852, 0.59801459],
            ],
            {"m": (0.48, 0.85), "v": (0.69966, 0.49966)},
        ),
    ],
)
def test_the_notebooks_numbers(rel_error, rule, config, next_w, states):
    w, dw = ramp(-0.4, 0.6), ramp(-0.6, 0.4)
    given = {name: np.array(value) for name, value in config.items()}
    got, returned = rule(w, dw, config=dict(config))
    assert rel_error(got, np.array(next_w)) < 2e-7  # they are printed with eight digits
    for name, (first, last) in states.items():
        assert returned[name][0, 0] == pytest.approx(first, rel=1e-7)
        assert returned[name][-1, -1] == pytest.approx(last, rel=1e-7)
        np.testing.assert_array_equal(
            config[name], given[name]
        )  # a new array, the old one as it was
    np.testing.assert_array_equal(w, ramp(-0.4, 0.6))
    np.testing.assert_array_equal(dw, ramp(-0.6, 0.4))


def test_the_callers_config_remembers():
    w, dw, config = np.ones(3), np.array([1.0, 2.0, 3.0]), {"learning_rate": 0.1}
    for _ in range(3):
        w, returned = adam(w, dw, config)
        assert returned is config
    assert config["t"] == 3
    assert set(config) == {"learning_rate", "beta1", "beta2", "epsilon", "m", "v", "t"}
    m = v = 0.0
    want = np.ones(3)
    for t in (1, 2, 3):
        m, v = 0.9 * m + 0.1 * dw, 0.999 * v + 0.001 * dw**2
        want -= 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    np.testing.assert_allclose(w, want, rtol=1e-12)


def test_sgd_is_in_place():
    w, dw = np.ones(2), np.array([1.0, -1.0])
    got, config = sgd(w, dw, {"learning_rate": 0.5})
    assert got is w
    np.testing.assert_array_equal(w, [0.5, 1.5])
    assert config == {"learning_rate": 0.5}
    assert sgd(w, dw)[1] == {"learning_rate": 1e-2}


@pytest.mark.parametrize("rule", optim.RULES.values(), ids=[*optim.RULES])
def test_float32_stays_whatever_the_rate_is(rule):
    w, dw = np.ones(3, np.float32), np.full(3, 0.5, np.float32)
    config = {"learning_rate": np.float64(0.1)}  # from a grid of numpy.logspace
    for _ in range(3):
        w, config = rule(w, dw, config)
    assert w.dtype == np.float32
    assert all(v.dtype == np.float32 for v in config.values() if isinstance(v, np.ndarray))
    assert np.all(w < 1)


@pytest.mark.parametrize("rule", optim.RULES.values(), ids=[*optim.RULES])
@pytest.mark.parametrize("rate", [-1.0, np.nan, "fast"])
def test_rates_are_checked(rule, rate):
    with pytest.raises((ValueError, TypeError), match="learning_rate is"):
        rule(np.ones(2), np.ones(2), {"learning_rate": rate})
