"""Serves what a configuration asks for beyond the scores, from the totals of a window."""

from model_exporter.catalogue import MEASURE_BY_NAME
from model_exporter.job.columns import amount_measures
from model_exporter.job.config import ModelConfig
from model_exporter.job.decode import moments
from model_exporter.job.losses import intervals
from model_exporter.job.scoring import OUTCOMES
from model_exporter.job.snapshot import LabelValues, Snapshot
from model_exporter.job.totals import Totals
from model_exporter.records import Estimate
from model_exporter.scores.decisions import at_threshold, decision_scores, mean_value
from model_exporter.scores.intervals import mean, positive_mean, proportion
from model_exporter.scores.statistics import (
    CALIBRATION_BINS,
    ClassificationStatistics,
    Statistics,
)

BIN_NAMES = tuple(
    f"{i / CALIBRATION_BINS}-{(i + 1) / CALIBRATION_BINS}" for i in range(CALIBRATION_BINS)
)


def put_measures(
    snapshot: Snapshot,
    model: ModelConfig,
    labels: LabelValues,
    totals: Totals,
    statistics: Statistics,
) -> None:
    """Put the measures of the labelled rows of one window and group.

    `labels` are the model's name and version, the window, the segment and its value.
    """
    _business(snapshot, model, labels, totals)
    _quantiles(snapshot, model, labels, totals)
    if isinstance(statistics, ClassificationStatistics):
        _thresholds(snapshot, model, labels, statistics)
        _values(snapshot, model, labels, statistics)
        if not labels[3]:
            _calibration(snapshot, labels[:3], statistics)


def put_measure(
    snapshot: Snapshot, name: str, labels: LabelValues, estimate: Estimate | None
) -> None:
    """Put a value with the ends of its interval; nothing where it is undefined."""
    if estimate is None:
        return
    family = MEASURE_BY_NAME[name]
    snapshot.put(family.name, labels, estimate.value)
    if estimate.lower is not None and estimate.upper is not None:
        snapshot.put(family.lower, labels, estimate.lower)
        snapshot.put(family.upper, labels, estimate.upper)


THRESHOLD_FAMILIES = {
    "precision": "model_threshold_precision_ratio",
    "recall": "model_threshold_recall_ratio",
    "specificity": "model_threshold_specificity_ratio",
    "f1": "model_threshold_f1_ratio",
}


def _thresholds(
    snapshot: Snapshot,
    model: ModelConfig,
    labels: LabelValues,
    statistics: ClassificationStatistics,
) -> None:
    histogram = statistics.histograms.get("")
    if histogram is None:
        return
    for text, threshold in model.scoring.thresholds.items():
        found = decision_scores(at_threshold(histogram, threshold))
        for name, family in THRESHOLD_FAMILIES.items():
            put_measure(snapshot, family, (*labels, text), found[name])


def _values(
    snapshot: Snapshot,
    model: ModelConfig,
    labels: LabelValues,
    statistics: ClassificationStatistics,
) -> None:
    if not model.scoring.values:
        return
    binary = statistics.positive_label is not None
    matrix = model.scoring.matrix(OUTCOMES if binary else statistics.classes)
    total = float((statistics.confusion * matrix).sum())
    snapshot.put("model_window_value", labels, total)
    put_measure(snapshot, "model_value_mean", labels, mean_value(statistics.confusion, matrix))


def _calibration(
    snapshot: Snapshot, labels: LabelValues, statistics: ClassificationStatistics
) -> None:
    found = statistics.calibration
    if found is None:
        return
    for i, name in enumerate(BIN_NAMES):
        rows, place = int(found.counts[i]), (*labels, name)
        snapshot.put("model_calibration_bin_rows", place, rows)
        if rows:
            score = float(found.score_totals[i]) / rows
            snapshot.put("model_calibration_bin_score", place, score)
            observed = proportion(int(found.positives[i]), rows)
            put_measure(snapshot, "model_calibration_bin_observed_ratio", place, observed)


def _business(snapshot: Snapshot, model: ModelConfig, labels: LabelValues, totals: Totals) -> None:
    for measure in amount_measures(model):
        found = moments(totals, "business", "business_squares", measure)
        if found.count:
            snapshot.put("model_window_business", (*labels, measure), found.total)
        put_measure(snapshot, "model_business_mean", (*labels, measure), mean(found))


def _quantiles(snapshot: Snapshot, model: ModelConfig, labels: LabelValues, totals: Totals) -> None:
    """Put loss and coverage by level, coverage and width by pair of levels.

    Coverages have Wilson's interval. That of the loss covers 94 to 95 % at 500 and 5,000 rows; at
    50 rows that of an outer quantile only 92 %, for a few rows beyond it make most of the loss.
    """
    levels = model.predictions.quantiles
    for level in levels:
        place = (*labels, level)
        loss = moments(totals, "pinball", "pinball_squares", level)
        covered = proportion(totals.count("covered", key=level), loss.count)
        put_measure(snapshot, "model_quantile_loss", place, positive_mean(loss))
        put_measure(snapshot, "model_quantile_coverage_ratio", place, covered)
    for level in intervals(levels):
        place = (*labels, level)
        width = moments(totals, "width", "width_squares", level)
        inside = proportion(totals.count("inside", key=level), width.count)
        put_measure(snapshot, "model_interval_coverage_ratio", place, inside)
        put_measure(snapshot, "model_interval_width", place, mean(width))
