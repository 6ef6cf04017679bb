"""Samples without drift, and the statistic of the drift test as a second implementation."""

import numpy as np
import pytest
from scipy.stats import binom

from model_exporter.drift import Comparison
from model_exporter.drift.comparison import CATEGORICAL

POWER = 1 / 3


@pytest.fixture(scope="session")
def counted():
    """Return a function that compares two rows of counts."""

    def compare(reference, current) -> Comparison:
        nothing = np.empty(0)
        return Comparison(
            kind=CATEGORICAL,
            reference_counts=np.asarray(reference),
            current_counts=np.asarray(current),
            reference_values=nothing,
            reference_value_counts=np.empty(0, dtype=np.int64),
            current_values=nothing,
            edges=nothing,
            minimum=np.nan,
            maximum=np.nan,
        )

    return compare


@pytest.fixture(scope="session")
def divergence():
    """Return a function of many tables at once: reference and window, shapes (..., bins)."""

    def statistic(reference, current) -> np.ndarray:
        total = 0.0
        rows = [side.sum(axis=-1, keepdims=True) for side in (reference, current)]
        shared = (reference + current) / sum(rows)
        for observed, n in zip((reference, current), rows, strict=True):
            expected = np.maximum(n * shared, 1e-12)
            total = total + (observed * ((observed / expected) ** POWER - 1)).sum(axis=-1)
        return total * 2 / (POWER * (POWER + 1))

    return statistic


@pytest.fixture(scope="session")
def most_expected():
    """Return the count that chance exceeds once in a thousand simulations."""

    def bound(trials: int, rate: float) -> int:
        return int(binom.isf(1e-3, trials, rate))

    return bound
