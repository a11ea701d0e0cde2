"""A fitted model together with what makes features of a table's columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from csoftmax.prediction.checks import row_blocks
from csoftmax.tabular.columns import n_rows, plain
from csoftmax.tabular.frames import columns_of
from csoftmax.tabular.preparation import Preparation, Tally

Array = npt.NDArray[Any]


class TableModel:
    """A fitted model that takes tables: columns by their names, of numbers and categories.

    `csoftmax train` makes one of a CSV or Parquet file, and `csoftmax.save_model` of a pipeline
    with a ColumnTransformer; `csoftmax.load_model` reads it. It predicts with NumPy alone.

    Parameters
    ----------
    preparation : Preparation
        How columns become features.
    model : estimator or LinearModel
        Fitted to these features.

    Attributes
    ----------
    preparation, model
        As given.
    classes_ : (n_classes,) ndarray
        Labels.
    feature_names_in_ : (n_columns,) ndarray
        Names of the columns that X must have.

    See Also
    --------
    Preparation : Its columns as features.
    csoftmax.save_model : Writes it, and makes it of a pipeline.

    Notes
    -----
    X may be a data frame of pandas or Polars, a table of Arrow, a dictionary of columns, or a list
    of rows that are dictionaries or have their values in the order of `feature_names_in_`. Columns
    may come in any order, and there may be others. A missing number counts as `preparation` says, a
    category that the training did not have as none of the known ones.

    Examples
    --------
    >>> import numpy as np
    >>> from csoftmax.prediction import LinearModel
    >>> from csoftmax.tabular import Category, Number, Preparation, TableModel
    >>> how = Preparation([Number("weight", 4.0, 0.5), Category("sex", ("f", "m"))])
    >>> linear = LinearModel(np.array([[2.0, 0.5, -0.5]]), np.zeros(1), np.array(["A", "B"]))
    >>> model = TableModel(how, linear)
    >>> model.predict({"weight": [3.4, 5.1], "sex": ["m", None]})
    array(['A', 'B'], dtype='<U1')
    >>> model.predict([{"weight": 5.1, "sex": "f"}])
    array(['B'], dtype='<U1')
    """

    def __init__(self, preparation: Preparation, model: Any) -> None:
        if model.n_features_in_ != preparation.width:
            raise ValueError(
                f"the model has {model.n_features_in_} features, but the preparation makes "
                f"{preparation.width}"
            )
        self.preparation, self.model = preparation, model

    @property
    def classes_(self) -> Array:
        """Labels."""
        classes: Array = self.model.classes_
        return classes

    @property
    def feature_names_in_(self) -> Array:
        """Names of the columns that X must have."""
        return np.array(self.preparation.column_names, object)

    def predict(self, X: Any) -> Array:
        """Class of the largest score of each row.

        Parameters
        ----------
        X : data frame, table, dictionary of columns, or list of rows

        Returns
        -------
        (N,) ndarray
            Labels.

        Raises
        ------
        TypeError
            For an X that has no columns by their names.
        ValueError
            For a column that is not there, or has other values than numbers where the training had
            numbers.
        """
        return self._of_blocks(self.model.predict, X)

    def predict_proba(self, X: Any) -> Array:
        """Probability of each class for each row, (N, n_classes); X as for `predict`."""
        return self._of_blocks(self.model.predict_proba, X)

    def predict_log_proba(self, X: Any) -> Array:
        """Logarithms of `predict_proba`; X as for `predict`."""
        return self._of_blocks(self.model.predict_log_proba, X)

    def decision_function(self, X: Any) -> Array:
        """Scores of each row, (N, n_classes) or, of two classes, (N,); X as for `predict`."""
        return self._of_blocks(self.model.decision_function, X)

    def features(self, X: Any, tally: Tally | None = None) -> Array:
        """What the model inside gets of X, (N, n_features): `preparation.feature_names` name it."""
        columns = self._columns(X)
        return self.preparation.features(columns, tally)

    def _columns(self, X: Any) -> dict[str, Any]:
        names = self.preparation.column_names
        given = columns_of(X, names)
        self.preparation.check_names(given)
        columns = {name: plain(given[name]) for name in names}
        if not n_rows(columns.items(), "X"):
            raise ValueError("X has no row: wanted at least one")
        return columns

    def _of_blocks(self, method: Callable[[Array], Array], X: Any) -> Array:
        """A method of the model, some rows at a time, so that not all features are in memory."""
        columns = self._columns(X)
        length = n_rows(columns.items(), "X")
        found = [
            method(
                self.preparation.features(
                    {name: column[rows] for name, column in columns.items()},
                    first_row=rows.start,
                )
            )
            for rows in row_blocks(np.broadcast_to(0.0, (length, self.preparation.width)))
        ]
        return np.concatenate(found)

    def __repr__(self) -> str:
        return f"TableModel({self.preparation!r}, {self.model!r})"
