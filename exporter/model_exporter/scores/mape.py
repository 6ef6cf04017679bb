"""Mean absolute percentage error."""

from model_exporter.scores.intervals import positive_mean
from model_exporter.scores.score import REGRESSION, Estimates, Score, single
from model_exporter.scores.statistics import Moments, RegressionStatistics


def mape(statistics: RegressionStatistics) -> Estimates:
    """Mean of |prediction - label| / |label| as a fraction, over labels that are not 0; 0 or more.

    Undefined without such labels. Misleads near 0: one small label can outweigh all others, and
    too low a forecast costs at most 1. `wape` has neither fault. The interval is Student's on the
    log scale: 94 to 96 % from 50 rows on where labels keep away from 0, and of no use where they
    cross it, for the mean is infinite then; none below 5 rows.

    Examples
    --------
    >>> from model_exporter.records import Task
    >>> from model_exporter.scores.statistics import statistics_from_rows
    >>> s = statistics_from_rows(
    ...     task=Task.REGRESSION, labels=[1.0, 2.0, 4.0], predictions=[1.0, 3.0, 2.0], scores={}
    ... )
    >>> round(mape(s)[()].value, 4)
    0.3333

    References
    ----------
    Hyndman and Koehler, Another look at measures of forecast accuracy, Int. J. Forecast. 22 (2006).
    """
    s = statistics
    losses = Moments(s.nonzero_labels, s.percentage_error, s.squared_percentage_error)
    return single(positive_mean(losses))


SCORE = Score("model_mape_ratio", REGRESSION, mape)
