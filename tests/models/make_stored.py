"""Store models in the files that later versions must read: `python make_stored.py stored/NAME`.

To be run when the format changes (with tests/helpers on PYTHONPATH); what is there, stays.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from fitted_models import IRIS, LABELS, SPECIES, made, with_labels

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

    found = {f"labels {kind.strip('<')}": with_labels(kind) for kind in LABELS}
    found |= {name: made(name) for name in KINDS}
    found["dask"] = Lazy(C=0.5).fit(IRIS, SPECIES)
    return found | {"course softmax": course(Softmax), "course svm": course(LinearSVM)}


def main(folder: Path) -> None:
    folder.mkdir(parents=True)
    expected = {}
    X = IRIS[::15]
    for name, model in models().items():
        save_model(model, folder / f"{name.replace(' ', '-')}.safetensors")
        given = X
        if hasattr(model, "feature_names_in_"):
            import pandas

            given = pandas.DataFrame(X, columns=model.feature_names_in_)
        about = {"labels": model.predict(given).tolist(), "class": type(model).__name__}
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


if __name__ == "__main__":
    main(Path(sys.argv[1]))
