"""Measures of predictions: scikit-learn's, block by block, and what is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from csoftmax.evaluation import Evaluation, Measures

CLASSES = {
    "strings": np.array(["dog", "cat", "a bird"]),
    "integers": np.array([7, -1, 3]),
    "floats": np.array([5.0, 2.0, -3.0]),
    "objects": np.array(["x", "y", "z"], object),
    "two": np.array([False, True]),
}


def draw(n_classes: int, n_rows: int, dtype: Any = np.float64, seed: int = 0) -> tuple[Any, Any]:
    """Labels by number and probabilities, of which most are right."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, n_classes, n_rows)
    scores = 2 * rng.standard_normal((n_rows, n_classes)) + 2.5 * np.eye(n_classes)[true]
    P = np.exp(scores).astype(dtype)
    return true, P / P.sum(axis=1, keepdims=True)


def measured(classes: Any, labels: Any, P: Any, block: int = 10**9) -> Evaluation:
    measures = Measures(classes)
    for start in range(0, len(labels), block):
        measures.add(labels[start : start + block], P[start : start + block])
    return measures.evaluation()


@pytest.mark.parametrize("kind", sorted(CLASSES))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_agrees_with_sklearn(kind, dtype):
    metrics = pytest.importorskip("sklearn.metrics", reason="what it is compared with")
    classes = CLASSES[kind]
    true, P = draw(len(classes), 700, dtype)
    labels, predicted = classes[true], classes[P.argmax(axis=1)]
    found = measured(classes, labels, P, 64)
    if classes.dtype == object:
        classes, labels, predicted = (each.astype(str) for each in (classes, labels, predicted))
    assert found.classes == tuple(classes.tolist())
    assert found.n_rows == 700
    assert found.accuracy == metrics.accuracy_score(labels, predicted)
    assert found.balanced_accuracy == pytest.approx(
        metrics.balanced_accuracy_score(labels, predicted), rel=1e-12
    )
    expected = metrics.precision_recall_fscore_support(
        labels, predicted, labels=list(classes), zero_division=0
    )
    ours = [
        [getattr(each, name) for each in found.per_class]
        for name in ("precision", "recall", "f1", "support")
    ]
    np.testing.assert_allclose(ours, expected, rtol=1e-12)
    np.testing.assert_array_equal(
        found.confusion, metrics.confusion_matrix(labels, predicted, labels=list(classes))
    )
    assert [each.predicted for each in found.per_class] == found.confusion.sum(axis=0).tolist()
    order = np.argsort(classes)
    Q = P[:, order].astype(np.float64)
    loss = metrics.log_loss(labels, Q / Q.sum(axis=1, keepdims=True), labels=np.sort(classes))
    assert found.log_loss == pytest.approx(loss, rel=1e-6 if dtype == np.float32 else 1e-12)


def test_one_class():
    found = measured(["only"], ["only"] * 5, np.ones((5, 1)))
    assert (found.accuracy, found.balanced_accuracy, found.log_loss) == (1, 1, 0)


def test_classes_without_rows_and_never_predicted():
    metrics = pytest.importorskip("sklearn.metrics", reason="what it is compared with")
    P = np.array([[0.7, 0.1, 0.1, 0.1], [0.6, 0.2, 0.1, 0.1], [0.1, 0.1, 0.2, 0.6]])
    found = measured(list("abcd"), ["a", "b", "a"], P)
    predicted = ["a", "a", "d"]
    expected = metrics.precision_recall_fscore_support(
        ["a", "b", "a"], predicted, labels=list("abcd"), zero_division=0
    )
    for name, values in zip(("precision", "recall", "f1", "support"), expected, strict=True):
        assert [getattr(each, name) for each in found.per_class] == pytest.approx(values.tolist())
    assert found.balanced_accuracy == 0.25  # of a and b


def test_the_loss_is_not_clipped():
    found = measured(["a", "b"], ["a"], [[1e-300, 1.0]])
    assert found.log_loss == pytest.approx(300 * math.log(10))
    found = measured(["a", "b"], ["a", "a"], [[0.0, 1.0], [1.0, 0.0]])
    assert found.log_loss == math.inf
    assert found.as_dict()["log_loss"] is None
    assert measured(["a", "b"], ["a"], [[1, 0]]).log_loss == 0


def test_calibration_agrees_with_sklearn():
    calibration = pytest.importorskip("sklearn.calibration", reason="what it is compared with")
    true, P = draw(4, 900)
    found = measured(np.arange(4), true, P, 100)
    right, confidence = P.argmax(axis=1) == true, P.max(axis=1)
    share, mean = calibration.calibration_curve(right, confidence, n_bins=10)
    full = [each for each in found.bins if each.rows]
    assert [each.accuracy for each in full] == pytest.approx(share.tolist())
    assert [each.confidence for each in full] == pytest.approx(mean.tolist())
    assert sum(each.rows for each in found.bins) == 900
    error = sum(each.rows * abs(each.accuracy - each.confidence) for each in full) / 900
    assert found.calibration_error == pytest.approx(error)
    assert math.isnan(found.bins[0].accuracy)  # of four classes the likeliest has a quarter


