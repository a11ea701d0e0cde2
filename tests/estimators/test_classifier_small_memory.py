"""Rows of three times the memory that the process may use: the model that they give in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")

from csoftmax import SoftmaxClassifier
from csoftmax.sources import survey

MEMORY = 240 << 20  # of the child: 150 are Python's, NumPy's, SciPy's and scikit-learn's
SMALL = 4 << 20  # of a block, and of the sample
WIDTH, CLASSES = 1024, 5

CHILD = """
import os, sys
group, path, labels = sys.argv[1:]
with open(group + "/cgroup.procs", "w") as procs:
    procs.write(str(os.getpid()))
import numpy as np
from csoftmax import SoftmaxClassifier
from csoftmax.sources import protocol, survey
protocol.BLOCK_BYTES = survey.SAMPLE_BYTES = {small}
import csoftmax.sources.kinds as kinds
kinds.BLOCK_BYTES = {small}
model = SoftmaxClassifier(C=1e-5, tol=1e-3, standardize=True)
model.fit(np.load(path, mmap_mode="r"), np.load(labels))
np.save(path + ".coef.npy", model.coef_)
passes, read = (model.history_[name][-1] for name in ("passes", "bytes"))
peak = next(line for line in open("/proc/self/status") if line.startswith("RssAnon"))
print(passes, read, peak.split()[1])
"""


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group with little memory."""
    root = Path("/sys/fs/cgroup")
    old = (root / "memory").is_dir()
    folder = (root / "memory" if old else root) / f"csoftmax-{os.getpid()}"
    limit = "memory.limit_in_bytes" if old else "memory.max"
    try:
        folder.mkdir()
        (folder / limit).write_text(str(MEMORY))
        (folder / "cgroup.procs").open("w").close()
    except OSError as error:
        if folder.is_dir():
            folder.rmdir()
        pytest.skip(f"no control group can be made here: {error}")
    yield folder
    folder.rmdir()


def test_three_times_the_memory(group, tmp_path, monkeypatch, run_python):
    n_rows = 3 * MEMORY // WIDTH
    some = np.random.default_rng(0).integers(0, 256, (4096, WIDTH), np.uint8)
    y = np.arange(n_rows) % CLASSES
    X = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", np.uint8, (n_rows, WIDTH))
    for at in range(0, n_rows, len(some)):
        part = X[at : at + len(some)]
        part[...] = some[: len(part)]
        part[:, :CLASSES] = 200 * np.eye(CLASSES)[y[at : at + len(part)]]
        part[:, :CLASSES] += some[: len(part), :CLASSES] // 5
    X.flush()
    np.save(tmp_path / "y.npy", y)
    with open(tmp_path / "X.npy", "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    script = tmp_path / "child.py"
    script.write_text(CHILD.format(small=SMALL))
    done = run_python(script, group, tmp_path / "X.npy", tmp_path / "y.npy")
    passes, read, resident = map(float, done.stdout.split())
    assert read == (passes + 1) * X.nbytes
    assert resident * 1024 < MEMORY

    rows = SMALL // WIDTH
    monkeypatch.setattr(survey, "SAMPLE_BYTES", SMALL)

    def blocks():
        for at in range(0, n_rows, rows):
            yield np.array(X[at : at + rows])

    model = SoftmaxClassifier(C=1e-5, tol=1e-3, standardize=True).fit(blocks, y)
    np.testing.assert_array_equal(model.coef_, np.load(tmp_path / "X.npy.coef.npy"))
    assert model.score(blocks, y) > 0.9
