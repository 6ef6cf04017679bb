"""What a monitor costs the Prometheus that scrapes it: series, computed before there are any."""

import os
from collections.abc import Callable
from typing import NamedTuple

from model_exporter.baseline import Baseline
from model_exporter.records import Subject, Task
from model_exporter.sidecar.arguments import number
from model_exporter.sidecar.columns import REASONS
from model_exporter.sidecar.counters import (
    Subjects,
)
from model_exporter.sidecar.faults import DropReason, Stage
from model_exporter.sidecar.monitor import ModelMonitor
from model_exporter.sidecar.sections import LIMITS, Section
from model_exporter.sidecar.settings import BATCH_BUCKETS, SCORE_BUCKETS, Settings
from model_exporter.sidecar.window import LEVELS

ONE = (
    "model_info",
    "model_prediction_requests_total",
    "model_predictions_total",
    "model_prediction_chunks_total",
    "model_predictions_in_progress",
    "model_prediction_mean",
    "model_prediction_stddev",
    "model_last_prediction_timestamp_seconds",
)
"""The families with one series in every model."""


class SeriesEstimate(NamedTuple):
    """The series of one model version as one scrape sees it, at most.

    Attributes
    ----------
    total
        Sum over the families.
    families
        Series by family name; buckets, count and sum of a histogram are series each.
    """

    total: int
    families: dict[str, int]


def estimated(settings: Settings, subjects: Subjects) -> SeriesEstimate:
    """Return what a monitor of these settings serves at most, streams and batches included."""
    found = dict.fromkeys(ONE, 1)
    for part in (_calls, _outputs, _features, _health):
        found |= part(settings, subjects)
    families = {name: series for name, series in found.items() if series}
    return SeriesEstimate(sum(families.values()), families)


Part = Callable[[Settings, Subjects], dict[str, int]]


def _calls(settings: Settings, _: Subjects) -> dict[str, int]:
    latency = _histogram(settings.latency_buckets)
    return {
        "model_prediction_errors_total": LIMITS[Section.ERROR_TYPES] + 1,  # and `__other__`
        "model_prediction_latency_seconds": latency,
        "model_prediction_time_to_first_chunk_seconds": latency,
        "model_prediction_batch_rows": _histogram(BATCH_BUCKETS),
    }


def _outputs(settings: Settings, _: Subjects) -> dict[str, int]:
    regression = settings.task is Task.REGRESSION
    classes = 0 if regression else LIMITS[Section.CLASSES] + 1
    return {
        "model_prediction_score": 0 if regression else _histogram(SCORE_BUCKETS),
        "model_prediction_value": _histogram(settings.value_buckets) if regression else 0,
        "model_predicted_class_total": classes,
        "model_predicted_class_ratio": classes,
        "model_prediction_quantile": len(LEVELS),
        "model_business_total": LIMITS[Section.MEASURES] + 1,
    }


def _features(settings: Settings, subjects: Subjects) -> dict[str, int]:
    bins = sum(len(counter.names) for counter in subjects.bins.values())
    features = sum(subject is Subject.FEATURE for subject, _ in subjects.bins)
    declared = sum((Subject.FEATURE, name) not in subjects.bins for name in subjects.checks)
    return {
        "model_distribution_total": bins,
        "model_baseline_ratio": bins,
        "model_baseline_rows": int(settings.baseline is not None),
        "model_feature_values_total": features + declared + bool(subjects.uncounted),
        "model_feature_missing_total": features + declared,
        "model_feature_invalid_total": features * (len(REASONS) - 1) + len(subjects.checks),
        "model_schema_mismatch_total": features and features + LIMITS[Section.EXTRA_COLUMNS] + 1,
    }


def _health(settings: Settings, _: Subjects) -> dict[str, int]:
    found = {
        "model_input_timestamp_seconds": int(bool(settings.event_time)),
        "model_exporter_dropped_total": len(DropReason),
        "model_exporter_internal_errors_total": len(Stage),
    }
    if settings.multiprocess_dir is None:
        return found
    from model_exporter.sidecar.shard_file import SkipReason  # needs a POSIX system

    shared = {
        "model_exporter_shards": 1,
        "model_exporter_shards_skipped": len(SkipReason),
        "model_exporter_shards_degraded": 1,
    }
    return found | shared


def _histogram(edges: tuple[float, ...]) -> int:
    # Where an edge is negative there is neither count nor sum.
    return len(edges) + 1 + 2 * (edges[0] >= 0)


def price(baseline: str | os.PathLike[str] | Baseline, *, versions: int, replicas: int) -> str:
    """Return the bill of a model with this baseline and the default arguments."""
    for what, count in (("versions", versions), ("replicas", replicas)):
        number(what, count, least=1)
    with ModelMonitor("model", baseline=baseline, multiprocess_dir="") as monitor:
        return table(monitor.series_estimate(), versions=versions, replicas=replicas)


def table(estimate: SeriesEstimate, *, versions: int, replicas: int) -> str:
    """Return the bill as a text table, the dearest family first.

    Examples
    --------
    >>> print(table(SeriesEstimate(3, {"a": 1, "b": 2}), versions=2, replicas=5))
    family  a version    in all
    b               2        20
    a               1        10
    total           3        30
    """
    rows = sorted(estimate.families.items(), key=lambda item: (-item[1], item[0]))
    rows.append(("total", estimate.total))
    width = max(len(name) for name, _ in [*rows, ("family", 0)])
    lines = [f"{'family':{width}}  a version    in all"]
    lines += [f"{n:{width}}  {s:9}  {s * versions * replicas:8}" for n, s in rows]
    return "\n".join(lines)
