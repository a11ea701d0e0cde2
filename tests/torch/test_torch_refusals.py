"""What is refused, by name: the argument, what was seen and what was wanted."""

from __future__ import annotations

import re

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="csoftmax.torch is for PyTorch; it is an extra")

from csoftmax.torch import (  # noqa: E402
    LinearCrossEntropyLoss,
    cross_entropy,
    linear_cross_entropy,
)

Z, X, W = torch.zeros(4, 3), torch.zeros(4, 2), torch.zeros(3, 2)
TARGET = torch.tensor([0, 1, 2, 0])


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"input": np.zeros((4, 3))}, TypeError, "input is a ndarray: wanted a torch.Tensor"),
        ({"input": None}, TypeError, "input is a NoneType: wanted a torch.Tensor"),
        (
            {"input": torch.zeros(4, 3, device="meta")},
            ValueError,
            "input is a torch.strided tensor on meta: wanted a strided one on the CPU",
        ),
        (
            {"input": torch.zeros(4, 3).to_sparse()},
            ValueError,
            "input is a torch.sparse_coo tensor on cpu: wanted a strided one on the CPU",
        ),
        (
            {"input": TARGET, "target": torch.zeros(4, 3)},
            TypeError,
            "input has dtype torch.int64: wanted torch.float32, torch.float64, torch.float16, "
            "torch.bfloat16 (it and target seem swapped)",
        ),
        ({"target": [0, 1, 2, 0]}, TypeError, "target is a list: wanted a torch.Tensor"),
        ({"weight": [1.0, 1, 1]}, TypeError, "weight is a list: wanted a torch.Tensor"),
        ({"input": torch.zeros(4, 3).int()}, TypeError, "input has dtype torch.int32: wanted"),
        ({"input": torch.zeros(4, 3).cfloat()}, TypeError, "input has dtype torch.complex64"),
        (
            {"target": torch.zeros(4)},
            TypeError,
            "target has dtype torch.float32 and shape (4,): wanted class indices of an integer",
        ),
        (
            {"target": torch.zeros(4, 3).int()},
            TypeError,
            "target has dtype torch.int32 and shape (4, 3): wanted class indices of an integer",
        ),
        ({"target": torch.tensor([0, 1, 3, 0])}, ValueError, "target[2] is 3: wanted class"),
        ({"target": TARGET[:3]}, ValueError, "target has shape (3,): wanted (4,) class indices"),
        ({"weight": torch.ones(4)}, ValueError, "weight has shape (4,): wanted (3,)"),
        ({"weight": torch.tensor([1, torch.nan, 1])}, ValueError, "weight[1] is nan: wanted"),
        ({"reduction": "average"}, ValueError, "reduction is 'average': wanted one of 'mean'"),
        ({"label_smoothing": 1.5}, ValueError, "label_smoothing is 1.5: wanted a number from 0"),
        ({"label_smoothing": True}, TypeError, "label_smoothing is True: wanted a real number"),
        ({"label_smoothing": "0"}, TypeError, "label_smoothing is '0': wanted a real number"),
        ({"ignore_index": 2**70}, ValueError, f"ignore_index is {2**70}: wanted an integer of 64"),
        ({"ignore_index": 0.5}, TypeError, "ignore_index is 0.5: wanted an integer"),
        (
            {"target": torch.rand(4, 3), "ignore_index": 1},
            ValueError,
            "ignore_index is 1, but target is probabilities: wanted class indices with it",
        ),
    ],
)
def test_both(changed, error, message):
    message = "^" + re.escape(message)
    with pytest.raises(error, match=message):
        cross_entropy(**{"input": Z, "target": TARGET} | changed)
    with pytest.raises(error, match=message):
        linear_cross_entropy(**{"input": X, "linear_weight": W, "target": TARGET} | changed)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        (
            {"input": torch.zeros(4, 2, 2)},
            ValueError,
            "input has shape (4, 2, 2) and linear_weight (3, 2): wanted (N, D) and (C, d1, ..., D)",
        ),
        ({"linear_weight": torch.zeros(2)}, ValueError, "input has shape (4, 2) and linear_weight"),
        (
            {"input": torch.zeros(2), "linear_weight": torch.zeros(3, 5, 2)},
            ValueError,
            "input has shape (2,) and linear_weight (3, 5, 2): wanted",
        ),
        (
            {"linear_weight": torch.zeros(3, 5)},
            ValueError,
            "input has 2 features and linear_weight 5: wanted as many",
        ),
        (
            {"linear_bias": torch.zeros(2)},
            ValueError,
            "linear_bias has shape (2,): wanted (3,)",
        ),
        (
            {"linear_weight": W.double()},
            TypeError,
            "linear_weight has dtype torch.float64: wanted that of input, torch.float32",
        ),
        (
            {"linear_bias": torch.zeros(3).half()},
            TypeError,
            "linear_bias has dtype torch.float16: wanted that of input, torch.float32",
        ),
        (
            {"linear_weight": torch.zeros(3, 2, device="meta")},
            ValueError,
            "linear_weight is a torch.strided tensor on meta: wanted a strided one on the CPU",
        ),
        (
            {"options": torch.nn.LinearCrossEntropyOptions()},
            ValueError,
            "options is LinearCrossEntropyOptions(",
        ),
    ],
)
def test_layers(changed, error, message):
    with pytest.raises(error, match="^" + re.escape(message)):
        linear_cross_entropy(**{"input": X, "linear_weight": W, "target": TARGET} | changed)


