"""Fit to rows that stay in files: a memory map, Parquet files, an HDF5 file, or a function.

    python examples/bigger_than_memory.py [DATA]

DATA is what csoftmax.datasets.load takes, for example the folder of MNIST; without it,
scikit-learn's 1797 digits of 8 x 8 pixels. The files are small here, and what reads them does not
care. Parquet wants pyarrow, HDF5 wants h5py; what is not installed is left out.
"""

from __future__ import annotations

import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from csoftmax import SoftmaxClassifier
from csoftmax.datasets import load

data = load(sys.argv[1] if len(sys.argv) > 1 else "digits")
X, y = data.X_train, data.y_train
print(f"{data.name}: {X.shape[0]} rows of {X.shape[1]} {X.dtype}")


def fitted(what, *rows):
    """Fit, and say how often the rows were read."""
    model = SoftmaxClassifier(C=0.01, standardize=True, tol=1e-3).fit(*rows)
    passes, read = (model.history_[name][-1] for name in ("passes", "bytes"))
    print(
        f"{what:12} accuracy {model.score(*rows):.3f}, {passes:.0f} passes, "
        f"{read / 1e6:.1f} MB read"
    )
    return model


with tempfile.TemporaryDirectory() as name:
    folder = Path(name)

    # Pixels as bytes, mapped: 1 byte is read for each of them, not 4 or 8.
    np.save(folder / "pixels.npy", X)
    mapped = np.load(folder / "pixels.npy", mmap_mode="r")
    fitted("memory map", mapped, y)
    del mapped

    # A function that gives the blocks anew for each pass: whatever reads them, it is yours.
    def blocks(size=500):
        """The rows and labels in blocks, as if each came from a file of its own."""
        for start in range(0, len(X), size):
            yield X[start : start + size], y[start : start + size]

    fitted("function", blocks)

    if find_spec("pyarrow"):
        import pyarrow as pa
        import pyarrow.parquet

        # Two files of a table; the label is one of its columns, and the others have names.
        columns = {f"pixel{j}": X[:, j] for j in range(X.shape[1])}
        table = pa.table(columns | {"digit": y})
        (folder / "table").mkdir()
        for k, part in enumerate((table[: len(X) // 2], table[len(X) // 2 :])):
            pa.parquet.write_table(part, folder / "table" / f"part{k}.parquet")
        model = fitted("Parquet", folder / "table", "digit")
        print(f"{'':12} features {', '.join(model.feature_names_in_[:3])}, ...")

    if find_spec("h5py"):
        import h5py

        with h5py.File(folder / "pixels.h5", "w") as file:
            file["X"] = X
        with h5py.File(folder / "pixels.h5", "r") as file:
            fitted("HDF5", file["X"], y)
