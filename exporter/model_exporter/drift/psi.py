"""Population stability index."""

import numpy as np

from model_exporter.drift.comparison import ANY_KIND, Comparison, DriftResult, DriftStatistic

FLOOR = 1e-4
"""Least share of a bin, so that an empty one does not make the index infinite. The usual choice;
a bin that was emptied adds its share times some 7 nats."""


def psi(comparison: Comparison) -> DriftResult | None:
    """Sum over the bins of (c - r) ln(c / r), in nats; 0 or more, 0 only for equal shares.

    Shares are floored at `FLOOR` and not normalised again. Undefined where a side has no value.
    Misleads with few rows: without any drift its mean is (bins - 1) (1/n + 1/m), 0.09 for 100 rows
    in ten bins. Judge drift by `chi2`, its size by this.

    Examples
    --------
    >>> from model_exporter.distribution import CategoricalDistribution
    >>> reference = CategoricalDistribution.fit(["a"] * 50 + ["b"] * 50, max_categories=10)
    >>> round(psi(Comparison.categorical(reference, {"a": 80, "b": 20})).value, 4)
    0.4159

    References
    ----------
    Yurdakul and Naranjo, Statistical properties of the population stability index, J. Risk Model
    Validation 14 (2020).
    """
    shares = comparison.proportions()
    if shares is None:
        return None
    reference, current = (np.maximum(share, FLOOR) for share in shares)
    return DriftResult(float(((current - reference) * np.log(current / reference)).sum()))


STATISTIC = DriftStatistic("model_drift_psi", None, ANY_KIND, psi)
