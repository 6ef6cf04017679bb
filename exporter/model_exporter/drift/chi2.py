"""Pearson's chi-squared."""

import numpy as np

from model_exporter.drift.comparison import ANY_KIND, Comparison, DriftResult, DriftStatistic


def chi2(comparison: Comparison) -> DriftResult | None:
    """Pearson's chi-squared of the table of two samples by bins, 0 or more, and its p-value.

    Without continuity correction; bins that are empty on both sides are dropped, and the degrees
    of freedom are the remaining bins less one. Undefined where a side has no value, and where all
    values are in one bin. Misleads with many rows: any real difference becomes significant; read
    `psi` for its size. Repeated rows multiply it. The p-value is rough where expected counts are
    below 5.

    Examples
    --------
    >>> from model_exporter.distribution import CategoricalDistribution
    >>> reference = CategoricalDistribution.fit(["a"] * 50 + ["b"] * 50, max_categories=10)
    >>> result = chi2(Comparison.categorical(reference, {"a": 60, "b": 40}))
    >>> round(result.value, 4), round(result.p_value, 4)
    (2.0202, 0.1552)

    References
    ----------
    scipy, `scipy.stats.chi2_contingency` with ``correction=False``.
    """
    # Imported here: the base installation has no scipy, and `psi` does without.
    from scipy.special import chdtrc

    table = np.stack([comparison.reference_counts, comparison.current_counts])
    table = table[:, table.any(axis=0)].astype(np.float64)
    rows = table.sum(axis=1, keepdims=True)
    degrees = table.shape[1] - 1
    if degrees < 1 or not rows.all():
        return None
    expected = rows * (table.sum(axis=0) / rows.sum())
    value = float(((table - expected) ** 2 / expected).sum())
    return DriftResult(value, float(chdtrc(degrees, value)))


STATISTIC = DriftStatistic("model_drift_chi2", "model_drift_chi2_p_value", ANY_KIND, chi2)
