"""Precision, by average."""

from model_exporter.scores.confusion import (
    Counts,
    Floats,
    averages,
    delta_estimate,
    margins,
    present,
    ratio,
    slopes_of,
)
from model_exporter.scores.intervals import mean_of, proportion
from model_exporter.scores.score import CLASSIFICATION, Estimates, Score
from model_exporter.scores.statistics import ClassificationStatistics


def precision(statistics: ClassificationStatistics) -> Estimates:
    """Share of rows predicted as a class whose label is that class, 0 to 1.

    ``binary`` is that of the positive class, undefined where nothing was predicted positive;
    ``macro`` is the mean over the classes among labels or predictions, ``weighted`` the mean by
    labels, both with 0 for a class that was never predicted; ``micro`` equals the accuracy.
    Misleads alone: a model that rarely predicts a class can be precise. The intervals are
    Wilson's, combined for ``macro``, by the delta method for ``weighted``; those two
    cover 93 to 97 %, and 66 to 91 % where a class is likely to be absent from the window, for
    then the mean is over other classes.

    Examples
    --------
    >>> from model_exporter.records import Task
    >>> from model_exporter.scores.statistics import statistics_from_rows
    >>> s = statistics_from_rows(
    ...     task=Task.MULTICLASS, labels=list("aabc"), predictions=list("aacc"), scores={}
    ... )
    >>> {average: round(e.value, 3) for (average,), e in precision(s).items()}
    {'macro': 0.5, 'micro': 0.75, 'weighted': 0.625}

    References
    ----------
    scikit-learn, `sklearn.metrics.precision_score`.
    """
    confusion = statistics.confusion
    if not confusion.any():
        return {}
    right, _, predicted = (margin.tolist() for margin in margins(confusion))
    parts = [proportion(a, b) for a, b in zip(right, predicted, strict=True)]
    return averages(
        statistics,
        binary=parts[-1],
        macro=mean_of(parts, count=int(present(confusion).sum())),
        weighted=delta_estimate(confusion, _weighted),
    )


def _weighted(confusion: Counts) -> tuple[float, Floats]:
    right, labelled, predicted = margins(confusion)
    rows = confusion.sum()
    parts, weights = ratio(right, predicted), ratio(labelled, predicted)
    value = float(labelled @ parts / rows)
    slopes = slopes_of(weights / rows, (parts - value) / rows, -weights * parts / rows)
    return value, slopes


SCORE = Score("model_precision_ratio", CLASSIFICATION, precision)
