"""What the estimators take from scikit-learn: its only import outside the data sets."""

from __future__ import annotations

try:
    from scipy.sparse import csr_array, csr_matrix, issparse
    from sklearn import get_config
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.exceptions import ConvergenceWarning, InconsistentVersionWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.linear_model._base import SparseCoefMixin
    from sklearn.metrics import get_scorer, get_scorer_names, make_scorer
    from sklearn.model_selection import check_cv
    from sklearn.utils import (
        assert_all_finite,
        check_array,
        check_consistent_length,
        check_random_state,
        column_or_1d,
    )
    from sklearn.utils._param_validation import (
        Interval,
        StrOptions,
        validate_parameter_constraints,
    )
    from sklearn.utils.class_weight import compute_class_weight
    from sklearn.utils.metadata_routing import (
        UNUSED,
        MetadataRouter,
        MethodMapping,
        process_routing,
    )
    from sklearn.utils.metadata_routing import _raise_for_params as raise_for_params
    from sklearn.utils.metadata_routing import _routing_enabled as routing_enabled
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import _check_method_params as check_method_params
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
except ImportError as error:
    raise ImportError(
        "the estimators need scikit-learn 1.6 or newer: pip install 'scikit-learn>=1.6'"
    ) from error

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # they came with scikit-learn 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing: there are no callbacks to set."""

    def with_callbacks(method):  # type: ignore[no-untyped-def]
        """The method as it is."""
        return method


try:
    from sklearn.utils._array_api import check_same_namespace, get_namespace_and_device, move_to
except ImportError:  # LogisticRegression dispatches from scikit-learn 1.9 on

    def get_config():  # type: ignore[no-untyped-def]
        """Nothing is dispatched."""
        return {"array_api_dispatch": False}


__all__ = [
    "UNUSED",
    "BaseEstimator",
    "CallbackSupportMixin",
    "ClassifierMixin",
    "ConvergenceWarning",
    "InconsistentVersionWarning",
    "Interval",
    "LogisticRegression",
    "MetadataRouter",
    "MethodMapping",
    "SparseCoefMixin",
    "StrOptions",
    "_check_sample_weight",
    "assert_all_finite",
    "check_array",
    "check_classification_targets",
    "check_consistent_length",
    "check_cv",
    "check_is_fitted",
    "check_method_params",
    "check_random_state",
    "check_same_namespace",
    "column_or_1d",
    "compute_class_weight",
    "csr_array",
    "csr_matrix",
    "get_config",
    "get_namespace_and_device",
    "get_scorer",
    "get_scorer_names",
    "issparse",
    "make_scorer",
    "move_to",
    "process_routing",
    "raise_for_params",
    "routing_enabled",
    "validate_data",
    "validate_parameter_constraints",
    "with_callbacks",
]
