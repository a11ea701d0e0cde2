"""The course's numerical gradients: what they return, print, draw and leave alone."""

import random
import re

import numpy as np
import pytest

from csoftmax.cs231n.gradient_check import (
    eval_numerical_gradient,
    eval_numerical_gradient_array,
    grad_check_sparse,
)

LINE = re.compile(r"numerical: -?\d+\.\d{6} analytic: -?\d+\.\d{6}, relative error: (\S+)")


def test_grad_check_sparse_prints_what_it_finds(capsys):
    random.seed(0)
    x = np.array([1.0, 2.0])
    assert grad_check_sparse(lambda x: np.sum(x**2), x, np.array([2.0, 5.0]), num_checks=20) is None
    errors = {LINE.fullmatch(line)[1] for line in capsys.readouterr().out.splitlines()}
    assert len(errors) == 2
    assert max(map(float, errors)) == pytest.approx(1 / 9)
    assert min(map(float, errors)) < 1e-9
    grad_check_sparse(lambda x: 0.0, x, np.zeros(2), num_checks=1)
    want = "numerical: 0.000000 analytic: 0.000000, relative error: 0.000000e+00\n"
    assert capsys.readouterr().out == want


def test_grad_check_sparse_draws_with_pythons_random(capsys):
    x, visited = np.zeros((3, 4)), []

    def f(x):
        visited.append(tuple(np.argwhere(x)[0]))
        return 0.0

    random.seed(7)
    grad_check_sparse(f, x, np.zeros((3, 4)), num_checks=6)
    random.seed(7)
    want = [(random.randrange(3), random.randrange(4)) for _ in range(6)]
    assert visited[::2] == want


def test_numerical_gradients_and_what_they_print(capsys):
    x = np.random.default_rng(0).standard_normal((2, 3))
    before = x.copy()
    grad = eval_numerical_gradient(lambda x: np.sum(np.sin(x)), x)
    np.testing.assert_allclose(grad, np.cos(x), rtol=1e-8)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert lines[0] == f"(0, 0) {grad[0, 0]}"
    eval_numerical_gradient(lambda x: np.sum(x), x, False)
    assert capsys.readouterr().out == ""
    df = np.random.default_rng(1).standard_normal((2, 3))
    got = eval_numerical_gradient_array(lambda x: np.sin(x), x, df)
    np.testing.assert_allclose(got, np.cos(x) * df, rtol=1e-8)
    np.testing.assert_array_equal(x, before)


def test_numerical_gradients_see_the_array_itself_and_restore_it_on_errors():
    x = np.array([1.0, 2.0])
    same = np.empty(2)
    got = eval_numerical_gradient_array(lambda _: np.multiply(x, 3, out=same), x, np.ones(2))
    np.testing.assert_allclose(got, [3, 3], rtol=1e-9)

    def fail(x):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        eval_numerical_gradient(fail, x)
    np.testing.assert_array_equal(x, [1, 2])


@pytest.mark.parametrize("x", [np.arange(3), [1.0, 2.0]])
def test_numerical_gradients_refuse_what_cannot_be_moved(x):
    for check in (
        lambda: eval_numerical_gradient(np.sum, x),
        lambda: eval_numerical_gradient_array(np.sin, x, x),
        lambda: grad_check_sparse(np.sum, x, x),
    ):
        with pytest.raises(TypeError, match=r"x is (int64|list): wanted an ndarray of floats"):
            check()
