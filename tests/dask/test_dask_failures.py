"""What dies in mid-fit: workers, all of them, the scheduler."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("dask")
pytest.importorskip("distributed")
import dask
import distributed

from csoftmax.dask import SoftmaxClassifier, chunks, workers


@pytest.fixture(autouse=True)
def a_group_for_each_chunk(monkeypatch):
    monkeypatch.setattr(chunks, "GROUP_BYTES", 1)


def at_iteration(number, act):
    """A callback that acts once, after this iteration."""

    def callback(progress):
        if progress.iteration == number:
            act()

    return callback


@pytest.fixture
def client(cluster):
    with cluster() as client:
        yield client


def test_a_worker_is_killed(client, problem):
    assert client.scheduler.address.startswith("tcp://")
    with dask.config.set(scheduler="threads"):
        want = SoftmaxClassifier(tol=1e-6).fit(*problem)
    process = client.run(os.getpid)

    def kill():
        os.kill(next(iter(process.values())), signal.SIGKILL)

    def kill_in_mid_pass():
        threading.Timer(0.01, kill).start()

    for act in (kill, kill_in_mid_pass):
        got = SoftmaxClassifier(tol=1e-6, callbacks=at_iteration(2, act)).fit(*problem)
        np.testing.assert_array_equal(got.coef_, want.coef_)
        np.testing.assert_array_equal(got.intercept_, want.intercept_)
        assert got.history_["loss"] == want.history_["loss"]
        client.wait_for_workers(2, timeout=60)
        assert set(process.values()) != set(client.run(os.getpid).values())
        process = client.run(os.getpid)


def test_persisted_rows_come_back(client, problem):
    given = tuple(array.persist() for array in problem)
    distributed.wait(given)
    want = SoftmaxClassifier(tol=1e-6).fit(*given)
    (process, *_) = client.run(os.getpid).values()
    act = at_iteration(1, lambda: os.kill(process, signal.SIGKILL))
    got = SoftmaxClassifier(tol=1e-6, callbacks=act).fit(*given)
    np.testing.assert_array_equal(got.coef_, want.coef_)


def test_all_workers_are_gone(cluster, problem, monkeypatch):
    monkeypatch.setattr(workers, "PATIENCE", 1.0)
    monkeypatch.setattr(workers, "LOOK", 0.2)
    with cluster(processes=False) as client:
        gone = at_iteration(2, lambda: client.cluster.scale(0))
        begin = time.monotonic()
        with pytest.raises(ConnectionError, match=r"at inproc://\S+ is gone: it has had no worker"):
            SoftmaxClassifier(tol=1e-9, callbacks=gone).fit(*problem)
        assert time.monotonic() - begin < 30


def test_workers_that_come_back(cluster, problem):
    with cluster(processes=False) as client:
        want = SoftmaxClassifier(tol=1e-6).fit(*problem)

        def away():
            client.cluster.scale(0)
            threading.Timer(1, client.cluster.scale, [2]).start()

        got = SoftmaxClassifier(tol=1e-6, callbacks=at_iteration(2, away)).fit(*problem)
    np.testing.assert_array_equal(got.coef_, want.coef_)


def test_workers_that_are_yet_to_come(cluster, problem):
    want = SoftmaxClassifier(tol=1e-6).fit(*problem)
    with cluster(n_workers=0, processes=False) as client:
        threading.Timer(1, client.cluster.scale, [2]).start()
        got = SoftmaxClassifier(tol=1e-6).fit(*problem)
    np.testing.assert_array_equal(got.coef_, want.coef_)


SCHEDULER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    cluster = LocalCluster(2, threads_per_worker=1, dashboard_address=":0")
    print(cluster.scheduler_address, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("how", ["SIGKILL", "SIGSTOP"])
def test_the_scheduler_is_gone(problem, how, monkeypatch, tmp_path):
    monkeypatch.setattr(workers, "PATIENCE", 2.0)
    monkeypatch.setattr(workers, "LOOK", 0.5)
    script = tmp_path / "scheduler.py"
    script.write_text(SCHEDULER)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, script], stderr=subprocess.DEVNULL, **pipes) as process:
        address = process.stdout.readline().strip()
        client = distributed.Client(address, timeout=10)
        try:
            die = at_iteration(2, lambda: process.send_signal(getattr(signal, how)))
            begin = time.monotonic()
            with pytest.raises(ConnectionError, match="the Dask cluster at tcp://"):
                SoftmaxClassifier(tol=1e-9, callbacks=die).fit(*problem)
            assert time.monotonic() - begin < 40
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()
            client.close(timeout=1)
