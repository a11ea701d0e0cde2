"""csoftmax train: what it learns, writes, says and refuses, of files of every kind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from table_files import birds, part, write_csv, write_parquet

from csoftmax import load_model
from csoftmax.cli import main

for package in ("sklearn", "pyarrow", "tabulate"):
    pytest.importorskip(package, reason="csoftmax train wants it")


def train(*arguments: object) -> None:
    assert main(["train", *map(str, arguments)]) == 0


def trained(capsys, *arguments: object) -> dict:
    """What train says as JSON."""
    capsys.readouterr()
    train(*arguments, "--json")
    return json.loads(capsys.readouterr().out)


def test_a_person_gets_a_model_its_accuracy_and_what_was_done(flock, tmp_path, capsys):
    path = tmp_path / "m.safetensors"
    train(flock / "birds.csv", "--target", "species", "--model", path)
    text, said = capsys.readouterr()
    assert said == ""
    lines = text.splitlines()
    assert lines[0] == f"{flock / 'birds.csv'}: 200 rows, 8 columns"
    words = " ".join(text.split())
    for part_ in (
        "classes 3, of species: Adelie ",
        "numbers bill, mass",
        "categories island (3 values), sex (3 values), tagged (2 values)",
        "left out rowid: it numbers the rows; planet: always 'Earth'",
        "filled with the mean; sex ",
        "a category of their own",
        "rows 160 to learn from, 40 to measure on (held out, seed 0)",
        "fit: C=1, ",
        "on the rows held out: accuracy 0.",
        "class precision recall F1 rows",
        f"model: {path}",
    ):
        assert part_ in words, part_
    model = load_model(path)
    new = part(birds(), slice(200, None))
    right = np.mean(model.predict(new) == new["species"])
    assert right > 0.85


def test_the_held_out_rows_have_no_part_in_the_model(flock, tmp_path, capsys):
    """The numbers are those of the same steps by scikit-learn's own hands."""
    pandas = pytest.importorskip("pandas")
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import accuracy_score, log_loss
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    from csoftmax.tabular.labels import held_out

    told = trained(capsys, flock / "birds.csv", "--target", "species", "--seed", 3)
    frame = pandas.read_csv(flock / "birds.csv")
    classes, codes = np.unique(frame["species"], return_inverse=True)
    test = held_out(codes, 0.2, 3)
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["bill", "mass"]),
        (OneHotEncoder(handle_unknown="ignore"), ["island", "sex", "tagged"]),
    )
    theirs = make_pipeline(columns, LogisticRegression(tol=1e-8, max_iter=10000))
    theirs.fit(frame[~test], frame["species"][~test])
    proba = theirs.predict_proba(frame[test])
    expected = log_loss(frame["species"][test], proba)
    assert told["evaluation"]["log_loss"] == pytest.approx(expected, rel=1e-3)
    accuracy = accuracy_score(frame["species"][test], classes[proba.argmax(axis=1)])
    assert told["evaluation"]["accuracy"] == pytest.approx(accuracy, abs=0.026)
    assert told["training_rows"] + told["test_rows"] == told["rows"] == 200
    assert sum(told["classes"].values()) == 200
    assert told["numbers"] == ["bill", "mass"]
    assert told["left_out"].keys() == {"rowid", "planet"}


def test_parquet_and_csv_and_blocks_make_the_same_model(flock, tmp_path, capsys):
    table = part(birds(), slice(200))
    (tmp_path / "birds").mkdir()
    for k in range(2):
        rows = part(table, slice(100 * k, 100 * k + 100))
        write_parquet(tmp_path / "birds" / f"part-{k}.parquet", rows)
    arguments = ["--target", "species", "--model"]
    train(flock / "birds.csv", *arguments, tmp_path / "a", "--quiet")
    train(tmp_path / "birds", *arguments, tmp_path / "b", "--quiet")
    train(flock / "birds.csv", *arguments, tmp_path / "c", "--quiet", "--memory", "1e-9")
    assert capsys.readouterr() == ("", "")
    one, *others = (load_model(tmp_path / name) for name in "abc")
    for other in others:
        for ours, theirs in zip(other.preparation.columns, one.preparation.columns, strict=True):
            if ours != theirs:  # sums of other batches
                assert ours.name == theirs.name
                assert ours.mean == pytest.approx(theirs.mean, rel=1e-12)
                assert ours.scale == pytest.approx(theirs.scale, rel=1e-12)
        np.testing.assert_allclose(other.model.coef_, one.model.coef_, atol=2e-3)


def test_many_categories_are_sparse(tmp_path, capsys):
    rng = np.random.default_rng(0)
    street = rng.integers(0, 200, 3000)
    table = {"street": [f"s{k}" for k in street], "y": street % 2, "x": rng.normal(size=3000)}
    write_csv(tmp_path / "t.csv", table)
    told = trained(capsys, tmp_path / "t.csv", "--target", "y")
    assert told["features"] == 201
    assert told["evaluation"]["accuracy"] > 0.99
    told = trained(capsys, tmp_path / "t.csv", "--target", "y", "--memory", "1e-9")
    assert told["evaluation"]["accuracy"] > 0.99


