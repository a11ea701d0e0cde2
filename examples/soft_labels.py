"""Learn from probabilities instead of labels: votes of annotators, and what a larger model says.

    python examples/soft_labels.py

Both on scikit-learn's digits. Rows of y are distributions over the classes. A model of them says
how divided the opinions will be on new rows, which a model of the most frequent opinion cannot.
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

from csoftmax import SoftmaxClassifier

X, y = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(y))
X, y = X[order] / 16, y[order]
train, test = slice(1000), slice(1000, None)


def compare(opinions: np.ndarray) -> None:
    """Fit to the most frequent opinions, and to all of them; judge by those on other rows."""
    models = {
        "the most frequent": SoftmaxClassifier(C=0.1).fit(X[train], opinions[train].argmax(axis=1)),
        "all, as probabilities": SoftmaxClassifier(C=0.1).fit(X[train], opinions[train]),
    }
    for name, model in models.items():
        log_loss = -(opinions[test] * model.predict_log_proba(X[test])).sum(axis=1).mean()
        accuracy = model.score(X[test], y[test])
        print(f"  {name:22s} log loss of new opinions {log_loss:.3f}, accuracy {accuracy:.3f}")


rng = np.random.default_rng(1)
votes = np.zeros((len(y), 10))
for _ in range(5):
    said = np.where(rng.random(len(y)) < 0.4, rng.integers(0, 10, len(y)), y)
    votes[np.arange(len(y)), said] += 1 / 5
print("Five annotators, who guess four times in ten:")
compare(votes)

# The forest is 300 trees; the model that has learned its opinions is 650 numbers.
forest = RandomForestClassifier(300, max_depth=6, random_state=0).fit(X[train], y[train])
print(f"A random forest (accuracy {forest.score(X[test], y[test]):.3f}):")
compare(forest.predict_proba(X))
