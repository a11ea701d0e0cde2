"""A problem for the losses on logits that is in order, and how a call of it is refused."""

import copy
import re

import numpy as np
import pytest

import csoftmax

LOSSES = ("cross_entropy", "multiclass_hinge")
N, C = 3, 4


def problem():
    return {
        "z": np.arange(12.0).reshape(N, C),
        "target": np.array([0, 3, 1]),
        "weight": np.ones(C),
        "sample_weight": np.ones(N),
    }


def assert_refused(name, arguments, error, message):
    """Refused with and without a gradient, which leaves the arguments as they are."""
    arguments = dict(arguments)
    z, target = arguments.pop("z"), arguments.pop("target")
    message = "^" + re.escape(message.replace("{z}", "logits" if "cross" in name else "scores"))
    before = copy.deepcopy((z, target, arguments))
    with pytest.raises(error, match=message):
        getattr(csoftmax, f"{name}_with_grad")(z, target, **arguments)
    out = arguments.pop("out", None)
    if out is None:
        with pytest.raises(error, match=message):
            getattr(csoftmax, name)(z, target, **arguments)
        out = np.full((N, C), 7.0)
        with pytest.raises(error, match=message):
            getattr(csoftmax, f"{name}_with_grad")(z, target, **arguments, out=out)
        assert (out == 7).all()
    else:
        arguments["out"] = out
    np.testing.assert_equal((z, target, arguments), before)
