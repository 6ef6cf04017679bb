"""From the store to a snapshot: every number the job serves about a model, as of one instant."""

import functools
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple, Self

from model_exporter.catalogue import SCORE_BY_KEY, SCORES, ScoreFamily
from model_exporter.job import decode
from model_exporter.job.cohorts import Estimates, cohorts_of, put_cohort
from model_exporter.job.config import ModelConfig
from model_exporter.job.custom_scores import put_custom_score_errors, put_custom_scores
from model_exporter.job.delays import put_delays
from model_exporter.job.drift import put_drift
from model_exporter.job.estimate import put_estimates
from model_exporter.job.judgement_section import Expectation
from model_exporter.job.ledger import put_ledger
from model_exporter.job.maturity import maturity_of
from model_exporter.job.measures import put_measures
from model_exporter.job.objectives import put_objectives
from model_exporter.job.ranking import put_ranking
from model_exporter.job.selection import put_selection
from model_exporter.job.snapshot import Snapshot
from model_exporter.job.store import Store
from model_exporter.job.totals import Group, Totals
from model_exporter.job.values import read_values
from model_exporter.job.versions import compare_versions
from model_exporter.job.windows import WindowReader, WindowTotals, windows_of
from model_exporter.records import Estimate, Task
from model_exporter.scores import SCORES as SCORE_FUNCTIONS
from model_exporter.scores.statistics import Statistics

MICROSECONDS = 1_000_000
ZERO_FILLED_CLASSES = 20
"""Confusion matrices of up to this many classes are served whole, larger ones without zeros."""

NEGLIGIBLE_MOVE, NEGLIGIBLE_CHANGE = 1 / 500, 1 / 50
"""Shares of a window: drift and estimates are computed from its rows anew when it has moved by the
first (three minutes of a day), or when it has this many more or fewer rows, or labels."""


class FromRows(NamedTuple):
    """What was computed from the rows of a window, which costs the more the longer it is.

    Attributes
    ----------
    end
        Of the window, in microseconds.
    rows
        Predictions in it, and labelled ones.
    part
        What was found.
    """

    end: int
    rows: tuple[int, int]
    part: Snapshot


class Kept(NamedTuple):
    """What goes from one evaluation of a model to the next.

    Attributes
    ----------
    windows
        By window, what was computed from its rows.
    errors
        By score that the user wrote: how often it failed, over the life of the process.
    """

    windows: dict[str, FromRows]
    errors: Counter[str]

    @classmethod
    def nothing(cls) -> Self:
        """Return what there is before the first evaluation."""
        return cls({}, Counter())


def evaluate(reader: WindowReader, kept: Kept | None = None) -> Snapshot:
    """Evaluate a model as of the instant that its store has come to.

    `kept` spares what was computed from rows and has hardly changed since.
    """
    snapshot = Snapshot()
    store, model = reader.store, reader.store.model
    kept = kept or Kept.nothing()
    maturity = maturity_of(store)
    snapshot.put("model_maturity_seconds", (model.name,), maturity / MICROSECONDS)
    cohorts = cohorts_of(model, store.now)
    windows = []
    for window in reader.read(windows_of(model, store.now, maturity=maturity) | cohorts):
        if window.text in cohorts:
            _cohort(snapshot, model, window)
            continue
        windows.append(window)
        for group, totals in window.groups.items():
            _window(snapshot, model, window.text, group, totals)
        _labels(snapshot, model, window)
        if _is_due(window, kept.windows.get(window.text)):
            part = Snapshot()
            put_estimates(part, store, window, served=snapshot)
            values = functools.partial(read_values, store, window.interval)
            put_drift(part, model, window, values)
            put_ranking(part, store, window)
            put_custom_scores(part, store, window, kept.errors)
            kept.windows[window.text] = FromRows(window.interval[1], window.rows, part)
        snapshot.merge(kept.windows[window.text].part)
    put_custom_score_errors(snapshot, model, kept.errors)
    compare_versions(snapshot, store, windows)
    if model.baselines:
        _baseline_quality(snapshot, model, _versions(store))
    put_ledger(snapshot, store)
    _thresholds(snapshot, model)
    put_objectives(snapshot, model.name, model.objectives)
    return snapshot


def _is_due(window: WindowTotals, kept: FromRows | None) -> bool:
    if kept is None:
        return True
    start, end = window.interval
    moved = abs(end - kept.end) / (end - start)
    changed = (abs(a - b) / max(b, 1) for a, b in zip(window.rows, kept.rows, strict=True))
    return moved >= NEGLIGIBLE_MOVE or max(changed) >= NEGLIGIBLE_CHANGE


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
    statistics = decode.statistics(totals, model)
    put_measures(snapshot, model, labels, totals, statistics)
    estimates = _scores(model, statistics)
    for family in SCORES:
        for extra, estimate in estimates.get(family.name, {}).items():
            _put_estimate(snapshot, family, (*labels, *extra), estimate)
    for expectation in model.expectations:
        _judge(snapshot, model, expectation, labels, estimates)


def _cohort(snapshot: Snapshot, model: ModelConfig, cohort: WindowTotals) -> None:
    for group, totals in cohort.groups.items():
        if not group.segment:
            estimates = (
                _scores(model, decode.statistics(totals, model)) if totals.count("labeled") else {}
            )
            labels = (model.name, group.version, cohort.text)
            average = decode.DEFAULT_AVERAGE.get(model.task, "")
            put_cohort(snapshot, labels, totals, estimates, average=average)


def _labels(snapshot: Snapshot, model: ModelConfig, window: WindowTotals) -> None:
    """Say how late labels came, and which rows got one; whole model only."""
    for group, totals in window.groups.items():
        if not group.segment:
            labels = (model.name, group.version, window.text)
            put_delays(snapshot, labels, totals.keys("delay"))
            if model.windows_by == "prediction_timestamp":
                put_selection(snapshot, model, labels, totals)


def _scores(model: ModelConfig, statistics: Statistics) -> Estimates:
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
        average = (decode.DEFAULT_AVERAGE[model.task],)
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
