"""Models written to files and read again: all their parts, foreign files, and failures."""

import os
import pickle

import numpy as np
import pytest
from builds import needs_links, needs_pipes

from csoftmax.cs231n.classifiers import LinearClassifier, LinearSVM, Softmax


def trained(classifier=Softmax, dtype=np.float64, **options):
    r = np.random.default_rng(0)
    X, y = r.integers(0, 256, (60, 5)).astype(dtype), np.arange(60) % 3
    np.random.seed(0)
    model = classifier()
    model.train(X, y, 1e-4, num_iters=5, **options)
    return model, X


@pytest.mark.parametrize("classifier", [Softmax, LinearSVM])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"fit_bias": True},
        {"shift": np.arange(5.0)},
        {"shift": [1, 2, 3, 4, 5], "scale": np.full(5, 0.5, np.float32), "fit_bias": True},
    ],
    ids=["W", "W b", "W shift", "W b shift scale"],
)
def test_all_parts_come_back(tmp_path, capsys, classifier, dtype, options):
    model, X = trained(classifier, dtype, **options)
    path = tmp_path / "model.npy"
    assert model.save(path) is None
    other = classifier()
    other.W, other.b, other.shift = np.zeros((2, 2)), np.zeros(2), np.zeros(2)  # all replaced
    assert other.load(str(path)) is True
    assert capsys.readouterr().out == f"{path} saved.\n{path} loaded.\n"
    for name in ("W", "b", "shift", "scale"):
        was, is_now = getattr(model, name), getattr(other, name)
        assert (was is None) == (is_now is None)
        if was is not None:
            np.testing.assert_array_equal(is_now, was)
            assert is_now.dtype == np.asarray(was).dtype
            assert is_now.flags.writeable
            assert is_now.flags.c_contiguous
    np.testing.assert_array_equal(other.predict(X), model.predict(X))
    stored = np.load(path)  # no pickle, and what the docstring says
    np.testing.assert_array_equal(stored["W"] if stored.dtype.names else stored, model.W)
    np.random.seed(1)
    more = model.train(X, np.arange(60) % 3, 1e-4, num_iters=3, **options)
    np.random.seed(1)
    assert other.train(X, np.arange(60) % 3, 1e-4, num_iters=3, **options) == more


