"""Mean absolute error."""

from model_exporter.scores.intervals import positive_mean
from model_exporter.scores.score import REGRESSION, Estimates, Score, single
from model_exporter.scores.statistics import Moments, RegressionStatistics


def mae(statistics: RegressionStatistics) -> Estimates:
    """Mean of |prediction - label|, in the unit of the label; 0 or more.

    Undefined without rows. Misleads across segments of different size: the largest labels decide.
    The interval is Student's on the log scale: 94 to 96 % from 50 rows on; none below 5.

    Examples
    --------
    >>> from model_exporter.records import Task
    >>> from model_exporter.scores.statistics import statistics_from_rows
    >>> s = statistics_from_rows(
    ...     task=Task.REGRESSION, labels=[1.0, 2.0, 4.0], predictions=[1.0, 3.0, 2.0], scores={}
    ... )
    >>> mae(s)[()].value
    1.0

    References
    ----------
    Willmott and Matsuura, Advantages of the mean absolute error, Clim. Res. 30 (2005) 79-82.
    """
    s = statistics
    return single(positive_mean(Moments(s.count, s.absolute_error, s.squared_error)))


SCORE = Score("model_mae", REGRESSION, mae)
