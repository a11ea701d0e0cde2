"""A parameter that a peer has at a place means the same here, or stands by its name alone."""

from __future__ import annotations

import inspect

import pytest
import scipy.special

import csoftmax

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

# The positional parameters of PyTorch's functions, which go by other names here. Theirs that are
# not here stand last: nothing of ours may take such a place.
TORCHS = {
    "cross_entropy": ("logits", "target", "weight"),
    "cross_entropy_with_grad": ("logits", "target", "weight"),
}


def positional(function):
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.kind in POSITIONAL}


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_positional_parameters_are_those_of_scipy(name):
    ours, theirs = (positional(getattr(module, name)) for module in (csoftmax, scipy.special))
    assert list(ours) == list(theirs)
    assert ours == theirs  # the defaults, too


@pytest.mark.parametrize("name", TORCHS)
def test_positional_parameters_are_the_first_of_pytorch(name):
    assert tuple(positional(getattr(csoftmax, name))) == TORCHS[name]


@pytest.mark.parametrize("name", csoftmax.functional.__all__)
def test_what_only_we_have_stands_by_its_name_alone(name):
    of_ours = {"n_threads", "out", "sample_weight", "label_smoothing", "reduction", "ignore_index"}
    assert not of_ours & set(positional(getattr(csoftmax, name)))