def test_the_options_of_the_fit(flock, tmp_path, capsys):
    data = [flock / "birds.csv", "--target", "species"]
    told = trained(
        capsys, *data, "--cv", 3, "--class-weight", "balanced", "--model", tmp_path / "m"
    )
    assert told["fit"]["folds"] == 3
    assert len(told["fit"]["scores"]) == 10
    model = load_model(tmp_path / "m").model
    assert told["fit"]["C"] == model.C_
    assert (model.cv, model.class_weight) == (3, "balanced")
    blocks = trained(capsys, *data, "--cv", 3, "--class-weight", "balanced", "--memory", "1e-9")
    assert blocks["fit"]["scores"] == pytest.approx(told["fit"]["scores"], abs=0.02)
    told = trained(capsys, *data, "--C", 0.05, "--l1-ratio", 1, "--model", tmp_path / "m")
    assert told["fit"]["zero_weights"] > 5
    model = load_model(tmp_path / "m").model
    assert (model.C, model.l1_ratio, model.max_iter) == (0.05, 1.0, 1000)
    train(*data, "--cv", "--quiet")
    train(*data, "--cv")
    assert "the best of 10 with accuracy 0." in capsys.readouterr().out


@pytest.mark.filterwarnings("default")
def test_a_warning_is_a_line(flock, capsys):
    train(flock / "birds.csv", "--target", "species", "--max-iter", 1, "--quiet")
    said = capsys.readouterr().err
    assert said.startswith("csoftmax train: warning: SoftmaxClassifier")
    assert said.count("\n") == 1


def test_columns_that_are_chosen(flock, capsys):
    data = [flock / "birds.csv", "--target", "species"]
    told = trained(capsys, *data, "--features", "mass", "sex")
    assert (told["numbers"], list(told["categories"])) == (["mass"], ["sex"])
    told = trained(capsys, *data, "--drop", "mass", "--categorical", "bill")
    assert (told["numbers"], list(told["categories"])[:2]) == ([], ["island", "bill"])


def test_a_file_for_the_test(flock, tmp_path, capsys):
    data = [flock / "birds.csv", "--target", "species", "--test"]
    told = trained(capsys, *data, flock / "new.csv")
    assert (told["training_rows"], told["test_rows"]) == (200, 40)
    assert told["test"] == str(flock / "new.csv")
    table = part(birds(), slice(200, None))
    table["species"] = ["Dodo", None, *table["species"][2:]]
    told = trained(capsys, *data, write_csv(tmp_path / "t.csv", table))
    assert (told["test_rows"], told["test_rows_of_other_labels"]) == (38, 1)


@pytest.mark.parametrize("labels", ["ints", "bools", "texts", "gaps"])
def test_labels_of_all_types(labels, tmp_path, capsys):
    table = birds()
    of = {
        "ints": [k % 3 for k in range(240)],
        "bools": [k % 2 == 0 for k in range(240)],
        "texts": ["yes" if k % 2 else "no" for k in range(240)],
        "gaps": [None if k % 3 == 0 else k % 2 for k in range(240)],
    }[labels]
    table["species"] = of
    path = write_csv(tmp_path / "t.csv", table)
    told = trained(capsys, path, "--target", "species", "--model", tmp_path / "m")
    classes = sorted({value for value in of if value is not None})
    assert load_model(tmp_path / "m").classes_.tolist() == classes
    assert told["rows_without_label"] == (80 if labels == "gaps" else 0)
    assert told["training_rows"] + told["test_rows"] == 240 - told["rows_without_label"]
    train(path, "--target", "species")
    words = " ".join(capsys.readouterr().out.split())
    assert ("80 without a label left out" in words) == (labels == "gaps")


# ---- files of arrays ---------------------------------------------------------------------------


def arrays() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return X[:600].astype(np.uint8), y[:600]


def files(tmp_path: Path, kind: str) -> list[object]:
    """The digits in a file, and what train wants beside its name."""
    X, y = arrays()
    path = tmp_path / f"digits.{kind}"
    if kind == "npz":
        np.savez(path, X=X.reshape(-1, 8, 8), y=y)
    elif kind == "npy":
        np.save(path, np.column_stack([y, X]).astype(np.float32))
        return [path, "--target", 0]
    elif kind == "folder":
        path.mkdir()
        np.save(path / "X.npy", X)
        np.save(path / "y.npy", y)
    elif kind == "svm":
        from sklearn.datasets import dump_svmlight_file

        dump_svmlight_file(X.astype(float), y, str(path), zero_based=False)
    elif kind == "h5":
        with pytest.importorskip("h5py").File(path, "w") as file:
            file["X"], file["digit"] = X, y
        return [path, "--target", "digit"]
    elif kind == "idx":
        path.mkdir()
        for name, rows in (("train", slice(0, 500)), ("t10k", slice(500, 600))):
            for what, array in (("images-idx3", X.reshape(-1, 8, 8)), ("labels-idx1", y)):
                values = array[rows].astype(np.uint8)
                sizes = b"".join(n.to_bytes(4, "big") for n in values.shape)
                content = bytes([0, 0, 8, values.ndim]) + sizes + values.tobytes()
                (path / f"{name}-{what}-ubyte").write_bytes(content)
    return [path]


