"""Two-sample Kolmogorov-Smirnov statistic."""

import numpy as np

from model_exporter.drift.cdf import on_bins, on_values
from model_exporter.drift.comparison import NUMERIC_ONLY, Comparison, DriftResult, DriftStatistic


def ks(comparison: Comparison) -> DriftResult | None:
    """Largest distance of the two cumulative distributions, 0 to 1, and its p-value.

    Exact where both sides have values, ties included; else the largest distance at the edges of
    the bins, which is at most that, and has no p-value. Undefined where a side has no value.
    Misleads with many rows: any real difference becomes significant; and it is slow to see a
    change in the tails. The p-value is asymptotic, and too large where values are tied.

    Examples
    --------
    >>> from model_exporter.distribution import NumericDistribution
    >>> reference = NumericDistribution.fit([1, 2, 3, 4], max_values=10)
    >>> values = [3, 4, 5, 6]
    >>> counts = np.bincount(reference.bin_index(values), minlength=len(reference.bins))
    >>> ks(Comparison.numeric(reference, counts, values)).value
    0.5

    References
    ----------
    Simard and L'Ecuyer, Computing the two-sided Kolmogorov-Smirnov distribution, J. Stat. Softw.
    39 (2011); scipy, `scipy.stats.ks_2samp` with ``method="asymp"``.
    """
    if not comparison.has_values:
        distances = on_bins(comparison)
        return None if distances is None else DriftResult(float(np.abs(distances).max(initial=0)))
    _, distances = on_values(comparison)
    value = float(np.abs(distances).max())
    return DriftResult(value, _p_value(value, comparison))


def _p_value(value: float, comparison: Comparison) -> float | None:
    # Imported here: it takes 0.4 s, and a log that holds only bins never needs it.
    from scipy.stats import kstwo

    # Rows the reference had, which may be more than the values the baseline kept of them.
    n = float(comparison.reference_counts.sum())
    m = float(comparison.current_values.size)
    effective = float(np.round(n * m / (n + m)))
    return float(np.clip(kstwo.sf(value, effective), 0, 1)) if effective else None


STATISTIC = DriftStatistic("model_drift_ks", "model_drift_ks_p_value", NUMERIC_ONLY, ks)
