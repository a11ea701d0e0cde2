"""Choose learning rate and penalty as the course does, all models at once.

    python examples/many_models.py

100 linear SVMs and 100 softmax classifiers of scikit-learn's digits: ten learning rates by ten
penalties, each of them trained on the same mini-batches. Then the same by successive halving: most
models are dropped early, and the best train on. Ctrl-C at any time gives what there is by then.
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

from csoftmax.search import train_many

X, y = load_digits(return_X_y=True)
X = X.astype(np.float32)
order = np.random.default_rng(0).permutation(len(y))
train, val, test = order[:1200], order[1200:1500], order[1500:]
shift = X[train].mean(axis=0)

for loss in ("softmax", "hinge"):
    for halving in (None, 3):
        models = train_many(
            X[train],
            y[train],
            learning_rates=np.geomspace(1e-5, 1e-2, 10),
            regs=np.geomspace(1e-3, 10, 10),
            loss=loss,
            X_val=X[val],
            y_val=y[val],
            n_steps=600,
            fit_bias=True,
            shift=shift,
            halving=halving,
            progress=True,
        )
        best = models.best
        steps = sum(model.n_steps for model in models)
        accuracy = (best.predict(X[test]) == y[test]).mean()
        print(f"{models}\n  {steps} steps in all; the best on rows never seen: {accuracy:.3f}")
