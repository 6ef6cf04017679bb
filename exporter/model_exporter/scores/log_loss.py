"""Log loss."""

from model_exporter.scores.intervals import positive_mean
from model_exporter.scores.score import CLASSIFICATION, Estimates, Score, single
from model_exporter.scores.statistics import ClassificationStatistics


def log_loss(statistics: ClassificationStatistics) -> Estimates:
    """Mean of -ln of the probability given to the label, in nats; 0 to 36.04.

    Probabilities are clipped at float64 epsilon, so that one sure and wrong row costs 36 nats.
    Undefined without scores. Misleads across datasets: its best reachable value is the entropy of
    the labels. The interval is Student's on the log scale: 94 to 96 % from 500 rows on, 91 % at
    50, and 73 % at 50 where most windows lack the large losses; none below 5 rows.

    Examples
    --------
    >>> from model_exporter.records import Task
    >>> from model_exporter.scores.statistics import statistics_from_rows
    >>> s = statistics_from_rows(
    ...     task=Task.BINARY, labels=[0, 1], predictions=[0, 1], scores={"": [0.5, 0.5]},
    ...     positive_label=1,
    ... )
    >>> round(log_loss(s)[()].value, 4)
    0.6931

    References
    ----------
    Good, Rational decisions, J. R. Stat. Soc. B 14 (1952) 107-114.
    """
    return single(positive_mean(statistics.log_loss) if statistics.log_loss else None)


SCORE = Score("model_log_loss", CLASSIFICATION, log_loss)
