"""How each family of the catalogue is read from the counts: one function a family."""

from collections.abc import Callable, Iterable

import numpy as np
from prometheus_client.utils import floatToGoString

from model_exporter.records import OTHER, InvalidReason, Subject, Task
from model_exporter.sidecar.columns import REASONS
from model_exporter.sidecar.counters import (
    Counters,
    Histogram,
)
from model_exporter.sidecar.faults import DropReason, Stage
from model_exporter.sidecar.pipeline import Pipeline
from model_exporter.sidecar.schema import mismatches
from model_exporter.sidecar.sections import LIMITS, Section, SlotNames
from model_exporter.sidecar.window import LEVELS

Sample = tuple[str, dict[str, str], float]
"""Suffix of the name, labels beside those of the model, value."""

NS = 1e-9


class Reading:
    """The state of one monitor at one moment, with everything recorded so far counted.

    Where several processes share the work, it is the sum of them all.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        settings, fold = pipeline.settings, pipeline.fold
        self.settings = settings
        self.faults = pipeline.faults
        self.labels = {"model_name": settings.name, "model_version": settings.version}
        pipeline.flush()
        tally = fold.tally()
        self.shared = None if pipeline.shards is None else pipeline.shards.sum(tally)
        tally = tally if self.shared is None else self.shared.tally
        self.window = tally.window
        self.items = {section: _slots(tally.names, section) for section in Section}
        self.in_progress = tally.in_progress
        self.subjects = fold.subjects
        self.counters = Counters(settings, fold.subjects, tally.array)
        self.monitors_batches = pipeline.monitors_batches
        self.monitors_streams = pipeline.monitors_streams
        self.regression = settings.task is Task.REGRESSION
        self.exemplar = pipeline.exemplars.newest
        pipeline.exemplars.arm()


def _slots(names: SlotNames, section: Section) -> list[tuple[str, int]]:
    taken = enumerate(names.get(section, ()))
    return [*((name, slot) for slot, name in taken), (OTHER, LIMITS[section])]


def _info(reading: Reading) -> Iterable[Sample]:
    task = reading.settings.task.value
    yield "", {"task": task, "baseline": reading.subjects.checksum}, 1


def _requests(reading: Reading) -> Iterable[Sample]:
    yield "_total", {}, reading.counters.requests[0]


def _errors(reading: Reading) -> Iterable[Sample]:
    return _named("error_type", reading, Section.ERROR_TYPES)


def _predictions(reading: Reading) -> Iterable[Sample]:
    yield "_total", {}, reading.counters.rows[0]


def _latency(reading: Reading) -> Iterable[Sample]:
    return _histogram(reading.counters.latency)


def _first_chunk(reading: Reading) -> Iterable[Sample]:
    return _histogram(reading.counters.first_chunk) if reading.monitors_streams else ()


def _chunks(reading: Reading) -> Iterable[Sample]:
    if reading.monitors_streams:
        yield "_total", {}, reading.counters.chunks[0]


def _batch_rows(reading: Reading) -> Iterable[Sample]:
    return _histogram(reading.counters.batch_rows) if reading.monitors_batches else ()


def _in_progress(reading: Reading) -> Iterable[Sample]:
    yield "", {}, reading.in_progress


def _score(reading: Reading) -> Iterable[Sample]:
    return () if reading.regression else _histogram(reading.counters.output)


def _value(reading: Reading) -> Iterable[Sample]:
    return _histogram(reading.counters.output) if reading.regression else ()


def _predicted_class(reading: Reading) -> Iterable[Sample]:
    return _named("predicted_class", reading, Section.CLASSES, zeros=True)


def _mean(reading: Reading) -> Iterable[Sample]:
    if reading.window.rows:
        yield "", {}, reading.window.mean


def _stddev(reading: Reading) -> Iterable[Sample]:
    if reading.window.rows:
        yield "", {}, reading.window.stddev


def _quantile(reading: Reading) -> Iterable[Sample]:
    if reading.window.rows:
        for level, value in zip(LEVELS, reading.window.quantiles(), strict=True):
            yield "", {"level": str(level)}, value


def _class_ratio(reading: Reading) -> Iterable[Sample]:
    counts = reading.window.classes
    total = counts.sum()
    if total:
        for name, slot in reading.items[Section.CLASSES]:
            if counts[slot] or name != OTHER:
                yield "", {"predicted_class": name}, counts[slot] / total


def _distribution(reading: Reading) -> Iterable[Sample]:
    for (subject, feature), counts in reading.counters.bins.items():
        bins = reading.subjects.bins[subject, feature].names
        for name, count in zip(bins, counts.tolist(), strict=True):
            yield "_total", _bin(subject, feature, name), count


def _baseline_ratio(reading: Reading) -> Iterable[Sample]:
    for (subject, feature), distribution in reading.subjects.distributions.items():
        shares = distribution.counts / distribution.counts.sum()
        for name, share in zip(distribution.bins, shares.tolist(), strict=True):
            yield "", _bin(subject, feature, name), share


def _baseline_rows(reading: Reading) -> Iterable[Sample]:
    if reading.settings.baseline is not None:
        yield "", {}, reading.settings.baseline.rows


def _feature_values(reading: Reading) -> Iterable[Sample]:
    for feature, counts in reading.counters.features.items():
        yield "_total", {"feature": feature}, counts.values[0]
    for feature, counts in reading.counters.declared.items():
        yield "_total", {"feature": feature}, counts.values[0]
    uncounted = len(reading.subjects.uncounted)
    if uncounted:  # rows are captured as a whole: what one feature has seen, each has
        first = next(iter(reading.counters.features.values()))
        yield "_total", {"feature": OTHER}, first.values[0] * uncounted


def _feature_missing(reading: Reading) -> Iterable[Sample]:
    counters = reading.counters
    for feature, counts in (counters.features | counters.declared).items():
        yield "_total", {"feature": feature}, counts.missing[0]


def _feature_invalid(reading: Reading) -> Iterable[Sample]:
    counters, constraints = reading.counters, reading.settings.constraints
    for feature, counts in (counters.features | counters.declared).items():
        for reason, count in zip(REASONS, counts.invalid.tolist(), strict=True):
            by_constraint = reason is InvalidReason.CONSTRAINT
            if feature in (constraints if by_constraint else counters.features):
                yield "_total", {"feature": feature, "reason": reason.value}, count


def _schema_mismatch(reading: Reading) -> Iterable[Sample]:
    extra = dict(reading.items[Section.EXTRA_COLUMNS])
    for name, reason, count in mismatches(reading.counters, extra):
        yield "_total", {"feature": name, "reason": reason.value}, count


def _business(reading: Reading) -> Iterable[Sample]:
    return _named("measure", reading, Section.MEASURES, zeros=True)


def _last_prediction(reading: Reading) -> Iterable[Sample]:
    if reading.counters.last_ns[0]:
        yield "", {}, reading.counters.last_ns[0] * NS


def _input_timestamp(reading: Reading) -> Iterable[Sample]:
    if reading.counters.input_ns[0]:
        yield "", {}, reading.counters.input_ns[0] * NS


def _dropped(reading: Reading) -> Iterable[Sample]:
    for reason, count in zip(DropReason, reading.counters.dropped.tolist(), strict=True):
        yield "_total", {"reason": reason.value}, count


def _internal_errors(reading: Reading) -> Iterable[Sample]:
    for stage, count in zip(Stage, reading.counters.internal_errors.tolist(), strict=True):
        yield "_total", {"stage": stage.value}, count


def _shards(reading: Reading) -> Iterable[Sample]:
    if reading.shared is not None:
        yield "", {}, reading.shared.living


def _shards_skipped(reading: Reading) -> Iterable[Sample]:
    if reading.shared is not None:
        for reason, count in reading.shared.skipped.items():
            yield "", {"reason": reason.value}, count


def _shards_degraded(reading: Reading) -> Iterable[Sample]:
    if reading.shared is not None:
        yield "", {}, reading.shared.degraded


def _bin(subject: Subject, feature: str, name: str) -> dict[str, str]:
    return {"subject": subject.value, "feature": feature, "bin": name}


def _named(
    label: str, reading: Reading, section: Section, *, zeros: bool = False
) -> Iterable[Sample]:
    """Return one sample a name; of zero only with `zeros`, and never for `OTHER`."""
    counts = reading.counters.named[section]
    for name, slot in reading.items[section]:
        if counts[slot] or (zeros and name != OTHER):
            yield "_total", {label: name}, float(counts[slot])


def _histogram(histogram: Histogram) -> Iterable[Sample]:
    """Return the samples of a histogram.

    With a negative edge there is no sum: it could fall, and look like a restarted counter. The
    count goes with it, as in every client library.
    """
    total = np.cumsum(histogram.counts).tolist()
    edges = [*map(floatToGoString, histogram.edges.tolist()), "+Inf"]
    for edge, count in zip(edges, total, strict=True):
        yield "_bucket", {"le": edge}, count
    if histogram.edges[0] >= 0:
        yield "_count", {}, total[-1]
        yield "_sum", {}, float(histogram.total[0])


SAMPLES: dict[str, Callable[[Reading], Iterable[Sample]]] = {
    "model_info": _info,
    "model_prediction_requests_total": _requests,
    "model_prediction_errors_total": _errors,
    "model_predictions_total": _predictions,
    "model_prediction_latency_seconds": _latency,
    "model_prediction_time_to_first_chunk_seconds": _first_chunk,
    "model_prediction_chunks_total": _chunks,
    "model_prediction_batch_rows": _batch_rows,
    "model_predictions_in_progress": _in_progress,
    "model_prediction_score": _score,
    "model_prediction_value": _value,
    "model_predicted_class_total": _predicted_class,
    "model_prediction_mean": _mean,
    "model_prediction_stddev": _stddev,
    "model_prediction_quantile": _quantile,
    "model_predicted_class_ratio": _class_ratio,
    "model_distribution_total": _distribution,
    "model_baseline_ratio": _baseline_ratio,
    "model_baseline_rows": _baseline_rows,
    "model_feature_values_total": _feature_values,
    "model_feature_missing_total": _feature_missing,
    "model_feature_invalid_total": _feature_invalid,
    "model_schema_mismatch_total": _schema_mismatch,
    "model_business_total": _business,
    "model_last_prediction_timestamp_seconds": _last_prediction,
    "model_input_timestamp_seconds": _input_timestamp,
    "model_exporter_dropped_total": _dropped,
    "model_exporter_internal_errors_total": _internal_errors,
    "model_exporter_shards": _shards,
    "model_exporter_shards_skipped": _shards_skipped,
    "model_exporter_shards_degraded": _shards_degraded,
}
