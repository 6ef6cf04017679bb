"""Weighted absolute percentage error."""

from model_exporter.scores.intervals import MINIMUM_ROWS, bounded, log_bounds, root
from model_exporter.scores.score import REGRESSION, Estimates, Score, single
from model_exporter.scores.statistics import RegressionStatistics


def wape(statistics: RegressionStatistics) -> Estimates:
    """Sum of |prediction - label| over the sum of |label|; 0 or more.

    Undefined where all labels are 0. Misleads where a few large labels dominate the sums. The
    interval is Student's on the log scale for a ratio of means (delta method): 94
    to 96 %; none below 5 rows.

    Examples
    --------
    >>> from model_exporter.records import Task
    >>> from model_exporter.scores.statistics import statistics_from_rows
    >>> s = statistics_from_rows(
    ...     task=Task.REGRESSION, labels=[1.0, 2.0, 4.0], predictions=[1.0, 3.0, 2.0], scores={}
    ... )
    >>> round(wape(s)[()].value, 4)
    0.4286

    References
    ----------
    Cochran, Sampling Techniques, 3rd ed., Wiley 1977, section 2.11 (ratio estimates).
    """
    s = statistics
    if not s.absolute_label > 0:
        return {}
    value = s.absolute_error / s.absolute_label
    if s.count < MINIMUM_ROWS:
        return single(bounded(value, None))
    squares = s.squared_error - 2 * value * s.absolute_error_label + value * value * s.squared_label
    error = root(squares * s.count / (s.count - 1))
    if error is None:
        return single(bounded(value, None))
    return single(bounded(value, log_bounds(value, error / s.absolute_label, s.count)))


SCORE = Score("model_wape_ratio", REGRESSION, wape)
