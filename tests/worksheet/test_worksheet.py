"""The worksheet's steps, its text and its pictures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from csoftmax import worksheet
from csoftmax.datasets import Dataset

pytest.importorskip("matplotlib", reason="the pictures need matplotlib (csoftmax[cli])")

from csoftmax import plot
from csoftmax.plot import worksheet as pictures
from csoftmax.worksheet import report

N_CLASSES = 3
CLASSIFIERS = list(worksheet.CLASSIFIERS.values())
BY_NAME = pytest.mark.parametrize("classifier", CLASSIFIERS, ids=lambda c: c.name)


def dataset(kind: str = "grey", n_rows: int = 240, *, with_test: bool = False) -> Dataset:
    """Classes that a linear model separates: each is brighter in a place of its own."""
    rng = np.random.default_rng(3)
    shape = {"grey": (4, 5), "colour": (4, 5, 3), "rows": (7,)}[kind]
    y = rng.permutation(np.arange(n_rows) % N_CLASSES)
    X = rng.normal(100, 12, (n_rows, *shape))
    X.reshape(n_rows, -1)[np.arange(n_rows), y] += 80
    X = X.reshape(n_rows, -1)
    if kind == "rows":
        X *= np.logspace(-2, 3, X.shape[1])  # features of very different sizes
    else:
        X = X.clip(0, 255).astype(np.uint8)
    cut = n_rows * 3 // 4 if with_test else n_rows
    test = (X[cut:], y[cut:]) if with_test else (None, None)
    image_shape = None if kind == "rows" else shape
    return Dataset(kind, X[:cut], y[:cut], *test, ("left", "middle", "right"), image_shape)


@pytest.fixture(scope="module", params=["grey", "colour", "rows"])
def sheet(request: pytest.FixtureRequest) -> worksheet.Sheet:
    """A whole worksheet with a small grid, one setting of which diverges."""
    data = worksheet.prepare(dataset(request.param))
    default = worksheet.default_settings(data)
    rates = (default.learning_rates[1], 1e6 * default.learning_rates[1])
    settings = replace(
        default, learning_rates=rates, regs=default.regs[:2], iterations=300, batch_size=50
    )
    sheet = worksheet.Sheet(data, settings, CLASSIFIERS)
    sheet.initial = [worksheet.initial_loss(data, c) for c in CLASSIFIERS]
    sheet.gradients = [worksheet.gradient_check(data, c, settings.regs[1]) for c in CLASSIFIERS]
    sheet.timings = [worksheet.timings(data, c) for c in CLASSIFIERS]
    sheet.searches = [worksheet.search(data, c, settings) for c in CLASSIFIERS]
    sheet.scores = [worksheet.score(data, found) for found in sheet.searches]
    return sheet


def test_split_without_test_rows() -> None:
    source = dataset(n_rows=300)
    data = worksheet.prepare(source)
    assert (len(data.X_test), len(data.X_val), len(data.X_train)) == (60, 24, 216)
    parts = ("train", "val", "test")
    rows = np.concatenate([getattr(data, f"X_{part}") for part in parts])
    order = [np.lexsort(X.T) for X in (rows, source.X_train)]
    np.testing.assert_array_equal(rows[order[0]], source.X_train[order[1]])  # none lost, none twice
    for part in parts:
        counts = np.bincount(getattr(data, f"y_{part}"))
        assert counts.max() - counts.min() <= 1, f"{part} is not stratified: {counts}"


def test_split_keeps_the_test_rows_that_come() -> None:
    source = dataset(n_rows=400, with_test=True)
    data = worksheet.prepare(source)
    np.testing.assert_array_equal(data.X_test, source.X_test)
    np.testing.assert_array_equal(data.y_test, source.y_test)
    assert len(data.X_train) + len(data.X_val) == len(source.X_train)


def test_split_follows_the_seed() -> None:
    source = dataset()
    first, again, other = (worksheet.prepare(source, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.X_val, again.X_val)
    assert not np.array_equal(first.X_val, other.X_val)


def test_cifar10_is_split_as_the_course_does() -> None:
    X = np.zeros((50000, 3072), np.uint8)
    X[:49000, 0], X[49000:, 0], X[::2, 1] = 7, 9, 1
    y = np.arange(50000) % 10
    source = Dataset("CIFAR-10", X, y, X[:2000], y[:2000], tuple("abcdefghij"), (32, 32, 3))
    data = worksheet.prepare(source)
    assert data.is_course
    assert (len(data.X_train), len(data.X_val), len(data.X_test)) == (49000, 1000, 1000)
    assert np.shares_memory(data.X_train, X), "the course's split needs no copy"
    assert (data.X_train[:, 0] == 7).all()
    assert (data.X_val[:, 0] == 9).all()
    assert data.shift[0] == 7
    settings = worksheet.default_settings(data)
    assert {1e-7, 5e-7} <= set(settings.learning_rates)
    assert {2.5e4, 5e4, 1e5} <= set(settings.regs)  # 2.5e4, 5e4 in both readings of reg
    assert (settings.iterations, settings.batch_size) == (1500, 200)


def test_images_are_centred_and_other_rows_scaled_too() -> None:
    image, rows = worksheet.prepare(dataset("grey")), worksheet.prepare(dataset("rows"))
    assert image.scale is None
    assert image.X_train.dtype == np.uint8
    np.testing.assert_allclose(image.shift, image.X_train.mean(axis=0))
    np.testing.assert_allclose(image.spread, image.X_train.var(axis=0).sum())
    assert rows.scale is not None
    np.testing.assert_allclose(rows.scale, 1 / rows.X_train.std(axis=0))
    np.testing.assert_allclose(rows.spread, 7.0)


def test_constant_features_are_not_divided_by_zero() -> None:
    source = dataset("rows")
    source.X_train[:, 2] = 5.0
    scale = worksheet.prepare(source).scale
    assert scale is not None
    assert scale[2] == 1.0


def test_integers_become_float32_once() -> None:
    source = replace(dataset(), X_train=dataset().X_train.astype(np.int64))
    assert worksheet.prepare(source).X_train.dtype == np.float32


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_refuses_features_that_are_not_finite(value: float) -> None:
    source = dataset("rows")
    source.X_train[:, 4] = value
    with pytest.raises(ValueError, match="rows: feature 4 holds NaN or infinity"):
        worksheet.prepare(source)


@pytest.mark.parametrize("kind", ["grey", "rows"])
def test_refuses_features_that_are_constant_over_the_training_rows(kind: str) -> None:
    source = dataset(kind, with_test=True)
    source.X_train[:] = 3
    with pytest.raises(ValueError, match=rf"^{kind}: all \d+ features are constant over the 1"):
        worksheet.prepare(source)
    source.X_train[::2, 1] = 4  # one that varies is enough
    data = worksheet.prepare(source)
    check = worksheet.gradient_check(data, CLASSIFIERS[0], reg=0.0)
    assert max(check.relative_error) < 1e-6


@BY_NAME
def test_gradient_check_where_no_feature_varies_over_its_rows(
    classifier: worksheet.Classifier,
) -> None:
    source = dataset("rows", n_rows=3000)
    source.X_train[:] = 0
    source.X_train[7] = 1
    data = worksheet.prepare(source)
    check = worksheet.gradient_check(data, classifier, reg=0.1)
    assert max(check.relative_error) < 1e-6


def test_refuses_sparse_rows() -> None:
    sparse = pytest.importorskip("scipy.sparse", reason="sparse rows need SciPy")
    source = dataset("rows")
    source = replace(source, X_train=sparse.csr_matrix(source.X_train))
    with pytest.raises(ValueError, match=r"rows holds sparse rows \(csr, 240 x 7\): .* dense rows"):
        worksheet.prepare(source)


def test_refuses_one_class_and_too_few_rows() -> None:
    source = dataset()
    with pytest.raises(ValueError, match="grey holds 1 class: wanted two or more"):
        worksheet.prepare(replace(source, y_train=np.zeros(240, np.int64)))
    with pytest.raises(ValueError, match="holds 29 rows for 3 classes: wanted at least ten"):
        worksheet.prepare(replace(source, X_train=source.X_train[:29], y_train=source.y_train[:29]))


def test_initial_loss_is_near_its_expectation(sheet: worksheet.Sheet) -> None:
    softmax, svm = sheet.initial
    assert softmax.expected == pytest.approx(np.log(N_CLASSES))
    assert svm.expected == N_CLASSES - 1
    for result in sheet.initial:
        assert result.loss == pytest.approx(result.expected, rel=0.01)
        assert result.loss != result.expected


def test_gradients_agree(sheet: worksheet.Sheet) -> None:
    for result in sheet.gradients:
        assert max(result.relative_error) < 1e-6
        assert any(value != 0 for value in result.analytic)
        np.testing.assert_allclose(result.numerical, result.analytic, rtol=1e-5)


@BY_NAME
def test_gradient_check_finds_a_wrong_gradient(classifier: worksheet.Classifier) -> None:
    def wrong(*args: object, **options: object) -> tuple[object, ...]:
        loss, dW, dbias = classifier.loss_grad(*args, **options)
        return loss, 1.001 * dW, dbias

    result = worksheet.gradient_check(
        worksheet.prepare(dataset()), replace(classifier, loss_grad=wrong), 0.0
    )
    assert min(result.relative_error) > 1e-4


def test_implementations_agree(sheet: worksheet.Sheet) -> None:
    for group in sheet.timings:
        assert len(group) == 5
        assert group[0].difference == 0
        for timing in group:
            tolerance = 1e-10 if timing.arithmetic == "float64" else 1e-4
            assert timing.loss == pytest.approx(group[0].loss, rel=tolerance)
            assert timing.difference < 100 * tolerance
            assert timing.seconds > 0


def test_search_holds_every_setting_and_the_best(sheet: worksheet.Sheet) -> None:
    settings = sheet.settings
    for found, score in zip(sheet.searches, sheet.scores, strict=True):
        grid = [(rate, reg) for rate in settings.learning_rates for reg in settings.regs]
        assert [(t.learning_rate, t.reg) for t in found.trials] == grid
        assert found.best.val_accuracy == max(t.val_accuracy for t in found.trials)
        assert all(len(t.losses) == settings.iterations for t in found.trials)
        assert not found.best.diverged
        assert found.best.val_accuracy > 0.8
        assert score.accuracy > 0.8
        assert len(score.class_accuracy) == N_CLASSES


@BY_NAME
def test_search_repeats_and_leaves_numpys_generator_alone(
    classifier: worksheet.Classifier,
) -> None:
    data = worksheet.prepare(dataset())
    settings = replace(worksheet.default_settings(data), iterations=20)
    np.random.seed(5)
    first = worksheet.search(data, classifier, settings)
    drawn = np.random.rand()
    again = worksheet.search(data, classifier, settings)
    np.random.seed(5)
    assert drawn == np.random.rand()
    assert [t.losses for t in first.trials] == [t.losses for t in again.trials]
    other = worksheet.search(data, classifier, replace(settings, seed=1))
    assert other.trials[0].losses != first.trials[0].losses


@BY_NAME
@pytest.mark.parametrize("kind", ["grey", "rows"])
def test_trials_are_the_courses_models(kind: str, classifier: worksheet.Classifier) -> None:
    data = worksheet.prepare(dataset(kind))
    settings = replace(worksheet.default_settings(data), iterations=30, batch_size=20, seed=4)
    found = worksheet.search(data, classifier, settings)
    state = np.random.get_state()
    for trial in found.trials:
        model = classifier.model()
        np.random.seed(settings.seed)
        losses = model.train(
            data.X_train,
            data.y_train,
            trial.learning_rate,
            trial.reg,
            settings.iterations,
            settings.batch_size,
            fit_bias=True,
            **data.features,
        )
        assert trial.losses == tuple(losses)
        for part in ("train", "val"):
            X, y = getattr(data, f"X_{part}"), getattr(data, f"y_{part}")
            assert getattr(trial, f"{part}_accuracy") == (model.predict(X) == y).mean()
        if trial is found.best:
            assert (found.model.W == model.W).all()
            assert (found.model.b == model.b).all()
    np.random.set_state(state)


def test_search_that_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    from csoftmax.search import train_many

    data = worksheet.prepare(dataset())
    monkeypatch.setattr(
        "csoftmax.worksheet._steps.train_many",
        lambda *args, **options: train_many(*args, callback=lambda *_: True, **options),
    )
    with pytest.raises(KeyboardInterrupt):
        worksheet.search(data, CLASSIFIERS[0], worksheet.default_settings(data))


def test_the_published_grid_is_that_of_cifar10() -> None:
    data = worksheet.prepare(dataset())
    with pytest.raises(ValueError, match="is that of CIFAR-10, and the data are grey"):
        worksheet.published_settings(data)
    settings = worksheet.published_settings(replace(data, is_course=True))
    default = worksheet.default_settings(replace(data, is_course=True))
    for whole, few in (
        (settings.learning_rates, default.learning_rates),
        (settings.regs, default.regs),
    ):
        assert len(whole) == 10
        assert {whole[0], whole[-1]} < set(few)
        assert np.ptp(np.diff(whole)) < 1e-9 * whole[-1]


def test_search_wants_a_setting() -> None:
    data = worksheet.prepare(dataset())
    settings = worksheet.default_settings(data)
    with pytest.raises(ValueError, match="hold no setting: wanted at least one of each"):
        worksheet.search(data, CLASSIFIERS[0], replace(settings, regs=()))


def test_score_is_the_accuracy_on_the_test_rows(sheet: worksheet.Sheet) -> None:
    for found, score in zip(sheet.searches, sheet.scores, strict=True):
        right = found.model.predict(sheet.data.X_test) == sheet.data.y_test
        assert score.accuracy == right.mean()
        counts = np.bincount(sheet.data.y_test)
        assert np.dot(score.class_accuracy, counts) == pytest.approx(right.sum())


def test_text_fits_the_terminal_and_holds_the_numbers(sheet: worksheet.Sheet) -> None:
    steps = (
        report.title,
        report.data,
        report.centring,
        report.initial_loss,
        report.gradient_check,
        report.timings,
        report.search,
        report.scores,
    )
    text = "\n".join(step(sheet) for step in steps)
    assert max(map(len, text.splitlines()[2:])) <= 80
    for number in range(1, 8):
        assert f"\n{number}. " in text
    for found, score in zip(sheet.searches, sheet.scores, strict=True):
        assert f"{found.best.val_accuracy:.3f}*" in text
        assert f"{score.accuracy:.3f}\n" in text


def test_text_marks_what_diverged(sheet: worksheet.Sheet) -> None:
    if not any(t.diverged for found in sheet.searches for t in found.trials):
        pytest.fail("the grid of this test has a learning rate at which training diverges")
    assert "! the loss diverged" in report.search(sheet)


def test_document_is_strict_json_and_consistent(sheet: worksheet.Sheet) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    document = json.loads(report.document(sheet), parse_constant=refuse)
    assert document["data"]["rows"]["train"] == len(sheet.data.X_train)
    assert document["settings"]["regs"] == list(sheet.settings.regs)
    assert document["csoftmax"]["version"]
    assert document["machine"]["processor"]
    for search, found in zip(document["search"], sheet.searches, strict=True):
        accuracies = [trial["val_accuracy"] for trial in search["trials"]]
        assert search["best_val_accuracy"] == max(accuracies) == accuracies[search["best"]]
        best = search["trials"][search["best"]]
        every = search["loss_every"]
        assert best["losses"][0] == pytest.approx(np.mean(found.best.losses[:every]))
        assert len(best["losses"]) == -(-sheet.settings.iterations // every)


def test_every_picture_is_drawn(sheet: worksheet.Sheet, tmp_path: Path) -> None:
    from matplotlib.image import imread

    names = plot.write_all(sheet, tmp_path)
    expected = {"softmax-surface.png"} | ({"mean.png"} if sheet.data.image_shape else set())
    for name in worksheet.CLASSIFIERS:
        expected |= {f"loss-{name}.png", f"search-{name}.png", f"weights-{name}.png"}
        if all(map(pictures.has_accuracies, sheet.searches)):
            expected.add(f"accuracy-{name}.png")
    assert set(names) == expected == {path.name for path in tmp_path.iterdir()}
    for name in names:
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        pixels = imread(tmp_path / name)
        assert min(pixels.shape[:2]) > 100
        assert pixels[..., :3].std() > 0.01, f"{name} is blank"


def test_cifar10_reaches_the_courses_accuracies(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from csoftmax.datasets import load

    # Threads that wait for each other 6000 times take minutes where the cores are shared.
    monkeypatch.setattr("csoftmax._native.threads._limit", 1)
    data = worksheet.prepare(load(data_dir / "cifar-10-batches-py"))
    settings = replace(worksheet.default_settings(data), learning_rates=(5e-7,))
    found = worksheet.search(data, worksheet.CLASSIFIERS["softmax"], settings)
    assert sum(trial.is_published for trial in found.trials) == 2
    assert found.best.val_accuracy >= 0.35
    assert worksheet.score(data, found).accuracy >= 0.33
