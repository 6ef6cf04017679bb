"""Distances of two cumulative distributions, on values and on bins."""

import numpy as np
from numpy.typing import NDArray

from model_exporter.drift.comparison import Comparison

Floats = NDArray[np.float64]


def on_values(comparison: Comparison) -> tuple[Floats, Floats]:
    """Return the distinct values of both sides, ascending, and the distance at each."""
    reference, current = comparison.reference_values, comparison.current_values
    points = np.concatenate([reference, current])
    points.sort(kind="stable")  # two sorted runs: merged in one pass
    points = points[np.append(points[1:] != points[:-1], True)]
    cumulative = np.concatenate([[0], np.cumsum(comparison.reference_value_counts)])
    below = cumulative[np.searchsorted(reference, points, side="right")] / cumulative[-1]
    distances: Floats = below - np.searchsorted(current, points, side="right") / current.size
    return points, distances


def on_bins(comparison: Comparison) -> Floats | None:
    """Return the distance at each inner edge; None where a side is empty."""
    shares = comparison.proportions()
    if shares is None:
        return None
    reference, current = shares
    distances: Floats = np.cumsum(reference - current)[:-1]
    return distances
