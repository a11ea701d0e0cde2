"""What a job times: its data, who computes it, and what that takes at least."""

from __future__ import annotations

from dataclasses import dataclass

from csoftmax.bench._peers import Run

Shape = tuple[int, ...]

SURE = 30.0  # a spread of scores for which many probabilities are subnormal in float32


@dataclass
class Case:
    """Data of a job: who computes it, and what it takes at least."""

    runs: dict[str, Run]  # "csoftmax" first; each result is compared with the truth
    truth: Run  # the result in float64
    tolerance: float  # of the largest element; of labels: how many may differ
    moved: int  # bytes: inputs read once, outputs written once
    flops: float = 0.0  # multiplications and additions of the products
    footprint: int = 0  # bytes that the moved ones are taken from, if more


def tolerance(dtype: str, single: float = 1e-4) -> float:
    """Return how far a result may be from the reference, relative to its largest element."""
    return 1e-10 if dtype == "float64" else single
