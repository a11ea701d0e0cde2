"""Tables of columns: read, made features of, and models that take them.

`Preparation` and `TableModel` need NumPy alone. CSV and Parquet want pyarrow; to learn a
preparation takes scikit-learn.
"""

from csoftmax.tabular.model import TableModel
from csoftmax.tabular.preparation import Category, Number, Preparation, Tally

__all__ = ["Category", "Number", "Preparation", "TableModel", "Tally"]
