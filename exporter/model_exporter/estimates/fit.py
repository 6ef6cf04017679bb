"""What a reference with labels tells about errors to come."""

import math

import numpy as np
from numpy.typing import NDArray

from model_exporter.estimates.calibration import fit_calibration
from model_exporter.reference_errors import ReferenceErrors
from model_exporter.scores.average_precision import value_and_variance
from model_exporter.scores.confusion import margins
from model_exporter.scores.inner import inner
from model_exporter.scores.statistics import (
    ClassificationStatistics,
    RegressionStatistics,
    ScoreHistogram,
)

AUC_WIDENING = 1.2
"""NannyML's factor for the classes' areas being correlated, from its experiments."""

Floats = NDArray[np.float64]


def fit_classification(statistics: ClassificationStatistics) -> ReferenceErrors:
    """Fit the calibration of each class's scores, and the deviation of each score."""
    calibrations = {n: fit_calibration(h) for n, h in statistics.histograms.items()}
    return ReferenceErrors(
        calibrations={name: c for name, c in calibrations.items() if c is not None},
        losses=None,
        deviations={
            key: value for key, value in _deviations(statistics).items() if math.isfinite(value)
        },
    )


def regression_deviations(s: RegressionStatistics) -> dict[str, float]:
    """Return NannyML's standard errors at one row, by the key of the score."""
    if not s.count:
        return {}
    found = {
        "mae": _deviation(s.absolute_error, s.squared_error, s.count),
        "mse": _deviation(s.squared_error, s.fourth_error, s.count),
    }
    root = math.sqrt(s.squared_error / s.count)
    found["rmse"] = found["mse"] / 2 / root if root else 0.0
    if s.nonzero_labels:
        found["mape"] = _deviation(s.percentage_error, s.squared_percentage_error, s.nonzero_labels)
    return {key: value for key, value in found.items() if math.isfinite(value)}


def _deviation(total: float, squares: float, rows: int) -> float:
    return math.sqrt(max(0.0, squares / rows - (total / rows) ** 2))


def _deviations(statistics: ClassificationStatistics) -> dict[str, float]:
    """Return NannyML's standard errors at one row; a class it has no rows of has none."""
    confusion = statistics.confusion.astype(np.float64)
    rows = float(confusion.sum())
    if not rows:
        return {}
    with np.errstate(invalid="ignore", divide="ignore"):
        return _known_deviations(statistics, confusion, rows)


def _known_deviations(
    statistics: ClassificationStatistics, confusion: Floats, rows: float
) -> dict[str, float]:
    right, labelled, predicted = margins(confusion)
    either = labelled + predicted - right
    wrong = rows - either  # rows of neither: the true negatives of each class
    shares = {
        "precision": (right, predicted),
        "recall": (right, labelled),
        "f1": (right, either),
        "specificity": (wrong, rows - labelled),
    }
    variances = {key: _variance(hits, of) * rows / of for key, (hits, of) in shares.items()}
    found = {"accuracy": math.sqrt(float(_variance(right.sum(), rows)))}
    if statistics.positive_label is None:
        del variances["specificity"]
        found |= {key: _mean_deviation(each) for key, each in variances.items()}
    else:
        found |= {key: math.sqrt(each[1]) for key, each in variances.items()}
        # Of F1, not of tp / (tp + fp + fn), whose rows these are.
        found["f1"] *= float(either[1] / ((labelled[1] + predicted[1]) / 2))
    histograms = list(statistics.histograms.values())
    if histograms:
        widening = AUC_WIDENING if statistics.positive_label is None else 1.0
        areas = np.array([_area_variance(histogram) for histogram in histograms])
        precisions = np.array([_precision_variance(histogram) for histogram in histograms])
        found["roc_auc"] = _mean_deviation(areas) * widening
        found["average_precision"] = _mean_deviation(precisions)
    return found


def _variance(hits: Floats | float, rows: Floats | float) -> Floats:
    share = np.asarray(hits / rows)
    return np.asarray(share * (1 - share), dtype=np.float64)


def _mean_deviation(variances: Floats) -> float:
    return float(np.sqrt(variances.sum()) / variances.size)


def _area_variance(histogram: ScoreHistogram) -> float:
    """Variance per row of the area, over the rows of the rarer kind only."""
    few, many = histogram.positives, histogram.negatives
    if few.sum() > many.sum():
        few, many = many[::-1], few[::-1]
    if not few.sum() or not many.sum():
        return math.nan
    beaten = (np.cumsum(many) - many / 2) / many.sum()
    mean = inner(few, beaten) / few.sum()
    spread = inner(few, (beaten - mean) ** 2) / float(few.sum())
    return spread * float(few.sum() + many.sum()) / float(few.sum())


def _precision_variance(histogram: ScoreHistogram) -> float:
    """Variance per row of the average precision, for which NannyML resamples the reference."""
    if not histogram.positives.any():
        return math.nan
    rows = int(histogram.positives.sum() + histogram.negatives.sum())
    return value_and_variance(histogram)[1] * rows
