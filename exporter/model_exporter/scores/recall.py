"""Recall, by average."""

import numpy as np

from model_exporter.scores.confusion import averages, margins, present
from model_exporter.scores.intervals import mean_of, proportion
from model_exporter.scores.score import CLASSIFICATION, Estimates, Score
from model_exporter.scores.statistics import ClassificationStatistics


def recall(statistics: ClassificationStatistics) -> Estimates:
    """Share of rows labelled as a class that were predicted as that class, 0 to 1.

    ``binary`` is that of the positive class, undefined without positive labels; ``macro`` is the
    mean over the classes among labels or predictions, with 0 for one that was predicted but never
    labelled (`balanced_accuracy` leaves it out); ``micro`` and ``weighted`` equal the accuracy.
    Misleads alone: always predicting a class has recall 1. The intervals are Wilson's, combined
    for ``macro``, which covers 92 to 97 %, and 77 to 88 % where a class is likely to be absent
    from the window, for then the mean is over other classes.

    Examples
    --------
    >>> from model_exporter.records import Task
    >>> from model_exporter.scores.statistics import statistics_from_rows
    >>> s = statistics_from_rows(
    ...     task=Task.BINARY, labels=[1, 1, 0, 0], predictions=[1, 0, 0, 0], scores={},
    ...     positive_label=1,
    ... )
    >>> {average: e.value for (average,), e in recall(s).items()}
    {'binary': 0.5, 'macro': 0.75, 'micro': 0.75, 'weighted': 0.75}

    References
    ----------
    scikit-learn, `sklearn.metrics.recall_score`.
    """
    confusion = statistics.confusion
    if not confusion.any():
        return {}
    right, labelled, _ = (margin.tolist() for margin in margins(confusion))
    parts = [proportion(a, b) for a, b in zip(right, labelled, strict=True)]
    return averages(
        statistics,
        binary=parts[-1],
        macro=mean_of(parts, count=int(present(confusion).sum())),
        weighted=proportion(int(np.trace(confusion)), int(confusion.sum())),
    )


SCORE = Score("model_recall_ratio", CLASSIFICATION, recall)
