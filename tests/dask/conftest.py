"""Clusters of processes on this machine, for the tests of the estimator on Dask's collections."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import pytest


@contextmanager
def _cluster(n_workers: int = 2, **options: Any) -> Iterator[Any]:
    distributed = pytest.importorskip("distributed")
    options = {"threads_per_worker": 1, "dashboard_address": ":0", **options}
    with (
        distributed.LocalCluster(n_workers=n_workers, **options) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="session")
def cluster() -> Callable[..., AbstractContextManager[Any]]:
    """A client of a new cluster, of two processes with a thread each unless told otherwise."""
    return _cluster


@pytest.fixture
def problem() -> tuple[Any, Any, Any]:
    """X in ten chunks, labels and weights, as arrays of Dask."""
    da = pytest.importorskip("dask.array")
    r = np.random.default_rng(0)
    X = (r.standard_normal((5000, 12)) * np.linspace(0.5, 3, 12) + 2).astype(np.float32)
    y = (X[:, :4] + 3 * r.gumbel(size=(5000, 4))).argmax(axis=1)
    chunks = {"chunks": (500, 12)}, {"chunks": 500}, {"chunks": 500}
    given = zip((X, y, r.random(5000)), chunks, strict=True)
    return tuple(da.from_array(array, **how) for array, how in given)