@pytest.mark.parametrize("kind", ["npz", "npy", "folder", "svm", "h5", "idx"])
@pytest.mark.parametrize("memory", [2, 1e-9])
def test_files_of_arrays(kind, memory, tmp_path, capsys):
    data = files(tmp_path, kind)
    model = tmp_path / "m.safetensors"
    told = trained(capsys, *data, "--model", model, "--memory", memory, "--C", 0.1)
    assert told["evaluation"]["accuracy"] > 0.85
    assert told["features"] == 64
    assert told["standardised"] == (kind != "svm")
    assert told["test_rows"] == (100 if kind == "idx" else pytest.approx(120, abs=10))
    assert load_model(model).classes_.tolist() == list(range(10))
    capsys.readouterr()
    assert main(["evaluate", str(model), *map(str, data), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    n_rows = 100 if kind == "idx" else 600
    assert again["evaluation"]["n_rows"] == n_rows
    assert again["evaluation"]["accuracy"] > 0.85


def test_a_test_file_of_arrays(tmp_path, capsys):
    X, y = arrays()
    np.savez(tmp_path / "a.npz", X=X[:400], y=y[:400])
    np.savez(tmp_path / "b.npz", X=X[400:], y=y[400:])
    told = trained(capsys, tmp_path / "a.npz", "--test", tmp_path / "b.npz")
    assert (told["training_rows"], told["test_rows"]) == (400, 200)
    assert told["test"] == str(tmp_path / "b.npz")


@pytest.mark.filterwarnings("default")  # 12 iterations are too few, but enough
def test_mnist(data_dir, tmp_path, capsys):
    folder = data_dir / "mnist"
    if not folder.exists():
        pytest.skip("no MNIST in CSOFTMAX_DATA")
    told = trained(capsys, folder, "--max-iter", 12, "--C", 1e-3)
    assert told["evaluation"]["n_rows"] == 10000
    assert told["evaluation"]["accuracy"] > 0.9


@pytest.mark.parametrize("name", ["wine", "breast_cancer"])
def test_tables_of_scikit_learn(name, tmp_path, capsys):
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    names = [str(n) for n in bunch.feature_names]
    table = dict(zip(names, bunch.data.T.tolist(), strict=True))
    table["kind"] = bunch.target_names[bunch.target].tolist()
    told = trained(capsys, write_csv(tmp_path / "t.csv", table), "--target", "kind", "--cv")
    assert told["evaluation"]["accuracy"] > 0.9
    assert told["numbers"] == names


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
@pytest.mark.parametrize("quiet", [False, True])
def test_bars_show_on_a_terminal(quiet, flock, tmp_path):
    import termios

    pytest.importorskip("tqdm", reason="the bars are tqdm's")
    terminal, stderr = os.openpty()
    termios.tcsetwinsize(stderr, (24, 80))
    command = [sys.executable, "-P", "-m", "csoftmax", "train", str(flock / "birds.csv")]
    command += ["--target", "species", *["--quiet"] * quiet]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"TQDM_MININTERVAL": "0"},  # a fast fit ends within its tenth of a second
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        timeout=120,
    )
    os.write(stderr, b".")  # so that there is something to read
    shown = os.read(terminal, 65536).decode()
    os.close(stderr)
    os.close(terminal)
    assert done.returncode == 0, shown
    assert bool(done.stdout) != quiet
    for word in ("look: ", "fit: ", "loss 0."):
        assert (word in shown) != quiet


def test_a_million_rows(tmp_path, capsys):
    import pyarrow
    from pyarrow import csv

    n_rows = 1_000_000
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, n_rows)).round(3)
    table = dict(zip("abc", x, strict=True))
    table["kind"] = np.array(["red", "green", "blue"])[rng.integers(0, 3, n_rows)]
    table["y"] = np.where(x[0] > 0, "up", "down")
    csv.write_csv(pyarrow.table(table), tmp_path / "t.csv")
    told = trained(capsys, tmp_path / "t.csv", "--target", "y", "--max-iter", 20, "--C", 1e-4)
    assert told["evaluation"]["accuracy"] > 0.99
    assert told["fit"]["seconds"] < 60
