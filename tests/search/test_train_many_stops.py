"""Many models at once: callbacks, Ctrl-C, and what a training that is stopped gives back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from many import train

from csoftmax.search import Models


def test_callback(data):
    seen: list[tuple[int, Any]] = []
    models = train(data, callback=lambda step, losses: seen.append((step, losses)))
    assert [step for step, _ in seen] == list(range(60))
    for k, model in enumerate(models):
        assert model.losses.tolist() == [losses[k] for _, losses in seen]


@pytest.mark.parametrize("halving", [None, 3])
@pytest.mark.parametrize("how", ["KeyboardInterrupt", "True"])
def test_a_callback_stops_it(data, how, halving):
    def callback(step: int, losses: Any) -> bool:
        if step == 29 and how == "KeyboardInterrupt":
            raise KeyboardInterrupt
        return step == 29

    models = train(data, callback=callback, halving=halving)
    whole = train(data, halving=halving)
    assert models.stopped
    assert repr(models).endswith(", stopped)")
    for model, finished in zip(models, whole, strict=True):
        if finished.status == "dropped":
            assert (model.status, model.n_steps) == ("dropped", finished.n_steps)
        else:
            assert (model.status, model.n_steps) == ("stopped", 30)
        np.testing.assert_array_equal(model.losses, finished.losses[: model.n_steps])
        right = model.predict(data[2]) == data[3]
        assert model.val_accuracy == right.mean()
    exact = train(data, n_steps=30)
    for model, other in zip(models, exact, strict=True):
        if model.status == "stopped":
            np.testing.assert_array_equal(model.W, other.W)


@pytest.fixture
def ctrl_c():
    """SIGINT as Python has it: what a shell runs in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_other_errors_of_a_callback_are_the_callers(data, ctrl_c):
    with pytest.raises(ZeroDivisionError):
        train(data, callback=lambda step, losses: 1 // 0)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_stop_after_the_last_step(data):
    models = train(data, callback=lambda step, losses: step == 59)
    assert models.stopped
    assert {model.status for model in models} == {"finished"}


INTERRUPTED = """
import json, sys, threading, time
import numpy as np
from csoftmax.search import train_many

rng = np.random.default_rng(0)
X, y = rng.normal(size=(500, 300)).astype(np.float32), rng.integers(0, 10, 500)
begun = []

def callback(step, losses):
    if not begun:
        print("begun", flush=True)
        begun.append(step)

models = train_many(
    X, y, [1e-4, 1e-3], [0, 1], n_steps=10**6, X_val=X, y_val=y, callback=callback
)
print(json.dumps({
    "stopped": models.stopped,
    "steps": [model.n_steps for model in models],
    "status": [model.status for model in models],
    "right": [bool(model.val_accuracy == (model.predict(X) == y).mean()) for model in models],
}))
again = train_many(X, y, [1e-4, 1e-3], [0, 1], n_steps=models[0].n_steps)
assert all((a.W == b.W).all() and (a.losses == b.losses).all() for a, b in zip(models, again))
try:
    print("again", flush=True)
    time.sleep(30)
except KeyboardInterrupt:
    print("as before")
"""


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
def test_ctrl_c(tmp_path: Path, ctrl_c):
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", INTERRUPTED],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    found = json.loads(process.stdout.readline())
    assert found["stopped"]
    assert len(set(found["steps"])) == 1
    assert 0 < found["steps"][0] < 10**6
    assert found["status"] == ["stopped"] * 4
    assert all(found["right"])
    assert process.stdout.readline() == "again\n"
    process.send_signal(signal.SIGINT)  # Python's own handler is there again
    assert process.communicate(timeout=60)[0] == "as before\n"
    assert process.returncode == 0


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
def test_a_second_ctrl_c_is_an_interrupt_at_once(data, ctrl_c):
    def callback(step: int, losses: Any) -> None:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
        pytest.fail("nothing was raised")

    models = train(data, callback=callback)  # raised in the callback: it ends as from there
    assert models.stopped
    assert models[0].n_steps == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_handlers_of_others_stay(data):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        train(data, callback=lambda *_: signal.getsignal(signal.SIGINT) is not signal.SIG_IGN)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_in_another_thread(data):
    found: list[Models] = []
    thread = threading.Thread(target=lambda: found.append(train(data)))
    thread.start()
    thread.join()
    assert not found[0].stopped
