"""A fit on Dask's arrays goes on from its checkpoint, to the same bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("dask")
pytest.importorskip("distributed")
import dask.array as da

from csoftmax.dask import SoftmaxClassifier


@pytest.mark.usefixtures("a_checkpoint_each_iteration")
def test_a_fit_that_was_stopped_goes_on(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((5000, 30)).astype(np.float32)
    labels = (rows[:, :4] + rng.gumbel(size=(5000, 4))).argmax(axis=1)
    X, y = da.from_array(rows, chunks=(700, 30)), da.from_array(labels, chunks=700)
    whole = SoftmaxClassifier(tol=1e-5).fit(X, y)

    def stop(progress: object) -> None:
        if progress.iteration == 4:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    path = tmp_path / "fit.npz"
    model = SoftmaxClassifier(tol=1e-5, checkpoint=path, callbacks=stop)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    model.set_params(callbacks=None).fit(X, y)
    np.testing.assert_array_equal(model.coef_, whole.coef_)
    for name in ("loss", "gradient", "passes"):
        assert model.history_[name] == whole.history_[name]
    with pytest.raises(ValueError, match=r"fit\.npz.*other data"):
        SoftmaxClassifier(tol=1e-6, checkpoint=path).fit(X + 1, y)
