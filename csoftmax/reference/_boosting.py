"""What libraries of boosted trees ask of a softmax: losses, gradients and Hessians' diagonals."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from csoftmax.reference._common import Array, float64
from csoftmax.reference._losses import targets
from csoftmax.reference._rows import log_softmax, softmax


def softmax_grad_hess(
    scores: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    gamma: float = 0.0,
    temperature: float = 1.0,
    curvature: float | None = 1.0,
    least: float = 0.0,
) -> tuple[Array, Array, Array]:
    """Return losses of rows, their gradient by the scores, and a diagonal in a Hessian's place.

        L_i = -s_i sum_c u_c (1 - p_c)^gamma log p_c,        p = softmax(scores_i / T)

        dL_i/dscores = s_i (p sum_c v_c - v) / T,            v_c = u_c phi(p_c)
        phi(p) = (1 - p)^gamma - gamma p (1 - p)^(gamma - 1) log p

        h = s_i curvature p (1 - p) sum_c v_c / T^2          or abs(dL_i/dscores) / T without one

    with s the sample weights, T the temperature and u the targets with class weights and label
    smoothing folded in, as in `cross_entropy`. With curvature 1 and gamma 0 the diagonal is that of
    the Hessian. With gamma it is that of the cross-entropy whose targets are v, held: the focal
    loss is not convex, and its own diagonal has negative numbers.

    Parameters
    ----------
    scores : (N, C) array_like
    target : (N,) indices or (N, C) probabilities
    weight : (C,) array_like, optional
        Class weights.
    sample_weight : (N,) array_like, optional
    label_smoothing, gamma, temperature : float
    curvature : float or None
        None: the absolute gradient.
    least : float
        No number of the diagonal is less.

    Returns
    -------
    loss : (N,) float64 ndarray
    grad, hess : (N, C) float64 ndarray

    See Also
    --------
    csoftmax.boosting.softmax_objective : The compiled one.
    cross_entropy_with_grad : Without what boosting asks for.

    Examples
    --------
    >>> loss, grad, hess = softmax_grad_hess([[0.0, 0.0]], [1])
    >>> grad, hess
    (array([[ 0.5, -0.5]]), array([[0.25, 0.25]]))
    """
    z = float64(scores) / temperature
    u, _, formed = targets(z, target, weight, None, label_smoothing)
    s = np.ones((len(z), 1)) if sample_weight is None else float64(sample_weight)[:, None]
    p = softmax(z, axis=1)
    log_p = np.where(np.isnan(p), np.nan, log_softmax(z, axis=1))  # +inf leaves no softmax
    q = -np.expm1(log_p)
    with np.errstate(divide="ignore", invalid="ignore"):
        p_slope = np.where(p == 0, 0.0, p * np.where(q == 0, 1.0, -log_p / q))  # -p log p / (1 - p)
        phi = q**gamma * (1 + gamma * p_slope)
        loss = np.sum(np.where(formed, -u * q**gamma * log_p, 0.0), axis=1)
    v = np.where(formed, u * phi, 0.0)
    total = np.sum(v, axis=1, keepdims=True)
    grad = s * (p * total - v) / temperature
    if curvature is None:
        hess = np.abs(grad) / temperature
    else:
        hess = s * curvature * p * q * total / temperature**2
    return s[:, 0] * loss, grad, np.maximum(hess, least)
