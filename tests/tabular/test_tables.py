"""CSV and Parquet as people have them: separators, encodings, what is broken and where."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from table_files import birds, write_csv

from csoftmax.tabular.labels import codes_of, held_out, typed
from csoftmax.tabular.reading import Table, is_table
from csoftmax.tabular.survey import plan, survey

pyarrow = pytest.importorskip("pyarrow", reason="tables are read by pyarrow")


def columns(path: Path, **options) -> dict[str, list]:
    table = Table(path, **options)
    batches = list(table.batches(table.columns))
    return {
        name: [value for batch in batches for value in batch.column(k).to_pylist()]
        for k, name in enumerate(table.columns)
    }


AB = {"a": ["1", None, "3"], "b": ["x", "y z", None]}


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("a,b\n1,x\n,y z\n3,\n", {}),
        ("a,b\r\n1,x\r\n,y z\r\n3,", {}),
        ("\ufeffa,b\n1,x\n,y z\n3,\n", {}),
        ("a;b\n1;x\n;y z\n3;\n", {}),
        ("a\tb\n1\tx\n\ty z\n3\t\n", {}),
        ("a|b\n1|x\n|y z\n3|\n", {}),
        (" a , b\n 1, x\n, y z \n3, ?\n", {"missing": ["?"]}),
        ('"a","b"\n"1","x"\nNA,"y z"\n3,null\n', {}),
        ("a:b\n1:x\n:y z\n3:\n", {"separator": ":"}),
    ],
)
def test_texts_of_many_kinds(text, options, tmp_path):
    (tmp_path / "a.csv").write_bytes(text.encode())
    assert columns(tmp_path / "a.csv", **options) == AB


def test_line_ends_and_separators_within_quotes(tmp_path):
    (tmp_path / "a.csv").write_bytes(b'a,b\n"1,5","two\nlines"\n2,"say ""no"""\n')
    found = columns(tmp_path / "a.csv")
    assert found == {"a": ["1,5", "2"], "b": ["two\nlines", 'say "no"']}


def test_decimal_commas(tmp_path):
    (tmp_path / "a.csv").write_text("a;b\n1,5;x,5\n-,25;2.5\n12;1,2,3\n")
    found = columns(tmp_path / "a.csv", decimal=",")
    assert found == {"a": ["1.5", "-.25", "12"], "b": ["x,5", "2.5", "1,2,3"]}


def test_columns_without_a_name(tmp_path):
    (tmp_path / "a.csv").write_text(",a, \n0,1,x\n")
    assert columns(tmp_path / "a.csv") == {"column 1": ["0"], "a": ["1"], "column 3": ["x"]}


