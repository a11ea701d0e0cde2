"""csoftmax train on what cannot be learned from: a line that says what, where, and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from table_files import birds, write_csv

from csoftmax.cli import main

for package in ("sklearn", "pyarrow", "tabulate"):
    pytest.importorskip(package, reason="csoftmax train wants it")

NOWHERE = str(Path("no/m"))  # as this system writes it


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "birds.csv is a table: wanted --target, the column of its labels"),
        (["--target", "no"], "--target is 'no', which is no column of "),
        (["--target", "no"], "wanted one of 'rowid', 'species', 'island'"),
        ([], "the column of its labels, one of 'rowid', 'species', 'island'"),
        (["--target", "planet"], "column 'planet' has the one label 'Earth' in 200 rows"),
        (["--target", "rowid"], "has 200 different labels in 200 rows, such as '1' and '10'"),
        (["--target", "species", "--drop", "no"], "--drop is 'no', which is no column"),
        (["--target", "species", "--features", "no"], "--features is 'no', which is no column"),
        (["--target", "species", "--categorical", "no"], "--categorical is 'no', which is no"),
        (["--target", "species", "--features", "planet"], "'planet' (always 'Earth')"),
        (["--target", "species", "--sep", "::"], "--sep is '::': wanted one character, or tab"),
        (["--target", "species", "--sep", ";"], "--target is 'species', which is no column"),
        (["--target", "species", "--test", "x.npz"], "--test is 'x.npz': wanted a table, as"),
        (["--target", "species", "--test", "no.csv"], "no.csv does not exist: wanted a table"),
        (["--target", "species", "--model", "no/m"], "but there is no folder 'no'"),
        (["--target", "species", "--model", "."], "--model is '.', which is a folder: wanted a"),
        (["--target", "species", "--report", NOWHERE], f"--report is {NOWHERE!r}, but there is no"),
        (["--target", "species", "--open"], "--open shows the report: wanted --report, too"),
    ],
)
def test_arguments_that_do_not_fit(arguments, message, flock, error):
    assert message in error("train", flock / "birds.csv", *arguments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"note": [f"a word {k}" for k in range(240)]}, "256 different texts, such as 'a word"),
        ({"mass": [*[4000] * 6, "inf", *range(233)]}, "column 'mass', row 7: inf: wanted a finite"),
    ],
)  # fmt: skip
def test_tables_that_do_not_fit(change, message, tmp_path, error):
    table = birds() | change
    if "note" in change:
        table = {name: column * 2 for name, column in table.items()}
        table["note"] = [f"a word {k}" for k in range(480)]
    path = write_csv(tmp_path / "t.csv", table)
    assert message in error("train", path, "--target", "species")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "t.csv is empty"),
        ("a,y\n", "t.csv"),
        ("a,y\n1,x\n2,y,z\n", "Expected 2 columns, got 3: 2,y,z"),
        ("a,y\n1,x\n2,é\n", "t.csv, line 3: "),
        ("a,y,a\n1,x,1\n2,y,1\n", "has several columns 'a'"),
        ("a,y\n1,x\n2,y\n", "there are 2 rows, of which none can be held out"),
    ],
)
def test_files_that_are_broken(text, message, tmp_path, error):
    (tmp_path / "t.csv").write_bytes(text.encode("latin-1"))
    assert message in error("train", tmp_path / "t.csv", "--target", "y")


def test_numbers_that_cannot_be_read_are_no_categories(tmp_path, capsys, error):
    table = birds() | {"size": [f"{k % 90},5" for k in range(240)]}
    table["mass"] = ["?" if k % 50 == 7 else mass for k, mass in enumerate(table["mass"])]
    table["grade"] = [("1", "2", "none")[k % 3] for k in range(240)]  # a category
    path = write_csv(tmp_path / "t.csv", table, delimiter=";")
    train = ["train", path, "--target", "species"]
    assert (
        "has columns of numbers with a decimal comma: 'size' ('0,5'); and of numbers with other "
        "texts among them: 'mass' ('?'). --decimal , reads the comma; --missing says which"
    ) in error(*train)
    assert "with a decimal comma: 'size' ('0,5'). --decimal" in error(*train, "--missing", "?")
    train += ["--missing", "?"]
    for options, kind in ((["--decimal", ","], "numbers"), (["--categorical", "size"], "categ")):
        assert main([*map(str, train), *options, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert "size" in found["numbers" if kind == "numbers" else "categories"]
        assert found["missing"]["mass"] > 0
        assert found["categories"]["grade"] == ["1", "2", "none"]


def test_arrays_that_do_not_fit(tmp_path, error):
    np.savez(tmp_path / "a.npz", X=np.eye(4), y=[0, 1, 0, 1])
    a = tmp_path / "a.npz"
    assert "--drop is for tables" in error("train", a, "--drop", "x")
    assert "has its labels apart: wanted no --target" in error("train", a, "--target", "z")
    np.save(tmp_path / "b.npy", np.eye(4))
    b = tmp_path / "b.npy"
    assert "has no labels: wanted --target, the number of their col" in error("train", b)
    assert "wanted the number of one" in error("train", b, "--target", 4)
    np.save(tmp_path / "c.npy", np.ones(4))
    assert "it holds float64 of shape (4,)" in error("train", tmp_path / "c.npy")
    X = np.eye(40)
    X[7, 3] = np.nan
    np.savez(tmp_path / "d.npz", X=X, y=np.arange(40) % 2)
    assert "NaN" in error("train", tmp_path / "d.npz")
    (tmp_path / "e.xlsx").write_bytes(b"PK\x03\x04" + bytes(50))
    assert "e.xlsx" in error("train", tmp_path / "e.xlsx")
    assert "does not exist" in error("train", tmp_path / "no.npz")


def test_hdf5_that_does_not_fit(tmp_path, error):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["X"], file["three"], file["y"] = np.eye(4), np.ones((4, 2, 2)), [1, 2, 3]
    assert "y has shape (3,), but there are 4 rows" in error("train", path)
    assert "it has 'X', 'three', 'y', but no 'no'" in error("train", path, "--target", "no")
    path.write_bytes(b"nothing of the kind")
    assert "a.h5" in error("train", path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--C", "0"], "argument --C: '0': wanted a finite number above 0"),
        (["--cv", "1"], "argument --cv: '1': wanted a whole number from 2"),
        (["--C", "1", "--cv"], "not allowed with argument --C"),
        (["--test-size", "1"], "argument --test-size: '1': wanted a finite number between 0 and 1"),
        (["--l1-ratio", "2"], "argument --l1-ratio: '2': wanted a finite number from 0 to 1"),
        (["--memory", "none"], "argument --memory: 'none': wanted a finite number above 0"),
        (["--features", "a", "--drop", "b"], "not allowed with argument --features"),
    ],
)
def test_bad_arguments(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", "t.csv", *arguments])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_ctrl_c_leaves_nothing(flock, tmp_path, capsys, monkeypatch):
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("csoftmax.tabular.fitting.fit", stop)
    arguments = ["train", flock / "birds.csv", "--target", "species", "--model", tmp_path / "m"]
    assert main(list(map(str, arguments))) == 130
    assert capsys.readouterr().err.strip() == "csoftmax train: interrupted"
    assert not list(tmp_path.iterdir())


def test_what_is_not_installed_is_said_before_any_work(flock, run_python):
    code = (
        "import sys\n"
        "for name in sys.argv[1].split(): sys.modules[name] = None\n"
        "from csoftmax.cli import main\n"
        "sys.exit(main(sys.argv[2:]))"
    )
    birds = flock / "birds.csv"
    train = ["train", birds, "--target", "species"]
    for lacks, arguments, wanted in (
        ("pyarrow", train, "pyarrow"),
        ("sklearn", [*train, "--quiet"], "scikit-learn"),
        ("sklearn pyarrow tabulate jinja2", train, "scikit-learn pyarrow tabulate"),
        ("pyarrow jinja2", [*train, "--report", "r.html", "--json"], "pyarrow jinja2"),
        ("tabulate", ["evaluate", "m", birds, "--target", "species"], "tabulate"),
    ):
        done = run_python(code, lacks, *arguments, check=False)
        assert done.returncode == 2, done.stderr
        assert done.stderr == (
            f"csoftmax {arguments[0]}: error: {arguments[0]} of {birds} needs "
            f"{wanted.replace(' ', ', ')}: pip install {wanted}\n"
        )
