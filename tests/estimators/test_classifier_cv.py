"""SoftmaxClassifierCV chooses as LogisticRegressionCV does, and has its attributes."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import config_context
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import get_scorer, make_scorer, recall_score
from sklearn.model_selection import GroupKFold, KFold, LeaveOneGroupOut, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from csoftmax import SoftmaxClassifier, SoftmaxClassifierCV
from csoftmax.estimators import checks as fit_checks
from csoftmax.estimators.training import CheckedObjective
from csoftmax.solvers import curvature, lockstep
from csoftmax.solvers.lockstep import Stack
from csoftmax.solvers.objective import Objective

X, y = load_iris(return_X_y=True)
S = np.random.default_rng(0).uniform(0.1, 2, 150)
CS = [1e-3, 0.1, 10.0]

SCALE = StandardScaler().fit_transform
DATA = {
    "iris": (X, y),
    "wine": (SCALE(load_wine().data), load_wine().target),
    "digits": (load_digits().data[:500] / 16, load_digits().target[:500]),
    "cancer": (SCALE(load_breast_cancer().data), load_breast_cancer().target),
}


def rival(**options):
    """LogisticRegressionCV, to the last digits."""
    options = {"Cs": CS, "l1_ratios": (0,), "scoring": "accuracy", "cv": 3} | options
    exact = {"tol": 1e-9, "max_iter": 10000, "use_legacy_attributes": False}
    return LogisticRegressionCV(solver="newton-cg", **exact, **options)


def ours(**options):
    return SoftmaxClassifierCV(**{"Cs": CS, "tol": 1e-8, "cv": 3} | options)


def centred(model, name):
    """With l1, what is added to the intercepts of all classes is anyone's guess."""
    values = getattr(model, name).copy()
    if name == "intercept_" and len(values) > 1:
        values -= values.mean()
    if name == "coefs_paths_" and values.shape[-2] > 1 and model.fit_intercept:
        values[..., -1] -= values[..., -1].mean(axis=-1, keepdims=True)
    return values


def same(a, b, atol=1e-4):
    """Whether two fitted models have the same attributes."""
    for name in ("C_", "l1_ratio_", "Cs_", "l1_ratios_", "classes_"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        assert type(getattr(a, name)) is type(getattr(b, name))
    for name in ("scores_", "coefs_paths_", "n_iter_", "coef_", "intercept_"):
        assert getattr(a, name).shape == getattr(b, name).shape
    for name in ("scores_", "coefs_paths_", "coef_", "intercept_"):
        np.testing.assert_allclose(*(centred(m, name) for m in (a, b)), atol=atol)
    assert a.n_iter_.dtype == b.n_iter_.dtype == np.int32


# ---- the choice --------------------------------------------------------------------------------


@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss"])
@pytest.mark.parametrize("name", DATA)
def test_choice_of_logistic_regression_cv(name, scoring):
    data, labels = DATA[name]
    same(ours(scoring=scoring).fit(data, labels), rival(scoring=scoring).fit(data, labels))


AVERAGES = ["f1_macro", make_scorer(recall_score, average="macro")]
OPTIONS = [
    {"refit": False},
    {"fit_intercept": False},
    {"class_weight": "balanced"},
    {"class_weight": {0: 0.5, 1: 3.0}},
    {"Cs": [1.0, 1e-3, 1.0, 30.0]},  # in any order, and twice
    {"Cs": [np.inf, 0.01], "cv": 2},
    {"cv": StratifiedKFold(4, shuffle=True, random_state=0)},
    {"scoring": "roc_auc_ovr", "cv": 2},
    {"scoring": AVERAGES[0], "refit": False},
    {"scoring": AVERAGES[1]},
]


@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(map(str, options)))
def test_options(options, weighted, two):
    noisy = X + np.random.default_rng(1).normal(size=X.shape)  # without C there is a minimum
    keep = y > 0 if two else y >= 0
    s = S[keep] if weighted else None
    if two and options.get("scoring") in AVERAGES:
        options = {"scoring": "f1"}  # of which it takes the class after all others
    if two and options.get("class_weight") == {0: 0.5, 1: 3.0}:
        options = {"class_weight": {1: 3.0}}
    theirs = rival(**options).fit(noisy[keep], y[keep], s)
    same(ours(**options).fit(noisy[keep], y[keep], s), theirs)


