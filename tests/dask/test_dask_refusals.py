"""What the estimator on Dask's collections refuses, and in which words."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("dask")
pytest.importorskip("distributed")
import dask
import dask.array as da

import csoftmax
from csoftmax.dask import SoftmaxClassifier

N = 100
X = np.random.default_rng(0).standard_normal((N, 4)).astype(np.float32)
Y = np.arange(N) % 3


def lazy(array, rows=30):
    return da.from_array(array, chunks=(rows, *array.shape[1:]))


def unknown(array, rows=30):
    result = lazy(array, rows)
    return result[da.ones(len(array), dtype=bool, chunks=rows)]


def changed(array, at, value):
    array = array.copy()
    array[at] = value
    return array


def no_chunks(dtype, fill):
    return da.full((N, 4), fill, dtype=dtype, chunks=(30, 4))


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ((lazy(X[:, 0]), Y), ValueError, r"X has shape \(100,\): wanted two dimensions"),
        ((no_chunks(object, 1), Y), TypeError, "X has dtype object: wanted numbers"),
        ((no_chunks("<U3", "a"), Y), TypeError, "X has dtype <U3: wanted numbers"),
        ((no_chunks(complex, 1), Y), TypeError, "X has dtype complex128: wanted numbers"),
        ((dask.delayed(X), Y), TypeError, r"X is a dask\.Delayed\w*: wanted an array or data"),
        ((lazy(X),), ValueError, "requires y to be passed, but the target y is None"),
        ((lazy(X), Y[:7]), ValueError, r"y has shape \(7,\), but X has 100 rows"),
        ((lazy(X), lazy(Y[:7])), ValueError, "y has 7 rows, but X has 100"),
        ((lazy(X), lazy(Y), np.ones(3)), ValueError, r"sample_weight has shape \(3,\), but X has"),
        (
            (lazy(X), dask.delayed(Y)),
            TypeError,
            r"y is a dask\.Delayed\w*: wanted an array or data",
        ),
        (
            (lazy(X), lazy(X)[:, :, None]),
            ValueError,
            r"y has shape \(100, 4, 1\): wanted one or two dimensions",
        ),
        ((unknown(X), Y), ValueError, "y is in memory, but the chunks of X have unknown sizes"),
        ((unknown(X), lazy(Y, 50)), ValueError, "y has 2 chunks of rows, but X has 4, and not all"),
        (
            (unknown(X), unknown(Y, 31)),
            ValueError,
            r"chunk \d of X: y has \d+ rows there, but X has \d+",
        ),
        ((lazy(X), lazy(Y * 0)), ValueError, "samples of at least 2 classes"),
        ((lazy(X), lazy(Y + 0.5)), ValueError, "chunk 0 of X: Unknown label type: continuous"),
        (
            (lazy(X), lazy(changed(np.eye(3)[Y], (70, 1), 3))),
            ValueError,
            r"chunk 2 of X: y\[10\] has smallest element",
        ),
        (
            (lazy(X), Y, lazy(changed(np.ones(N), 61, -1))),
            ValueError,
            r"chunk 2 of X: sample_weight\[1\] is -1: wanted no negative weight",
        ),
        ((lazy(X), Y, 0.0 * Y), ValueError, "is zero for all rows"),
        (
            (lazy(changed(X, (95, 3), np.nan)), Y),
            ValueError,
            "chunk 3 of X: Input X contains NaN.*the first is in row 5, column 3",
        ),
        ((lazy(changed(X, (0, 0), np.inf)), Y), ValueError, "chunk 0 of X: Input X contains inf"),
        ((lazy(X[:0]), Y[:0]), ValueError, "X has no rows: wanted at least one"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refused_by_fit(given, error, message):
    with pytest.raises(error, match=f"(?s){message}"):
        SoftmaxClassifier().fit(*given)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"solver": "sgd"}, TypeError, "solver is 'sgd', which draws rows from all over X"),
        ({"solver": csoftmax.SGD()}, TypeError, r"solver is SGD\("),
        ({"C": -1}, ValueError, "C"),
        ({"n_jobs": 0}, ValueError, "n_jobs is 0"),
    ],
)
def test_refused_options(options, error, message):
    with pytest.raises(error, match=message):
        SoftmaxClassifier(**options).fit(lazy(X), lazy(Y))


def test_class_weight_with_probabilities():
    with pytest.raises(ValueError, match="class_weight is 'balanced', but y is probabilities"):
        SoftmaxClassifier(class_weight="balanced").fit(lazy(X), lazy(np.eye(3)[Y]))


def test_chunks_that_differ():
    kinds = da.concatenate(
        [da.from_array(X[:30], chunks=30), da.from_array(X[30:], chunks=70).astype(float)]
    )
    SoftmaxClassifier().fit(kinds, Y)  # concatenate has made one type of them
    liar = lazy(X).map_blocks(
        lambda b, block_id: b.astype(float) if block_id[0] == 1 else b, dtype=X.dtype, meta=X[:0]
    )
    with pytest.raises(ValueError, match=r"the chunks of X from 0 on differ: \{"):
        SoftmaxClassifier().fit(liar, Y)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("csoftmax.dask.chunks.GROUP_BYTES", 1)
        with pytest.raises(
            ValueError, match="chunk 1 has 4 features of float64 and labels: wanted 4 features of f"
        ):
            SoftmaxClassifier().fit(liar, Y)


def test_chunks_on_a_gpu():
    class OnGPU(np.ndarray):
        """As arrays of CuPy look to Dask."""

    OnGPU.__module__ = "cupy"
    there = lazy(X).map_blocks(lambda b: b, meta=X[:0].view(OnGPU))
    with pytest.raises(TypeError, match=r"X has chunks of cupy\.\S*OnGPU: wanted chunks of NumPy"):
        SoftmaxClassifier().fit(there, Y)


def test_predictions():
    model = SoftmaxClassifier()
    with pytest.raises(Exception, match="not fitted"):
        model.predict(lazy(X))
    with pytest.raises(Exception, match="not fitted"):
        model.score(lazy(X), Y)
    model.fit(lazy(X), Y)
    with pytest.raises(TypeError, match="out is given, but predict_proba of an X of Dask is lazy"):
        model.predict_proba(lazy(X), out=np.empty((N, 3), np.float32))
    with pytest.raises(ValueError, match="X has 3 features, but SoftmaxClassifier is expecting 4"):
        model.predict(lazy(X[:, :3]))
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.predict(lazy(changed(X, (50, 1), np.nan))).compute()
    with pytest.raises(TypeError, match="X is for partial_fit, which draws rows"):
        model.partial_fit(lazy(X), Y)
    with pytest.raises(ValueError, match="the target y is None"):
        model.score(lazy(X))


def test_y_of_dask_with_x_in_memory():
    with pytest.raises(TypeError, match=r"y is a dask\.Array.*not in memory"):
        SoftmaxClassifier().fit(X, lazy(Y))


def test_without_dask(run_python):
    run_python("""
import csoftmax, sys
for missing in ("dask", "dask.array", "distributed"):
    for name in [name for name in sys.modules if name.startswith("csoftmax.dask")]:
        del sys.modules[name]  # as in a new process
    vars(csoftmax).pop("dask", None)
    sys.modules[missing] = None
    assert csoftmax.dask.__name__ == "csoftmax.dask"
    try:
        csoftmax.dask.SoftmaxClassifier
    except ImportError as error:
        assert "pip install 'dask[array]' distributed" in str(error), (missing, error)
    else:
        raise SystemExit(f"no error without {missing}")
    del sys.modules[missing]
""")
