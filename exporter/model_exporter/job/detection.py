"""The drift test, applied to a subject of a window as the configuration says."""

import math

from model_exporter.baseline import Baseline
from model_exporter.drift import Comparison
from model_exporter.drift.detect import detect
from model_exporter.drift.looks import significance
from model_exporter.job.columns import feature_names, score_classes
from model_exporter.job.config import ModelConfig
from model_exporter.job.snapshot import Snapshot
from model_exporter.job.windows import WindowTotals
from model_exporter.records import Subject

MICROSECONDS = 1_000_000


def subjects(model: ModelConfig) -> list[tuple[str, str]]:
    """Return subject and feature of everything that is compared with a baseline."""
    return [
        *((Subject.FEATURE, name) for name in feature_names(model)),
        (Subject.PREDICTION, ""),
        *((Subject.SCORE, name) for name in score_classes(model)),
        *([(Subject.LABEL, "")] if model.labels else []),
    ]


def window_significance(model: ModelConfig, baseline: Baseline, window: WindowTotals) -> float:
    """Return the level of one look at one subject of a window.

    The accepted false alarms are shared by all subjects that the baseline knows, in all windows.
    """
    tested = sum(baseline.distribution(*subject) is not None for subject in subjects(model))
    start, end = window.interval
    return significance(
        false_alarms_per_month=model.drift.false_alarms_per_month,
        series=tested * len(model.windows),
        window_seconds=(end - start) / MICROSECONDS,
    )


def put_verdict(
    snapshot: Snapshot,
    model: ModelConfig,
    labels: tuple[str, ...],
    *,
    baseline: Baseline,
    compared: Comparison,
    level: float,
) -> None:
    """Serve the verdict on one subject; below the minimum of rows, the minimum only."""
    drift = model.drift
    subject, feature = labels[-2:]
    effect = drift.design_effect or baseline.design_effects.get((subject, feature), 1.0)
    # A cluster says as much as one row of it.
    minimum = math.ceil(drift.minimum_rows * effect)
    snapshot.put("model_drift_minimum_rows", labels, minimum)
    if compared.current_counts.sum() < minimum:
        return
    verdict = detect(compared, tolerance=drift.tolerance, significance=level, design_effect=effect)
    if verdict is None:
        return
    snapshot.put("model_drift_detected", labels, verdict.detected)
    if verdict.psi_critical is not None:
        snapshot.put("model_drift_psi_critical", labels, verdict.psi_critical)
