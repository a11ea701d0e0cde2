"""Classify images by their pixels, as bytes that stay on the disk.

    python examples/images.py [DATA]

DATA is what csoftmax.datasets.load takes, for example the folder of MNIST or CIFAR-10; without it,
scikit-learn's 1797 digits of 8 x 8 pixels.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from csoftmax import SoftmaxClassifier
from csoftmax.datasets import load

data = load(sys.argv[1] if len(sys.argv) > 1 else "digits")
X, y, X_test, y_test = data.X_train, data.y_train, data.X_test, data.y_test
if X_test is None:  # the last fifth
    n = len(X) * 4 // 5
    X, y, X_test, y_test = X[:n], y[:n], X[n:], y[n:]
print(f"{data.name}: {X.shape[0]} images of {data.image_shape}, {X.dtype}, {X.nbytes / 1e6:.1f} MB")

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "X_train.npy")
    np.save(path, X)
    on_disk = np.load(path, mmap_mode="r")  # nothing is read yet

    # Each pixel is centred and scaled as it is read: no array of floats is made. The penalty acts
    # on the coefficients of the scaled pixels, so that C does not depend on their range.
    start = time.perf_counter()
    model = SoftmaxClassifier(C=0.01, standardize=True, tol=1e-3).fit(on_disk, y)
    seconds = time.perf_counter() - start
    del on_disk
print(f"fit: {seconds:.2f} s, {model.history_['passes'][-1]:.0f} passes over the file")

predicted = model.predict(X_test)  # raw bytes: coef_ and intercept_ are for them
print(
    f"accuracy: {model.score(X, y):.3f}, and {np.mean(predicted == y_test):.3f} on "
    f"{len(y_test)} images that it has not seen"
)

# How sure it is tells where it errs.
sure = model.predict_proba(X_test).max(axis=1)
for low, high in ((0.0, 0.5), (0.5, 0.9), (0.9, 0.99), (0.99, 1.01)):
    some = (sure >= low) & (sure < high)
    if some.any():
        right = np.mean(predicted[some] == y_test[some])
        print(f"  says {low:.2f} to {min(high, 1):.2f}: {some.sum():5d} images, {right:.3f} right")

pairs = np.zeros((len(data.class_names),) * 2, int)
np.add.at(pairs, (y_test, predicted), 1)
np.fill_diagonal(pairs, 0)
for at in pairs.ravel().argsort()[::-1][:3]:
    truth, taken = divmod(int(at), len(pairs))
    names = data.class_names[truth], data.class_names[taken]
    print(f"  {names[0]} taken for {names[1]}: {pairs[truth, taken]} times")
