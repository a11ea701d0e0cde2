"""Time csoftmax beside NumPy and those of SciPy and PyTorch that are installed.

    python benchmarks/run.py [--jobs TEXT] [--isa NAME] [--threads N] [--repeat N]

One table of jobs x shapes x dtypes, in one process. Each result is compared with the reference
before it is timed. The contestants of a job take turns, and medians are shown: milliseconds of
csoftmax, and how many times as long each of the others takes.
"""

from __future__ import annotations

import argparse
import importlib
import os
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

Run = Callable[[], Any]


class Job(NamedTuple):
    """Something to time."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    make: Callable[..., dict[str, Run]]
    #: what results may differ by, relative to the largest element
    tolerance: float


# ---- contestants: name -> a function without arguments; "csoftmax" first ----


def optional(name: str) -> Any:
    """The module, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def numpy_softmax_loss(W: Any, X: Any, y: Any) -> tuple[Any, Any]:
    """The course's solution: two matrix products, and the softmax of an N x C array."""
    P = X @ W
    P -= P.max(axis=1, keepdims=True)
    np.exp(P, out=P)
    P /= P.sum(axis=1, keepdims=True)
    rows = np.arange(len(y))
    loss = -np.log(P[rows, y]).mean()
    P[rows, y] -= 1
    P /= len(y)
    return loss, X.T @ P


def linear(shape: tuple[int, ...], dtype: str, kind: str = "softmax") -> dict[str, Run]:
    """Loss and gradient of a linear model; NumPy has uint8 features ready in float32."""
    import csoftmax

    n, d, c = shape
    rng = np.random.default_rng(0)
    y = rng.integers(0, c, n)
    real = "float32" if dtype == "uint8" else dtype
    W = (0.01 * rng.standard_normal((d, c))).astype(real)
    options: dict[str, Any] = {}
    if dtype == "uint8":
        X = rng.integers(0, 256, (n, d), dtype=np.uint8)
        options = {"shift": X.mean(axis=0, dtype=np.float64), "scale": np.full(d, 1 / 255)}
        ready = ((X - options["shift"]) * options["scale"]).astype(real)
    else:
        X = ready = rng.standard_normal((n, d), dtype=real)
    out = np.empty_like(W)
    if kind == "svm":
        return {
            "csoftmax": lambda: csoftmax.svm_loss(W, X, y, out=out, **options),
            "numpy": lambda: numpy_svm_loss(W, ready, y),
        }
    runs = {
        "csoftmax": lambda: csoftmax.softmax_loss(W, X, y, out=out, **options),
        "numpy": lambda: numpy_softmax_loss(W, ready, y),
    }
    if torch := optional("torch"):
        labels, features = torch.from_numpy(y), torch.from_numpy(ready)

        def autograd() -> tuple[Any, Any]:
            weights = torch.from_numpy(W).requires_grad_()
            loss = torch.nn.functional.cross_entropy(features @ weights, labels)
            loss.backward()
            return loss.item(), weights.grad.numpy()

        runs["torch"] = autograd
    return runs


def numpy_svm_loss(W: Any, X: Any, y: Any) -> tuple[Any, Any]:
    """The course's solution for the hinge."""
    rows = np.arange(len(y))
    S = X @ W
    M = np.maximum(0, S - S[rows, y][:, None] + 1)
    M[rows, y] = 0
    loss = M.sum() / len(y)
    H = (M > 0).astype(W.dtype)
    H[rows, y] = -H.sum(axis=1)
    H /= len(y)
    return loss, X.T @ H


def predict(shape: tuple[int, ...], dtype: str) -> dict[str, Run]:
    """Labels of a linear model."""
    import csoftmax

    n, d, c = shape
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d), dtype=dtype)
    W = rng.standard_normal((d, c), dtype=dtype)
    return {
        "csoftmax": lambda: csoftmax.linear_predict(W, X),
        "numpy": lambda: (X @ W).argmax(axis=1),
    }


def rows(function: str, axis: int = -1) -> Callable[..., dict[str, Run]]:
    """A row function of `scipy.special`."""

    def make(shape: tuple[int, ...], dtype: str) -> dict[str, Run]:
        import csoftmax

        x = 3 * np.random.default_rng(0).standard_normal(shape, dtype=dtype)
        out = np.empty_like(x)
        ours = getattr(csoftmax, function)
        more = {} if function == "logsumexp" else {"out": out}
        runs = {"csoftmax": lambda: ours(x, axis, **more)}
        if special := optional("scipy.special"):
            runs["scipy"] = lambda: getattr(special, function)(x, axis)
        if torch := optional("torch"):
            t, into = torch.from_numpy(x), torch.from_numpy(np.empty_like(x))
            if function == "softmax":
                runs["torch"] = lambda: torch.softmax(t, axis, out=into).numpy()
            elif function == "logsumexp":
                runs["torch"] = lambda: torch.logsumexp(t, axis).numpy()
        return runs

    return make


