"""csoftmax predict and evaluate: what they write and say of rows that are like the training's."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from table_files import birds, part, write_csv, write_parquet

from csoftmax import load_model, save_model
from csoftmax.cli import main

for package in ("sklearn", "pyarrow", "tabulate"):
    pytest.importorskip(package, reason="csoftmax train wants it")

NEW = part(birds(), slice(200, None))
SPECIES = ["Adelie", "Chinstrap", "Gentoo"]


def run(*arguments: object) -> int:
    return main(list(map(str, arguments)))


def table_of(text: str) -> dict[str, list[str]]:
    header, *rows = csv.reader(io.StringIO(text))
    return dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))


def test_predictions_on_stdout(model, flock, capsys):
    assert run("predict", model, flock / "new.csv") == 0
    text, said = capsys.readouterr()
    expected = load_model(model).predict(NEW).tolist()
    assert table_of(text) == {"prediction": expected}
    lines = said.splitlines()
    assert lines[0] == "csoftmax predict: not looked at: rowid, species, planet"
    n_missing = sum(value is None for value in NEW["bill"])
    assert lines[1].startswith(f"csoftmax predict: bill: {n_missing} missing value")
    assert run("predict", model, flock / "new.csv", "--quiet") == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".npy", ".jsonl"])
@pytest.mark.parametrize("what", [[], ["--proba"], ["--top", "2"]])
def test_predictions_in_files(suffix, what, model, flock, tmp_path, monkeypatch):
    monkeypatch.setattr("csoftmax.tabular.rows._BLOCK_BYTES", 1000)  # several blocks
    out = tmp_path / f"found{suffix}"
    assert run("predict", model, flock / "new.csv", "--out", out, *what) == 0
    given = load_model(model)
    proba = given.predict_proba(NEW)
    columns = {"prediction": given.predict(NEW)}
    if what[:1] == ["--proba"]:
        columns |= {f"p_{name}": proba[:, c] for c, name in enumerate(SPECIES)}
    elif what:
        order = np.argsort(-proba, axis=1)[:, :2]
        columns = {}
        for k in range(2):
            columns[f"prediction_{k + 1}"] = given.classes_[order[:, k]]
            columns[f"p_{k + 1}"] = np.take_along_axis(proba, order[:, k : k + 1], 1)[:, 0]
    if suffix == ".csv":
        found = table_of(out.read_text())
    elif suffix == ".parquet":
        from pyarrow import parquet

        found = parquet.read_table(out).to_pydict()
    elif suffix == ".jsonl":
        rows = [json.loads(line) for line in out.read_text().splitlines()]
        found = {name: [row[name] for row in rows] for name in rows[0]}
    else:
        array = np.load(out)
        found = {n: array[n] for n in array.dtype.names} if what else {"prediction": array}
    assert list(found) == list(columns)
    for name, expected in columns.items():
        if expected.dtype.kind == "U":
            assert list(found[name]) == expected.tolist()
        else:
            np.testing.assert_allclose(np.array(found[name], float), expected, rtol=1e-12)
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_columns_that_are_kept_beside_the_predictions(model, flock, tmp_path, capsys, error):
    expected = load_model(model).predict(NEW).tolist()
    keep = ["--keep", "rowid", "bill"]
    assert run("predict", model, flock / "new.csv", *keep) == 0
    text, said = capsys.readouterr()
    found = table_of(text)
    assert list(found) == ["rowid", "bill", "prediction"]
    assert found["rowid"] == list(map(str, NEW["rowid"]))
    assert found["bill"] == ["" if bill is None else str(bill) for bill in NEW["bill"]]
    assert found["prediction"] == expected
    assert "not looked at: species, planet\n" in said
    from pyarrow import parquet

    table = write_parquet(tmp_path / "t.parquet", NEW)
    assert run("predict", model, table, *keep, "--out", tmp_path / "p.parquet") == 0
    kept = {name: NEW[name] for name in ("rowid", "bill")}
    assert parquet.read_table(tmp_path / "p.parquet").to_pydict() == {
        **kept,
        "prediction": expected,
    }
    for options, message in (
        (["--keep", "no"], "--keep is 'no', which is no column of"),
        ([*keep, "--out", tmp_path / "p.npy"], "wanted --out without .npy"),
    ):
        assert message in error("predict", model, table, *options)
    again = write_csv(tmp_path / "t.csv", NEW | {"prediction": expected})
    assert "--keep is 'prediction', which is a column of the predictions, too" in error(
        "predict", model, again, "--keep", "prediction"
    )


def test_rows_as_json(model, flock, capsys):
    assert run("predict", model, flock / "new.csv", "--json", "--top", 1) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert first.keys() == {"prediction_1", "p_1"}


def test_columns_that_are_not_as_in_the_training(model, flock, tmp_path, capsys, error):
    def table(name="t.csv", **change):
        found = {n: v for n, v in (NEW | change).items() if v is not None}
        return write_csv(tmp_path / name, found)

    path = table(bill=None, sex=None)
    assert f"{path} has no column 'bill', 'sex', which the model was trained on" in error(
        "predict", model, path
    )
    path = table(mass=["heavy", *NEW["mass"][1:]])
    assert f"{path}, column 'mass', row 1: 'heavy' is no number, as the training had" in error(
        "predict", model, path
    )
    path = table(mass=[1, 2, "-inf", *NEW["mass"][3:]])
    assert "column 'mass', row 3: -inf: wanted a finite number" in error("predict", model, path)
    path = table(island=["Atlantis"] * 3 + NEW["island"][3:], new=[1] * 40)
    assert run("predict", model, path) == 0
    text, said = capsys.readouterr()
    assert "not looked at: rowid, species, planet, new" in said
    assert "island: 3 values that the training did not have ('Atlantis'), which count for" in said
    rows = NEW | {"island": [None] * 3 + NEW["island"][3:]}
    assert table_of(text)["prediction"] == load_model(model).predict(rows).tolist()
    parquet = write_parquet(tmp_path / "t.parquet", NEW)
    assert run("predict", model, parquet, "--quiet") == 0
    found = table_of(capsys.readouterr().out)["prediction"]
    assert found == load_model(model).predict(NEW).tolist()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--top", 4], "--top is 4, but the model has 3 classes"),
        (["--out", "x.xlsx"], "--out is 'x.xlsx': wanted a name that ends in"),
        (["--out", "no/x.csv"], f"--out is {str(Path('no/x.csv'))!r}, but there is no folder"),
        (["--out", "x.csv", "--json"], "--json is for stdout"),
    ],
)
def test_arguments_that_do_not_fit(arguments, message, model, flock, error):
    assert message in error("predict", model, flock / "new.csv", *arguments)


def test_files_that_do_not_fit(model, flock, tmp_path, error):
    np.save(tmp_path / "a.npy", np.eye(3))
    message = error("predict", model, tmp_path / "a.npy")
    assert "has no columns by their names, and the model wants 'bill', 'mass', 'island'" in message
    message = error("predict", flock / "new.csv", flock / "new.csv")
    assert "wanted a model as csoftmax.save_model writes it" in message
    assert "does not exist" in error("predict", model, tmp_path / "no.csv")
    (tmp_path / "b.csv").write_text("bill,mass,island,sex,tagged\n")
    assert "b.csv" in error("predict", model, tmp_path / "b.csv")
    from csoftmax.cs231n.classifiers import Softmax

    course = Softmax()
    course.W = np.ones((3, 2))
    save_model(course, tmp_path / "m")
    assert "m holds a Softmax of the course" in error("predict", tmp_path / "m", tmp_path / "a.npy")


def test_a_model_made_in_python_and_tables_of_numbers(tmp_path, capsys, error):
    from csoftmax import SoftmaxClassifier

    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame(rng.normal(size=(60, 2)).round(3), columns=["a", "b"])
    y = (frame["a"] > 0).to_numpy()
    path = tmp_path / "t.csv"
    frame.assign(y=y).to_csv(path, index=False)
    for X, name in ((frame, "named"), (frame.to_numpy(), "plain")):
        save_model(SoftmaxClassifier().fit(X, y), tmp_path / name)
        assert run("evaluate", tmp_path / name, path, "--target", "y", "--json") == 0
        assert json.loads(capsys.readouterr().out)["evaluation"]["accuracy"] > 0.9
    assert "has 3 columns of features: the model wants 2" in error(
        "predict", tmp_path / "plain", path
    )
    frame.loc[4, "b"] = np.nan
    frame.to_csv(path, index=False)
    assert "column 'b', row 5: a missing value: wanted a finite" in error(
        "predict", tmp_path / "plain", path
    )
    np.save(tmp_path / "X.npy", frame[["a", "b"]].to_numpy()[:4])
    assert run("predict", tmp_path / "plain", tmp_path / "X.npy") == 0
    assert len(capsys.readouterr().out.splitlines()) == 5
    np.savez(tmp_path / "X.npz", X=np.ones((3, 2)))
    assert run("predict", tmp_path / "plain", tmp_path / "X.npz", "--proba") == 0
    assert capsys.readouterr().out.startswith("prediction,p_False,p_True\n")


def test_predictions_where_numpy_and_pyarrow_are_all(model, flock, run_python):
    code = (
        "import sys\n"
        "for name in ('sklearn', 'scipy', 'tabulate', 'tqdm'): sys.modules[name] = None\n"
        "import csoftmax.models.files as files\n"
        "files.find_spec = lambda name: None\n"
        "from csoftmax.cli import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    done = run_python(code, "predict", model, flock / "new.csv", "--proba")
    assert len(done.stdout.splitlines()) == 41
    done = run_python(code, "evaluate", model, flock / "new.csv", "--target", "species", "--json")
    assert json.loads(done.stdout)["evaluation"]["n_rows"] == 40


# ---- evaluate ----------------------------------------------------------------------------------


def test_an_evaluation(model, flock, capsys):
    assert run("evaluate", model, flock / "new.csv", "--target", "species") == 0
    text, said = capsys.readouterr()
    right = np.array(load_model(model).predict(NEW) == np.array(NEW["species"]))
    assert text.startswith(f"accuracy {right.mean():.3f} on 40 rows (0.")
    for name in SPECIES:
        assert f"\n{name} " in text
    assert "not looked at: rowid, planet" in said
    assert run("evaluate", model, flock / "new.csv", "--target", "species", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["evaluation"]["accuracy"] == right.mean()
    assert found["evaluation"]["n_rows"] == 40
    assert found["notes"][0] == "not looked at: rowid, planet"


def test_labels_that_the_model_does_not_know(model, tmp_path, capsys, error):
    table = NEW | {"species": ["Dodo", None, *NEW["species"][2:]]}
    path = write_csv(tmp_path / "t.csv", table)
    assert run("evaluate", model, path, "--target", "species") == 0
    text, said = capsys.readouterr()
    assert " on 38 rows " in text
    assert "left out: 1 rows without a label" in said
    assert "left out: 1 rows whose label is no class of the model, such as 'Dodo'" in said
    path = write_csv(tmp_path / "t.csv", NEW | {"species": ["Dodo"] * 40})
    message = error("evaluate", model, path, "--target", "species")
    assert "has no row with a label of the model's classes (Adelie, Chinstrap, Gentoo)" in message
    assert "is a table: wanted --target" in error("evaluate", model, path)
    for target, message in (
        ("no", "--target is 'no', which is no column"),
        ("island", "--target is 'island', from which the model predicts: wanted the column of"),
    ):
        assert message in error("evaluate", model, path, "--target", target)


def test_reports(model, flock, tmp_path, capsys, monkeypatch):
    pytest.importorskip("jinja2", reason="the reports want Jinja2")
    path = tmp_path / "a.html"
    data = [flock / "new.csv", "--target", "species", "--report", path]
    assert run("evaluate", model, *data) == 0
    assert f"\nreport: {path}\n" in capsys.readouterr().out
    text = path.read_text()
    for word in ("Adelie", "bill", "island=Dream", "Machine"):
        assert word in text
    monkeypatch.setattr("csoftmax.evaluation.drawings.displays", lambda: None)  # seconds each
    train = ["train", flock / "birds.csv", "--target", "species", "--report", path]
    for options in ([], ["--cv", 3, "--quiet"]):
        path.unlink()
        assert run(*train, *options) == 0
        assert (f"report: {path}" in capsys.readouterr().out) != bool(options)
        assert "numbers its rows" not in path.read_text()
        assert "it numbers the rows" in path.read_text()
    shown: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: bool(shown.append(url)) or True)
    monkeypatch.setenv("DISPLAY", ":0")
    assert run("evaluate", model, *data, "--open") == 0
    assert shown == [path.resolve().as_uri()]
    assert f"\nreport: {path}\n" in capsys.readouterr().out
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    for options in ([], ["--json"]):
        assert run("evaluate", model, *data, "--open", *options) == 0
        said = capsys.readouterr()
        line = f"report: {path} (there is no display to show it)"
        assert said.err.splitlines()[-1] == line
        assert str(path) not in said.out


def test_reports_of_images(tmp_path, capsys):
    pytest.importorskip("jinja2", reason="the reports want Jinja2")
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    np.savez(tmp_path / "d.npz", X=X.reshape(-1, 8, 8).astype(np.uint8), y=y)
    arguments = ["train", tmp_path / "d.npz", "--report", tmp_path / "a.html"]
    assert run(*arguments, "--model", tmp_path / "m") == 0
    assert "<img" in Path(tmp_path / "a.html").read_text()
    assert run("evaluate", tmp_path / "m", tmp_path / "d.npz", "--report", tmp_path / "b.html") == 0
