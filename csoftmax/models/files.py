"""Models in files, which hold arrays and texts: to load one runs no code."""

from __future__ import annotations

import json
import os
from copy import copy
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

from csoftmax._version import __version__
from csoftmax.datasets._files import brief, check_file, reading
from csoftmax.models import course, fitted, tables, tensors
from csoftmax.models.fitted import Contents
from csoftmax.prediction.linear import Predictions
from csoftmax.tabular.model import TableModel
from csoftmax.tabular.preparation import Preparation

if TYPE_CHECKING:
    from csoftmax.cs231n.classifiers import LinearSVM, Softmax
    from csoftmax.estimators import SoftmaxClassifier, SoftmaxClassifierCV

#: another one whenever what is written has another meaning: that of a model that takes tables has
#: a preparation, which a reader of the first would not know; all others are as they were
FORMAT, TABLES_FORMAT = "1", "2"
#: names of the texts beside the arrays
VERSION_KEY, FORMAT_KEY, MODEL_KEY = "csoftmax.version", "csoftmax.format", "csoftmax.model"
_WANTED = "a model as csoftmax.save_model writes it"


class _Pipeline(Protocol):
    """As scikit-learn's."""

    steps: Any


def save_model(
    model: SoftmaxClassifier | SoftmaxClassifierCV | Softmax | LinearSVM | TableModel | _Pipeline,
    path: str | os.PathLike[str],
) -> None:
    """Write a fitted model to a file, to be loaded by `load_model`.

    The file has the safetensors format: arrays, numbers and texts, and no code.

    Parameters
    ----------
    model : estimator or classifier
        A fitted `SoftmaxClassifier`, `SoftmaxClassifierCV` or `csoftmax.dask.SoftmaxClassifier`,
        by `partial_fit` and `sparsify`, too; or a trained `Softmax` or `LinearSVM` of
        `csoftmax.cs231n.classifiers`; a `csoftmax.tabular.TableModel` of an estimator, or a
        pipeline of a ColumnTransformer and one (see Notes). Not a class derived from one of these.
    path : str or PathLike
        As it is; what is there is replaced when the new file is whole and on the disk.

    Raises
    ------
    TypeError
        For another object, and for what a file cannot hold: parameters that are functions or
        generators of random numbers, labels other than text, bool and numbers up to float64.
    ValueError
        For a model that is not fitted, whose attributes do not fit together, or with NaN or
        infinities among its coefficients.
    OSError
        Where the file cannot be written. What was there then is as it was.

    See Also
    --------
    load_model : Reads what it writes.
    SoftmaxClassifier : Whose `to_sklearn` leads to ONNX and skops.

    Notes
    -----
    All parameters and attributes are kept, with their dtypes (in the byte order of the machine that
    loads them) and bits, but for `checkpoint`, a path on this machine. docs/saving.md describes the
    file.

    A pipeline has two steps: a fitted ColumnTransformer of SimpleImputer, StandardScaler and
    OneHotEncoder(handle_unknown="ignore"), and an estimator. It is loaded as a TableModel, which
    takes the same data frames and predicts the same, with NumPy alone.

    Examples
    --------
    >>> import os, tempfile
    >>> from sklearn.datasets import load_iris
    >>> from csoftmax import SoftmaxClassifier, load_model, save_model
    >>> X, y = load_iris(return_X_y=True)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "iris.safetensors")
    ...     save_model(SoftmaxClassifier(C=0.5).fit(X, y), path)
    ...     model = load_model(path)
    >>> model
    SoftmaxClassifier(C=0.5)
    >>> model.predict(X[::50])
    array([0, 1, 2])
    """
    _check_path(path)
    preparation, model = _parts(model)
    kind = _kind(model)
    try:
        if kind in course.KINDS:
            found = Contents(course.contents(model), {}, {})
        else:
            found = fitted.contents(fitted.KINDS[kind], model)
    except (TypeError, ValueError) as error:
        raise type(error)(f"this {type(model).__name__} cannot be saved: {error}") from error
    about = {"kind": kind, "parameters": found.parameters, "texts": found.texts}
    arrays = found.arrays
    if preparation is not None:
        more, about["preparation"] = tables.contents(preparation)
        arrays = arrays | more
    texts = {
        VERSION_KEY: __version__,
        FORMAT_KEY: FORMAT if preparation is None else TABLES_FORMAT,
        MODEL_KEY: json.dumps(about, allow_nan=False),
    }
    tensors.write(path, arrays, texts)


