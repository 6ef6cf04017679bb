"""Specificity."""

from model_exporter.records import Task
from model_exporter.scores.intervals import proportion
from model_exporter.scores.score import Estimates, Score, single
from model_exporter.scores.statistics import ClassificationStatistics


def specificity(statistics: ClassificationStatistics) -> Estimates:
    """Share of negative labels that were predicted negative, tn / (tn + fp), 0 to 1.

    Undefined without negative labels. Misleads where positives are rare: 0.99 may still mean more
    false alarms than true ones. The interval is Wilson's.

    Examples
    --------
    >>> from model_exporter.scores.statistics import statistics_from_rows
    >>> s = statistics_from_rows(
    ...     task=Task.BINARY, labels=[1, 0, 0, 0], predictions=[1, 1, 0, 0], scores={},
    ...     positive_label=1,
    ... )
    >>> round(specificity(s)[()].value, 4)
    0.6667

    References
    ----------
    Altman and Bland, Diagnostic tests 1: sensitivity and specificity, BMJ 308 (1994) 1552.
    """
    right, wrong = statistics.confusion[0].tolist()
    return single(proportion(right, right + wrong))


SCORE = Score("model_specificity_ratio", frozenset({Task.BINARY}), specificity)
