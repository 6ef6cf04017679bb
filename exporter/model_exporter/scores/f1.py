"""F1, by average."""

from model_exporter.scores.confusion import (
    Counts,
    Floats,
    averages,
    delta_estimate,
    f1_of,
    margins,
    present,
    ratio,
    slopes_of,
)
from model_exporter.scores.score import CLASSIFICATION, Estimates, Score
from model_exporter.scores.statistics import ClassificationStatistics


def f1(statistics: ClassificationStatistics) -> Estimates:
    """Harmonic mean of precision and recall, 2tp / (2tp + fp + fn), 0 to 1.

    ``binary`` is that of the positive class, undefined where it is neither labelled nor
    predicted; ``macro`` is the mean over the classes among labels or predictions, ``weighted``
    the mean by labels; ``micro`` equals the accuracy. Misleads across datasets: it rises with the
    share of positives. ``binary`` has Wilson's interval of tp / (tp + fp + fn), ``macro`` and
    ``weighted`` that of the delta method. They cover 93 to 97 %; ``macro`` 90 to 93 %
    where a class has a handful of rows, and 76 to 83 % where one is likely to be absent.

    Examples
    --------
    >>> from model_exporter.records import Task
    >>> from model_exporter.scores.statistics import statistics_from_rows
    >>> s = statistics_from_rows(
    ...     task=Task.BINARY, labels=[1, 1, 0, 0], predictions=[1, 0, 0, 0], scores={},
    ...     positive_label=1,
    ... )
    >>> {average: round(e.value, 3) for (average,), e in f1(s).items()}
    {'binary': 0.667, 'macro': 0.733, 'micro': 0.75, 'weighted': 0.733}

    References
    ----------
    Takahashi et al., Confidence interval for micro-averaged F1 and macro-averaged F1 scores,
    Appl. Intell. 52 (2022) 4961-4972.
    """
    confusion = statistics.confusion
    if not confusion.any():
        return {}
    macro = delta_estimate(confusion, _macro)
    if macro is None:
        return {}
    right, labelled, predicted = (margin.tolist() for margin in margins(confusion))
    return averages(
        statistics,
        binary=f1_of(right[-1], labelled[-1], predicted[-1]),
        macro=macro,
        weighted=delta_estimate(confusion, _weighted),
    )


def _macro(confusion: Counts) -> tuple[float, Floats]:
    right, labelled, predicted = margins(confusion)
    total, classes = labelled + predicted, int(present(confusion).sum())
    parts = ratio(2 * right, total)
    step = -ratio(parts, total) / classes
    return float(parts.sum() / classes), slopes_of(
        ratio(2 * present(confusion), total) / classes, step, step
    )


def _weighted(confusion: Counts) -> tuple[float, Floats]:
    right, labelled, predicted = margins(confusion)
    total, rows = labelled + predicted, confusion.sum()
    parts, weights = ratio(2 * right, total), ratio(labelled, total)
    value = float(labelled @ parts / rows)
    step = -weights * parts / rows
    return value, slopes_of(2 * weights / rows, (parts - value) / rows + step, step)


SCORE = Score("model_f1_ratio", CLASSIFICATION, f1)
