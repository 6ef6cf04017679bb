"""Is it drift, or noise? A test whose false alarms are known beforehand."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import betainc

from model_exporter.drift.cells import Floats, pooled
from model_exporter.drift.comparison import Comparison

POWER = 1 / 3
"""Of the power-divergence statistic (1 is Pearson's, 0 the likelihood ratio). A month of looks asks
for levels of 1e-5 and less, where small cells give Pearson's statistic a tail far heavier than that
of chi-squared: cells of 90, 5 and 5 % with 100 rows exceed the level of 1e-6 27 times as often as
they should. At 1/3 the skewness of the cells cancels, and they keep it within 1.7 times."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a window has drifted.

    `psi_critical` is the population stability index at about which the test begins to say so, for
    the rows there are; None where all rows are in one cell.
    """

    detected: bool
    psi_critical: float | None


def detect(
    comparison: Comparison, *, tolerance: float, significance: float, design_effect: float = 1.0
) -> Verdict | None:
    """Test whether window and reference differ by more than is tolerated.

    The power-divergence statistic of the two rows of counts is held against the noncentral
    chi-squared distribution, with bins less one degrees of freedom and noncentrality
    tolerance / (1/n + 1/m): both samples are finite, and the reference's noise counts as well.
    Rare bins are pooled (see `cells`). What is left over is tested apart, by the binomial
    distribution and for growth only, each test at half the level: a category that nobody has seen
    before must not vanish in another cell.

    Parameters
    ----------
    tolerance
        Drift to live with, as the chi-squared divergence of the two distributions: sum over the
        bins of (c - r)^2 divided by their common share; 0 or more. The population stability index
        is the same number where drift is small.
    significance
        Chance of a detection by one look at a window that is within the tolerance.
    design_effect
        Variance of the counts, as a multiple of what independent rows would have: rows that come
        in clusters of five alike have 5. Counts are divided by it.

    Returns
    -------
    Verdict
        None where a side has no value. Misleads where the reference is of another season than the
        window: a daily cycle is drift to it.

    Examples
    --------
    >>> from model_exporter.distribution import CategoricalDistribution
    >>> reference = CategoricalDistribution.fit(["a"] * 500 + ["b"] * 500, max_categories=10)
    >>> window = Comparison.categorical(reference, {"a": 300, "b": 200})
    >>> detect(window, tolerance=0.0, significance=0.001).detected
    True
    >>> detect(window, tolerance=0.01, significance=0.001).detected
    False

    References
    ----------
    Cressie and Read, Multinomial goodness-of-fit tests, J. R. Stat. Soc. B 46 (1984) 440-464;
    Potgieter et al., Population resemblance statistic, arXiv 2307.11878.
    """
    table = np.stack([comparison.reference_counts, comparison.current_counts]) / design_effect
    rows = table.sum(axis=1)
    if not rows.all():
        return None
    cells, rare = pooled(table)
    level = significance if rare is None else significance / 2
    grown = rare is not None and _growth_p_value(rare, rows, tolerance) < level
    degrees = cells.shape[1] - 1
    if not degrees:
        return Verdict(grown, None)
    noise = float((1 / rows).sum())
    critical = _critical_value(level, degrees, tolerance / noise)
    return Verdict(grown or _divergence(cells) > critical, noise * critical)


def _divergence(table: Floats) -> float:
    expected = table.sum(axis=1, keepdims=True) * (table.sum(axis=0) / table.sum())
    terms = table * ((table / expected) ** POWER - 1)
    return float(terms.sum()) * 2 / (POWER * (POWER + 1))


def _critical_value(level: float, degrees: int, noncentrality: float) -> float:
    # Imported here: it takes 0.4 s, and a job without a baseline never needs it.
    from scipy.stats import ncx2

    return float(ncx2.isf(level, degrees, noncentrality))


def _growth_p_value(rare: Floats, rows: Floats, tolerance: float) -> float:
    """Chance of so many of the pool's rows in the window if its share grew as far as tolerated."""
    before, now = rare
    if not now:
        return 1.0
    share, of_rows = (before + now) / rows.sum(), rows[1] / rows.sum()
    growth = 1 + (1 - of_rows) * math.sqrt(tolerance / share)
    return float(betainc(now, before + 1, min(1.0, of_rows * growth)))
