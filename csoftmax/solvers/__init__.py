"""Minimisers of an objective: L-BFGS, its l1 form and Newton-CG, each in a sampled metric; SGD."""

from csoftmax.solvers.loop import Progress, Solution, minimise
from csoftmax.solvers.objective import Objective
from csoftmax.solvers.sgd import SGD

__all__ = ["SGD", "Objective", "Progress", "Solution", "minimise"]
