"""Fits with a checkpoint whose process is killed, or whose disk is full."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from builds import needs_fork

pytest.importorskip("sklearn")

SETUP = """
import contextlib, os, random, resource, signal, sys, time, warnings
from pathlib import Path
import numpy as np
from sklearn.datasets import load_iris
from csoftmax import SGD, SoftmaxClassifier
from csoftmax.solvers import checkpoint

warnings.simplefilter("ignore")
checkpoint.SECONDS = checkpoint.SHARE = 0
X, y = load_iris(return_X_y=True)
folder = Path(sys.argv[1])
options = [{"tol": 1e-6}, {"l1_ratio": 1, "C": 10, "max_iter": 60}]
options.append({"solver": "newton-cg", "C": 1e4})
options.append({"solver": SGD(early_stopping=True), "random_state": 0, "max_iter": 20})

def same(a, b):
    keys = "loss", "gradient", "passes"
    return (a.coef_.tobytes() == b.coef_.tobytes() and a.stop_reason_ == b.stop_reason_
            and all(a.history_[k] == b.history_[k] for k in keys))

def iteration(path):
    with np.load(path) as archive:
        return len(archive["history.loss"])
"""

KILL = """
random.seed(0)
for k, each in enumerate(options):
    path, kills, last, most = folder / str(k), 0, 0, 0.02
    # A child may take 50 ms to come to its first iteration.
    model = SoftmaxClassifier(**each, checkpoint=path, callbacks=lambda line: time.sleep(0.01))
    while kills < 400:
        pid = os.fork()
        if not pid:
            model.fit(X, y)
            os._exit(0)
        time.sleep(random.uniform(0.003, most))
        os.kill(pid, signal.SIGKILL)
        if not os.waitpid(pid, 0)[1]:
            break  # it had ended
        kills += 1
        now = iteration(path) if path.exists() else 0
        assert now >= last
        most, last = most if now > last else most * 1.3, now  # the machine may be busy
    assert kills > 1 and last > 1, (kills, last)
    whole = SoftmaxClassifier(**each).fit(X, y)
    assert same(model.fit(X, y), whole), each
    print(each, "killed", kills, "times, the last time in iteration", last, "of", *whole.n_iter_)
"""

MOMENTS = """
def kill(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

def half(file, **arrays):
    savez(file, **arrays)
    file.truncate(file.tell() // 2)
    kill()

def after(self, target):
    replace(self, target)
    kill()

savez, replace = np.savez, Path.replace
moments = [(np, "savez", kill, 3), (np, "savez", half, 3), (os, "fsync", kill, 3)]
moments += [(Path, "replace", kill, 3), (Path, "replace", after, 4)]
for where, name, deed, there in moments:
    for k, each in enumerate(options):
        path = folder / f"{k} {name} {deed.__name__}"
        model = SoftmaxClassifier(**each, checkpoint=path)

        def strike(line):
            if line.iteration == 4:
                setattr(where, name, deed)

        if not (pid := os.fork()):
            model.set_params(callbacks=strike).fit(X, y)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
        assert iteration(path) == there, (name, deed, each)
        assert same(model.fit(X, y), SoftmaxClassifier(**each).fit(X, y))
"""

# When the fourth iteration ends there is no room any more.
FULL = """
def junk(line):
    if line.iteration == 4:
        with open(folder / "junk", "wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(512)):
                pass

def limit(line):
    if line.iteration == 4:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))

before = resource.getrlimit(resource.RLIMIT_FSIZE)
for k, each in enumerate(options):
    model = SoftmaxClassifier(**each, checkpoint=folder / str(k))
    try:
        model.set_params(callbacks=FILL).fit(X, y)
    except OSError as error:
        text = str(error)
    else:
        raise AssertionError("it was written")
    (folder / "junk").unlink(missing_ok=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert f"'{folder / str(k)}'" in text and "iteration 4 could not be written" in text, text
    assert "the last good one, of iteration 3, is still there" in text, text
    assert iteration(folder / str(k)) == 3
    assert model.stop_reason_ == "interrupted" and model.n_iter_ == 4
    assert {path.name for path in folder.iterdir()} == set(map(str, range(k + 1)))
    model.set_params(callbacks=None).fit(X, y)
    assert same(model, SoftmaxClassifier(**each).fit(X, y))
"""


@needs_fork
def test_killed_at_any_moment(run_python: Any, tmp_path: Path) -> None:
    run_python(SETUP + KILL, tmp_path)


@needs_fork
def test_killed_in_the_middle_of_a_write(run_python: Any, tmp_path: Path) -> None:
    run_python(SETUP + MOMENTS, tmp_path)


def test_files_that_may_not_grow(run_python: Any, tmp_path: Path) -> None:
    pytest.importorskip("resource", reason="needs limits of files")
    run_python(SETUP + FULL.replace("FILL", "limit"), tmp_path)


def test_a_full_disk(run_python: Any, tmp_path: Path) -> None:
    mount = 'mount -t tmpfs -o size=256k csoftmax "$0" && exec "$@"'
    under = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, str(tmp_path))
    try:
        subprocess.run([*under, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system of its own can be mounted here: {error}")
    done = run_python(SETUP + FULL.replace("FILL", "junk"), tmp_path, under=under)
    assert not done.stderr
