"""
The same numbers again
======================

What has to be the same, so that a result is the same to its last bit? Not the number of threads,
nor what else the machine does. The seed, where something is drawn; and the instruction set.
"""

import hashlib
import io
import os
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import csoftmax
from csoftmax import SoftmaxClassifier, softmax_loss

X, y = load_digits(return_X_y=True)
X, y = X[:500] / 16, y[:500]


def print_of(array):
    """The first figures of a hash of the bits."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:12]


# %%
# Any number of threads
# ---------------------
#
# Rows are cut into blocks by the shape of the data alone, and the blocks' sums are added in a fixed
# order. So a thread more or less, a busy machine or a late worker of a cluster change no bit:

rng = np.random.default_rng(0)
rows, W = rng.standard_normal((20_000, 50)), rng.standard_normal((50, 10))
labels = rng.integers(0, 10, 20_000)
for n_threads in (1, 2, 3, 7):
    loss, dW = softmax_loss(W, rows, labels, n_threads=n_threads)
    print(f"{n_threads} threads: loss {loss!r}, gradient {print_of(dW)}")

# %%
# The same goes for whole fits (``n_jobs``), predictions, sparse rows, and rows that are read from a
# file in the same blocks.
#
# A seed
# ------
#
# The default solver draws rows to learn the curvature from, always the same: it needs no seed. What
# goes through the data in random order takes ``random_state``:

for random_state in (0, 0, 1):
    model = SoftmaxClassifier(solver="sgd", random_state=random_state).fit(X, y)
    print(f"sgd, random_state={random_state}: {print_of(model.coef_)}")
for _ in range(2):
    print(f"default solver:     {print_of(SoftmaxClassifier().fit(X, y).coef_)}")

# %%
# The folds of a search are not shuffled unless the splitter does, with a seed of its own:
# ``cv=StratifiedKFold(shuffle=True, random_state=0)``.
#
# Another processor
# -----------------
#
# Processors with other vectors add in another order, and some fuse multiplication and addition.
# What changes is rounding. csoftmax takes the best instruction set that the processor has:

config = csoftmax.show_config("dicts")
print(f"{config['instruction_set']} of {', '.join(config['available'])}")

# %%
# The environment variable ``CSOFTMAX_ISA`` forces one, before the import. The program that follows
# runs once with each that this machine has, as different machines would. It makes the same rows as
# above, and the gradient in float32:

PROGRAM = """
import sys
import numpy as np
from csoftmax import softmax_loss
rng = np.random.default_rng(0)
rows, W = rng.standard_normal((20_000, 50)), rng.standard_normal((50, 10))
labels = rng.integers(0, 10, 20_000)
np.save(sys.stdout.buffer, softmax_loss(W.astype(np.float32), rows, labels)[1])
"""
gradients = {}
for name in config["available"]:
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM],
        env=os.environ | {"CSOFTMAX_ISA": name},
        stdout=subprocess.PIPE,
        check=True,
    )
    gradients[name] = np.load(io.BytesIO(done.stdout))
    print(f"{name:9} {print_of(gradients[name])}")

# %%
# The bits differ. But the results are no further from each other than each of them is from the
# gradient in float64, by the rounding of W and of its own arithmetic:

truth = softmax_loss(W, rows, labels)[1]
first = next(iter(gradients))
differences = {f"{name} and {first}": dW - gradients[first] for name, dW in gradients.items()}
del differences[f"{first} and {first}"]
differences[f"{first} and float64"] = gradients[first] - truth
fig, ax = plt.subplots(figsize=(7.5, 3.6), layout="constrained")
for name, difference in differences.items():
    size = np.sort(np.abs(difference).ravel())
    ax.plot(size, np.arange(1, size.size + 1) / size.size, linewidth=2, label=name)
ax.set(xscale="log", xlabel="difference", ylabel="share of the elements with at most that")
ax.grid(alpha=0.3)
ax.legend()
plt.show()

# %%
# What to do where bits count
# ---------------------------
#
# - On machines of several kinds set ``CSOFTMAX_ISA`` to what all of them have: ``v3`` (AVX2), or
#   ``baseline``. In a Dask cluster set it for all workers.
# - Keep the versions of csoftmax and NumPy: :func:`csoftmax.show_config` prints them.
# - For floats of another dtype expect other numbers: float32 X is computed in float32.
# - To compare models, compare losses or predictions to a tolerance, not bits.
