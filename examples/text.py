"""Classify news by their words: sparse tf-idf features, and the words that tell.

    python examples/text.py [FILE.train.svm]

FILE is svmlight text with counts of words, with FILE.test.svm beside it, and perhaps
FILE.vocab.txt and FILE.classes.txt with a name on each line. Without it, 20 Newsgroups or Reuters
is looked for in the folder that CSOFTMAX_DATA names.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfTransformer

from csoftmax import SoftmaxClassifier
from csoftmax.datasets import load_svmlight


def find() -> Path:
    """The file that is asked for, or the first known one of CSOFTMAX_DATA."""
    if len(sys.argv) > 1:
        return Path(sys.argv[1])
    folder = Path(os.environ.get("CSOFTMAX_DATA", "."), "text")
    for name in ("20news-bydate", "reuters-single"):
        if (path := folder / f"{name}.train.svm").exists():
            return path
    sys.exit(
        f"no 20news-bydate.train.svm or reuters-single.train.svm in {folder}: "
        "name a file (python examples/text.py FILE.train.svm), or the folder above in CSOFTMAX_DATA"
    )


def names(path: Path, kind: str, otherwise: list[str]) -> list[str]:
    """What the file beside the data calls its classes or words."""
    file = path.with_name(path.name.replace(".train.svm", f".{kind}.txt"))
    return file.read_text().split("\n") if file.exists() else otherwise


path = find()
data = load_svmlight(path)
if data.X_test is None:
    sys.exit(f"{path} has no test file beside it: wanted one of the same name with .test. in it")

# Of texts of your own, scikit-learn's TfidfVectorizer makes such features: CSR, used as it is.
tfidf = TfidfTransformer(sublinear_tf=True)
X_train, X_test = tfidf.fit_transform(data.X_train), tfidf.transform(data.X_test)
print(f"{data.name}: {X_train.shape[0]} texts, {X_train.shape[1]} words, {X_train.nnz} entries")

start = time.perf_counter()
model = SoftmaxClassifier(C=20).fit(X_train, data.y_train)
seconds = time.perf_counter() - start
print(f"fit: {seconds:.1f} s, {model.history_['passes'][-1]:.0f} passes over the texts")
print(
    f"accuracy: {model.score(X_train, data.y_train):.3f} on these, "
    f"{model.score(X_test, data.y_test):.3f} on {X_test.shape[0]} others"
)

# The largest coefficients are the words that speak most for a class.
words = names(path, "vocab", [str(i) for i in range(X_train.shape[1])])
classes = names(path, "classes", list(data.class_names))
for label in np.bincount(data.y_train).argsort()[::-1][:8]:
    tell = [words[i] for i in model.coef_[label].argsort()[::-1][:6]]
    print(f"  {classes[label]:26s} {', '.join(tell)}")