def load_model(path: str | os.PathLike[str]) -> Predictions | Any:
    """Read a model that `save_model` wrote.

    Nothing in the file is run, whoever made it, and everything in it is checked.

    Parameters
    ----------
    path : str or PathLike

    Returns
    -------
    estimator, classifier, csoftmax.prediction.LinearModel or csoftmax.tabular.TableModel
        The model again: of the same class, with its parameters and attributes, and with
        predictions of the same bits. An estimator where scikit-learn is not installed becomes a
        LinearModel, which predicts with NumPy alone; one of `csoftmax.dask`, where Dask is not
        installed, a `SoftmaxClassifier`. A TableModel, as `csoftmax train` makes of a table, takes
        data frames and other columns by their names.

    Raises
    ------
    ValueError
        For any other file, one that is damaged, and one of a format that this version does not
        know: it names the file, what was seen and what was wanted.
    OSError
        Where the file cannot be read.

    See Also
    --------
    save_model : Writes what it reads.
    csoftmax.prediction.LinearModel : What comes back without scikit-learn.

    Notes
    -----
    No more memory is taken than a multiple of the file's size. An estimator that was fitted
    by `partial_fit` goes on as the one that was saved.

    Examples
    --------
    As for `save_model`.
    """
    _check_path(path)
    path = check_file(path, _WANTED)
    with reading(path, _WANTED):
        arrays, texts = tensors.read(path)
        kind, found, preparation = _about(arrays, texts)
        if kind in course.KINDS:
            return course.classifier(kind, arrays)
        if find_spec("sklearn") is None:
            return _whole(fitted.predictor(fitted.KINDS[kind], found), preparation)
    from csoftmax import estimators  # noqa: F401  # or what lacks is said, not that of the file

    with reading(path, _WANTED):
        return _whole(fitted.estimator(fitted.KINDS[kind], found), preparation)


def _check_path(path: Any) -> None:
    """A file has a name: an open one could not be replaced as a whole."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path is a {type(path).__name__}: wanted a file's path, str or PathLike")


def _whole(model: Any, preparation: Preparation | None) -> Any:
    """The model that takes tables, where it has a preparation."""
    return model if preparation is None else TableModel(preparation, model)


def _parts(model: Any) -> tuple[Preparation | None, Any]:
    """What makes features of columns, where a model has that, and the model itself."""
    if isinstance(model, TableModel):
        return model.preparation, model.model
    if not hasattr(model, "steps"):
        return None, model
    steps = [step for _, step in model.steps]
    if len(steps) != 2:
        raise TypeError(
            f"model is a pipeline of {len(steps)} steps: wanted a ColumnTransformer and an "
            "estimator (its last step alone can be saved)"
        )
    from csoftmax.tabular.sklearn import preparation_of

    try:
        preparation = preparation_of(steps[0])
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"this {type(model).__name__} cannot be saved: {error} (its last step alone can be)"
        ) from error
    last = copy(steps[1])
    # Those of the features, where the first step makes a frame of them: they come without names.
    vars(last).pop("feature_names_in_", None)
    return preparation, last


def _kind(model: Any) -> str:
    """The name of a model's kind in files."""
    cls = type(model)
    for name, kind in fitted.KINDS.items():
        if (cls.__module__, cls.__qualname__) == (kind.module, kind.name):
            return name
    for name, classifier in course.KINDS.items():
        if cls is classifier:
            return name
    raise TypeError(
        f"model is a {cls.__module__}.{cls.__qualname__}: wanted one of "
        f"{', '.join([*fitted.KINDS, *course.KINDS])}, or a TableModel or pipeline of one"
    )


def _about(
    arrays: dict[str, Any], texts: dict[str, str]
) -> tuple[str, Contents, Preparation | None]:
    """The kind of a model, its contents and its preparation, of a file that may be anything."""
    if FORMAT_KEY not in texts:
        raise ValueError(f"it has no {FORMAT_KEY}, and is of another program")
    if texts[FORMAT_KEY] not in (FORMAT, TABLES_FORMAT):
        raise ValueError(
            f"its format is {brief(texts[FORMAT_KEY])}, by csoftmax "
            f"{brief(texts.get(VERSION_KEY))}; csoftmax {__version__} reads formats "
            f"{FORMAT!r} and {TABLES_FORMAT!r}"
        )
    if set(texts) != {VERSION_KEY, FORMAT_KEY, MODEL_KEY}:
        raise ValueError(f"its texts are {', '.join(sorted(map(brief, texts)))}")
    about = tensors.parse(texts[MODEL_KEY])
    names = {"kind", "parameters", "texts"}
    if texts[FORMAT_KEY] == TABLES_FORMAT:
        names.add("preparation")
    if not isinstance(about, dict) or set(about) != names:
        raise ValueError(f"its {MODEL_KEY} is {brief(about)}")
    kind = about["kind"]
    if not isinstance(kind, str) or kind not in {*fitted.KINDS, *course.KINDS}:
        raise ValueError(f"its kind is {brief(kind)}, which csoftmax {__version__} does not know")
    for name in ("parameters", "texts"):
        if not isinstance(about[name], dict):
            raise ValueError(f"its {name} are {brief(about[name])}, not by their names")
        if about[name] and kind in course.KINDS:
            raise ValueError(f"it has {name}: {brief(about[name])}")
    preparation = None
    if "preparation" in about:
        if kind in course.KINDS:
            raise ValueError(f"it has a preparation, and its kind is {kind}")
        preparation = tables.preparation(about["preparation"], arrays)
    return kind, Contents(arrays, about["texts"], about["parameters"]), preparation
