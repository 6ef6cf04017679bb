"""What the scores of a ranking share: one value per class, and its interval."""

import math
from collections.abc import Callable

from model_exporter.records import Estimate
from model_exporter.scores.intervals import Z, bounded, mean_of, wilson
from model_exporter.scores.score import Estimates, single
from model_exporter.scores.statistics import ClassificationStatistics, ScoreHistogram

PRIOR_INFORMATION = 2.0
"""Weight of the model-based variance against the empirical one, in units of m v (1 - v) with m
rows of the rarer class. Near 0 and 1, and with a few positives, the empirical variance rests on a
handful of misranked rows and is far too small; 1 to 2 brought the coverage to 94 to 99 %."""


def logit_estimate(value: float, *, variance: float, trials: float, rarer: int) -> Estimate | None:
    """Return an area with an interval on the logit scale.

    Parameters
    ----------
    variance
        Empirical variance of `value`.
    trials
        Rows at which a proportion would vary as much as a model of the area says.
    rarer
        Rows of the rarer class.
    """
    spread = value * (1 - value)
    weight = rarer * spread / (rarer * spread + PRIOR_INFORMATION)
    effective = 1 / trials if not weight else (1 - weight) / trials + weight * variance / spread
    if spread <= 0 or not math.isfinite(effective):
        return bounded(value, wilson(value, trials))
    centre, half = math.log(value / (1 - value)), Z * math.sqrt(effective / spread)
    return bounded(value, (_expit(centre - half), _expit(centre + half)))


def mean_over_classes(
    statistics: ClassificationStatistics, one: Callable[[ScoreHistogram], Estimate | None]
) -> Estimates:
    """Return the score of a binary model, or the one-vs-rest mean over the classes that have it.

    How the scores of two classes vary together is not in the statistics, but rows of two classes
    are compared in the score of each of the two, and of no third: the variance of the mean is
    taken as twice that of independent scores, which is exact for two classes.
    """
    parts = [e for h in statistics.histograms.values() if (e := one(h)) is not None]
    if len(parts) < 2:
        return single(parts[0] if parts else None)
    return single(mean_of(parts, count=len(parts), widening=math.sqrt(2)))


def _expit(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0
