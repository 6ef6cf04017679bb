"""From the store to a snapshot: every number the job serves about a model, as of one instant."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from model_exporter.catalogue import SCORE_BY_KEY, SCORES, ScoreFamily
from model_exporter.distribution import CategoricalDistribution, NumericDistribution
from model_exporter.drift import STATISTICS
from model_exporter.job import decode
from model_exporter.job.columns import feature_names, score_classes
from model_exporter.job.config import Expectation, ModelConfig
from model_exporter.job.snapshot import Histogram, Snapshot
from model_exporter.job.statements import DELAY_EDGES, waiting
from model_exporter.job.store import LABELS, PREDICTIONS, Store
from model_exporter.job.values import read_values
from model_exporter.job.versions import compare_versions
from model_exporter.job.windows import Group, Totals, WindowReader, WindowTotals
from model_exporter.records import Estimate, LabelOutcome, Subject, Task
from model_exporter.scores import SCORES as SCORE_FUNCTIONS

MICROSECONDS = 1_000_000
ZERO_FILLED_CLASSES = 20
"""Confusion matrices of up to this many classes are served whole, larger ones without zeros."""
DEFAULT_AVERAGE = {Task.BINARY: "binary", Task.MULTICLASS: "macro"}
"""The average that an expectation on precision, recall or F1 speaks of."""

REASONS = {PREDICTIONS: ("id", "timestamp", "prediction"), LABELS: ("id", "timestamp", "label")}
"""What a row can be refused for; the first that applies counts."""

Estimates = dict[str, dict[tuple[str, ...], Estimate]]


def evaluate(reader: WindowReader) -> Snapshot:
    """Evaluate a model as of the instant that its store has come to."""
    snapshot = Snapshot()
    store, model = reader.store, reader.store.model
    windows = []
    for window in reader.read():
        windows.append(window)
        for group, totals in window.groups.items():
            _window(snapshot, model, window.text, group, totals)
        _drift(snapshot, store, window)
    compare_versions(snapshot, store, windows)
    _baseline_quality(snapshot, model, _versions(store))
    _lifetime(snapshot, store)
    _thresholds(snapshot, model)
    return snapshot


def _versions(store: Store) -> list[str]:
    found = store.query("SELECT DISTINCT version FROM counts")
    return sorted(version for (version,) in found)


def _window(
    snapshot: Snapshot, model: ModelConfig, window: str, group: Group, totals: Totals
) -> None:
    labels = (model.name, group.version, window, group.segment, group.segment_value)
    predictions, labeled = totals.count("predictions"), totals.count("labeled")
    snapshot.put("model_window_predictions", labels, predictions)
    snapshot.put("model_window_labeled_predictions", labels, labeled)
    if predictions and model.windows_by == "prediction_timestamp":
        snapshot.put("model_label_coverage_ratio", labels, labeled / predictions)
    if not labeled:
        return
    if model.task is not Task.REGRESSION:
        _confusion(snapshot, model, labels, totals)
    estimates = _scores(model, totals)
    for family in SCORES:
        for extra, estimate in estimates.get(family.name, {}).items():
            _put_estimate(snapshot, family, (*labels, *extra), estimate)
    for expectation in model.expectations:
        _judge(snapshot, model, expectation, labels, estimates)


def _scores(model: ModelConfig, totals: Totals) -> Estimates:
    statistics = decode.statistics(totals, model)
    return {
        score.name: dict(score.compute(statistics))
        for score in SCORE_FUNCTIONS
        if model.task in score.tasks
    }


def _put_estimate(
    snapshot: Snapshot, family: ScoreFamily, labels: tuple[str, ...], estimate: Estimate
) -> None:
    snapshot.put(family.name, labels, estimate.value)
    if estimate.lower is not None:
        snapshot.put(family.lower, labels, estimate.lower)
    if estimate.upper is not None:
        snapshot.put(family.upper, labels, estimate.upper)


def _confusion(
    snapshot: Snapshot, model: ModelConfig, labels: tuple[str, ...], totals: Totals
) -> None:
    classes = decode.class_names(totals, model)
    cells = {(a, p): totals.count("confusion", a, p) for a in classes for p in classes}
    for (actual, predicted), count in cells.items():
        if count or len(classes) <= ZERO_FILLED_CLASSES:
            snapshot.put("model_window_confusion", (*labels, actual, predicted), count)


def _judge(
    snapshot: Snapshot,
    model: ModelConfig,
    expectation: Expectation,
    labels: tuple[str, ...],
    estimates: Estimates,
) -> None:
    """Say whether the whole interval lies beyond the bound; an unknown bound convicts nobody."""
    family = SCORE_BY_KEY[expectation.score]
    found = estimates.get(family.name, {})
    if family.extra == ("average",):
        average = (DEFAULT_AVERAGE[model.task],)
        found = {average: found[average]} if average in found else {}
    if not found:
        return
    if expectation.bound == "min":
        violated = any(
            e.upper is not None and e.upper < expectation.threshold for e in found.values()
        )
    else:
        violated = any(
            e.lower is not None and e.lower > expectation.threshold for e in found.values()
        )
    snapshot.put(
        "model_expectation_violated", (*labels, expectation.score, expectation.bound), violated
    )


def _thresholds(snapshot: Snapshot, model: ModelConfig) -> None:
    for expectation in model.expectations:
        labels = (model.name, expectation.score, expectation.bound)
        snapshot.put("model_expectation_threshold", labels, expectation.threshold)


def _baseline_quality(snapshot: Snapshot, model: ModelConfig, versions: Iterable[str]) -> None:
    for version in versions:
        baseline = model.baseline(version)
        for family in SCORES:
            found = baseline.quality.get(family.name, {}) if baseline else {}
            for extra, estimate in found.items():
                snapshot.put(family.baseline, (model.name, version, *extra), estimate.value)


def _drift(snapshot: Snapshot, store: Store, window: WindowTotals) -> None:
    """Compare each version, and all together, with the baseline; whole model only."""
    model = store.model
    for group, totals in window.groups.items():
        rows = totals.count("predictions")
        if group.segment or not rows:
            continue
        _missing(snapshot, model, window.text, group.version, totals, rows)
        if model.baseline(group.version) is not None:
            values = read_values(store, window.interval, group.version, rows)
            _drift_of(snapshot, model, window.text, group.version, totals, values)


def _missing(
    snapshot: Snapshot, model: ModelConfig, window: str, version: str, totals: Totals, rows: int
) -> None:
    for name in feature_names(model):
        count = decode.missing(totals, name, numeric=name in model.numeric)
        snapshot.put("model_missing_ratio", (model.name, version, window, name), count / rows)


def _drift_of(
    snapshot: Snapshot,
    model: ModelConfig,
    window: str,
    version: str,
    totals: Totals,
    values: dict[tuple[str, str], NDArray[np.float64]],
) -> None:
    baseline = model.baseline(version)
    assert baseline is not None
    for subject, feature in _subjects(model):
        distribution = baseline.distribution(subject, feature)
        if distribution is None:
            continue
        labels = (model.name, version, window, subject, feature)
        known = values.get((subject, feature), np.empty(0))
        compared = decode.comparison(subject, feature, totals, distribution, known)
        rows = int(compared.current_counts.sum())
        snapshot.put("model_drift_rows", labels, rows)
        for statistic in STATISTICS:
            result = statistic.compute(compared) if distribution.kind in statistic.kinds else None
            if result is None:
                continue
            snapshot.put(statistic.name, labels, result.value)
            if statistic.p_value_name and result.p_value is not None:
                snapshot.put(statistic.p_value_name, labels, result.p_value)
        if subject == Subject.FEATURE and rows:
            _quality_of(
                snapshot, (model.name, version, window, feature), totals, distribution, rows
            )


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


def _subjects(model: ModelConfig) -> list[tuple[str, str]]:
    return [
        *((Subject.FEATURE, name) for name in feature_names(model)),
        (Subject.PREDICTION, ""),
        *((Subject.SCORE, name) for name in score_classes(model)),
        (Subject.LABEL, ""),
    ]


def _lifetime(snapshot: Snapshot, store: Store) -> None:
    model = store.model
    sql = "SELECT version, stat, name, key, sum(value) FROM lifetime GROUP BY ALL"
    ledger = dict.fromkeys(LabelOutcome, 0)
    delays: dict[str, dict[str, int]] = {}
    for version, stat, name, key, value in store.query(sql):
        if stat == "ledger":
            ledger[LabelOutcome(name)] += int(value)
        elif stat == "confusion":
            labels = (model.name, version, name, key)
            snapshot.put("model_confusion_total", labels, int(value))
        else:
            delays.setdefault(version, {})[key if stat == "delay" else stat] = int(value)
    for version, buckets in delays.items():
        snapshot.put_histogram(
            "model_label_delay_seconds", (model.name, version), _delay_histogram(buckets)
        )
    invalid = store.query("SELECT source, reason, count(*) FROM invalid GROUP BY ALL")
    counted = {(source, reason): count for source, reason, count in invalid}
    for source in (PREDICTIONS, LABELS) if model.labels else (PREDICTIONS,):
        for reason in REASONS[source]:
            count = counted.get((source, reason), 0)
            snapshot.put("model_source_invalid_total", (model.name, source, reason), count)
    ledger[LabelOutcome.INVALID] = sum(counted.get((LABELS, r), 0) for r in REASONS[LABELS])
    for outcome, count in ledger.items():
        snapshot.put("model_labels_total", (model.name, outcome), count)
    unmatched = store.query(waiting(model), {"now": store.now})[0][0]
    snapshot.put("model_labels_waiting", (model.name,), unmatched)
    _newest(snapshot, store)


def _newest(snapshot: Snapshot, store: Store) -> None:
    for table, family in (
        ("prediction", "model_newest_prediction_timestamp_seconds"),
        ("label", "model_newest_label_timestamp_seconds"),
    ):
        newest = store.query(f"SELECT max(ts) FROM {table} WHERE ts <= {store.now}")[0][0]
        if newest is not None:
            snapshot.put(family, (store.model.name,), newest / MICROSECONDS)
    snapshot.put(
        "model_evaluation_last_success_timestamp_seconds",
        (store.model.name,),
        store.now / MICROSECONDS,
    )


def _delay_histogram(found: dict[str, int]) -> Histogram:
    total = found.get("delay_sum", 0) / MICROSECONDS
    running, buckets = 0, []
    for i, bound in enumerate([*map(str, DELAY_EDGES), "+Inf"]):
        running += found.get(str(i), 0)
        buckets.append((bound if bound == "+Inf" else f"{bound}.0", running))
    return Histogram(tuple(buckets), total)