def test_zipped_and_encoded(tmp_path):
    with gzip.open(tmp_path / "a.csv.gz", "wt") as file:
        file.write("a,b\n1,x\n,y z\n3,\n")
    assert columns(tmp_path / "a.csv.gz") == AB
    (tmp_path / "b.csv").write_bytes("name,n\nJosé,1\n".encode("latin-1"))
    assert columns(tmp_path / "b.csv", encoding="latin-1") == {"name": ["José"], "n": ["1"]}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("name,n\nJosé,1\n".encode("latin-1"), "a.csv, line 2: "),
        ("name,n\nJosé,1\n".encode("latin-1"), "wanted --encoding, often latin-1"),
        ("a,b\n1,2\n".encode("utf-16"), "begins as UTF-16 does: wanted --encoding utf-16"),
        (b"a,b\n\0\0\n", "has bytes of 0 in its first lines, and is no text"),
        (b"a,b\n1,2\n1,2,3\n", "Expected 2 columns, got 3"),
        (b"a,a\n1,2\n", "has several columns 'a': wanted different names"),
        (b"", "a.csv is empty"),
        (b"\n1,2\n", "has no names in its first line"),
    ],
)
def test_files_that_are_broken(data, message, tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.csv") as found:
        columns(path)
    assert message in str(found.value)


def test_a_broken_row_far_down_is_named(tmp_path):
    rows = ["a,b", *("1,2" for _ in range(5000)), "1,2,3,4", "1,2"]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    with pytest.raises(ValueError, match=r"a\.csv, row 5001: Expected 2 columns, got 4: 1,2,3,4"):
        columns(tmp_path / "a.csv")


def test_what_is_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.csv does not exist"):
        Table(tmp_path / "no.csv")
    with pytest.raises(ValueError, match=r"the encoding is 'klingon', which is not known"):
        Table(write_csv(tmp_path / "a.csv", {"a": [1]}), encoding="klingon")
    (tmp_path / "a.parquet").write_text("no table")
    with pytest.raises(ValueError, match="which is no Parquet"):
        Table(tmp_path / "a.parquet")


def test_which_paths_are_tables(tmp_path):
    for name in ("a.csv", "a.TSV", "a.csv.gz", "a.txt", "b/a.parquet", "a.pq"):
        assert is_table(tmp_path / name)
    for name in ("a.npz", "a.svm", "a.h5", "train-images-idx3-ubyte.gz", "digits"):
        assert not is_table(tmp_path / name)
    (tmp_path / "folder").mkdir()
    assert not is_table(tmp_path / "folder")
    (tmp_path / "folder" / "part-0.parquet").touch()
    assert is_table(tmp_path / "folder")


def looked_at(tmp_path, table, categories=(), **options):
    found = Table(write_csv(tmp_path / "t.csv", table), **options)
    names = [name for name in found.columns if name != "y"]
    seen = survey(found, "y", names, categories)
    return plan("t.csv", seen.columns)


Y = ["a", "b"] * 150


def test_what_becomes_of_columns(tmp_path):
    rng = np.random.default_rng(0)
    table = {
        "number": rng.normal(size=300).tolist(),
        "count": rng.integers(0, 9, 300).tolist(),
        "id": [f"x{k}" for k in range(300)],
        "row": range(300),
        "five": [5] * 300,
        "nothing": [None] * 300,
        "same": ["z"] * 300,
        "half": ["z", None] * 150,
        "day": [f"2020-01-{k % 28 + 1:02}" for k in range(300)],
        "mixed": [*range(298), "a", "a"],
        "y": Y,
    }
    with pytest.raises(ValueError, match=r"columns of numbers with other texts.*: 'mixed' \('a'\)"):
        looked_at(tmp_path, table)
    words = [f"w{k}" for k in range(298)]
    with pytest.raises(ValueError, match=r"t\.csv has columns of text") as error:
        looked_at(tmp_path, table | {"mixed": [*words, "w1", "w1"]})
    assert "'mixed' (more than 256 different texts, such as 'w0')" in str(error.value)
    assert "'id'" not in str(error.value)
    assert "--drop" in str(error.value)
    assert "examples/howto/plot_text.py" in str(error.value)
    found = looked_at(tmp_path, table, ["mixed", "count", "day"])
    assert found.numbers == ["number"]
    assert found.categories == ["count", "half", "day", "mixed"]
    assert found.left_out == {
        "id": "another text in each row, such as 'x0'",
        "row": "it numbers the rows",
        "five": "always 5",
        "nothing": "all values are missing",
        "same": "always 'z'",
    }


def test_types_of_parquet(tmp_path):
    import datetime

    from pyarrow import parquet

    when = datetime.datetime(2020, 1, 1)
    table = pyarrow.table(
        {
            "code": [str(k % 5) for k in range(40)],
            "small": pyarrow.array(np.arange(40) % 7, pyarrow.uint8()),
            "half": pyarrow.array((np.arange(40) % 7).astype(np.float16)),
            "when": [when + datetime.timedelta(k) for k in range(40)],
            "list": [[k] for k in range(40)],
            "flag": [k % 2 == 0 for k in range(40)],
            "dict": pyarrow.array([("u", "v")[k % 2] for k in range(40)]).dictionary_encode(),
            "y": pyarrow.array(np.arange(40) % 2, pyarrow.int8()),
        }
    )
    parquet.write_table(table, tmp_path / "t.parquet")
    found = Table(tmp_path / "t.parquet")
    seen = survey(found, "y", table.column_names[:-1])
    assert seen.classes.tolist() == [0, 1]
    chosen = plan("t", seen.columns)
    assert chosen.numbers == ["small", "half"]
    assert chosen.categories == ["code", "flag", "dict"]
    assert list(chosen.left_out) == ["when", "list"]
    assert chosen.left_out["when"].startswith("dates and times: wanted numbers made of them")
    assert "neither number nor text" in chosen.left_out["list"]


def test_nothing_to_learn_from(tmp_path):
    with pytest.raises(ValueError, match=r"no column to learn from: 'five' \(always 5\)"):
        looked_at(tmp_path, {"five": [5] * 300, "y": Y})
    with pytest.raises(ValueError, match="no column to learn from: only the target"):
        looked_at(tmp_path, {"y": Y})
    with pytest.raises(ValueError, match=r"t\.csv, column 'x', row 2: inf: wanted a finite number"):
        looked_at(tmp_path, {"x": [1, "inf", 3], "y": [1, 2, 1]})


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a"] * 30, "has the one label 'a' in 30 rows: wanted at least two classes"),
        ([None] * 30, "has no label in 0 rows"),
        (
            [k / 3 for k in range(30)],
            "has 30 different labels in 30 rows, such as '0.0' and '0.3",
        ),
    ],
)
def test_labels_that_are_none(labels, message, tmp_path):
    with pytest.raises(ValueError, match=r"t\.csv, column 'y'") as found:
        looked_at(tmp_path, {"x": range(30), "y": labels})
    assert message in str(found.value)


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (["1", "0", "-2"], np.array([1, 0, -2])),
        (["True", "FALSE"], np.array([True, False])),
        (["true", "True"], np.array(["true", "True"])),
        (["01", "1"], np.array(["01", "1"])),
        (["a", "1"], np.array(["a", "1"])),
        (["1.5", "2"], np.array(["1.5", "2"])),
        ([str(10**30), "1"], np.array([str(10**30), "1"])),
    ],
)
def test_types_of_labels(names, classes):
    found = typed(names)
    assert found.dtype == classes.dtype
    assert found.tolist() == classes.tolist()


def test_labels_of_another_file():
    for classes, given in (
        (np.array([0, 1, 10]), ["1", "10", None, "x"]),
        (np.array(["0", "1", "10"]), [1, 10.0, np.nan, 7]),
        (np.array([False, True]), ["TRUE", "?", "", "2"]),
    ):
        codes, found = codes_of(given, classes)
        expected = [1, -1, -1, -1] if classes.dtype == bool else [1, 2, -1, -1]
        assert codes.tolist() == expected
        assert found.codes[2] == -1


def test_rows_that_are_held_out():
    codes = np.repeat([0, 1, 2, 3, -1], [100, 10, 2, 1, 5])
    np.random.default_rng(0).shuffle(codes)
    mask = held_out(codes, 0.2, 0)
    assert np.bincount(codes[mask], minlength=4).tolist() == [20, 2, 1, 0]
    assert (codes[mask] >= 0).all()
    assert (mask == held_out(codes, 0.2, 0)).all()
    assert (mask != held_out(codes, 0.2, 1)).any()
    assert np.bincount(codes[held_out(codes, 0.99, 0)], minlength=4).tolist() == [99, 9, 1, 0]
    assert len(birds()["species"]) == 240
