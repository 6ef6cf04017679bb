"""Serves how the values of a window compare with the baseline; whole model only."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from model_exporter.distribution import CategoricalDistribution, NumericDistribution
from model_exporter.drift import STATISTICS
from model_exporter.job import decode
from model_exporter.job.columns import feature_names
from model_exporter.job.config import ModelConfig
from model_exporter.job.detection import put_verdict, subjects, window_significance
from model_exporter.job.snapshot import Snapshot
from model_exporter.job.totals import Totals
from model_exporter.job.windows import WindowTotals
from model_exporter.records import Subject

Values = Mapping[tuple[str, str], NDArray[np.float64]]
"""Finite values by subject and feature, sorted; of those subjects whose values are known."""


def put_drift(
    snapshot: Snapshot,
    model: ModelConfig,
    window: WindowTotals,
    values: Callable[[str, int], Values],
) -> None:
    """Compare each version, and all together, with the baseline.

    `values` returns those of a version, given how many rows of it the window has.
    """
    for group, totals in window.groups.items():
        rows = totals.count("predictions")
        if group.segment or not rows:
            continue
        _missing(snapshot, model, window.text, group.version, totals)
        if model.baseline(group.version) is not None:
            known = values(group.version, rows)
            _drift_of(snapshot, model, window, group.version, totals, known)


def _missing(
    snapshot: Snapshot, model: ModelConfig, window: str, version: str, totals: Totals
) -> None:
    for name in feature_names(model):
        values = decode.captured(totals, name, model)
        count = decode.missing(totals, name, numeric=name in model.numeric)
        if values:
            snapshot.put("model_missing_ratio", (model.name, version, window, name), count / values)


def _drift_of(
    snapshot: Snapshot,
    model: ModelConfig,
    window: WindowTotals,
    version: str,
    totals: Totals,
    values: Values,
) -> None:
    baseline = model.baseline(version)
    assert baseline is not None
    level = window_significance(model, baseline, window)
    for subject, feature in subjects(model):
        distribution = baseline.distribution(subject, feature)
        if distribution is None:
            continue
        labels = (model.name, version, window.text, subject, feature)
        known = values.get((subject, feature), np.empty(0))
        compared = decode.comparison(subject, feature, totals, distribution, known)
        rows = int(compared.current_counts.sum())
        snapshot.put("model_drift_rows", labels, rows)
        put_verdict(snapshot, model, labels, baseline=baseline, compared=compared, level=level)
        for statistic in STATISTICS:
            result = statistic.compute(compared) if distribution.kind in statistic.kinds else None
            if result is None:
                continue
            snapshot.put(statistic.name, labels, result.value)
            if statistic.p_value_name and result.p_value is not None:
                snapshot.put(statistic.p_value_name, labels, result.p_value)
        if subject == Subject.FEATURE and rows:
            place = (model.name, version, window.text, feature)
            _quality_of(snapshot, place, totals, distribution, rows)


def _quality_of(
    snapshot: Snapshot,
    labels: tuple[str, str, str, str],
    totals: Totals,
    distribution: NumericDistribution | CategoricalDistribution,
    rows: int,
) -> None:
    feature = labels[-1]
    if isinstance(distribution, CategoricalDistribution):
        count = decode.unseen(totals, feature, distribution)
        snapshot.put("model_unseen_ratio", labels, count / rows)
    elif ranged := totals.count("ranged", feature):
        count = totals.count("out_of_range", feature)
        snapshot.put("model_out_of_range_ratio", labels, count / ranged)
