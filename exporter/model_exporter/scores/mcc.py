"""Matthews correlation coefficient."""

import math

import numpy as np

from model_exporter.records import Estimate
from model_exporter.scores.confusion import Counts, Floats, delta_estimate, margins, slopes_of
from model_exporter.scores.score import CLASSIFICATION, Estimates, Score, single
from model_exporter.scores.statistics import ClassificationStatistics


def mcc(statistics: ClassificationStatistics) -> Estimates:
    """Correlation of label and predicted class, -1 to 1; 0 is no better than chance.

    By convention 0, without an interval, where labels or predictions are all of one class;
    undefined without rows. Misleads across datasets: with rare positives the same model scores
    lower. The interval is that of the delta method on (1 + mcc) / 2; it covers 92 to 96 %, at 50
    rows 84 % where the positives expect two rows.

    Examples
    --------
    >>> from model_exporter.records import Task
    >>> from model_exporter.scores.statistics import statistics_from_rows
    >>> s = statistics_from_rows(
    ...     task=Task.BINARY, labels=[1, 1, 0, 0], predictions=[1, 0, 0, 0], scores={},
    ...     positive_label=1,
    ... )
    >>> round(mcc(s)[()].value, 4)
    0.5774

    References
    ----------
    Gorodkin, Comparing two K-category assignments by a K-category correlation coefficient,
    Comput. Biol. Chem. 28 (2004) 367-374.
    """
    confusion = statistics.confusion
    if not confusion.any():
        return {}
    _, labelled, predicted = margins(confusion)
    if confusion.sum() in {labelled.max(), predicted.max()}:
        return single(Estimate(0.0))
    return single(delta_estimate(confusion, _mcc, lowest=-1.0))


def _mcc(confusion: Counts) -> tuple[float, Floats]:
    right, labelled, predicted = margins(confusion)
    rows, hits = confusion.sum(), right.sum()
    by_label = (labelled * (rows - labelled)).sum()
    by_prediction = (predicted * (rows - predicted)).sum()
    scale = math.sqrt(by_label) * math.sqrt(by_prediction)
    value = float((hits * rows - labelled @ predicted) / scale)
    slopes = slopes_of(
        np.full(labelled.size, rows / scale),
        (hits - predicted) / scale - value * (rows - labelled) / by_label,
        -labelled / scale - value * (rows - predicted) / by_prediction,
    )
    return value, slopes


SCORE = Score("model_mcc", CLASSIFICATION, mcc)
