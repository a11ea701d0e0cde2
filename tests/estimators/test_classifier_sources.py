"""Fits and predictions of rows that come block by block: the model of all rows in memory."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

pytest.importorskip("sklearn")
import scipy.sparse

from csoftmax import SGD, SoftmaxClassifier, SoftmaxClassifierCV
from csoftmax.sources import survey

N = 3000
CUTS = [0, 1100, 1100, 2993, N]


def problem(width=20, n_classes=4, dtype=np.float32, seed=0):
    r = np.random.default_rng(seed)
    X = (r.standard_normal((N, width)) * np.linspace(0.5, 3, width) + 2).astype(dtype)
    y = (X[:, :n_classes] + 3 * r.gumbel(size=(N, n_classes))).argmax(axis=1)
    return X, y, r.random(N)


def blocks_of(*arrays, cuts=CUTS):
    def blocks():
        for a, b in itertools.pairwise(cuts):
            found = tuple(array[a:b] for array in arrays)
            yield found if len(found) > 1 else found[0]

    return blocks


def same(a, b, X, tol=2e-3):
    """Two fits of one problem: both ended within tol, from other roundings on other ways."""
    np.testing.assert_allclose(a.predict_proba(X), b.predict_proba(X), atol=tol)
    assert a.history_["loss"][-1] == pytest.approx(b.history_["loss"][-1], rel=1e-5)
    np.testing.assert_array_equal(a.classes_, b.classes_)
    assert a.coef_.dtype == b.coef_.dtype
    assert a.coef_.shape == b.coef_.shape
    assert a.n_features_in_ == b.n_features_in_


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.int16])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"standardize": True},
        {"solver": "newton-cg"},
        {"l1_ratio": 0.5, "C": 0.1},
        {"C": np.inf, "fit_intercept": False},
        {"class_weight": "balanced", "label_smoothing": 0.1},
    ],
    ids=str,
)
def test_the_model_of_all_rows(options, dtype):
    X, y, weight = problem(dtype=np.float64)
    X = np.clip(np.round(X), 0, 255) if np.issubdtype(dtype, np.integer) else X
    X = X.astype(dtype)
    options = {"tol": 1e-5, **options}
    if dtype == np.int16:  # which float32 holds
        X = X.astype(np.float32)
    want = SoftmaxClassifier(**options).fit(X, y, weight)
    X = X.astype(dtype)
    got = SoftmaxClassifier(**options).fit(blocks_of(X, y, weight))
    same(got, want, X)
    again = SoftmaxClassifier(**options).fit(blocks_of(X), y, weight)
    np.testing.assert_array_equal(again.coef_, got.coef_)
    np.testing.assert_array_equal(again.intercept_, got.intercept_)


@pytest.mark.parametrize("width", [3, 60, 600, 2100])
@pytest.mark.parametrize("n_classes", [2, 5])
def test_every_metric(width, n_classes, monkeypatch):
    X, y, _ = problem(max(width, n_classes), n_classes)
    want = SoftmaxClassifier(C=0.01, tol=1e-5).fit(X, y)
    for sample in (64 << 20, X.nbytes // 2):
        monkeypatch.setattr(survey, "SAMPLE_BYTES", sample)
        got = SoftmaxClassifier(C=0.01, tol=1e-5).fit(blocks_of(X), y)
        same(got, want, X)
        assert got.history_["passes"][-1] <= 1.5 * want.history_["passes"][-1] + 3


def test_reads_are_passes_and_one():
    X, y, _ = problem()
    model = SoftmaxClassifier(tol=1e-5).fit(blocks_of(X), y)
    passes, read = (model.history_[name][-1] for name in ("passes", "bytes"))
    assert read == (passes + 1) * X.nbytes


def test_sparse_blocks():
    X, y, _ = problem(40)
    X[X < 2] = 0
    rows = scipy.sparse.csr_array(X)
    want = SoftmaxClassifier(tol=1e-5).fit(rows, y)
    got = SoftmaxClassifier(tol=1e-5).fit(blocks_of(rows), y)
    same(got, want, X)
    np.testing.assert_array_equal(got.predict(blocks_of(rows)), got.predict(rows))
    standard = SoftmaxClassifier(tol=1e-5, standardize=True)
    same(
        standard.fit(blocks_of(rows), y),
        SoftmaxClassifier(**standard.get_params()).fit(rows, y),
        rows,
    )


def test_probabilities_as_targets():
    X, y, _ = problem()
    soft = 0.9 * np.eye(4)[y] + 0.025
    same(
        SoftmaxClassifier(tol=1e-5).fit(blocks_of(X, soft)),
        SoftmaxClassifier(tol=1e-5).fit(X, soft),
        X,
    )


def test_labels_of_any_type_and_warm_start():
    X, y, _ = problem()
    names = np.array(["d", "c", "b", "a"], object)[y]
    model = SoftmaxClassifier(tol=1e-5, warm_start=True).fit(blocks_of(X, names))
    assert list(model.classes_) == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(model.predict(blocks_of(X)), model.predict(X))
    model.fit(blocks_of(X, names))
    assert len(model.history_["loss"]) <= 1


@pytest.mark.parametrize("n_classes", [2, 4])
def test_predictions(n_classes):
    X, y, weight = problem(n_classes=n_classes)
    model = SoftmaxClassifier().fit(X, y)
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        want = getattr(model, method)(X)
        np.testing.assert_allclose(getattr(model, method)(blocks_of(X)), want, rtol=1e-5, atol=1e-5)
        out = np.empty_like(want)
        assert getattr(model, method)(blocks_of(X), out=out) is out
    for a, b in zip(model.predict_top_k(blocks_of(X), 2), model.predict_top_k(X, 2), strict=True):
        np.testing.assert_array_equal(a, b)
    assert model.score(blocks_of(X), y) == model.score(X, y)
    want = model.score(X, y, weight)
    assert model.score(blocks_of(X), y, weight) == pytest.approx(want)
    assert model.score(blocks_of(X, y, weight)) == pytest.approx(want)


@pytest.mark.parametrize("threads", [1, 3])
def test_same_bits_for_any_number_of_threads(threads):
    X, y, _ = problem()
    one = SoftmaxClassifier(n_jobs=2).fit(blocks_of(X), y)
    other = SoftmaxClassifier(n_jobs=threads).fit(blocks_of(X), y)
    np.testing.assert_array_equal(one.coef_, other.coef_)


def test_offsets_and_scales_as_in_memory():
    X, y, _ = problem(dtype=np.float32)
    X[:, 0] += 2000
    X[:, 1] *= 1e6
    same(
        SoftmaxClassifier(tol=1e-6).fit(blocks_of(X), y),
        SoftmaxClassifier(tol=1e-6).fit(X, y),
        X,
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_finite(value):
    X, y, _ = problem()
    model = SoftmaxClassifier().fit(X, y)
    X[1500, 3] = value
    what = "NaN" if np.isnan(value) else "infinity"
    for call in (
        lambda: SoftmaxClassifier().fit(blocks_of(X), y),
        lambda: model.predict(blocks_of(X)),
        lambda: model.predict_proba(blocks_of(X)),
        lambda: model.decision_function(blocks_of(X)),
    ):
        with pytest.raises(ValueError, match=f"(?s)block [12] of X.*from row 1100 on.*{what}"):
            call()


def test_no_target():
    X, y, _ = problem()
    with pytest.raises(ValueError, match="requires y to be passed"):
        SoftmaxClassifier().fit(blocks_of(X))
    with pytest.raises(ValueError, match="requires y to be passed"):
        SoftmaxClassifier().fit(X, y).score(blocks_of(X))
    with pytest.raises(ValueError, match="only one class"):
        SoftmaxClassifier().fit(blocks_of(X), np.zeros(N))


def test_other_features():
    X, y, _ = problem()
    model = SoftmaxClassifier().fit(X, y)
    with pytest.raises(ValueError, match=r"block 0 of X.*has 19 features.*expecting 20"):
        model.predict(blocks_of(X[:, 1:]))


def test_objects_are_no_numbers():
    X, y, _ = problem()
    with pytest.raises(TypeError, match=r"block 0 of X.*has dtype object: wanted real numbers"):
        SoftmaxClassifier().fit(blocks_of(X.astype(object)), y)


def test_what_draws_rows_wants_memory():
    X, y, _ = problem()
    for solver in ("sgd", SGD()):
        with pytest.raises(
            TypeError, match="read block by block, but here SoftmaxClassifier draws"
        ):
            SoftmaxClassifier(solver=solver).fit(blocks_of(X), y)
    with pytest.raises(TypeError, match="read block by block"):
        SoftmaxClassifier().partial_fit(blocks_of(X), y, classes=range(4))


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_choice_of_C(weighted, sparse):
    X, y, weight = problem()
    if sparse:
        X[X < 1] = 0
        X = scipy.sparse.csr_array(X)
    options = {"Cs": [1e-4, 1e-2, 1.0], "cv": 3, "scoring": "neg_log_loss", "tol": 1e-5}
    weight = weight if weighted else None
    want = SoftmaxClassifierCV(**options).fit(X, y, weight)
    given = [X, y] if weight is None else [X, y, weight]
    got = SoftmaxClassifierCV(**options).fit(blocks_of(*given))
    assert got.C_ == want.C_
    np.testing.assert_allclose(got.scores_, want.scores_, rtol=1e-3)
    np.testing.assert_allclose(got.predict_proba(X), want.predict_proba(X), atol=2e-3)
    assert got.score(blocks_of(X), y) == pytest.approx(want.score(X, y), rel=1e-3)


def test_choice_of_C_on_folds_in_any_order():
    X, y, _ = problem()
    shuffled = np.random.default_rng(0).permutation(N)
    folds = [(shuffled[1000:], shuffled[:1000]), (shuffled[:2000], shuffled[2000:])]
    want = SoftmaxClassifierCV(Cs=[0.01], cv=folds).fit(X, y)
    got = SoftmaxClassifierCV(Cs=[0.01], cv=folds).fit(blocks_of(X), y)
    np.testing.assert_allclose(got.scores_, want.scores_, atol=3e-3)


def test_lines_are_logged(caplog, capsys):
    X, y, _ = problem()
    with caplog.at_level("INFO", logger="csoftmax"):
        quiet = SoftmaxClassifier().fit(blocks_of(X), y)
    assert len(caplog.messages) == quiet.n_iter_[0]
    assert not capsys.readouterr().out
    SoftmaxClassifier(verbose=1).fit(blocks_of(X), y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == quiet.n_iter_[0]
    assert all(" MB/s " in line for line in lines)


def test_a_bar_for_each_pass(monkeypatch):
    tqdm = pytest.importorskip("tqdm")
    seen, resets = [], []

    class Bar:
        n = 0

        def __init__(self, total, **_):
            assert total == N

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def update(self, n):
            self.n += n
            seen.append(self.n)

        def reset(self):
            self.n = 0
            resets.append(len(seen))

    monkeypatch.setattr(tqdm, "tqdm", Bar)
    X, y, _ = problem()
    model = SoftmaxClassifier(verbose=1).fit(blocks_of(X), y)
    passes = model.history_["passes"][-1]
    assert seen == [1100, 2993, N] * int(passes)
    assert len(resets) == passes - 1


def test_a_fit_that_was_stopped_goes_on(a_checkpoint_each_iteration, tmp_path):
    X, y, _ = problem()
    whole = SoftmaxClassifier(tol=1e-5).fit(blocks_of(X), y)

    def stop(progress):
        if progress.iteration == 4:
            raise KeyboardInterrupt

    model = SoftmaxClassifier(tol=1e-5, checkpoint=tmp_path / "fit.npz", callbacks=stop)
    with pytest.raises(KeyboardInterrupt):
        model.fit(blocks_of(X), y)
    model.set_params(callbacks=None).fit(blocks_of(X), y)
    np.testing.assert_array_equal(model.coef_, whole.coef_)
    assert model.history_["loss"] == whole.history_["loss"]
    assert model.history_["passes"] == whole.history_["passes"]
    other = blocks_of(X, cuts=[0, 1500, N])  # sums have other bits
    with pytest.raises(ValueError, match=r"fit\.npz.*other data"):
        SoftmaxClassifier(tol=1e-6, checkpoint=tmp_path / "fit.npz").fit(other, y)
