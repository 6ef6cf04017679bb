"""Area under the ROC curve."""

import numpy as np

from model_exporter.records import Estimate
from model_exporter.scores.inner import inner
from model_exporter.scores.ranking import logit_estimate, mean_over_classes
from model_exporter.scores.score import CLASSIFICATION, Estimates, Score
from model_exporter.scores.statistics import ClassificationStatistics, ScoreHistogram


def roc_auc(statistics: ClassificationStatistics) -> Estimates:
    """Chance that a positive row scores above a negative one, ties counting half; 0 to 1.

    0.5 is no better than chance. Undefined without scores or where the labels are all of one
    class. Multiclass: the mean of one-vs-rest areas over the classes among the labels. Misleads
    where positives are rare (read `average_precision`) and says nothing about calibration.

    The interval is DeLong's on the logit scale; near 1 and with few positives its variance is
    drawn to that of Hanley and McNeil. It covers 94 to 98 %, up to 99 % near 1 and for the mean of
    several classes.

    Examples
    --------
    >>> from model_exporter.records import Task
    >>> from model_exporter.scores.statistics import statistics_from_rows
    >>> s = statistics_from_rows(
    ...     task=Task.BINARY, labels=[0, 0, 1, 1], predictions=[0, 0, 0, 1],
    ...     scores={"": [0.1, 0.4, 0.35, 0.8]}, positive_label=1,
    ... )
    >>> roc_auc(s)[()].value
    0.75

    References
    ----------
    DeLong et al., Biometrics 44 (1988) 837-845; Hanley and McNeil, Radiology 143 (1982) 29-36;
    Sun and Xu, Fast implementation of DeLong's algorithm, IEEE Signal Process. Lett. 21 (2014).
    """
    return mean_over_classes(statistics, _area)


def _area(histogram: ScoreHistogram) -> Estimate | None:
    positives, negatives = histogram.positives, histogram.negatives
    p, n = int(positives.sum()), int(negatives.sum())
    if not p or not n:
        return None
    beaten = (np.cumsum(negatives) - negatives / 2) / n  # by a positive of this score
    beating = 1 - (np.cumsum(positives) - positives / 2) / p  # a negative of this score
    area = inner(positives, beaten) / p
    variance = inner(positives, (beaten - area) ** 2) / max(1, p - 1) / p
    variance += inner(negatives, (beating - area) ** 2) / max(1, n - 1) / n
    others = (p + n) / 2 - 1
    trials = p * n / (1 + others * ((1 - area) / (2 - area) + area / (1 + area)))
    return logit_estimate(area, variance=variance, trials=trials, rarer=min(p, n))


SCORE = Score("model_roc_auc", CLASSIFICATION, roc_auc)
