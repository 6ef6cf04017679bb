"""F1 of each class."""

from model_exporter.scores.confusion import f1_of, margins
from model_exporter.scores.score import CLASSIFICATION, Estimates, Score
from model_exporter.scores.statistics import ClassificationStatistics


def class_f1(statistics: ClassificationStatistics) -> Estimates:
    """Harmonic mean of the precision and recall of the class, 0 to 1.

    Undefined (absent) for a class that was neither labelled nor predicted. Misleads across
    classes: at equal precision and recall per row, the commoner class has the higher F1. The
    interval comes from Wilson's of tp / (tp + fp + fn).

    Examples
    --------
    >>> from model_exporter.records import Task
    >>> from model_exporter.scores.statistics import statistics_from_rows
    >>> s = statistics_from_rows(
    ...     task=Task.MULTICLASS, labels=list("aabc"), predictions=list("aacc"), scores={}
    ... )
    >>> {name: round(e.value, 3) for (name,), e in class_f1(s).items()}
    {'a': 1.0, 'b': 0.0, 'c': 0.667}

    References
    ----------
    scikit-learn, `sklearn.metrics.f1_score` with ``average=None, zero_division=nan``.
    """
    margin_lists = (margin.tolist() for margin in margins(statistics.confusion))
    rows = zip(statistics.classes, *margin_lists, strict=True)
    return {(name,): e for name, *counts in rows if (e := f1_of(*counts)) is not None}


SCORE = Score("model_class_f1_ratio", CLASSIFICATION, class_f1)
