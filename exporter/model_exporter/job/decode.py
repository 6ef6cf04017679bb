"""From totals of tiles to what scores and drift statistics take."""

import math

import numpy as np
from numpy.typing import NDArray

from model_exporter.distribution import CategoricalDistribution, Distribution
from model_exporter.drift import Comparison
from model_exporter.job.columns import binary_classes, known_classes, score_classes
from model_exporter.job.config import ModelConfig
from model_exporter.job.losses import exact
from model_exporter.job.source_section import PROMETHEUS
from model_exporter.job.totals import Totals
from model_exporter.records import OTHER, Task
from model_exporter.scores.statistics import (
    CALIBRATION_BINS,
    Calibration,
    ClassificationStatistics,
    Moments,
    RegressionStatistics,
    ScoreHistogram,
    Statistics,
)

DEFAULT_AVERAGE = {Task.BINARY: "binary", Task.MULTICLASS: "macro"}
"""The average that is meant where precision, recall or F1 are named without one."""
REGRESSION_SUMS = (
    "error", "absolute_error", "squared_error", "fourth_error",
    "label", "absolute_label", "squared_label", "cubed_label", "fourth_label",
    "squared_error_label", "squared_error_squared_label", "absolute_error_label",
    "percentage_error", "squared_percentage_error",
)  # fmt: skip


def statistics(totals: Totals, model: ModelConfig) -> Statistics:
    """Return the sufficient statistics of the labelled rows behind some totals."""
    if model.task is Task.REGRESSION:
        sums = {name: _sum(totals, name) for name in REGRESSION_SUMS}
        nonzero = _rows(totals, "percentage_error")
        return RegressionStatistics(count=_rows(totals, "error"), nonzero_labels=nonzero, **sums)
    classes = class_names(totals, model)
    scored = bool(totals.scores)
    return ClassificationStatistics(
        classes=classes,
        positive_label=model.positive_label,
        confusion=_confusion(totals, classes),
        histograms={name: _histogram(steps) for name, steps in sorted(totals.scores.items())},
        log_loss=moments(totals, "log_loss", "log_loss_squares") if scored else None,
        brier=moments(totals, "brier", "brier_squares") if scored else None,
        calibration=_calibration(totals) if scored else None,
    )


def class_names(totals: Totals, model: ModelConfig) -> tuple[str, ...]:
    """Return the known classes and those seen; negative, then positive for a binary model."""
    seen = {c for stat, *cell in totals.counts if stat == "confusion" for c in cell}
    if model.task is not Task.BINARY:
        return tuple(dict.fromkeys([*known_classes(model), *score_classes(model), *sorted(seen)]))
    positive = str(model.positive_label)
    others = sorted(seen - {positive})
    return binary_classes(model) or (others[0] if others else OTHER, positive)


def comparison(
    subject: str,
    feature: str,
    totals: Totals,
    distribution: Distribution,
    values: NDArray[np.float64],
) -> Comparison:
    """Return the reference and current distribution of a subject.

    `values` are those in the window, finite and sorted; empty where only bins are known.
    """
    keys = totals.keys(subject, feature)
    if isinstance(distribution, CategoricalDistribution):
        return Comparison.categorical(distribution, {k: n for k, n in keys.items() if k})
    counts = bin_counts(totals, subject, feature, distribution)
    return Comparison.numeric(distribution, counts, values)


def bin_counts(
    totals: Totals, subject: str, feature: str, distribution: Distribution
) -> NDArray[np.int64]:
    """Return rows by bin of the baseline; those missing or invalid are in none."""
    keys = totals.keys(subject, feature)
    if not isinstance(distribution, CategoricalDistribution):
        bins = range(distribution.counts.size)
        return np.array([keys.get(str(i), 0) for i in bins], dtype=np.int64)
    known = [keys.get(category, 0) for category in distribution.categories]
    others = sum(n for key, n in keys.items() if key) - sum(known)
    return np.array([*known, others], dtype=np.int64)


def unseen(totals: Totals, feature: str, distribution: CategoricalDistribution) -> int:
    """Return rows whose category the reference has not."""
    known = {"", *distribution.categories}
    return sum(n for key, n in totals.keys("feature", feature).items() if key not in known)


def captured(totals: Totals, feature: str, model: ModelConfig) -> int:
    """Return values of a feature that were seen, missing ones included: one a row of a log."""
    counted = model.predictions.type == PROMETHEUS
    return totals.count("values", feature) if counted else totals.count("predictions")


def missing(totals: Totals, feature: str, *, numeric: bool) -> int:
    """Return rows whose feature is missing."""
    return totals.count("feature", feature, "-1" if numeric else "")


def _sum(totals: Totals, stat: str, key: str = "") -> float:
    _, parts = totals.sums.get((stat, key), (0, {}))
    if len(parts) == 1:  # as the sums of cells are
        ((exponent, whole),) = parts.items()
        return math.ldexp(whole, exponent)
    return float(exact(parts.items()))


def _rows(totals: Totals, stat: str) -> int:
    return totals.sums.get((stat, ""), (0, {}))[0]


def moments(totals: Totals, stat: str, squares: str, key: str = "") -> Moments:
    """Return rows, sum and sum of squares of one kind."""
    rows = totals.sums.get((stat, key), (0, {}))[0]
    return Moments(rows, _sum(totals, stat, key), _sum(totals, squares, key))


def _confusion(totals: Totals, classes: tuple[str, ...]) -> NDArray[np.int64]:
    place = {name: i for i, name in enumerate(classes)}
    cells = np.zeros((len(classes), len(classes)), dtype=np.int64)
    for (stat, actual, predicted), count in totals.counts.items():
        if stat == "confusion":
            # A binary model without known negative: whatever is not positive is negative.
            cells[place.get(actual, 0), place.get(predicted, 0)] += count
    return cells


def _histogram(scores: NDArray[np.float64]) -> ScoreHistogram:
    rows, positives = scores[1].astype(np.int64), scores[2].astype(np.int64)
    return ScoreHistogram(scores[0], negatives=rows - positives, positives=positives)


def _calibration(totals: Totals) -> Calibration:
    counts = totals.keys("calibration")
    hits = totals.keys("calibration_hits")
    bins = [str(i) for i in range(CALIBRATION_BINS)]
    return Calibration(
        counts=np.array([counts.get(b, 0) for b in bins], dtype=np.int64),
        score_totals=np.array([_sum(totals, "calibration", b) for b in bins]),
        positives=np.array([hits.get(b, 0) for b in bins], dtype=np.int64),
    )
