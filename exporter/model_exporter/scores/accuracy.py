"""Accuracy."""

import numpy as np

from model_exporter.scores.intervals import proportion
from model_exporter.scores.score import CLASSIFICATION, Estimates, Score, single
from model_exporter.scores.statistics import ClassificationStatistics


def accuracy(statistics: ClassificationStatistics) -> Estimates:
    """Share of rows whose predicted class is the label, 0 to 1; undefined without rows.

    Misleads where one class is common: always predicting it scores its share. Read it beside
    `balanced_accuracy`. The interval is Wilson's.

    Examples
    --------
    >>> from model_exporter.records import Task
    >>> from model_exporter.scores.statistics import statistics_from_rows
    >>> s = statistics_from_rows(
    ...     task=Task.MULTICLASS, labels=list("aabc"), predictions=list("aacc"), scores={}
    ... )
    >>> accuracy(s)[()].value
    0.75

    References
    ----------
    scikit-learn, `sklearn.metrics.accuracy_score`.
    """
    confusion = statistics.confusion
    return single(proportion(int(np.trace(confusion)), int(confusion.sum())))


SCORE = Score("model_accuracy_ratio", CLASSIFICATION, accuracy)
