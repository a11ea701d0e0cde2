"""SoftmaxClassifierCV chooses as LogisticRegressionCV does, and has its attributes."""

from __future__ import annotations

import pickle
import re
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning, NotFittedError, SkipTestWarning
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import get_scorer, make_scorer, recall_score
from sklearn.model_selection import GroupKFold, KFold, LeaveOneGroupOut, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks, estimator_html_repr

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
    with pytest.raises(ValueError, match="row 71, column 2"):
        ours().fit(spoiled(np.nan), y)
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


# ---- scikit-learn ------------------------------------------------------------------------------

VARIANTS = [
    {},
    {"cv": 3, "Cs": 2, "l1_ratios": (0.0, 0.5), "scoring": "neg_log_loss"},
    {"cv": 3, "Cs": 2, "standardize": True, "class_weight": "balanced", "refit": False},
]


def checks():
    for options in VARIANTS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SkipTestWarning)
            found = estimator_checks.estimator_checks_generator(SoftmaxClassifierCV(**options))
            for instance, check in found:
                name = check.func.__name__
                if name == "check_sparsify_coefficients" and "cv" not in options:
                    continue  # three rows of each class are too few for the five folds
                if name != "check_array_api_input":  # it wants a setting of its own: below
                    words = "-".join(options) or "default"
                    yield pytest.param(instance, check, id=f"{words}-{name}")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_estimator_checks(estimator, check):
    check(estimator)


def test_clone_pickle_and_html():
    model = ours(Cs=[1.0]).fit(X, y)
    assert clone(model).get_params() == model.get_params()
    assert repr(SoftmaxClassifierCV(Cs=3)) == "SoftmaxClassifierCV(Cs=3)"
    assert "SoftmaxClassifierCV" in estimator_html_repr(model)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict_proba(X), model.predict_proba(X))


def test_set_output_and_feature_names():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcd"))
    pipeline = make_pipeline(StandardScaler(), ours()).set_output(transform="pandas")
    assert pipeline.fit(frame, pandas.Series(y))[-1].feature_names_in_.tolist() == list("abcd")
    model = ours().fit(frame, pandas.Series(y))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[list("bacd")])


def test_verbose(capsys):
    model = ours(verbose=1, l1_ratios=(0, 1)).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= model.n_iter_.max(axis=(0, 1)).sum()
    assert re.fullmatch(r" +6 of 6 models  passes 2  \d+\.\d{3} s", lines[0])
    ours().fit(X, y)
    assert not capsys.readouterr().out


def test_convergence_warning():
    words = r"1?[0-9] of 10 fits of SoftmaxClassifierCV .*max_iter=2 .*tol=1e-08"
    with pytest.warns(ConvergenceWarning, match=words) as seen:
        model = ours(max_iter=2).fit(X, y)
    assert seen[0].filename == __file__
    assert model.n_iter_.max() == 2


# ---- what it refuses ---------------------------------------------------------------------------


