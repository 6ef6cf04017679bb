"""Renders snapshots as metric families; computes nothing."""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from model_exporter.catalogue import FAMILIES, Family, Kind
from model_exporter.job.snapshot import Snapshot


class SnapshotCollector(Collector):
    """Serves the union of some snapshots, in the order of the catalogue."""

    def __init__(self, *, reproducible: bool = False) -> None:
        self._families = [f for f in FAMILIES if not (reproducible and f.volatile)]
        self._snapshot = Snapshot()

    def show(self, snapshots: Iterable[Snapshot]) -> None:
        """Replace what is served; a scrape sees the old or the new, never a mixture."""
        merged = Snapshot()
        for snapshot in snapshots:
            merged.merge(snapshot)
        self._snapshot = merged

    def collect(self) -> Iterator[Metric]:
        """Yield the families that have samples."""
        snapshot = self._snapshot
        for family in self._families:
            if family.name in snapshot.values or family.name in snapshot.histograms:
                yield _render(family, snapshot)


def exposition(snapshots: Iterable[Snapshot]) -> str:
    """Return snapshots in the text format, without what tells about the run only."""
    registry = CollectorRegistry(auto_describe=False)
    collector = SnapshotCollector(reproducible=True)
    collector.show(snapshots)
    registry.register(collector)
    return generate_latest(registry).decode()


def _render(family: Family, snapshot: Snapshot) -> Metric:
    if family.kind is Kind.HISTOGRAM:
        histogram = HistogramMetricFamily(family.name, family.help, labels=family.labels)
        for labels, found in sorted(snapshot.histograms[family.name].items()):
            histogram.add_metric(labels, list(found.buckets), found.total)
        return histogram
    shape = CounterMetricFamily if family.kind is Kind.COUNTER else GaugeMetricFamily
    metric = shape(family.name, family.help, labels=family.labels)
    for labels, value in sorted(snapshot.values[family.name].items()):
        metric.add_metric(labels, value)
    return metric
