"""What the tests of several of the course's notebooks need."""

import numpy as np
import pytest

import csoftmax.cs231n


@pytest.fixture(params=[False, True], ids=["half of reg", "all of reg"])
def full_penalty(request):
    csoftmax.cs231n.full_penalty = request.param
    yield request.param
    csoftmax.cs231n.full_penalty = False


@pytest.fixture(scope="session")
def cifar10_dir(tmp_path_factory):
    """Six batches of 60 images: a pattern for each of ten classes, with noise."""
    folder = tmp_path_factory.mktemp("datasets") / "cifar-10-batches-bin"
    folder.mkdir()
    r = np.random.default_rng(0)
    patterns = r.integers(0, 128, (10, 3072))
    for stem in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        labels = r.integers(0, 10, 60)
        images = patterns[labels] + r.integers(0, 128, (60, 3072))
        records = np.column_stack([labels, images]).astype(np.uint8)
        (folder / f"{stem}.bin").write_bytes(records.tobytes())
    return folder


@pytest.fixture(scope="session")
def rel_error():
    """The notebooks' measure: the greatest difference of two arrays, relative to their sum."""

    def measure(x, y):
        return np.max(np.abs(x - y) / np.maximum(1e-8, np.abs(x) + np.abs(y)))

    return measure
