"""Which objects are sources, and which are refused by name."""

from __future__ import annotations

import io
import re
import tracemalloc

import numpy as np
import pytest
from scipy import sparse

from csoftmax.sources import cached, kinds, memory, protocol, source_of

pytestmark = pytest.mark.usefixtures("small_blocks")


@pytest.mark.parametrize(
    "given",
    [
        np.ones((300, 3)),
        [[1.0, 2.0]],
        sparse.csr_array(np.ones((3, 3))),
        sparse.coo_matrix(np.ones((3, 3))),
        memoryview(np.ones((3, 3))),
        5,
        None,
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_arrays_in_memory_are_none(given):
    assert source_of(given, np.ones(3), np.ones(3)) is None


def test_frames_of_pandas_are_none():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"shape": [1.0] * 999, "blocks": 2.0, "dtype": 3})
    assert source_of(frame) is None
    message = (
        "y is 'blocks', a column's name, but X is a pandas.DataFrame: wanted an array "
        "(X['blocks'], and X.drop(columns='blocks') as X), or as X a table of Arrow or Polars"
    )
    with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
        source_of(frame, "blocks")


def test_tensors_are_none():
    torch = pytest.importorskip("torch")
    assert source_of(torch.ones(300, 3)) is None


def make_blocks():
    yield np.ones((2, 2))


@pytest.mark.parametrize(
    ("make", "seen"),
    [
        (make_blocks, "generator of make_blocks"),
        (lambda: io.BytesIO(b"123"), "_io.BytesIO"),
        (lambda: iter([np.ones((2, 2))]), "list_iterator"),
        (lambda: map(np.ones, [(2, 2)]), "map"),
        (lambda: zip([1], [2], strict=True), "zip"),
    ],
)
def test_what_can_be_read_once(make, seen):
    message = f"X is a {seen}, which can be read once: rows are read in many passes: wanted a funct"
    with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
        source_of(make())


def test_what_can_be_iterated_over_again():
    class Loader:
        def __iter__(self):
            return make_blocks()

    loader = Loader()
    with pytest.raises(
        TypeError, match=r"^X is a .*Loader: wanted .*\(if X has them: lambda: iter"
    ):
        source_of(loader)
    assert [block.X.shape for block in source_of(lambda: iter(loader)).blocks()] == [(2, 2)]


@pytest.mark.parametrize("name", ["y", "sample_weight"])
@pytest.mark.parametrize("given", [np.ones((3, 3)), [[1.0]], make_blocks])
def test_names_of_columns_want_columns(given, name):
    with pytest.raises(TypeError, match=f"^{name} is 'label', a column's name, but X is a "):
        source_of(given, **{name: "label"})


def test_paths(tmp_path):
    (tmp_path / "a.csv").write_text("1,2\n")
    message = f"X is the file {tmp_path / 'a.csv'}: wanted a Parquet file or folder, or a .npy file"
    for path in (tmp_path / "a.csv", str(tmp_path / "a.csv")):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
            source_of(path)
    with pytest.raises(
        FileNotFoundError, match=r"^X is .*b\.parquet, where nothing is: wanted a Parq"
    ):
        source_of(tmp_path / "b.parquet")


def test_parquet_without_its_package(run_python, tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    run_python(
        "import sys; sys.modules['pyarrow'] = None\n"
        "from csoftmax.sources import source_of\n"
        "try: source_of('a.parquet')\n"
        'except ImportError as error: assert "pip install pyarrow" in str(error)\n'
        "else: raise SystemExit('no error')"
    )


def test_nothing_is_imported(run_python):
    run_python(
        "import sys, csoftmax.sources\n"
        "import numpy as np\n"
        "csoftmax.sources.source_of(np.ones((2, 2)))\n"
        "assert not {'pyarrow', 'polars', 'h5py', 'zarr', 'pandas', 'scipy'} & set(sys.modules)"
    )


# ---- memory -------------------------------------------------------------------------------------

BLOCK, N_BLOCKS = 100_000, 40


class Rows:
    """Zeros that are made when asked for."""

    shape, dtype = (BLOCK * N_BLOCKS // 400, 100), np.dtype(np.float32)

    def __getitem__(self, key):
        return np.zeros((key.stop - key.start, 100), np.float32)


def npy_file(folder, dtype):
    np.save(folder / "X.npy", np.zeros((BLOCK * N_BLOCKS // 400, 100), dtype))
    return folder / "X.npy"


def function(folder, dtype):
    return lambda: (np.zeros((250, 100), dtype) for _ in range(N_BLOCKS))


def parquet_file(folder, dtype):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({f"x{i}": np.zeros(BLOCK * N_BLOCKS // 400, dtype) for i in range(100)})
    parquet.write_table(table, folder / "X.parquet", row_group_size=500)
    return folder / "X.parquet"


@pytest.mark.parametrize(
    ("make", "dtype", "most"),
    [
        (npy_file, "float32", 2.2),  # two buffers
        (npy_file, "int16", 3.2),  # of half the size, and what they are turned into
        (lambda folder, dtype: Rows(), "float32", 3.2),
        (function, "float32", 2.2),
        (function, "int16", 4.2),
        (parquet_file, "float32", 4.2),  # and batches, which Arrow allocates
        (lambda folder, dtype: cached(Rows(), folder), "float32", 3.5),
    ],
)
def test_some_blocks_in_memory_and_no_more(make, dtype, most, tmp_path, monkeypatch):
    for module in (protocol, kinds):
        monkeypatch.setattr(module, "BLOCK_BYTES", BLOCK)
    monkeypatch.setattr(memory, "fits", lambda n_bytes: False)
    source = source_of(make(tmp_path, dtype))
    for _ in range(2):
        tracemalloc.start()
        n_rows = sum(block.X.shape[0] for block in source.blocks())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert n_rows == BLOCK * N_BLOCKS // 400
        assert peak < most * BLOCK