def test_edges_of_bins_belong_below():
    P = [[1.0, 0.0], [0.5, 0.5], [0.9, 0.1]]
    found = measured([0, 1], [0, 1, 0], P)
    assert [each.rows for each in found.bins] == [0, 0, 0, 0, 1, 0, 0, 0, 1, 1]


@given(
    n_rows=st.integers(1, 200),
    n_classes=st.integers(1, 5),
    block=st.integers(1, 70),
    coarse=st.booleans(),
    seed=st.integers(0, 100),
)
def test_blocks_do_not_matter(n_rows, n_classes, block, coarse, seed):
    true, P = draw(n_classes, n_rows, seed=seed)
    if coarse:  # many rows with the same probabilities
        P = np.eye(n_classes)[P.argmax(axis=1)] * 0.5 + 0.5 / n_classes
    whole = measured(np.arange(n_classes), true, P)
    parts = measured(np.arange(n_classes), true, P, block)
    for name in ("certain_right", "certain_wrong", "uncertain_right", "uncertain_wrong"):
        assert getattr(whole, name) == getattr(parts, name)
    np.testing.assert_array_equal(whole.confusion, parts.confusion)
    assert whole.per_class == parts.per_class
    assert whole.log_loss == pytest.approx(parts.log_loss)
    assert whole.calibration_error == pytest.approx(parts.calibration_error)
    # and the rows that are kept are the first in the order of all
    predicted, confidence = P.argmax(axis=1), P.max(axis=1)
    for name, sign, right in (
        ("certain_right", -1, True),
        ("certain_wrong", -1, False),
        ("uncertain_right", 1, True),
        ("uncertain_wrong", 1, False),
    ):
        rows = np.flatnonzero((predicted == true) == right)
        rows = rows[np.argsort(sign * confidence[rows], kind="stable")][:8]
        kept = getattr(whole, name)
        assert [each.row for each in kept] == rows.tolist()
        for each in kept:
            assert (each.label, each.predicted) == (true[each.row], predicted[each.row])
            assert each.probability == confidence[each.row]
            assert each.label_probability == P[each.row, true[each.row]]


def test_as_dict_is_strict_json():
    true, P = draw(3, 50)
    found = measured(CLASSES["strings"], CLASSES["strings"][true], P)

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    content = json.loads(json.dumps(found.as_dict(), allow_nan=False), parse_constant=refuse)
    assert content["n_rows"] == 50
    assert content["confusion"] == found.confusion.tolist()
    assert content["bins"][0]["accuracy"] is None
    assert content["per_class"][0]["label"] == "dog"
    assert len(content["certain_right"]) == 8
    assert content["accuracy_interval"][0] < content["accuracy"] < content["accuracy_interval"][1]
    others = [b"one", b"two"]
    bytes_ = measured(np.array(others, object), others, [[0.9, 0.1], [0.2, 0.8]]).as_dict()
    assert json.loads(json.dumps(bytes_))["per_class"][1]["label"] == "b'two'"


def test_predictions_without_probabilities():
    labels, predicted = ["a", "b", "b", "a"], ["a", "a", "b", "a"]
    measures = Measures(["a", "b"])
    measures.add_predicted(labels[:1], predicted[:1])
    measures.add_predicted(labels[1:], predicted[1:])
    found = measures.evaluation()
    assert (found.n_rows, found.accuracy, found.log_loss) == (4, 0.75, None)
    assert (found.bins, found.calibration_error, found.certain_wrong) == (None, None, ())
    assert found.confusion.tolist() == [[2, 0], [1, 1]]
    assert json.loads(json.dumps(found.as_dict()))["bins"] is None
    with pytest.raises(ValueError, match="without probabilities: wanted all of them without"):
        measures.add(["a"], [[1.0, 0.0]])
    other = Measures(["a", "b"])
    other.add(["a"], [[1.0, 0.0]])
    with pytest.raises(ValueError, match="with probabilities: wanted all of them with"):
        other.add_predicted(["a"], ["a"])
    with pytest.raises(ValueError, match="predicted has 1 rows: wanted 2, one for each label"):
        measures.add_predicted(["a", "b"], ["a"])
    with pytest.raises(ValueError, match="row 5 of predicted is 'c', which is not among the 2"):
        measures.add_predicted(["a", "b"], ["a", "c"])


