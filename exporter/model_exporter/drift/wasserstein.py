"""Wasserstein distance."""

import numpy as np
from numpy.typing import NDArray

from model_exporter.drift.cdf import on_bins, on_values
from model_exporter.drift.comparison import NUMERIC_ONLY, Comparison, DriftResult, DriftStatistic


def wasserstein(comparison: Comparison) -> DriftResult | None:
    """Mean distance that values must move to turn one sample into the other, in their unit.

    0 or more. Exact where both sides have values; else the area between the cumulative
    distributions, taken as straight within each bin, the outer bins ending at the range of the
    reference: what lies beyond counts as if at its end. Undefined where a side has no value, and
    on the bins of a constant reference, which have no width. Misleads across features: its size
    is that of the feature's unit; and one far outlier can move it.

    Examples
    --------
    >>> from model_exporter.distribution import NumericDistribution
    >>> reference = NumericDistribution.fit([1, 2, 3, 4], max_values=10)
    >>> values = [3, 4, 5, 6]
    >>> counts = np.bincount(reference.bin_index(values), minlength=len(reference.bins))
    >>> wasserstein(Comparison.numeric(reference, counts, values)).value
    2.0

    References
    ----------
    Vaserstein, Probl. Peredachi Inf. 5 (1969) 64-72; scipy, `scipy.stats.wasserstein_distance`.
    """
    if comparison.has_values:
        points, at_points = on_values(comparison)
        return DriftResult(float(np.diff(points) @ np.abs(at_points[:-1])))
    distances = on_bins(comparison)
    if distances is None or comparison.minimum == comparison.maximum:
        return None
    inner = np.clip(comparison.edges, comparison.minimum, comparison.maximum)
    widths = np.diff(inner, prepend=comparison.minimum, append=comparison.maximum)
    ends = np.concatenate([[0.0], distances, [0.0]])
    return DriftResult(float(widths @ _mean_absolute(ends[:-1], ends[1:])))


def _mean_absolute(start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of |x| along straight lines from `start` to `end`."""
    same_sign = start * end >= 0
    total = np.abs(start) + np.abs(end)
    crossing = np.divide(start**2 + end**2, total, out=np.zeros_like(total), where=total > 0)
    return np.where(same_sign, total, crossing) / 2


STATISTIC = DriftStatistic("model_drift_wasserstein", None, NUMERIC_ONLY, wasserstein)
