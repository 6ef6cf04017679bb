"""Drift statistics, one file each: pure functions of two samples, as counts or as values.

To add a statistic: write its file, list it here, and give it a row in the catalogue.
"""

from model_exporter.drift import chi2, js_distance, ks, psi, wasserstein
from model_exporter.drift.comparison import Comparison, DriftResult, DriftStatistic

__all__ = ["STATISTICS", "Comparison", "DriftResult", "DriftStatistic"]

STATISTICS: tuple[DriftStatistic, ...] = (
    psi.STATISTIC,
    ks.STATISTIC,
    js_distance.STATISTIC,
    wasserstein.STATISTIC,
    chi2.STATISTIC,
)
