"""Fits on a cluster of two processes: the bits of one process, and what stays where."""

from __future__ import annotations

import gc
import os
from contextlib import contextmanager

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("dask")
pytest.importorskip("distributed")
import dask
import dask.array as da
import distributed
import joblib
import scipy.sparse
from dask.utils import key_split
from sklearn.model_selection import GridSearchCV

import csoftmax
from csoftmax.dask import SoftmaxClassifier, chunks, workers


@pytest.fixture(scope="module")
def client(cluster):
    with cluster() as client:
        yield client


@pytest.fixture(autouse=True)
def a_group_for_each_chunk(monkeypatch):
    monkeypatch.setattr(chunks, "GROUP_BYTES", 1)


def alone(given, **options):
    """The fit in this process."""
    with dask.config.set(scheduler="threads"):
        return SoftmaxClassifier(tol=1e-4, **options).fit(*given)


def equal(a, b):
    for name in ("coef_", "intercept_", "classes_"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert a.history_["loss"] == b.history_["loss"]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"standardize": True, "class_weight": "balanced"},
        {"solver": "newton-cg", "fit_intercept": False},
        {"l1_ratio": 1, "C": 0.01},
    ],
    ids=str,
)
def test_same_bits_as_in_one_process(client, problem, options):
    got = SoftmaxClassifier(tol=1e-4, **options).fit(*problem)
    equal(got, alone(problem, **options))
    assert got.score(*problem) == alone(problem, **options).score(*problem)


@pytest.mark.parametrize("n_workers", [1, 4])
def test_same_bits_for_any_number_of_workers(cluster, problem, n_workers):
    want = alone(problem)
    with cluster(n_workers, processes=False):  # threads of this process
        equal(SoftmaxClassifier(tol=1e-4).fit(*problem), want)


def test_large_gradients_are_added_by_workers(client, problem, monkeypatch):
    in_a_row = SoftmaxClassifier(tol=1e-4).fit(*problem)
    monkeypatch.setattr(workers, "GATHERED", 1)
    monkeypatch.setattr(workers, "FAN", 3)
    want = alone(problem)
    np.testing.assert_allclose(want.coef_, in_a_row.coef_, atol=1e-4)
    with names_of_tasks(client) as names:
        equal(SoftmaxClassifier(tol=1e-4).fit(*problem), want)
    assert "csoftmax-add" in names
    monkeypatch.setattr(workers, "CARRIED", 1)  # the coefficients by themselves
    with names_of_tasks(client) as names:
        equal(SoftmaxClassifier(tol=1e-4).fit(*problem), want)
    assert "csoftmax-shared" in names


@contextmanager
def names_of_tasks(client):
    """The names that Dask's dashboard shows."""
    names = set()
    with distributed.get_task_stream(client) as stream:
        yield names
    names.update(key_split(task["key"]) for task in stream.data)


def test_tasks_have_names(client, problem):
    with names_of_tasks(client) as names:
        SoftmaxClassifier(solver="newton-cg").fit(*problem).score(*problem)
    wanted = "load survey take prepare loss-gradient hessian-product score"
    assert {f"csoftmax-{name}" for name in wanted.split()} <= names


def test_nothing_stays_with_the_workers(client, problem):
    SoftmaxClassifier().fit(*problem)
    gc.collect()
    for _ in range(50):
        left = [key for keys in client.has_what().values() for key in keys]
        if not any("csoftmax" in str(key) for key in left):
            return
        distributed.wait(client.submit(int), 1)
    raise AssertionError(left)


def test_persisted_rows_sparse_chunks_and_frames(client, problem):
    X, y, weight = problem
    want = alone(problem)
    equal(SoftmaxClassifier(tol=1e-4).fit(*(a.persist() for a in problem)), want)
    sparse = X.map_blocks(scipy.sparse.csr_array)
    equal(SoftmaxClassifier(tol=1e-4).fit(sparse, y, weight), alone((sparse, y, weight)))
    frame = pytest.importorskip("dask.dataframe").from_dask_array(X, columns=list("abcdefghijkl"))
    equal(SoftmaxClassifier(tol=1e-4).fit(frame, y, weight), want)


def test_predictions_are_made_by_workers(client, problem):
    X, y, weight = problem
    model = SoftmaxClassifier().fit(X, y, weight)
    result = model.predict_proba(X)
    assert isinstance(result, da.Array)
    np.testing.assert_array_equal(result.compute(), model.predict_proba(X.compute()))


def test_errors_of_rows_come_from_workers(client, problem):
    X, y, _ = problem
    bad = da.where(da.arange(5000, chunks=500)[:, None] == 1234, np.float32(np.nan), X)
    with pytest.raises(
        ValueError, match=r"(?s)chunk 2 of X: Input X contains NaN.*row 234, column 0"
    ):
        SoftmaxClassifier().fit(bad, y)


def test_threads_are_the_workers_share(client, problem, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "csoftmax.dask.classifier.Settings",
        lambda *args, make=csoftmax.dask.tasks.Settings: seen.append(args[2]) or make(*args),
    )
    X, y, _ = problem
    for n_jobs in (None, 3):
        SoftmaxClassifier(n_jobs=n_jobs).fit(X, y)
    assert seen == [1, 1]  # ten groups, two threads
    monkeypatch.setattr(workers.Cluster, "_workers", lambda self: {"one": 64})
    for n_jobs in (None, 3, 100):
        SoftmaxClassifier(n_jobs=n_jobs).fit(X, y)
    assert seen[2:] == [7, 3, 7]


def test_grid_search_with_joblibs_backend(client, problem):
    X, y, _ = problem
    rows = X.compute(), y.compute()
    grid = {"C": [1e-3, 1.0]}
    with joblib.parallel_config("dask"):
        got = GridSearchCV(csoftmax.SoftmaxClassifier(), grid, cv=2).fit(*rows)
        # each fit is a task, whose passes are tasks on the same workers
        lazy = GridSearchCV(SoftmaxClassifier(), grid, cv=2).fit(X, y)
    want = GridSearchCV(csoftmax.SoftmaxClassifier(), grid, cv=2).fit(*rows)
    for search in (got, lazy):
        np.testing.assert_allclose(
            search.cv_results_["mean_test_score"], want.cv_results_["mean_test_score"], atol=2e-3
        )
    equal(got.best_estimator_, want.best_estimator_)
    assert lazy.best_params_ == want.best_params_


def test_a_fit_within_a_task(client, problem):
    def fit(given):
        return SoftmaxClassifier(tol=1e-4).fit(*given).coef_, os.getpid()

    # more fits than threads: each lets others have its own while it waits
    results = client.gather([client.submit(fit, problem, pure=False) for _ in range(3)])
    for coef, process in results:
        np.testing.assert_allclose(coef, alone(problem).coef_, atol=1e-5)
        assert process != os.getpid()


def test_a_local_scheduler_that_is_asked_for(client, problem):
    with dask.config.set(scheduler="synchronous"), workers.workers() as where:
        assert type(where) is workers.Local
    with workers.workers() as where:
        assert type(where) is workers.Cluster
