"""Estimates of quality before labels come, and how far off they were once labels have come."""

from collections.abc import Mapping

from model_exporter.catalogue import ESTIMATES, SCORE_BY_KEY
from model_exporter.estimates import (
    classification_estimates,
    regression_estimates,
    sampling_error,
)
from model_exporter.estimates.regression import Part
from model_exporter.job import decode
from model_exporter.job.config import ModelConfig
from model_exporter.job.snapshot import LabelValues, Snapshot
from model_exporter.job.store import Store
from model_exporter.job.totals import Group, Totals
from model_exporter.job.unlabelled import read_expected, read_labelled_bins
from model_exporter.job.windows import WindowTotals
from model_exporter.records import ALL_VERSIONS, Subject, Task
from model_exporter.scores.score import Estimates

Found = Mapping[str, Estimates]


def put_estimates(
    snapshot: Snapshot, store: Store, window: WindowTotals, *, served: Snapshot
) -> None:
    """Add the estimates of a window's predictions to a snapshot; `served` has their scores.

    Of a regression model only for the whole: tiles hold no bins of features by segment.
    """
    model = store.model
    if model.task is Task.REGRESSION:
        _put_regression(snapshot, store, window, served)
        return
    for group, (every, labelled) in read_expected(store, window).items():
        labels = _labels(model, window, group)
        _put(snapshot, model, group, labels, classification_estimates(every), served)
        _put_error(snapshot, model, labels, classification_estimates(labelled), served)


def _put_regression(
    snapshot: Snapshot, store: Store, window: WindowTotals, served: Snapshot
) -> None:
    model = store.model
    totals = {
        group.version: found
        for group, found in window.groups.items()
        if not group.segment and group.version != ALL_VERSIONS
    }
    if not any((b := model.baseline(version)) and b.errors for version in totals):
        return
    labelled = read_labelled_bins(store, window)
    for version in (*totals, ALL_VERSIONS):
        group = Group(version)
        if group not in window.groups or not window.groups[group].count("predictions"):
            continue
        labels = _labels(model, window, group)
        _put(snapshot, model, group, labels, _regression(model, totals, version), served)
        _put_error(snapshot, model, labels, _regression(model, labelled, version), served)


def _regression(model: ModelConfig, totals: Mapping[str, Totals], version: str) -> Found:
    """Return the estimates of a version's rows, or of all: none where one has no losses."""
    parts: dict[str, Part] = {}
    for name in sorted(totals) if version == ALL_VERSIONS else [version]:
        baseline = model.baseline(name)
        if name not in totals:
            continue
        if baseline is None or baseline.errors is None or baseline.errors.losses is None:
            return {}
        losses = baseline.errors.losses
        bins = {
            feature: decode.bin_counts(totals[name], subject, feature, distribution)
            for feature in losses.shares
            for subject in (Subject.FEATURE if feature else Subject.PREDICTION,)
            if (distribution := baseline.distribution(subject, feature)) is not None
        }
        # Versions with one baseline share its uncertainty: they are one part.
        if baseline.checksum in parts:
            bins = {f: counts + parts[baseline.checksum][1][f] for f, counts in bins.items()}
        parts[baseline.checksum] = int(bins[""].sum()), bins, losses
    return regression_estimates([part for part in parts.values() if part[0]])


def _labels(model: ModelConfig, window: WindowTotals, group: Group) -> LabelValues:
    return (model.name, group.version, window.text, group.segment, group.segment_value)


def _put(
    snapshot: Snapshot,
    model: ModelConfig,
    group: Group,
    labels: LabelValues,
    found: Found,
    served: Snapshot,
) -> None:
    baseline = model.baseline(group.version)
    for family in ESTIMATES:
        for extra, estimate in found.get(family.key, {}).items():
            snapshot.put(family.name, (*labels, *extra), estimate.value)
            if estimate.lower is not None and estimate.upper is not None:
                snapshot.put(family.lower, (*labels, *extra), estimate.lower)
                snapshot.put(family.upper, (*labels, *extra), estimate.upper)
        if family.key in found and baseline and baseline.errors:
            rows = served.values["model_window_predictions"].get(labels, 0)
            error = sampling_error(baseline.errors, family.key, rows)
            if error is not None:
                snapshot.put("model_estimate_sampling_error", (*labels, family.key), error)


def _put_error(
    snapshot: Snapshot, model: ModelConfig, labels: LabelValues, found: Found, served: Snapshot
) -> None:
    for family in ESTIMATES:
        if family.key not in found:
            continue
        score = SCORE_BY_KEY[family.key]
        extra = (decode.DEFAULT_AVERAGE[model.task],) if score.extra else ()
        estimate = found[family.key].get(extra)
        realised = served.values.get(score.name, {}).get((*labels, *extra))
        if estimate is not None and realised is not None:
            error = realised - estimate.value
            snapshot.put("model_estimate_error", (*labels, family.key), error)
