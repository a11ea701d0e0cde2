"""The benchmarks: csoftmax beside NumPy, SciPy, scikit-learn, PyTorch and JAX, and the limits.

    _peers    what NumPy, scikit-learn, PyTorch and JAX compute with
    _linear_cases, _logit_cases    data, and who computes what of it (_case)
    _jobs     the table of these, and what csoftmax is to reach
    _timing   each result checked, then medians of turns; peak memory
    _table    the results as text
    _problems, _solvers, _choice    fits: what is minimised, by whom; the choice of C

`csoftmax bench` shows a short table, `benchmarks/run.py` and `fit.py` all of it.
"""

from csoftmax.bench._case import Case
from csoftmax.bench._jobs import JOBS, Job, select
from csoftmax.bench._peers import PEERS, missing
from csoftmax.bench._table import as_dict, columns, machine, peak_lines, put, table
from csoftmax.bench._timing import Peaks, Result, WrongResult, busy, measure, peaks

__all__ = [
    "JOBS",
    "PEERS",
    "Case",
    "Job",
    "Peaks",
    "Result",
    "WrongResult",
    "as_dict",
    "busy",
    "columns",
    "machine",
    "measure",
    "missing",
    "peak_lines",
    "peaks",
    "put",
    "select",
    "table",
]