def test_a_module_with_options():
    head = LinearCrossEntropyLoss(2, 3, options=torch.nn.LinearCrossEntropyOptions())
    with pytest.raises(ValueError, match="options is"):
        head(X, TARGET)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_nested_tensors():
    nested = torch.nested.nested_tensor([torch.zeros(3)])
    with pytest.raises(ValueError, match="input is a nested tensor on cpu: wanted a strided one"):
        cross_entropy(nested, TARGET)


@pytest.mark.parametrize("transform", ["grad", "jacrev", "vmap"])
def test_transforms_of_functions(transform):
    transform = getattr(torch.func, transform)
    refused = pytest.raises(RuntimeError, match="in a transform of torch")
    with refused:
        transform(lambda z: cross_entropy(z.reshape(-1, 3), TARGET[: z.numel() // 3]))(Z)
    with refused:
        transform(lambda x: linear_cross_entropy(x.reshape(-1, 2), W, TARGET[: x.numel() // 2]))(X)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # by PyTorch itself
@pytest.mark.parametrize("requires_grad", [False, True])
def test_forward_mode(requires_grad):
    refused = pytest.raises(RuntimeError, match="forward mode: wanted backward")
    forward_ad = torch.autograd.forward_ad
    with forward_ad.dual_level():
        z = forward_ad.make_dual(Z.clone().requires_grad_(requires_grad), torch.ones(4, 3))
        for dual in (z, z.half()):
            with refused:
                cross_entropy(dual, TARGET)
        with refused:
            linear_cross_entropy(X, forward_ad.make_dual(W, torch.ones(3, 2)), TARGET)
        probabilities = forward_ad.make_dual(torch.rand(4, 3), torch.ones(4, 3))
        with refused:
            cross_entropy(Z, probabilities)
        assert cross_entropy(Z, TARGET) == linear_cross_entropy(X, W, TARGET)  # nothing is dual


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu():
    with pytest.raises(ValueError, match="on cuda:0: wanted a strided one on the CPU"):
        cross_entropy(Z.cuda(), TARGET.cuda())


def test_without_pytorch(run_python):
    run_python(
        "import sys; sys.modules['torch'] = None\n"
        "import csoftmax\n"
        "assert csoftmax.torch.__all__ == sorted(csoftmax.torch.__all__)\n"
        "try:\n"
        "    from csoftmax.torch import cross_entropy\n"
        "except ImportError as error:\n"
        "    assert \"pip install 'torch>=2.13'\" in str(error)\n"
        "else:\n"
        "    raise SystemExit('no error')"
    )


def test_torch_is_not_imported_before_it_is_used(run_python):
    run_python(
        "import csoftmax, csoftmax.torch, sys\n"
        "assert 'torch' not in sys.modules\n"
        "assert csoftmax.torch.cross_entropy and 'torch' in sys.modules"
    )
