"""
Classify texts by their words
=============================

tf-idf makes a sparse row of each text, and :class:`csoftmax.SoftmaxClassifier` uses such rows as
they are. Its coefficients are the words that tell. By itself this page takes what every Python
has: the docstrings of its standard library, to tell which part of it a docstring is from. With a
file as argument, or where ``CSOFTMAX_DATA`` names the folder above ``text``, it takes that::

    python plot_text.py [FILE.train.svm]

FILE is svmlight text with counts of words, with FILE.test.svm beside it, and perhaps
FILE.vocab.txt and FILE.classes.txt with a name on each line: 20 Newsgroups or Reuters, for example.
"""

from __future__ import annotations

import ast
import os
import sys
import sysconfig
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.model_selection import train_test_split

from csoftmax import SoftmaxClassifier
from csoftmax.datasets import Dataset, load_svmlight
from csoftmax.plot import WeightsDisplay

# %%
# The texts
# ---------
#
# Docstrings of functions and classes, without the shortest. The names of the parts themselves are
# not taken as words: they would give it away.

PARTS = [
    "asyncio",
    "ctypes",
    "email",
    "http",
    "importlib",
    "logging",
    "multiprocessing",
    "unittest",
]


def docstrings() -> tuple[Dataset, list[str]]:
    """Counts of words, and the words."""
    library = Path(sysconfig.get_path("stdlib"))
    texts, labels = [], []
    for label, part in enumerate(PARTS):
        for path in sorted((library / part).rglob("*.py")):
            if "test" in path.parts:  # the standard library's own tests
                continue
            for node in ast.walk(ast.parse(path.read_bytes())):
                if isinstance(node, ast.FunctionDef | ast.ClassDef):
                    text = ast.get_docstring(node) or ""
                    if len(text.split()) >= 8:
                        texts.append(text)
                        labels.append(label)
    words = CountVectorizer(stop_words=PARTS, min_df=2)
    X, y = words.fit_transform(texts).astype(float), np.array(labels)
    parts = train_test_split(X, y, test_size=0.3, random_state=0, stratify=y)
    X_train, X_test, y_train, y_test = parts
    data = Dataset("docstrings", X_train, y_train, X_test, y_test, tuple(PARTS))
    return data, words.get_feature_names_out().tolist()


def from_file(path: Path) -> tuple[Dataset, list[str]]:
    """The same from svmlight text, with the names beside it, where they are."""
    data = load_svmlight(path)
    if data.X_test is None:
        sys.exit(
            f"{path} has no test file beside it: wanted one of the same name with .test. in it"
        )

    def names(kind: str, otherwise: list[str]) -> list[str]:
        file = path.with_name(path.name.replace(".train.svm", f".{kind}.txt"))
        return file.read_text().split("\n")[: len(otherwise)] if file.exists() else otherwise

    words = names("vocab", [str(i) for i in range(data.X_train.shape[1])])
    classes = tuple(names("classes", list(data.class_names)))
    parts = data.X_train, data.y_train, data.X_test, data.y_test
    return Dataset(data.name, *parts, classes), words


newsgroups = Path(os.environ.get("CSOFTMAX_DATA", "."), "text", "20news-bydate.train.svm")
if len(sys.argv) > 1:
    data, words = from_file(Path(sys.argv[1]))
elif newsgroups.exists():
    data, words = from_file(newsgroups)
else:
    data, words = docstrings()

# %%
# Features
# --------
#
# A word counts for more the fewer texts have it, and for less than twice as much if it occurs
# twice. From texts in one step: ``TfidfVectorizer(sublinear_tf=True)``.

tfidf = TfidfTransformer(sublinear_tf=True)
X_train, X_test = tfidf.fit_transform(data.X_train), tfidf.transform(data.X_test)
print(f"{data.name}: {X_train.shape[0]} texts, {X_train.shape[1]} words, {X_train.nnz} entries")

# %%
# The model
# ---------
#
# Rows of tf-idf have length 1, and most features are rare, so that a large C is right: 20 here.

start = time.perf_counter()
model = SoftmaxClassifier(C=20).fit(X_train, data.y_train)
seconds = time.perf_counter() - start
print(f"fit: {seconds:.2f} s, {model.history_['passes'][-1]:.0f} passes over the texts")
print(
    f"accuracy: {model.score(X_train, data.y_train):.3f} on these, "
    f"{model.score(X_test, data.y_test):.3f} on {X_test.shape[0]} others"
)

# %%
# The words that tell
# -------------------
#
# The largest coefficients of a class are the words that speak most for it:

largest = np.bincount(data.y_train).argsort()[::-1][:8]
for label in largest:
    tell = [words[i] for i in model.coef_[label].argsort()[::-1][:6]]
    print(f"  {data.class_names[label]:26s} {', '.join(tell)}")

# %%
# The same with their sizes, for and against:

names = [data.class_names[label] for label in largest[:4]]
fig, axes = plt.subplots(2, 2, figsize=(9, 5.2), layout="constrained")
WeightsDisplay.from_estimator(
    model, feature_names=words, class_names=data.class_names, classes=names, ax=axes
)
plt.show()
