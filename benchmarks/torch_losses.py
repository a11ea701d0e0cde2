"""csoftmax.torch beside PyTorch: losses and their backward passes, for docs/pytorch.md.

    python benchmarks/torch_losses.py [--jobs TEXT] [--threads 2 1] [--write]

Every result is first compared with csoftmax.reference in float64. Times are medians of turns, as
those of benchmarks/run.py; memory is by how much a forward and a backward pass let the process
grow, gradients included.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import csoftmax.torch
from csoftmax import bench, reference
from csoftmax._native import dispatch, threads

PAGE = Path(__file__).parents[1] / "docs/pytorch.md"
F = torch.nn.functional
BLOCK = 256  # rows at a time in float64


def passes(loss: Callable[..., Any], free: list[Any], target: Any) -> Callable[[], Any]:
    """A forward and a backward pass: the loss, and the gradients of `free`."""

    def run() -> tuple[Any, ...]:
        value = loss(*free, target)
        value.backward()
        grads = [tensor.grad.numpy() for tensor in free]
        for tensor in free:  # so that the next call begins with as much memory
            tensor.grad = None
        return value.item(), *grads

    return run


def tensors(*arrays: Any) -> list[Any]:
    """Leaves of a graph."""
    return [torch.from_numpy(array).requires_grad_() for array in arrays]


def logits(shape: tuple[int, ...], dtype: str) -> bench.Case:
    """Cross-entropy of logits."""
    r = np.random.default_rng(0)
    z = 3 * r.standard_normal(shape, dtype=np.dtype(dtype))
    y = r.integers(0, shape[1], shape[:1] + shape[2:])
    target = torch.from_numpy(y)
    return bench.Case(
        {
            "csoftmax": passes(csoftmax.torch.cross_entropy, tensors(z), target),
            "torch": passes(F.cross_entropy, tensors(z), target),
        },
        lambda: reference.cross_entropy_with_grad(z, y),
        1e-10 if dtype == "float64" else 1e-5,
        2 * z.nbytes + y.nbytes,
    )


def layer(shape: tuple[int, ...], dtype: str) -> bench.Case:
    """Cross-entropy of a linear layer, with the gradients of its input and its weight."""
    N, D, C = shape
    r = np.random.default_rng(0)
    X = r.standard_normal((N, D), dtype=np.dtype(dtype))
    W = r.standard_normal((C, D), dtype=np.dtype(dtype))
    W /= np.sqrt(D)
    y = r.integers(0, C, N)
    target, in_chunks = torch.from_numpy(y), torch.nn.LinearCrossEntropyOptions()

    def truth() -> tuple[Any, ...]:
        loss, dX, dW = 0.0, [], np.zeros((C, D))
        for start in range(0, N, BLOCK):
            rows = slice(start, start + BLOCK)
            part = reference.linear_cross_entropy(X[rows], W, y[rows], reduction="sum")
            loss += part[0] / N
            dX.append(part[1] / N)
            dW += part[2] / N
        return loss, np.concatenate(dX), dW

    def chunked(x: Any, w: Any, target: Any) -> Any:
        return F.linear_cross_entropy(x, w, target, options=in_chunks)

    free = tensors(X, W)
    return bench.Case(
        {
            "csoftmax": passes(csoftmax.torch.linear_cross_entropy, free, target),
            "torch": passes(lambda x, w, t: F.cross_entropy(F.linear(x, w), t), free, target),
            "torch in chunks": passes(chunked, free, target),
        },
        truth,
        1e-10 if dtype == "float64" else 1e-4,
        2 * (X.nbytes + W.nbytes) + y.nbytes,
        6.0 * N * D * C,
    )


HEADS = "job", "threads", "ms", "x PyTorch", "x in chunks", "goal", "MB", "PyTorch", "in chunks"
JOBS = (
    bench.Job("cross_entropy", (200000, 10), "float32", logits, {"torch": 5}),
    bench.Job("cross_entropy", (20000, 1000), "float32", logits, {"torch": 5}),
    bench.Job("cross_entropy", (2048, 50257), "float32", logits, {}),
    bench.Job("cross_entropy", (8, 21, 256, 256), "float32", logits, {}),
    bench.Job("cross_entropy", (100, 10), "float32", logits, {"torch": 1}),
    bench.Job("linear_cross_entropy", (4096, 1024, 32768), "float32", layer, {"torch": 1.2}),
    bench.Job("linear_cross_entropy", (2048, 768, 50257), "float32", layer, {}),
    bench.Job("linear_cross_entropy", (4096, 512, 1000), "float32", layer, {}),
)


def line(result: bench.Result, n_threads: int) -> str:
    """A row of the table."""
    isa = dispatch.selected()
    ours = result.seconds("csoftmax", n_threads, isa)
    assert ours is not None
    goal = result.job.goals.get("torch")
    cells = [str(result.job), str(n_threads), f"{1e3 * ours:.3g}"]
    for name in ("torch", "torch in chunks"):
        theirs = result.seconds(name, n_threads)
        cells.append("" if theirs is None else f"{theirs / ours:.2f}")
    cells.append("" if goal is None else f"{goal:g}")
    for name in ("csoftmax", "torch", "torch in chunks"):
        found = result.memory.get(name)
        cells.append("" if found is None else f"{found / 1e6:.0f}")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", default="", help="those whose line has this text")
    parser.add_argument("--threads", type=int, nargs="+", default=[threads.default()])
    parser.add_argument("--write", action="store_true", help="into docs/pytorch.md")
    options = parser.parse_args()
    lines = [f"| {' | '.join(HEADS)} |", "|---|" + "---:|" * (len(HEADS) - 1)]
    print("\n".join(lines), flush=True)
    for job in JOBS:
        if options.jobs in str(job):
            result = bench.measure(job, [dispatch.selected()], options.threads)
            lines += [line(result, n) for n in options.threads]
            print("\n".join(lines[-len(options.threads) :]), flush=True)
    if options.write:
        bench.put(PAGE, "torch", "\n".join([bench.machine("torch") + ".", "", *lines]))


if __name__ == "__main__":
    main()
