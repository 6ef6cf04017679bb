"""Root of the mean squared error."""

import math

from model_exporter.records import Estimate
from model_exporter.scores.mse import mse
from model_exporter.scores.score import REGRESSION, Estimates, Score
from model_exporter.scores.statistics import RegressionStatistics


def rmse(statistics: RegressionStatistics) -> Estimates:
    """Square root of `mse`, in the unit of the label; 0 or more.

    Undefined without rows. Misleads as `mse` does. The interval is the root of that of `mse`.

    Examples
    --------
    >>> from model_exporter.records import Task
    >>> from model_exporter.scores.statistics import statistics_from_rows
    >>> s = statistics_from_rows(
    ...     task=Task.REGRESSION, labels=[1.0, 2.0, 4.0], predictions=[1.0, 3.0, 2.0], scores={}
    ... )
    >>> round(rmse(s)[()].value, 4)
    1.291

    References
    ----------
    scikit-learn, `sklearn.metrics.root_mean_squared_error`.
    """
    return {
        key: Estimate(math.sqrt(e.value), _root(e.lower), _root(e.upper))
        for key, e in mse(statistics).items()
    }


def _root(end: float | None) -> float | None:
    return None if end is None else math.sqrt(end)


SCORE = Score("model_rmse", REGRESSION, rmse)
