"""
Rows that do not fit in memory
==============================

They are read block by block, as often as the fit needs, and the model is that of all rows in
memory: no mini-batches, no step sizes to choose. What can be read: a memory map, Parquet files, an
HDF5 file, a function. The files of this page are small, and what reads them does not care. ::

    python plot_bigger_than_memory.py [DATA]

DATA is what :func:`csoftmax.datasets.load` takes, for example the folder of MNIST; without it,
scikit-learn's 1797 digits of 8 x 8 pixels. Parquet wants pyarrow, HDF5 wants h5py; what is not
installed is left out.
"""

from __future__ import annotations

import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from csoftmax import SoftmaxClassifier
from csoftmax.datasets import load

data = load(sys.argv[1] if len(sys.argv) > 1 else "digits")
X, y = data.X_train, data.y_train
print(f"{data.name}: {X.shape[0]} rows of {X.shape[1]} {X.dtype}")

# %%
# Each kind of rows is fitted by the same call. ``history_`` says how often and how much was read.

histories = {}


def fitted(what: str, *rows: Any) -> SoftmaxClassifier:
    """Fit, and say how often the rows were read."""
    model = SoftmaxClassifier(C=0.01, standardize=True, tol=1e-3).fit(*rows)
    histories[what] = model.history_
    passes, read = (model.history_[name][-1] for name in ("passes", "bytes"))
    print(
        f"{what:12} accuracy {model.score(*rows):.3f}, {passes:.0f} passes, "
        f"{read / 1e6:.1f} MB read"
    )
    return model


# %%
# A memory map
# ------------
#
# Pixels as bytes: 1 byte is read for each of them, not 4 or 8.

temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)
np.save(folder / "pixels.npy", X)
mapped = np.load(folder / "pixels.npy", mmap_mode="r")
model = fitted("memory map", mapped, y)
del mapped

# %%
# A function
# ----------
#
# It gives the blocks anew for each pass. Whatever reads them is yours: a database, a compressed
# file, a computation.


def blocks(size: int = 500) -> Any:
    """The rows and labels in blocks, as if each came from a file of its own."""
    for start in range(0, len(X), size):
        yield X[start : start + size], y[start : start + size]


model = fitted("function", blocks)

# %%
# Parquet
# -------
#
# A folder of two files. The label is one of the columns; the others have names, which the model
# keeps.

if find_spec("pyarrow"):
    import pyarrow as pa
    import pyarrow.parquet

    columns = {f"pixel{j}": X[:, j] for j in range(X.shape[1])}
    table = pa.table(columns | {"digit": y})
    (folder / "table").mkdir()
    for k, part in enumerate((table[: len(X) // 2], table[len(X) // 2 :])):
        pa.parquet.write_table(part, folder / "table" / f"part{k}.parquet")
    model = fitted("Parquet", folder / "table", "digit")
    print(f"{'':12} features {', '.join(model.feature_names_in_[:3])}, ...")

# %%
# HDF5
# ----

if find_spec("h5py"):
    import h5py

    with h5py.File(folder / "pixels.h5", "w") as file:
        file["X"] = X
    with h5py.File(folder / "pixels.h5", "r") as file:
        model = fitted("HDF5", file["X"], y)

temporary.cleanup()

# %%
# How often it is read
# --------------------
#
# Once to look at it (how many rows, which labels, the means), then once a pass. All come to the
# same loss; where the blocks are cut shows in the last digits alone. Where decoding takes longer
# than reading, :func:`csoftmax.sources.cached` keeps the decoded rows in a file.

fig, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
for (what, history), width in zip(histories.items(), (7, 5, 3, 1), strict=False):
    ax.plot(history["passes"], history["loss"], linewidth=width, label=what)
ax.set(xlabel="passes over the rows", ylabel="loss")
ax.grid(alpha=0.3)
ax.legend()
plt.show()

# %%
# :doc:`/bigger-than-memory` says what a fit costs in reads, memory and time, and what is promised.