@pytest.mark.parametrize("scoring", AVERAGES)
def test_averages_of_two_classes(scoring):
    """LogisticRegressionCV warns, or has a TypeError: it names one of the classes."""
    model = ours(scoring=scoring).fit(X[y > 0], y[y > 0])
    assert model.scores_.mean(axis=0).max() > 0.9
    assert model.score(X[y > 0], y[y > 0]) > 0.9


def test_folds_that_lack_a_class():
    """They have no minimum, but scores."""
    model, theirs = ours(cv=KFold(3)).fit(X, y), rival(cv=KFold(3)).fit(X, y)
    np.testing.assert_array_equal(model.scores_, 0.0)
    np.testing.assert_array_equal(theirs.scores_, 0.0)
    np.testing.assert_allclose(model.coef_, theirs.coef_, atol=1e-4)


@pytest.mark.parametrize("scoring", ["roc_auc", "average_precision", "neg_brier_score", "f1"])
def test_scorers_of_two_classes(scoring):
    data, labels = DATA["cancer"]
    same(
        ours(scoring=scoring).fit(data, labels, np.ones(len(labels))),
        rival(scoring=scoring).fit(data, labels, np.ones(len(labels))),
    )


def test_scorer_that_is_a_function():
    calls = []

    def scorer(estimator, X, y):
        calls.append(len(y))
        return -np.abs(estimator.decision_function(X)).mean()

    model = ours(scoring=scorer).fit(X, y)
    assert calls == [50] * 9
    assert model.C_ == 1e-3
    assert model.score(X, y) == scorer(model, X, y)