def cross_entropy(shape: tuple[int, ...], dtype: str) -> dict[str, Run]:
    """Loss on logits and its gradient."""
    import csoftmax

    rng = np.random.default_rng(0)
    z, y = 3 * rng.standard_normal(shape, dtype=dtype), rng.integers(0, shape[1], shape[0])
    out = np.empty_like(z)

    def plain() -> tuple[Any, Any]:
        p = z - z.max(axis=1, keepdims=True)
        np.exp(p, out=p)
        p /= p.sum(axis=1, keepdims=True)
        at = np.arange(len(y))
        loss = -np.log(p[at, y]).mean()
        p[at, y] -= 1
        p /= len(y)
        return loss, p

    runs = {
        "csoftmax": lambda: csoftmax.cross_entropy_with_grad(z, y, out=out),
        "numpy": plain,
    }
    if torch := optional("torch"):
        labels = torch.from_numpy(y)

        def autograd() -> tuple[Any, Any]:
            logits = torch.from_numpy(z).requires_grad_()
            loss = torch.nn.functional.cross_entropy(logits, labels)
            loss.backward()
            return loss.item(), logits.grad.numpy()

        runs["torch"] = autograd
    return runs


def svm(shape: tuple[int, ...], dtype: str) -> dict[str, Run]:
    """Hinge loss and gradient of a linear model."""
    return linear(shape, dtype, "svm")


def jobs() -> Iterator[Job]:
    """The table."""
    for shape, dtypes in {
        (49000, 3073, 10): ("float32", "float64", "uint8"),
        (500, 3073, 10): ("float32",),
        (60000, 784, 10): ("float32", "float64"),
        (200000, 54, 7): ("float32", "float64"),
        (20000, 512, 1000): ("float32", "float64"),
        (100000, 100, 100): ("float32",),
        (1, 64, 10): ("float64",),
    }.items():
        for dtype in dtypes:
            yield Job("softmax_loss", shape, dtype, linear, 1e-4)
    yield Job("svm_loss", (49000, 3073, 10), "float32", svm, 1e-4)
    yield Job("linear_predict", (60000, 784, 10), "float32", predict, 0)
    for function in ("softmax", "logsumexp"):
        for shape in ((200000, 10), (20000, 1000), (2048, 50257), (1, 10)):
            for dtype in ("float32", "float64"):
                yield Job(function, shape, dtype, rows(function), 1e-5)
    yield Job("softmax, first axis", (1000, 20000), "float32", rows("softmax", 0), 1e-5)
    for shape in ((200000, 10), (20000, 1000)):
        yield Job("cross_entropy_with_grad", shape, "float32", cross_entropy, 1e-4)


# ---- timing ------------------------------------------------------------------------------------


def check(job: Job, results: dict[str, Any]) -> None:
    """All contestants computed the same."""
    ours = results.pop("csoftmax")
    for name, theirs in results.items():
        pairs = zip(ours, theirs, strict=True) if isinstance(ours, tuple) else [(ours, theirs)]
        for a, b in pairs:
            a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
            error = np.abs(a - b).max() / np.abs(b).max()
            if not error <= job.tolerance and not (job.tolerance == 0 and np.mean(a != b) < 1e-3):
                raise SystemExit(f"{job.name} {job.shape}: {name} differs by {error:.1e}")


def medians(runs: dict[str, Run], repeat: int) -> dict[str, float]:
    """Milliseconds of each, in turn; quick ones many times over."""
    started = time.perf_counter()
    runs["csoftmax"]()
    number = max(1, int(2e-3 / max(time.perf_counter() - started, 1e-7)))
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeat):
        for name, run in runs.items():
            started = time.perf_counter()
            for _ in range(number):
                run()
            times[name].append((time.perf_counter() - started) * 1e3 / number)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", default="", help="only jobs whose line has this text")
    parser.add_argument("--isa", help="instruction-set variant (CSOFTMAX_ISA)")
    parser.add_argument("--threads", type=int, help="threads of all contestants")
    parser.add_argument("--repeat", type=int, default=9)
    options = parser.parse_args()
    if options.isa:
        os.environ["CSOFTMAX_ISA"] = options.isa
    import csoftmax

    if options.threads:
        from csoftmax import _threads

        _threads._limit = options.threads
        if pools := optional("threadpoolctl"):
            pools.threadpool_limits(options.threads)
        if torch := optional("torch"):
            torch.set_num_threads(options.threads)
    csoftmax.show_config()
    for job in jobs():
        line = f"{job.name:24}{'x'.join(map(str, job.shape)):>16}  {job.dtype:8}"
        if options.jobs not in line:
            continue
        runs = job.make(job.shape, job.dtype)
        check(job, {name: run() for name, run in runs.items()})
        times = medians(runs, options.repeat)
        ours = times.pop("csoftmax")
        ratios = "".join(f"  {name} {value / ours:6.2f}x" for name, value in times.items())
        print(f"{line}{ours:10.3f} ms{ratios}", flush=True)


if __name__ == "__main__":
    main()
