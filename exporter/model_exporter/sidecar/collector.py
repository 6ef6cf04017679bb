"""Renders the counts of every monitor of a registry; computes nothing but the sliding window."""

import weakref
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.registry import Collector

from model_exporter.catalogue import SIDECAR_FAMILIES, Family, Kind
from model_exporter.errors import ConfigError
from model_exporter.sidecar.exemplars import attach
from model_exporter.sidecar.families import SAMPLES, Reading
from model_exporter.sidecar.faults import Stage
from model_exporter.sidecar.pipeline import Pipeline
from model_exporter.sidecar.settings import Settings
from model_exporter.sidecar.versions import MAX_VERSIONS, Key, OtherVersions

_collectors: "weakref.WeakKeyDictionary[CollectorRegistry, ModelCollector]" = (
    weakref.WeakKeyDictionary()
)
"""One collector a registry: a family may appear in an exposition only once, however many models
and versions fill it."""

TRACED = "model_prediction_latency_seconds"


class ModelCollector(Collector):
    """Collects the families of all monitors registered with one registry."""

    def __init__(self) -> None:
        self._pipelines: dict[Key, Pipeline] = {}
        self._others = OtherVersions()

    def adopt(self, settings: Settings) -> Pipeline:
        """Return the pipeline of a model version: the one it has, or a new one.

        A module that is reloaded makes its monitors anew; they go on counting where they were.
        With other settings, or after `close`, a new pipeline takes the place of the old. Beyond
        `MAX_VERSIONS` of a model, closed versions make room; if all live, the new one is pooled.
        """
        key = (settings.name, settings.version)
        known = self.find(*key)
        if known is not None and not known.closed and known.settings.same_as(settings):
            return known
        pipeline = Pipeline(settings)
        pipeline.fold.reader.decide(settings.threshold, negative=settings.negative)
        if key in self._others or not self._has_room(key):
            self._others.add(key, pipeline)
        else:
            self._pipelines[key] = pipeline
        if known is not None:
            known.retire()
        return pipeline

    def _has_room(self, key: Key) -> bool:
        if key in self._pipelines:
            return True
        versions = [known for known in self._pipelines if known[0] == key[0]]
        if len(versions) < MAX_VERSIONS:
            return True
        closed = next((known for known in versions if self._pipelines[known].closed), None)
        if closed is not None:
            self._pipelines.pop(closed).retire()
        return closed is not None

    def find(self, name: str, version: str) -> Pipeline | None:
        """Return the pipeline of a model version, if it has one here."""
        key = (name, version)
        return self._pipelines.get(key) or self._others.find(key)

    def describe(self) -> Iterable[Metric]:
        """Return the families without samples: their names are taken."""
        return [_metric(family) for family in SIDECAR_FAMILIES]

    def report(self, stage: Stage, error: Exception) -> None:
        """Count a failure that is no one model's, with the first of them."""
        for pipeline in list(self._pipelines.values())[:1]:
            pipeline.faults.error(stage, error)

    def collect(self) -> Iterator[Metric]:
        """Return the families that have samples."""
        readings = []
        for pipeline in list(self._pipelines.values()):
            try:
                readings.append(Reading(pipeline))
            except Exception as error:
                pipeline.faults.error(Stage.COLLECT, error)
        pooled = self._others.samples()
        for family in SIDECAR_FAMILIES:
            metric = _metric(family)
            for reading in readings:
                _fill(metric, family, reading)
            for suffix, labels, value in pooled.get(family.name, ()):
                metric.add_sample(metric.name + suffix, labels, float(value))
            if metric.samples:
                yield metric


def _fill(metric: Metric, family: Family, reading: Reading) -> None:
    try:
        for suffix, labels, value in SAMPLES[family.name](reading):
            metric.add_sample(metric.name + suffix, {**reading.labels, **labels}, float(value))
        if reading.exemplar is not None and family.name == TRACED:
            attach(metric, reading.exemplar, reading.labels)
    except Exception as error:
        reading.faults.error(Stage.COLLECT, error)


def _metric(family: Family) -> Metric:
    name = family.name.removesuffix("_total") if family.kind is Kind.COUNTER else family.name
    return Metric(name, family.help, family.kind.value)


def collector_of(registry: CollectorRegistry) -> ModelCollector:
    """Return the collector of a registry, registered now if it is the first monitor's.

    Raises
    ------
    ConfigError
        If something else in the registry has taken one of our names.
    """
    found = _collectors.get(registry)
    if found is not None:
        return found
    collector = ModelCollector()
    try:
        registry.register(collector)
    except ValueError as error:
        raise ConfigError(
            f"the registry already has a metric with one of our names ({error}); rename that "
            "metric, or give the monitor a registry of its own"
        ) from error
    _collectors[registry] = collector
    return collector


def pipeline_of(name: str, version: str) -> Pipeline | None:
    """Return the open pipeline of a model version, in whatever registry; None if there is none."""
    for collector in list(_collectors.values()):
        pipeline = collector.find(name, version)
        if pipeline is not None and not pipeline.closed:
            return pipeline
    return None


def report(registry: CollectorRegistry, stage: Stage, error: Exception) -> None:
    """Count a failure beside our models, such as another collector's; without any, do nothing."""
    found = _collectors.get(registry)
    if found is not None:
        found.report(stage, error)
