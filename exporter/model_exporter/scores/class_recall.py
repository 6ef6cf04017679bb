"""Recall of each class."""

from model_exporter.scores.confusion import margins
from model_exporter.scores.intervals import proportion
from model_exporter.scores.score import CLASSIFICATION, Estimates, Score
from model_exporter.scores.statistics import ClassificationStatistics


def class_recall(statistics: ClassificationStatistics) -> Estimates:
    """Share of rows labelled as the class that were predicted as that class, 0 to 1.

    Undefined (absent) for a class without labels.
    Misleads for a class labelled a few times only: read the interval, which is Wilson's.

    Examples
    --------
    >>> from model_exporter.records import Task
    >>> from model_exporter.scores.statistics import statistics_from_rows
    >>> s = statistics_from_rows(
    ...     task=Task.MULTICLASS, labels=list("aabc"), predictions=list("aacc"), scores={}
    ... )
    >>> {name: e.value for (name,), e in class_recall(s).items()}
    {'a': 1.0, 'b': 0.0, 'c': 1.0}

    References
    ----------
    scikit-learn, `sklearn.metrics.recall_score` with ``average=None, zero_division=nan``.
    """
    right, trials, _ = (margin.tolist() for margin in margins(statistics.confusion))
    rows = zip(statistics.classes, right, trials, strict=True)
    return {(name,): e for name, a, b in rows if (e := proportion(a, b)) is not None}


SCORE = Score("model_class_recall_ratio", CLASSIFICATION, class_recall)
