"""Beside OpenMP runtimes in one process: those of PyTorch, scikit-learn, XGBoost and LightGBM.

csoftmax has none of its own. Whoever is imported first, all compute; the bits are those that
csoftmax has alone, also in a forked child and with threads of the others at work.
"""

from __future__ import annotations

import importlib.util

import pytest
from builds import needs_fork, needs_threads, own_threads

pytestmark = [pytest.mark.threads, needs_threads]

ALONE = """
import hashlib
import numpy as np
rng = np.random.default_rng(0)
z = rng.normal(size=(20000, 100))
X, W, y = rng.normal(size=(5000, 64)), rng.normal(size=(64, 10)), rng.integers(10, size=5000)

def ours():
    p = csoftmax.softmax(z, axis=1, n_threads=2)
    loss, dW = csoftmax.softmax_loss(W, X, y, 0.1, n_threads=2)
    return hashlib.sha256(p.tobytes() + dW.tobytes()).hexdigest()
"""
OTHERS = {
    "torch": """
    torch.set_num_threads(2)
    assert torch.ones(500, 500).exp().matmul(torch.ones(500, 500)).isfinite().all()""",
    "sklearn": """
    from sklearn.ensemble import HistGradientBoostingClassifier
    assert HistGradientBoostingClassifier(max_iter=2).fit(X, y).score(X, y) > 0.1""",
    "xgboost": """
    rows = xgboost.DMatrix(X, y)
    asked = {"objective": "multi:softprob", "num_class": 10, "nthread": 2}
    assert xgboost.train(asked, rows, 2).predict(rows).shape == (5000, 10)""",
    "lightgbm": """
    asked = {"objective": "multiclass", "num_class": 10, "num_threads": 2, "verbosity": -1}
    assert lightgbm.train(asked, lightgbm.Dataset(X, y), 2).predict(X).shape == (5000, 10)""",
}
CHECK = """
alone = ours()
theirs()
assert ours() == alone
import os, signal, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: threads and fork
other = threading.Thread(target=theirs)
other.start()
amid = {ours() for _ in range(20)}
other.join()
assert amid == {alone}
if hasattr(os, "fork"):
    pid = os.fork()
    if not pid:
        signal.alarm(30)
        os._exit(ours() != alone)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
print(alone)
"""
RUNTIMES = """
import threadpoolctl
pools = threadpoolctl.threadpool_info()
paths = {each["filepath"] for each in pools if each["user_api"] == "openmp"}
assert paths, "no OpenMP runtime: this tests nothing"
assert not any("csoftmax" in path for path in paths), paths
"""


def present(*packages: str) -> list[str]:
    """Return those that are installed."""
    return [each for each in packages if importlib.util.find_spec(each)]


@own_threads
@needs_fork
@pytest.mark.parametrize("first", [True, False], ids=["csoftmax first", "csoftmax last"])
def test_beside_others(run_python, first):
    packages = present(*OTHERS)
    if not packages:
        pytest.skip("needs one of torch, scikit-learn, xgboost and lightgbm")
    imports = ["csoftmax", *packages]
    if not first:
        imports.reverse()
    theirs = "def theirs():" + "".join(OTHERS[each] for each in packages)
    check = CHECK + (RUNTIMES if present("threadpoolctl") else "")
    lines = "\n".join(f"import {each}" for each in imports)
    beside = run_python(f"{lines}\n{ALONE}\n{theirs}\n{check}")
    alone = run_python(f"import csoftmax\n{ALONE}\nprint(ours())")
    assert beside.stdout.split()[-1] == alone.stdout.split()[-1]
