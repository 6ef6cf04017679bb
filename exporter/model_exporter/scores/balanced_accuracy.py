"""Balanced accuracy."""

from model_exporter.scores.confusion import margins
from model_exporter.scores.intervals import mean_of, proportion
from model_exporter.scores.score import CLASSIFICATION, Estimates, Score, single
from model_exporter.scores.statistics import ClassificationStatistics


def balanced_accuracy(statistics: ClassificationStatistics) -> Estimates:
    """Mean recall over the classes among the labels, 0 to 1; guessing scores 1 / classes.

    Undefined without rows and, for a binary model, where the labels are all of one class: the
    other half of the mean would be missing. Misleads where a class has few labels: each then
    moves the score as much as many of the common class. The interval combines Wilson's of the
    recalls; it covers 93 to 97 %, and 88 % where a
    class is likely to be absent from the window.

    Examples
    --------
    >>> from model_exporter.records import Task
    >>> from model_exporter.scores.statistics import statistics_from_rows
    >>> s = statistics_from_rows(
    ...     task=Task.MULTICLASS, labels=list("aabc"), predictions=list("aacc"), scores={}
    ... )
    >>> round(balanced_accuracy(s)[()].value, 4)
    0.6667

    References
    ----------
    Brodersen et al., The balanced accuracy and its posterior distribution, ICPR 2010.
    """
    right, labelled, _ = (margin.tolist() for margin in margins(statistics.confusion))
    recalls = [proportion(a, b) for a, b in zip(right, labelled, strict=True) if b]
    needed = 1 if statistics.positive_label is None else 2
    if len(recalls) < needed:
        return {}
    return single(mean_of(recalls, count=len(recalls)))


SCORE = Score("model_balanced_accuracy_ratio", CLASSIFICATION, balanced_accuracy)
