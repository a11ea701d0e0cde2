"""What the tests of the commands share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from table_files import birds, part, write_csv

from csoftmax.cli import main


@pytest.fixture
def error(capsys):
    """Run a command that fails; return what it says, which is one line and no traceback."""

    def run(*arguments: object) -> str:
        capsys.readouterr()
        assert main(list(map(str, arguments))) == 2
        text = capsys.readouterr().err
        assert text.count("\n") == 1, text
        assert text.startswith(f"csoftmax {arguments[0]}: error: "), text
        return text

    return run


@pytest.fixture(scope="session")
def flock(tmp_path_factory) -> Path:
    """A folder with birds.csv, 200 rows to learn from, and new.csv, 40 others."""
    folder = tmp_path_factory.mktemp("flock")
    table = birds()
    write_csv(folder / "birds.csv", part(table, slice(200)))
    write_csv(folder / "new.csv", part(table, slice(200, None)))
    return folder


@pytest.fixture(scope="session")
def model(flock) -> Path:
    """What train makes of birds.csv."""
    for package in ("sklearn", "pyarrow", "tabulate"):
        pytest.importorskip(package, reason="csoftmax train wants it")
    path = flock / "birds.safetensors"
    arguments = ["train", flock / "birds.csv", "--target", "species", "--model", path, "--quiet"]
    assert main(list(map(str, arguments))) == 0
    return path


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small npz file of colour images in three classes."""
    rng = np.random.default_rng(0)
    y = rng.permutation(np.arange(150) % 3)
    X = rng.normal(80, 10, (150, 4, 5, 3))
    X[np.arange(150), :, :, y] += 90
    path = tmp_path_factory.mktemp("images") / "tiny.npz"
    np.savez(path, X=X.clip(0, 255).astype(np.uint8), y=y, class_names=["red", "green", "blue"])
    return path