def refused(*message, X=X, y=y, sample_weight=None, **options):
    """All words of the message must be there, in this order."""
    with pytest.raises(ValueError, match="(?s)" + ".*".join(map(re.escape, message))):
        SoftmaxClassifierCV(**options).fit(X, y, sample_weight)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"Cs": 0}, ["'Cs' parameter of SoftmaxClassifierCV must be", "Got 0 instead"]),
        ({"Cs": [1.0, 0.0]}, ["Cs is [1.0, 0.0]: wanted a positive integer, or positive numbers"]),
        ({"Cs": []}, ["Cs is []"]),
        ({"Cs": [np.nan]}, ["Cs is [nan]"]),
        ({"Cs": [[1.0]]}, ["Cs is [[1.0]]"]),
        ({"Cs": ["a"]}, ["Cs is ['a']", "positive numbers"]),
        ({"l1_ratios": 0.5}, ["'l1_ratios'", "Got 0.5"]),
        ({"l1_ratios": (0, 1.1)}, ["l1_ratios is (0, 1.1): wanted numbers from 0 to 1"]),
        ({"l1_ratios": [None]}, ["l1_ratios is [None]"]),
        ({"cv": 1.5}, ["'cv'", "Got 1.5"]),
        ({"scoring": "best"}, ["'scoring'", "Got 'best'"]),
        ({"tol": -1}, ["'tol'", "Got -1"]),
        ({"max_iter": -1}, ["'max_iter'", "Got -1"]),
        ({"class_weight": "even"}, ["'class_weight'", "Got 'even'"]),
        ({"standardize": 2}, ["'standardize'", "Got 2"]),
        ({"label_smoothing": 1.01}, ["'label_smoothing'", "Got 1.01"]),
        ({"refit": None}, ["'refit'", "Got None"]),
        ({"n_jobs": 0}, ["n_jobs is 0"]),
        ({"verbose": -1}, ["'verbose'", "Got -1"]),
        ({"fit_intercept": "yes"}, ["'fit_intercept'", "Got 'yes'"]),
        ({"Cs": [1e-38]}, ["C is 1e-38", "weights 120", "at least 1e-30"]),
    ],
)
def test_refused_options(options, message):
    refused(*message, **options)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"y": None}, ["requires y to be passed, but the target y is None"]),
        ({"y": y[:-1]}, ["inconsistent numbers of samples", "[150, 149]"]),
        ({"y": np.zeros(150)}, ["needs samples of at least 2 classes", "only one class: ", "0.0"]),
        ({"y": X[:, 0]}, ["Unknown label type"]),
        ({"y": np.eye(3)[y]}, ["y should be a 1d array", "(150, 3)", "folds and scores"]),
        ({"class_weight": {7: 1.0}}, ["[0, 1, 2], are not in class_weight"]),
        ({"sample_weight": np.ones(3)}, ["sample_weight.shape == (3,), expected (150,)"]),
        ({"sample_weight": np.r_[np.ones(149), -1]}, ["sample_weight[149] is -1", "no negative"]),
        ({"sample_weight": np.zeros(150)}, ["eight", "zero"]),
        ({"sample_weight": np.arange(150) == 0}, ["eight", "zero"]),  # all of it in one fold
        ({"X": X[:, 0]}, ["Expected 2D array, got 1D array instead"]),
        ({"X": X[:, :0]}, ["0 feature(s)", "minimum of 1"]),
        ({"X": X[:2], "y": y[[0, 149]]}, ["n_splits=5"]),
        ({"cv": [([0, 0, 60], [3])]}, ["fold 0 of cv trains on 3 rows, of which 2 are different"]),
        ({"cv": [([], [3])]}, ["fold 0 of cv trains on 0 rows", "wanted at least one"]),
    ],
)
def test_refused_data(data, message):
    refused(*message, **data)


def spoiled(value, dtype=np.float64):
    data = X.astype(dtype)
    data[71, 2] = value
    return data


@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, sp.csr_array])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite(value, standardize, dtype, form):
    words = "contains NaN" if np.isnan(value) else "contains infinity or a value too large"
    data = form(spoiled(value, dtype))
    where = "row 71, column 2"
    refused("Input X " + words, where, X=data, standardize=standardize)
    unused = [([i for i in range(150) if i not in (71, test)], [test]) for test in (0, 149)]
    refused("Input X " + words, where, X=data, cv=unused, standardize=standardize)
    model = ours()
    with pytest.raises(ValueError, match="Input X"):
        model.fit(data, y)
    with pytest.raises(NotFittedError):
        model.predict(X)


def test_too_large_for_the_arithmetic():
    # huge features are scaled, where the rows that are looked at are so
    large, labels = np.tile(X, (32, 1)).astype(np.float32), np.tile(y, 32)
    seen = np.linspace(0, len(large) - 1, 1024).astype(int)
    large[np.setdiff1d(np.arange(len(large)), seen)] = 1e38
    words = ["not finite at the start, though X is", "float32", "standardize"]
    refused(*words, X=large, y=labels)