def test_mistakes_majority_and_interval():
    P = np.eye(3)[[0, 1, 1, 1, 2, 0]]
    found = measured(list("abc"), list("aaabcc"), P)
    assert found.mistakes(9) == [("a", "b", 2), ("c", "a", 1)]
    assert found.mistakes(1) == [("a", "b", 2)]
    assert found.majority == 0.5
    low, high = found.accuracy_interval
    assert (low, high) == (pytest.approx(0.1876, abs=1e-4), pytest.approx(0.8124, abs=1e-4))
    perfect = measured(["a", "b"], ["a"], [[1.0, 0.0]])
    assert perfect.accuracy_interval == (pytest.approx(0.2065, abs=1e-4), pytest.approx(1))


def test_many_classes_have_no_confusion_matrix(monkeypatch):
    monkeypatch.setattr("csoftmax.evaluation.measures.MOST_CONFUSED", 2)
    true, P = draw(3, 60)
    found = measured(np.arange(3), true, P)
    assert found.confusion is None
    assert found.mistakes(3) == []
    assert found.as_dict()["confusion"] is None
    assert found.accuracy == (P.argmax(axis=1) == true).mean()


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([], r"classes have shape \(0,\): wanted \(C,\), at least one"),
        ([[1, 2]], r"classes have shape \(1, 2\): wanted"),
        (["a", "b", "a"], "classes hold 'a' twice: wanted each once"),
    ],
)
def test_classes_are_refused(classes, message):
    with pytest.raises(ValueError, match=message):
        Measures(classes)


GOOD = [[0.5, 0.5], [0.25, 0.75]]


@pytest.mark.parametrize(
    ("labels", "P", "message"),
    [
        ([0, 2], GOOD, "row 4 of labels is 2, which is not among the 2 classes"),
        ([0, np.nan], GOOD, "row 4 of labels is nan, which is not among the 2 classes"),
        (["0", "1"], GOOD, "labels has dtype <U1, the classes int64: wanted the same kind"),
        ([[0, 1]], GOOD, r"labels has shape \(1, 2\): wanted \(n,\)"),
        ([0], GOOD, r"probabilities have shape \(2, 2\): wanted \(1, 2\), a row for each label"),
        ([0, 1], [[1.0], [1.0]], r"probabilities have shape \(2, 1\): wanted \(2, 2\)"),
        ([0, 1], [0.5, 0.5], r"probabilities have shape \(2,\): wanted \(2, 2\)"),
        ([0, 1], [[0.5, 0.5], [np.nan, 0.5]], "row 4 of probabilities holds nan: wanted 0 to 1"),
        ([0, 1], [[-0.5, 1.5], [0.5, 0.5]], "row 3 of probabilities holds -0.5: wanted 0 to 1"),
        ([0, 1], [[0.5, 0.5], [np.inf, 0]], "row 4 of probabilities holds inf: wanted 0 to 1"),
        ([0, 1], [[0.5, 0.5], [0.5, 0.4]], "row 4 of probabilities sums to 0.9: wanted 1"),
        ([0, 1], [["a", "b"]] * 2, "probabilities have dtype <U1: wanted numbers"),
        ([0, 1], np.full((2, 2), 0.5j), "probabilities have dtype complex128: wanted numbers"),
    ],
)
def test_rows_are_refused_and_nothing_is_counted(labels, P, message):
    measures = Measures([0, 1])
    measures.add([0, 1, 1], [[0.5, 0.5]] * 3)
    with pytest.raises(ValueError, match=message):
        measures.add(labels, P)
    assert measures.evaluation().n_rows == 3


def test_objects_of_several_kinds():
    classes = np.array([None, "a", 3], object)
    found = measured(classes, np.array(["a", 3, None], object), np.eye(3)[[1, 2, 0]])
    assert found.accuracy == 1
    assert found.classes == (None, "a", 3)
    frame_like = np.array(["a", "b"], object)  # as pandas has strings
    assert measured(np.array(["a", "b"]), frame_like, np.eye(2)).accuracy == 1


def test_objects_that_are_not_among_the_classes():
    measures = Measures(np.array(["a", "b"], object))
    with pytest.raises(ValueError, match="row 0 of labels is None, which is not among"):
        measures.add(np.array([None, "a"], object), GOOD)


def test_no_rows():
    measures = Measures([0, 1])
    with pytest.raises(ValueError, match="no rows were added: wanted at least one"):
        measures.evaluation()
    measures.add([], np.empty((0, 2)))
    with pytest.raises(ValueError, match="no rows were added"):
        measures.evaluation()
    measures.add([1], [[0.25, 0.75]])
    assert measures.evaluation().n_rows == 1


def test_needs_numpy_alone(run_python):
    run_python(
        "import sys\n"
        "for name in ('jinja2', 'matplotlib', 'sklearn', 'scipy'): sys.modules[name] = None\n"
        "from csoftmax.evaluation import Measures\n"
        "measures = Measures([0, 1])\n"
        "measures.add([0, 1], [[0.9, 0.1], [0.2, 0.8]])\n"
        "assert measures.evaluation().accuracy == 1"
    )
