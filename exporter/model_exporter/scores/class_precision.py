"""Precision of each class."""

from model_exporter.scores.confusion import margins
from model_exporter.scores.intervals import proportion
from model_exporter.scores.score import CLASSIFICATION, Estimates, Score
from model_exporter.scores.statistics import ClassificationStatistics


def class_precision(statistics: ClassificationStatistics) -> Estimates:
    """Share of rows predicted as the class whose label is that class, 0 to 1.

    Undefined (absent) for a class that was never predicted.
    Misleads for a class predicted a few times only: read the interval, which is Wilson's.

    Examples
    --------
    >>> from model_exporter.records import Task
    >>> from model_exporter.scores.statistics import statistics_from_rows
    >>> s = statistics_from_rows(
    ...     task=Task.MULTICLASS, labels=list("aabc"), predictions=list("aacc"), scores={}
    ... )
    >>> {name: e.value for (name,), e in class_precision(s).items()}
    {'a': 1.0, 'c': 0.5}

    References
    ----------
    scikit-learn, `sklearn.metrics.precision_score` with ``average=None, zero_division=nan``.
    """
    right, _, trials = (margin.tolist() for margin in margins(statistics.confusion))
    rows = zip(statistics.classes, right, trials, strict=True)
    return {(name,): e for name, a, b in rows if (e := proportion(a, b)) is not None}


SCORE = Score("model_class_precision_ratio", CLASSIFICATION, class_precision)
