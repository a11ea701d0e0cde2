"""What is printed and what a notebook shows: short and telling, with links to the docs."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from csoftmax import worksheet
from csoftmax._html import few, table
from csoftmax._version import DOCS
from csoftmax.cs231n.classifiers import LinearSVM, Softmax, fc_net, neural_net
from csoftmax.cs231n.solver import Solver
from csoftmax.datasets import Dataset
from csoftmax.prediction import LinearModel
from csoftmax.search import train_many

RNG = np.random.default_rng(0)
Y = np.arange(300) % 3
X = np.eye(4)[Y] + 0.3 * RNG.standard_normal((300, 4))


def words(html):
    """All texts of what is well-formed."""
    return [text.strip() for text in ElementTree.fromstring(html).itertext() if text.strip()]


def dataset(**changes):
    return replace(Dataset("tiny", X, Y, X[:7], Y[:7], ("a", "b", "<c>"), (2, 2)), **changes)


def test_data_sets():
    assert repr(dataset()) == (
        "Dataset('tiny': 300 + 7 rows of 4 float64, images of 2 x 2; 3 classes: a, b, <c>)"
    )
    alone = dataset(X_test=None, y_test=None, image_shape=None)
    assert repr(alone) == "Dataset('tiny': 300 rows of 4 float64; 3 classes: a, b, <c>)"
    many = dataset(class_names=tuple(map(str, range(100))))
    assert repr(many).endswith("100 classes: 0, 1, 2, 3, 4, ...)")
    found = words(dataset()._repr_html_())
    assert found[:3] == ["tiny", "training rows", "300 of 4 float64"]
    assert found[-1] == "a (100), b (100), <c> (100)"


def test_sparse_data_sets():
    sparse = pytest.importorskip("scipy.sparse", reason="needs SciPy")
    rows = sparse.csr_matrix(X)
    text = repr(Dataset("words", rows, Y, None, None, ("a", "b", "c")))
    assert text == "Dataset('words': 300 rows of 4 sparse csr float64; 3 classes: a, b, c)"


def test_the_courses_classifiers():
    assert repr(Softmax()) == "Softmax(no W yet)"
    model = LinearSVM()
    model.train(X, Y, num_iters=1, fit_bias=True, shift=X.mean(axis=0))
    assert repr(model) == "LinearSVM(W (4, 3) float64, b, shift)"


def test_networks_and_their_solver():
    net = fc_net.TwoLayerNet(4, 5, 3, reg=0.1)
    assert repr(net) == "TwoLayerNet(4 -> 5 -> 3, float64, 43 parameters, reg=0.1)"
    assert (
        repr(neural_net.TwoLayerNet(4, 5, 3)) == "TwoLayerNet(4 -> 5 -> 3, float64, 43 parameters)"
    )
    deep = fc_net.FullyConnectedNet(
        [6, 5], 4, 3, normalization="batchnorm", dropout_keep_ratio=0.8, seed=1
    )
    assert repr(deep) == (
        "FullyConnectedNet(4 -> 6 -> 5 -> 3, float32, 105 parameters, reg=0, batchnorm, "
        "dropout keeps 0.8)"
    )
    data = {"X_train": X, "y_train": Y, "X_val": X, "y_val": Y}
    solver = Solver(net, data, num_epochs=2, verbose=False)
    assert repr(solver) == f"Solver({net!r}, sgd, 0 epochs)"
    solver.train()
    assert repr(solver).startswith(f"Solver({net!r}, sgd, 2 epochs, loss 1.")
    assert repr(solver).endswith(f"best validation {solver.best_val_acc:.3f})")


def test_many_models():
    models = train_many(X, Y, np.logspace(-4, 0, 15), X_val=X, y_val=Y, n_steps=20)
    found = words(models._repr_html_())
    assert found[0] == repr(models)
    assert found[1:4] == ["learning rate", "reg", "last loss"]
    assert len(found) == 1 + 6 + 10 * 6
    assert f"{models.best.val_accuracy:.4g}" == found[1 + 6 + 3]
    plain = train_many(X, Y, 0.1, n_steps=3)
    assert words(plain._repr_html_())[-3:] == ["nan", "3", "finished"]


def test_the_worksheet():
    data = worksheet.prepare(dataset(X_test=None, y_test=None, image_shape=None))
    assert repr(data) == (
        "Data('tiny': 216 training, 24 validation, 60 test rows of 4 float64; 3 classes)"
    )
    settings = replace(worksheet.default_settings(data), iterations=30)
    assert len(repr(settings)) < 120
    assert repr(settings).endswith("30 steps of 200 rows, seed 0)")
    sheet = worksheet.Sheet(data, settings, [worksheet.CLASSIFIERS["softmax"]])
    assert repr(sheet) == f"Sheet(softmax on {data!r}; done: nothing)"
    found = worksheet.search(data, sheet.classifiers[0], settings)
    sheet.searches = [found]
    assert repr(sheet).endswith("; done: searches)")
    assert repr(found).startswith("Search(softmax: 9 settings in ")
    assert f"best validation {found.best.val_accuracy:.3f} at learning rate " in repr(found)
    assert len(words(found._repr_html_())) == 1 + 4 + 9 * 4


def test_a_model_that_predicts_with_numpy_alone():
    model = LinearModel(
        np.eye(3), np.zeros(3), np.array(["a", "b", "c"]), feature_names=list("xyz")
    )
    html = model._repr_html_()
    assert "3: a, b, c" in words(html)
    assert "3: x, y, z" in words(html)
    assert f'href="{DOCS}api/csoftmax.prediction.LinearModel.html"' in html


def test_the_html_of_estimators_leads_to_their_pages():
    pytest.importorskip("sklearn", reason="the estimators need scikit-learn")
    from csoftmax import estimators

    fitted = estimators.SoftmaxClassifier().fit(X, Y)
    link = f"{DOCS}api/csoftmax.SoftmaxClassifier.html"
    for model in (estimators.SoftmaxClassifier(), fitted):
        assert model._get_doc_link() == link
        assert f'href="{link}"' in model._repr_html_()
    assert len(fitted._repr_html_()) < len(estimators.SoftmaxClassifier()._repr_html_()) + 20_000
    cv = estimators.SoftmaxClassifierCV()._get_doc_link()
    assert cv == f"{DOCS}api/csoftmax.SoftmaxClassifierCV.html"

    class Mine(estimators.SoftmaxClassifier):
        pass

    assert Mine()._get_doc_link() == ""  # of which there is no page


def test_the_html_of_the_estimator_on_dask_leads_to_its_own():
    pytest.importorskip("distributed", reason="needs Dask")
    from csoftmax import dask

    link = dask.SoftmaxClassifier()._get_doc_link()
    assert link == f"{DOCS}api/csoftmax.dask.SoftmaxClassifier.html"


def test_tables():
    html = table("a & b", [("<x>", 1), ("y", "2")], link="https://example.org/?a=1&b=2")
    assert words(html) == ["a & b", "documentation", "<x>", "1", "y", "2"]
    assert '<th scope="row"' in html
    assert '<th scope="col">k</th>' in table("t", [(1,)], ("k",))
    assert few("abc", 3) == "a, b, c"
    assert few("abcd", 3) == "a, b, c, ..."
