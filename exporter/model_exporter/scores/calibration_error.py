"""Expected calibration error."""

import math

import numpy as np
from numpy.typing import NDArray

from model_exporter.records import Estimate
from model_exporter.scores.intervals import Z
from model_exporter.scores.score import CLASSIFICATION, Estimates, Score, single
from model_exporter.scores.statistics import Calibration, ClassificationStatistics

Floats = NDArray[np.float64]

_erf = np.vectorize(math.erf, otypes=[np.float64])


def calibration_error(statistics: ClassificationStatistics) -> Estimates:
    """Mean distance of score and outcome over ten equal-width bins of the score; 0 to 1.

    Binary: the score against the share of positives. Multiclass: the probability of the predicted
    class against the accuracy. Undefined without scores. Misleads with few rows: even perfectly
    calibrated scores differ from the outcomes of a bin by chance, at 50 rows by 0.1.

    The interval is for the error without that chance part, so that it lies mostly below the
    value: each bin's gap is taken as normal and the expected excess of its absolute value is
    subtracted, at the lower end that of a smaller gap. It covers 93 to 99 % at 50 to 5,000 rows.

    Examples
    --------
    >>> from model_exporter.records import Task
    >>> from model_exporter.scores.statistics import statistics_from_rows
    >>> s = statistics_from_rows(
    ...     task=Task.BINARY, labels=[0, 1], predictions=[0, 1], scores={"": [0.2, 0.6]},
    ...     positive_label=1,
    ... )
    >>> round(calibration_error(s)[()].value, 4)
    0.3

    References
    ----------
    Naeini et al., Obtaining well calibrated probabilities using Bayesian binning, AAAI 2015.
    """
    calibration = statistics.calibration
    if calibration is None or not calibration.counts.any():
        return {}
    return single(_estimate(calibration))


LOWER_SHIFT = 1.5
"""Standard errors by which a gap may be smaller than it seems when the lower end is taken: the
excess of |gap| grows as the gap shrinks. 0 covered 62 to 96 %, 1 covered 90 to 99 %."""


def _estimate(calibration: Calibration) -> Estimate:
    filled = calibration.counts > 0
    counts, positives = calibration.counts[filled], calibration.positives[filled]
    rows = counts.sum()
    gaps = np.abs(calibration.score_totals[filled] - positives) / counts
    value = float(counts @ gaps / rows)
    # Half a row of each outcome more: a bin of one outcome has a spread too.
    share = (positives + 0.5) / (counts + 1)
    spread = np.sqrt(share * (1 - share) / counts)
    between = (counts @ gaps**2 / rows - value**2) / rows
    ends = []
    for sign, true in ((-1, np.maximum(0.0, gaps - LOWER_SHIFT * spread)), (1, gaps)):
        mean = _mean_absolute(true, spread)
        within = (counts / rows) ** 2 @ np.maximum(0.0, true**2 + spread**2 - mean**2)
        half = Z * math.sqrt(max(0.0, within + between))
        ends.append(value - float(counts @ (mean - true) / rows) + sign * half)
    return Estimate(value, max(0.0, min(value, ends[0])), min(1.0, max(value, ends[1])))


def _mean_absolute(mean: Floats, deviation: Floats) -> Floats:
    """Return the mean of |x| for normal x, by bin."""
    ratio = mean / deviation
    excess: Floats = deviation * math.sqrt(2 / math.pi) * np.exp(-(ratio**2) / 2)
    return np.asarray(excess + mean * _erf(ratio / math.sqrt(2)))


SCORE = Score("model_calibration_error", CLASSIFICATION, calibration_error)
