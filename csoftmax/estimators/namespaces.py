"""What came in comes back, where scikit-learn dispatches on arrays: `array_api_dispatch=True`.

For arrays in the CPU's memory with a namespace of the array API, as those of PyTorch and JAX. The
kernels see them as NumPy's, and what is returned lies in NumPy's memory, both without a copy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from csoftmax.estimators import sklearn


def like(given: Any, found: Any) -> Any:
    """An array of NumPy's numbers as one of the namespace and device of what was given."""
    where = _namespace(given)
    if not where or found.dtype.kind not in "biuf":
        return found
    return sklearn.move_to(found, **where)


def give_back(estimator: Any, X: Any, y: Any) -> None:
    """Have what was fitted in the namespace of X, and the classes in that of y."""
    for name, value in list(vars(estimator).items()):
        if name.endswith("_") and isinstance(value, np.ndarray):
            setattr(estimator, name, like(y if name == "classes_" else X, value))


def same(estimator: Any, X: Any, method: str) -> None:
    """Refuse X in another namespace than that of the fit, with scikit-learn's error."""
    if _namespace(X) or _namespace(estimator.coef_):
        sklearn.check_same_namespace(X, estimator, attribute="coef_", method=method)


def _namespace(value: Any) -> dict[str, Any]:
    """Namespace and device that scikit-learn dispatches on; nothing for NumPy's and all others."""
    if isinstance(value, np.ndarray) or not hasattr(type(value), "__dlpack__"):
        return {}
    if not sklearn.get_config()["array_api_dispatch"]:
        return {}
    try:
        xp, _, device = sklearn.get_namespace_and_device(value)
    except TypeError:  # of Arrow's arrays
        return {}
    return {"xp": xp, "device": device}
