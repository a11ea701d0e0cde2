"""Tables of columns, of Arrow, Parquet and Polars."""

from __future__ import annotations

import os
import re
import threading

import numpy as np
import pytest

from csoftmax.sources import kinds, source_of

pytestmark = pytest.mark.usefixtures("small_blocks")

N = 103
COLUMNS = {
    "a": np.arange(N, dtype=np.float32),
    "b": np.arange(N, dtype=np.int16) - 5,
    "c": np.arange(N) % 3 == 0,
}
Y = np.array(["no", "maybe", "yes"])[np.arange(N) % 3]
WEIGHT = np.linspace(1, 2, N)


def arrow_table(columns, tmp_path):
    return pytest.importorskip("pyarrow").table(columns)


def arrow_dataset(columns, tmp_path):
    return pytest.importorskip("pyarrow.dataset").dataset(parquet_folder(columns, tmp_path))


def parquet_file(columns, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    parquet.write_table(arrow_table(columns, tmp_path), path, row_group_size=17)
    return path


def parquet_folder(columns, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    folder = tmp_path / "parts"
    folder.mkdir(exist_ok=True)
    table = arrow_table(columns, tmp_path)
    for part, start in enumerate(range(0, max(1, len(table)), 40)):
        parquet.write_table(table.slice(start, 40), folder / f"part-{part:03}.parquet")
    return str(folder)


def polars_frame(columns, tmp_path):
    return pytest.importorskip("polars").DataFrame(columns)


def polars_lazy(columns, tmp_path):
    return polars_frame(columns, tmp_path).lazy()


def polars_scan(columns, tmp_path):
    polars_frame(columns, tmp_path).write_parquet(tmp_path / "scan.parquet", row_group_size=20)
    return pytest.importorskip("polars").scan_parquet(tmp_path / "scan.parquet")


EVERY = [
    arrow_table,
    arrow_dataset,
    parquet_file,
    parquet_folder,
    polars_frame,
    polars_lazy,
    polars_scan,
]


@pytest.fixture(params=EVERY, ids=lambda make: make.__name__)
def make(request, tmp_path, monkeypatch):
    monkeypatch.setattr(kinds, "BLOCK_BYTES", 0)
    return lambda columns: request.param(columns, tmp_path)


def test_columns_are_features(make, check):
    source = source_of(make(COLUMNS))
    assert source.feature_names == list("abc")
    assert source.shape in ((N, 3), (None, 3))
    check(source, np.column_stack([c.astype("f4") for c in COLUMNS.values()]))


def test_y_and_weights_by_name(make):
    table = make({"label": Y, **COLUMNS, "w": WEIGHT})
    source = source_of(table, "label", "w")
    assert source.feature_names == list("abc")
    for _ in range(2):
        blocks = list(source.blocks())
        np.testing.assert_array_equal(np.concatenate([b.y for b in blocks]), Y)
        assert blocks[0].y.dtype.kind == "U"
        np.testing.assert_array_equal(np.concatenate([b.sample_weight for b in blocks]), WEIGHT)
        np.testing.assert_array_equal(np.concatenate([b.X for b in blocks])[:, 1], COLUMNS["b"])
    assert source.shape == (N, 3)


@pytest.mark.parametrize(
    ("dtypes", "wanted"),
    [
        (["float32", "float32"], "float32"),
        (["float64", "float32"], "float64"),
        (["uint8", "uint8"], "uint8"),
        (["bool", "uint8"], "uint8"),
        (["bool", "bool"], "uint8"),
        (["uint8", "int8"], "float32"),
        (["uint16", "bool"], "float32"),
        (["int32", "float32"], "float64"),
        (["int64", "uint64"], "float64"),
    ],
)
def test_dtypes(make, dtypes, wanted, check):
    columns = {d + str(i): (np.arange(N) % 2).astype(d) for i, d in enumerate(dtypes)}
    check(source_of(make(columns)), np.column_stack(list(columns.values())), wanted)


@pytest.mark.parametrize(
    "column",
    [np.array(["x"] * N), np.zeros(N, "datetime64[ms]"), np.zeros(N, "timedelta64[ms]")],
    ids=lambda column: str(column.dtype),
)
def test_columns_that_are_no_numbers(make, column):
    table = make({**COLUMNS, "odd one": column})
    with pytest.raises(
        TypeError, match=r"^column 'odd one' of X \(.*\) has type .*: wanted numbers"
    ):
        source_of(table)
    assert source_of(table, "odd one").feature_names == list("abc")


@pytest.mark.parametrize("name", ["a", "b", "c", "label"])
def test_nulls(make, name):
    columns = {"label": Y.tolist(), **{key: column.tolist() for key, column in COLUMNS.items()}}
    columns[name][70] = None
    source = source_of(make(columns), "label")
    with pytest.raises(
        ValueError, match=rf"^column '{name}' of X \(.*\) has 1 nulls in rows .* to"
    ):
        list(source.blocks())


def test_not_a_number_is_a_number(make, check):
    X = np.linspace(0, 1, 2 * N).reshape(N, 2)
    X[70, 1] = np.nan
    check(source_of(make({"a": X[:, 0], "b": X[:, 1]})), X)


def test_names_that_are_no_column(make):
    table = make(COLUMNS)
    message = r" is 'd', which is no column of X \(.*\): wanted one of 'a', 'b', 'c'$"
    with pytest.raises(ValueError, match=f"^y{message}"):
        source_of(table, "d")
    with pytest.raises(ValueError, match=f"^sample_weight{message}"):
        source_of(table, "a", "d")
    with pytest.raises(
        ValueError, match=r"^X \(.*\) has no column that is a feature: wanted at least"
    ):
        source_of(make({"a": COLUMNS["a"]}), "a")


def test_wide_tables(make, check):
    """Rows of more bytes than batches have, and than a block."""
    X = np.random.default_rng(0).normal(size=(30, 300)).astype("f4")
    check(source_of(make({f"x{i}": column for i, column in enumerate(X.T)})), X)


def test_a_pass_that_ends_early(make, check):
    X = np.arange(2000, dtype=np.float64).reshape(1000, 2)
    source = source_of(make({"a": X[:, 0], "b": X[:, 1]}))
    for n_blocks in (1, 3):
        before = threading.active_count()
        for _ in zip(range(n_blocks), source.blocks(), strict=False):
            pass
        assert threading.active_count() == before
    check(source, X)


def test_no_rows(make):
    source = source_of(make({key: column[:0] for key, column in COLUMNS.items()}), "c")
    assert list(source.blocks()) == []
    assert source.shape == (0, 2)


# ---- Arrow and Parquet --------------------------------------------------------------------------


def test_small_ones_in_memory_are_arrays(tmp_path):
    table = arrow_table(COLUMNS, tmp_path)
    assert source_of(table.slice(0, 41)) is None
    assert source_of(table.slice(0, 42)) is not None
    assert source_of(table.slice(0, 10), "a") is not None
    (batch,) = table.to_batches()
    assert source_of(batch.slice(0, 10)) is None
    source = source_of(batch, "a")
    np.testing.assert_array_equal(np.concatenate([b.y for b in source.blocks()]), COLUMNS["a"])


def test_what_can_be_read_once(tmp_path):
    reader = arrow_table(COLUMNS, tmp_path).to_reader()
    with pytest.raises(
        TypeError, match=r"^X is a pyarrow\.RecordBatchReader, which can be read once"
    ):
        source_of(reader)


def test_dictionaries(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    label = pyarrow.array(Y).dictionary_encode()
    source = source_of(pyarrow.table({"a": COLUMNS["a"], "label": label}), "label")
    np.testing.assert_array_equal(np.concatenate([b.y for b in source.blocks()]), Y)
    with pytest.raises(TypeError, match=r"^column 'label' of X .* has type dictionary"):
        source_of(pyarrow.table({"a": COLUMNS["a"], "label": label}), None, "a")


def test_columns_of_one_name():
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table([COLUMNS["a"], COLUMNS["b"]], names=["a", "a"])
    with pytest.raises(ValueError, match=r"^X \(a pyarrow.Table\) has several columns 'a': wanted"):
        source_of(table, None, "a")


def test_folders_of_a_label(tmp_path):
    dataset = pytest.importorskip("pyarrow.dataset")
    table = arrow_table({**COLUMNS, "label": np.arange(N) // 40}, tmp_path)
    dataset.write_dataset(
        table,
        tmp_path / "data",
        format="parquet",
        partitioning=["label"],
        partitioning_flavor="hive",
    )
    source = source_of(tmp_path / "data", "label")
    assert source.name == f"X (the Parquet folder {tmp_path / 'data'})"
    assert source.feature_names == list("abc")
    np.testing.assert_array_equal(
        np.concatenate([b.y for b in source.blocks()]), np.arange(N) // 40
    )


def test_folders_of_something_else(tmp_path):
    pytest.importorskip("pyarrow")
    with pytest.raises(
        ValueError, match=r"^X is the folder .*, which is empty: wanted Parquet files"
    ):
        source_of(tmp_path)
    (tmp_path / "a.txt").write_text("no table")
    with pytest.raises(ValueError, match=r"^X is .*, which is no Parquet: "):
        source_of(tmp_path)
    (tmp_path / "a.parquet").write_text("no table")
    with pytest.raises(ValueError, match=r"^X is .*a\.parquet, which is no Parquet: "):
        source_of(tmp_path / "a.parquet")


def test_a_file_that_changes_between_passes(tmp_path):
    path = parquet_file(COLUMNS, tmp_path)
    source = source_of(path)
    list(source.blocks())
    os.truncate(path, 400)
    name = re.escape(path.as_posix())  # as Arrow writes it on every system
    with pytest.raises(ValueError, match=f"^the file {name} has 400 bytes, where it"):
        list(source.blocks())


def test_a_damaged_file(tmp_path):
    path = parquet_file({"a": np.random.default_rng(0).normal(size=5000)}, tmp_path)
    data = bytearray(path.read_bytes())
    data[2000:20000] = bytes(18000)
    path.write_bytes(data)
    source = source_of(path)
    with pytest.raises(ValueError, match=rf"^X .*{re.escape(str(path))}\) cannot be read: "):
        list(source.blocks())


def test_lazy_frames_that_do_not_come_in_batches(tmp_path, monkeypatch):
    polars = pytest.importorskip("polars")
    monkeypatch.delattr(polars.LazyFrame, "collect_batches")
    with pytest.raises(
        TypeError, match=r"^X is a polars\.LazyFrame of Polars .*: wanted 1\.34 or la"
    ):
        source_of(polars_lazy(COLUMNS, tmp_path))


def test_columns_of_polars_that_are_no_numbers():
    polars = pytest.importorskip("polars")
    others = [polars.Array(polars.Float32, 3), polars.Struct({"a": polars.Int8}), polars.Null]
    for kind in [*others, polars.Int128, polars.Decimal(9, 2), polars.List(polars.Float32)]:
        frame = polars.DataFrame(schema={"a": polars.Float32, "odd": kind, "label": polars.Int8})
        with pytest.raises(
            TypeError, match=r"^column 'odd' of X \(a polars\.DataFrame\) has type "
        ):
            source_of(frame, "label")
        source_of(frame.drop("label"), "odd")


def test_categories_of_polars(tmp_path):
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(
        {"a": COLUMNS["a"], "label": polars.Series(Y, dtype=polars.Categorical)}
    )
    source = source_of(frame, "label")
    np.testing.assert_array_equal(np.concatenate([b.y for b in source.blocks()]), Y)
