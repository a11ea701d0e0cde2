"""A network of two layers: each gradient derived and checked by differences, then trained.

    python examples/two_layer_net.py [DATA]

DATA is what csoftmax.datasets.load takes, for example the folder of CIFAR-10 (two minutes on two
cores); without it, scikit-learn's 1797 digits of 8 x 8 pixels, in seconds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

from csoftmax import cross_entropy_with_grad
from csoftmax.cs231n.classifiers.fc_net import TwoLayerNet
from csoftmax.cs231n.gradient_check import eval_numerical_gradient
from csoftmax.cs231n.solver import Solver
from csoftmax.datasets import load

# --- The derivation, on a small random problem ----------------------------------------------------
#
#     A = X W1 + 1 b1'        H = max(A, 0)        S = H W2 + 1 b2'
#     L = 1/N sum_i (lse(s_i) - s_i[y_i]) + reg/2 (sum(W1**2) + sum(W2**2))
#
# with a column 1 of N ones, which adds a bias to every row. dM is the gradient of L by M.

rng = np.random.default_rng(0)
N, D, n_hidden, C, reg = 6, 5, 8, 4, 0.1
X, y = rng.standard_normal((N, D)), rng.integers(0, C, N)
W1, b1 = rng.standard_normal((D, n_hidden)), rng.standard_normal(n_hidden)
W2, b2 = rng.standard_normal((n_hidden, C)), rng.standard_normal(C)
ones = np.ones(N)


def loss_of_scores(S: np.ndarray) -> float:
    """L from S on."""
    penalty = reg / 2 * (np.sum(W1**2) + np.sum(W2**2))
    return cross_entropy_with_grad(S, y)[0] + penalty


def loss_of_hidden(H: np.ndarray) -> float:
    """L from H on."""
    return loss_of_scores(H @ W2 + np.outer(ones, b2))


def loss_of_sums(A: np.ndarray) -> float:
    """L from A on."""
    return loss_of_hidden(np.maximum(A, 0))


def loss() -> float:
    """L, of the parameters as they are now."""
    return loss_of_sums(X @ W1 + np.outer(ones, b1))


def check(name: str, derived: np.ndarray, f: Callable[..., float], at: np.ndarray) -> None:
    """Compare with differences of f, as one entry of `at` after the other moves."""
    differences = eval_numerical_gradient(f, at, verbose=False)
    error = np.linalg.norm(derived - differences) / np.linalg.norm(differences)
    print(f"  {name:4s} {derived.shape!s:8s} relative error {error:.0e}")
    assert error < 1e-7, name


A = X @ W1 + np.outer(ones, b1)
H = np.maximum(A, 0)
S = H @ W2 + np.outer(ones, b2)
print("Gradients, beside differences:")

# The scores. Of one row, the prediction minus the truth (docs/course.md); L is the mean of N rows.
#     dS = (P - Y) / N
_, dS = cross_entropy_with_grad(S, y)
check("dS", dS, loss_of_scores, S)

# The second weights. W2[h, c] acts on S[i, c] alone, by H[i, h], in every row i:
#     dW2[h, c] = sum_i H[i, h] dS[i, c] + reg W2[h, c]           dW2 = H' dS + reg W2
dW2 = H.T @ dS + reg * W2
check("dW2", dW2, lambda _: loss(), W2)

# The second bias. It is the weights of one more hidden unit, which is 1 in every row:
#     S = [H 1] [W2; b2']
# The rule for W2 then gives [H 1]' dS, and the last row of that is 1' dS. This is the rule of the
# vector of ones: what is added to every row collects the gradients of all rows.
#     db2 = dS' 1
db2 = dS.T @ ones
check("db2", db2, lambda _: loss(), b2)

# The hidden units. H[i, h] acts on all scores of row i, by row h of W2:
#     dH = dS W2'
dH = dS @ W2.T
check("dH", dH, loss_of_hidden, H)

# The rectifier passes on what was positive, and nothing of what it has cut off:
#     dA = dH where A > 0, else 0
dA = np.where(A > 0, dH, 0)
check("dA", dA, loss_of_sums, A)

# The first layer is the second again, with X for H and dA for dS:
#     dW1 = X' dA + reg W1            db1 = dA' 1
dW1 = X.T @ dA + reg * W1
db1 = dA.T @ ones
check("dW1", dW1, lambda _: loss(), W1)
check("db1", db1, lambda _: loss(), b1)

# TwoLayerNet computes the same, and no gradient by X, which nobody needs: a third of the work.
net = TwoLayerNet(D, n_hidden, C, reg=reg)
net.params = {"W1": W1, "b1": b1, "W2": W2, "b2": b2}
value, grads = net.loss(X, y)
assert np.isclose(value, loss(), rtol=1e-12)
for name, derived in {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}.items():
    assert np.allclose(grads[name], derived, rtol=1e-10, atol=1e-12)

# --- The training ---------------------------------------------------------------------------------

data = load(sys.argv[1] if len(sys.argv) > 1 else "digits")
pixels, labels = data.X_train, data.y_train
n_val = min(1000, len(pixels) // 5)
order = np.random.default_rng(0).permutation(len(pixels))
train, val = np.sort(order[n_val:]), order[:n_val]
mean = pixels[train].mean(axis=0).astype(np.float32)
scale = np.float32(4 / pixels.max())


def features(images: np.ndarray) -> np.ndarray:
    """Without the mean image, and with a spread near 1."""
    return (images - mean) * scale


# Few images are seen more often.
epochs, decay = (10, 0.85) if len(train) > 10_000 else (60, 0.97)
np.random.seed(0)  # noqa: NPY002 - the course's classes draw from this generator
model = TwoLayerNet(
    pixels.shape[1], 200, int(labels.max()) + 1, weight_scale=0.01, reg=5e-3, dtype=np.float32
)
solver = Solver(
    model,
    {
        "X_train": features(pixels[train]),
        "y_train": labels[train],
        "X_val": features(pixels[val]),
        "y_val": labels[val],
    },
    update_rule="sgd_momentum",
    optim_config={"learning_rate": 0.02},
    lr_decay=decay,
    num_epochs=epochs,
    batch_size=200,
    print_every=10**9,
)
print(f"{data.name}: {len(train)} images of {data.image_shape} to learn from")
start = time.perf_counter()
solver.train()
seconds = time.perf_counter() - start
print(f"best validation accuracy: {solver.best_val_acc:.3f}, after {seconds:.1f} s")
if data.X_test is not None:
    scores = model.loss(features(data.X_test))
    print(f"test accuracy: {np.mean(scores.argmax(axis=1) == data.y_test):.3f}")
