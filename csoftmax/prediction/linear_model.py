"""A linear model that only predicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax._html import few, table
from csoftmax._native.csr import Csr
from csoftmax._version import DOCS
from csoftmax.prediction.linear import Predictions

Array = npt.NDArray[Any]


class LinearModel(Predictions):
    """A fitted softmax model that predicts with NumPy alone.

    `csoftmax.load_model` returns it where scikit-learn is not installed. X is checked as the
    estimators check it: number of features, names of a data frame's columns, NaN and infinities.

    Parameters
    ----------
    coef : (n_classes, n_features) ndarray or Csr
        Coefficients; for two classes (1, n_features), those of the second.
    intercept : (n_classes,) or (1,) ndarray
    classes : (n_classes,) ndarray
        Labels.
    feature_names : sequence of str, optional
    n_jobs : int, optional
        Threads, as of the estimators.

    Attributes
    ----------
    coef_, intercept_, classes_
        As given. What was sparsified is made dense whenever it is asked for.
    n_features_in_ : int
    feature_names_in_ : (n_features_in_,) ndarray
        Where the features have names.
    n_jobs : int or None

    See Also
    --------
    csoftmax.load_model : Makes it from a file.
    csoftmax.linear_predict_proba : The same of weights without labels.

    Examples
    --------
    >>> import numpy as np
    >>> from csoftmax.prediction import LinearModel
    >>> model = LinearModel(np.eye(3), np.zeros(3), np.array(["a", "b", "c"]))
    >>> model.predict([[1.0, 0.0, 2.0]])
    array(['c'], dtype='<U1')
    >>> model.predict_proba([[0.0, 0.0, np.log(2.0)]])
    array([[0.25, 0.25, 0.5 ]])
    """

    def __init__(
        self,
        coef: Array | Csr,
        intercept: Array,
        classes: Array,
        *,
        feature_names: Sequence[str] | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self._coef = coef
        self.intercept_, self.classes_ = intercept, classes
        self.n_features_in_ = int(coef.shape[1])
        if feature_names is not None:
            self.feature_names_in_ = np.asarray(feature_names, object)
        self.n_jobs = n_jobs

    @property
    def coef_(self) -> Array:
        """Coefficients, dense."""
        if not isinstance(self._coef, Csr):
            return self._coef
        data, indices, indptr, shape = self._coef
        coef = np.zeros(shape, data.dtype)
        rows = np.repeat(np.arange(shape[0]), np.diff(indptr))
        # entries of the same place add up, as in SciPy
        np.add.at(coef.reshape(-1), rows * shape[1] + indices, data)
        return coef

    def __repr__(self) -> str:
        return f"LinearModel({len(self.classes_)} classes, {self.n_features_in_} features)"

    def _repr_html_(self) -> str:
        rows = [("classes", f"{len(self.classes_)}: {few(self.classes_.tolist(), 10)}")]
        names = getattr(self, "feature_names_in_", None)
        more = "" if names is None else f": {few(names, 10)}"
        rows.append(("features", f"{self.n_features_in_}{more}"))
        link = f"{DOCS}api/csoftmax.prediction.LinearModel.html"
        return table("LinearModel", [*rows, ("dtype", self.intercept_.dtype)], link=link)
