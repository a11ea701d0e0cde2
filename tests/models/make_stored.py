"""Store models in the files that later versions must read: `python make_stored.py stored/NAME`.

To be run when the format changes (with tests/helpers on PYTHONPATH); what is there, stays. Of
format 1 are models of arrays, of format 2 (a name that ends so) those of tables.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from fitted_models import IRIS, LABELS, SPECIES, made, with_labels
from table_files import birds

from csoftmax import save_model
from csoftmax.cs231n.classifiers import LinearSVM, Softmax

KINDS = ("float32", "names", "sparsified", "partial_fit", "mini-batches", "search")


def course(classifier: type) -> Any:
    np.random.seed(0)
    model = classifier()
    model.train(IRIS, SPECIES, 0.1, num_iters=50, fit_bias=True, shift=[5, 3, 4, 1])
    return model


def models() -> dict[str, Any]:
    """Of each kind, and with each type of labels."""
    from csoftmax.dask import SoftmaxClassifier as Lazy

    found = {f"labels {kind.strip('<]').replace('[', ' ')}": with_labels(kind) for kind in LABELS}
    found |= {name: made(name) for name in KINDS}
    found["dask"] = Lazy(C=0.5).fit(IRIS, SPECIES)
    return found | {"course softmax": course(Softmax), "course svm": course(LinearSVM)}


def plain(labels: Any) -> Any:
    """Labels as JSON has them: dates and times as whole numbers."""
    return labels.view(np.int64).tolist() if labels.dtype.kind in "mM" else labels.tolist()


def main(folder: Path) -> None:
    folder.mkdir(parents=True)
    if folder.name.endswith("2"):
        store_tables(folder)
        return
    expected = {}
    X = IRIS[::15]
    for name, model in models().items():
        save_model(model, folder / f"{name.replace(' ', '-')}.safetensors")
        given = X
        if hasattr(model, "feature_names_in_"):
            import pandas

            given = pandas.DataFrame(X, columns=model.feature_names_in_)
        about = {"labels": plain(model.predict(given)), "class": type(model).__name__}
        if hasattr(model, "predict_proba"):
            proba = model.predict_proba(given)
            about |= {"dtype": model.classes_.dtype.str, "proba": proba.tolist()}
            about["parameters"] = {
                name: repr(value)
                for name, value in model.get_params().items()
                if value is None or type(value) in (bool, int, float, str)
            }
        expected[name.replace(" ", "-")] = about
    (folder / "expected.json").write_text(json.dumps({"X": X.tolist(), "models": expected}))


def store_tables(folder: Path) -> None:
    from csoftmax import SoftmaxClassifier
    from csoftmax.tabular import Category, Number, Preparation, TableModel

    columns = [
        Number("bill", 44.0, 5.0, fill=45.0),
        Number("mass", 4200.0, 700.0),
        Category("island", ("Biscoe", "Dream", "Torgersen")),
        Category("sex", ("female", "male", "missing"), "missing"),
    ]
    how, table = Preparation(columns, ["", "?"]), birds(90)
    model = TableModel(how, SoftmaxClassifier().fit(how.features(table), table["species"]))
    save_model(model, folder / "table.safetensors")
    X = {name: table[name][::5] for name in how.column_names}
    about = {
        "labels": model.predict(X).tolist(),
        "class": "TableModel",
        "dtype": model.classes_.dtype.str,
        "proba": model.predict_proba(X).tolist(),
    }
    (folder / "expected.json").write_text(json.dumps({"X": X, "models": {"table": about}}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
