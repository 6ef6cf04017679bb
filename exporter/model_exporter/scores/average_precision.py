"""Average precision."""

import numpy as np
from numpy.typing import NDArray

from model_exporter.records import Estimate
from model_exporter.scores.inner import inner
from model_exporter.scores.ranking import logit_estimate, mean_over_classes
from model_exporter.scores.score import CLASSIFICATION, Estimates, Score
from model_exporter.scores.statistics import ClassificationStatistics, ScoreHistogram


def average_precision(statistics: ClassificationStatistics) -> Estimates:
    """Mean over the positives of the precision at their score, ties grouped; 0 to 1.

    The step-wise area under the precision-recall curve, which does not interpolate. Chance scores
    the share of positives. Undefined without scores or positive labels. Multiclass: the mean over
    the classes among the labels. Misleads across windows whose share of positives differs.

    The interval is on the logit scale with the variance of the infinitesimal jackknife, drawn to
    v (1 - v) / positives where those are few. It covers 92 to 98 % from 20 positives on, near 1
    and for the mean of several classes up to 100 %, and 91 % where chance reaches 0.2 with ten
    positives: there the score itself is biased upwards.

    Examples
    --------
    >>> from model_exporter.records import Task
    >>> from model_exporter.scores.statistics import statistics_from_rows
    >>> s = statistics_from_rows(
    ...     task=Task.BINARY, labels=[0, 0, 1, 1], predictions=[0, 0, 0, 1],
    ...     scores={"": [0.1, 0.4, 0.35, 0.8]}, positive_label=1,
    ... )
    >>> round(average_precision(s)[()].value, 4)
    0.8333

    References
    ----------
    Boyd, Eng and Page, Area under the precision-recall curve: point estimates and confidence
    intervals, ECML PKDD 2013.
    """
    return mean_over_classes(statistics, _average)


def _average(histogram: ScoreHistogram) -> Estimate | None:
    p, n = int(histogram.positives.sum()), int(histogram.negatives.sum())
    if not p:
        return None
    value, variance = value_and_variance(histogram)
    return logit_estimate(value, variance=variance, trials=p, rarer=min(p, n))


def value_and_variance(histogram: ScoreHistogram) -> tuple[float, float]:
    """Return the average precision and its variance by the jackknife; there must be positives."""
    positives = histogram.positives[::-1].astype(np.float64)  # from the highest score down
    negatives = histogram.negatives[::-1].astype(np.float64)
    p = float(positives.sum())
    above, false = np.cumsum(positives), np.cumsum(negatives)
    reached = np.maximum(above + false, 1.0)  # 0 only where a bin holds no row
    precision = above / reached
    value = inner(positives, precision) / p
    # What one more row of a score would add: its own precision, and a shift of all those below.
    shift = positives / p / reached**2
    from_positive = (precision - value) / p + _sum_from_here(shift * false)
    from_negative = _sum_from_here(shift * above)
    return value, inner(positives, from_positive**2) + inner(negatives, from_negative**2)


def _sum_from_here(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.cumsum(values[::-1])[::-1]


SCORE = Score("model_average_precision", CLASSIFICATION, average_precision)
