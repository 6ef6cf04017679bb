"""Brier score."""

from model_exporter.scores.intervals import positive_mean
from model_exporter.scores.score import CLASSIFICATION, Estimates, Score, single
from model_exporter.scores.statistics import ClassificationStatistics


def brier_score(statistics: ClassificationStatistics) -> Estimates:
    """Mean squared difference of probability and outcome: 0 to 1, multiclass 0 to 2.

    Binary: (score - y)^2, y being 1 for the positive class. Multiclass: summed over the classes.
    Undefined without scores. Misleads where positives are rare: always saying 0 scores their
    share. The interval is Student's on the log scale: 94 to 96 % from 500 rows on, 92 % at 50,
    and 75 % at 50 where most windows lack the large losses; none below 5 rows.

    Examples
    --------
    >>> from model_exporter.records import Task
    >>> from model_exporter.scores.statistics import statistics_from_rows
    >>> s = statistics_from_rows(
    ...     task=Task.BINARY, labels=[0, 1], predictions=[0, 1], scores={"": [0.2, 0.6]},
    ...     positive_label=1,
    ... )
    >>> round(brier_score(s)[()].value, 4)
    0.1

    References
    ----------
    Brier, Verification of forecasts expressed in terms of probability, Mon. Weather Rev. 78
    (1950) 1-3.
    """
    return single(positive_mean(statistics.brier) if statistics.brier else None)


SCORE = Score("model_brier_score", CLASSIFICATION, brier_score)
