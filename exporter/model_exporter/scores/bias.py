"""Mean error."""

from model_exporter.scores.intervals import mean
from model_exporter.scores.score import REGRESSION, Estimates, Score, single
from model_exporter.scores.statistics import Moments, RegressionStatistics


def bias(statistics: RegressionStatistics) -> Estimates:
    """Mean of prediction minus label, in its unit; positive where too much is predicted.

    Undefined without rows. Misleads alone: large errors of both signs cancel. The interval is
    Student's: 93 to 95 % from 50 rows on; none below 5.

    Examples
    --------
    >>> from model_exporter.records import Task
    >>> from model_exporter.scores.statistics import statistics_from_rows
    >>> s = statistics_from_rows(
    ...     task=Task.REGRESSION, labels=[1.0, 2.0, 4.0], predictions=[1.0, 3.0, 2.0], scores={}
    ... )
    >>> round(bias(s)[()].value, 4)
    -0.3333

    References
    ----------
    Student, The probable error of a mean, Biometrika 6 (1908) 1-25.
    """
    errors = Moments(statistics.count, statistics.error, statistics.squared_error)
    return single(mean(errors))


SCORE = Score("model_bias", REGRESSION, bias)