@pytest.mark.parametrize("refit", [False, True])
@pytest.mark.parametrize("two", [False, True])
def test_l1_ratios(two, refit):
    data, labels = DATA["cancer" if two else "wine"]
    data, labels, ratios = data[::2, :8], labels[::2], [1.0, 0.0, 0.3]
    folds = list(StratifiedKFold(3).split(data, labels))
    options = {"Cs": [0.05, 1.0], "tol": 1e-7, "scoring": "neg_log_loss"}
    model = SoftmaxClassifierCV(cv=folds, l1_ratios=ratios, refit=refit, **options)
    model.fit(data, labels)
    assert model.scores_.shape == model.n_iter_.shape == (3, 3, 2)
    assert model.coefs_paths_.shape == (3, 3, 2, 1 if two else 3, 9)
    for f, (train, test) in enumerate(folds):
        for r, ratio in enumerate(ratios):
            for c, C in enumerate(options["Cs"]):
                one = SoftmaxClassifier(C, l1_ratio=ratio, tol=1e-8)
                one.fit(data[train], labels[train])
                coef = model.coefs_paths_[f, r, c]
                np.testing.assert_allclose(coef[:, :-1], one.coef_, atol=1e-4)
                assert ((coef == 0).sum() > 0) == ((one.coef_ == 0).sum() > 0)
                score = get_scorer("neg_log_loss")(one, data[test], labels[test])
                np.testing.assert_allclose(model.scores_[f, r, c], score, atol=1e-5)
    if refit:
        best = model.scores_.sum(axis=0)[ratios.index(model.l1_ratio_)]
        assert best[options["Cs"].index(model.C_)] == model.scores_.sum(axis=0).max()
        last = SoftmaxClassifier(model.C_, l1_ratio=model.l1_ratio_, tol=1e-8)
        np.testing.assert_allclose(model.coef_, last.fit(data, labels).coef_, atol=1e-4)
    else:
        best = model.scores_.reshape(3, -1).argmax(axis=1)
        assert model.l1_ratio_ == np.mean(np.take(ratios, best // 2))
        assert np.mean(np.take(options["Cs"], best % 2)) == model.C_
        coefs = model.coefs_paths_.reshape(3, 6, -1, 9)[np.arange(3), best]
        np.testing.assert_allclose(model.coef_, coefs.mean(axis=0)[:, :-1])


def test_first_of_equals():
    model = ours(Cs=[1e-4, 1e-5], l1_ratios=[0.5, 0.9], scoring="neg_log_loss").fit(X, y)
    np.testing.assert_allclose(np.ptp(model.scores_, axis=(1, 2)), 0, atol=1e-6)
    model = ours(Cs=[3.0, 1e-3], l1_ratios=[0.5, 0.9], scoring=lambda *given: 0.0).fit(X, y)
    assert (model.C_, model.l1_ratio_) == (3.0, 0.5)


@pytest.mark.parametrize("l1_ratios", [(0,), (0, 0.5)])
def test_weights_are_repetitions(l1_ratios):
    times = np.random.default_rng(2).integers(0, 3, 150)
    groups = np.arange(150) % 3
    options = {"l1_ratios": l1_ratios, "scoring": "neg_log_loss"}
    weighted = ours(cv=list(LeaveOneGroupOut().split(X, y, groups)), **options).fit(X, y, times)
    rows = np.repeat(np.arange(150), times)
    folds = LeaveOneGroupOut().split(rows, None, groups[rows])
    repeated = ours(cv=folds, **options).fit(X[rows], y[rows])
    same(weighted, repeated, atol=1e-3 if len(l1_ratios) > 1 else 1e-4)


# ---- data --------------------------------------------------------------------------------------


@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("l1_ratios", [(0,), (1,)])
@pytest.mark.parametrize("standardize", [False, True])
def test_kinds_of_x(standardize, l1_ratios, two):
    data = np.round(10 * X[: 100 if two else 150])
    labels = np.array(["a", "b", "c"], object)[y[: len(data)]]
    options = {
        "scoring": "neg_log_loss",
        "l1_ratios": l1_ratios,
        "standardize": standardize,
        "fit_intercept": not (standardize and two),
        "label_smoothing": 0.1,
        "Cs": [1e-3, 0.1] if l1_ratios == (1,) else CS,
        "max_iter": 5000,
    }
    whole = ours(**options).fit(data, labels)
    assert whole.predict(data)[0] == "a"
    for form in (np.asfortranarray, sp.csr_array, sp.csc_matrix):
        same(ours(**options).fit(form(data), labels), whole, atol=1e-3)
    for form in (np.float32, np.uint8, sp.csr_array):
        given = form(data).astype(np.float32) if form is sp.csr_array else form(data)
        near = ours(**options | {"tol": 1e-5}).fit(given, labels)
        assert near.coef_.dtype == near.coefs_paths_.dtype == np.float32
        assert near.C_ == whole.C_
        np.testing.assert_allclose(near.scores_, whole.scores_, rtol=1e-2)
        np.testing.assert_array_equal(near.predict(given), whole.predict(data))


def test_standardize_is_a_standard_scaler():
    data, labels = load_wine(return_X_y=True)
    one = ours(standardize=True, scoring="neg_log_loss").fit(data, labels)
    other = ours(scoring="neg_log_loss").fit(SCALE(data), labels)
    np.testing.assert_allclose(one.scores_, other.scores_, rtol=1e-4)
    np.testing.assert_allclose(one.coef_ * data.std(axis=0), other.coef_, atol=1e-4)


@pytest.mark.parametrize("large", [False, True])
def test_any_number_of_threads_gives_the_same(large):
    data, labels = DATA["digits"]
    if large:  # sampled blocks for each class, and threads that pay
        data, labels = np.tile(data, (6, 2)).astype(np.float32), np.tile(labels, 6)
        data += np.random.default_rng(3).normal(size=data.shape).astype(np.float32) / 4
        metric = curvature.curvature_of(Objective(data, labels, 10, np.float32))
        assert isinstance(metric, curvature.Blocks)
    options = {"Cs": [0.01, 1.0], "cv": 2, "l1_ratios": (0,) if large else (0, 0.5)}
    first, *others = (
        SoftmaxClassifierCV(n_jobs=n_jobs, **options).fit(data, labels) for n_jobs in (1, 2, 3)
    )
    for model in others:
        for name in ("coef_", "coefs_paths_", "scores_", "n_iter_"):
            np.testing.assert_array_equal(getattr(model, name), getattr(first, name))


def test_more_models_than_columns(monkeypatch):
    whole = ours(l1_ratios=(0, 1), scoring="neg_log_loss").fit(X, y)
    monkeypatch.setattr(lockstep, "COLUMNS", 7)  # two models of three classes
    same(ours(l1_ratios=(0, 1), scoring="neg_log_loss").fit(X, y), whole, atol=1e-6)


def test_stack_is_objectives_of_their_own_rows():
    masks = np.random.default_rng(4).random((3, 150)) < 0.7
    masks[1, ::7] = True
    theta = np.random.default_rng(5).normal(size=(6, 5, 3))
    for data in (X, sp.csr_array(X)):
        objective = Objective(data, y, 3, np.float64, l2=9.0, sample_weight=S)
        models = [0, 2, 4, 5]
        for k, (loss, grad) in zip(
            models, Stack(objective, masks).loss_grad(models, theta[models]), strict=True
        ):
            mask = masks[k % 3]
            own = Objective(data[mask], y[mask], 3, np.float64, sample_weight=S[mask])
            expected, gradient = own.loss_grad(theta[k])
            np.testing.assert_allclose(loss, expected, rtol=1e-12)
            np.testing.assert_allclose(grad, gradient, atol=1e-12)


def test_passes_are_shared(monkeypatch):
    """Ten folds and one take as many, and the first pass is the only look at X for NaN."""
    passes, looks = [], []
    of_many, of_one = Stack.loss_grad, CheckedObjective.loss_grad
    look = fit_checks.finite_features
    monkeypatch.setattr(Stack, "loss_grad", lambda *given: passes.append(1) or of_many(*given))
    monkeypatch.setattr(
        CheckedObjective, "loss_grad", lambda *given: passes.append(1) or of_one(*given)
    )
    model = ours(cv=10, Cs=[0.1, 1.0, 10.0], scoring=lambda *given: 0.0, l1_ratios=(0, 0.0))
    monkeypatch.setattr(fit_checks, "finite_features", lambda *args: looks.append(1) or look(*args))
    model.fit(X, y)
    assert not looks
    assert len(passes) <= 1 + model.n_iter_.max(axis=(0, 1)).sum() + 20
    passes.clear()
    spoiled = X.copy()
    spoiled[71, 2] = np.nan
    with pytest.raises(ValueError, match="row 71, column 2"):
        ours().fit(spoiled, y)
    assert len(passes) == len(looks) == 1


def test_label_types():
    model = ours().fit(X, np.array(["setosa", "versicolor", "virginica"])[y])
    assert model.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert model.score(X, model.predict(X)) == 1.0
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    assert ours().fit(X, y == 1).predict(X).dtype == bool


# ---- metadata ----------------------------------------------------------------------------------


def test_groups_by_metadata_routing():
    groups = np.arange(150) % 5
    folds = list(GroupKFold(5).split(X, y, groups))
    with config_context(enable_metadata_routing=True):
        scorer = get_scorer("neg_log_loss").set_score_request(sample_weight=True)
        model = ours(cv=GroupKFold(5), scoring=scorer)
        model.set_fit_request(sample_weight=True)
        model.fit(X, y, sample_weight=S, groups=groups)
        score = model.score(X, y, sample_weight=S)
        plain = ours(scoring="neg_log_loss").fit(X, y)
        assert plain.score(X, y) == get_scorer("neg_log_loss")(plain, X, y)
        without = ours(cv=GroupKFold(5)).fit(X, y, groups=groups)
    direct = ours(cv=folds, scoring="neg_log_loss").fit(X, y, S)
    same(model, direct, atol=0)
    assert score == direct.score(X, y, S)
    same(without, ours(cv=folds).fit(X, y), atol=0)


def test_metadata_without_routing():
    with pytest.raises(ValueError, match="enable_metadata_routing=True"):
        ours(cv=GroupKFold(5)).fit(X, y, groups=np.arange(150))
    with pytest.raises(ValueError, match="'groups' parameter should not be None"):
        ours(cv=GroupKFold(5)).fit(X, y)


def test_pipeline():
    with config_context(enable_metadata_routing=True):
        last = ours().set_fit_request(sample_weight=True)
        last.set_params(scoring=get_scorer("accuracy").set_score_request(sample_weight=True))
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, last).fit(X, y, sample_weight=S)
    same(pipeline[-1], ours().fit(SCALE(X), y, S), atol=0)