def test_the_suffix_is_added_and_a_file_is_replaced_as_a_whole(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    model, _ = trained()
    model.save("model")
    assert os.listdir() == ["model.npy"]
    model.W = model.W + 1
    model.save("model")
    other = Softmax()
    assert other.load("model")
    np.testing.assert_array_equal(other.W, model.W)

    def full_disk(*args, **kwargs):
        raise OSError(28, "No space left on device")

    before = (tmp_path / "model.npy").read_bytes()
    monkeypatch.setattr(np, "save", full_disk)
    with pytest.raises(OSError, match="No space left"):
        model.save("model.npy")
    assert os.listdir() == ["model.npy"]
    assert (tmp_path / "model.npy").read_bytes() == before


@needs_links
def test_a_link_stays_one(tmp_path, capsys):
    model, _ = trained()
    os.symlink("model.npy", tmp_path / "link.npy")
    model.save(tmp_path / "link")
    assert (tmp_path / "link.npy").is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["link.npy", "model.npy"]
    other = Softmax()
    assert other.load(tmp_path / "model")
    np.testing.assert_array_equal(other.W, model.W)


def test_what_cannot_be_saved_leaves_no_file(tmp_path):
    path = tmp_path / "model.npy"
    with pytest.raises(ValueError, match="W is None: wanted a call of train"):
        Softmax().save(path)
    model, _ = trained(fit_bias=True)
    with pytest.raises(FileNotFoundError, match=r"nowhere is no folder"):
        model.save(tmp_path / "nowhere" / "model.npy")
    model.b = np.zeros(2)
    with pytest.raises(ValueError, match=r"bias has shape \(2,\)"):
        model.save(path)
    model.b, model.shift = None, np.zeros(4)
    with pytest.raises(ValueError, match=r"shift has shape \(4,\)"):
        model.save(path)
    model.shift, model.W = None, np.zeros((5, 3), int)
    with pytest.raises(TypeError, match="W has dtype int64"):
        model.save(path)
    assert os.listdir(tmp_path) == []


class Boom:
    """Unpickled, it would leave a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def record(**parts):
    parts = {name: np.asarray(part) for name, part in parts.items()}
    made = np.empty((), [(name, part.dtype, part.shape) for name, part in parts.items()])
    for name, part in parts.items():
        made[name] = part
    return made


W = np.ones((3, 2))
FOREIGN = {
    "a vector": np.ones(3),
    "three dimensions": np.ones((3, 2, 1)),
    "no classes": np.ones((3, 0)),
    "integers": np.ones((3, 2), int),
    "complex": np.ones((3, 2), complex),
    "float16": np.ones((3, 2), np.float16),
    "strings": np.array([["a", "b"]]),
    "no W": record(b=np.ones(2)),
    "another field": record(W=W, momentum=W),
    "a bias too long": record(W=W, b=np.ones(3)),
    "a shift too short": record(W=W, shift=np.ones(2)),
    "a scale that is complex": record(W=W, scale=np.ones(3, complex)),
    "many records": np.empty(2, record(W=W).dtype),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_arrays_are_refused_by_name(tmp_path, kind, capsys):
    path = tmp_path / "foreign.npy"
    np.save(path, FOREIGN[kind])
    check_refused(path, capsys)


def check_refused(path, capsys):
    model, _ = trained()
    before = model.W
    with pytest.raises(ValueError, match=r"\.npy.*: wanted the weights \(D, C\) in float32") as e:
        model.load(path)
    assert str(path) in str(e.value)
    assert model.W is before
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("how", ["the course's own", "harmful", "bare"])
def test_pickles_do_not_run(tmp_path, how, capsys):
    path, trace = tmp_path / "pickle.npy", tmp_path / "trace"
    if how == "bare":
        path.write_bytes(pickle.dumps(Boom(str(trace))))
    else:
        np.save(path, {"W": Boom(str(trace)) if how == "harmful" else W})
    check_refused(path, capsys)
    assert not trace.exists()


@pytest.mark.parametrize(
    "kind",
    [
        "empty",
        "a folder",
        pytest.param("a pipe", marks=needs_pipes),
        "an archive",
        "text",
    ],
)
def test_other_files_are_refused_by_name(tmp_path, kind, capsys):
    path = tmp_path / "other.npy"
    match kind:
        case "a folder":
            path.mkdir()
        case "a pipe":
            os.mkfifo(path)
        case "an archive":
            with path.open("wb") as stream:
                np.savez(stream, W=W)
        case _:
            path.write_text("" if kind == "empty" else "weights\n" * 9)
    check_refused(path, capsys)


def test_damaged_files_are_a_value_error_or_a_model(tmp_path):
    path = tmp_path / "damaged.npy"
    model, _ = trained(fit_bias=True, shift=np.arange(5))
    model.save(path)
    whole, r = path.read_bytes(), np.random.default_rng(0)
    for _ in range(400):
        data = bytearray(whole)
        for at in r.integers(0, 200 if r.random() < 0.8 else len(data), r.integers(1, 4)):
            data[at] = r.integers(0, 256)
        path.write_bytes(data[: r.integers(0, len(data))] if r.random() < 0.3 else data)
        read, message = Softmax(), ""
        try:
            assert read.load(path)
        except ValueError as error:
            message = str(error)
        assert str(path) in message if read.W is None else read.W.ndim == 2


@pytest.mark.parametrize("form", ["big-endian", "fortran", "float32"])
def test_weights_from_elsewhere_load(tmp_path, form):
    weights = np.arange(6.0).reshape(3, 2)
    path = tmp_path / "weights.npy"
    np.save(
        path,
        {
            "big-endian": weights.astype(">f8"),
            "fortran": np.asfortranarray(weights),
            "float32": weights.astype(np.float32),
        }[form],
    )
    model = LinearSVM()
    assert model.load(path)
    np.testing.assert_array_equal(model.W, weights)
    assert model.W.dtype == (np.float32 if form == "float32" else np.float64)
    assert model.W.dtype.isnative
    assert model.W.flags.c_contiguous


def test_classes_of_ones_own_are_saved_too(tmp_path):
    class Mine(LinearClassifier):
        def loss(self, X_batch, y_batch, reg):
            raise NotImplementedError

    model, other = Mine(), Mine()
    model.W = W
    model.save(tmp_path / "mine.npy")
    assert other.load(tmp_path / "mine.npy")
    np.testing.assert_array_equal(other.W, W)
