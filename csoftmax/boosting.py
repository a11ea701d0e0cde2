"""Softmax objectives and metrics for XGBoost and LightGBM: one pass over the scores, compiled.

    xgboost.train(params, dtrain, obj=softmax_objective(), custom_metric=softmax_metric())
    lightgbm.train({"objective": softmax_objective(), ...}, train, feval=softmax_metric())
    XGBClassifier(objective=softmax_objective())
    LGBMClassifier(objective=softmax_objective())

Neither library is imported. Which of them calls, and in which form, is seen from what it hands
over: a DMatrix, a Dataset or labels; predictions of float32 or float64.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from csoftmax._native import checks
from csoftmax._native.boosting import Softmax

__all__ = ["softmax_metric", "softmax_objective"]

Array = npt.NDArray[Any]

Hessian: TypeAlias = Literal["auto", "diagonal", "bound", "friedman", "residual"]
_LEAST_HESSIAN = _LEAST_PROBABILITY = 1e-16  # XGBoost's own


def softmax_objective(
    *,
    class_weight: Mapping[int, float] | npt.ArrayLike | None = None,
    soft_labels: npt.ArrayLike | None = None,
    label_smoothing: float = 0.0,
    gamma: float = 0.0,
    temperature: float = 1.0,
    hessian: Hessian = "auto",
    n_threads: int | None = None,
) -> _Objective:
    """Gradient and Hessian of a softmax, for XGBoost and LightGBM to grow trees by.

        L_i = -s_i sum_c u_ic (1 - p_ic)^gamma log p_ic,      p_i = softmax(scores_i / T)
        u_ic = weight_c ((1 - eps) t_ic + eps / C)

    with s_i the row's weight, T the temperature, eps the label smoothing and t_i the one-hot vector
    of the label y_i, whose class weight is then that of y_i alone, or the row's soft labels. The
    gradient is that of L_i by the scores. Without options, both are those of the libraries' own
    objectives, and the same trees come out: docs/boosting.md says from which base scores.

    Parameters
    ----------
    class_weight : (C,) array_like or mapping of classes to numbers, optional
        Weights of the classes, finite and not negative; of classes that a mapping lacks, 1.
    soft_labels : (N, C) array_like, optional
        Probabilities in place of the data set's labels, a row for each of its rows, in their order;
        finite and not negative. Read where they lie if they are of the predictions' dtype (float32
        for XGBoost, float64 for LightGBM), else converted in each call. XGBoost takes (N, C) labels
        itself, as DMatrix(X, label=T), and needs no `soft_labels` then.
    label_smoothing : float, optional
        eps, from 0 to 1.
    gamma : float, optional
        Of the focal loss: 0 is the cross-entropy; with more, rows that are right count less.
    temperature : float, optional
        T, positive. The model's probabilities are softmax(scores / T).
    hessian : {"auto", "diagonal", "bound", "friedman", "residual"}, optional
        What stands for the second derivative, times the row's weight and sum_c u_ic, by T^2:
        p (1 - p), the true diagonal; twice that, which bounds the whole matrix; C / (C - 1) times
        that (Friedman); or abs(p - y). "auto": as the calling library's own objective, which is
        "bound" in XGBoost until 3.4 and "residual" after it, "friedman" in LightGBM. XGBoost's are
        at least 1e-16, as there.
    n_threads : int, optional
        At most that many threads; None: all that the process may use. The result is the same.

    Returns
    -------
    callable
        Called as obj(predictions, data) with a DMatrix or a Dataset (weights are its own), or as
        obj(labels, predictions, weights=None), as the scikit-learn interfaces do it. Predictions
        are (N, C) in any layout, or flat by class, as LightGBM before version 4 has them. It
        returns gradient and Hessian, float32 arrays in the layout of the predictions, which are
        read where they lie and not changed. It can be pickled and copied.

    Raises
    ------
    TypeError, ValueError
        Here for options out of range. In a call for predictions that are not (N, C) with at least
        two classes, labels that are no class, soft labels of another shape, and weights that are
        negative or not finite.

    See Also
    --------
    softmax_metric : The mean loss, to watch and to stop by.
    csoftmax.cross_entropy_with_grad : Loss and gradient of logits.
    csoftmax.reference.softmax_grad_hess : The definition.

    Notes
    -----
    Labels are class indices. With `gamma`, the Hessian is that of the cross-entropy whose weights
    u_ic are multiplied by phi(p_ic) = (1 - p)^gamma - gamma p (1 - p)^(gamma - 1) log p, and then
    held: the gradient is exactly that of the focal loss, and no leaf is divided by the negative
    numbers of its true Hessian. ("residual" is always the absolute gradient, by T.)

    A NaN or +inf in a row's scores makes its gradient and Hessian NaN. Scores of float32 are
    computed as such, of float64 in float64. Results have the same bits for any number of threads.

    References
    ----------
    .. [1] J. Friedman, "Greedy function approximation: a gradient boosting machine", Annals of
       Statistics 29, 2001, section 4.6.
    .. [2] T.-Y. Lin et al., "Focal loss for dense object detection", ICCV 2017, equation (4).
    .. [3] XGBoost, src/objective/multiclass_obj.cu, and pull request 12537; LightGBM,
       src/objective/multiclass_objective.hpp.

    Examples
    --------
    >>> import numpy as np
    >>> from csoftmax.boosting import softmax_objective
    >>> scores = np.zeros((1, 4), np.float32)  # as XGBoost's
    >>> softmax_objective()([2], scores)
    (array([[ 0.25,  0.25, -0.75,  0.25]], dtype=float32),
     array([[0.375, 0.375, 0.375, 0.375]], dtype=float32))
    """
    return _Objective(
        Softmax(class_weight, soft_labels, label_smoothing, gamma, temperature, n_threads),
        checks.choice("hessian", hessian, get_args(Hessian)),
    )


def softmax_metric(
    *,
    class_weight: Mapping[int, float] | npt.ArrayLike | None = None,
    soft_labels: npt.ArrayLike | None = None,
    label_smoothing: float = 0.0,
    gamma: float = 0.0,
    temperature: float = 1.0,
    probabilities: bool = False,
    name: str = "softmax_loss",
    n_threads: int | None = None,
) -> _Metric:
    """Mean loss of `softmax_objective` with the same options, to watch and to stop by.

        sum_i s_i L_i / sum_i s_i v_i

    with v_i the class weight of the label y_i, or 1 for soft labels, as in
    `csoftmax.cross_entropy`. Without options it is XGBoost's mlogloss and LightGBM's multi_logloss.

    Parameters
    ----------
    class_weight, soft_labels, label_smoothing, gamma, temperature, n_threads
        As for `softmax_objective`. Soft labels are those of the data that is evaluated.
    probabilities : bool, optional
        Beside a built-in objective, both libraries hand over probabilities (softmax of the scores)
        and not scores: True then. Less than 1e-16 counts as that.
    name : str, optional
        What the libraries call it.

    Returns
    -------
    callable
        For xgboost.train's `custom_metric`: metric(predictions, dmatrix) -> (name, value); for
        lightgbm.train's `feval`: metric(predictions, dataset) -> (name, value, False), since less
        is better. For the scikit-learn interfaces' `eval_metric`, metric(labels, predictions,
        weights=None) -> value for XGBoost (float32), (name, value, False) for LightGBM (float64).

    Raises
    ------
    TypeError, ValueError
        As `softmax_objective`; and for `probabilities` that are none.

    See Also
    --------
    softmax_objective : What is trained by; its options explained.
    csoftmax.cross_entropy : The loss of logits.

    Notes
    -----
    The losses of rows are summed in float64. The mean over no rows, or none with a weight, is NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from csoftmax.boosting import softmax_metric
    >>> name, value, more_is_better = softmax_metric()([2, 3], np.zeros((2, 4)))  # as LightGBM's
    >>> round(value, 6)
    1.386294
    """
    if not isinstance(name, str):
        raise TypeError(f"name is {name!r}: wanted a string")
    return _Metric(
        Softmax(class_weight, soft_labels, label_smoothing, gamma, temperature, n_threads),
        bool(probabilities),
        name,
    )


class _Call(NamedTuple):
    """What a library has called with."""

    from_xgboost: bool
    has_data: bool  # a DMatrix or a Dataset, in place of labels
    predictions: Array
    labels: Any
    weight: Any

    @classmethod
    def seen(cls, first: Any, second: Any, sample_weight: Any) -> _Call:
        """Tell (predictions, data) from (labels, predictions), and one library from the other."""
        if hasattr(second, "get_label"):
            if sample_weight is not None:
                raise TypeError("sample_weight beside a data set: wanted its own weights")
            predictions = checks.array("predictions", first)
            from_xgboost = hasattr(second, "num_row")
            return cls(from_xgboost, True, predictions, second.get_label(), second.get_weight())
        predictions = checks.array("predictions", second)
        if predictions.dtype.char not in "fd":
            raise TypeError(
                f"predictions have dtype {predictions.dtype}: "
                "wanted float32, as XGBoost's, or float64, as LightGBM's"
            )
        return cls(predictions.dtype.char == "f", False, predictions, first, sample_weight)


class _Objective:
    """What `softmax_objective` makes."""

    def __init__(self, softmax: Softmax, hessian: str) -> None:
        self._softmax = softmax
        self._hessian = hessian

    def __repr__(self) -> str:
        hessian = "" if self._hessian == "auto" else f"hessian={self._hessian!r}"
        return f"softmax_objective({', '.join(filter(None, (self._softmax.options(), hessian)))})"

    # LightGBM counts the parameters, XGBoost looks for the name sample_weight.
    def __call__(
        self, first: Any, second: Any, sample_weight: Any = None
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        call = _Call.seen(first, second, sample_weight)
        problem = self._softmax.problem(call.predictions, call.labels, call.weight)
        curvature = self._curvature(call.from_xgboost, problem.scores.shape[1])
        least = _LEAST_HESSIAN if call.from_xgboost else 0.0
        grad, hess = self._softmax.grad_hess(problem, curvature, least)
        if call.predictions.ndim == 1:
            return grad.ravel("F"), hess.ravel("F")
        return grad, hess

    def _curvature(self, from_xgboost: bool, n_classes: int) -> float:
        """The factor of p (1 - p); 0 for the absolute gradient."""
        kind = self._hessian
        if kind == "auto":
            xgboost = "residual" if _xgboost_has_residuals() else "bound"
            kind = xgboost if from_xgboost else "friedman"
        factors = {"diagonal": 1.0, "bound": 2.0, "residual": 0.0}
        return factors.get(kind, n_classes / (n_classes - 1))


class _Metric:
    """What `softmax_metric` makes."""

    def __init__(self, softmax: Softmax, probabilities: bool, name: str) -> None:
        self._softmax = softmax
        self._probabilities = probabilities
        self.__name__ = name  # where XGBoost's scikit-learn interface looks

    def __repr__(self) -> str:
        return f"softmax_metric({self._softmax.options()})"

    def __call__(self, first: Any, second: Any, sample_weight: Any = None) -> Any:
        call = _Call.seen(first, second, sample_weight)
        if self._probabilities:
            call = call._replace(predictions=_as_scores(call.predictions))
        problem = self._softmax.problem(call.predictions, call.labels, call.weight)
        value = self._softmax.mean_loss(problem)
        if not call.from_xgboost:
            return self.__name__, value, False
        return (self.__name__, value) if call.has_data else value


def _xgboost_has_residuals() -> bool:
    """Whether the XGBoost in this process has abs(p - y) for its Hessian: later than 3.4."""
    version = getattr(sys.modules.get("xgboost"), "__version__", "")
    found = re.match(r"(\d+)\.(\d+)", version)
    return found is not None and tuple(map(int, found.groups())) > (3, 4)


def _as_scores(probabilities: Array) -> Array:
    """Logarithms, of which the softmax is what came."""
    least, most = probabilities.min(initial=0), probabilities.max(initial=0)
    if least < 0 or most > 1.001:  # not for NaN
        raise ValueError(
            f"predictions are from {least} to {most}: wanted probabilities, "
            "or probabilities=False for scores"
        )
    scores: Array = np.log(np.maximum(probabilities, _LEAST_PROBABILITY))
    return scores
